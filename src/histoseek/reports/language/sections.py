"""The sections of a report and its specimens, each with its own sentences and their places in the text."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from histoseek.reports.language.headings import Headings, SectionName, load_headings, normalise_title
from histoseek.reports.language.sentences import Sentence, split_sentences
from histoseek.reports.language.specimens import SectionSpan, expand_label, find_specimens
from histoseek.reports.language.unheaded import find_unheaded_diagnosis
from histoseek.reports.language.words import Span

SECTION_PRECEDENCE: tuple[SectionName, ...] = (
    *("addendum", "diagnosis", "microscopy", "comment", "ancillary", "other", "frozen", "gross", "history"),
)
"""Which section's word counts where two contradict each other, the strongest first."""

_LINE = re.compile(r"[^\n]+")
_TITLED = re.compile(
    r"[#*_=>.,'|~\u2022\u00b7\-\s]*+(?P<title>[^:;\n]{2,90}?)"
    r"(?:\s*+(?:\*\*|__)?\s*+[:;\u00b7]\**|\s{1,3}[-–]\s|(?<=[Nn]ote)\))"  # noqa: RUF001
)
_INSIDE = re.compile(
    r"(?<=[.;:)!?])\s+(?P<title>[A-ZÄÖÜ][^.:;\n]{2,50}):|(?<=[\s_:])(?P<caps>[A-ZÄÖÜ][A-ZÄÖÜ&/ -]{3,60}):"
)
_BEHIND_GAP = re.compile(r"(?<=\S)\s{2,}(?P<title>[A-ZÄÖÜ][A-Za-zÄÖÜäöü]+(?: [A-Za-zÄÖÜäöü&]+){1,3})\s?(?::|$)")
_LEADING = re.compile(
    r"\W*(?:(?P<caps>[A-ZÄÖÜ][A-ZÄÖÜ/& -]{3,40}?[A-ZÄÖÜ])(?=\s{2}|\.\s|\s?[(\"“]|\s[A-Z][a-z]|[a-z])"
    r"|(?P<title>[A-Z][a-z]+(?: (?:and |of )?[A-Z][a-z]+){1,3}?)(?=\s[a-z(#\"“]|\"|\s{2}|\s[A-Z]{2})"
    r"|(?P<plain>[A-Z][a-z]+ [a-z]+)(?=\s\())"
)
_UNFINISHED = re.compile(r"\b(?:see|the|of|per|and|in|with|for|to|by|on|please)\s*$", re.IGNORECASE)
_FINISHED = re.compile(r"[.:;!?]\W*$")
_ANCILLARY = re.compile(r"\b(?:FISH|PCR|IHC|hybridi[sz]ation|molecular|cytogenetic|flow|immuno\w*)\b", re.IGNORECASE)
_WORD = re.compile(r"\w+")
_MARKED = re.compile(r"\s*(?:#+\s|\*\*|__|==)")
_LONGEST_TITLE = 120
_LONG_TITLE = 16
_SHORT_TITLE_WORDS = 4
_LONE_TITLES = ("DIAGNOSIS", "DIAGNOSES", "COMMENT", "ADDENDUM")
_JOINED_WORDS = 2
_SPECIMEN_LIST = re.compile(r"specimen|tissue|source|material|sample", re.IGNORECASE)
_HOLDS_FIELDS: tuple[SectionName, ...] = ("diagnosis", "microscopy", "gross", "ancillary", "addendum", "comment")
_HOLDS_SPECIMENS: tuple[SectionName, ...] = ("diagnosis", "microscopy", "gross", "frozen")
_HIDES_GROSS: tuple[SectionName, ...] = ("comment", "other", "addendum")
_RECEIVED = re.compile(r"\b(?:received|labell?ed|submitted|designated|container|specimen)\b", re.IGNORECASE)
_MEASURED = re.compile(r"\d\s?(?:cm|mm|em)?\s?[xX\u00d7]\s?\d|\b(?:cm|mm)\b")
_FIRST_SENTENCES = 4
_INTERRUPTING: tuple[SectionName, ...] = ("comment", "frozen", "ancillary")
_NESTING: tuple[SectionName, ...] = ("ancillary", "addendum", "frozen")
_STATING: tuple[SectionName, ...] = ("diagnosis", "comment", "ancillary")


