"""Reports on their way into the archive: formats, joining, changes, refusals, identifiers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
import pytest

from histoseek.api import Archive
from histoseek.archive.indexing.ingest import IndexReport
from histoseek.encoders.recipe import Recipe
from histoseek.errors import BadTable, ConfigurationError, InputError
from tests.reports.made_files import pdf, workbook

GERMAN = "Magenschleimhaut mit größeren Drüsen, ohne Anzeichen für Malignität."
IDS = ("C1-A", "C1-B", "C2-A", "C3")


@pytest.fixture
def features(tmp_path: Path) -> Path:
    """Four feature files of three cases."""
    folder = tmp_path / "features"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for slide_id in IDS:
        with h5py.File(folder / f"{slide_id}.h5", "w") as file:
            file["features"] = rng.standard_normal((5, 16)).astype(np.float32)
    return folder


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive.create(tmp_path / "archive", Recipe(encoder="features:test"), text_encoder="none")


def write(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def reports(archive: Archive) -> Mapping[str, str | None]:
    return {record.slide_id: record.report for record in archive.records()}


def changed(report: IndexReport) -> tuple[int, int, int]:
    return report.added, report.updated, report.unchanged


def test_every_format_gives_the_same_archive(features: Path, tmp_path: Path) -> None:
    said = {"C1": "Adenoma.", "C2-A": "Zöliakie, 胃腺癌.", "C3": "No tumour."}
    workbook(tmp_path / "r.xlsx", [["case", "text"], *map(list, said.items())])
    rows = "".join(f"{case},{text!r}\n".replace("'", '"') for case, text in said.items())
    given = [
        write(tmp_path / "r.csv", "case_id,report\n" + rows),
        write(tmp_path / "r.json", json.dumps(said)),
        write(tmp_path / "r.jsonl", "\n".join(json.dumps({"id": key, "text": text}) for key, text in said.items())),
        tmp_path / "r.xlsx",
        tmp_path / "folder",
    ]
    for case, text in said.items():
        write(tmp_path / "folder" / f"{case}.txt", text)
    wanted = {"C1-A": "Adenoma.", "C1-B": "Adenoma.", "C2-A": "Zöliakie, 胃腺癌.", "C3": "No tumour."}
    for number, path in enumerate(given):
        archive = Archive.create(tmp_path / str(number), Recipe(encoder="features:test"), text_encoder="none")
        report = archive.index([features], reports=path)
        assert reports(archive) == wanted, path
        assert report.reports is not None
        assert (report.reports.reports, report.reports.joined, report.reports.refused) == (3, 3, ())


def test_pdf_and_table_come_together(features: Path, archive: Archive, tmp_path: Path) -> None:
    pdf(tmp_path / "C3.pdf", "BT /F 12 Tf 20 200 Td (Tubular adenoma.) Tj ET")
    table = write(tmp_path / "r.csv", "slide_id,report\nC1-A;C1-B,Both slides.\n")
    found = archive.index([features], reports=[table, tmp_path / "C3.pdf"]).reports
    assert reports(archive) == {"C1-A": "Both slides.", "C1-B": "Both slides.", "C2-A": None, "C3": "Tubular adenoma."}
    assert found is not None
    assert [(file.path.name, file.format, file.encoding) for file in found.files] == [
        ("r.csv", "table", "utf-8"),
        ("C3.pdf", "pdf", None),
    ]
    assert str(found.files[0].mapping) == "slide_id = slide_id, report = report"
    assert [Path(path).name for path in found.slides_without_report] == ["C2-A.h5"]


def test_addenda_several_reports_and_repeated_ids(features: Path, archive: Archive, tmp_path: Path) -> None:
    text = (
        "case_id,date,report\nC1,2020-05-02,Later.\nC1,2020-05-01,First.\nC2,,One.\nC2,,Other.\nC3,,Same.\nC3,,Same.\n"
    )
    found = archive.index([features], reports=write(tmp_path / "r.csv", text)).reports
    assert reports(archive) == {
        "C1-A": "First.\n\nADDENDUM 1:\n\nLater.",
        "C1-B": "First.\n\nADDENDUM 1:\n\nLater.",
        "C2-A": "One.\n\nOther.",
        "C3": "Same.",
    }
    assert found is not None
    assert (found.folded, found.differing) == (("C3",), ("C2",))


def test_what_does_not_join_is_listed_both_ways(features: Path, archive: Archive, tmp_path: Path) -> None:
    table = write(tmp_path / "r.csv", "case_id,report\nC1,a\nC9,b\n")
    run = archive.index([features], reports=table)
    assert run.reports is not None
    assert [(one.report_id, one.why) for one in run.reports.unjoined] == [("C9", "no slide of case 'C9'")]
    assert "reports: 1 of 2 match no slide: C9" in run.warnings
    assert "2 slides have no report: C2-A.h5, C3.h5" in run.warnings
    lists = json.loads(archive.layout.unmatched.read_text())
    assert lists["report_rows"] == ["C9"]
    assert [Path(path).name for path in lists["files_without_report"]] == ["C2-A.h5", "C3.h5"]


def test_an_unchanged_run_changes_nothing_and_a_changed_report_its_slides(
    features: Path, archive: Archive, tmp_path: Path
) -> None:
    table = write(tmp_path / "r.csv", "case_id,report\nC1,Seen by Dr. John Smith. Adenoma.\nC9,b\n")
    assert changed(archive.index([features], reports=table)) == (4, 0, 0)
    before = {path: path.stat().st_mtime_ns for path in archive.path.rglob("*") if path.name != "lock"}
    assert changed(archive.index([features], reports=table)) == (0, 0, 4)
    assert before == {path: path.stat().st_mtime_ns for path in archive.path.rglob("*") if path.name != "lock"}
    write(table, "case_id,report\nC1,Seen by Dr. John Smith. Carcinoma.\n")
    assert changed(archive.index([features], reports=table)) == (0, 2, 2)
    assert reports(archive)["C1-B"] == "Seen by Dr. [NAME]. Carcinoma."
    assert changed(archive.index([features])) == (0, 0, 4)
    assert reports(archive)["C1-B"] == "Seen by Dr. [NAME]. Carcinoma."


def test_later_reports_join_by_ids_that_the_archive_holds(features: Path, archive: Archive, tmp_path: Path) -> None:
    metadata = write(tmp_path / "m.csv", "slide_id,case_id,patient_id\nC3,K-7,P-9\n")
    archive.index([features], metadata)
    table = write(tmp_path / "r.csv", "case_id,report\nK-7,found\n")
    assert changed(archive.index([features], reports=table)) == (0, 1, 3)
    assert reports(archive)["C3"] == "found"


def test_bad_files_and_rows_are_refused_and_the_rest_goes_in(features: Path, archive: Archive, tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    write(folder / "a.csv", 'case_id,report\nC1,good\n,no id\nC2,\nC3,"x",more\n')
    write(folder / "binary.txt", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20)
    write(folder / "empty.txt", "")
    write(folder / "long.txt", "Necrosis. " * 500_000)
    write(folder / "wrong.csv", "slide_id,organ\nC1,lung\n")
    write(folder / "C2.txt", GERMAN.encode("cp1252"))
    write(folder / "C3.txt", "قرحة في المعدة".encode("utf-16"))
    run = archive.index([features], reports=folder)
    assert reports(archive) == {"C1-A": "good", "C1-B": "good", "C2-A": GERMAN, "C3": "قرحة في المعدة"}
    assert run.refused == ()
    assert run.reports is not None
    refused = {(Path(one.path).name, one.row): one.reason for one in run.reports.refused}
    assert set(refused) == {
        *(("a.csv", 3), ("a.csv", 4), ("a.csv", 5)),
        *((name, None) for name in ("binary.txt", "empty.txt", "long.txt", "wrong.csv")),
    }
    assert "5.0 MB" in refused["long.txt", None]
    logged = [json.loads(line) for line in archive.layout.refused.read_text().splitlines()]
    assert [set(entry) for entry in logged] == [{"time", "run", "path", "row", "error", "reason", "checksum"}] * 7
    assert {entry["error"] for entry in logged} == {"BadReport"}


def test_a_single_unusable_file_is_an_error_before_anything_starts(
    features: Path, archive: Archive, tmp_path: Path
) -> None:
    with pytest.raises(BadTable, match="No such file"):
        archive.index([features], reports=tmp_path / "none.csv")
    with pytest.raises(BadTable, match="no report column among: slide_id, organ"):
        archive.index([features], reports=write(tmp_path / "wrong.csv", "slide_id,organ\nC1,lung\n"))
    (tmp_path / "nothing").mkdir()
    with pytest.raises(InputError, match="no report files in it"):
        archive.index([features], reports=tmp_path / "nothing")
    assert not archive.layout.journal.exists()


def test_columns_can_be_given_and_renamed(features: Path, archive: Archive, tmp_path: Path) -> None:
    table = write(tmp_path / "r.csv", "Nr,Freitext,note\nC3,Magen,not this\n")
    with pytest.raises(ConfigurationError, match="'txt' is not a role"):
        archive.index([features], reports=table, report_columns={"Freitext": "txt"})
    with pytest.raises(BadTable, match="no column 'Text'"):
        archive.index([features], reports=table, report_columns={"Text": "report"})
    archive.index([features], reports=table, report_columns={"Freitext": "report", "Nr": "case_id"})
    assert reports(archive)["C3"] == "Magen"
    metadata = write(tmp_path / "m.csv", "objekt,organ\nC3,stomach\n")
    rename = {"Nr": "case_id", "Freitext": "report", "objekt": "slide_id"}
    assert changed(archive.index([features], metadata, table, rename=rename)) == (0, 1, 3)


def test_reports_in_the_metadata_pass_the_same_door(features: Path, archive: Archive, tmp_path: Path) -> None:
    text = "case_id,patient_id,surname,report\nC1,12-34567,Quisenberry,Quisenberry; 12 34567; biopsy of 03/04/2021.\n"
    run = archive.index([features], write(tmp_path / "m.csv", text))
    assert reports(archive)["C1-A"] == reports(archive)["C1-B"] == "[NAME]; [ID]; biopsy of [DATE]."
    assert "surname" not in archive.records()[0].extra
    assert any("columns not stored, since they tell who a patient is: surname" in said for said in run.warnings)
    assert not any("Quisenberry" in said for said in run.warnings)
    assert run.reports is not None
    assert {one.kind.value: one.count for one in run.reports.removed} == {"name": 1, "id": 1, "date": 1}


def test_names_in_the_metadata_are_found_in_reports(features: Path, archive: Archive, tmp_path: Path) -> None:
    metadata = write(tmp_path / "m.csv", "slide_id,name,email\nC3,Zumwalt Iolanthe,z@example.org\n")
    table = write(tmp_path / "r.csv", "slide_id,report\nC3,iolanthe has an adenoma; see S19-4444.\n")
    run = archive.index([features], metadata, table)
    assert reports(archive)["C3"] == "[NAME] has an adenoma; see [ID]."
    assert any("name, email" in said for said in run.warnings)


def test_names_beside_a_report_are_found_in_it(features: Path, archive: Archive, tmp_path: Path) -> None:
    text = "case_id,surname,pathologist,report\nC3,Zumwalt,M. Brzezicki,zumwalt: adenoma. Brzezicki agrees.\n"
    run = archive.index([features], reports=write(tmp_path / "r.csv", text))
    assert reports(archive)["C3"] == "[NAME]: adenoma. [NAME] agrees."
    assert run.reports is not None
    assert "surname = person, pathologist = person" in str(run.reports.files[0].mapping)


def test_a_name_column_of_slides_is_kept(features: Path, archive: Archive, tmp_path: Path) -> None:
    archive.index([features], write(tmp_path / "m.csv", "slide_id,name\nC3,block 7\n"))
    assert archive.get("C3").record.extra["name"] == "block 7"


def test_identifiers_are_kept_only_when_asked_and_it_is_said(features: Path, archive: Archive, tmp_path: Path) -> None:
    metadata = write(tmp_path / "m.csv", "slide_id,surname\nC3,Zumwalt\n")
    table = write(tmp_path / "r.csv", "slide_id,report\nC3,Mrs. Zumwalt of 03/04/2021\n")
    run = archive.index([features], metadata, table, deidentify=False)
    assert reports(archive)["C3"] == "Mrs. Zumwalt of 03/04/2021"
    assert archive.get("C3").record.extra["surname"] == "Zumwalt"
    assert any("identifiers are kept as they are" in said for said in run.warnings)
    assert changed(archive.index([features], reports=table)) == (0, 1, 3)
    assert reports(archive)["C3"] == "Mrs. [NAME] of [DATE]"
    events = [json.loads(line) for line in archive.layout.journal.read_text().splitlines()]
    assert [one["deidentified"] for one in events if one["event"] == "reports"] == [False, True]


def test_an_update_passes_the_same_door(features: Path, archive: Archive, tmp_path: Path) -> None:
    archive.index([features], reports=write(tmp_path / "r.csv", "slide_id,report\nC3,old\n"))
    assert archive.update("C3", {"report": "Patient: Jane Roe"}).report == "Patient: [NAME]"
    assert archive.update("C3", {"report": "Patient: Jane Roe"}, deidentify=False).report == "Patient: Jane Roe"
    assert archive.update("C3", {"report": None}).report is None
    assert "Jane" not in archive.layout.journal.read_text()


def test_a_text_that_cannot_be_cleaned_is_not_kept(
    features: Path, archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from histoseek.archive.indexing import report_cleaner

    whole = report_cleaner.deidentify

    def failing(text: str, *rest: object) -> object:
        if "Roe" in text:
            raise ZeroDivisionError(text)
        return whole(text, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(report_cleaner, "deidentify", failing)
    run = archive.index([features], reports=write(tmp_path / "r.csv", "case_id,report\nC1,Jane Roe\nC3,fine\n"))
    assert reports(archive)["C1-A"] is None
    assert reports(archive)["C3"] == "fine"
    assert run.reports is not None
    (refusal,) = run.reports.refused
    assert refusal.row == 2
    assert "Roe" not in archive.layout.refused.read_text()


def test_sections_come_from_the_stored_report(features: Path, archive: Archive, tmp_path: Path) -> None:
    text = "slide_id,diagnosis,gross\nC3,Adenoma.,Three pieces.\n"
    archive.index([features], reports=write(tmp_path / "r.csv", text))
    assert [section.name for section in archive.sections("C3").sections] == ["diagnosis", "gross"]
    assert archive.sections("C1-A").sections == ()


NAMED = ("Schmidt", "Zumwalt", "schmidt", "zumwalt", "Iolanthe")


def holding(folder: Path) -> list[str]:
    """Files of an archive in which one of the names stands."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [str(path) for path in files if any(name.encode() in path.read_bytes() for name in NAMED)]


