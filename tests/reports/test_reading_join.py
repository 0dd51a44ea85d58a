"""Joining reports to slides."""

from __future__ import annotations

from pathlib import Path

from histoseek.reports.files.document import Report, ReportPart, ReportSource
from histoseek.reports.files.report_columns import ReportColumns
from histoseek.reports.files.report_join import JoinKey, ReportJoin, SlideKey, join_reports
from histoseek.reports.files.report_reader import read_reports

QUESTIONS = ReportColumns.from_roles({"Id": "case_id", "Answer": "report"})
SLIDES = [
    SlideKey(file=Path("/x/one/s.svs")),
    SlideKey(file=Path("/x/two/s.svs")),
    SlideKey(slide_id="S-7", file=Path("/x/T-1.ABC.svs"), case_id="K1", patient_id="P1"),
    SlideKey(file=Path("/x/C9-A.svs")),
    SlideKey(file=Path("/x/C9-B.svs")),
    SlideKey(file=Path("/x/C99.svs")),
    SlideKey(file=Path("/x/TCGA-AB-1234-01Z-00-DX1.7F-1.svs")),
    SlideKey(file=Path("/x/TCGA-AB-1234-01Z-00-DX2.8E-2.svs")),
]


def report(
    report_id: str = "",
    slide_ids: tuple[str, ...] = (),
    files: tuple[str, ...] = (),
    case_id: str | None = None,
    patient_id: str | None = None,
) -> Report:
    name = report_id or next(filter(None, (case_id, *slide_ids, *files, patient_id)))
    return Report(
        name, slide_ids, files, case_id, patient_id, (ReportPart("report", "t"),), ReportSource(Path("/r/t.csv"))
    )


def places(found: ReportJoin) -> list[tuple[int, JoinKey]]:
    return [(pair.slide, pair.by) for pair in found.pairs]


def joined(**ids: object) -> list[tuple[int, JoinKey]]:
    return places(join_reports([report(**ids)], SLIDES))  # type: ignore[arg-type]


def test_by_file() -> None:
    assert joined(files=("one/s.svs",)) == [(0, "file")]
    assert joined(files=("/x/two/S.SVS",)) == [(1, "file")]
    assert joined(files=("ONE\\s.svs",)) == [(0, "file")]
    assert joined(files=("other/s.svs",)) == []


def test_a_file_beside_the_table_comes_first() -> None:
    beside = Report("s", (), ("s.svs",), None, None, (), ReportSource(Path("/x/two/t.csv")))
    assert places(join_reports([beside], SLIDES)) == [(1, "file")]


def test_by_slide_id_whatever_the_case_of_letters_and_the_ending() -> None:
    for name in ("S-7", "s-7", "T-1.ABC.svs", "t-1.abc", "T-1", "T-1.other"):
        assert joined(slide_ids=(name,)) == [(2, "slide id")], name
    assert joined(slide_ids=("C9-A", "C9-B")) == [(3, "slide id"), (4, "slide id")]


def test_a_slide_that_is_not_there_is_not_replaced_by_its_case() -> None:
    assert joined(slide_ids=("C9-Z",), case_id="C9") == []


def test_by_case() -> None:
    assert joined(case_id="k1") == [(2, "case id")]
    assert joined(case_id="C9") == [(3, "case id"), (4, "case id")]
    assert joined(case_id="TCGA-AB-1234") == [(6, "case id"), (7, "case id")]
    assert joined(case_id="tcga-ab-1234-01A") == [(6, "case id"), (7, "case id")]


def test_a_plain_id_is_a_slide_or_else_a_case_or_patient() -> None:
    assert joined(report_id="C9-A") == [(3, "slide id")]
    assert joined(report_id="C9") == [(3, "case id"), (4, "case id")]
    assert joined(report_id="r1", patient_id="p1") == [(2, "patient id")]
    assert joined(patient_id="TCGA-AB-1234") == [(6, "patient id"), (7, "patient id")]


def test_a_tcga_patient_in_the_slide_column() -> None:
    assert joined(slide_ids=("TCGA-AB-1234",)) == [(6, "slide id"), (7, "slide id")]
    assert joined(slide_ids=("TCGA-AB-1234-01Z-00-DX3",)) == []
    assert joined(slide_ids=("TCGA-AB-1234-01Z-00-DX1",)) == [(6, "slide id")]


def test_what_did_not_join_is_listed_both_ways() -> None:
    reports = [report(files=("s.svs",)), report(case_id="nowhere"), report(slide_ids=("S-7",)), report("gone")]
    found = join_reports(reports, SLIDES)
    assert [(lost.report.report_id, lost.reason) for lost in found.reports_without_slide] == [
        ("s.svs", "'s.svs' matches several slides"),
        ("nowhere", "no slide of case 'nowhere'"),
        ("gone", "no slide or case 'gone'"),
    ]
    assert found.slides_without_report == (0, 1, 3, 4, 5, 6, 7)


def test_the_real_captions_find_the_fields_of_their_patients(shared_data: Path) -> None:
    captions = read_reports([shared_data / "reports" / "wsivqa_tcga_brca_test.json"], QUESTIONS)
    fields = [SlideKey(file=path) for path in sorted((shared_data / "tiles" / "monuseg").iterdir())]
    patients = {key.file.name[:12] for key in fields if key.file}
    found = join_reports(captions.reports, fields)
    told = {captions.reports[pair.report].report_id.partition("#")[0][:12] for pair in found.pairs}
    known = {report.report_id.partition("#")[0][:12] for report in captions.reports}
    assert told == known & patients
