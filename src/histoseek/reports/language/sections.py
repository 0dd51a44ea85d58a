"""The sections of a report and its specimens, each with its own sentences and their places in the text."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from histoseek.reports.language.headings import Headings, SectionName, load_headings
from histoseek.reports.language.sentences import Sentence, split_sentences
from histoseek.reports.language.specimens import find_specimens
from histoseek.reports.language.words import Span

SECTION_PRECEDENCE: tuple[SectionName, ...] = (
    *("addendum", "diagnosis", "microscopy", "comment", "ancillary", "other", "frozen", "gross", "history"),
)
"""Which section's word counts where two contradict each other, the strongest first."""

_LINE = re.compile(r"[^\n]+")
_TITLED = re.compile(
    r"[#*_=>\-\s]*+(?P<title>[^:\n]{2,90}?)(?:\s*+(?:\*\*|__)?\s*+:\**|\s{1,3}[-–]\s|(?<=[Nn]ote)\))"  # noqa: RUF001
)
_INSIDE = re.compile(r"(?<=[.;:)!?])\s+(?P<title>[A-ZÄÖÜ][^.:;\n]{2,50}):|(?<=\s)(?P<caps>[A-ZÄÖÜ][A-ZÄÖÜ&/ -]{3,60}):")
_MARKED = re.compile(r"\s*(?:#+\s|\*\*|__|==)")
_LONGEST_TITLE = 120
_HOLDS_FIELDS: tuple[SectionName, ...] = ("diagnosis", "microscopy", "gross", "ancillary")
_PROCEDURE_LINE = re.compile(r"\s*(?P<line>[^.:;\n]{3,160}[;:])")


@dataclass(frozen=True, slots=True)
class Section:
    """A section, or one specimen's part of it.

    heading: as written, "" where there is none; specimen: its label, as "A" or "I & II", None when not labelled.
    text[start:end] is all of it; text[body:end] is what is behind the heading.
    """

    name: SectionName
    heading: str
    specimen: str | None
    start: int
    body: int
    end: int
    sentences: tuple[Sentence, ...]


@dataclass(frozen=True, slots=True)
class Sections:
    """A report's text and its sections in order; they touch each other and cover the whole text."""

    text: str
    sections: tuple[Section, ...]

    def select(self, *names: SectionName) -> tuple[Section, ...]:
        """The sections of these names, in order."""
        return tuple(section for section in self.sections if section.name in names)

    def find(self, place: Span) -> Section:
        """The section in which a place of the text begins. Raises IndexError: not a place of this text."""
        if not self.sections or not 0 <= place.start <= len(self.text):
            raise IndexError(f"{place} is no place of a text of {len(self.text)} characters")
        return self.sections[max(0, bisect_right(self.sections, place.start, key=lambda section: section.start) - 1)]

    @property
    def specimens(self) -> tuple[str, ...]:
        """The labels of all specimens, in the order they come in."""
        return tuple(dict.fromkeys(section.specimen for section in self.sections if section.specimen))

    def select_specimen(self, label: str) -> tuple[Section, ...]:
        """The sections that speak of one specimen."""
        return tuple(section for section in self.sections if section.specimen == label)


@dataclass(frozen=True, slots=True)
class _Heading:
    name: SectionName
    title: str
    start: int
    body: int


def split_sections(text: str) -> Sections:
    """Find a report's sections by its headings, and its specimens by their labels.

    Headings are known words before a colon or alone on a line (in any case of letters, with markdown's marks or
    numbers), and, within a line, behind the end of a sentence. Text before the first heading is "other", or
    "diagnosis" when it begins as a diagnosis does ("Prostate, needle biopsy:"). Offsets are those of `text`.
    """
    words = load_headings()
    headings = list(_find_headings(text, words))
    if headings and not text[: headings[0].start].strip():
        headings[0] = replace(headings[0], start=0)
    else:
        lead: SectionName = "diagnosis" if _begins_as_diagnosis(text, words) else "other"
        headings.insert(0, _Heading(lead, "", 0, 0))
    ends = [heading.start for heading in headings[1:]] + [len(text)]
    spans = [(heading.body, end) for heading, end in zip(headings, ends, strict=True)]
    specimens = find_specimens(text, spans, words)
    parts = tuple(
        part
        for heading, end, labels in zip(headings, ends, specimens, strict=True)
        for part in _split_specimens(text, heading, end, labels)
    )
    return Sections(text, parts)


def _split_specimens(text: str, heading: _Heading, end: int, labels: Sequence[tuple[int, str]]) -> Iterator[Section]:
    """A section as one part a specimen; what stands before the first label belongs to none."""
    cuts = [(start, label) for start, label in labels if start > heading.body]
    first = next((label for start, label in labels if start <= heading.body), None)
    starts: list[tuple[int, str | None]] = [(heading.body, first), *cuts]
    if cuts and not text[heading.body : cuts[0][0]].strip():
        starts = [(heading.body, cuts[0][1]), *cuts[1:]]
    for place, (body, label) in enumerate(starts):
        last = starts[place + 1][0] if place + 1 < len(starts) else end
        start = heading.start if place == 0 else body
        yield Section(heading.name, heading.title, label, start, body, last, split_sentences(text, body, last))


def _find_headings(text: str, words: Headings) -> Iterator[_Heading]:
    current: SectionName = "other"
    for line in _LINE.finditer(text):
        for heading, alone in _find_line_headings(line, words):
            is_field = heading.name == "other" and current in _HOLDS_FIELDS and not alone
            if not is_field:
                current = heading.name
                yield heading


def _find_line_headings(line: re.Match[str], words: Headings) -> Iterator[tuple[_Heading, bool]]:
    """Headings of one line, each with whether it stands alone on it."""
    text = line.group()
    title_match = _TITLED.match(text)
    name = words.find_section(title_match["title"]) if title_match else None
    behind = 0
    if title_match and name:
        behind = title_match.end()
        alone = not text[behind:].strip(" *_")
        behind = len(text) if alone else behind
        yield _Heading(name, title_match["title"].strip(" *_"), line.start(), line.start() + behind), alone
    elif _may_be_title(text) and (name := words.find_section(text)):
        yield _Heading(name, text.strip(" #*_=:-\t"), line.start(), line.end()), True
        return
    for match in _INSIDE.finditer(text, behind):
        kind = "title" if match["title"] else "caps"
        inner = words.find_section(match[kind])
        if inner and inner != "other":
            place = line.start() + match.start(kind)
            yield _Heading(inner, match[kind], place, line.start() + match.end()), False


def _may_be_title(line: str) -> bool:
    """Whether a line without a colon looks like a heading: marked, in capitals, or one or two capitalised words."""
    title = line.strip()
    if len(title) > _LONGEST_TITLE:
        return False
    is_short = len(title.split()) <= 3 and title[:1].isupper() and not title.endswith((".", ",", ";"))
    return bool(_MARKED.match(line)) or title.isupper() or is_short


def _begins_as_diagnosis(text: str, words: Headings) -> bool:
    line = _PROCEDURE_LINE.match(text)
    return line is not None and words.names_specimen(line["line"])
