"""What kind of statement each sentence of a report is, by its section, its specimen and its shape."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from histoseek.reports.language.headings import Headings, SectionName, load_headings
from histoseek.reports.language.sections import Section, Sections
from histoseek.reports.language.sentences import Sentence

_STATING: tuple[SectionName, ...] = ("diagnosis", "microscopy")
_ROW = re.compile(
    r"[^\w(]{0,6}(?:\(?(?:\d{1,2}|[A-Za-z])[.)]\s{0,4})?(?P<label>[^:\n]{2,70}?)\s{0,3}:\s{0,6}(?P<value>.*)"
)
_LABEL_WORDS = 9
_ITEM = re.compile(
    r"[^\w(]{0,6}\(?(?:part\s{0,2})?(?:\d{1,2}|[A-Za-z])(?:[-,&]\s?(?:\d{1,2}|[A-Za-z]))?[.):]{1,2}\s{0,6}",
    re.IGNORECASE,
)
_TITLE_WORDS = 25
_LISTED_WORDS = 8
_PART = re.compile(r"[^\W\d_]+")
_SHAPE = re.compile(r"[A-ZÀ-Þ]?[a-zß-ÿ]{2,}|[A-ZÀ-Þ]{3,}|of|in|is|to|no|or|a|at|by|an|as|[A-Z]{2}")
_UNSPEAKABLE = re.compile(r"[^aeiouyà-ÿ]{7}|(.)\1\1|^[^aeiouyà-ÿ]{4,}$")
_CHUNK = re.compile(r"\S+")
_NUMBER = re.compile(r"[(<>~=]{0,2}\d[\d.,/%+x-]*[).,;:]?")
_LEGIBLE_SHARE = 0.6
_DENIAL = re.compile(
    r"\b(?:no|not|negative|free|without|uninvolved|absen(?:t|ce)|kein\w*|ohne|tumorfrei|sans|geen|zonder)\b",
    re.IGNORECASE,
)
_NO_TUMOUR = re.compile(
    r"\b(?:no|negative for|free of|without)\s"
    r"(?:(?:evidence|definit\w+|residual|invasive|metastatic|obvious|of|for|any)\s){0,3}"
    r"(?:\w+\s(?:cell\s)?)?(?:tumou?r|malignan\w+|carcinoma|neoplas\w+|adenocarcinoma|melanoma|lymphoma)\b"
    r"(?!\s(?:in[- ]situ|necrosis|invasion|thromb))",
    re.IGNORECASE,
)
_BENIGN = re.compile(r"\bbenign\w*|\bgutartig\w*|\bb[ée]nin\w*|\bgoedaardig\w*", re.IGNORECASE)


class Trait(StrEnum):
    """What the shape and the place of a sentence say of it.

    ILLEGIBLE: more debris of scanning than words; ROW: a label of a form with its value; LABEL: one without; TITLE:
    names a specimen of a case and states nothing (a report without headings and labels is of one slide); LEAD: stands
    before the sections of a report that has some; UNINVOLVED: of a specimen without tumour, or a denial of tumour, in
    the report of a case that states one elsewhere.
    """

    ILLEGIBLE = "illegible"
    ROW = "row"
    LABEL = "label"
    TITLE = "title"
    LEAD = "lead"
    UNINVOLVED = "uninvolved"


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence with its section and traits; label, value: of a row, "" where it is none."""

    sentence: Sentence
    section: Section
    traits: frozenset[Trait] = frozenset()
    label: str = ""
    value: str = ""


def list_statements(report: Sections) -> Iterator[Statement]:
    """Each sentence of a report, in order."""
    words = load_headings()
    involved = _find_involved(report, words)
    has_tumour = any(involved.values())
    has_sections = any(section.heading or section.name != "other" for section in report.sections)
    is_of_case = bool(report.specimens) or any(
        section.heading for section in report.select("diagnosis", "gross", "microscopy")
    )
    for section in report.sections:
        placed = {Trait.LEAD} if has_sections and section.name == "other" and not section.heading else set[Trait]()
        is_uninvolved = has_tumour and not involved.get(section.specimen, True)
        for sentence in section.sentences:
            statement = _describe(sentence, section, placed, words)
            if not is_of_case:
                yield replace(statement, traits=statement.traits - {Trait.TITLE})
            elif is_uninvolved or (has_tumour and _NO_TUMOUR.search(sentence.text)):
                yield replace(statement, traits=statement.traits | {Trait.UNINVOLVED})
            else:
                yield statement


def _describe(sentence: Sentence, section: Section, placed: set[Trait], words: Headings) -> Statement:
    text = sentence.text
    traits = set(placed)
    if not _is_legible(text):
        traits.add(Trait.ILLEGIBLE)
    is_title = _is_title(text, words)
    row = None if is_title else _ROW.match(text)
    if row and _is_label(row["label"], words):
        traits.add(Trait.ROW if row["value"].strip(" .-_*") else Trait.LABEL)
        return Statement(sentence, section, frozenset(traits), row["label"].strip(), row["value"].strip())
    if is_title:
        traits.add(Trait.TITLE)
    return Statement(sentence, section, frozenset(traits))


def _is_label(label: str, words: Headings) -> bool:
    """Whether what stands before a colon is a label of a form, not the specimen that a diagnosis is of."""
    return len(label.split()) <= _LABEL_WORDS and not words.names_specimen(label) and not words.statements.search(label)


def _is_title(text: str, words: Headings) -> bool:
    """Whether a sentence does no more than name a specimen: "A. Lung, left, lobectomy:", "C: POSTERIOR MARGIN"."""
    item = _ITEM.match(text)
    name = text[item.end() :] if item else text
    if len(name.split()) > _TITLE_WORDS or words.statements.search(name):
        return False
    *before, behind = re.split(r"[:;]\s*(?=\w)", name)
    if words.names_specimen(behind) or words.names_specimen(" ".join(before)):
        return words.names_specimen(behind)
    is_listed = bool(item) and name.isupper() and len(name.split()) <= _LISTED_WORDS
    return bool(words.sites.search(behind)) and (is_listed or name.rstrip().endswith((":", ";")))


def _is_legible(text: str) -> bool:
    """Whether most of a sentence is shaped as words and numbers are, not as debris of scanning."""
    chunks = _CHUNK.findall(text)
    parts = _PART.findall(text)
    shaped = sum(len(part) for part in parts if _SHAPE.fullmatch(part) and not _UNSPEAKABLE.search(part.lower()))
    total = sum(map(len, parts))
    debris = sum(1 for chunk in chunks if not _PART.search(chunk) and not _NUMBER.fullmatch(chunk))
    return total > 0 and shaped / total >= _LEGIBLE_SHARE and debris <= max(2, len(chunks) // 4)


def _find_involved(report: Sections, words: Headings) -> dict[str | None, bool]:
    """Whether a tumour is stated, by specimen; None: of no specimen in particular."""
    involved: dict[str | None, bool] = {}
    for section in report.select(*_STATING):
        states = any(_states_tumour(sentence.text, words) for sentence in section.sentences)
        involved[section.specimen] = involved.get(section.specimen, False) or states
    return {**involved, None: True} if any(involved.values()) else {}


def _states_tumour(text: str, words: Headings) -> bool:
    """Whether a sentence names a tumour and denies none."""
    return bool(words.statements.search(text)) and not _DENIAL.search(text) and not _BENIGN.search(text)
