"""What holds for any text: no error, nothing left for a second call, time in proportion."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoseek.reports.privacy.deidentify import KnownIdentifiers, deidentify

from .planted import documents
from .planted_layouts import TEST, TUNING

PIECES = st.sampled_from(
    [
        *(
            "Patient",
            "Name:",
            "Dr.",
            "Smith",
            "JOHN",
            "van",
            "de",
            "O'Brien",
            "Oyelaran",
            "MD",
            "M.D.",
            "signed by",
            "A",
            "J.",
        ),
        *("S19-12345", "1234567", "MRN", "03/04/2019", "March", "4", "2019", "92-year-old", "617-555-1234", "x@y.org"),
        *(
            "[NAME]",
            "[DATE]",
            "[ID]",
            "[NAME",
            "NAME]",
            "Hospital",
            "Street",
            "12",
            "Gleason",
            "3+4=7",
            "Paget",
            "of",
            "and",
        ),
        *(
            "^",
            "|",
            ",",
            ":",
            ";",
            "\n",
            "\t",
            " ",
            "  ",
            '"',
            "(",
            ")",
            "-",
            "/",
            ".",
            "姓名\uff1a",
            "张晓明",
            "اسم المريض: محمد",
            "é",
            "\u0301",
        ),
    ]
)
JOINED = st.lists(st.tuples(PIECES, st.sampled_from(["", " ", "  ", "\n"])), max_size=25).map(
    lambda pairs: "".join(piece + gap for piece, gap in pairs)
)
UNITS = [
    *(
        "a",
        "A",
        "1",
        "1-",
        "A.",
        "Dr. ",
        "Patient: ",
        "@",
        "a.",
        "www.",
        "A^",
        "van ",
        "Mr Van De ",
        "A Hospital ",
        "12 Rue A ",
    ),
    *(
        "May 1 ",
        "[NAME] A",
        "[",
        "+1 ",
        "\n",
        " ",
        "A-",
        "e\u0301",
        "cc: A B, MD; ",
        "John Smith ",
        "J.S. ",
        "姓名:张",
        "A|",
        '"A, ',
    ),
]


def call_count(text: str) -> int:
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        deidentify(text)
    finally:
        sys.setprofile(None)
    return calls


@given(st.text(max_size=300))
@settings(max_examples=300)
def test_any_text_passes_twice_alike(text: str) -> None:
    once = deidentify(text).text
    assert deidentify(once).text == once


@given(JOINED)
@settings(max_examples=500)
def test_any_mix_of_identifiers_passes_twice_alike(text: str) -> None:
    known = KnownIdentifiers(names=("Oyelaran, Zed",), ids=("S19-12345",))
    once = deidentify(text, known)
    assert deidentify(once.text, known).text == once.text
    ends = [0, *(span.end for span in once.spans)]
    assert all(end <= span.start < span.end for end, span in zip(ends, once.spans, strict=False))


def test_planted_documents_pass_twice_alike() -> None:
    for document in documents(TUNING | TEST, 2, seed=7):
        once = deidentify(document.text).text
        assert deidentify(once).text == once


@pytest.mark.parametrize("unit", UNITS)
def test_work_grows_with_the_length(unit: str) -> None:
    """Calls are counted, not seconds; a rule that backtracks would not come back from these texts at all."""
    deidentify("warm up")
    short, long = (call_count((unit * length)[:length]) for length in (3000, 12000))
    assert long <= 6 * short + 2000


@pytest.mark.parametrize("unit", ["A ", "1-", "a.", "Smith, "])
def test_long_texts_come_back(unit: str) -> None:
    text = (unit * 100_000)[:100_000]
    assert len(deidentify(text).text) > 0