def test_names_given_as_patients_are_stored_as_pseudonyms_and_still_join(
    features: Path, archive: Archive, tmp_path: Path
) -> None:
    rows = 'C1-A,"Schmidt, Anna"\nC1-B,"Schmidt, Anna"\nC2-A,Iolanthe Zumwalt\nC3,P-A\n'
    metadata = write(tmp_path / "m.csv", f"slide_id,Patient\n{rows}")
    told = "Patient,report\nAnna Schmidt,Adenoma. Schmidt was here; anna asked.\n"
    told += 'P-A,Polyp.\n"Zumwalt, Iolanthe",First.\nZUMWALT^IOLANTHE,Second.\nGisela Zumwalt,Lost.\n'
    table = write(tmp_path / "r.csv", told)
    run = archive.index([features], metadata, table)
    patients = {record.slide_id: record.patient_id or "" for record in archive.records()}
    assert patients["C1-A"] == patients["C1-B"] != patients["C2-A"]
    assert [patient.startswith("patient-") for patient in patients.values()] == [True, True, True, False]
    assert patients["C3"] == "P-A"
    assert reports(archive) == {
        "C1-A": "Adenoma. [NAME] was here; [NAME] asked.",
        "C1-B": "Adenoma. [NAME] was here; [NAME] asked.",
        "C2-A": "First.\n\nSecond.",
        "C3": "Polyp.",
    }
    assert run.reports is not None
    why = "no slide of the patient whose name it gives as an id"
    assert [(one.report_id, one.why) for one in run.reports.unjoined] == [("row 6 of r.csv", why)]
    assert run.reports.differing == ("row 4 of r.csv",)
    assert json.loads(archive.layout.unmatched.read_text())["report_rows"] == ["row 6 of r.csv"]
    assert "reports: 1 of 5 match no slide: row 6 of r.csv" in run.warnings
    (of_metadata,) = [said for said in run.warnings if said.startswith(f"{metadata}: column 'Patient'")]
    assert "names of persons in 3 of 4 rows, first in line 2" in of_metadata
    assert "--rename 'Patient=patient_name'" in of_metadata
    (of_reports,) = [said for said in run.warnings if said.startswith(f"{table}: column 'Patient'")]
    assert "names of persons in 4 of 5 rows" in of_reports
    assert not any(name in str(run) for name in NAMED)
    assert holding(archive.path) == []
    assert changed(archive.index([features], metadata, table)) == (0, 0, 4)
    assert changed(archive.index([features], reports=table)) == (0, 0, 4)


