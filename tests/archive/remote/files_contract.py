"""What every server must do that holds an archive's files, against `RemoteFiles` alone.

A file of tests of an engine imports all of this, and has three fixtures: `opener`, a callable that can be pickled and
opens the files of an archive that is not there yet, as another process would (settings come from the environment);
`files`, what it opens; `neighbour`, another archive on the same server whose name begins like the first one's.
"""

from __future__ import annotations

import itertools
import multiprocessing
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection

import pytest

from histoseek.archive.remote.base import RemoteFiles
from histoseek.errors import ArchiveBusy
from tests.waiting import HANG_S, wait_for

Opener = Callable[[], RemoteFiles]

LARGE = random.Random(7).randbytes(3 * 2**20 + 1)
"""More than a server takes in one piece."""

ODD_NAMES = ("a b/ü.json", "it's/50%.txt", "x_y.npy", 'say "hi"', "back\\slash", "spaces/0001/centre.npy", "a+b&c=d#e")


def test_nothing_is_made_by_asking(files: RemoteFiles, opener: Opener) -> None:
    assert not files.exists()
    assert files.list_files() == {}
    assert files.revision() == files.revision()
    files.delete(["archive.json"])
    with pytest.raises(FileNotFoundError):
        files.read("archive.json")
    assert not opener().exists()


@pytest.mark.parametrize("data", [b"", b"{}", bytes(range(256)) * 3, LARGE], ids=["empty", "text", "bytes", "large"])
def test_what_is_written_is_read(files: RemoteFiles, opener: Opener, data: bytes) -> None:
    stamp = files.write("archive.json", data)
    assert stamp.bytes == len(data)
    for one in (files, opener()):
        assert one.exists()
        assert one.read("archive.json") == data
        assert one.list_files() == {"archive.json": stamp}


def test_a_file_is_replaced_as_a_whole(files: RemoteFiles, opener: Opener) -> None:
    files.write("archive.json", LARGE)
    stamp = files.write("archive.json", b"short")
    assert files.read("archive.json") == b"short"
    assert opener().list_files() == {"archive.json": stamp}


def test_another_content_never_has_a_revision_again(files: RemoteFiles) -> None:
    stamps = [files.write("a", content) for content in (b"1", b"2", b"1", b"3")]
    files.delete(["a"])
    stamps.append(files.write("a", b"4"))
    contents = (b"1", b"2", b"1", b"3", b"4")
    for (one, stamp), (other, later) in itertools.combinations(zip(contents, stamps, strict=True), 2):
        assert one == other or stamp.revision != later.revision


def test_names_of_all_kinds(files: RemoteFiles) -> None:
    stamps = {name: files.write(name, name.encode()) for name in ODD_NAMES}
    assert files.list_files() == stamps
    assert all(files.read(name) == name.encode() for name in ODD_NAMES)


@pytest.mark.parametrize("prefix", ["spaces/0001/", "spaces/000", "50%", "x_", "x", "nothing/"])
def test_lists_begin_as_they_are_asked_to(files: RemoteFiles, prefix: str) -> None:
    names = ("spaces/0001/a", "spaces/0001/b/c", "spaces/0002/a", "50%.txt", "500.txt", "x_y", "xzy", "a/spaces/0001/")
    names = tuple(name.rstrip("/") for name in names)
    for name in names:
        files.write(name, b"1")
    assert set(files.list_files(prefix)) == {name for name in names if name.startswith(prefix)}


def test_files_are_deleted(files: RemoteFiles, opener: Opener) -> None:
    for name in ("a", "b/c", "b/d"):
        files.write(name, b"1")
    files.delete(["b/c", "a", "unknown", "a"])
    files.delete([])
    for one in (files, opener()):
        assert set(one.list_files()) == {"b/d"}
        with pytest.raises(FileNotFoundError):
            one.read("a")


def test_very_many_files_are_listed_and_deleted(files: RemoteFiles) -> None:
    names = [f"bags/{number:02x}/{number:04d}.safetensors" for number in range(120)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: files.write(name, name.encode()), names))
    assert set(files.list_files("bags/")) == set(names)
    files.delete(names[1:])
    assert set(files.list_files()) == {names[0]}


def test_changes_change_the_revision(files: RemoteFiles) -> None:
    seen = [files.revision()]
    for change in (
        lambda: files.write("archive.json", b"1"),
        lambda: files.write("archive.json", b"2"),
        lambda: files.write("archive.json", b"1"),
        lambda: files.delete(["archive.json"]),
    ):
        change()
        assert files.revision() not in seen
        seen.append(files.revision())
        assert files.revision() == seen[-1]


