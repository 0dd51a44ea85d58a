"""What ranking keeps of large stores from version to version: equal to the store whatever happened before, in every
process, after kills and damage, and without a byte of what was erased."""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoseek.archive.stores import kept_rows, ranking_cache
from histoseek.archive.stores.kept_rows import KeptRows
from histoseek.archive.stores.ranking_cache import RankingCache
from histoseek.archive.stores.rows import NO_ROW, RankingRows, find_places_of, make_keys, make_signs, quantise
from histoseek.archive.stores.signature_rows import StoreSource
from histoseek.archive.stores.slides import SlideTable
from histoseek.search.retrieve.candidates import candidates
from histoseek.search.scope.exclusion import Exclusions, SearchScope
from tests.archive.tables import create_table, folder_of, open_table, update_metadata
from tests.archive.test_store import make_slide
from tests.elsewhere import get_warm_context
from tests.waiting import HANG_S

ACTIONS = ["upsert", "upsert", "delete", "update", "owner", "optimize", "erase", "longer"]
steps = st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 30), st.integers(0, 99)), min_size=1, max_size=8)


@pytest.fixture(autouse=True)
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stores of any size are kept as large ones are."""
    monkeypatch.setattr(ranking_cache, "FEWEST_KEPT", 0)


def filled(folder: Path, count: int) -> SlideTable:
    store = create_table(folder)
    store.upsert([make_slide(f"s{i:03d}", i, patient_id=f"p{i // 3}", organ=f"o{i % 10}") for i in range(count)])
    return store


def act(store: SlideTable, action: str, number: int, seed: int) -> None:
    slide_id = f"s{number:03d}"
    if action == "upsert":
        store.upsert([make_slide(slide_id, seed), make_slide(f"t{number}", seed + 1, patient_id=f"p{seed}")])
    elif action == "delete":
        store.delete([slide_id, "t7"])
    elif action == "optimize":
        store.optimize()
    elif action == "erase":
        store.erase()
    elif action == "longer":
        store.upsert([make_slide("u" * (10 + seed), seed)])
    elif slide_id in store.slides():
        update_metadata(store, slide_id, {"organ": f"o{seed}"} if action == "update" else {"patient_id": f"p{seed}"})


def assert_as_stored(store: SlideTable) -> RankingRows:
    """The rows have what the store has, each slide once."""
    view = store.snapshot()
    rows, ids = view.ranking_rows(), list(view.slides())
    assert rows.sorted_ids.tolist() == ids
    assert rows.slide_ids[rows.all_places].tolist() == [str(one) for one in rows.slide_ids[np.sort(rows.order)]]
    stored = view.get(ids)
    places = rows.places_of(ids)
    assert places.tolist() == rows.order.tolist()
    assert (rows.row_ids[np.setdiff1d(np.arange(len(rows)), places)] == NO_ROW).all()
    for place, slide in zip(places, stored, strict=True):
        words = rows.barcodes[rows.offsets[place] : rows.offsets[place + 1]]
        assert np.array_equal(words, slide.signature.barcodes)
        assert rows.global_vectors[place].tobytes() == slide.signature.global_vector.tobytes()
        assert rows.squares[place] == pytest.approx(float(np.sum(slide.signature.global_vector.astype(float) ** 2)))
        assert rows.patient_ids[place] == (slide.record.patient_id or "")
        assert rows.case_ids[place] == (slide.record.case_id or "")
        assert place in rows.places_of_patient(slide.record.patient_id or "")
    vectors = np.asarray(rows.global_vectors)
    assert np.array_equal(rows.codes, quantise(vectors)[0])
    assert np.array_equal(rows.signs, make_signs(vectors))
    assert np.array_equal(rows.patient_keys, make_keys(rows.patient_ids))
    for where in ("organ = 'o1'", "slide_id < 's010'"):
        assert sorted(rows.slide_ids[view.ranking_places(where)].tolist()) == list(view.slides(where))
    return rows


@settings(max_examples=5)
@given(steps, st.booleans())
def test_kept_rows_equal_the_store_after_any_changes(taken: list[tuple[str, int, int]], looks: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = filled(Path(folder) / "store", 25)
        store.ranking_rows()
        for step in taken:
            act(store, *step)
            if looks:
                assert_as_stored(store)
        assert_as_stored(store)
        assert_as_stored(open_table(folder_of(store)))


@contextmanager
def reading(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How many signatures are read of the store, call by call."""
    read: list[int] = []
    make = StoreSource.make_part

    def count(self: StoreSource, rows: object) -> object:
        part = make(self, rows)  # type: ignore[arg-type]
        read.append(len(part.row_ids))
        return part

    with monkeypatch.context() as patch:
        patch.setattr(StoreSource, "make_part", count)
        yield read


