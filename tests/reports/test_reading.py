"""Reading reports from files of many kinds."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from histoseek.errors import BadTable, ConfigurationError, InputError
from histoseek.reports.files.document import Report, ReportBatch
from histoseek.reports.files.encodings import clean_characters, clean_id
from histoseek.reports.files.report_columns import ReportColumns
from histoseek.reports.files.report_reader import read_reports
from histoseek.reports.files.texts import LONGEST_TEXT

from .made_files import pdf, workbook


def read(folder: Path, name: str, content: str | bytes, columns: ReportColumns | None = None) -> ReportBatch:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_reports([path], columns)


def only(found: ReportBatch) -> Report:
    (report,) = found.reports
    return report


def texts(found: ReportBatch) -> dict[str, str]:
    return {report.report_id: report.text for report in found.reports}


TABLES = {
    "r.csv": "slide_id,report\na,one\nb,two\n",
    "r.tsv": "slide\ttext\na\tone\nb\ttwo\n",
    "semicolons.csv": "WSI;Befund\na;one\nb;two\n",
    "unicode.txt": "slide_id\treport\r\na\tone\r\nb\ttwo\r\n".encode("utf-16"),
    "list.json": '[{"slide_id": "a", "report": "one"}, {"slide_id": "b", "report": "two"}]',
    "texts.json": '{"a": "one", "b": "two"}',
    "objects.json": '{"a": {"report": "one"}, "b": {"report": "two"}}',
    "data.json": '{"data": [{"slide_id": "a", "report": "one"}, {"slide_id": "b", "report": "two"}]}',
    "lines.jsonl": '{"slide_id": "a", "report": "one"}\n\n{"slide_id": "b", "report": "two"}\n',
}


@pytest.mark.parametrize("name", TABLES)
def test_every_layout_gives_the_same_reports(tmp_path: Path, name: str) -> None:
    found = read(tmp_path, name, TABLES[name])
    assert texts(found) == {"a": "one", "b": "two"}
    assert (found.refused, found.folded, found.differing) == ((), (), ())
    assert found.files[0].texts == 2


def test_a_workbook_keeps_whole_numbers_and_order_of_dates(tmp_path: Path) -> None:
    rows: list[list[str | float | date]] = [
        ["Accession No", "Date", "Report"],
        [1203.0, date(2024, 5, 9), "added"],
        [1203.0, date(2024, 5, 2), "first"],
    ]
    workbook(tmp_path / "r.xlsx", rows)
    report = only(read_reports([tmp_path / "r.xlsx"]))
    assert (report.case_id, report.text) == ("1203", "first\n\nADDENDUM 1:\n\nadded")
    assert report.source.row == 3


def test_a_file_that_is_no_workbook_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadTable, match="not a readable workbook"):
        read(tmp_path, "r.xlsx", b"PK\x03\x04 nothing")


def test_the_text_of_a_pdf_is_read_and_pictures_are_refused(tmp_path: Path) -> None:
    pdf(tmp_path / "S24-1.pdf", "BT /F 12 Tf 20 200 Td (Tubular adenoma) Tj ET")
    assert texts(read_reports([tmp_path / "S24-1.pdf"])) == {"S24-1": "Tubular adenoma"}
    pdf(tmp_path / "scan.pdf", "0 0 100 100 re f")
    with pytest.raises(InputError, match="1 pages of pictures only"):
        read_reports([tmp_path / "scan.pdf"])
    (tmp_path / "torn.pdf").write_bytes(b"%PDF-1.4\n1 0 obj<</Type")
    with pytest.raises(InputError, match="not a readable PDF"):
        read_reports([tmp_path / "torn.pdf"])


def test_a_folder_is_read_and_one_bad_file_stops_no_other(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.txt").write_text("Adenoma.")
    (tmp_path / "deep" / "b.md").write_text("# Diagnosis\nCarcinoma.")
    (tmp_path / "r.csv").write_text("slide_id,report\nc,Metaplasia.\n")
    (tmp_path / "picture.txt").write_bytes(bytes(range(256)) * 8)
    (tmp_path / "words.docx").write_bytes(b"PK\x03\x04")
    (tmp_path / "old.DOC").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1")
    (tmp_path / "rich.rtf").write_text("{\\rtf1 Adenoma}")
    (tmp_path / "deep" / "open.odt").write_bytes(b"PK\x03\x04")
    (tmp_path / "slide.svs").write_bytes(b"no report")
    (tmp_path / "~$words.docx").write_bytes(b"lock")
    (tmp_path / "lost.txt").symlink_to(tmp_path / "nowhere.txt")
    (tmp_path / "lost folder").symlink_to(tmp_path / "nowhere")
    (tmp_path / "linked.txt").symlink_to(tmp_path / "a.txt")
    (tmp_path / "more").symlink_to(tmp_path / "deep")
    (tmp_path / "empty.txt").write_text(" \n")
    (tmp_path / "wrong.csv").write_text("name,organ\na,lung\n")
    (tmp_path / ".hidden.txt").write_text("not this")
    found = read_reports([tmp_path])
    read_texts = {"a": "Adenoma.", "b": "# Diagnosis\nCarcinoma.", "c": "Metaplasia.", "linked": "Adenoma."}
    assert texts(found) == read_texts
    assert all(refusal.advice for refusal in found.refused)
    assert {refusal.source.path.name: refusal.what for refusal in found.refused} == {
        "empty.txt": "empty",
        "lost folder": "a link to a file that does not exist",
        "lost.txt": "a link to a file that does not exist",
        "more": "a link to a folder",
        "old.DOC": "not plain text but a Word file",
        "open.odt": "not plain text but an OpenDocument text",
        "picture.txt": "not text but binary data",
        "rich.rtf": "not plain text but a Rich Text file",
        "words.docx": "not plain text but a Word file",
        "wrong.csv": "no id column among: name, organ",
    }


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("r.csv", "slide_id,organ\na,lung\n", "no report column among: slide_id, organ"),
        ("r.csv", "slide_id,report\n", "no rows"),
        ("r.csv", "", "empty"),
        ("r.csv", "slide_id,slide,report\na,b,c\n", "two columns have the role 'slide_id': slide_id, slide"),
        ("r.csv", "report,text,id\na,b,c\n", "two columns have the role 'report'"),
        ("r.csv", "id,comment,comment\na,b,c\n", "two columns are called 'comment'"),
        ("r.json", '{"a": ', "not readable as JSON"),
        ("r.json", '["a", "b"]', "JSON of an unexpected shape"),
        ("r.json", "[" * 100_000, "not readable as JSON"),
        ("r.jsonl", '[1]\n{"id": 1', "line 1 is not a JSON object"),
        ("r.csv", 'slide_id,"report\na,b\n', "a quote opened in line 1 is not closed"),
        ("r.txt", b"\x89PNG\r\n\x1a\n\x00\x00", "not text but binary data"),
        ("r.txt", b"{\\rtf1 text}", "a Rich Text file"),
        ("r.docx", b"PK\x03\x04abc", "a Word file"),
        ("r.txt", "x" * (LONGEST_TEXT + 1), "1,000,001 characters; a report may have at most 1,000,000"),
        ("r.txt", "x" * 5_000_000, "5.0 MB; a report may have at most"),
    ],
)
def test_a_single_unusable_file_is_raised(tmp_path: Path, name: str, content: str | bytes, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read(tmp_path, name, content)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadTable, match="No such file"):
        read_reports([tmp_path / "none.csv"])


def test_columns_are_recognised_shown_and_become_parts(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "r.csv",
        "Slide ID,caseNumber,Final Diagnosis,Gross Description,Clinical History,age\ns,c,Adenoma,One piece,Polyp,61\n",
    )
    (file,) = found.files
    assert file.mapping is not None
    assert str(file.mapping) == (
        "Slide ID = slide_id, caseNumber = case_id, Final Diagnosis = diagnosis, Gross Description = gross, "
        "Clinical History = history; not read: age"
    )
    assert only(found).text == "DIAGNOSIS:\nAdenoma\n\nGROSS:\nOne piece\n\nHISTORY:\nPolyp"


def test_a_table_without_a_header_does_not_spill_its_text(tmp_path: Path) -> None:
    with pytest.raises(BadTable) as raised:
        read(tmp_path, "r.csv", 'S1,"A long report\nof Jane Doe, who came to the clinic."\nS2,"More text."\n')
    assert "no id column among: 2 columns, none with a known name" in str(raised.value)
    assert "Jane" not in str(raised.value)


def test_columns_can_be_given(tmp_path: Path) -> None:
    table = "Nr,Text A,Text B,report\n7,alpha,beta,gamma\n"
    named = ReportColumns.from_roles({"Nr": "slide_id", "Text B": "diagnosis"})
    assert only(read(tmp_path, "r.csv", table, named)).text == "DIAGNOSIS:\nbeta"
    renamed = ReportColumns.from_renames({"Nr": "slide", "Text A": "report", "Klinik": "site", "absent": "report"})
    assert only(read(tmp_path, "r.csv", table, renamed)).text == "alpha"
    with pytest.raises(BadTable, match=r"no column 'Nummer'. The columns are: Nr, Text A, Text B, report"):
        read(tmp_path, "r.csv", table, ReportColumns.from_roles({"Nummer": "slide_id"}))
    with pytest.raises(ConfigurationError, match="'slidesid' is not a role"):
        ReportColumns.from_roles({"Nr": "slidesid"})


def test_rows_that_cannot_be_used_are_refused_with_their_numbers(tmp_path: Path) -> None:
    long = "x" * (LONGEST_TEXT + 1)
    found = read(tmp_path, "r.csv", f'slide_id,report\na,one\n,two\nb,N/A\nc,{long}\nd,three,x\n"e,four\nf,five\n')
    assert texts(found) == {"a": "one"}
    assert [(refusal.source.row, refusal.what) for refusal in found.refused] == [
        (3, "the row has no id"),
        (4, "no text"),
        (5, "1,000,001 characters; a report may have at most 1,000,000"),
        (6, "3 cells where the header has 2"),
        (7, "a quote opened in line 7 is not closed"),
    ]
    assert str(found.refused[3]).endswith("row 6: 3 cells where the header has 2. Check the quotes around its text; "
                                          "quotes inside it must be doubled")  # fmt: skip


def test_the_same_text_is_folded_and_differing_texts_are_kept(tmp_path: Path) -> None:
    found = read(tmp_path, "r.csv", "id,report\na,one\nb,two\na,one\nb,other\n")
    assert texts(found) == {"a": "one", "b": "two", "b#2": "other"}
    assert (found.folded, found.differing) == (("a",), ("b",))


def test_repeated_names_of_a_json_object_are_not_lost(tmp_path: Path) -> None:
    found = read(tmp_path, "r.json", '{"a": "one", "a": "two"}')
    assert texts(found) == {"a": "one", "a#2": "two"}


def test_slides_of_one_report(tmp_path: Path) -> None:
    found = read(tmp_path, "r.csv", "case_id,slide_id,report\nc,a;b,one\nc,d,one\nc,e,two\n")
    assert [(report.report_id, report.slide_ids) for report in found.reports] == [
        ("c", ("a", "b", "d")),
        ("c#2", ("e",)),
    ]
    nested = json.dumps([{"report_id": "r", "slides": ["a", "b"], "sections": {"diagnosis": "x", "gross": "y"}}])
    report = only(read(tmp_path, "r.json", nested))
    assert (report.slide_ids, report.text) == (("a", "b"), "DIAGNOSIS:\nx\n\nGROSS:\ny")


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("date", ("2024-03-10", "2024-03-02", "2024-03-05")),
        ("date", ("10.3.2024", "2.3.2024", "5.3.2024")),
        ("date", ("14/3/2024", "12/13/2023", "1/2/2024")),
        ("sequence", ("10", "1", "9")),
    ],
)
def test_addenda_follow_the_report_in_order(tmp_path: Path, column: str, values: tuple[str, str, str]) -> None:
    rows = "".join(f"c,{value},{text}\n" for value, text in zip(values, ("last", "report", "next"), strict=True))
    found = read(tmp_path, "r.csv", f"case_id,{column},text\n{rows}")
    assert [(part.text, part.addendum) for part in only(found).parts] == [("report", 0), ("next", 1), ("last", 2)]


def test_later_rows_of_other_slides_are_reports_of_their_own(tmp_path: Path) -> None:
    rows = "c,a,2024-01-02,first\nc,b,2024-01-05,second\nc,a,2024-01-09,added\n"
    found = read(tmp_path, "r.csv", f"case_id,slide_id,date,text\n{rows}")
    assert texts(found) == {"c": "first\n\nADDENDUM 1:\n\nadded", "c#2": "second"}


def test_marked_addenda_never_replace_the_report(tmp_path: Path) -> None:
    found = read(
        tmp_path, "r.csv", "case_id,report_type,text\nc,Addendum,ER positive\nc,Final,Carcinoma\nd,Supplement,alone\n"
    )
    assert texts(found) == {"c": "Carcinoma\n\nADDENDUM 1:\n\nER positive", "d": "alone"}
    columns = read(tmp_path, "r.csv", "case_id,diagnosis,addendum\nc,Carcinoma,HER2 negative\n")
    assert only(columns).text == "DIAGNOSIS:\nCarcinoma\n\nADDENDUM 1:\n\nHER2 negative"


HEBREW = "\u202bקרצינומה\u202c"  # noqa: RUF001
SAMPLES = {
    "cp1252": "Mäßig differenziertes Adenokarzinom, Größe 3,5 cm: Schnittränder frei.",
    "gb18030": "胃窦部中分化腺癌, 侵及肌层。淋巴结未见转移。",
    "big5": "胃腺癌, 中度分化, 侵犯肌肉層。",
    "shift_jis": "中分化型管状腺癌、筋層浸潤。リンパ節転移なし。",
    "cp1251": "Умеренно дифференцированная аденокарцинома желудка.",
    "utf-16": "Carcinome canalaire, grade élevé.",
    "utf-16-le": "Invasive carcinoma of no special type, 3 µm.",
    "utf-8-sig": "קרצינומה דוקטלית פולשנית, דרגה 2",
    "utf-8": "سرطانة غدية متوسطة التمايز",
}


@pytest.mark.parametrize("encoding", SAMPLES)
def test_encodings_are_found_and_said(tmp_path: Path, encoding: str) -> None:
    text = SAMPLES[encoding]
    for name, content in (("a.txt", text), ("t.csv", f'slide_id,report\na,plain\nb,"{text}"\n')):
        found = read(tmp_path, name, content.encode(encoding))
        assert found.reports[-1].text == text
        assert found.files[0].encoding == encoding.removesuffix("-sig")


def test_encodings_mixed_in_one_file(tmp_path: Path) -> None:
    content = "id,report\na,größer\nb,胃腺癌\n".encode() + "c,grade élevé\n".encode("cp1252")
    found = read(tmp_path, "r.csv", content)
    assert texts(found) == {"a": "größer", "b": "胃腺癌", "c": "grade élevé"}
    assert found.files[0].encoding == "utf-8 with cp1252"


def test_text_is_kept_in_composed_form_without_controls() -> None:
    assert clean_characters("Gro\u0308\u00dfe\x00 3\r\ncm\x07\u2028ok\xa0\x0b") == "Größe 3\ncm\nok"
    assert clean_characters(HEBREW) == HEBREW
    assert clean_id("\u200f S24-1\u202c\ufeff ") == "S24-1"


@given(st.text())
def test_cleaning_twice_changes_nothing(text: str) -> None:
    once = clean_characters(text)
    assert clean_characters(once) == once
    assert clean_id(clean_id(text)) == clean_id(text)


@example({"S24-0001": "N\x08A", "S24-0002": "none"})
@given(st.dictionaries(st.from_regex(r"[a-zA-Z0-9-]{5,9}", fullmatch=True), st.text(min_size=1), min_size=1))
def test_whatever_json_holds_is_read_back(tmp_path_factory: pytest.TempPathFactory, reports: dict[str, str]) -> None:
    path = tmp_path_factory.mktemp("json") / "r.json"
    path.write_text(json.dumps(reports, ensure_ascii=True))
    found = read_reports([path])
    nothing = ("", "na", "n/a", "nan", "null", "none")
    wanted = {name: clean_characters(text) for name, text in reports.items() if clean_characters(text)}
    assert texts(found) == {name: text for name, text in wanted.items() if text.lower() not in nothing}
    assert len(found.reports) + len(found.refused) == len(reports)


def test_the_real_files(shared_data: Path) -> None:
    counts = {"reg2025_reports.json": 7643, "patchgastric_captions.csv": 991}
    for name, count in counts.items():
        found = read_reports([shared_data / "reports" / name])
        assert len(found.reports) == count
        assert not found.refused
    captions = read_reports([shared_data / "reports" / "pathgen_sample_captions.json"])
    assert sum(len(report.slide_ids) for report in captions.reports) >= 4900
    assert len(read_reports([shared_data / "reports" / "dragon"]).reports) == 8


def test_halves_of_characters_do_not_reach_the_text(tmp_path: Path) -> None:
    path = tmp_path / "halves.jsonl"
    path.write_text('{"slide_id": "a", "report": "bad \\ud800 adenoma"}\n{"slide_id": "b", "report": "fine"}\n')
    texts = [report.text for report in read_reports([path]).reports]
    assert texts == ["bad ? adenoma", "fine"]
