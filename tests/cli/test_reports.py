"""Reports on the command line: checking them, indexing them, showing their sections."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import h5py
import numpy as np
import pytest

from .process import histoseek, refused

REPORT = (
    "FINAL DIAGNOSIS:\nA. Prostate, left apex, needle biopsy: adenocarcinoma, Gleason score 3+4=7 (Grade Group 2).\n"
    "B. Prostate, right base, needle biopsy: benign.\nMICROSCOPIC DESCRIPTION:\nNo perineural invasion.\n"
    "Electronically signed by Jane Quisenberry, M.D. on 03/04/2021\n"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two feature files, a table of reports with headings of its own, a text report, and a file that is none."""
    (tmp_path / "features").mkdir()
    rng = np.random.default_rng(0)
    for name in ("C1-A", "C2-A"):
        with h5py.File(tmp_path / "features" / f"{name}.h5", "w") as file:
            file["features"] = rng.standard_normal((4, 16)).astype(np.float32)
    (tmp_path / "reports").mkdir()
    quoted = REPORT.replace('"', '""')
    (tmp_path / "reports" / "lab.csv").write_text(f'Fall,Freitext\nC1,"{quoted}"\nC1,"{quoted}"\nC7,Ghost.\n')
    (tmp_path / "reports" / "C2.txt").write_text("Stomach: 胃炎, chronic gastritis.", encoding="utf-8")
    (tmp_path / "reports" / "scan.txt").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00")
    return tmp_path


COLUMNS = ("--report-columns", "Freitext=report,Fall=case_id")


def test_check_says_how_reports_would_be_read_and_shows_none_of_them(folder: Path) -> None:
    done = histoseek("reports", "check", folder / "reports", *COLUMNS)
    assert done.returncode == 0, done.stderr
    assert "lab.csv (table in utf-8, 3 texts): Fall = case_id, Freitext = report" in done.stdout
    assert "reports: files with one text each: 1 (text in utf-8)" in done.stdout
    assert "identical texts, kept once: C1" in done.stdout
    assert "not text but binary data" in done.stdout
    assert "3 reports, 1 of them with labelled specimens" in done.stdout
    assert "gleason in 1" in done.stdout
    assert "identifiers that would be replaced: 1 name, 1 date" in done.stdout
    assert "Quisenberry" not in done.stdout
    assert "apex" not in done.stdout


def test_check_in_json(folder: Path) -> None:
    done = histoseek("reports", "check", folder / "reports", *COLUMNS, "--json")
    found = json.loads(done.stdout)
    assert (found["reports"], found["specimens"], found["folded"], found["differing"]) == (3, 1, ["C1"], [])
    assert {one["name"]: one["reports"] for one in found["sections"]}["microscopy"] == 1
    assert [one["kind"] for one in found["identifiers"]] == ["name", "date"]
    assert [set(one) for one in found["refused"]] == [{"path", "row", "error", "reason"}]
    assert 0 < found["visible_sentences"] < found["sentences"]
    assert "Quisenberry" not in done.stdout


