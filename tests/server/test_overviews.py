"""Maps are made once for each state of an archive, by whichever process is asked first."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from histoseek.api import Archive
from histoseek.errors import InputError
from histoseek.search.maps.overview import overview
from histoseek.server.archives.maps import MapStore
from histoseek.server.archives.registry import ArchiveEntry
from histoseek.server.errors import Overloaded


@pytest.fixture
def served(indexed: Path, tmp_path: Path) -> ArchiveEntry:
    return ArchiveEntry("own", Archive.open(shutil.copytree(indexed, tmp_path / "own.archive")))


def test_a_map_is_kept_until_the_archive_changes(served: ArchiveEntry, tmp_path: Path) -> None:
    maps = tmp_path / "maps"
    found = MapStore(maps).get(served, None)
    wanted = overview(served.archive)
    assert found.slide_ids == wanted.slide_ids
    assert found.x == tuple(wanted.x.tolist())
    first = {path: path.stat().st_mtime_ns for path in maps.glob("*.json")}
    labelled = MapStore(maps).get(served, "organ")
    assert {path: path.stat().st_mtime_ns for path in maps.glob("*.json")} == first
    organs = {record.slide_id: record.organ for record in served.archive.records()}
    assert labelled.labels == tuple(organs[slide_id] for slide_id in labelled.slide_ids)
    served.archive.remove([found.slide_ids[0]])
    assert len(MapStore(maps).get(served, None).x) == len(found.x) - 1


def test_labels_are_columns_that_may_be_seen(served: ArchiveEntry, tmp_path: Path) -> None:
    maps = MapStore(tmp_path / "maps")
    for label in ("uri", "file_fingerprint", "global_vector", "nothing"):
        with pytest.raises(InputError, match="no such column"):
            maps.get(served, label)


def test_a_map_that_can_not_be_made_says_so(
    served: ArchiveEntry, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    maps = MapStore(tmp_path / "maps")
    (tmp_path / "maps").rmdir()
    with pytest.raises(Overloaded, match="could not be made"):
        maps.get(served, None)
    told = capfd.readouterr().err
    assert told.startswith("no map:")
    assert str(tmp_path) not in told


def test_maps_of_an_archive_as_it_was_before_are_deleted(served: ArchiveEntry, tmp_path: Path) -> None:
    maps = MapStore(tmp_path / "maps")
    other = ArchiveEntry("other", Archive.open(shutil.copytree(served.archive.path, tmp_path / "other.archive")))
    maps.get(served, None)
    maps.get(other, None)
    (tmp_path / "maps" / f"{'0' * 32}.json").write_text("of an older version")
    maps.remove_outdated([served])
    assert len([*(tmp_path / "maps").iterdir()]) == 2
    served.archive.remove([next(iter(served.archive)).slide_id])
    maps.remove_outdated([served])
    (left,) = (tmp_path / "maps").iterdir()
    maps.get(other, None)
    assert [*(tmp_path / "maps").iterdir()] == [left]
