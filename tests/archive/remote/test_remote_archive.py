"""An archive on a server is the archive that it would be in a folder, from whichever machine it is used."""

from __future__ import annotations

import os
import pickle
import shutil
from pathlib import Path

import pytest

from histoseek.api import Archive
from histoseek.archive.layout import ArchiveLayout
from histoseek.archive.reencode import reencode
from histoseek.archive.space_folders import SpaceChange
from histoseek.errors import ArchiveBusy, ArchiveError, ArchiveNotFound, ServerUnreachable
from tests.archive.remote.fake_server import FakeServer, move_to_machine, server

__all__ = ["server"]

ADDRESS = "s3://bucket/cohort"


@pytest.fixture
def remote(server: FakeServer, cohort: Path) -> Archive:
    archive = Archive.create(ADDRESS)
    report = archive.index([cohort], cohort / "metadata.csv", cohort / "reports.csv")
    assert (report.added, report.refused) == (10, ())
    return archive


def test_nothing_is_there_before(server: FakeServer) -> None:
    with pytest.raises(ArchiveNotFound, match="s3://bucket/cohort"):
        Archive.open(ADDRESS)
    assert not server.folder.exists()


def test_it_is_the_archive_of_a_folder(
    remote: Archive, indexed: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    local = Archive.open(indexed)
    for _ in range(2):
        assert [r.slide_id for r in remote.records()] == [r.slide_id for r in local.records()]
        asked = local.records()[0].slide_id
        found, wanted = remote.search(like=asked), local.search(like=asked)
        assert [(one.slide_id, one.score) for one in found] == [(one.slide_id, one.score) for one in wanted]
        assert remote.verify(deep=True).problems == ()
        assert (remote.verify().orphans, remote.verify().foreign) == ((), ())
        move_to_machine(monkeypatch, tmp_path / "machine-2")
        remote = Archive.open(ADDRESS)
    assert remote.address == ADDRESS


def test_another_machine_indexes_nothing_again(
    remote: Archive, cohort: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    move_to_machine(monkeypatch, tmp_path / "machine-2")
    report = Archive.open(ADDRESS).index([cohort])
    assert (report.added, report.updated, report.unchanged) == (0, 0, 10)


def test_changes_are_seen_on_other_machines(remote: Archive, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ids = [record.slide_id for record in remote]
    move_to_machine(monkeypatch, tmp_path / "machine-2")
    other = Archive.open(ADDRESS)
    other.remove(ids[:1], now=True)
    other.update_many({ids[1]: {"organ": "spleen"}})
    move_to_machine(monkeypatch, tmp_path / "machine-1")
    assert ids[0] not in remote
    assert remote.get(ids[1]).record.organ == "spleen"
    assert remote.pending_erasure is not None
    assert (remote.pending_erasure.removed, remote.pending_erasure.replaced) == (0, 1)
    with pytest.raises(Exception, match=ids[0]):
        remote.search(like=ids[0])


def test_a_removed_slide_is_erased_everywhere(
    remote: Archive, server: FakeServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gone = remote.records()[0].slide_id
    remote.bags.load(gone)
    name = ArchiveLayout(Path("x")).bag(gone).stem
    assert list(tmp_path.rglob(f"*{name}*"))
    monkeypatch.setenv("HISTOSEEK_CACHE_MB", "0")
    move_to_machine(monkeypatch, tmp_path / "machine-2")
    other = Archive.open(ADDRESS)
    other.bags.load(gone)
    other.search(like=gone)
    assert list(other.layout.store.rglob("*.npy"))
    half = other.layout.bag(gone).with_name(f".{name}.safetensors.killed.part")
    half.write_bytes(b"what a killed process was fetching")
    os.utime(half, (1e9, 1e9))
    move_to_machine(monkeypatch, tmp_path / "machine-1")
    remote.remove([gone], now=True)
    move_to_machine(monkeypatch, tmp_path / "machine-2")
    assert gone not in other
    assert not list(other.layout.store.rglob("*.npy"))
    assert not list(tmp_path.rglob(f"*{name}*"))
    held = [path for path in tmp_path.rglob("*") if path.is_file() and gone.encode() in path.read_bytes()]
    assert held == []


def test_what_was_replaced_is_erased_everywhere(
    remote: Archive, cohort: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    move_to_machine(monkeypatch, tmp_path / "machine-2")
    other = Archive.open(ADDRESS)
    record = other.records()[0]
    other.bags.load(record.slide_id)
    kept = other.layout.store / "ranking" / "of-before"
    kept.mkdir(parents=True)
    move_to_machine(monkeypatch, tmp_path / "machine-1")
    remote.update_many({record.slide_id: {"organ": "spleen"}})
    remote.erase()
    move_to_machine(monkeypatch, tmp_path / "machine-2")
    assert other.get(record.slide_id).record.organ == "spleen"
    assert not kept.exists()


def test_nothing_is_left_of_an_archive_that_another_took_the_place_of(
    remote: Archive, server: FakeServer, cohort: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    move_to_machine(monkeypatch, tmp_path / "machine-2")
    other = Archive.open(ADDRESS)
    other.bags.load(other.records()[0].slide_id)
    assert list(other.layout.bags.rglob("*.safetensors"))
    move_to_machine(monkeypatch, tmp_path / "machine-1")
    server.files[ADDRESS].drop()
    Archive.create(ADDRESS)
    move_to_machine(monkeypatch, tmp_path / "machine-2")
    assert len(other) == 0
    assert not [path for path in other.path.rglob("*") if path.suffix == ".safetensors"]


def test_no_other_user_of_the_machine_sees_it(remote: Archive, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert remote.path.stat().st_mode & 0o077 == 0
    move_to_machine(monkeypatch, tmp_path / "machine-2")
    assert Archive.open(ADDRESS).path.stat().st_mode & 0o077 == 0


def test_it_moves_to_another_space(remote: Archive, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    move_to_machine(monkeypatch, tmp_path / "machine-2")
    other = Archive.open(ADDRESS)
    before = other.manifest.number
    reencode(other, SpaceChange(untrained=True))
    move_to_machine(monkeypatch, tmp_path / "machine-1")
    assert remote.manifest.number == before + 1
    assert remote.verify(deep=True).problems == ()
    remote.erase()
    move_to_machine(monkeypatch, tmp_path / "machine-2")
    assert other.manifest.number == before + 1
    assert [path.name for path in other.layout.spaces.iterdir()] == [f"{before + 1:04d}"]


def test_one_writes_at_a_time(remote: Archive, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with remote.writing():
        move_to_machine(monkeypatch, tmp_path / "machine-2")
        other = Archive.open(ADDRESS)
        assert len(other) == 10
        with pytest.raises(ArchiveBusy), other.writing():
            raise AssertionError("two write")
        move_to_machine(monkeypatch, tmp_path / "machine-1")
    move_to_machine(monkeypatch, tmp_path / "machine-2")
    with other.writing():
        pass


def test_there_is_one_archive_at_an_address(remote: Archive) -> None:
    with pytest.raises(ArchiveError, match="exists already"):
        Archive.create(ADDRESS)
    assert len(remote) == 10


def test_it_goes_to_other_processes(remote: Archive) -> None:
    there = pickle.loads(pickle.dumps(remote.snapshot()))  # noqa: S301
    assert (len(there), there.is_snapshot, there.address) == (10, True, ADDRESS)


def test_a_cache_that_was_lost_is_fetched_anew(remote: Archive) -> None:
    shutil.rmtree(remote.path)
    assert len(remote) == 10
    assert remote.bags.load(remote.records()[0].slide_id).features.size
    remote.remove([remote.records()[0].slide_id])
    assert Archive.open(ADDRESS).verify().problems == ()


def test_files_that_a_cleaner_took_are_not_taken_from_the_server(remote: Archive, server: FakeServer) -> None:
    remote.layout.centre.unlink()
    remote.layout.journal.unlink()
    remote.remove([remote.records()[0].slide_id])
    assert remote.verify(deep=True).problems == ()
    assert {"journal.jsonl", "spaces/0001/centre.npy"} <= set(server.files[ADDRESS].list_files())


@pytest.mark.parametrize("name", ["archive.json", "journal.jsonl", "tombstones.json", "spaces/0001/centre.npy"])
def test_damage_on_this_machine_reaches_no_server(
    remote: Archive, server: FakeServer, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, asked, *_ = [record.slide_id for record in remote]
    remote.remove([gone])
    whole = server.files[ADDRESS].read(name)
    (remote.path / name).write_bytes(whole[: len(whole) // 2])
    # What a new process knows.
    monkeypatch.setattr("histoseek.archive.remote.working_copy._open", {})
    other = Archive.open(ADDRESS)
    assert (other.warnings, other.verify().problems) == ((), ())
    (remote.path / name).write_bytes(b"")
    other.update(asked, {"organ": "spleen"})
    assert server.files[ADDRESS].read(name).startswith(whole)
    assert (remote.path / name).read_bytes().startswith(whole)
    assert Archive.open(ADDRESS).verify(deep=True).problems == ()


def leave_unpublished(remote: Archive, server: FakeServer, path: Path, data: bytes) -> None:
    """Let a writer die before the server has what it wrote."""
    files = server.files[ADDRESS]
    with pytest.raises(ServerUnreachable), remote.writing():
        path.write_bytes(data)
        files.fails_at = "write"
    files.fails_at = ""


def test_what_a_killed_writer_left_here_is_published_by_the_next(remote: Archive, server: FakeServer) -> None:
    files = server.files[ADDRESS]
    leave_unpublished(remote, server, remote.layout.journal, remote.layout.journal.read_bytes() + b"{}\n")
    assert files.read("journal.jsonl") != remote.layout.journal.read_bytes()
    with remote.writing():
        pass
    assert files.read("journal.jsonl").endswith(b"{}\n")


def test_what_others_changed_since_wins(
    remote: Archive, server: FakeServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    leave_unpublished(remote, server, remote.layout.unmatched, b"{}")
    move_to_machine(monkeypatch, tmp_path / "machine-2")
    Archive.open(ADDRESS).remove([remote.records()[0].slide_id])
    move_to_machine(monkeypatch, tmp_path / "machine-1")
    with remote.writing():
        assert not remote.layout.unmatched.exists()
    assert "unmatched.json" not in server.files[ADDRESS].list_files()


def test_a_search_asks_little(remote: Archive, server: FakeServer) -> None:
    asked = remote.records()[0].slide_id
    remote.search(like=asked)
    files = server.files[ADDRESS]
    files.calls.clear()
    remote.search(like=asked)
    assert set(files.calls) == {"revision"}


def test_bags_are_kept_up_to_a_bound(remote: Archive, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HISTOSEEK_BAG_CACHE_MB", "0")
    move_to_machine(monkeypatch, tmp_path / "machine-2")
    other = Archive.open(ADDRESS)
    for record in other:
        assert len(other.bags.load(record.slide_id)) == record.tile_count
    assert len(list(other.layout.bags.rglob("*.safetensors"))) == 1


def test_a_server_that_is_gone_is_said_in_one_line(remote: Archive, server: FakeServer) -> None:
    server.files[ADDRESS].fails_at = "revision"
    with pytest.raises(ServerUnreachable, match="s3://bucket/cohort"):
        remote.records()