@dataclass(frozen=True, slots=True)
class Section:
    """A section, or one specimen's part of it.

    heading: as written, "" where there is none; specimen: its label, as "A", "I & II" or "1-4", None if not labelled.
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
        """The labels of all specimens, in the order they come in; a range counts as its labels."""
        labels = (label for section in self.sections if section.specimen for label in expand_label(section.specimen))
        return tuple(dict.fromkeys(labels))

    def select_specimen(self, label: str) -> tuple[Section, ...]:
        """The sections that speak of one specimen."""
        return tuple(
            section
            for section in self.sections
            if section.specimen and (section.specimen == label or label in expand_label(section.specimen))
        )


@dataclass(frozen=True, slots=True)
class _Heading:
    """A heading with its place; is_alone: on its line; is_inside: behind other words of it; is_bare: without a colon;
    ends_sentence: with a full stop.
    """

    name: SectionName
    title: str
    start: int
    body: int
    is_alone: bool = False
    is_inside: bool = False
    is_bare: bool = False
    ends_sentence: bool = False


def split_sections(text: str) -> Sections:
    """Find a report's sections by its headings, and its specimens by their labels.

    Headings are known words before a colon or alone on a line (in any case of letters, with markdown's marks or
    numbers, misread letters mended), and, within a line, behind the end of a sentence. Lines of administration and
    rows of forms stay in the section they stand in. Text before the first heading is "other", or "diagnosis" from
    where it begins as a diagnosis does ("Prostate, needle biopsy:"). Offsets are those of `text`.
    """
    words = load_headings()
    headings = [*_add_unheaded(text, [*_find_headings(text, words)], words)]
    ends = [heading.start for heading in headings[1:]] + [len(text)]
    spans = [
        SectionSpan(heading.name, heading.body, end, _lists_specimens(heading), _is_continued(headings, place))
        for place, (heading, end) in enumerate(zip(headings, ends, strict=True))
    ]
    parts = [
        [*_split_specimens(text, heading, end, labels)]
        for heading, end, labels in zip(headings, ends, find_specimens(text, spans, words), strict=True)
    ]
    return Sections(text, tuple(_carry_specimens(parts, headings)))


def _add_unheaded(text: str, headings: list[_Heading], words: Headings) -> Iterator[_Heading]:
    """The headings with what is unheaded: the text before the first one, and diagnoses that have none."""
    if not headings or text[: headings[0].start].strip():
        headings = [_Heading("other", "", 0, 0), *headings]
    else:
        headings = [replace(headings[0], start=0), *headings[1:]]
    ends = [heading.start for heading in headings[1:]] + [len(text)]
    has_diagnosis = any(
        heading.name == "diagnosis" and text[heading.body : end].strip()
        for heading, end in zip(headings, ends, strict=True)
    )
    for heading, end in zip(headings, ends, strict=True):
        is_lead = not heading.title
        start = None
        if heading.name == "other" and (is_lead or (not has_diagnosis and _lists_specimens(heading))):
            named = has_diagnosis or not is_lead
            start = find_unheaded_diagnosis(text, heading.body, end, words, named=named)
        if start is None or not (is_lead or words.statements.search(text, start, end)):
            yield heading
            continue
        if text[heading.start : start].strip():
            yield heading
        else:
            start = heading.start
        yield _Heading("diagnosis", "", start, start)
        has_diagnosis = True


def _lists_specimens(heading: _Heading) -> bool:
    return heading.name == "other" and bool(_SPECIMEN_LIST.search(heading.title))


def _is_continued(headings: Sequence[_Heading], place: int) -> bool:
    """Whether a section goes on with the specimens of the one before it, as a key to the blocks of each does."""
    return place > 0 and headings[place].name == headings[place - 1].name == "gross"


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


def _carry_specimens(parts: Sequence[Sequence[Section]], headings: Sequence[_Heading]) -> Iterator[Section]:
    """The parts in order. What goes on behind a heading within a specimen's text still belongs to that specimen, and a
    note or a frozen section among the specimens of a section ends where the next specimen begins."""
    host: Section | None = None
    for place, group in enumerate(parts):
        for written in group:
            is_gross = written.name in _HIDES_GROSS and written.specimen and _describes_specimen(written)
            part = replace(written, name="gross", heading="") if is_gross else written
            if _is_continued(headings, place) and part.specimen is None and host and host.name == part.name:
                yield replace(part, specimen=host.specimen)
            elif host and part.name in _INTERRUPTING and host.name in _HOLDS_SPECIMENS and _comes_next(host, part):
                host = replace(part, name=host.name, heading=host.heading)
                yield host
            else:
                yield part
                host = part if part.name not in _INTERRUPTING else host


def _describes_specimen(part: Section) -> bool:
    """Whether a part is a gross description, whatever heading stands above it."""
    text = " ".join(sentence.text for sentence in part.sentences[:_FIRST_SENTENCES])
    return len(_RECEIVED.findall(text)) > 1 and bool(_MEASURED.search(text))


def _comes_next(host: Section, part: Section) -> bool:
    """Whether a part is that of the specimen behind the host's."""
    if not host.specimen or not part.specimen:
        return False
    last, first = expand_label(host.specimen)[-1], expand_label(part.specimen)[0]
    if last.isdigit() and first.isdigit():
        return int(first) == int(last) + 1
    return len(last) == len(first) == 1 and ord(first) == ord(last) + 1


def _find_headings(text: str, words: Headings) -> Iterator[_Heading]:
    last = _Heading("other", "", 0, 0)
    above = ""
    for line in _LINE.finditer(text):
        headings = [*_find_line_headings(line, words)]
        if headings and _goes_on(above, headings[0]):
            headings = headings[1:]
        headings[:1] = [_join_title(heading, above, words) for heading in headings[:1]]
        above = line.group()
        for heading in headings:
            if _opens_nothing(heading, last.name, words):
                continue
            is_within = last.name == "addendum" and not text[last.body : heading.start].strip()
            if is_within and heading.name in _STATING and not heading.title.lower().startswith("final"):
                last = replace(heading, name="addendum")
            else:
                last = heading
            yield last


