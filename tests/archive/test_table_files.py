"""Tables as people export them: whatever their columns are called and their files look like, ids stay what they are."""

from __future__ import annotations

import csv
import io
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoseek.archive.indexing.cell_values import infer_values, is_placeholder, parse_spacing
from histoseek.archive.indexing.metadata_table import MetadataTable, load_table
from histoseek.errors import BadTable
from histoseek.reports.files.column_names import guess_id, recognise_column
from histoseek.reports.files.report_reader import read_reports

from ..reports.made_files import Cell, workbook

SLIDES = ["Slide ID", "slide-id", "SlideID", "SLIDE_ID", " slide id ", "\ufeffslide_id", "Slide\xa0ID", "Slide Name"]
SLIDES += ["WSI", "wsi_id", "WSIName", "Image ID", "Objektträger-ID", "Objekttraegernummer Code", "Slide (ID)"]
SLIDES += ["Numéro de lame ID", "Slide barcode", "Whole slide image ID"]
CASES = ["case number", "Case #", "CaseID", "Fallnummer", "Fall-Nr.", "Accession No.", "N° de cas", "Specimen ID"]
PATIENTS = ["Patient ID", "patient-id", "PatientID", "Pat. ID", "Pat.-Nr.", "Patientennummer", "Patienten-ID", "MRN"]
PATIENTS += ["Numéro du patient", "Identifiant patient", "N° patient", "patiëntnummer", "Codice paziente", "Patient"]
PATIENTS += [
    "bcr_patient_barcode",
    "Subject ID",
    "subject",
    "Nº de paciente",
    "pt_id",
    "patient.id",
    "Anon Patient Code",
]
PATIENTS += ["MRN #", "MRN No", "Epic MRN", "MRN_ID", "PID", "Hosp. No.", "CHI number", "Med Rec No", "Chart #", "UHID"]
PATIENTS += ["Patient's ID", "Patient GUID", "Patient Ref", "case_submitter_id", "cases.submitter_id", "USUBJID"]
PATIENTS += ["Nº HC", "id pacjenta", "Hasta No", "Patient-Identifikator", "IPP patient"]
IN_OTHER_LETTERS = ["číslo pacienta", "患者ID", "患者番号", "환자번호", "ID пациента", "номер пациента"]
FILES = ["filename", "File Name", "file_path", "Image path", "Slide file name", "Dateiname", "nom du fichier"]
NO_IDS = ["age", "pT", "number of slides", "n_slides", "No. of cases", "patient_age", "patient name", "casein", "organ"]
NO_IDS += ["HC", "CHI", "CPR", "chart type", "NHS trust", "reference slide", "number of hospitals", "donor sex"]
NO_IDS += ["image_width", "slide_label", "scanner", "stage", "nodes no", "block_id", "phone number"]


@pytest.mark.parametrize(
    ("role", "names"),
    [("slide_id", SLIDES), ("case_id", CASES), ("patient_id", PATIENTS + IN_OTHER_LETTERS), ("file", FILES)],
)
def test_ids_are_recognised_by_any_usual_name(role: str, names: list[str]) -> None:
    named = {name: recognise_column(name) for name in names}
    assert {name: said and said.role for name, said in named.items()} == dict.fromkeys(names, role)


def test_other_columns_are_no_ids() -> None:
    ids = {"slide_id", "case_id", "patient_id", "file", "report_id"}
    assert [name for name in NO_IDS if (said := recognise_column(name)) and said.role in ids] == []
    assert [name for name in NO_IDS if guess_id(name)] == []


def load(folder: Path, content: str | bytes, name: str = "t.csv") -> MetadataTable:
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return load_table(folder / name)


def patients(table: MetadataTable) -> dict[str | None, str | None]:
    return {row.slide_id: row.texts.get("patient_id") for row in table.rows}


def test_blanks_in_the_header_leave_ids_alone(tmp_path: Path) -> None:
    found = load(tmp_path, " slide_id , patient_id \n00123,0012\n00456,12\n1e5,TRUE\n12.0,2024-01-01\n")
    assert patients(found) == {"00123": "0012", "00456": "12", "1e5": "TRUE", "12.0": "2024-01-01"}


