"""Rows that are not what they seem: quotes that are not closed, lines that are no JSON, nested values."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from histoseek.errors import BadTable
from histoseek.reports.files.encodings import clean_characters
from histoseek.reports.files.report_reader import read_reports

from .test_reading import read, texts

UNCLOSED = [
    ('a,"one\nb,"two"\nc,"three\nmore"\n', {"b": "two", "c": "three\nmore"}, [(2, 2, 2)]),
    ('a,"one\nb,two\nc,"three"\nd,four\n', {"c": "three", "d": "four"}, [(2, 2, 3)]),
    ('a,"one\nb,""\nc,"two"\nd,x\n', {"c": "two", "d": "x"}, [(2, 2, 3)]),
    ('a,one\nb,"two\nc,three\nd,four\n', {"a": "one"}, [(3, 3, 5)]),
    ('a,one\nb,"two', {"a": "one"}, [(3, 3, 3)]),
    ('"a","one\n"b","two"\n', {"b": "two"}, [(2, 2, 2)]),
    ('a,"one\nthe "x" sign\nend"\nb,two\n', {"b": "two"}, [(2, 2, 4)]),
    ('a,"3" x 2"\nof it"\nb,two\n', {"b": "two"}, [(2, 2, 2)]),
    ('a,"one\nb,"two\nc,"three"\n', {"c": "three"}, [(2, 2, 2), (3, 3, 3)]),
]


@pytest.mark.parametrize(("rows", "kept", "lost"), UNCLOSED)
def test_a_quote_that_is_not_closed_takes_no_other_row_along(
    tmp_path: Path, rows: str, kept: dict[str, str], lost: list[tuple[int, int, int]]
) -> None:
    found = read(tmp_path, "r.csv", f"slide_id,report\n{rows}")
    assert texts(found) == kept
    refused = [one for one in found.refused if "quote" in one.what]
    assert [one.what for one in refused] == [f"a quote opened in line {line} is not closed" for line, _, _ in lost]
    for refusal, (_, first, last) in zip(refused, lost, strict=True):
        lines = f"lines {first} to {last} are" if last > first else f"line {first} is"
        assert refusal.advice.endswith(f"{lines} left out")


def test_the_quote_that_is_not_closed_is_found_behind_a_closed_one(tmp_path: Path) -> None:
    found = read(tmp_path, "r.csv", 'id,gross,comment\na,"l1\nl2","m1\nm2\nb,"two",3\n')
    assert texts(found) == {"b": "GROSS:\ntwo\n\nCOMMENT:\n3"}
    (refusal,) = found.refused
    assert refusal.what == "a quote opened in line 3 is not closed"
    assert "lines 2 to 4" in refusal.advice


def test_quotes_over_several_lines_and_careless_ones_in_one_line_are_read(tmp_path: Path) -> None:
    rows = 'a,"one, ""two""\n\nb,three"\r\nb,"four\nfive"  \nc,"said "x" here"\nd,"6"\n'
    found = read(tmp_path, "r.csv", f"slide_id,report\n{rows}")
    said = {"a": 'one, "two"\n\nb,three', "b": "four\nfive", "c": 'said x" here"', "d": "6"}
    assert (texts(found), found.refused) == (said, ())


@given(
    st.lists(
        st.tuples(st.from_regex(r"[a-z]{1,5}[0-9]", fullmatch=True), st.text('ab ,;"\n\t1', min_size=1)),
        min_size=1,
        max_size=8,
        unique_by=lambda row: row[0],
    ),
    st.sampled_from((csv.QUOTE_MINIMAL, csv.QUOTE_ALL)),
)
def test_whatever_a_table_holds_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], quoting: Literal[0, 1]
) -> None:
    path = tmp_path_factory.mktemp("csv") / "r.csv"
    with path.open("w", newline="") as file:
        csv.writer(file, quoting=quoting).writerows([("slide_id", "report"), *rows])
    found = read_reports([path])
    assert texts(found) == {name: clean_characters(text) for name, text in rows if clean_characters(text)}
    assert len(found.reports) + len(found.refused) == len(rows)


@given(
    st.lists(st.text('ab ,"\n', max_size=12), min_size=2, max_size=6),
    st.sampled_from((csv.QUOTE_MINIMAL, csv.QUOTE_ALL)),
    st.integers(0, 5),
)
def test_no_report_holds_the_text_of_another_when_a_quote_is_missing(
    tmp_path_factory: pytest.TempPathFactory, said: list[str], quoting: Literal[0, 1], broken: int
) -> None:
    path = tmp_path_factory.mktemp("csv") / "r.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file, quoting=quoting, lineterminator="\n")
        rows.writerow(("slide_id", "report"))
        for number, text in enumerate(said):
            if number == broken % len(said):
                escaped = text.replace('"', '""')
                file.write(f's{number},"text{number} {escaped} end\n')
            else:
                rows.writerow((f"s{number}", f"text{number} {text} end"))
    try:
        found = read_reports([path]).reports
    except BadTable:
        return
    assert all(len(set(re.findall(r"text\d", report.text))) <= 1 for report in found)


def test_a_bad_line_of_json_is_refused_and_the_others_are_read(tmp_path: Path) -> None:
    lines = ('{"id": "a", "text": "one"}', '{"id": "b", "te', "[1]", '{"id": "c", "text": "three"}')
    found = read(tmp_path, "r.jsonl", "\n".join(lines))
    assert texts(found) == {"a": "one", "c": "three"}
    assert [refusal.source.row for refusal in found.refused] == [2, 3]
    assert found.refused[0].what.startswith("line 2 is not JSON (")
    assert found.refused[1].what == "line 3 is not a JSON object"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ('["one", {"more": "two"}]', "nested values in 'report'"),
        ('["one", ["two"]]', "nested values in 'report'"),
        ("1e400", "a number out of range in 'report'"),
        ("[1e400]", "a number out of range in 'report'"),
    ],
)
def test_values_that_are_no_whole_text_are_refused_with_their_row(tmp_path: Path, value: str, said: str) -> None:
    found = read(tmp_path, "r.json", f'[{{"id": "a", "report": "fine"}}, {{"id": "b", "report": {value}}}]')
    assert texts(found) == {"a": "fine"}
    assert [(refusal.source.row, refusal.what) for refusal in found.refused] == [(2, said)]


def test_an_id_out_of_range_is_refused_and_columns_that_are_not_read_may_hold_anything(tmp_path: Path) -> None:
    rows = '[{"id": 1e400, "report": "x"}, {"id": 7.0, "report": ["a", "b"], "other": [{"x": 1e400}]}]'
    found = read(tmp_path, "r.json", rows)
    assert texts(found) == {"7": "a\nb"}
    assert [(refusal.source.row, refusal.what) for refusal in found.refused] == [(1, "a number out of range in 'id'")]


def test_a_section_that_holds_values_within_values_is_refused(tmp_path: Path) -> None:
    rows = '[{"id": "a", "parts": {"diagnosis": "x"}}, {"id": "b", "parts": {"diagnosis": {"text": "y"}}}]'
    found = read(tmp_path, "r.json", rows)
    assert texts(found) == {"a": "DIAGNOSIS:\nx"}
    assert [(one.source.row, one.what) for one in found.refused] == [(2, "nested values in 'parts.diagnosis'")]
