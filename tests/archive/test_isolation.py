"""What cannot be read or stored is refused by itself; everything else is committed, in this run and in every rerun."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from histoseek.api import Archive
from histoseek.archive import bags
from histoseek.archive.indexing import ingest
from histoseek.archive.indexing.ingest import IndexReport
from histoseek.archive.schema import StoredSlide
from histoseek.archive.stores.slides import SlideTable
from histoseek.encoders.recipe import Recipe
from histoseek.errors import DiskFull
from histoseek.search.present.page import render_page
from histoseek.server.http.responses import to_slide
from histoseek.slides.sources.file import FileSource
from tests.archive.feature_files import write_feature_files
from tests.cli.process import histoseek


@pytest.fixture
def features(tmp_path: Path) -> Path:
    """A folder of eight feature files."""
    return write_feature_files(tmp_path / "features", [f"s{number}" for number in range(8)], tiles=20, dimension=16)


def feature_archive(path: Path) -> Archive:
    return Archive.create(path, Recipe(encoder="features:test"), text_encoder="none")


def refused_names(report: IndexReport) -> list[tuple[str, str]]:
    return [(Path(refusal.path).name, refusal.error) for refusal in report.refused]


def test_a_slide_that_the_store_does_not_take(features: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    upsert = SlideTable.upsert

    def choosy(table: SlideTable, slides: Sequence[StoredSlide]) -> None:
        if any(slide.record.slide_id == "s5" for slide in slides):
            raise OverflowError("a value of a patient")
        upsert(table, slides)

    archive = feature_archive(tmp_path / "archive")
    with monkeypatch.context() as patch:
        patch.setattr(SlideTable, "upsert", choosy)
        for added, unchanged in ((7, 0), (0, 7)):
            report = archive.index([features])
            assert (report.added, report.unchanged, refused_names(report)) == (
                added,
                unchanged,
                [("s5.h5", "UnstorableSlide")],
            )
            assert "unexpected OverflowError" in report.refused[0].reason
            assert "patient" not in report.refused[0].reason
    assert archive.index([features]).added == 1
    assert archive.verify().problems == ()


def test_a_slide_that_cannot_be_signed_or_read(features: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with h5py.File(features / "s3.h5", "a") as file:
        file["features"][2, 2] = np.nan
    with h5py.File(features / "s4.h5", "a") as file:
        file["features"][:] = np.float32(3e38)
    with h5py.File(features / "s5.h5", "a") as file:
        file["weights"] = np.full(len(file["features"]), np.nan)
    fingerprint = FileSource.fingerprint

    def choosy(source: FileSource) -> str:
        if source.name == "s6.h5":
            raise ValueError("nobody foresaw this")
        return fingerprint(source)

    monkeypatch.setattr(FileSource, "fingerprint", choosy)
    report = feature_archive(tmp_path / "archive").index([features])
    assert sorted(refused_names(report)) == [
        ("s3.h5", "BadFeatureFile"),
        ("s4.h5", "BadFeatureFile"),
        ("s5.h5", "BadFeatureFile"),
        ("s6.h5", "UnreadableSlide"),
    ]
    assert report.added == 4


def test_a_bag_that_cannot_be_written(features: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save = bags.save_bag

    def choosy(bag: Any, origin: Any, path: Path) -> None:
        if path == archive.layout.bag("s2"):
            raise OSError(36, "File name too long")
        save(bag, origin, path)

    monkeypatch.setattr(bags, "save_bag", choosy)
    archive = feature_archive(tmp_path / "archive")
    report = archive.index([features])
    assert (report.added, refused_names(report)) == (7, [("s2.h5", "UnreadableSlide")])
    assert "File name too long" in report.refused[0].reason


def test_what_is_ready_when_the_disk_is_full_is_committed(
    features: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = feature_archive(tmp_path / "archive")
    archive.index([features / "s0.h5", features / "s1.h5"])
    save = bags.save_bag

    def fill(bag: Any, origin: Any, path: Path) -> None:
        if path == archive.layout.bag("s6"):
            raise OSError(28, "No space left on device")
        save(bag, origin, path)

    with monkeypatch.context() as patch:
        patch.setattr(bags, "save_bag", fill)
        with pytest.raises(DiskFull):
            archive.index([features])
    assert [record.slide_id for record in archive.records()] == ["s0", "s1", "s2", "s3", "s4", "s5"]
    assert archive.index([features]).added == 2


def test_a_record_stays_when_the_slide_that_takes_its_place_is_refused(
    features: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = feature_archive(tmp_path / "archive")
    archive.index([features])
    table = [{"file": "s1.h5", "slide_id": "renamed"}]
    monkeypatch.setattr(ingest, "make_record", lambda slide, cached: 1 / 0)
    report = archive.index([features], table)
    assert refused_names(report) == [("s1.h5", "UnreadableSlide")]
    assert "s1" in {record.slide_id for record in archive.records()}
    monkeypatch.undo()
    archive.index([features], table)
    assert not {"s1"} & {record.slide_id for record in archive.records()}


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        ({"note": "a\udce4"}, False),
        ({"note": "x" * 1_000_001}, False),
        ({"organ": "\ud800"}, False),
        ({"report": "carcinoma \udce4"}, False),
        ({"count": 2**70}, True),
        ({"share": float("inf")}, True),
        ({"note": "a\0b"}, True),
    ],
)
def test_values_of_one_row(features: Path, tmp_path: Path, values: dict[str, Any], kept: bool) -> None:
    archive = feature_archive(tmp_path / "archive")
    rows: list[dict[str, Any]] = [{"file": f"s{number}.h5", "stage": f"T{number}"} for number in range(8)]
    rows[3] |= values
    report = archive.index([features], rows)
    assert (report.added, len(report.refused_rows)) == (8, 0 if kept else 1)
    stages = {record.slide_id: record.extra["stage"] for record in archive.records()}
    assert stages == {f"s{number}": f"T{number}" if kept or number != 3 else None for number in range(8)}
    assert "row 4" in "".join(refusal.reason for refusal in report.refused_rows) or kept


def test_an_id_that_is_far_too_long(features: Path, tmp_path: Path) -> None:
    archive = feature_archive(tmp_path / "archive")
    report = archive.index([features], [{"file": "s3.h5", "slide_id": "x" * 5000}])
    assert (report.added, refused_names(report)) == (7, [("s3.h5", "UnstorableSlide")])


def test_file_names_in_any_bytes_through_the_whole_archive(cohort: Path, tmp_path: Path) -> None:
    folder, files = tmp_path / "slides", sorted(cohort.glob("*.tiff"))
    folder.mkdir()
    shutil.copy(files[0], folder / "ok.tiff")
    shutil.copy(files[2], folder / os.fsdecode(b"Pr\xe4parat.tiff"))
    (folder / os.fsdecode(b"b\xe4d.svs")).write_bytes(b"no slide")
    done = histoseek("index", folder, "--archive", tmp_path / "archive", "--text-encoder", "none")
    assert (done.returncode, done.stderr.count("Traceback")) == (0, 0), done.stderr
    assert "2 added, 0 updated, 0 unchanged, 1 refused" in done.stdout
    archive = Archive.open(tmp_path / "archive")
    (line,) = archive.layout.refused.read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["path"] == f"file://{folder}/b%E4d.svs"
    assert archive.verify().problems == ()
    assert archive.index([folder]).unchanged == 2

    record = next(record for record in archive.records() if record.slide_id != "ok")
    assert record.uri == f"file://{folder}/Pr%E4parat.tiff"
    assert to_slide(record).model_dump()["file_name"] == r"Pr\xe4parat.tiff"
    results = archive.search(folder / os.fsdecode(b"Pr\xe4parat.tiff"))
    assert [result.slide_id for result in results] == ["ok"]
    assert r"Pr\xe4parat.tiff" in render_page(archive.search(like="ok"), "results")
    listed = histoseek("list", "--archive", archive.path)
    assert listed.stdout.split()[:2] == ["file", "slide"]
    assert r"Pr\xe4parat.tiff  Pr_xe4parat" in listed.stdout
    assert str(results).split()[:3] == ["rank", "file", "slide"]
    for command in (["search", "--like", "ok"], ["show", record.slide_id], ["export", tmp_path / "out"], ["verify"]):
        done = histoseek(*command, "--archive", archive.path)
        assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "out").iterdir())) == 2
    table = [{"file": os.fsdecode(b"Pr\xe4parat.tiff"), "organ": "colon"}]
    assert archive.index([folder], table).updated == 1
    archive.remove([record.slide_id])
    assert [one.slide_id for one in archive.records()] == ["ok"]
