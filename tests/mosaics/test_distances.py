"""Distances against naive computations over bit lists and vectors, and their laws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoseek.errors import ConfigurationError, EncoderError
from histoseek.mosaics import late_interaction
from histoseek.mosaics.barcodes import make_barcodes
from histoseek.mosaics.distances import DISTANCES, Fusion, SignatureBlock, compute_squared_lengths, get_distance
from histoseek.mosaics.numba_kernels import compute_directional_medians, compute_query_medians
from histoseek.mosaics.signature import Signature
from tests.mosaics.signatures import NAIVE, make_signature, signature_of

ALL = tuple(DISTANCES)
SYMMETRIC = ("symmetric", "maxsim", "closest", "global")
WEIGHTS = {
    "symmetric": (0.5, 0.5),
    "maxsim": (0.5, 0.5),
    "closest": (0.5, 0.5),
    "rare": (0.5, 0.5),
    "global": (0, 1),
    "contained": (1, 0),
    "pathsearch-paper": (1, 200),
}

block_of = SignatureBlock.from_signatures
names = st.sampled_from(ALL)
counts, seeds = st.integers(1, 16), st.integers(0, 2**32 - 1)
dimensions = st.sampled_from([2, 33, 64, 65, 66, 130, 200])


def close(value: float, rounding: float = 2e-4) -> object:
    """Euclidean distances of nearly equal vectors lose half of float32's digits."""
    return pytest.approx(value, rel=1e-5, abs=rounding)