def test_names_of_patients_are_kept_when_asked_but_never_listed(
    features: Path, archive: Archive, tmp_path: Path
) -> None:
    metadata = write(tmp_path / "m.csv", 'slide_id,patient\nC3,"Zumwalt, Iolanthe"\n')
    table = write(tmp_path / "r.csv", "patient,report\nIolanthe Zumwalt,Mrs. Zumwalt.\nAnna Schmidt,x\n")
    run = archive.index([features], metadata, table, deidentify=False)
    assert archive.get("C3").record.patient_id == "Zumwalt, Iolanthe"
    assert reports(archive)["C3"] == "Mrs. Zumwalt."
    assert not any(name in str(run) for name in NAMED)
    assert not any(name in archive.layout.unmatched.read_text() for name in NAMED)
    archive.index([features], metadata, table)
    assert (archive.get("C3").record.patient_id or "").startswith("patient-")
    assert reports(archive)["C3"] == "Mrs. [NAME]."


def test_a_renamed_column_of_names_is_left_out(features: Path, archive: Archive, tmp_path: Path) -> None:
    metadata = write(tmp_path / "m.csv", "slide_id,Patient,Patient ID\nC3,Iolanthe Zumwalt,Anna Schmidt\n")
    table = write(tmp_path / "r.csv", "slide_id,Patient,report\nC3,Iolanthe Zumwalt,zumwalt: adenoma of Schmidt.\n")
    run = archive.index([features], metadata, table, rename={"Patient": "patient_name"})
    assert (archive.get("C3").record.patient_id or "").startswith("patient-")
    assert reports(archive)["C3"] == "[NAME]: adenoma of [NAME]."
    assert any("columns not stored" in said and "patient_name" in said for said in run.warnings)
    assert any("column 'Patient ID' holds names of persons" in said for said in run.warnings)
    assert holding(archive.path) == []