def test_bags_do_not_change_the_revision(files: RemoteFiles, opener: Opener) -> None:
    files.write("archive.json", b"1")
    other = opener()
    before = other.revision()
    assert files.revision() == before
    files.write("bags/00/1.safetensors", b"1")
    files.delete(["bags/00/1.safetensors"])
    assert (files.revision(), other.revision()) == (before, before)


def test_changes_by_others_change_the_revision(files: RemoteFiles, opener: Opener) -> None:
    files.write("archive.json", b"1")
    other = opener()
    before = other.revision()
    files.write("archive.json", b"2")
    wait_for(lambda: other.revision() != before)
    assert other.read("archive.json") == b"2"
    assert other.revision() == opener().revision() == files.revision()
    before = other.revision()
    files.delete(["archive.json"])
    wait_for(lambda: other.revision() != before)


def test_readers_see_whole_files_only(files: RemoteFiles, opener: Opener) -> None:
    contents = [letter * (2**20 + 3) for letter in (b"a", b"b", b"c")]
    files.write("a", contents[0])
    ended = threading.Event()

    def write() -> None:
        for content in contents * 3:
            files.write("a", content)
        ended.set()

    reader = opener()
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        while not ended.is_set() and not writing.done():
            assert reader.read("a") in contents
        writing.result()


def test_one_holds_the_lock(files: RemoteFiles, opener: Opener) -> None:
    other = opener()
    with files.locked():
        with pytest.raises(ArchiveBusy), other.locked():
            raise AssertionError("two hold the lock")
        files.write("archive.json", b"1")
        assert other.read("archive.json") == b"1"
    with other.locked(), pytest.raises(ArchiveBusy), files.locked():
        raise AssertionError("two hold the lock")
    with files.locked():
        files.write("archive.json", b"2")


def test_a_lock_is_free_after_an_error(files: RemoteFiles, opener: Opener) -> None:
    with pytest.raises(ZeroDivisionError), files.locked():
        raise ZeroDivisionError
    with opener().locked():
        pass


def test_one_of_many_gets_the_lock(opener: Opener) -> None:
    every = [opener() for _ in range(4)]
    tried, got = threading.Barrier(len(every)), []

    def take(one: RemoteFiles) -> None:
        tried.wait(HANG_S)
        try:
            with one.locked():
                got.append(one)
                tried.wait(HANG_S)
        except ArchiveBusy:
            tried.wait(HANG_S)

    with ThreadPoolExecutor(len(every)) as pool:
        list(pool.map(take, every))
    assert len(got) == 1


def test_a_killed_holder_frees_the_lock(files: RemoteFiles, opener: Opener) -> None:
    """Where a lease has to run out first, the engine's fixtures shorten it."""
    files.write("archive.json", b"1")
    with _hold_elsewhere(opener) as holder:
        with pytest.raises(ArchiveBusy), files.locked():
            raise AssertionError("two hold the lock")
        holder.kill()
        holder.join(HANG_S)
        wait_for(lambda: _can_lock(files))
    assert files.read("archive.json") == b"1"


def test_dropping_removes_this_archive_alone(files: RemoteFiles, neighbour: RemoteFiles, opener: Opener) -> None:
    neighbour.write("archive.json", b"theirs")
    before = neighbour.revision()
    files.write("archive.json", b"1")
    files.write("bags/00/1.safetensors", LARGE)
    seen = files.revision()
    files.drop()
    for one in (files, opener()):
        assert not one.exists()
        assert one.list_files() == {}
    files.drop()
    assert (neighbour.revision(), neighbour.read("archive.json")) == (before, b"theirs")
    files.write("archive.json", b"2")
    assert files.exists()
    assert files.revision() != seen


def test_neighbours_have_locks_of_their_own(files: RemoteFiles, neighbour: RemoteFiles) -> None:
    with files.locked(), neighbour.locked():
        files.write("a", b"1")
        neighbour.write("a", b"2")
    assert (files.read("a"), neighbour.read("a")) == (b"1", b"2")
    assert set(files.list_files()) == {"a"}


@contextmanager
def _hold_elsewhere(opener: Opener) -> Iterator[multiprocessing.process.BaseProcess]:
    """Another process that holds the lock."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    holder = context.Process(target=_hold, args=(opener, there), daemon=True)
    holder.start()
    try:
        assert here.poll(HANG_S)
        assert here.recv() == "held"
        yield holder
    finally:
        holder.kill()
        holder.join()


def _hold(opener: Opener, connection: Connection) -> None:
    with opener().locked():
        connection.send("held")
        threading.Event().wait(HANG_S)


def _can_lock(files: RemoteFiles) -> bool:
    try:
        with files.locked():
            return True
    except ArchiveBusy:
        return False
