"""The cache of what ranking needs: equal to the store whatever happened before, within its bound, never stale."""

from __future__ import annotations

import multiprocessing
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoseek.archive.stores.ranking_cache import RankingCache, RankingSource
from histoseek.archive.stores.rows import Outline
from histoseek.archive.stores.signature_rows import StoreSource
from histoseek.archive.stores.slides import SlideTable
from histoseek.errors import OutdatedSnapshot
from histoseek.search.retrieve.candidates import best, candidates
from histoseek.search.scope.exclusion import SearchScope
from histoseek.settings import get_settings
from tests.archive.tables import DIMENSION, create_table, folder_of, open_table, update_metadata
from tests.archive.test_store import make_slide
from tests.elsewhere import get_warm_context
from tests.waiting import HANG_S

steps = st.lists(
    st.tuples(st.sampled_from(["upsert", "delete", "update", "optimize"]), st.integers(0, 9), st.integers(0, 99)),
    min_size=1,
    max_size=8,
)


@pytest.fixture
def mapped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "histoseek.archive.stores.registry.get_settings", lambda: get_settings().model_copy(update=BOUND)
    )


BOUND = {"cache_mb": 0}


def filled(folder: Path, count: int) -> SlideTable:
    store = create_table(folder)
    store.upsert([make_slide(f"s{i:03d}", i, organ=f"o{i % 10}") for i in range(count)])
    return store


def folders(store: SlideTable) -> list[str]:
    return sorted(path.name for path in (folder_of(store) / "ranking").iterdir())


def assert_as_stored(store: SlideTable) -> None:
    rows, ids = store.snapshot().ranking_rows(), list(store.slides())
    stored = store.get(ids)
    assert rows.slide_ids.tolist() == ids
    for place, slide in enumerate(stored):
        words = rows.barcodes[rows.offsets[place] : rows.offsets[place + 1]]
        assert np.array_equal(words, slide.signature.barcodes)
        assert rows.global_vectors[place].tobytes() == slide.signature.global_vector.tobytes()
        assert rows.squares[place] == pytest.approx(float(np.sum(slide.signature.global_vector.astype(float) ** 2)))


def act(store: SlideTable, action: str, number: int, seed: int) -> None:
    slide_id = f"s{number}"
    if action == "upsert":
        store.upsert([make_slide(slide_id, seed)])
    elif action == "delete":
        store.delete([slide_id])
    elif action == "optimize":
        store.optimize()
    elif slide_id in store.slides():
        update_metadata(store, slide_id, {"organ": f"o{seed}"})


