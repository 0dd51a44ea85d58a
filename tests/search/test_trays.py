"""All slides of a patient or a case, as on a tray."""

from __future__ import annotations

from pathlib import Path

import pytest

from histoseek.api import Archive
from tests.archive.tables import update_metadata
from tests.evaluation.archives import labelled_archive

STAINS = ("Ki-67", "H&E", None, "HE", "CD3", "H&E", "H&E")
CASES = ("A/1", "A/1", "A/1", "A/1", "B 2", None, "C")
REPORT = "Breast, biopsy: invasive ductal carcinoma, grade 3."


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    folder = tmp_path_factory.mktemp("trays")
    reports = [REPORT, REPORT, "", "Addendum: HER2 negative.", REPORT, "", REPORT]
    archive = labelled_archive(folder, [0] * 7, [0, 0, 0, 0, 0, 0, 1], tiles=4, reports=reports)
    for number, (stain, case_id) in enumerate(zip(STAINS, CASES, strict=True)):
        update_metadata(archive.store, f"slide-{number:03d}", {"stain": stain, "case_id": case_id})
    return archive


def ids(records: object) -> list[str]:
    return [one.slide_id for one in records]  # type: ignore[attr-defined]


def test_a_case_lies_h_and_e_first_and_each_report_once(archive: Archive) -> None:
    tray = archive.find_tray("case", "A/1")
    assert (tray.total, tray.patients) == (4, ("patient-0",))
    (case,) = tray.cases
    assert case.case_id == "A/1"
    assert ids(case.records) == ["slide-001", "slide-003", "slide-000", "slide-002"]
    assert [ids(report.records) for report in case.reports] == [["slide-001", "slide-000"], ["slide-003"]]


def test_a_patient_lies_case_by_case(archive: Archive) -> None:
    tray = archive.find_tray("patient", "patient-0")
    assert [one.case_id for one in tray.cases] == ["A/1", "B 2", None]
    assert [ids(one.records) for one in tray.cases[1:]] == [["slide-004"], ["slide-005"]]
    assert tray.total == 6


def test_blocks_go_before_stains(archive: Archive, tmp_path: Path) -> None:
    own = labelled_archive(tmp_path, [0] * 3, [0] * 3, tiles=4)
    for number, (block, stain) in enumerate((("B", "H&E"), ("A", "Ki-67"), ("A", "H&E"))):
        own.update(f"slide-{number:03d}", {"case_id": "C", "stain": stain})
        own.update_many({f"slide-{number:03d}": {"block": block}}, new_columns={"block": str})
    assert ids(own.find_tray("case", "C").cases[0].records) == ["slide-002", "slide-001", "slide-000"]


def test_nobody_has_an_empty_tray(archive: Archive, tmp_path: Path) -> None:
    assert archive.find_tray("case", "a/1").total == 0
    assert archive.find_tray("patient", "' OR 1 = 1").total == 0
    assert Archive.create(tmp_path / "empty").find_tray("case", "A/1").total == 0
