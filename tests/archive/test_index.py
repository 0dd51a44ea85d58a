"""Indexing: add, skip, update, refuse, resume, lock."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from histoseek.api import Archive
from histoseek.archive.indexing.ingest import IndexReport
from histoseek.archive.layout import hold_write_lock
from histoseek.archive.space.centre import CENTRE_SLIDES
from histoseek.encoders.bag import Bag
from histoseek.encoders.recipe import Recipe
from histoseek.encoders.slide_bags import PreparedSlide, encode_prepared
from histoseek.errors import (
    ArchiveBusy,
    ArchiveError,
    ArchiveNotFound,
    DiskFull,
    InputError,
    SpaceMismatch,
    UnknownSlide,
)
from tests.archive.feature_files import write_feature_files
from tests.elsewhere import run_code


def counts(report: IndexReport) -> tuple[int, int, int, int]:
    return report.added, report.updated, report.unchanged, len(report.refused)


def content(path: Path) -> dict[str, tuple[bytes, ...]]:
    archive = Archive.open(path)
    slides = archive.store.get(archive.store.slides())
    return {
        slide.record.slide_id: (
            slide.signature.global_vector.tobytes(),
            slide.signature.mosaic.tobytes(),
            slide.signature.barcodes.tobytes(),
            *(tiles.coords.tobytes() for tiles in slide.signature.mosaic_tiles),
        )
        for slide in slides
    }


@pytest.fixture
def features(tmp_path: Path) -> Path:
    """A folder of 12 feature files, quick to index."""
    return write_feature_files(
        tmp_path / "features", [f"slide-{number:02d}" for number in range(12)], tiles=30, dimension=24
    )


def feature_archive(path: Path) -> Archive:
    return Archive.create(path, Recipe(encoder="features:test"))


def test_the_cohort_is_indexed_with_metadata_and_reports(indexed: Path) -> None:
    archive = Archive.open(indexed)
    record = archive.get("SIM-0001-00").record
    assert (record.case_id, record.diagnosis, record.organ) == ("SIM-0001", "squamous cell carcinoma", "lung")
    assert "squamous cell carcinoma" in (record.report or "")
    assert isinstance(record.extra["age"], int)
    assert (record.width, record.spacing_um_per_px) == (768, 0.5)
    assert archive.verify().problems == ()


def test_a_second_run_changes_nothing(cohort: Path, indexed: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(indexed, copy)
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*") if path.is_file() and path.name != "lock"}
    report = Archive.open(copy).index([cohort], cohort / "metadata.csv", cohort / "reports.csv")
    assert counts(report) == (0, 0, 10, 0)
    assert before == {
        path: path.stat().st_mtime_ns for path in copy.rglob("*") if path.is_file() and path.name != "lock"
    }


def test_bad_slides_are_refused_and_logged_and_the_rest_goes_in(cohort: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    good = next(cohort.glob("*.tiff"))
    shutil.copy(good, folder / "good.tiff")
    shutil.copy(good, folder / "same.tiff")
    (folder / "text.svs").write_text("not a slide")
    (folder / "cut.tiff").write_bytes(good.read_bytes()[:30_000])
    Image.new("RGB", (500, 400), "white").save(folder / "unknown-spacing.png")
    Image.new("RGB", (500, 500), "white").save(folder / "empty.png")
    archive = Archive.create(tmp_path / "archive")
    report = archive.index([folder], spacing_of={"empty.png": 0.5})
    assert report.added == 1
    kinds = {Path(refusal.path).name: refusal.error for refusal in report.refused}
    assert kinds == {
        "cut.tiff": "UnreadableSlide",
        "empty.png": "NoTissue",
        "same.tiff": "DuplicateSlide",
        "text.svs": "UnreadableSlide",
        "unknown-spacing.png": "MissingSpacing",
    }
    logged = [json.loads(line) for line in archive.layout.refused.read_text().splitlines()]
    assert sorted(Path(entry["path"]).name for entry in logged) == sorted(kinds)
    assert all("\n" not in refusal.reason for refusal in report.refused)


def test_changed_moved_and_renamed_files(cohort: Path, tmp_path: Path) -> None:
    folder, files = tmp_path / "slides", sorted(cohort.glob("*.tiff"))
    folder.mkdir()
    shutil.copy(files[0], folder / "a.tiff")
    shutil.copy(files[2], folder / "b.tiff")
    archive = Archive.create(tmp_path / "archive")
    assert counts(archive.index([folder])) == (2, 0, 0, 0)
    ids = {Path(record.uri).name: record.slide_id for record in archive.records()}
    (folder / "a.tiff").rename(folder / "moved.tiff")
    assert counts(archive.index([folder])) == (0, 1, 1, 0)
    assert archive.get(ids["a.tiff"]).record.uri.endswith("moved.tiff")
    shutil.copy(files[4], folder / "b.tiff")
    before = archive.get(ids["b.tiff"]).record.file_fingerprint
    assert counts(archive.index([folder])) == (0, 1, 1, 0)
    assert len(archive) == 2
    assert archive.get(ids["b.tiff"]).record.file_fingerprint != before
    assert archive.verify() == archive.verify().__class__(2, (), ())


def test_metadata_is_updated_without_encoding_again(cohort: Path, indexed: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(indexed, copy)
    (tmp_path / "new.csv").write_text("slide_id,organ,stage\nSIM-0000-00,rectum,II\n")
    archive, before = Archive.open(copy), content(copy)
    report = archive.index([cohort], tmp_path / "new.csv")
    assert counts(report) == (0, 1, 9, 0)
    assert content(copy) == before
    record = archive.get("SIM-0000-00").record
    assert (record.organ, record.extra["stage"], record.diagnosis) == ("rectum", "II", "adenocarcinoma")
    assert any("9 of 10 slides have no row" in warning for warning in report.warnings)


def test_columns_keep_their_type_over_runs(features: Path, tmp_path: Path) -> None:
    archive = feature_archive(tmp_path / "archive")
    table = tmp_path / "m.csv"
    table.write_text("slide_id,age,stage\nslide-00,61,1\n")
    archive.index([features], table)
    table.write_text("slide_id,age,stage\nslide-00,62.0,IIb\n")
    with pytest.raises(InputError, match="column stage: 'IIb' does not fit, the column holds int64"):
        archive.index([features], table)
    table.write_text("slide_id,age\nslide-00,62.0\nslide-01,7.5\n")
    report = archive.index([features], table)
    assert (counts(report), archive.get("slide-00").record.extra["age"]) == ((0, 1, 11, 0), 62)
    (refused,) = report.refused_rows
    assert refused.row == 3
    assert refused.reason.startswith(f"{table}, line 3: column age: 7.5 does not fit, the column holds int64")
    table.write_text("slide_id,age,stage\nslide-00,62.0,\nslide-01,,\n")
    assert counts(archive.index([features], table)) == (0, 0, 12, 0)
    assert archive.get("slide-00").record.extra == {"age": 62, "stage": 1}


def test_unknown_ids_in_tables_are_reported(cohort: Path, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("slide_id,organ\nSIM-0000-00,colon\nGHOST,lung\n")
    files = sorted(cohort.glob("SIM-0000-*.tiff"))
    report = Archive.create(tmp_path / "archive").index(files, tmp_path / "m.csv")
    assert any("1 of 2 rows match no slide: GHOST" in warning for warning in report.warnings)
    unmatched = json.loads((tmp_path / "archive" / "unmatched.json").read_text())
    assert unmatched["metadata_rows"] == ["GHOST"]
    assert [Path(path).name for path in unmatched["files_without_row"]] == ["SIM-0000-01.tiff"]


def test_update_and_remove(indexed: Path, tmp_path: Path) -> None:
    shutil.copytree(indexed, tmp_path / "copy")
    archive = Archive.open(tmp_path / "copy")
    assert archive.update("SIM-0000-00", {"site": "north"}).site == "north"
    bag = archive.layout.bag("SIM-0000-01")
    archive.remove(["SIM-0000-01"])
    assert not bag.exists()
    assert len(archive) == 9
    with pytest.raises(UnknownSlide):
        archive.remove(["SIM-0000-00", "SIM-0000-01"])
    assert len(archive) == 9


def test_feature_files_make_an_archive_without_slides(features: Path, tmp_path: Path) -> None:
    archive = feature_archive(tmp_path / "archive")
    with h5py.File(features / "other-encoder.h5", "w") as file:
        file["features"] = np.ones((4, 99), np.float32)
    report = archive.index([features])
    assert report.added == 12
    assert [refusal.error for refusal in report.refused] == ["SpaceMismatch"]
    results = archive.search(like="slide-03", k=3)
    assert len(results) == 3
    assert results.results[0].matches[0].result_region is not None


def test_recipe_of_another_space_is_refused(indexed: Path) -> None:
    with pytest.raises(SpaceMismatch, match=r"spacing um per px is 0\.5, here it is 1\.0"):
        Archive.open(indexed).use_recipe(Recipe(spacing_um_per_px=1.0))


def test_a_changed_tile_budget_encodes_again(cohort: Path, tmp_path: Path) -> None:
    files = sorted(cohort.glob("SIM-0000-*.tiff"))
    archive = Archive.create(tmp_path / "archive", Recipe(tile_budget=2))
    archive.index(files)
    assert {record.tile_count for record in archive.records()} == {2}
    archive.use_recipe(Recipe(tile_budget=None))
    assert counts(archive.index(files)) == (0, 2, 0, 0)
    assert min(record.tile_count for record in archive.records()) > 2


def test_a_poor_centre_is_said(features: Path, tmp_path: Path) -> None:
    few = feature_archive(tmp_path / "few").index(sorted(features.iterdir())[:3])
    assert any("only 3 slides" in warning for warning in few.warnings)
    assert feature_archive(tmp_path / "more").index([features]).warnings == ()


def test_the_same_files_in_other_folders_give_the_same_space(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(CENTRE_SLIDES + 8):
        features = rng.normal(size=(3, 8)).astype(np.float32)
        for arrangement, shelf in (("one", number % 3), ("other", 9 - number // 20)):
            folder = tmp_path / arrangement / f"shelf-{shelf}"
            folder.mkdir(parents=True, exist_ok=True)
            with h5py.File(folder / f"slide-{number:02d}.h5", "w") as file:
                file["features"] = features
    archives = [feature_archive(tmp_path / f"{name}.archive") for name in ("one", "other")]
    for archive, name in zip(archives, ("one", "other"), strict=True):
        archive.index([tmp_path / name])
    assert archives[0].space == archives[1].space
    assert content(archives[0].path) == content(archives[1].path)


def test_one_writer_at_a_time_and_readers_go_on(features: Path, tmp_path: Path) -> None:
    archive = feature_archive(tmp_path / "archive")
    archive.index([features])
    with hold_write_lock(archive.layout):
        other = Archive.open(archive.path)
        with pytest.raises(ArchiveBusy):
            other.index([features])
        assert len(other.search(like="slide-00")) == 5


def test_a_writer_takes_in_what_another_did_since_it_opened(features: Path, tmp_path: Path) -> None:
    early = feature_archive(tmp_path / "archive")
    Archive.open(early.path).index(sorted(features.glob("slide-0*.h5")))
    assert counts(early.index([features])) == (2, 0, 10, 0)
    assert len(Archive.open(early.path)) == 12


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ZeroDivisionError, "ZeroDivisionError"),
        (MemoryError, "more memory than there is"),
        (RecursionError, "nested too deeply"),
        (type("PanicException", (BaseException,), {}), "cannot cope"),
    ],
)
def test_a_failure_nobody_foresaw_refuses_one_slide(
    cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException], reason: str
) -> None:
    from histoseek.archive.indexing import bag_providers

    def sometimes(prepared: PreparedSlide, *rest: object) -> Bag:
        if prepared.slide.source.name == "SIM-0001-00.tiff":
            raise error
        return encode_prepared(prepared, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(bag_providers, "encode_prepared", sometimes)
    report = Archive.create(tmp_path / "archive").index(sorted(cohort.glob("SIM-000[01]-00.tiff")))
    assert report.added == 1
    assert [(Path(r.path).name, r.reason.count(reason)) for r in report.refused] == [("SIM-0001-00.tiff", 1)]


def test_a_full_disk_is_said_and_loses_nothing(features: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = feature_archive(tmp_path / "archive")
    archive.index(sorted(features.glob("slide-0*.h5")))
    before = content(archive.path)
    with monkeypatch.context() as patch:
        patch.setattr("histoseek.encoders.bag.write_atomic", _disk_is_full)
        with pytest.raises(DiskFull, match="disk is full"):
            archive.index([features])
    assert content(archive.path) == before
    assert counts(archive.index([features])) == (2, 0, 10, 0)


def _disk_is_full(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_places_that_are_no_archive(tmp_path: Path) -> None:
    with pytest.raises(ArchiveNotFound):
        Archive.open(tmp_path / "none")
    with pytest.raises(ArchiveNotFound):
        Archive.open(tmp_path)
    (tmp_path / "file.txt").touch()
    with pytest.raises(ArchiveError, match="not empty"):
        Archive.create(tmp_path)


def test_verify_finds_planted_damage(features: Path, tmp_path: Path) -> None:
    archive = feature_archive(tmp_path / "archive")
    archive.index([features])
    bag = archive.layout.bag("slide-00")
    bag.write_bytes(bag.read_bytes()[:-1] + b"\xff")
    archive.layout.bag("slide-01").with_suffix(".json").unlink()
    (features / "slide-02.h5").unlink()
    (features / "slide-03.h5").write_bytes(b"other")
    stray = archive.layout.bag("nobody")
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"x")
    found = archive.verify()
    assert {problem.slide_id: problem.what.split(" (")[0] for problem in found.problems} == {
        "slide-00": "its cached features are damaged",
        "slide-01": "its cached features are missing",
        "slide-02": "its file is no longer there",
        "slide-03": "its file has changed since it was indexed",
    }
    assert found.orphans == (stray,)


_KILLED_RUN = """
import os, sys, signal
from histoseek.api import Archive
from histoseek.archive.indexing import commits, ingest
from histoseek.encoders.bag import Bag
from histoseek.encoders.slide_bags import PreparedSlide, encode_prepared
from histoseek.encoders.recipe import Recipe
left = int(sys.argv[3])
def dying(original):
    def step(*arguments, **named):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*arguments, **named)
    return step
import histoseek.files as files, histoseek.encoders.bag as bag
commits._BATCH = 3
for module in (files, bag):
    module.write_atomic = dying(module.write_atomic)
os.fsync = dying(os.fsync)
path = sys.argv[1]
made = os.path.exists(path + "/archive.json")
archive = Archive.open(path) if made else Archive.create(path, Recipe(encoder="features:test"))
archive.index([sys.argv[2]])
"""


@pytest.mark.parametrize("deaths", [(2, 40, 5, 90), (25, 60, 61, 200), (8, 9, 10, 11)])
def test_killed_runs_end_like_undisturbed_ones(features: Path, tmp_path: Path, deaths: tuple[int, ...]) -> None:
    undisturbed = feature_archive(tmp_path / "whole")
    undisturbed.index([features])
    path = tmp_path / "killed"
    died = 0
    for step in deaths:
        died += run_code(_KILLED_RUN, path, features, step).returncode == -signal.SIGKILL
    assert died >= 2
    archive = Archive.open(path) if (path / "archive.json").exists() else feature_archive(path)
    archive.index([features])
    assert content(path) == content(undisturbed.path)
    assert archive.verify().problems == ()
