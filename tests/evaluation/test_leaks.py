"""Planted leaks are named, without a word of any report."""

from __future__ import annotations

from datetime import UTC, datetime

from histoseek.archive.schema import SlideRecord
from histoseek.evaluation.leaks import Leak, find_leaks

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def record(slide_id: str, patient: str | None, file: str, report: str | None = None) -> SlideRecord:
    return SlideRecord(slide_id, f"{slide_id}.svs", file, 0, 0, 0.0, 1, NOW, NOW, patient_id=patient, report=report)


def test_an_honest_cohort_has_none() -> None:
    records = [record(f"s{i}", f"p{i // 2}", f"f{i}", f"report of case {i // 2}") for i in range(6)]
    assert find_leaks(records) == ()
    assert find_leaks([record("a", "p", "", None), record("b", "q", "", " \n")]) == ()


def test_a_file_twice_is_named() -> None:
    (leak,) = find_leaks([record("b", "p", "f"), record("a", "p", "f"), record("c", "p", "g")])
    assert leak == Leak("same file", ("a", "b"), "a, b are one file under 2 slide ids")


def test_a_file_at_two_patients_is_named() -> None:
    (leak,) = find_leaks([record("a", "p", "f"), record("b", "q", "f")])
    assert leak.kind == "same file, other patient"
    assert leak.slide_ids == ("a", "b")


def test_a_report_at_two_patients_is_named_whatever_its_spaces_and_capitals() -> None:
    texts = ["Adenocarcinoma,  Grade 2.\n", " adenocarcinoma, grade 2."]
    (leak,) = find_leaks([record("a", "p", "f", texts[0]), record("b", "q", "g", texts[1])])
    assert (leak.kind, leak.slide_ids) == ("same report, other patient", ("a", "b"))
    assert "arcinoma" not in leak.what
    assert "\n" not in leak.what


def test_slides_of_one_patient_may_share_their_report() -> None:
    assert find_leaks([record("a", "p", "f", "text"), record("b", "p", "g", "text")]) == ()


def test_missing_patients_are_one_leak_and_differ_from_each_other() -> None:
    records = [record(f"s{i}", None if i % 2 else "", f"f{i}", "text" if i < 2 else None) for i in range(8)]
    patient, report = find_leaks(records)
    assert (patient.kind, len(patient.slide_ids)) == ("no patient", 8)
    assert patient.what.startswith("s0, s1, s2, s3, s4 and 3 more have no patient id")
    assert (report.kind, report.slide_ids) == ("same report, other patient", ("s0", "s1"))


def test_all_kinds_come_in_a_fixed_order() -> None:
    records = [record("d", "p", "f"), record("c", "p", "f"), record("b", "q", "g", "x"), record("a", "r", "h", "x")]
    assert [leak.kind for leak in find_leaks(records)] == ["same file", "same report, other patient"]
    assert find_leaks(records) == find_leaks(records[::-1])
