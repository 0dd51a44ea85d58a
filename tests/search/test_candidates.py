"""Candidates against brute force, in memory and memory-mapped, with filters and slides left out."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from histoseek.archive.stores.rows import RankingRows, make_keys, make_planes, make_signs, quantise
from histoseek.archive.stores.slides import SlideTable
from histoseek.mosaics.distances import Distances, SignatureBlock, compute_squared_lengths, get_distance
from histoseek.search.options import SearchOptions
from histoseek.search.retrieve.candidates import candidates
from histoseek.search.retrieve.scan import inner, products, screen
from histoseek.search.scope.exclusion import Exclusions, SearchScope
from histoseek.settings import get_settings
from tests.archive.tables import create_table, open_table
from tests.archive.test_store import make_slide

SLIDES = 1200
FILTERS = [None, "organ = 'o1'", "site = 's7'", "slide_id = 's0003'", "false"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("candidates") / "store"
    store = create_table(folder)
    store.upsert(
        [
            make_slide(f"s{i:04d}", i, organ=f"o{i % 10}", site=f"s{i % 100}", patient_id=f"p{i // 4}")
            for i in range(SLIDES)
        ]
    )
    return folder


@pytest.fixture(scope="module")
def vectors(folder: Path) -> dict[str, np.ndarray]:
    """The vector of each slide, as the table has it."""
    store = open_table(folder)
    return {one.record.slide_id: one.signature.global_vector.astype(float) for one in store.get(list(store.slides()))}


@pytest.fixture(params=[0, 64], ids=["mapped", "in memory"])
def store(folder: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> SlideTable:
    bounded = get_settings().model_copy(update={"cache_mb": request.param})
    monkeypatch.setattr("histoseek.archive.stores.registry.get_settings", lambda: bounded)
    # A version that is on disk already is taken from there, whatever the bound.
    shutil.rmtree(folder / "ranking", ignore_errors=True)
    return open_table(folder).snapshot()


def naive(
    store: SlideTable, vectors: dict[str, np.ndarray], vector: np.ndarray, count: int, where: str | None
) -> list[str]:
    slide_ids = [one.slide_id for one in store.records(where, None, 0) if one.patient_id != "p0"]
    cosines = {slide_id: float(vectors[slide_id] @ vector) for slide_id in slide_ids}
    return sorted(sorted(cosines, key=lambda slide_id: -cosines[slide_id])[:count])


@pytest.mark.parametrize("where", FILTERS)
@pytest.mark.parametrize("count", [1, 10, 100])
def test_candidates_are_those_of_brute_force(
    store: SlideTable, vectors: dict[str, np.ndarray], where: str | None, count: int
) -> None:
    for seed in (3, 5000):
        vector = make_slide("q", seed).signature.global_vector
        found = candidates(store, vector, count, SearchScope(store.filter(where), Exclusions(patient_ids=("p0",))))
        expected = naive(store, vectors, vector, count, where)
        assert len(found) == len(expected)
        # The four slides that eight bits put first need not hold the one that is nearest.
        assert len(set(found.slide_ids) & set(expected)) >= len(expected) - (count == 1)
        assert found.slide_ids.tolist() == sorted(found.slide_ids)


def test_more_slides_have_more_candidates_unless_a_number_was_given(
    store: SlideTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = (10, 10**5, 300_000, 10**6, 10**7)
    assert [SearchOptions().candidate_count.among(size) for size in sizes] == [1000, 1000, 1732, 3162, 3162]
    assert [SearchOptions(k=2000).candidate_count.among(size) for size in sizes] == [2000, 2000, 2000, 3162, 3162]
    assert [SearchOptions(candidates=1000).candidate_count.among(size) for size in sizes] == [1000] * 5
    for name, value in (("FEWEST_CANDIDATES", 30), ("_FEW_SLIDES", 300), ("_MANY_SLIDES", 4800)):
        monkeypatch.setattr(f"histoseek.search.options.{name}", value)
    vector = make_slide("q", 3).signature.global_vector
    found = {
        (where, options.candidates): len(candidates(store, vector, options.candidate_count, SearchScope(condition)))
        for where in (None, "organ = 'o1'")
        for condition in [store.filter(where)]
        for options in (SearchOptions(), SearchOptions(candidates=40))
    }
    assert found == {(None, None): 60, (None, 40): 40, ("organ = 'o1'", None): 30, ("organ = 'o1'", 40): 40}


@pytest.mark.parametrize("count", [20, None])
@pytest.mark.parametrize("where", FILTERS)
def test_distances_are_those_of_the_candidates(store: SlideTable, where: str | None, count: int | None) -> None:
    query = make_slide("q", 77).signature
    found = candidates(
        store, query.global_vector, count, SearchScope(store.filter(where), Exclusions(("s0001", "s0002")))
    )
    distance = get_distance("symmetric")
    if not len(found):
        assert where == "false"
        return
    measured: list[int] = []

    def measure(block: SignatureBlock) -> Distances:
        measured.append(len(block))
        return distance(query, block)

    (distances,) = found.distances(measure)
    copied = distance(query, store.ranking_block([str(name) for name in found.slide_ids]))
    for part in ("total", "local", "global_"):
        np.testing.assert_allclose(getattr(distances, part), getattr(copied, part), atol=1e-6)
    assert measured == [SLIDES if count is None and where is None else len(found)]
    parts = list(found.parts(30))
    sizes = [int(part.block.mosaic_offsets[-1]) for part in parts]
    assert all(size <= 30 or len(part) == 1 for part, size in zip(parts, sizes, strict=True))
    assert all(size + int(after.block.mosaic_offsets[1]) > 30 for size, after in zip(sizes, parts[1:], strict=False))
    assert [name for part in parts for name in part.slide_ids] == found.slide_ids.tolist()
    pieces = [distance(query, part.block).total for part in parts]
    np.testing.assert_allclose(np.concatenate(pieces), copied.total, atol=1e-6)
    assert not {"s0001", "s0002"} & set(found.slide_ids)


def test_rows_are_mapped_beyond_the_bound_only(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(folder / "ranking", ignore_errors=True)
    found = {}
    for cache_mb in (64, 0):
        bounded = get_settings().model_copy(update={"cache_mb": cache_mb})
        monkeypatch.setattr("histoseek.archive.stores.registry.get_settings", lambda bounded=bounded: bounded)
        found[cache_mb] = open_table(folder).ranking_rows()
    for name in found[0].__slots__:
        assert isinstance(getattr(found[0], name), np.memmap)
        assert not isinstance(getattr(found[64], name), np.memmap)
        assert np.array_equal(getattr(found[0], name), getattr(found[64], name))


@settings(max_examples=60)
@given(arrays(np.float32, (4, 9), elements=st.floats(-1e6, 1e6, width=32)))
def test_codes_are_off_by_half_a_scale_at_most(vectors: np.ndarray) -> None:
    codes, scales = quantise(vectors)
    error = np.abs(codes * scales[:, None].astype(float) - vectors)
    assert (error <= scales[:, None] * 0.5001 + 1e-30).all()
    assert codes.dtype == np.int8


@pytest.fixture(params=[True, False], ids=["numba", "numpy"])
def compiler(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("histoseek.search.retrieve.scan.has_numba", lambda: request.param)
    monkeypatch.setattr("histoseek.search.retrieve.scan._BLOCK", 32)


@pytest.mark.parametrize("dimension", [768, 2048])
def test_products_equal_sums_in_wide_integers(compiler: None, dimension: int) -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(-127, 128, (500, dimension)).astype(np.int8)
    codes[0] = 127
    for query in (codes[0], codes[7]):
        places = np.sort(rng.choice(500, 60, replace=False))
        places[0] = 0
        assert products(codes, query, places).tolist() == (codes[places].astype(int) @ query.astype(int)).tolist()


def test_inner_products_equal_sums_in_double_precision(compiler: None) -> None:
    rng = np.random.default_rng(1)
    vectors = rng.standard_normal((300, 768)).astype(np.float32)
    places = np.array([5, 5, 299, 0])
    expected = vectors[places].astype(float) @ vectors[7].astype(float)
    np.testing.assert_allclose(inner(vectors, vectors[7], places), expected, atol=1e-3)


class ArraysOnly:
    """The part of a store that candidates are found by, of given vectors; is_large: with one bit a number as well."""

    def __init__(self, vectors: np.ndarray, is_large: bool) -> None:
        codes, scales = quantise(vectors)
        ids = np.array([f"s{i:05d}" for i in range(len(vectors))])
        patients = np.array([f"p{i // 4}" for i in range(len(vectors))])
        count = np.arange(len(vectors))
        self.rows = RankingRows(
            slide_ids=ids,
            patient_ids=patients,
            case_ids=patients,
            row_ids=count.astype(np.uint64),
            row_order=count,
            order=count,
            patient_keys=make_keys(patients),
            case_keys=make_keys(patients),
            barcodes=np.zeros((len(vectors), 1), np.uint64),
            offsets=np.arange(len(vectors) + 1),
            global_vectors=vectors,
            squares=compute_squared_lengths(vectors),
            codes=codes,
            scales=scales,
            contexts=np.empty((len(vectors), 0), np.float32),
            signs=make_signs(vectors) if is_large else np.empty((len(vectors), 0), np.uint64),
        )

    def ranking_rows(self) -> RankingRows:
        return self.rows

    def ranking_places(self, where: None) -> np.ndarray:
        return self.rows.all_places


def draw_unit_vectors(count: int, dimension: int, first: float = 0.0) -> np.ndarray:
    vectors = np.random.default_rng(2).standard_normal((count, dimension)).astype(np.float32)
    vectors[:, 0] += first
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("first", [0.0, 300.0])
def test_what_eight_bits_leave_open_is_compared_in_full(first: float) -> None:
    """One large number in all vectors lets eight bits say little of the others."""
    vectors = draw_unit_vectors(400, 64, first)
    for query in vectors[:3]:
        nearest = np.sort(np.argsort(-(vectors.astype(float) @ query), kind="stable")[:100])
        found = candidates(ArraysOnly(vectors, is_large=False), query, 100, SearchScope())
        assert found.places.tolist() == nearest.tolist()


def test_large_stores_leave_slides_out_and_take_others_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("histoseek.search.retrieve.candidates._FIRST", 640)
    vectors, count = draw_unit_vectors(6000, 192), 10
    store, shares = ArraysOnly(vectors, is_large=True), []
    for number in range(0, 200, 20):
        scope = SearchScope(None, Exclusions((f"s{number:05d}",), patient_ids=("p0", f"p{number // 4}")))
        order = np.argsort(-(vectors @ vectors[number]), kind="stable")
        gone = {0, 1, 2, 3, *range(number // 4 * 4, number // 4 * 4 + 4)}
        kept = [place for place in order.tolist() if place not in gone]
        far = f"s{kept[-1]:05d}"
        found = candidates(store, vectors[number], count, scope, also=[far, "s00002", "nowhere"])
        assert len(found) == count + 1
        assert kept[-1] in found.places
        assert not gone & set(found.places.tolist())
        shares.append(len(set(kept[:count]) & set(found.places.tolist())) / count)
    assert np.mean(shares) > 0.95


def test_a_look_at_one_bit_finds_those_that_oppose_least(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba")
    monkeypatch.setattr("histoseek.search.retrieve.numba_scan._SIGNS_PER_THREAD", 100)
    vectors = draw_unit_vectors(3001, 100)
    signs, query = make_signs(vectors), vectors[17]
    bits, planes = (np.unpackbits(one.view(np.uint8), axis=1, bitorder="little") for one in (signs, make_planes(query)))
    sums = bits @ (2 * (planes.T.astype(int) @ [1, 2, 4, 8]) - 15)
    places = np.sort(np.random.default_rng(3).choice(3001, 1777, replace=False))
    least = np.sort(sums[places])[99]
    assert screen(signs, query, places, 100).tolist() == places[sums[places] <= least].tolist()
