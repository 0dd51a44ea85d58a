"""What is common in an archive counts less: against naive loops, and what must hold of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoseek.mosaics.contributions import compute_contributions
from histoseek.mosaics.distances import Distance, SignatureBlock, get_distance
from histoseek.mosaics.rarity import BACKGROUND_SLIDES, Background, draw_background
from histoseek.mosaics.signature import Signature
from tests.mosaics.signatures import list_common, make_signature, naive_rare, signature_of

seeds = st.integers(0, 2**32 - 1)


def background_of(slides: list[Signature]) -> Background:
    block = SignatureBlock.from_signatures(slides)
    assert block.mosaics is not None
    return Background(block.mosaics, block.mosaic_offsets)


def rare(slides: list[Signature]) -> Distance:
    return get_distance("rare").with_background(background_of(slides))


@settings(max_examples=20)
@given(st.integers(1, 6), st.integers(1, 7), seeds)
def test_a_query_s_vectors_count_by_what_they_have_beyond_the_usual(count: int, slides: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    many = [make_signature(rng, int(rng.integers(1, 5)), 12) for _ in range(slides)]
    query, other = make_signature(rng, count, 12), make_signature(rng, 4, 12)
    distance = rare(many)
    found = distance(query, SignatureBlock.from_signatures([query, other]))
    assert found.local == pytest.approx(
        [naive_rare(query, one, list_common(query, many))[0] for one in (query, other)], abs=1e-4
    )
    parts = compute_contributions(query, other, distance, float(found.global_[1]))
    assert parts.score == pytest.approx(1 - found.total[1], abs=1e-6)


def test_what_all_slides_have_brings_none_nearer() -> None:
    rng = np.random.default_rng(0)
    stroma, tumour, other = (make_signature(rng, 1, 64).mosaic for _ in range(3))

    def slide(*parts: np.ndarray) -> Signature:
        rows = np.concatenate(parts).astype(np.float32)
        rows = rows + 0.02 * rng.standard_normal(rows.shape)
        return signature_of(rows, np.ones(64))

    query, same, unlike = slide(stroma, tumour), slide(stroma, tumour), slide(stroma, other)
    block = SignatureBlock.from_signatures([same, unlike])
    archive = [slide(stroma, stroma, make_signature(rng, 1, 64).mosaic) for _ in range(20)]
    plain, weighed = (one(query, block).local for one in (get_distance("rare"), rare(archive)))
    assert plain[1] < 0.6
    assert weighed[1] > plain[1] + 0.2
    assert weighed[0] < weighed[1] - 0.3


def test_a_background_is_the_same_in_any_order_and_nearly_so_with_more_slides() -> None:
    ids = [f"slide-{i}" for i in range(400)]
    drawn = draw_background(ids)
    assert len(drawn) == BACKGROUND_SLIDES == len(set(drawn))
    assert draw_background(ids[::-1]) == drawn
    assert draw_background(drawn) == drawn
    assert len(set(draw_background([*ids, *(f"new-{i}" for i in range(40))])) & set(drawn)) > 0.8 * len(drawn)
    assert draw_background(ids[:5]) == sorted(ids[:5], key=draw_background(ids[:5]).index)


def test_backgrounds_are_compared_by_what_they_hold() -> None:
    slides = [make_signature(np.random.default_rng(seed), 3, 16) for seed in range(3)]
    assert rare(slides) == rare(slides)
    assert rare(slides) != rare(slides[:2])
    assert replace(rare(slides), name="other").looks_at_rarity
    assert not get_distance("maxsim").looks_at_rarity
