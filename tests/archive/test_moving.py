"""Copies of archives: the same in all that counts, continued after a kill, not shown before they are whole."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from histoseek.api import Archive
from histoseek.archive.moving.files import FolderFiles
from histoseek.archive.reencode import reencode
from histoseek.archive.remote.base import FileStamp
from histoseek.archive.space_folders import SpaceChange
from histoseek.archive.stores.lance.store import LanceStore
from histoseek.encoders.recipe import Recipe
from histoseek.errors import ArchiveError, ArchiveNotFound
from histoseek.progress import Reporter, SilentReporter
from tests.archive.feature_files import write_feature_files
from tests.cli.process import histoseek, refused

STEMS = [f"slide-{number:02d}" for number in range(24)]


def describe(stem: str) -> dict[str, object]:
    number = int(stem[-2:])
    report = f"Colon, biopsy: adenocarcinoma, grade {number % 3}." if number % 4 else ""
    return {"slide_id": stem, "patient_id": f"p{number // 2}", "age": 40 + number, "report": report}


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_feature_files(tmp_path_factory.mktemp("moving") / "features", STEMS, tiles=12, dimension=16)


@pytest.fixture
def archive(features: Path, tmp_path: Path) -> Archive:
    """An archive that was written in several steps, one of whose slides was removed, and one changed."""
    archive = Archive.create(tmp_path / "a", Recipe(encoder="features:test"), text_encoder="none")
    for stems in (STEMS[:10], STEMS[10:20]):
        archive.index([features / f"{stem}.h5" for stem in stems], [describe(stem) for stem in stems])
    archive.remove(["slide-03"])
    archive.update("slide-04", {"diagnosis": 'Ödem, "it\'s"'})
    return archive


def list_files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def require_same(archive: Archive, copy: Archive) -> None:
    assert archive.compare_with(copy).is_same
    assert list(archive) == list(copy)
    for stem in ("slide-00", "slide-11"):
        results = [one.search(like=stem, exact=True, k=10).results for one in (archive, copy)]
        assert [(r.slide_id, r.score) for r in results[0]] == [(r.slide_id, r.score) for r in results[1]]
    assert copy.verify(deep=True).problems == archive.verify(deep=True).problems


def test_a_copy_is_the_same_archive(archive: Archive, tmp_path: Path, features: Path) -> None:
    before = list_files(archive.path)
    report = archive.copy_to(tmp_path / "b")
    assert (report.slides, report.rows, report.continued, report.notes) == (19, 19, False, ())
    assert list_files(archive.path) == before
    copy = Archive.open(tmp_path / "b")
    require_same(archive, copy)
    assert copy.pending_erasure == archive.pending_erasure
    assert len(list(copy.layout.bags.rglob("*.safetensors"))) == 19
    again = copy.index([features], [describe(stem) for stem in STEMS])
    assert (again.added, again.updated) == (4, 0)
    assert "slide-03" not in copy
    assert copy.verify(deep=True).problems == ()


class Stopped(Exception):
    """What ends a copy here, as a kill would."""


@contextmanager
def stopping(monkeypatch: pytest.MonkeyPatch, after: int) -> Iterator[None]:
    """Stop at a write of files, rows or columns, before it or after it was done."""
    left = after

    def wrap(write: Callable[..., object]) -> Callable[..., object]:
        def count(*arguments: object) -> object:
            nonlocal left
            left -= 1
            if left == 0:
                raise Stopped
            done = write(*arguments)
            left -= 1
            if left == 0:
                raise Stopped
            return done

        return count

    with monkeypatch.context() as patch:
        patch.setattr(FolderFiles, "write", wrap(FolderFiles.write))
        patch.setattr(FolderFiles, "delete", wrap(FolderFiles.delete))
        for name in ("upsert", "add_columns", "optimize"):
            patch.setattr(LanceStore, name, wrap(getattr(LanceStore, name)))
        yield


def test_a_copy_that_is_stopped_anywhere_goes_on(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("histoseek.archive.moving.rows._ROWS_AT_ONCE", 5)
    target, stops, step = tmp_path / "b", 0, 3
    while True:
        with stopping(monkeypatch, step):
            try:
                report = archive.copy_to(target)
                break
            except Stopped:
                stops += 1
        if stops % 3 == 0:
            step += 17
        if not (target / "archive.json").exists():
            with pytest.raises(ArchiveNotFound):
                Archive.open(target)
    assert stops > 5
    assert report.continued
    assert not (target / "unfinished-copy.json").exists()
    require_same(archive, Archive.open(target))


def test_a_killed_process_leaves_no_archive_and_is_continued(archive: Archive, tmp_path: Path) -> None:
    program = (
        "import os, signal, sys\n"
        "from histoseek.api import Archive\n"
        "from histoseek.archive.moving import copy\n"
        "copy.copy_bags = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "Archive.open(sys.argv[1]).copy_to(sys.argv[2])\n"
    )
    killed = subprocess.run([sys.executable, "-c", program, archive.path, tmp_path / "b"], check=False)
    assert killed.returncode == -signal.SIGKILL
    with pytest.raises(ArchiveNotFound):
        Archive.open(tmp_path / "b")
    report = archive.copy_to(tmp_path / "b")
    assert (report.continued, report.rows) == (True, 0)
    require_same(archive, Archive.open(tmp_path / "b"))


class Meanwhile(SilentReporter):
    """Does something once when a part of a copy begins."""

    def __init__(self, title: str, do: Callable[[], object]) -> None:
        self.title, self.do = title, do

    @contextmanager
    def part(self, title: str, total: int) -> Iterator[Reporter]:
        if title == self.title and self.do:
            self.title = ""
            self.do()
        yield self


@pytest.mark.parametrize("part", ["rows", "features", "comparing rows", "comparing features"])
def test_what_is_written_meanwhile_leaves_the_copy_whole(
    archive: Archive, tmp_path: Path, features: Path, part: str
) -> None:
    def write() -> None:
        archive.remove(["slide-05"], now=True)
        archive.index([features / "slide-20.h5"], [describe("slide-20")])
        archive.update("slide-06", {"stain": "PAS"})

    archive.copy_to(tmp_path / "b", Meanwhile(part, write))
    copy = Archive.open(tmp_path / "b")
    # Its features were gone before they had been copied, or its rows before they had been compared.
    assert "slide-05" not in copy or part == "comparing features"
    assert copy.verify(deep=True).problems == ()
    assert {record.slide_id for record in copy} >= {stem for stem in STEMS[:20] if stem not in ("slide-03", "slide-05")}


def test_a_copy_of_another_space_takes_the_place_of_what_was_begun(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with stopping(monkeypatch, 25), pytest.raises(Stopped):
        archive.copy_to(tmp_path / "b")
    reencode(archive, SpaceChange(untrained=True))
    archive.copy_to(tmp_path / "b")
    require_same(archive, Archive.open(tmp_path / "b"))
    assert [path.name for path in (tmp_path / "b" / "spaces").iterdir() if any(path.iterdir())] == ["0002"]


def test_places_that_are_taken_are_refused(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, features: Path
) -> None:
    other = Archive.create(tmp_path / "other", Recipe(encoder="features:test"), text_encoder="none")
    begun, files = tmp_path / "begun", tmp_path / "files"
    with stopping(monkeypatch, 9), pytest.raises(Stopped):
        archive.copy_to(begun)
    files.mkdir()
    (files / "notes.txt").write_text("mine")
    for target, words in ((other.path, "exists already"), (files, "exists already"), (files / "notes.txt", "exists")):
        with pytest.raises(ArchiveError, match=words):
            archive.copy_to(target)
    with pytest.raises(ArchiveError, match="unfinished copy of another archive"):
        other.copy_to(begun)
    with pytest.raises(ArchiveError, match="exists already"):
        archive.copy_to(archive.path)
    assert other.copy_to(tmp_path / "empty").slides == 0
    assert len(Archive.open(tmp_path / "empty")) == 0


def test_bytes_that_are_not_what_was_written_are_noticed_and_copied_anew(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(self: FolderFiles, name: str, data: bytes) -> FileStamp:
        return write(self, name, data[:-1] + b"?" if name.endswith(".safetensors") and "bags" in name else data)

    write = FolderFiles.write
    with monkeypatch.context() as patch:
        patch.setattr(FolderFiles, "write", lose)
        with pytest.raises(ArchiveError, match="19 files are not what was written"):
            archive.copy_to(tmp_path / "b")
    with monkeypatch.context() as patch:
        upsert = LanceStore.upsert
        patch.setattr(LanceStore, "upsert", lambda self, rows: upsert(self, rows.slice(1)))
        with pytest.raises(ArchiveError, match="files are not what was written"):
            archive.copy_to(tmp_path / "c")
    for name in ("b", "c"):
        assert not (tmp_path / name / "archive.json").exists()
        archive.copy_to(tmp_path / name)
        require_same(archive, Archive.open(tmp_path / name))


def test_differences_are_found(archive: Archive, tmp_path: Path, features: Path) -> None:
    archive.copy_to(tmp_path / "b")
    copy = Archive.open(tmp_path / "b")
    copy.update("slide-07", {"stain": "PAS"})
    copy.remove(["slide-08"])
    copy.index([features / "slide-21.h5"], [describe("slide-21")])
    bag = copy.layout.bag("slide-09")
    bag.write_bytes(bag.read_bytes()[:-1] + b"!")
    np.save(copy.layout.centre, np.zeros(16, np.float32))
    found = archive.compare_with(copy)
    assert (found.missing, found.added, found.altered) == (("slide-08",), ("slide-21",), ("slide-07",))
    assert (found.bags, found.manifest, found.is_same) == (3, False, False)
    assert {"centre.npy", "tombstones.json"} <= set(found.files)


@pytest.mark.parametrize("most", [1, 100])
def test_features_are_listed_together_where_they_are_few(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """A server takes as long for the files of one folder as for those of all."""
    asked = []

    def note(self: FolderFiles, prefix: str = "") -> Mapping[str, FileStamp]:
        asked.append(prefix)
        return original(self, prefix)

    original = FolderFiles.list_files
    monkeypatch.setattr(FolderFiles, "list_files", note)
    monkeypatch.setattr("histoseek.archive.moving.bags._LISTED_AT_ONCE", most)
    archive.copy_to(tmp_path / "b")
    assert archive.compare_with(Archive.open(tmp_path / "b")).is_same
    assert {"bags/"} == {prefix for prefix in asked if prefix.startswith("bags")} or most == 1


def test_rows_that_were_altered_stay_marked(archive: Archive, tmp_path: Path) -> None:
    [slide] = archive.store.get(["slide-12"])
    archive.store.upsert([slide.renew().__class__(slide.record, slide.signature, altered=("metadata",))])
    archive.copy_to(tmp_path / "b")
    problems = Archive.open(tmp_path / "b").verify().problems
    assert [(one.slide_id, one.kind) for one in problems] == [("slide-12", "metadata")]
    assert archive.compare_with(Archive.open(tmp_path / "b")).is_same


def test_the_commands(archive: Archive, tmp_path: Path) -> None:
    copied = histoseek("archive", "copy", archive.path, tmp_path / "b")
    assert copied.returncode == 0, copied.stderr
    assert copied.stdout.startswith("19 slides copied and compared in ")
    Archive.open(tmp_path / "b").remove(["slide-00"])
    other = histoseek("archive", "check", archive.path, tmp_path / "b", "--json")
    found = json.loads(other.stdout)
    assert (other.returncode, found["same"], found["missing"]) == (1, False, ["slide-00"])
    assert "exists already" in refused("archive", "copy", archive.path, tmp_path / "b")
