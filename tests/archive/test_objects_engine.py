"""Rows in object storage: writers that meet, die or are cut off, and what stays in the bucket."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from histoseek.archive.remote import base
from histoseek.archive.remote.objects import write_lock
from histoseek.archive.remote.objects.bucket import Bucket
from histoseek.archive.remote.objects.files import ObjectFiles
from histoseek.archive.stores.base import StorePlace
from histoseek.archive.stores.lance.objects import ObjectLanceStore
from histoseek.archive.stores.lance.versions import find_version
from histoseek.errors import ArchiveError, OutdatedSnapshot
from histoseek.settings import get_settings
from tests.archive.leftover_bytes import find_leftovers
from tests.archive.store_contract import SCHEMA, ids, put, scanned, slide
from tests.servers.seaweedfs import ObjectBucket
from tests.waiting import HANG_S, wait_for

ROWS = "rows/0001/"


@pytest.fixture
def place(bucket: ObjectBucket, tmp_path: Path) -> StorePlace:
    return StorePlace(tmp_path / "store", bucket.address("archive"))


@pytest.fixture
def store(place: StorePlace) -> ObjectLanceStore:
    return ObjectLanceStore.create(place, SCHEMA)


def faults(store: ObjectLanceStore) -> list[str]:
    return list(store.list_faults(deep=True))


def test_two_writers_at_once_lose_nothing(place: StorePlace, store: ObjectLanceStore) -> None:
    together = threading.Barrier(2)

    def write(first: int) -> None:
        own = ObjectLanceStore.open(place)
        together.wait(HANG_S)
        for number in range(first, first + 5):
            put(own, slide(number))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, (0, 5)))
    assert ids(store) == [f"s{number:02d}" for number in range(10)]
    assert faults(store) == [] or all("is not of the table" in fault for fault in faults(store))
    ObjectLanceStore.repair(place)
    assert faults(store) == []


def test_a_version_is_written_once(place: StorePlace, store: ObjectLanceStore) -> None:
    put(store, slide(1))
    objects = Bucket.open(place.address)
    manifests = [path for path in objects.list(f"{ROWS}slides.lance/_versions/") if find_version(path[len(ROWS) :])]
    assert len({path.rpartition("/")[2] for path in manifests}) == len(manifests)
    assert all(objects.create(path, b"other") is None for path in manifests)


def test_erasing_leaves_no_byte_in_the_bucket(place: StorePlace, store: ObjectLanceStore, tmp_path: Path) -> None:
    words = [f"zebrawort{number:03d}x" for number in range(4)]
    put(store, *(slide(n, f" {word} ", [f"f:{word}"], report=word) for n, word in enumerate(words)))
    before = store.snapshot()
    put(store, slide(0, f" {words[3]} "))
    store.delete(["s01"])
    store.optimize()
    assert ids(before) == ["s00", "s01", "s02", "s03"]
    store.erase()
    assert scanned(store, None, "slide_id", "report") == [("s00", None), ("s02", words[2]), ("s03", words[3])]
    with pytest.raises(OutdatedSnapshot):
        ids(ObjectLanceStore.open(place, before.mark))
    copy = copy_rows(place, tmp_path / "copy")
    assert {one.what for one in find_leftovers(copy, {word: word for word in words})} == {words[2], words[3]}
    assert faults(store) == []


def copy_rows(place: StorePlace, folder: Path) -> Path:
    """What the bucket has, as files."""
    objects = Bucket.open(place.address)
    for key in objects.list(ROWS):
        path = folder / key.removeprefix(ROWS)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(objects.read(key))
    return folder


@pytest.mark.parametrize("minutes", ["0", "60"])
def test_old_versions_go_when_their_time_is_over(
    store: ObjectLanceStore, monkeypatch: pytest.MonkeyPatch, minutes: str
) -> None:
    monkeypatch.setenv("HISTOSEEK_HISTORY_MINUTES", minutes)
    get_settings.cache_clear()
    for number in range(3):
        put(store, slide(number))
    before = store.snapshot()
    store.optimize()
    if minutes == "60":
        assert len(ids(before)) == 3
        assert store.stats().versions > 3
    else:
        assert store.stats().versions == 1
    assert len(ids(store)) == 3
    assert faults(store) == []


@pytest.mark.parametrize("part", ["data", "_indices", "_deletions"])
def test_what_is_missing_or_altered_is_named(place: StorePlace, store: ObjectLanceStore, part: str) -> None:
    put(store, *(slide(n, f" word{n} ") for n in range(4)))
    store.delete(["s01"])
    objects = Bucket.open(place.address)
    needed = store._objects.read_versions(store._objects.list())
    newest = needed[max(needed)]
    key = next(ROWS + path for path in sorted(newest.list_needed(store._objects.list())) if f"/{part}/" in path)
    content = objects.read(key)
    objects.write(key, content[:-1])
    if part != "_deletions":
        assert any(f"has {len(content) - 1} bytes instead of {len(content)}" in fault for fault in faults(store))
    objects.delete([key])
    assert any(fault.endswith("is missing") for fault in store.list_faults(deep=False))
    objects.write(key, content)
    assert faults(store) == []


def kill_between_objects(address: str, folder: Path) -> None:
    """A process that dies when all of a commit but its manifest is written."""
    place = StorePlace(folder, address)
    files = ObjectFiles.open(address)
    lock = files.locked()
    lock.__enter__()
    objects = Bucket.open(address)
    objects.write(f"{ROWS}slides.lance/data/{hashlib.sha256(address.encode()).hexdigest()[:50]}.lance", b"unfinished")
    put(ObjectLanceStore.open(place), slide(7))
    objects.write(f"{ROWS}slides.lance/_transactions/1-x.txn", b"unfinished")
    os._exit(9)


def test_what_a_killed_writer_left_is_removed(
    place: StorePlace, store: ObjectLanceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "LEASE_S", 2.0)
    put(store, slide(1))
    writer = multiprocessing.get_context("spawn").Process(target=run_short, args=(place.address, place.folder))
    writer.start()
    writer.join(HANG_S)
    assert writer.exitcode == 9
    # As long as its lease lasts, it may be writing.
    assert faults(store) == []
    stale = ObjectLanceStore.open(place).snapshot()
    with ObjectFiles.open(place.address).locked():
        said = ObjectLanceStore.repair(place)
        assert said is not None
        assert "2 unfinished objects" in said
        assert ObjectLanceStore.repair(place) is None
        put(store, slide(2))
    assert ids(store) == ["s01", "s02", "s07"]
    assert faults(store) == []
    # Whoever began before the repair can't commit after it.
    stale._stays = False
    with pytest.raises(ArchiveError):
        put(stale, slide(3))
    assert ids(store) == ["s01", "s02", "s07"]


def run_short(address: str, folder: Path) -> None:
    base.LEASE_S = 2.0
    kill_between_objects(address, folder)


def test_a_holder_that_lost_the_lock_writes_no_more(
    place: StorePlace, store: ObjectLanceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "LEASE_S", 2.0)
    files = ObjectFiles.open(place.address)
    objects = Bucket.open(place.address)
    with files.locked():
        lock = write_lock.find_held(place.address)
        assert lock is not None
        put(store, slide(1))
        files.write("a", b"0")
        other = write_lock.LockState("other").write()
        wait_for(lambda: objects.write(write_lock.LOCK, other) and lock._is_lost)
        for write in (lambda: put(store, slide(2)), lambda: files.write("a", b"1"), lambda: files.delete(["a"])):
            with pytest.raises(ArchiveError, match="another process writes to this archive"):
                write()
    assert ids(store) == ["s01"]
    assert write_lock.LockState.parse(objects.read(write_lock.LOCK)).owner == "other"


def test_clocks_don_t_matter(place: StorePlace, store: ObjectLanceStore, monkeypatch: pytest.MonkeyPatch) -> None:
    put(store, slide(1))
    before = store.snapshot()
    right_s = time.time
    for shift_s in (-(10**8), 10**8):
        monkeypatch.setattr("time.time", lambda shift_s=shift_s: right_s() + shift_s)
        with ObjectFiles.open(place.address).locked():
            put(store, slide(2))
            store.optimize()
        assert ids(before) == ["s01"]
        assert ids(store) == ["s01", "s02"]