@pytest.mark.parametrize("cache_mb", [0, 64])
def test_cached_rows_equal_the_store_after_any_changes(cache_mb: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = get_settings().model_copy(update={"cache_mb": cache_mb})
    monkeypatch.setattr("histoseek.archive.stores.registry.get_settings", lambda: chosen)

    @settings(max_examples=5)
    @given(steps)
    def check(taken: list[tuple[str, int, int]]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            store = create_table(Path(folder) / "store")
            for step in taken:
                act(store, *step)
                assert_as_stored(store)

    check()


@pytest.mark.parametrize("where", ["organ = 'o1'", "slide_id < 's002'", "true", "false", "organ <> 'o1'"])
@pytest.mark.parametrize("count", [1, 7, 40, None])
def test_candidates_of_any_filter_equal_brute_force(tmp_path: Path, where: str, count: int | None) -> None:
    store = filled(tmp_path / "store", 60)
    store.delete(["s011"])
    query = make_slide("q", 77).signature.global_vector
    found = candidates(store.snapshot(), query, count, SearchScope(where))
    ids = list(store.slides(where))
    vectors = {slide.record.slide_id: slide.signature.global_vector for slide in store.get(ids)} if ids else {}
    naive = sorted(ids, key=lambda slide_id: -float(vectors[slide_id].astype(float) @ query))[:count]
    assert found.slide_ids.tolist() == sorted(naive)
    assert all(np.array_equal(found.block.global_vectors[i], vectors[name]) for i, name in enumerate(sorted(naive)))


def test_beyond_the_bound_rows_are_mapped_and_stale_ones_removed(tmp_path: Path, mapped: None) -> None:
    store = filled(tmp_path / "store", 20)
    old = store.snapshot()
    before = old.ranking_rows()
    assert isinstance(before.global_vectors, np.memmap)
    first = folders(store)
    kept = before.global_vectors.copy()
    store.delete(["s000"])
    assert_as_stored(store)
    assert len(folders(store)) == 1
    assert folders(store) != first
    assert np.array_equal(before.global_vectors, kept)
    assert len(old.ranking_rows().slide_ids) == 20


@pytest.mark.parametrize("name", ["barcodes.npy", "slide_ids.npy", "sums.json"])
def test_a_damaged_file_is_made_again(tmp_path: Path, mapped: None, name: str) -> None:
    store = filled(tmp_path / "store", 20)
    store.ranking_rows()
    path = folder_of(store) / "ranking" / folders(store)[-1] / name
    damaged = bytearray(path.read_bytes())
    damaged[-3] ^= 255
    path.write_bytes(damaged)
    again = open_table(folder_of(store))
    assert_as_stored(again)
    assert path.read_bytes() != damaged


def test_within_the_bound_nothing_is_written(tmp_path: Path) -> None:
    store = filled(tmp_path / "store", 20)
    assert store.snapshot().ranking_rows() is store.snapshot().ranking_rows()
    assert not (folder_of(store) / "ranking").exists()


def _read(folder: Path, answers: multiprocessing.Queue[bytes]) -> None:
    cache = RankingCache(folder / "ranking", 0)
    store = SlideTable(open_table(folder)._store, cache)
    answers.put(store.ranking_rows().global_vectors.tobytes())


def test_two_processes_share_the_folder(tmp_path: Path) -> None:
    store = filled(tmp_path / "store", 20)
    context = get_warm_context()
    answers: multiprocessing.Queue[bytes] = context.Queue()
    readers = [context.Process(target=_read, args=(folder_of(store), answers)) for _ in range(2)]
    for reader in readers:
        reader.start()
    found = [answers.get(timeout=HANG_S) for _ in readers]
    for reader in readers:
        reader.join()
    assert found == [store.ranking_rows().global_vectors.tobytes()] * 2
    assert len(folders(store)) == 1
    shutil.rmtree(folder_of(store) / "ranking")
    assert_as_stored(store)


@settings(max_examples=50)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.integers(1, 40))
def test_best_equals_sorting(totals: list[int], count: int) -> None:
    ids = np.array([f"s{(i * 7) % 31:02d}" for i in range(len(totals))])
    naive = sorted(range(len(totals)), key=lambda i: (totals[i], ids[i]))[:count]
    assert best(ids, np.array(totals, float), count).tolist() == naive


def test_an_outline_foretells_the_size_of_the_rows(tmp_path: Path) -> None:
    store = filled(tmp_path / "store", 20)
    rows = store.ranking_rows()
    assert StoreSource(store._store, DIMENSION, DIMENSION).outline().bytes == rows.bytes


@pytest.mark.usefixtures("mapped")
def test_rows_of_a_version_that_is_erased_while_they_are_written_do_not_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = filled(tmp_path / "store", 5)
    reader, write = open_table(tmp_path / "store").snapshot(), RankingCache._write

    def write_late(self: RankingCache, version: int, outline: Outline, source: RankingSource) -> None:
        write(self, version, outline, source)
        store.delete(["s000"])
        store._store.erase()

    monkeypatch.setattr(RankingCache, "_write", write_late)
    with pytest.raises(OutdatedSnapshot):
        reader.ranking_rows()
    assert folders(store) == []
