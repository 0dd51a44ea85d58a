"""In a space of two encoders every distance is the weighted mean of those by either, and explanations add up to it."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoseek.encoders.side_by_side import SideBySide
from histoseek.mosaics.barcodes import cut_barcodes, make_barcodes
from histoseek.mosaics.contributions import compute_contributions, find_closest_pairs
from histoseek.mosaics.distances import DISTANCES, SignatureBlock, get_distance
from histoseek.mosaics.part_weights import PartStatistics, fuse_parts
from histoseek.mosaics.rarity import Background
from histoseek.mosaics.signature import Signature
from tests.mosaics.signatures import make_signature, signature_of

Pair = tuple[Signature, Signature]

names = st.sampled_from(tuple(DISTANCES))
seeds, shares = st.integers(0, 2**32 - 1), st.floats(0.05, 0.95)
dimensions = st.sampled_from([20, 64, 65, 66, 130])


def join(pair: Pair, layout: SideBySide) -> Signature:
    """Both as one slide, written out: zeros where the other encoder's numbers lie."""
    zeros = [np.zeros((len(each.mosaic), other.mosaic.shape[1])) for each, other in (pair, pair[::-1])]
    mosaic = np.concatenate(
        [np.concatenate([pair[0].mosaic, zeros[0]], axis=1), np.concatenate([zeros[1], pair[1].mosaic], axis=1)]
    )
    return signature_of(mosaic, layout.join(pair[0].global_vector[None], pair[1].global_vector[None])[0])


def draw(seed: int, layout: SideBySide, slides: int) -> list[Pair]:
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 9, (slides, 2)).tolist()
    sizes = layout.first, layout.second
    return [(make_signature(rng, one, sizes[0]), make_signature(rng, other, sizes[1])) for one, other in counts]


@settings(max_examples=40)
@given(seeds, st.integers(0, 140), st.integers(2, 140), st.integers(0, 80))
def test_barcodes_of_some_numbers_are_cut_out_of_those_of_all(
    seed: int, before: int, dimension: int, after: int
) -> None:
    vectors = np.random.default_rng(seed).standard_normal((5, before + dimension + after)).astype(np.float16)
    wanted = make_barcodes(vectors[:, before : before + dimension])
    assert np.array_equal(cut_barcodes(make_barcodes(vectors), before, dimension), wanted)


@settings(max_examples=40)
@given(names, seeds, shares, dimensions, dimensions)
def test_distances_are_weighted_means(name: str, seed: int, share: float, first: int, second: int) -> None:
    layout = SideBySide(first, second, share)
    query, *slides = draw(seed, layout, 5)
    joined = [join(each, layout) for each in (query, *slides)]
    distance = get_distance(name)
    found = distance.side_by_side(layout)(joined[0], SignatureBlock.from_signatures(joined[1:]))
    alone = [distance(query[i], SignatureBlock.from_signatures([slide[i] for slide in slides])) for i in (0, 1)]
    for part in ("local", "global_", "total"):
        wanted = share * getattr(alone[0], part) + (1 - share) * getattr(alone[1], part)
        assert getattr(found, part) == pytest.approx(wanted, rel=1e-5, abs=1e-3 if "paper" in name else 1e-5)
    for i, own in enumerate(((1.0, 0.0), (0.0, 1.0))):
        one = distance.side_by_side(layout, own)(joined[0], SignatureBlock.from_signatures(joined[1:]))
        assert one.total == pytest.approx(alone[i].total, rel=1e-5, abs=1e-3 if "paper" in name else 1e-5)


def test_what_is_common_is_common_to_one_encoder() -> None:
    layout = SideBySide(20, 12, 0.4)
    query, *slides = draw(3, layout, 9)
    joined = [join(each, layout) for each in (query, *slides)]

    def background(signatures: list[Signature]) -> Background:
        offsets = np.cumsum([0, *(len(each.mosaic) for each in signatures)])
        return Background(np.concatenate([each.mosaic for each in signatures]), offsets)

    rare = get_distance("rare")
    alone = [
        rare.with_background(background([slide[i] for slide in slides]))(
            query[i], SignatureBlock.from_signatures([slide[i] for slide in slides])
        )
        for i in (0, 1)
    ]
    both = rare.side_by_side(layout)
    assert both.looks_at_rarity
    both = both.with_background(background(joined[1:]))
    found = both(joined[0], SignatureBlock.from_signatures(joined[1:]))
    assert found.total == pytest.approx(0.4 * alone[0].total + 0.6 * alone[1].total, abs=1e-6)
    assert not np.allclose(
        found.total, rare.side_by_side(layout)(joined[0], SignatureBlock.from_signatures(joined[1:])).total
    )


@settings(max_examples=40)
@given(names, seeds, shares, st.booleans())
def test_explanations_add_up_and_pair_vectors_of_one_encoder(name: str, seed: int, share: float, fused: bool) -> None:
    layout = SideBySide(40, 9, share)
    pairs = draw(seed, layout, 2)
    query, result = (join(each, layout) for each in pairs)
    distance = get_distance(name).side_by_side(layout)
    if fused:
        distance = distance.with_fusion(fuse_parts(PartStatistics(0.7, 0.1), PartStatistics(0.9, 0.2), 0.3))
    found = distance(query, SignatureBlock.from_signatures([result]))
    parts = compute_contributions(query, result, distance, float(found.global_[0]))
    assert parts.score == pytest.approx(1 - found.total[0], abs=1e-3 if "paper" in name else 1e-6)
    met = list(zip(parts.pairs.queries.tolist(), parts.pairs.results.tolist(), strict=True))
    assert len(set(met)) == len(met)
    firsts, counts = [len(pair[0].mosaic) for pair in pairs], [len(each.mosaic) for each in (query, result)]
    for one, other in met:
        if one < counts[0] and other < counts[1]:
            assert (one < firsts[0]) == (other < firsts[1])
    assert all(a >= b for a, b in itertools.pairwise(parts.pairs.shares))


def test_vectors_of_different_encoders_are_no_pair() -> None:
    layout = SideBySide(2, 2)
    one, other = (signature_of(np.array([[sign, 0.1]]), np.array([sign, 0.1])) for sign in (1, -1))
    query, result = join((one, one), layout), join((other, other), layout)
    assert sorted(find_closest_pairs(query.mosaic, result.mosaic, 9)) == [(0, 0), (1, 1)]
    local = get_distance("maxsim").side_by_side(layout)(query, SignatureBlock.from_signatures([result])).local
    assert local == pytest.approx(1 - (0.01 - 1) / 1.01, abs=1e-3)


def test_a_mosaic_without_any_bit_does_not_lose_its_place() -> None:
    layout = SideBySide(4, 4)
    rising = signature_of(np.array([[0.1, 0.2, 0.3, 0.4]]), np.array([0.4, 0.3, 0.2, 0.1]))
    query = join((rising, rising), layout)
    first, second = query.split(layout)
    assert np.array_equal(first.mosaic, rising.mosaic)
    assert np.array_equal(second.barcodes, rising.barcodes)
    block = SignatureBlock.from_signatures([query, query])
    for own in block.split(layout):
        assert own.offsets.tolist() == [0, 2, 4]
    assert replace(first, tile_size_level0=0).shares.tolist() == [1.0]
