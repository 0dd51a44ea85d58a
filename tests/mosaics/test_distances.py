"""Distances against a naive computation over bit lists, and their laws."""

from __future__ import annotations

import itertools
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoseek.errors import ConfigurationError, EncoderError
from histoseek.mosaics.barcodes import barcodes
from histoseek.mosaics.distances import SignatureBlock, get_distance
from histoseek.mosaics.kernels import directional_medians
from histoseek.mosaics.matches import match_mosaics
from histoseek.mosaics.signature import MosaicTiles, Signature

pathsearch_paper, symmetric = get_distance("pathsearch-paper"), get_distance("symmetric")


def uniform(count: int) -> np.ndarray:
    return np.full(count, 1 / count, np.float32)


def make_signature(rng: np.random.Generator, count: int, dimension: int) -> Signature:
    vectors = rng.standard_normal((count + 1, dimension)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    tiles = tuple(MosaicTiles(np.zeros((1, 2), np.int32), np.ones(1, np.float32)) for _ in range(count))
    return Signature.of(vectors[-1], vectors[:-1].astype(np.float16), uniform(len(tiles)), tiles, 224)


def block_of(signatures: list[Signature]) -> SignatureBlock:
    return SignatureBlock.of([s.barcodes for s in signatures], np.stack([s.global_vector for s in signatures]))


def bits(vector: np.ndarray) -> list[bool]:
    return [bool(b < a) for a, b in itertools.pairwise(vector)]


def naive_bags(signature: Signature) -> list[list[bool]]:
    return [bits(vector) for vector in signature.mosaic] + [bits(signature.global_vector)]


def naive_median_of_minima(query: Signature, other: Signature) -> float:
    others = naive_bags(other)
    return statistics.median(
        min(sum(a != b for a, b in zip(one, two, strict=True)) for two in others) for one in naive_bags(query)
    )


sizes = st.tuples(st.integers(1, 16), st.integers(1, 16), st.sampled_from([2, 33, 64, 65, 66, 130, 200]))


@settings(max_examples=40, deadline=None)
@given(sizes, st.integers(0, 2**32 - 1))
def test_paper_distance_equals_naive(size: tuple[int, int, int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    query, other = make_signature(rng, size[0], size[2]), make_signature(rng, size[1], size[2])
    found = pathsearch_paper(query, block_of([other, query]))
    assert found.local[0] == naive_median_of_minima(query, other)
    apart = float(np.linalg.norm(query.global_vector.astype(float) - other.global_vector.astype(float)))
    assert found.total[0] == pytest.approx(found.local[0] + 200 * apart, abs=0.2)
    assert found.local[1] == 0


@settings(max_examples=40, deadline=None)
@given(sizes, st.integers(0, 2**32 - 1))
def test_symmetric_distance_equals_naive_and_is_symmetric(size: tuple[int, int, int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, two = make_signature(rng, size[0], size[2]), make_signature(rng, size[1], size[2])
    there, back = symmetric(one, block_of([two])), symmetric(two, block_of([one]))
    medians = naive_median_of_minima(one, two), naive_median_of_minima(two, one)
    local = sum(medians) / 2 / (0.5 * (size[2] - 1))
    cosine = float(one.global_vector.astype(float) @ two.global_vector.astype(float))
    assert there.local[0] == pytest.approx(local)
    assert there.total[0] == pytest.approx((local + 1 - cosine) / 2, abs=1e-5)
    assert there.total[0] == pytest.approx(back.total[0], abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 16), st.integers(0, 2**32 - 1))
def test_identity_and_permutation(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    query, other = make_signature(rng, count, 100), make_signature(rng, 5, 100)
    order = rng.permutation(count)
    tiles = tuple(query.mosaic_tiles[i] for i in order)
    shuffled = Signature.of(query.global_vector, query.mosaic[order], query.shares[order], tiles, 224)
    assert symmetric(query, block_of([shuffled])).total[0] == pytest.approx(0, abs=1e-6)
    before, after = symmetric(query, block_of([other])), symmetric(shuffled, block_of([other]))
    assert before.total[0] == pytest.approx(after.total[0], abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 15), st.integers(0, 2**32 - 1))
def test_duplicating_a_vector_of_the_candidate_changes_nothing(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    query, other = make_signature(rng, 7, 100), make_signature(rng, count, 100)
    twice = np.concatenate([other.mosaic, other.mosaic[:1]])
    more = Signature.of(
        other.global_vector, twice, uniform(len(twice)), (*other.mosaic_tiles, other.mosaic_tiles[0]), 224
    )
    assert pathsearch_paper(query, block_of([other])).total == pathsearch_paper(query, block_of([more])).total


def test_threads_do_not_change_the_result() -> None:
    rng = np.random.default_rng(5)
    many = [make_signature(rng, int(rng.integers(1, 17)), 300) for _ in range(200)]
    block = block_of(many)
    single = directional_medians(many[0].barcodes, block.barcodes, block.offsets, threads=1)
    double = directional_medians(many[0].barcodes, block.barcodes, block.offsets, threads=2)
    assert np.array_equal(single, double)


def test_barcode_layout() -> None:
    vector = np.zeros((1, 70))
    vector[0, 1], vector[0, 66] = -1, -1
    words = barcodes(vector)
    assert words.shape == (1, 2)
    assert words[0].tolist() == [1, 1 << (65 - 64)]


def test_barcodes_refuse_what_is_no_table_of_vectors() -> None:
    with pytest.raises(ConfigurationError, match="D >= 2"):
        barcodes(np.zeros((3, 1)))


def test_unknown_distance_names_the_known() -> None:
    with pytest.raises(ConfigurationError, match="pathsearch-paper"):
        get_distance("euclid")


def test_signature_refuses_parts_that_do_not_fit() -> None:
    rng = np.random.default_rng(0)
    good = make_signature(rng, 3, 50)
    with pytest.raises(EncoderError, match="NaN"):
        Signature.of(np.full(50, np.nan, np.float32), good.mosaic, good.shares, good.mosaic_tiles, 224)
    with pytest.raises(EncoderError, match="tiles"):
        Signature.of(good.global_vector, good.mosaic, good.shares, good.mosaic_tiles[:2], 224)


def test_matches_are_one_to_one_and_best_first() -> None:
    rng = np.random.default_rng(1)
    query, result = (rng.standard_normal((count, 40)).astype(np.float16) for count in (6, 4))
    wide = [m.astype(float) / np.linalg.norm(m.astype(float), axis=1, keepdims=True) for m in (query, result)]
    cosines = wide[0] @ wide[1].T
    found = match_mosaics(query, result, 10)
    assert len(found) == 4
    assert len({m.query_index for m in found}) == len({m.result_index for m in found}) == 4
    assert found[0].similarity == pytest.approx(cosines.max(), abs=1e-3)
    assert [m.similarity for m in found] == sorted((m.similarity for m in found), reverse=True)
    for match in found:
        assert match.similarity == pytest.approx(cosines[match.query_index, match.result_index], abs=1e-3)
