"""Tables that come later: they add what they say and undo nothing, with the slides' files or without them."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import cv2
import numpy as np
import pytest

from histoseek.api import Archive
from histoseek.archive.indexing.metadata_join import join_metadata
from histoseek.archive.indexing.metadata_table import load_table
from histoseek.errors import ArchiveError, InputError
from histoseek.slides.sources.file import FileSource

from ..cli.process import histoseek, refused


def draw_tissue(path: Path, seed: int) -> None:
    noise = np.random.default_rng(seed).normal(0, 40, (500, 600)).astype(np.float32)
    picture = np.array((170, 120, 185)) + cv2.GaussianBlur(noise, (0, 0), 2)[..., None]
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.clip(picture, 0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two files that do not state their spacing."""
    folder = tmp_path_factory.mktemp("pictures")
    for seed, name in enumerate(("00123.png", "00456.png")):
        draw_tissue(folder / name, seed)
    return folder


@pytest.fixture(scope="module")
def first(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of them, with their spacings from a table. Not to be changed."""
    folder = tmp_path_factory.mktemp("first")
    (folder / "m.csv").write_text('file,spacing,organ,age\n00123.png,"0,5",lung,61\n00456.png,0.5 um/px,colon,\n')
    report = Archive.create(folder / "a").index([pictures], folder / "m.csv")
    assert (report.added, report.refused, report.refused_rows) == (2, (), ())
    return folder / "a"


@pytest.fixture
def archive(first: Path, tmp_path: Path) -> Archive:
    shutil.copytree(first, tmp_path / "a")
    return Archive.open(tmp_path / "a")


def read_bags(archive: Archive) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in archive.layout.bags.rglob("*.safetensors")}


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_a_second_table_need_not_repeat_spacings(archive: Archive, pictures: Path, tmp_path: Path) -> None:
    before = read_bags(archive)
    report = archive.index([pictures], write(tmp_path / "t.csv", "slide_id,report\n00123,Adenocarcinoma.\n"))
    assert (report.added, report.updated, report.unchanged, report.refused) == (0, 1, 1, ())
    assert archive.index([pictures]).unchanged == 2
    assert read_bags(archive) == before
    record = archive.get("00123").record
    assert (record.spacing_um_per_px, record.organ, record.extra["age"]) == (0.5, "lung", 61)
    archive.use_recipe(replace(archive.recipe, tissue_threshold=0.12))
    report = archive.index([pictures])
    assert (report.updated, report.refused, archive.get("00456").record.spacing_um_per_px) == (2, (), 0.5)


def test_columns_are_added_without_the_files(archive: Archive, tmp_path: Path, first: Path) -> None:
    before = read_bags(archive)
    table = write(
        tmp_path / "t.csv", "Slide Name;Patient-ID;Ki 67;mpp\n00123.png;0012;0,5;0,25\n00456;12;1,5;\nx;1;2;\n"
    )
    report = archive.add_metadata(table)
    assert (report.added, report.updated, report.unchanged) == (0, 2, 0)
    records = archive.records()
    assert [(r.slide_id, r.patient_id, r.organ, r.extra) for r in records] == [
        ("00123", "0012", "lung", {"stain_detected": "H&E", "age": 61, "ki_67": 0.5}),
        ("00456", "12", "colon", {"stain_detected": "H&E", "age": None, "ki_67": 1.5}),
    ]
    assert [record.spacing_um_per_px for record in records] == [0.5, 0.5]
    assert f"{table}: 1 of 3 rows match no slide: x (line 4)" in report.warnings
    assert any(warning.startswith("the spacing of 1 slide from the table is not taken") for warning in report.warnings)
    assert read_bags(archive) == before
    assert archive.add_metadata(table).updated == 0
    rows = archive.add_metadata([{"case_id": "00123", "grade": 3}], reports=[{"slide": "00456", "text": "Polyp."}])
    assert rows.updated == 2
    assert (archive.get("00123").record.extra["grade"], archive.get("00456").record.report) == (3, "Polyp.")


def test_data_frames_are_tables(archive: Archive) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pandas.DataFrame({"slide_id": ["00123", "00456"], "seen": [pandas.Timestamp("2024-05-06"), pandas.NaT]})
    frame["cells"] = pandas.array([7, None], dtype="Int64")
    assert archive.add_metadata(frame.set_index("slide_id")).updated == 1
    assert archive.get("00123").record.extra == {
        "stain_detected": "H&E",
        "age": 61,
        "cells": 7,
        "seen": date(2024, 5, 6),
    }
    empty = {"age": None, "cells": None, "seen": None}
    assert archive.get("00456").record.extra == {"stain_detected": "H&E", **empty}


def test_tables_without_files_from_the_command_line(archive: Archive, tmp_path: Path) -> None:
    table = write(tmp_path / "t.csv", "sep=;\nWSI;MRN;age\n00123;0012;62\n00456;12;old\n")
    done = histoseek("index", "--archive", archive.path, "--metadata", table)
    assert done.returncode == 0
    assert f"refused: {table}, line 4: column age: 'old' does not fit, the column holds int64" in done.stdout
    record = archive.get("00123").record
    assert (record.patient_id, record.extra["age"]) == ("0012", 62)
    entry = json.loads(archive.layout.refused.read_text().splitlines()[-1])
    assert (entry["path"], entry["row"], entry["error"]) == (str(table), 4, "BadTable")
    assert "or tables about slides that the archive has" in refused("index", "--archive", archive.path)
    missing = tmp_path / "none"
    assert "no histoseek archive here" in refused("index", "--archive", missing, "--metadata", table)
    assert not missing.exists()


def test_tables_need_slides_to_be_about(tmp_path: Path) -> None:
    empty = Archive.create(tmp_path / "empty")
    with pytest.raises(ArchiveError, match="the archive is empty"):
        empty.add_metadata([{"slide_id": "a", "organ": "lung"}])
    with pytest.raises(InputError, match="needs a table or reports"):
        empty.add_metadata()


@pytest.mark.parametrize("metadata", [5, [5], {"slide_id": ["a"]}, ["slides.csv"]])
def test_what_is_no_table_is_refused(archive: Archive, metadata: object) -> None:
    with pytest.raises(InputError, match="metadata: is no table, but of type"):
        archive.add_metadata(metadata)  # type: ignore[arg-type]


def test_slides_are_found_by_the_ids_of_the_archive(archive: Archive, tmp_path: Path) -> None:
    archive.index(
        [archive.get("00123").record.uri],
        [{"file": "00123.png", "slide_id": "S-1", "case_id": "K-7"}],
    )
    report = archive.add_metadata([{"slide_id": "S-1", "a": 1}, {"slide_id": "00456", "a": 2}])
    assert (report.updated, archive.get("S-1").record.extra["a"]) == (2, 1)
    report = archive.add_metadata([{"case_id": "K-7", "b": 1}, {"file": "00456.png", "slide_id": "other", "b": 2}])
    assert [record.extra["b"] for record in archive.records()] == [2, 1]
    assert any(warning.startswith("the id of 1 slide from the table is not taken") for warning in report.warnings)


def join(tmp_path: Path, text: str, *paths: str) -> dict[str, object]:
    found = join_metadata([FileSource(Path(path)) for path in paths], load_table(write(tmp_path / "j.csv", text)))
    organs: dict[str, object] = {source.name: row.texts.get("organ") for source, row in found.row_of.items()}
    return {**organs, "unmatched": found.unmatched_rows, "refused": [refusal.source.line for refusal in found.refused]}


def test_names_as_people_write_them(tmp_path: Path) -> None:
    rows = "slide_id,organ\n00123.SVS,lung\nb.tif,colon\nPrépa,skin\nD,liver\ne_x20,x\n".replace("é", "e\u0301")
    found = join(tmp_path, rows, "/x/00123.svs", "/x/b.tif", "/x/Prépa.tif", "/x/d.tif", "/x/e.tif")
    assert found == {
        **{"00123.svs": "lung", "b.tif": "colon", "Prépa.tif": "skin", "d.tif": "liver"},
        **{"unmatched": ("e_x20",), "refused": []},
    }
    rows = "file,organ\nC:\\scans\\one\\a.svs,lung\ntwo/A.SVS,colon\nc,skin\n"
    found = join(tmp_path, rows, "/y/scans/one/a.svs", "/y/two/a.svs", "/y/c.svs")
    assert found["unmatched"] == ("C:\\scans\\one\\a.svs",)
    rows = "file,organ\none\\a.svs,lung\ntwo/A.SVS,colon\nc,skin\n"
    found = join(tmp_path, rows, "/y/scans/one/a.svs", "/y/two/a.svs", "/y/c.svs")
    assert (found["unmatched"], found["a.svs"], found["c.svs"]) == ((), "colon", "skin")


def test_paths_in_the_column_of_ids(tmp_path: Path) -> None:
    rows = "slide_id,organ\none/a.svs,lung\ntwo\\a.svs,colon\n"
    found = join_metadata(
        [FileSource(Path("/y/one/a.svs")), FileSource(Path("/y/two/a.svs"))],
        load_table(write(tmp_path / "j.csv", rows)),
    )
    assert [(row.slide_id, row.texts["organ"]) for row in found.row_of.values()] == [(None, "lung"), (None, "colon")]


def test_files_by_address_and_from_the_folder_of_the_table(tmp_path: Path) -> None:
    sources = [FileSource(tmp_path / "s" / name) for name in ("a 1.svs", "b 1.svs", "c.svs", "50%20.svs", "d.tif")]
    (tmp_path / "t").mkdir()
    names = [f"{tmp_path.as_uri()}/s/a%201.svs", "b%201.svs", "../s/c.svs", "50%20.svs", "D:\\old\\c.svs", "d.tiff"]
    text = "".join(f"{name},{number}\n" for number, name in enumerate(names))
    found = join_metadata(sources, load_table(write(tmp_path / "t" / "t.csv", f"file,n\n{text}")))
    assert [found.row_of[source].extra["n"] for source in sources[:4]] == [0, 1, 2, 3]
    assert [unmatched.why for unmatched in found.unmatched] == [
        "a file of this name lies in another folder",
        "'d.tif' has another ending",
    ]


def test_a_whole_name_comes_before_the_beginning_of_another(tmp_path: Path) -> None:
    sources = [FileSource(tmp_path / name) for name in ("S21.svs", "S21.5.svs")]
    found = join_metadata(sources, load_table(write(tmp_path / "t.csv", "slide_id,n\nS21,1\nS21.5,2\n")))
    assert [found.row_of[source].extra["n"] for source in sources] == [1, 2]


def test_patients_given_by_name_alone_are_no_ids(archive: Archive, tmp_path: Path) -> None:
    text = "slide_id,Patient name\n00123,Anna Schmidt\n00456,Anna Schmidt\n"
    report = archive.add_metadata(write(tmp_path / "a.csv", text))
    assert any("patients are given by 'Patient name' alone" in warning for warning in report.warnings)
    with_ids = archive.add_metadata(
        write(tmp_path / "b.csv", text.replace("slide_id,", "slide_id,MRN,").replace(",A", ",7,A"))
    )
    assert not any("alone" in warning for warning in with_ids.warnings)


def test_a_later_table_that_parts_the_slides_of_a_patient_says_so(archive: Archive, tmp_path: Path) -> None:
    archive.add_metadata([{"slide_id": "00123", "patient_id": "P1"}, {"slide_id": "00456", "patient_id": "P1"}])
    report = archive.add_metadata([{"slide_id": "00456", "patient_id": "X7"}])
    (warning,) = (warning for warning in report.warnings if "another patient" in warning)
    assert warning.startswith("1 slide now belongs to another patient than slides of the same one before: 00456")
    both = archive.add_metadata([{"slide_id": name, "patient_id": "Y"} for name in ("00123", "00456")])
    assert not any("another patient" in warning for warning in both.warnings)


def test_files_that_are_no_reports_are_counted(archive: Archive, tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    for name in ("00123.txt", "00456.hl7", "scan.tif", "README", "@eaDir/00456.txt", ".00456.txt", "~$00456.docx"):
        write(reports / name, "Adenocarcinoma of the colon.")
    report = archive.index([], reports=reports)
    (warning,) = (warning for warning in report.warnings if "passed over" in warning)
    assert warning == "reports: passed over: 1 .hl7 (no reports), 1 .tif (no reports), 1 other file (no reports)"
    assert (archive.get("00123").record.report is None, archive.get("00456").record.report) == (False, None)


def test_patients_that_look_alike_are_named_by_their_rows(archive: Archive, tmp_path: Path) -> None:
    first = archive.add_metadata(write(tmp_path / "a.csv", "slide_id,patient_id\n00123,P-0012\n"))
    assert not [warning for warning in first.warnings if "different patients" in warning]
    second = archive.add_metadata(write(tmp_path / "b.csv", "slide_id,patient_id\n00456,p 0012\n"))
    (warning,) = (warning for warning in second.warnings if "different patients" in warning)
    assert (
        "column 'patient_id': the ids of slide '00123' and line 2 differ only in case, separators or zeros" in warning
    )


def test_zeros_before_an_id_are_part_of_it(tmp_path: Path) -> None:
    text = "slide_id,organ\n123,lung\n"
    found = join_metadata([FileSource(Path("/x/00123.svs"))], load_table(write(tmp_path / "j.csv", text)))
    assert [(unmatched.row.where, unmatched.why) for unmatched in found.unmatched] == [
        ("line 2", "'00123' has other zeros before it")
    ]


def test_rows_that_contradict_each_other_about_a_slide(tmp_path: Path) -> None:
    rows = "slide_id,file,case_id,organ\nC9-A,,,lung\n,C9-A.svs,,colon\n,,C9,skin\nC9-B,,,liver\n"
    found = join(tmp_path, rows, "/x/C9-A.svs", "/x/C9-B.svs")
    assert found == {"C9-B.svs": "liver", "unmatched": (), "refused": [2, 3]}
    table = load_table(write(tmp_path / "j.csv", "case_id,slide_id,organ,age\nC9,,skin,61\n,C9-B,liver,\n"))
    joined = join_metadata([FileSource(Path("/x/C9-B.svs"))], table)
    (row,) = joined.row_of.values()
    assert (row.texts["organ"], row.texts["case_id"], row.extra["age"]) == ("liver", "C9", 61)
    assert joined.notes == (f"{tmp_path / 'j.csv'}: line 3 and line 2 differ about C9-B.svs in organ: line 3 counts",)