def test_metadata_and_report_tables_know_the_same_names(tmp_path: Path) -> None:
    for slide, patient in zip(SLIDES, PATIENTS, strict=False):
        text = f"{slide},{patient},report\n007,0012,Adenoma.\n"
        assert patients(load(tmp_path, text)) == {"007": "0012"}
        (report,) = read_reports([tmp_path / "t.csv"]).reports
        assert (report.slide_ids, report.patient_id) == (("007",), "0012")


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("slide_id,pateint_id", "column 'pateint_id' looks like a patient's id and is not used; --rename pateint_id="),
        ("slide_id,patient2", "column 'patient2' looks like a patient's id and is not used; --rename patient2="),
        ("slide_id,old patient id", "--rename 'old patient id=patient_id'"),
        ("slide_id,patient_id,MRN", "'MRN' looks like a patient's id and is not used, since 'patient_id' is"),
        ("slide_id,ID", "column 'ID' may be a patient's id and is not used"),
        ("slide_id,study_id", "column 'study_id' may be a patient's id"),
        ("case_id,slde_id", "column 'slde_id' looks like a slide's id"),
    ],
)
def test_ids_that_are_not_used_are_named(tmp_path: Path, header: str, said: str) -> None:
    (warning,) = load(tmp_path, f"{header}\n{','.join('abc'[: header.count(',') + 1])}\n").warnings
    assert said in warning


def test_numbers_that_come_back_may_be_those_of_patients(tmp_path: Path) -> None:
    (warning,) = load(tmp_path, "slide_id,Enrolment no\na,17\nb,17\nc,18\n").warnings
    assert "column 'Enrolment no' may be a patient's id and is not used; if it is, --rename" in warning
    others = "slide_id,Enrolment no,Block no,stain code\na,17,1,5\nb,18,1,5\nc,19,2,6\n"
    assert load(tmp_path, others).warnings == ()
    labels = "".join(f"s{number},{number % 2}\n" for number in range(40))
    assert load(tmp_path, f"slide_id,risk code\n{labels}").warnings == ()


def test_words_for_an_unknown_patient_are_no_patient(tmp_path: Path) -> None:
    table = load(tmp_path, "slide_id,patient_id,ER\na,unknown,-\nb,unknown,+\nc,-,-\nd,n.a.,-\ne,P1,+\n")
    assert patients(table) == {"a": None, "b": None, "c": None, "d": None, "e": "P1"}
    assert [row.extra["er"] for row in table.rows] == ["-", "+", "-", "-", "+"]
    (warning,) = table.warnings
    assert "column 'patient_id' gives no id in 4 rows: 'unknown', '-', 'n.a.'" in warning


def test_a_row_without_an_id_has_no_say_in_the_types_of_columns(tmp_path: Path) -> None:
    table = load(tmp_path, "slide_id,age\n,years\na,5\n")
    assert ([row.extra for row in table.rows], len(table.refused)) == ([{"age": 5}], 1)


def test_usual_columns_raise_no_warning(tmp_path: Path) -> None:
    header = "slide_id,patient_id,case_id,age,block_id,stage,site_code,number of slides,scanner,sample_id"
    assert load(tmp_path, f"{header}\n{','.join('0123456789')}\n").warnings == ()


@pytest.mark.parametrize("line_end", ["\n", "\r", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "mac_roman"])
def test_line_ends_and_encodings(tmp_path: Path, line_end: str, encoding: str) -> None:
    lines = ["slide_id;diagnosis;note", "00123;Häufig größer;x", '00124;Adénome;"two', 'lines"', ";;", ""]
    found = load(tmp_path, line_end.join(lines).encode(encoding))
    assert [row.texts["diagnosis"] for row in found.rows] == ["Häufig größer", "Adénome"]
    assert found.rows[1].extra == {"note": f"two{line_end}lines"}
    assert (found.refused, found.warnings) == ((), ())