def test_an_update_stores_no_name_of_a_patient(features: Path, archive: Archive) -> None:
    archive.index([features])
    changes = {"patient_id": "Zumwalt, Iolanthe", "report": "Adenoma of zumwalt."}
    record = archive.update("C3", changes)
    assert (record.patient_id or "").startswith("patient-")
    assert record.report == "Adenoma of [NAME]."
    assert archive.update("C3", changes, deidentify=False).patient_id == "Zumwalt, Iolanthe"
    assert archive.update("C3", {"patient_id": "P-7"}).patient_id == "P-7"
    assert archive.update("C3", {"patient_id": None}).patient_id is None


@pytest.mark.parametrize(
    ("slide_id", "changes", "said"),
    [
        ("C3", {"diagnosis": "aden\udcf6m"}, "column diagnosis: holds bytes that are no text"),
        ("C3", {"diagno\udcf6": "x"}, "a column's name: holds bytes that are no text"),
        ("C\udcf6", {"diagnosis": "x"}, "the slide's id: holds bytes that are no text"),
    ],
)
def test_an_update_with_stray_bytes_is_refused(
    features: Path, archive: Archive, slide_id: str, changes: Mapping[str, str], said: str
) -> None:
    archive.index([features])
    with pytest.raises(InputError, match=said):
        archive.update(slide_id, changes)