def test_after_a_change_only_what_changed_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = filled(tmp_path / "store", 40)
    store.ranking_rows()
    store.upsert([make_slide("s003", 500), make_slide("new", 501)])
    store.delete(["s004"])
    update_metadata(store, "s005", {"organ": "lung"})
    with reading(monkeypatch) as read:
        again = open_table(folder_of(store))
        again.ranking_rows()
        assert sum(read) == 2
    assert_as_stored(again)
    store.optimize()
    with reading(monkeypatch) as read:
        open_table(folder_of(store)).ranking_rows()
        assert sum(read) == 0
    assert_as_stored(open_table(folder_of(store)))


def test_readers_of_earlier_versions_keep_what_they_have(tmp_path: Path) -> None:
    store = filled(tmp_path / "store", 30)
    old = store.snapshot()
    before = old.ranking_rows()
    kept = {name: np.array(getattr(before, name)) for name in RankingRows.__slots__}
    for number in range(6):
        store.upsert([make_slide(f"n{number}", number)])
        store.delete([f"s{number:03d}"])
        assert_as_stored(store)
    for name, array in kept.items():
        assert np.array_equal(getattr(before, name), array)
    early = SlideTable(old._store, RankingCache(folder_of(store) / "ranking", 0))
    assert early.ranking_rows().sorted_ids.tolist() == [f"s{i:03d}" for i in range(30)]
    assert_as_stored(open_table(folder_of(store)))


def test_too_many_places_that_do_not_count_are_given_up(tmp_path: Path) -> None:
    store = filled(tmp_path / "store", 40)
    store.ranking_rows()
    store.delete([f"s{i:03d}" for i in range(30)])
    assert len(assert_as_stored(store)) == 10


def test_erased_slides_leave_no_byte(tmp_path: Path) -> None:
    store = filled(tmp_path / "store", 20)
    gone = store.get(["s007"])[0]
    store.ranking_rows()
    store.delete(["s007"])
    assert_as_stored(store)
    store.erase()
    assert_as_stored(store)
    vector, name = gone.signature.global_vector.tobytes(), "s007".encode("utf-32-le")
    files = [path.read_bytes() for path in (folder_of(store) / "ranking").rglob("*") if path.is_file()]
    assert files
    assert not any(vector in content or name in content for content in files)


@pytest.mark.parametrize("name", ["barcodes.bin", "slide_ids.bin", "state.json"])
@pytest.mark.parametrize("how", ["altered", "cut off", "gone"])
def test_a_damaged_file_is_made_again(tmp_path: Path, name: str, how: str) -> None:
    store = filled(tmp_path / "store", 20)
    store.ranking_rows()
    [path] = (folder_of(store) / "ranking").rglob(name)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes(content if how == "altered" else content[:-3])
    store.upsert([make_slide("new", 7)])
    assert_as_stored(open_table(folder_of(store)))


def test_files_that_were_copied_are_taken_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = filled(tmp_path / "store", 20)
    store.ranking_rows()
    for path in (folder_of(store) / "ranking").rglob("*.bin"):
        os.utime(path, ns=(1, 1))
    with reading(monkeypatch) as read:
        assert_as_stored(open_table(folder_of(store)))
        assert read == []


