"""Stages, grades, counts, margins and findings of made sentences, each with what one row of a case says of them.

fields.tsv: "field=values" of a `ReportSummary` (nothing behind the sign: not stated), and the text. Written without a
look at the rules, and measured before they were mended (benchmarks/RESULTS.md).
"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from histoseek.reports.facts.structured import extract_facts
from histoseek.reports.facts.summary import summarise_report


def read_rows() -> list[tuple[str, str]]:
    with (Path(__file__).parent / "fields.tsv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [(row["expected"], row["text"].replace("\\n", "\n")) for row in rows]


@pytest.mark.parametrize(("expected", "text"), read_rows())
def test_what_a_sentence_says_of_a_case(expected: str, text: str) -> None:
    summary = summarise_report(extract_facts(text))
    for field in expected.split():
        name, _, value = field.partition("=")
        own = getattr(summary, name)
        assert (own if isinstance(own, str) else ",".join(own)) == value, name