def _goes_on(above: str, heading: _Heading) -> bool:
    """Whether what looks like a heading ends the sentence of the line above: "SEE | COMMENT."."""
    if not heading.is_bare or not above.strip():
        return False
    return bool(_UNFINISHED.search(above)) or (heading.ends_sentence and not _FINISHED.search(above))


def _join_title(heading: _Heading, above: str, words: Headings) -> _Heading:
    """A heading with what the line above it says of it, where that makes another: "POST-OP | DIAGNOSIS"."""
    if above.rstrip().endswith((".", ":", ";")) or heading.is_inside:
        return heading
    behind = normalise_title(above).split()[-_JOINED_WORDS:]
    for place in range(len(behind)):
        title = normalise_title(" ".join((*behind[place:], heading.title)))
        if title in words.section_of:
            return replace(heading, name=words.section_of[title])
    return heading


def _opens_nothing(heading: _Heading, current: SectionName, words: Headings) -> bool:
    """Whether a heading is a row of a form, or speaks of the section that it stands in."""
    title = normalise_title(heading.title)
    if heading.name == "other" and current in _HOLDS_FIELDS and (not heading.is_alone or title in words.forms):
        return True
    if title in words.findings and current == "diagnosis" and not heading.is_alone:
        return True
    return title in words.nested and current in _NESTING


def _find_line_headings(line: re.Match[str], words: Headings) -> Iterator[_Heading]:
    text = line.group()
    title_match = _TITLED.match(text)
    behind = 0
    if title_match and (name := _read_title(title_match["title"], words)):
        behind = title_match.end()
        is_alone = not text[behind:].strip(" *_")
        behind = len(text) if is_alone else behind
        yield _Heading(name, title_match["title"].strip(" *_"), line.start(), line.start() + behind, is_alone)
        if title := text[behind:].strip(" \t*_"):
            inner = words.section_of.get(normalise_title(title)) if title.isupper() else None
            if inner and inner != "other":
                place = line.start() + text.index(title, behind)
                yield _Heading(inner, title, place, line.end(), True)
                return
    elif _may_be_title(text) and (name := _read_title(text, words, is_alone=True)):
        ends_sentence = text.rstrip().endswith(".")
        yield _Heading(
            name, text.strip(" #*_=:-\t"), line.start(), line.end(), True, is_bare=True, ends_sentence=ends_sentence
        )
        return
    elif leading := _find_leading_heading(text, words):
        name, title, behind = leading
        yield _Heading(name, title, line.start(), line.start() + behind)
    yield from _find_inner_headings(line, behind, words)


def _find_inner_headings(line: re.Match[str], behind: int, words: Headings) -> Iterator[_Heading]:
    """Headings behind a sentence, or behind a gap where a column or a page ended."""
    text = line.group()
    for match in _BEHIND_GAP.finditer(text, behind):
        name = words.section_of.get(normalise_title(match["title"]))
        if name and name != "other":
            place = line.start() + match.start("title")
            yield _Heading(name, match["title"], place, line.start() + match.end(), is_inside=True)
            return
    for match in _INSIDE.finditer(text, behind):
        kind = "title" if match["title"] else "caps"
        inner = words.find_section(match[kind])
        if inner and inner != "other":
            place = line.start() + match.start(kind)
            yield _Heading(inner, match[kind], place, line.start() + match.end(), is_inside=True)


def _find_leading_heading(text: str, words: Headings) -> tuple[SectionName, str, int] | None:
    """A heading that lost its colon, with the offset behind it: "GROSS DESCRIPTION   Received fresh"."""
    match = _LEADING.match(text)
    if not match or match.lastgroup is None:
        return None
    title = match[match.lastgroup].strip()
    is_known = normalise_title(title) in words.section_of and (" " in title or title in _LONE_TITLES)
    name = words.find_section(title) if is_known else None
    return (name, title, match.end()) if name and name != "other" else None


def _read_title(title: str, words: Headings, *, is_alone: bool = False) -> SectionName | None:
    """The section that a title opens; misread letters are mended where it looks like a heading."""
    name = words.find_section(title)
    if name == "diagnosis" and _ANCILLARY.search(title):
        return "ancillary"
    is_plain = not (title.isupper() or _MARKED.match(title) or len(title) >= _LONG_TITLE)
    if name or (is_alone and is_plain):
        return name
    return words.find_mended_section(title) if title.strip(" \t#*_=-.,'\"~^|<>\\/")[:1].isalnum() else None


def _may_be_title(line: str) -> bool:
    """Whether a line without a colon looks like a heading: marked, in capitals, or one or two capitalised words."""
    title = line.strip().rstrip("-,\u2022 ")
    if len(title) > _LONGEST_TITLE:
        return False
    is_short = (
        len(_WORD.findall(title)) <= _SHORT_TITLE_WORDS and title[:1].isupper() and not title.endswith((".", ";"))
    )
    return bool(_MARKED.match(line)) or title.isupper() or is_short