def test_check_counts_mends_and_poor_reports_and_lists_mends_when_asked(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Colon, biopsy: lnvasive adenocarci noma.\nPage 1 of 2\nGrade Ill.")
    (tmp_path / "b.txt").write_text("See the other form.")
    done = histoseek("reports", "check", tmp_path)
    assert "mended before reading: confused letters in 1, page furniture in 1, torn word in 1" in done.stdout
    assert "of poor quality: 1 of 2 reports\npoor: b (no diagnosis)" in done.stdout
    assert "adenocarci" not in done.stdout
    listed = histoseek("reports", "check", tmp_path, "--mends").stdout
    assert "a: torn word: 'adenocarci noma' -> 'adenocarcinoma'" in listed
    assert "a: page furniture: 'Page 1 of 2' -> nothing" in listed
    assert json.loads(histoseek("reports", "check", tmp_path, "--json").stdout)["mends"] == []
    found = json.loads(histoseek("reports", "check", tmp_path, "--mends", "--json").stdout)
    assert {"report_id": "a", "original": "Ill", "mended": "III", "reason": "confused letters"} in found["mends"]


def test_check_refuses_what_indexing_would(folder: Path) -> None:
    assert "binary data" in refused("reports", "check", folder / "reports" / "scan.txt")
    unknown = refused("reports", "check", folder / "reports", "--report-columns", "Fall=txt")
    assert unknown.startswith("error: --report-columns Fall=txt: 'txt' is not a role. The roles are: ")
    assert "PATH: is empty" in refused("reports", "check", "", cwd=str(folder / "reports"))
    assert "PATH: is empty" in refused("reports", "check", folder / "reports", " ", cwd=str(folder / "reports"))
    assert "is not NAME=VALUE" in refused("reports", "check", folder / "reports", "--report-columns", "Fall")


def test_index_tells_of_reports_and_show_of_sections(folder: Path) -> None:
    archive = ("--archive", folder / "archive")
    given = ("index", "--features", folder / "features", *archive, "--text-encoder", "none", *COLUMNS)
    done = histoseek(*given, "--reports", folder / "reports" / "lab.csv", "--reports", folder / "reports" / "C2.txt")
    assert done.returncode == 0, done.stderr
    assert "reports: 2 of 3 belong to slides; 2 slides have a report from this run" in done.stdout
    assert "warning: reports: 1 of 3 match no slide: C7" in done.stdout
    assert "reports: identifiers replaced: 1 name, 1 date" in done.stdout
    shown = histoseek("show", "C1-A", *archive).stdout
    assert "sections: diagnosis (A, B), microscopy" in shown
    assert "signed by [NAME], M.D. on [DATE]" in shown
    assert "胃炎" in histoseek("show", "C2-A", *archive).stdout
    assert "quality: good\nmends: \n" in shown
    listed = json.loads(histoseek("show", "C2-A", *archive, "--json").stdout)
    assert listed["sections"] == ["other"]
    assert (listed["quality"], listed["mends"]) == ("good", [])
    done = histoseek(*given, "--reports", folder / "reports", "--keep-identifiers", "--json")
    report = json.loads(done.stdout)
    assert (report["updated"], report["unchanged"], report["refused"]) == (1, 1, [])
    assert (report["reports"]["deidentified"], report["reports"]["removed"]) == (False, [])
    assert [Path(one["path"]).name for one in report["reports"]["refused"]] == ["scan.txt"]
    assert report["reports"]["unjoined"] == [{"report_id": "C7", "why": "no slide of case 'C7'"}]
    assert any("identifiers are kept" in warning for warning in report["warnings"])
    assert "Quisenberry" in histoseek("show", "C1-A", *archive).stdout


def test_a_single_bad_report_file_stops_before_anything_is_made(folder: Path) -> None:
    given = ("index", "--features", folder / "features", "--archive", folder / "new")
    assert "No such file" in refused(*given, "--reports", folder / "none.csv")
    assert "binary data" in refused(*given, "--reports", folder / "reports" / "scan.txt")
    assert not (folder / "new").exists()


def test_update_replaces_identifiers_unless_they_are_to_be_kept(folder: Path) -> None:
    archive = ("--archive", folder / "archive")
    histoseek("index", "--features", folder / "features", *archive, "--text-encoder", "none")
    change = ("update", "C1-A", "report=Signed by Dr. Jane Quisenberry", *archive)
    assert histoseek(*change).returncode == 0
    assert "Quisenberry" not in histoseek("show", "C1-A", *archive).stdout
    assert histoseek(*change, "--keep-identifiers").returncode == 0
    assert "Quisenberry" in histoseek("show", "C1-A", *archive).stdout


def test_presidio_is_asked_for_before_anything_is_made(folder: Path) -> None:
    if find_spec("presidio_analyzer"):
        pytest.skip("Presidio is installed")
    given = ("index", "--features", folder / "features", "--archive", folder / "new", "--deidentify", "presidio")
    assert "pip install 'histoseek[presidio]'" in refused(*given)
    assert not (folder / "new").exists()
    assert "contradicts --deidentify presidio" in refused(*given, "--keep-identifiers")


def test_names_in_a_column_of_patients_are_warned_of_and_not_shown(folder: Path) -> None:
    table = folder / "named.csv"
    table.write_text('Patient,report\n"Zumwalt, Iolanthe",Adenoma of Mrs. Zumwalt.\nIolanthe Zumwalt,Another.\n')
    done = histoseek("reports", "check", table)
    assert f"warning: {table}: column 'Patient' holds names of persons in 2 of 2 rows" in done.stdout
    assert "different texts with the same id, all kept: row 2 of named.csv" in done.stdout
    assert "identifiers that would be replaced: 1 name" in done.stdout
    assert "zumwalt" not in (done.stdout + done.stderr).lower()


def test_an_update_with_stray_bytes_is_one_line(folder: Path) -> None:
    archive = ("--archive", folder / "archive")
    histoseek("index", "--features", folder / "features", *archive, "--text-encoder", "none")
    for change in (("C1-A", "diagnosis=aden\udcf6m"), ("C1-A", "diagno\udcf6=x"), ("C\udcf6", "diagnosis=x")):
        assert "holds bytes that are no text" in refused("update", *change, *archive)


def test_facets_and_texts_that_ask_for_nothing_are_one_line(folder: Path) -> None:
    archive = ("--archive", folder / "archive")
    histoseek("index", "--features", folder / "features", *archive, "--text-encoder", "none", "--reports", folder)
    assert refused("facets", *archive, "-n", "0").startswith("error: -n 0: would show no values")
    assert "contains no letter or digit" in refused("search", "--text", "?!", *archive)
    assert "grade:: a field without a value" in refused("search", "--text", "grade:", *archive)