def test_empty_rows_and_columns_of_an_export_are_nothing(tmp_path: Path) -> None:
    found = load(tmp_path, "slide_id,age,empty,,\n00123,5,,,\n,,,,\n\n00124,6,,,\n,,,,\n, ,\t,,\n")
    assert [(row.slide_id, row.extra, row.where) for row in found.rows] == [
        ("00123", {"age": 5}, "line 2"),
        ("00124", {"age": 6}, "line 5"),
    ]
    assert (found.refused, found.warnings) == ((), ())


@pytest.mark.parametrize(
    ("content", "values"),
    [
        ("sep=;\nslide_id;a\n1;x, y\n", {"a": "x, y"}),
        ('"sep=|"\r\nslide_id|a\r\n1|x;y;z\r\n', {"a": "x;y;z"}),
        ("slide_id\ta, b, c\n1\tx\n", {"a_b_c": "x"}),
        ("slide_id;a\n1;x, y, z\n", {"a": "x, y, z"}),
        ("slide_id|a, b\n1|2\n", {"a_b": 2}),
        ("Export, 5 May 2024\n\nslide_id,a\n1,2\n", {"a": 2}),
        (",Clinical,\nslide_id,a,b\n1,2,3\n", {"a": 2, "b": 3}),
        ("Slide,Clinical,\nSlide ID,a,b\n1,2,3\n", {"a": 2, "b": 3}),
        (' "slide_id" , "a" \n "1" , "x, y" \n', {"a": "x, y"}),
        ("slide_id;a\n1;0,5\n2;\n", {"a": 0.5}),
        ('slide_id,a\n1,"1,234"\n2,"12,000"\n', {"a": 1234}),
        ("slide_id;a\n1;1.234,5\n2;2.000\n", {"a": 1234.5}),
        ("slide_id,a\n1,007\n2,8\n", {"a": "007"}),
        ("slide_id,a\n1,123456789012345678901\n", {"a": "123456789012345678901"}),
    ],
)
def test_the_whole_head_decides_how_a_table_is_read(tmp_path: Path, content: str, values: dict[str, object]) -> None:
    found = load(tmp_path, content)
    assert (found.rows[0].slide_id, found.rows[0].extra) == ("1", values)


def test_ids_that_a_spreadsheet_took_for_numbers(tmp_path: Path) -> None:
    assert patients(load(tmp_path, "slide_id,patient_id\n12.0,7.0\n13.0,\n")) == {"12": "7", "13": None}
    mixed = "slide_id,patient_id\n12.0,7.0\nA1,8.5\n13,7.0\n"
    assert patients(load(tmp_path, mixed)) == {"12": "7.0", "A1": "8.5", "13": "7.0"}
    assert patients(load(tmp_path, "slide_id,patient_id\na,7.0\nb,7\nc,A7\n")) == {"a": "7", "b": "7", "c": "A7"}
    marked = "slide_id,patient_id\n=\"00123\",'0012\nb,'x'\n"
    assert patients(load(tmp_path, marked)) == {"00123": "0012", "b": "'x'"}
    (warning,) = load(tmp_path, "slide_id,patient_id\na,1.2E+11\nb,5\n").warnings
    assert "column 'patient_id' holds ids in 1 rows that a spreadsheet has shortened, first in line 2" in warning


@pytest.mark.parametrize(
    ("text", "spacing"),
    [
        *(("0.25", 0.25), ("0,25", 0.25), ("~0.5", 0.5), ("0.25 um/px", 0.25), ("0,25 µm/px", 0.25), ("250 nm", 0.25)),
        *((" 0.5 microns per pixel", 0.5), ("0.5mpp", 0.5), ("20x", None), ("0", None), ("-1", None), ("250", None)),
        *(("1,2,3", None), ("fine", None), ("0.25 / 0.25", None)),
    ],
)
def test_spacings_as_people_write_them(text: str, spacing: float | None) -> None:
    assert parse_spacing(text) == spacing