def _write_and_die(folder: Path, stage: str) -> None:
    """Bring the rows up to date, killed in the midst of it."""
    ranking_cache.FEWEST_KEPT = 0

    def die(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    if stage == "appended":
        kept_rows.KeptRows._publish = die  # type: ignore[assignment]
    elif stage == "noted":
        kept_rows.KeptRows._remove_others = die  # type: ignore[assignment]
    else:
        kept_rows.fsync_path = die  # type: ignore[assignment]
    open_table(folder).ranking_rows()


@pytest.mark.parametrize("stage", ["appended", "written", "noted"])
@pytest.mark.parametrize("is_first", [True, False])
def test_killed_while_it_is_brought_up_to_date_it_is_right_the_next_time(
    tmp_path: Path, stage: str, is_first: bool
) -> None:
    store = filled(tmp_path / "store", 20)
    if not is_first:
        store.ranking_rows()
        store.upsert([make_slide("new", 7), make_slide("s001", 8)])
    process = get_warm_context().Process(target=_write_and_die, args=(folder_of(store), stage))
    process.start()
    process.join(HANG_S)
    assert process.exitcode == -signal.SIGKILL
    assert_as_stored(open_table(folder_of(store)))
    store.upsert([make_slide("newer", 9)])
    store.delete(["s002"])
    assert_as_stored(open_table(folder_of(store)))
    assert len(list((folder_of(store) / "ranking" / "kept").glob("*/"))) == 1


def _search(folder: Path, answers: multiprocessing.Queue[bool]) -> None:
    """Look at the rows time and again while others write."""
    ranking_cache.FEWEST_KEPT = 0
    store = open_table(folder)
    for _ in range(8):
        assert_as_stored(store)
    answers.put(True)


def test_processes_bring_it_up_to_date_beside_each_other(tmp_path: Path) -> None:
    store = filled(tmp_path / "store", 20)
    context = get_warm_context()
    answers: multiprocessing.Queue[bool] = context.Queue()
    readers = [context.Process(target=_search, args=(folder_of(store), answers)) for _ in range(2)]
    for reader in readers:
        reader.start()
    number = 0
    while any(reader.is_alive() for reader in readers):
        act(store, ["upsert", "delete", "update"][number % 3], number % 20, number)
        number += 1
        assert_as_stored(store)
    assert [answers.get(timeout=HANG_S) for _ in readers] == [True, True]


@settings(max_examples=5)
@given(steps, st.integers(1, 12), st.sampled_from([None, "organ = 'o1'"]))
def test_searches_give_what_they_give_without(taken: list[tuple[str, int, int]], count: int, where: str | None) -> None:
    """The same candidates, whether rows were kept or read anew, but for none that equal distances could exchange."""
    with tempfile.TemporaryDirectory() as folder:
        store = filled(Path(folder) / "store", 25)
        store.ranking_rows()
        for step in taken:
            act(store, *step)
            store.ranking_rows()
        query = make_slide("q", 77).signature.global_vector
        scope = SearchScope(store.filter(where), Exclusions(("s003",), ("p2",)))
        found = set(candidates(store.snapshot(), query, count, scope).slide_ids.tolist())
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ranking_cache, "FEWEST_KEPT", 10**9)
            KeptRows(folder_of(store) / "ranking" / "kept").clear()
            anew = open_table(folder_of(store)).snapshot()
            assert anew.ranking_rows().is_sorted
            assert found == set(candidates(anew, query, count, scope).slide_ids.tolist())


@given(st.lists(st.text("abé中", max_size=4), max_size=12), st.lists(st.text("abé中", max_size=5), max_size=6))
def test_places_are_found_among_ids_that_count(ids: list[str], asked: list[str]) -> None:
    array = np.array(ids, np.str_)
    first = np.array(sorted({slide_id: place for place, slide_id in enumerate(ids)}.values()), np.int64)
    order = first[np.argsort(array[first], kind="stable")]
    found = find_places_of(array, asked, order)
    known = set(ids) - {""}
    assert [ids[place] for place in found] == [one for one in asked if one in known or (one == "" and "" in ids)]
