"""What a power cut can leave of a store: the newest whole state is shown, and the next write goes on from it."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from histoseek.archive.stores.base import StorePlace
from histoseek.archive.stores.lance.ledger import Ledger
from histoseek.archive.stores.lance.store import LanceStore
from histoseek.archive.stores.lance.versions import list_files, list_versions, name_manifest, parse_manifest
from histoseek.archive.stores.slides import SlideTable
from histoseek.errors import ArchiveBusy
from tests.archive.tables import create_table, engine_table_of, folder_of, open_table
from tests.archive.test_store import make_slide

BEFORE = ["a", "b", "c"]


@pytest.fixture
def store(tmp_path: Path) -> SlideTable:
    """Three slides, and a fourth in the newest version."""
    store = create_table(tmp_path / "store")
    store.upsert([make_slide(slide_id, 1) for slide_id in BEFORE])
    store.delete(["c"])
    store.upsert([make_slide("c", 2), make_slide("d", 3)])
    return store


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def blank(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def write_other_ledger(folder: Path) -> None:
    """That of another table."""
    other = create_table(folder.parent.with_name("other"))
    other.upsert([make_slide("x", 1)])
    shutil.copyfile(folder_of(other) / "ledger" / "sealed.jsonl", folder / "sealed.jsonl")


def newest(folder: Path, kind: str) -> Path:
    if kind == "manifest":
        return folder / name_manifest(folder, max(list_versions(folder)))
    files = [path for path in (folder / "slides.lance" / kind).rglob("*") if path.is_file()]
    return max(files, key=lambda path: path.stat().st_mtime_ns)


def ids(store: SlideTable) -> list[str]:
    return [record.slide_id for record in store.records(None, None, 0)]


@pytest.mark.parametrize("kind", ["manifest", "data", "_transactions"])
@pytest.mark.parametrize("tear", [cut, empty, Path.unlink])
def test_the_newest_whole_state_is_shown_and_repaired(
    store: SlideTable, kind: str, tear: Callable[[Path], None]
) -> None:
    folder = folder_of(store)
    files, last = sum(path.is_file() for path in folder.rglob("*")), store.version
    tear(newest(folder, kind))
    again = open_table(folder)
    expected = [*BEFORE, "d"] if kind == "_transactions" else ["a", "b"]
    assert ids(again) == expected
    assert [hit.slide_id for hit in again.nearest(make_slide("a", 1).signature.global_vector, 1, None)] == ["a"]
    assert (again.left_out is None) == (kind == "_transactions")
    said = LanceStore.repair(StorePlace(folder))
    assert (said is None) == (kind == "_transactions")
    assert sum(path.is_file() for path in folder.rglob("*")) >= files - 1
    repaired = open_table(folder)
    assert (ids(repaired), repaired.left_out) == (expected, None)
    assert repaired.version > last or kind == "_transactions"
    repaired.upsert([make_slide("e", 5)])
    assert ids(open_table(folder)) == [*expected, "e"]
    if kind != "_transactions":
        assert list(open_table(folder).list_faults(deep=True)) == []


def test_a_manifest_of_zeros_is_not_taken_for_an_empty_table(store: SlideTable) -> None:
    blank(newest(folder_of(store), "manifest"))
    assert ids(open_table(folder_of(store))) == ["a", "b"]


@pytest.mark.parametrize("kind", ["_indices", "_deletions"])
def test_missing_files_of_indexes_and_deletions_lead_to_the_state_before(store: SlideTable, kind: str) -> None:
    store.optimize()
    if kind == "_deletions":
        store.delete(["d"])
    empty(newest(folder_of(store), kind))
    again = open_table(folder_of(store))
    assert ids(again) == [*BEFORE, "d"]
    assert again.left_out


def test_a_commit_that_was_not_sealed_is_left_out_unless_it_is_going_on(store: SlideTable) -> None:
    folder, ledger = folder_of(store), Ledger(folder_of(store))
    with ledger.locked():
        ledger.begin()
        engine_table_of(store).delete("slide_id = 'a'")
        assert ids(open_table(folder)) == ["b", "c", "d"]
    left = open_table(folder)
    assert ids(left) == [*BEFORE, "d"]
    assert left.left_out
    LanceStore.repair(StorePlace(folder))
    assert ids(store) == [*BEFORE, "d"]


def test_a_commit_of_an_older_histoseek_is_kept(store: SlideTable) -> None:
    folder = folder_of(store)
    engine_table_of(store).delete("slide_id = 'a'")
    assert (ids(open_table(folder)), open_table(folder).left_out) == (["b", "c", "d"], None)
    assert LanceStore.repair(StorePlace(folder)) is None
    assert list(open_table(folder).list_faults(deep=True)) == []


def test_a_store_without_a_ledger_gets_one_by_the_next_write(store: SlideTable) -> None:
    folder = folder_of(store)
    shutil.rmtree(folder / "ledger")
    assert ids(open_table(folder)) == [*BEFORE, "d"]
    assert LanceStore.repair(StorePlace(folder)) is None
    assert ids(open_table(folder)) == [*BEFORE, "d"]
    assert list(open_table(folder).list_faults(deep=True)) == []


@pytest.mark.parametrize("ledger", [shutil.rmtree, lambda folder: empty(folder / "sealed.jsonl"), write_other_ledger])
def test_without_a_ledger_that_helps_the_newest_readable_state_is_shown_and_repaired(
    store: SlideTable, ledger: Callable[[Path], None]
) -> None:
    folder = folder_of(store)
    ledger(folder / "ledger")
    empty(newest(folder, "manifest"))
    again = open_table(folder)
    assert (ids(again), again.left_out is not None) == (["a", "b"], True)
    assert any("newest state" in fault for fault in again.list_faults(deep=False))
    assert LanceStore.repair(StorePlace(folder))
    repaired = open_table(folder)
    assert (ids(repaired), repaired.left_out) == (["a", "b"], None)
    repaired.optimize()
    assert list(open_table(folder).list_faults(deep=True)) == []


def test_a_state_whose_files_are_damaged_is_kept_where_no_other_is_whole(store: SlideTable) -> None:
    store.optimize()
    folder = folder_of(store)
    for index in (folder / "slides.lance" / "_indices").iterdir():
        shutil.rmtree(index)
    again = open_table(folder)
    assert ids(again) == [*BEFORE, "d"]
    assert again.left_out
    assert "damaged" in again.left_out
    assert any("is missing" in fault for fault in again.list_faults(deep=False))
    assert LanceStore.repair(StorePlace(folder)) is None
    assert ids(open_table(folder)) == [*BEFORE, "d"]


@pytest.mark.parametrize("tear", [cut, empty])
def test_an_older_version_that_cannot_be_read_stops_no_writer(store: SlideTable, tear: Callable[[Path], None]) -> None:
    folder = folder_of(store)
    tear(folder / name_manifest(folder, sorted(list_versions(folder))[-2]))
    assert any("torn" in fault for fault in open_table(folder).list_faults(deep=False))
    assert LanceStore.repair(StorePlace(folder)) is None
    again = open_table(folder)
    again.upsert([make_slide("e", 5)])
    again.optimize()
    assert ids(open_table(folder)) == [*BEFORE, "d", "e"]
    assert list(open_table(folder).list_faults(deep=True)) == []


def test_a_ledger_that_was_cut_in_a_line_hides_nothing(store: SlideTable) -> None:
    path = folder_of(store) / "ledger" / "sealed.jsonl"
    data = path.read_bytes()
    starts = [0, *(place + 1 for place, byte in enumerate(data) if byte == ord("\n"))]
    for start in starts[:-1]:
        path.write_bytes(data[: start + 20])
        assert ids(open_table(folder_of(store))) == [*BEFORE, "d"]


def test_a_ledger_that_nothing_can_be_read_of_hides_nothing(store: SlideTable) -> None:
    ledger = folder_of(store) / "ledger"
    (ledger / "sealed.jsonl").unlink()
    (ledger / "sealed.jsonl").mkdir()
    assert ids(open_table(folder_of(store))) == [*BEFORE, "d"]


def test_a_writer_says_that_another_process_keeps_the_lock(store: SlideTable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("histoseek.archive.stores.lance.ledger._PATIENCE_S", 0.0)
    with (folder_of(store) / "ledger" / "lock").open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        with pytest.raises(ArchiveBusy):
            store.delete(["a"])
    store.delete(["a"])
    assert ids(store) == ["b", "c", "d"]


def test_torn_lines_of_the_ledger_do_no_harm(store: SlideTable) -> None:
    folder = folder_of(store)
    path = folder / "ledger" / "sealed.jsonl"
    lines = path.read_bytes()
    for torn in (lines[:-20], lines[:-1], lines + bytes(50), lines + lines[:30]):
        path.write_bytes(torn)
        LanceStore.repair(StorePlace(folder))
        state = Ledger(folder).read()
        assert state
        assert state.is_whole
        assert ids(open_table(folder)) in ([*BEFORE, "d"], ["a", "b"])


def test_readers_of_a_folder_that_cannot_be_written_see_the_whole_state(store: SlideTable) -> None:
    folder = folder_of(store)
    empty(newest(folder, "manifest"))
    before = sorted(folder.rglob("*"))
    for path in (folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode & ~0o222)
    try:
        assert ids(open_table(folder)) == ["a", "b"]
        assert sorted(folder.rglob("*")) == before
    finally:
        for path in (folder, *folder.rglob("*")):
            path.chmod(path.stat().st_mode | 0o200)


def test_faults_of_files_are_named(store: SlideTable) -> None:
    folder = folder_of(store)
    data = newest(folder, "data")
    blank(data)
    (folder / "slides.lance" / "data" / "stranger").write_bytes(b"x")
    assert not any("SHA-256" in fault for fault in store.list_faults(deep=False))
    faults = list(store.list_faults(deep=True))
    assert [fault.split()[0].rpartition("/")[2] for fault in faults] == [data.name, "stranger"]


def test_every_version_needs_what_its_manifest_names(store: SlideTable) -> None:
    """The engine opens a version of which only these files are left, and reads all of it."""
    store.optimize()
    store.delete(["a"])
    folder = folder_of(store)
    manifest = name_manifest(folder, max(list_versions(folder)))
    there = list_files(folder)
    needed = {*parse_manifest((folder / manifest).read_bytes()).list_needed(there), manifest}
    assert needed < there
    for path in there - needed:
        (folder / path).unlink()
    shutil.rmtree(folder / "ledger")
    again = open_table(folder)
    assert ids(again) == ["b", "c", "d"]
    assert all(again.get([slide_id]) for slide_id in ids(again))
    os.sync()


def test_a_damaged_ledger_hides_nothing_and_is_written_anew(store: SlideTable) -> None:
    ledger = folder_of(store) / "ledger" / "sealed.jsonl"
    data = ledger.read_bytes()
    ends = [place for place, byte in enumerate(data) if byte == ord("\n")]
    for place in {*range(0, len(data), 997), *ends, *(end - 1 for end in ends), *(end + 1 for end in ends[:-1])}:
        ledger.write_bytes(data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :])
        opened = open_table(folder_of(store))
        assert ids(opened) == ["a", "b", "c", "d"]
        assert "lines of the table's ledger cannot be read" in list(opened.list_faults(deep=False))
    LanceStore.repair(StorePlace(folder_of(store)))
    assert list(open_table(folder_of(store)).list_faults(deep=True)) == []
    assert ids(store) == ["a", "b", "c", "d"]
