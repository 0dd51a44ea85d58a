"""Two spacings in one cosine: the weighted mean, which is the cosine of both vectors put behind each other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from histoseek.mosaics.contributions import compute_contributions
from histoseek.mosaics.distances import CONTEXT_SHARE, SignatureBlock, get_distance
from histoseek.mosaics.signature import MosaicTiles, Signature


def normalise(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def sign(rng: np.random.Generator, has_context: bool) -> Signature:
    mosaic = normalise(rng.normal(size=(3, 24)))
    tiles = tuple(MosaicTiles(np.zeros((1, 2), np.int32), np.ones(1, np.float32)) for _ in mosaic)
    context = normalise(rng.normal(size=16)) if has_context else None
    shares = np.full(3, 1 / 3, np.float32)
    return Signature.create(normalise(mosaic.mean(axis=0)), mosaic.astype(np.float16), shares, tiles, 10, context)


@given(st.integers(0, 2**32 - 1), st.lists(st.booleans(), min_size=1, max_size=8), st.booleans())
def test_the_global_part_is_the_cosine_of_both_spacings(seed: int, contexts: list[bool], asked_at_both: bool) -> None:
    rng = np.random.default_rng(seed)
    query, slides = sign(rng, asked_at_both), [sign(rng, has_context) for has_context in contexts]
    block = SignatureBlock.from_signatures(slides)
    distance = get_distance("global")
    measured = distance(query, block)
    for slide, total, apart in zip(slides, measured.total, measured.global_, strict=True):
        one, other = query.global_vector, slide.global_vector
        if query.context is not None and slide.context is not None:
            roots = np.sqrt([1 - CONTEXT_SHARE, CONTEXT_SHARE])
            one = np.concatenate([roots[0] * one, roots[1] * query.context])
            other = np.concatenate([roots[0] * other, roots[1] * slide.context])
        assert total == pytest.approx(1 - float(one.astype(np.float64) @ other), abs=1e-5)
        parts = compute_contributions(query, slide, distance, float(apart))
        assert parts.score == pytest.approx(1 - total, abs=1e-6)
        assert (parts.context == 0) == (query.context is None or slide.context is None)


@given(st.integers(0, 2**32 - 1))
def test_some_slides_of_a_block_are_what_they_were_among_all(seed: int) -> None:
    rng = np.random.default_rng(seed)
    query, slides = sign(rng, True), [sign(rng, bool(number % 3)) for number in range(9)]
    block, places = SignatureBlock.from_signatures(slides), rng.permutation(9)[:4]
    for name in ("symmetric", "maxsim", "global", "contained"):
        whole, some = (get_distance(name)(query, one) for one in (block, block.take(places)))
        np.testing.assert_allclose(whole.total[places], some.total, atol=1e-6)
    itself = get_distance("symmetric")(query, SignatureBlock.from_signatures([query]))
    assert itself.total[0] == pytest.approx(0, abs=1e-5)


def test_the_distance_of_the_paper_knows_of_no_context() -> None:
    rng = np.random.default_rng(3)
    query, slide = sign(rng, True), sign(rng, True)
    with_it, without = (
        get_distance("pathsearch-paper")(query, SignatureBlock.from_signatures([one]))
        for one in (slide, Signature(*(getattr(slide, name) for name in list(Signature.__slots__)[:-1])))
    )
    assert with_it == without