def test_a_bad_row_is_refused_with_its_line_and_the_others_are_read(tmp_path: Path) -> None:
    rows = 'a,0.5,"two\nlines"\nb,20x,\n,0.5,\nc,0.5\nd,0.5,x,y\ne,0.25,\nf,1,"open\n'
    found = load(tmp_path, f"slide_id,mpp,note\n{rows}")
    assert [row.slide_id for row in found.rows] == ["a", "e"]
    assert [str(refusal).removeprefix(f"{tmp_path / 't.csv'}, ").partition(". ")[0] for refusal in found.refused] == [
        "line 6: 2 cells where the header has 3",
        "line 7: 4 cells where the header has 3",
        "line 9: a quote opened in line 9 is not closed",
        "line 4: the spacing of 'b' is '20x'",
        "line 5: the row has no id",
    ]


def test_columns_that_come_twice_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadTable, match=r"two columns are called 'age': 'age' \(column 2\), 'Age' \(column 3\)"):
        load(tmp_path, 'slide_id,age,"Age "\na,1,2\n'.replace("Age ", "Age "))
    with pytest.raises(BadTable, match="two columns are called 'slide_id'"):
        load(tmp_path, "slide_id,Slide\na,1\n")
    assert load(tmp_path, "slide_id,検体,部位\na,b,c\n").rows[0].extra == {"column": "b", "column_2": "c"}


def test_workbooks_are_read_as_their_sheets_show_them(tmp_path: Path) -> None:
    rows: list[list[Cell]] = [
        ["Export", "", "", ""],
        ["Slide ID", "Patient ID", "frozen", "seen"],
        [123.0, 12.0, True, date(2024, 5, 6)],
        ["00123", "A1", False, ""],
        ["", "", "", ""],
    ]
    more: dict[str, list[list[Cell]]] = {"Legend": [["frozen", "or not"]], "Old": [["Slide ID"], ["9"]]}
    workbook(tmp_path / "t.xlsx", rows, more, hidden="Old")
    found = load_table(tmp_path / "t.xlsx")
    assert patients(found) == {"123": "12", "00123": "A1"}
    assert [row.extra for row in found.rows] == [
        {"frozen": True, "seen": date(2024, 5, 6)},
        {"frozen": False, "seen": None},
    ]
    (warning,) = found.warnings
    assert "sheet 'Legend' is not used" in warning
    (tmp_path / "t.xlsx").rename(tmp_path / "t.csv")
    assert patients(load_table(tmp_path / "t.csv")) == {"123": "12", "00123": "A1"}


def test_cells_that_go_over_rows_speak_of_each(tmp_path: Path) -> None:
    rows: list[list[Cell]] = [["Slide ID", "Patient ID", "IHC", ""], ["", "", "ER", "PR"]]
    rows += [["a", "P1", 1, 2], ["b", "", 1, 2], ["c", "P2", 1, 2]]
    workbook(tmp_path / "t.xlsx", rows, merged=["A1:A2", "B1:B2", "C1:D1", "B3:B4"])
    table = load_table(tmp_path / "t.xlsx")
    assert patients(table) == {"a": "P1", "b": "P1", "c": "P2"}
    assert table.rows[0].extra == {"er": 1, "pr": 2}