@settings(max_examples=60)
@given(names, counts, counts, dimensions, seeds)
def test_distances_equal_naive_loops(name: str, first: int, second: int, dimension: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    query, other = make_signature(rng, first, dimension), make_signature(rng, second, dimension)
    found = get_distance(name)(query, block_of([query, other, other]))
    local, global_ = NAIVE[name](query, other)
    weights = WEIGHTS[name]
    assert found.local[1:] == close(local)
    assert found.global_[1:] == close(global_)
    assert found.total[1:] == close(
        weights[0] * local + weights[1] * global_, 0.2 if name == "pathsearch-paper" else 1e-3
    )


@settings(max_examples=30)
@given(names, counts, counts, seeds)
def test_a_slide_is_at_0_from_itself_and_others_never_below(name: str, first: int, second: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    query, other = make_signature(rng, first, 100), make_signature(rng, second, 100)
    found = get_distance(name)(query, block_of([query, other]))
    assert found.total[0] == pytest.approx(0, abs=0.2 if name == "pathsearch-paper" else 1e-5)
    assert (found.local >= 0).all()
    assert (found.global_ >= 0).all()
    assert found.local[0] == pytest.approx(0, abs=1e-5)


@settings(max_examples=30)
@given(st.sampled_from(SYMMETRIC), counts, counts, seeds)
def test_both_sides_agree(name: str, first: int, second: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, two = make_signature(rng, first, 130), make_signature(rng, second, 130)
    distance = get_distance(name)
    assert distance(one, block_of([two])).total[0] == pytest.approx(distance(two, block_of([one])).total[0], abs=1e-6)


def test_the_paper_s_distance_and_containment_are_not_symmetric() -> None:
    rng = np.random.default_rng(0)
    whole = make_signature(rng, 12, 200)
    part = signature_of(whole.mosaic[:2], make_signature(rng, 1, 200).global_vector)
    for name in ("pathsearch-paper", "contained"):
        there, back = (get_distance(name)(one, block_of([two])).local[0] for one, two in ((part, whole), (whole, part)))
        assert there == 0 < back


@settings(max_examples=30)
@given(names, counts, seeds)
def test_the_order_of_mosaic_vectors_changes_nothing(name: str, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    query, other = make_signature(rng, count, 100), make_signature(rng, 5, 100)
    shuffled = signature_of(rng.permutation(query.mosaic), query.global_vector)
    distance = get_distance(name)
    before, after = distance(query, block_of([other])).total[0], distance(shuffled, block_of([other])).total[0]
    assert before == pytest.approx(after, abs=1e-6)
    there, back = (distance(other, block_of([one])).total[0] for one in (query, shuffled))
    assert there == pytest.approx(back, abs=1e-6)


def doubled(signature: Signature, rows: slice = slice(None)) -> Signature:
    return signature_of(np.concatenate([signature.mosaic, signature.mosaic[rows]]), signature.global_vector)


@settings(max_examples=30)
@given(names, st.integers(1, 8), seeds)
def test_which_duplicates_change_nothing(name: str, count: int, seed: int) -> None:
    """One vector of the slide twice leaves the query's side as it is, so all that go one way; all vectors twice leave
    means, and medians over mosaics alone. A median that the global vector's barcode takes part in may move."""
    rng = np.random.default_rng(seed)
    query, other = make_signature(rng, 7, 100), make_signature(rng, count, 100)
    distance = get_distance(name)
    before = distance(query, block_of([other])).total[0]
    if name in ("global", "contained", "pathsearch-paper"):
        assert distance(query, block_of([doubled(other, slice(1))])).total[0] == pytest.approx(before, abs=1e-6)
    if name in ("global", "contained", "maxsim"):
        assert distance(query, block_of([doubled(other)])).total[0] == pytest.approx(before, abs=1e-6)
        assert distance(doubled(query), block_of([other])).total[0] == pytest.approx(before, abs=1e-6)


@settings(max_examples=20)
@given(st.lists(st.integers(0, 11), max_size=9), seeds)
def test_slides_taken_from_a_block_keep_their_distances(places: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    many = [make_signature(rng, int(rng.integers(1, 6)), 70) for _ in range(12)]
    block = block_of(many)
    block = replace(block, squares=compute_squared_lengths(block.global_vectors))
    taken = block.take(np.array(places, np.int64))
    assert len(taken) == len(places)
    for name in ALL:
        whole, some = (get_distance(name)(many[0], one) for one in (block, taken))
        assert some.local == pytest.approx(whole.local[places], abs=1e-6)
        assert some.total == pytest.approx(whole.total[places], abs=0.2 if name == "pathsearch-paper" else 1e-5)
    assert taken.mosaics is not None
    for row, place in enumerate(places):
        own = taken.mosaics[taken.mosaic_offsets[row] : taken.mosaic_offsets[row + 1]]
        assert np.array_equal(own, many[place].mosaic)


def test_a_block_without_mosaics_has_no_maxsim() -> None:
    rng = np.random.default_rng(1)
    one = make_signature(rng, 3, 64)
    bare = replace(block_of([one]), mosaics=None)
    assert get_distance("maxsim").needs_mosaics
    assert [name for name in ALL if get_distance(name).needs_mosaics] == ["maxsim", "closest", "rare"]
    with pytest.raises(ConfigurationError, match="mosaics"):
        get_distance("maxsim")(one, bare)
    with pytest.raises(ConfigurationError, match="same slides"):
        SignatureBlock.from_parts([one.barcodes], one.global_vector[None], [one.mosaic[:2]])
    empty = replace(bare, barcodes=bare.barcodes[:1], offsets=np.array([0, 1]), mosaics=one.mosaic[:0])
    with pytest.raises(ConfigurationError, match="without a mosaic"):
        get_distance("maxsim")(one, empty)


@pytest.mark.parametrize("name", ["maxsim", "closest", "rare"])
def test_late_interaction_in_runs_is_that_at_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    many = [make_signature(rng, int(rng.integers(1, 17)), 64) for _ in range(50)]
    whole = get_distance(name)(many[3], block_of(many)).local
    for most in (1, 64 * 20, 64 * 33):
        monkeypatch.setattr(late_interaction, "_MOST_CELLS", most)
        assert get_distance(name)(many[3], block_of(many)).local == pytest.approx(whole, abs=1e-6)


@given(st.floats(0, 1e3), st.floats(1e-3, 1e3))
def test_totals_are_sums_of_weighted_parts(local_weight: float, global_weight: float) -> None:
    rng = np.random.default_rng(3)
    many = [make_signature(rng, 3, 40) for _ in range(4)]
    fusion = Fusion(local_weight, global_weight)
    distance = get_distance("symmetric").with_fusion(fusion)
    found = distance(many[0], block_of(many))
    assert distance.fusion == fusion
    assert get_distance("symmetric").fusion == Fusion(0.5, 0.5)
    assert found.total == pytest.approx(local_weight * found.local + global_weight * found.global_, rel=1e-12)


@pytest.mark.parametrize("weights", [(0.0, 0.0), (-0.1, 1.0), (1.0, float("nan")), (float("inf"), 1.0)])
def test_weights_that_rank_nothing_are_refused(weights: tuple[float, float]) -> None:
    with pytest.raises(ConfigurationError, match="weights"):
        Fusion(*weights)


@settings(max_examples=20)
@given(st.integers(1, 60), st.integers(1, 64), seeds)
def test_medians_of_any_number_of_barcodes(queries: int, others: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    own, words = (rng.integers(0, 2**63, (count, 3), np.uint64) for count in (queries, others))
    counts = np.bitwise_count(own[:, None] ^ words[None]).sum(axis=2)
    found = compute_directional_medians(own, words, np.array([0, others]))
    assert found.tolist() == [[np.median(counts.min(axis=1)), np.median(counts.min(axis=0))]]
    if others > 1:
        without = compute_query_medians(own, words, np.array([0, others]), left_out=1)
        assert without[0] == np.median(counts[:, :-1].min(axis=1))


def test_threads_do_not_change_the_result() -> None:
    rng = np.random.default_rng(5)
    many = [make_signature(rng, int(rng.integers(1, 17)), 300) for _ in range(200)]
    block = block_of(many)
    single = compute_directional_medians(many[0].barcodes, block.barcodes, block.offsets, threads=1)
    double = compute_directional_medians(many[0].barcodes, block.barcodes, block.offsets, threads=2)
    assert np.array_equal(single, double)


def test_barcode_layout() -> None:
    vector = np.zeros((1, 70))
    vector[0, 1], vector[0, 66] = -1, -1
    words = make_barcodes(vector)
    assert words.shape == (1, 2)
    assert words[0].tolist() == [1, 1 << (65 - 64)]


def test_barcodes_refuse_what_is_no_table_of_vectors() -> None:
    with pytest.raises(ConfigurationError, match="D >= 2"):
        make_barcodes(np.zeros((3, 1)))


def test_unknown_distance_names_the_known() -> None:
    with pytest.raises(ConfigurationError, match="pathsearch-paper"):
        get_distance("euclid")


def test_signature_refuses_parts_that_do_not_fit() -> None:
    rng = np.random.default_rng(0)
    good = make_signature(rng, 3, 50)
    with pytest.raises(EncoderError, match="NaN"):
        Signature.create(np.full(50, np.nan, np.float32), good.mosaic, good.shares, good.mosaic_tiles, 224)
    with pytest.raises(EncoderError, match="tiles"):
        Signature.create(good.global_vector, good.mosaic, good.shares, good.mosaic_tiles[:2], 224)
