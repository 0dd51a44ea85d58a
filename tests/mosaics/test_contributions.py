"""The parts of a score add up to it, and each is what its definition says."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoseek.mosaics.contributions import Contributions, compute_contributions, find_closest_pairs, match_one_to_one
from histoseek.mosaics.distances import DISTANCES, Fusion, SignatureBlock, get_distance
from histoseek.mosaics.part_weights import PartStatistics, fuse_parts
from histoseek.mosaics.signature import Signature
from tests.mosaics.signatures import bags, cosine, half_the_bits, make_signature

Pairs = dict[tuple[int, int], float]

names, pairing_names = st.sampled_from(tuple(DISTANCES)), st.sampled_from(tuple(set(DISTANCES) - {"global"}))
COSINES = ("maxsim", "closest", "rare")

counts, seeds = st.integers(1, 16), st.integers(0, 2**32 - 1)
dimensions = st.sampled_from([2, 5, 65, 130])
spreads = st.floats(0.01, 1)
archive_fusions = st.builds(
    lambda local, global_, share: fuse_parts(PartStatistics(*local), PartStatistics(*global_), share),
    st.tuples(st.floats(0.1, 1.2), spreads),
    st.tuples(st.floats(0.1, 1.2), spreads),
    st.floats(0, 1),
)
other_fusions = st.builds(Fusion, st.floats(0, 3), st.floats(0.1, 3), st.floats(0, 2), st.floats(0, 2))


def explained(
    name: str, query: Signature, other: Signature, fusion: Fusion | None = None
) -> tuple[Contributions, float]:
    """The parts, and the score that ranking gives."""
    distance = get_distance(name)
    distance = distance.with_fusion(fusion) if fusion else distance
    found = distance(query, SignatureBlock.from_signatures([other]))
    return compute_contributions(query, other, distance, float(found.global_[0])), float(1 - found.total[0])


def as_pairs(parts: Contributions) -> Pairs:
    keys = zip(parts.pairs.queries.tolist(), parts.pairs.results.tolist(), strict=True)
    return dict(zip(keys, parts.pairs.shares.tolist(), strict=True))


@settings(max_examples=200)
@given(names, st.none() | archive_fusions | other_fusions, counts, counts, dimensions, seeds)
def test_parts_add_up_to_the_score(
    name: str, fusion: Fusion | None, first: int, second: int, dimension: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    parts, score = explained(
        name, make_signature(rng, first, dimension), make_signature(rng, second, dimension), fusion
    )
    assert parts.score == pytest.approx(score, abs=1e-6)
    assert parts.base + parts.global_ + sum(parts.pairs.shares) == pytest.approx(score, abs=1e-6)


@settings(max_examples=40)
@given(names, archive_fusions, counts, seeds)
def test_with_typical_parts_of_total_1_the_base_is_0(name: str, fusion: Fusion, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, two = make_signature(rng, count, 65), make_signature(rng, 3, 65)
    if name != "global":
        assert explained(name, one, two, fusion)[0].base == pytest.approx(0, abs=1e-9)
    if name != "pathsearch-paper":
        assert explained(name, one, two)[0].base == 0


def naive_pairs(name: str, query: Signature, other: Signature, fusion: Fusion) -> Pairs:
    """Each vector's nearest by loops, the direction's mean or median over it."""
    one, two = bags(query), bags(other)
    if name == "contained":
        one, two = one[:-1], two[:-1]
    unit = 1.0 if name == "pathsearch-paper" else half_the_bits(query)

    def between(i: int, j: int) -> float:
        if name == "rare":
            return 1 - max(0.0, cosine(query.mosaic[i], other.mosaic[j]))
        if name in ("maxsim", "closest"):
            return 1 - cosine(query.mosaic[i], other.mosaic[j])
        return sum(a != b for a, b in zip(one[i], two[j], strict=True)) / unit

    rows, columns = (len(query.mosaic), len(other.mosaic)) if name in COSINES else (len(one), len(two))
    directions = [[(min(range(columns), key=lambda j: between(i, j)), i) for i in range(rows)]]
    directions[0] = [(i, j) for j, i in directions[0]]
    if name in ("symmetric", "maxsim", "closest"):
        directions.append([(min(range(rows), key=lambda i: between(i, j)), j) for j in range(columns)])
    shares: Pairs = defaultdict(float)
    typical = fusion.typical_local if name != "pathsearch-paper" else 0
    if name == "closest":
        quarters = [max(1, math.floor(len(pairs) / 4 + 0.5)) for pairs in directions]
        by_distance = [sorted(pairs, key=lambda pair: between(*pair)) for pairs in directions]
        directions = [pairs[:count] for pairs, count in zip(by_distance, quarters, strict=True)]
    for pairs in directions:
        distances = [between(i, j) for i, j in pairs]
        centre = statistics.mean(distances) if name in COSINES else statistics.median(distances)
        for pair, apart in zip(pairs, distances, strict=True):
            term = (apart + centre - statistics.mean(distances)) / len(pairs)
            shares[pair] += fusion.local_weight * (typical / len(pairs) - term) / len(directions)
    return shares


@settings(max_examples=60)
@given(pairing_names, counts, counts, dimensions, seeds)
def test_pairs_equal_naive_loops(name: str, first: int, second: int, dimension: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    query, other = make_signature(rng, first, dimension), make_signature(rng, second, dimension)
    found = as_pairs(explained(name, query, other)[0])
    naive = naive_pairs(name, query, other, get_distance(name).fusion)
    assert found == {pair: pytest.approx(share, abs=1e-6) for pair, share in naive.items()}
    assert list(found.values()) == sorted(found.values(), reverse=True)


@settings(max_examples=40)
@given(st.sampled_from(["contained", "pathsearch-paper"]), counts, counts, seeds)
def test_of_the_query_s_pairs_the_nearer_gives_more(name: str, first: int, second: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    query, other = make_signature(rng, first, 100), make_signature(rng, second, 100)
    pairs = explained(name, query, other)[0].pairs
    assert (np.diff(pairs.distances) >= 0).all()
    assert sorted(pairs.queries) == list(range(first + (name == "pathsearch-paper")))


@settings(max_examples=40)
@given(st.sampled_from(["symmetric", "maxsim", "closest", "global"]), counts, counts, seeds)
def test_symmetric_distances_are_explained_alike_from_both_sides(name: str, first: int, second: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, two = make_signature(rng, first, 2000), make_signature(rng, second, 2000)
    there, back = as_pairs(explained(name, one, two)[0]), as_pairs(explained(name, two, one)[0])
    assert {(j, i): share for (i, j), share in back.items()} == {
        pair: pytest.approx(share, abs=1e-9) for pair, share in there.items()
    }


def test_a_slide_compared_with_itself_pairs_every_vector_with_itself() -> None:
    slide = make_signature(np.random.default_rng(0), 7, 300)
    parts, score = explained("symmetric", slide, slide)
    assert score == pytest.approx(1, abs=1e-6)
    assert sorted(as_pairs(parts)) == [(i, i) for i in range(8)]
    assert parts.pairs.shares == pytest.approx(np.full(8, 0.5 / 8))
    assert parts.pairs.distances == pytest.approx(0)


def test_ties_go_to_the_lowest_index() -> None:
    rng = np.random.default_rng(3)
    query, other = make_signature(rng, 1, 200), make_signature(rng, 1, 200)
    twice = Signature.create(
        other.global_vector,
        np.repeat(other.mosaic, 3, axis=0),
        np.full(3, 1 / 3, np.float32),
        other.mosaic_tiles * 3,
        other.tile_size_level0,
    )
    assert list(as_pairs(explained("contained", query, twice)[0])) == [(0, 0)]


def test_the_global_distance_has_no_pairs() -> None:
    rng = np.random.default_rng(4)
    query, other = make_signature(rng, 4, 50), make_signature(rng, 5, 50)
    parts, score = explained("global", query, other)
    assert (len(parts.pairs), parts.base) == (0, 0)
    assert parts.global_ == pytest.approx(score)
    weighed = replace(get_distance("global"), fusion=Fusion(0.5, 0.5))
    total = weighed(query, SignatureBlock.from_signatures([other])).total[0]
    apart = float(weighed.parts(query, SignatureBlock.from_signatures([other]))[1][0])
    assert compute_contributions(query, other, weighed, apart).score == pytest.approx(1 - total, abs=1e-9)


def test_closest_pairs_are_one_to_one_and_best_first() -> None:
    rng = np.random.default_rng(1)
    query, result = (rng.standard_normal((count, 40)).astype(np.float16) for count in (6, 4))
    cosines = np.array([[cosine(one, two) for two in result] for one in query])
    found = find_closest_pairs(query, result, 10)
    assert len(found) == 4
    assert len({i for i, _ in found}) == len({j for _, j in found}) == 4
    left = cosines.copy()
    for i, j in found:
        assert cosines[i, j] == left.max()
        left[i], left[:, j] = -np.inf, -np.inf
    assert find_closest_pairs(query, result, 2) == found[:2]


def test_one_to_one_keeps_the_first_of_each() -> None:
    queries, results = np.array([2, 2, 0, 1, 3]), np.array([1, 0, 1, 3, 2])
    assert match_one_to_one(queries, results, 5) == [(2, 1), (1, 3), (3, 2)]
    assert match_one_to_one(queries, results, 1) == [(2, 1)]
    assert match_one_to_one(queries[:0], results[:0], 3) == []
