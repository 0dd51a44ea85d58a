"""Finding the sections and specimens of a report."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from histoseek.reports.language.headings import SECTION_NAMES, load_headings
from histoseek.reports.language.sections import SECTION_PRECEDENCE, Sections, split_sections
from histoseek.reports.language.words import Span
from histoseek.reports.visible.rules import judge_sentences


def outline(text: str) -> list[tuple[str, str | None, str]]:
    """Name, specimen and words of each section."""
    return [
        (part.name, part.specimen, " | ".join(sentence.text for sentence in part.sentences))
        for part in split_sections(text).sections
    ]


FULL = """CLINICAL HISTORY: 61-year-old with a nodule.
GROSS DESCRIPTION:
A. Received in formalin, 2 x 1 cm.
B. Two cores.
MICROSCOPIC DESCRIPTION
Sections show glands.

FINAL DIAGNOSIS:
A. Lung, left, wedge resection:
   1. Adenocarcinoma.
   2. Emphysema.
B. Lymph node, biopsy: no tumor.
Comment: See above.
Immunohistochemistry: TTF-1 positive.
ADDENDUM
EGFR wild type.
"""


def test_a_full_report() -> None:
    assert outline(FULL) == [
        ("history", None, "61-year-old with a nodule."),
        ("gross", "A", "A. Received in formalin, 2 x 1 cm."),
        ("gross", "B", "B. Two cores."),
        ("microscopy", None, "Sections show glands."),
        ("diagnosis", "A", "A. Lung, left, wedge resection: | 1. Adenocarcinoma. | 2. Emphysema."),
        ("diagnosis", "B", "B. Lymph node, biopsy: no tumor."),
        ("comment", None, "See above."),
        ("ancillary", None, "TTF-1 positive."),
        ("addendum", None, "EGFR wild type."),
    ]
    found = split_sections(FULL)
    assert found.specimens == ("A", "B")
    assert [part.name for part in found.select_specimen("B")] == ["gross", "diagnosis"]
    assert [part.heading for part in found.select("microscopy", "comment")] == ["MICROSCOPIC DESCRIPTION", "Comment"]


def test_the_section_of_a_place() -> None:
    sections = split_sections(FULL)
    for word, name, specimen in [
        ("nodule", "history", None),
        ("Emphysema", "diagnosis", "A"),
        ("EGFR", "addendum", None),
    ]:
        start = FULL.index(word)
        section = sections.find(Span(start, start + len(word)))
        assert (section.name, section.specimen) == (name, specimen)
    assert sections.find(Span(len(FULL), len(FULL))).name == "addendum"
    with pytest.raises(IndexError):
        sections.find(Span(len(FULL) + 1, len(FULL) + 2))


def test_every_section_has_its_rank() -> None:
    assert sorted(SECTION_PRECEDENCE) == sorted(SECTION_NAMES)


@pytest.mark.parametrize(
    ("heading", "name"),
    [
        ("FINAL PATHOLOGIC DIAGNOSIS:", "diagnosis"),
        ("Diagnosis (revised):", "diagnosis"),
        ("## Diagnosis", "diagnosis"),
        ("**Microscopic Description:**", "microscopy"),
        ("MICROSCOPY (July 10):", "microscopy"),
        ("Gross and Microscopic Description:", "microscopy"),
        ("3. Gross Examination:", "gross"),
        ("Pre-operative diagnosis:", "history"),
        ("ST. ELSEWHERE HOSPITAL CLINICAL INFORMATION:", "history"),
        ("Makroskopie:", "gross"),
        ("Klinische Angaben:", "history"),
        ("Kritischer Bericht:", "diagnosis"),
        ("EXAMEN MACROSCOPIQUE :", "gross"),
        ("Renseignements cliniques :", "history"),
        ("Conclusie:", "diagnosis"),
        ("Microscopisch onderzoek:", "microscopy"),
        ("Molekularpathologie:", "ancillary"),
        ("Nachtrag:", "addendum"),
        ("Special Stains:", "ancillary"),
        ("Specimen(s) Received:", "other"),
        ("INTRAOPERATIVE CONSULTATION:", "frozen"),
        ("Frozen Section Diagnosis:", "frozen"),
        ("Schnellschnitt:", "frozen"),
        ("Gross", "gross"),
        ("Diagnosis - ", "diagnosis"),
        ("Comment \u2013 ", "comment"),
    ],
)
def test_headings_in_many_words(heading: str, name: str) -> None:
    found = split_sections(f"{heading}\nSome text here.")
    assert [(part.name, len(part.sentences)) for part in found.sections] == [(name, 1)]
    assert found.sections[0].sentences[0].text == "Some text here."


@pytest.mark.parametrize(
    "line",
    ["Tumor size: 3 cm", "PROSTATE, NEEDLE BIOPSY:", "The diagnosis is carcinoma.", "Necrosis: absent", "Grade: 2"],
)
def test_lines_that_are_no_headings(line: str) -> None:
    assert [part.heading for part in split_sections(f"MICROSCOPY:\nGlands.\n{line}\nmore").sections] == ["MICROSCOPY"]


def test_headings_within_a_line() -> None:
    text = "Clinical History: Mass. Gross Description: One core. FINAL DIAGNOSIS: Carcinoma. Note: none"
    assert [name for name, *_ in outline(text)] == ["history", "gross", "diagnosis", "comment"]


def test_fields_of_a_diagnosis_stay_in_it() -> None:
    text = "DIAGNOSIS\nProcedure: Excision\nTumor type: ductal\n"
    assert outline(text) == [("diagnosis", None, "Procedure: Excision | Tumor type: ductal")]


def test_text_without_headings() -> None:
    assert outline("Prostate, biopsy;\n  Acinar adenocarcinoma\n\nNote) Small.") == [
        ("diagnosis", None, "Prostate, biopsy; | Acinar adenocarcinoma"),
        ("comment", None, "Small."),
    ]
    assert outline("Atypical cells form ducts.") == [("other", None, "Atypical cells form ducts.")]
    assert outline("") == [("other", None, "")]


@pytest.mark.parametrize(
    ("lines", "labels"),
    [
        ("Specimen 1: skin\nSpecimen 2: lung", ["1", "2"]),
        ("Part A - skin\nPart B - lung", ["A", "B"]),
        ("Samples I & II: glands\nSample III: none", ["I", "II", "III"]),
        ("1) Skin, arm, excision:\nnevus\n2) Skin, leg, punch biopsy:\nscar", ["1", "2"]),
        ("A. Colon: polyp\nB. Rectum: none\nC. Ileum: none", ["A", "B", "C"]),
        ("1. Carcinoma\n2. Carcinoma in situ", []),
        ("A. Prostate, biopsy:\n1. Carcinoma\n2. Prostatitis", ["A"]),
        ("Probe 1: Haut\nProbe 2: Lunge", ["1", "2"]),
        ("I am sure. A note.", []),
        ("(A) Node, excision: carcinoma. (B) Larynx: carcinoma. (D) no", ["A", "B"]),
        ("Told to Dr. B. Smith. C. Jones knows.", []),
        ("A. Skin, biopsy: x\nB. Lung: y\nA-B. Both are alike.", ["A", "B"]),
    ],
)
def test_specimens(lines: str, labels: list[str]) -> None:
    assert list(split_sections(f"DIAGNOSIS:\n{lines}").specimens) == labels


def test_text_before_the_first_specimen_belongs_to_none() -> None:
    assert [specimen for _, specimen, _ in outline("DIAGNOSIS:\nAll of them:\nPart A: x\nPart B: y")] == [
        None,
        "A",
        "B",
    ]


LINES = st.lists(
    st.sampled_from(
        [
            *FULL.splitlines(),
            "",
            "Specimen 2: x",
            "Note) y",
            "  II. Skin, biopsy:",
            "# Gross",
            "a\tb",
            "DIAGNOSIS: Part A: z",
        ]
    )
)


def covers(found: Sections) -> bool:
    place = 0
    for part in found.sections:
        inside = all(part.body <= s.start < s.end <= part.end for s in part.sentences)
        if part.start != place or not part.start <= part.body <= part.end or not inside:
            return False
        place = part.end
    return place == len(found.text)


@given(st.one_of(LINES.map("\n".join), st.text()))
def test_sections_touch_and_cover_the_text(text: str) -> None:
    found = split_sections(text)
    assert covers(found)
    for part in found.sections:
        spoken = "".join(text[sentence.start : sentence.end] for sentence in part.sentences)
        assert "".join(spoken.split()) == "".join(text[part.body : part.end].split())


@pytest.mark.parametrize("piece", ["a", " ", "A ", "-", ".", ". ", "- ", "A.\n", "1) x\n", "ab-\n", "(", "1 ", '."'])
def test_long_texts_of_one_kind_are_read_in_one_go(piece: str) -> None:
    text = piece * (60_000 // len(piece))
    found = split_sections(text)
    assert covers(found)
    assert len(judge_sentences(found)) == sum(len(part.sentences) for part in found.sections)


def test_every_packaged_heading_is_found_alone() -> None:
    words = load_headings()
    for title, name in words.section_of.items():
        assert words.find_section(title.upper()) == name


def test_real_reports_with_headings(shared_data: Path) -> None:
    written = (shared_data / "reports" / "dragon" / "Task011_prostate_pathology_clf.md").read_text()
    found = split_sections(written)
    names = {part.name for part in found.sections}
    assert {"history", "gross", "microscopy", "diagnosis"} <= names
    assert len({part.specimen for part in found.select("microscopy")} - {None}) == 6
    assert covers(found)