def test_sheets_about_the_same_slides_are_put_together(tmp_path: Path) -> None:
    workbook(tmp_path / "t.xlsx", [["slide", "age"], ["a", 5]], {"T": [["slide", "ki"], ["a", 0.5], ["a", 0.6]]})
    with pytest.raises(BadTable, match="row 2 of sheet 'S': 'a' is there twice, here and in row 2 of sheet 'T'"):
        load_table(tmp_path / "t.xlsx")
    workbook(tmp_path / "t.xlsx", [["slide", "age"], ["a", 5]], {"T": [["slide", "ki"], ["a", 0.5]]})
    assert load_table(tmp_path / "t.xlsx").rows[0].extra == {"age": 5, "ki": 0.5}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.xlsx", b"\xd0\xcf\x11\xe0" + bytes(600), "not a readable workbook"),
        ("t.ods", b"PK\x03\x04", "not a readable workbook"),
        ("t.xls", b"slide_id,organ\na,lung\n", "not a readable workbook"),
        ("t.csv", b"<html><table><tr><td>slide_id</td></tr></table></html>", "a web page"),
        ("t.csv", b"\x89PNG\r\n\x1a\n\x00\x00", "not text but binary data"),
    ],
)
def test_files_that_are_no_tables_are_refused(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    with pytest.raises(BadTable, match=said):
        load(tmp_path, content, name)


def test_json_is_read(tmp_path: Path) -> None:
    found = load(tmp_path, '[{"Slide ID": "007", "age": 5, "ok": true}, {"Slide ID": "8", "age": null}]', "t.json")
    assert [(row.slide_id, row.extra) for row in found.rows] == [
        ("007", {"age": 5, "ok": True}),
        ("8", {"age": None, "ok": None}),
    ]


def test_types_are_the_narrowest_that_take_all() -> None:
    assert infer_values(["1", None, "-2"])[1] == [1, None, -2]
    assert infer_values(["1", "2.5", "1e5"])[1] == [1.0, 2.5, 1e5]
    assert infer_values(["TRUE", "false"])[1] == [True, False]
    assert infer_values(["2024-02-29", "2024-13-01"])[1] == ["2024-02-29", "2024-13-01"]
    assert infer_values([None, None]) == (None, [None, None])


IDS = st.sampled_from(["0012", "12", "00123", "1e5", "TRUE", "2024-05-06", "12,5", "a;b", "x|y", 'say "so"']) | st.text(
    st.characters(codec="cp1252", categories=("L", "N", "P", "S"), exclude_characters="\x00"), min_size=1, max_size=8
).filter(
    lambda text: (
        text.strip() == text
        and any(map(str.isalnum, text))
        and text.casefold() not in NULLS
        and not is_placeholder(text, "patient_id")
    )
)
NULLS = (
    *("nil", "unk", "n.a.", "k.a.", "tba", "tbd"),
    "na",
    "n/a",
    "nan",
    "null",
    "none",
    "nat",
    "<na>",
    "#n/a",
    "#num!",
    "#ref!",
    "#null!",
    "#name?",
    "#value!",
)
LAYOUTS = st.fixed_dictionaries(
    {
        "delimiter": st.sampled_from(",;\t|"),
        "line_end": st.sampled_from(["\n", "\r", "\r\n"]),
        "encoding": st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"]),
        "quoting": st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
        "declared": st.booleans(),
        "empty": st.integers(0, 3),
        "header": st.tuples(st.sampled_from(SLIDES), st.sampled_from(PATIENTS)),
    }
)


def write_table(rows: list[tuple[str, str]], layout: dict[str, object]) -> bytes:
    """A table of ids in some layout, with an empty column and empty rows."""
    text = io.StringIO()
    writer = csv.writer(
        text, delimiter=str(layout["delimiter"]), lineterminator=str(layout["line_end"]), quoting=layout["quoting"]
    )  # type: ignore[arg-type]
    if layout["declared"]:
        text.write(f"sep={layout['delimiter']}{layout['line_end']}")
    writer.writerow([*layout["header"], ""])  # type: ignore[misc]
    for row in rows:
        writer.writerow([*row, ""])
    for _ in range(int(str(layout["empty"]))):
        writer.writerow(["", "", ""])
        text.write(str(layout["line_end"]))
    return text.getvalue().encode(str(layout["encoding"]))


@settings(max_examples=50)
@given(st.lists(st.tuples(IDS, IDS), min_size=1, max_size=5, unique_by=lambda row: row[0]), LAYOUTS)
def test_ids_are_read_back_whatever_the_layout(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], layout: dict[str, object]
) -> None:
    path = tmp_path_factory.mktemp("tables", numbered=True) / "t.csv"
    path.write_bytes(write_table(rows, layout))
    found = load_table(path)
    assert [(row.slide_id, row.texts["patient_id"]) for row in found.rows] == rows
    assert found.refused == ()


def test_a_text_with_a_table_in_it_is_a_text(tmp_path: Path) -> None:
    text = "Pathology report\nPatient | Slide | Diagnosis\nP1 | 007 | Adenoma\nMore words.\n"
    (tmp_path / "007.txt").write_text(text)
    (report,) = read_reports([tmp_path / "007.txt"]).reports
    assert (report.report_id, report.text) == ("007", text.strip())
