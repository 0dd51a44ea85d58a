"""Where specimens begin in the sections of a report: "A. Prostate, biopsy:", "Part B", "Samples I & II:".

A report numbers its specimens by letters, by numbers or by Roman numerals; its other labels are items of lists
(findings of a specimen, paraffin blocks). Which of them it is follows from all labels of the report together.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from histoseek.reports.language.headings import Headings, SectionName

_LABEL = r"(?:\d{1,2}|[IVX]{1,5}|[A-Z])"
_LABELS = (
    rf"{_LABEL}(?:[.)]?\s{{0,2}}(?:,|&|\+|-|–|\b(?:and|AND|to|und|bis|et|en)\b)\s{{0,2}}\(?{_LABEL}(?![\w'])){{0,12}}"  # noqa: RUF001
)
_BARE = re.compile(
    rf"[ \t]{{0,20}}(?:[-*•][ \t]{{0,4}})?[(\[]?(?P<label>{_LABELS})(?:/[\dI]{{1,2}}(?=[.)]))?"
    r"(?:[ \t]?[.)\]]{1,2}:?|[ \t]?:|[ \t][-–][ \t]?(?=[\"“']))"  # noqa: RUF001
    r"(?=\s|[A-Z\"“'(\[]|$)[ \t]*(?P<rest>[^\n]*)"
)
_INSIDE = re.compile(
    r"(?:(?<=[.;:,)])[ \t]{1,40}|[ \t]{2,40}|[ \t](?=\(?(?:[B-Z]|\d{1,2})[):]))"
    r"(?=\(?(?P<label>[B-Z]|[2-9]|[12]\d)[.):]{1,2}[ \t]{0,10}[A-Z(\"“])"
)
_ITEM = re.compile(r"(?<!\w)(?:\d{1,2}|[IVX]{2,5}|[A-Z])(?!\w)")
_RANGE = re.compile(r"(?:-|–|\b(?:to|bis)\b)")  # noqa: RUF001
_VERB = re.compile(r"\b(?:is|are|was|were|involves?|shows?|measures?|extends?|has|have|seen)\b", re.IGNORECASE)
_LETTER = re.compile(r"[^\W\d_]")
_FEWEST_LETTERS = 3
_NAMING_CHARACTERS = 160
_SITE_WORDS = 6
_STATING_WORDS = 4
_NAMED_BELOW = 40
_LONGEST_TITLE = 60
_QUOTES = ("'", '"', "(", "“")
_LONGEST_RANGE = 26
_WIDEST_GAP = 3
_LISTING: tuple[SectionName, ...] = ("history",)
_RUNNING_TEXT: tuple[SectionName, ...] = ("comment", "ancillary", "addendum")


class _Scheme(Enum):
    LETTERS = "letters"
    NUMBERS = "numbers"
    NUMERALS = "numerals"


class _Evidence(Enum):
    """How sure a label is one of a specimen, in points.

    WORD: behind "Part"; LISTED: among the specimens submitted; NAMED: before how the specimen was taken;
    SITED: before a site; TITLED: before what may be one; ROW: before a row of a form.
    """

    WORD = 4.0
    LISTED = 2.5
    NAMED = 2.0
    SITED = 1.0
    TITLED = 0.5
    PLAIN = 0.1
    ROW = -0.5


@dataclass(frozen=True, slots=True)
class SectionSpan:
    """A section as its specimens are looked for: text[start:end] behind its heading."""

    name: SectionName
    start: int
    end: int
    lists_specimens: bool = False
    is_continued: bool = False


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A place where a specimen may begin; first, last: the ranks of its labels; is_inside: it stands within a line."""

    start: int
    label: str
    scheme: _Scheme
    evidence: _Evidence
    first: int
    last: int
    is_inside: bool = False


def expand_label(label: str) -> tuple[str, ...]:
    """The single labels of one: "A-C" is A, B and C; "I & II" is I and II."""
    items = _ITEM.findall(label)
    if len(items) == 2 and _RANGE.search(label) and (scheme := _find_scheme(items)) is not _Scheme.NUMERALS:
        first, last = (_rank(item, scheme) for item in items)
        if first < last < first + _LONGEST_RANGE:
            return tuple(_unrank(rank, scheme) for rank in range(first, last + 1))
    return tuple(items) or (label,)


def find_specimens(text: str, spans: Sequence[SectionSpan], words: Headings) -> tuple[tuple[tuple[int, str], ...], ...]:
    """For each span the places where a specimen begins, with its label, in order.

    The scheme of the report is that with the most evidence: labels behind a specimen word ("Part 1"), in the list of
    what was submitted, before a site or a procedure, before a title. Labels of this scheme count in ascending order
    where they are known from somewhere in the report or come next; bare letters count when they run A, B, ...
    """
    word_pattern = _make_word_pattern(words)
    groups = [tuple(_find_candidates(text, span, word_pattern, words)) for span in spans]
    opening = frozenset(
        candidate.scheme
        for span, group in zip(spans, groups, strict=True)
        for candidate in group
        if candidate.first == 1 and not text[span.start : candidate.start].strip()
    )
    scheme = _choose_scheme([candidate for group in groups for candidate in group], opening)
    if scheme is None:
        return tuple(() for _ in spans)
    groups = [tuple(candidate for candidate in group if candidate.scheme is scheme) for group in groups]
    known = _list_known(groups, scheme)
    accepted = []
    last = 0
    for span, group in zip(spans, groups, strict=True):
        last = last if span.is_continued else 0
        starts = tuple(_accept(span, group, known, last, scheme))
        last = max([last, *(candidate.last for candidate in starts)])
        accepted.append(tuple((candidate.start, candidate.label) for candidate in starts))
    return tuple(accepted)


def _make_word_pattern(words: Headings) -> re.Pattern[str]:
    names = "|".join(re.escape(word) for word in words.specimen_words)
    number = r"(?:\s{0,2}(?:no\.?|nr\.?|number|#|[({\[]))?"
    label = rf"(?P<label>(?-i:{_LABELS}))"
    verbs = "is|are|was|were|consists|shows|labell?ed|submitted|received|designated"
    ends = rf"(?=\s{{0,2}}(?:\([^)\n]{{0,60}}\)\s{{0,2}})?(?:[:.)\]\-–·,;]|$|(?:{verbs})\b))"  # noqa: RUF001
    before = r"(?:^[ \t#*•_-]{0,20}[(\[]?|(?<=[.:;_]) ?|(?<=\s\s))"
    return re.compile(
        rf"{before}(?P<word>(?:{names})(?:s?(?=[\s#({{\[]){number}\s{{0,2}}|(?=\d)){label}{ends})", re.I | re.M
    )


def _find_candidates(
    text: str, span: SectionSpan, word_pattern: re.Pattern[str], words: Headings
) -> Iterator[_Candidate]:
    for start in _iterate_line_starts(text, span.start, span.end):
        end = text.find("\n", start, span.end)
        end = span.end if end < 0 else end
        line = [*_find_line_candidates(text, (start, end), span, word_pattern, words)]
        yield from sorted(line, key=lambda candidate: candidate.start)


def _find_line_candidates(
    text: str, line: tuple[int, int], span: SectionSpan, word_pattern: re.Pattern[str], words: Headings
) -> Iterator[_Candidate]:
    start, end = line
    bare = _BARE.match(text, start, end)
    behind = start
    while match := word_pattern.search(text, behind, end):
        yield from _make_candidate(
            match["label"], match.start("word"), _Evidence.WORD, match.start("word") > start + 20
        )
        behind = match.end("word")
        bare = None
    if bare:
        evidence = _weigh(bare["rest"], text[end : end + _NAMING_CHARACTERS], span, words)
        yield from _make_candidate(bare["label"], start, evidence, False)
    for inner in _INSIDE.finditer(text, start, end):
        evidence = _weigh(text[inner.end() + 2 : end].lstrip(".):"), "", span, words)
        yield from _make_candidate(inner["label"], inner.end(), evidence, True)


def _make_candidate(written: str, start: int, evidence: _Evidence, is_inside: bool) -> Iterator[_Candidate]:
    """A candidate for each scheme that its label may belong to: "I" is a letter and a numeral."""
    label = " ".join(re.sub(r"(?<!\d)0(?=\d)", "", written).split())
    items = _ITEM.findall(label)
    if not items:
        return
    for scheme in _Scheme:
        if all(_fits_scheme(item, scheme) for item in items):
            ranks = [_rank(item, scheme) for item in items]
            yield _Candidate(start, label, scheme, evidence, ranks[0], max(ranks), is_inside)


def _weigh(rest: str, below: str, span: SectionSpan, words: Headings) -> _Evidence:
    """How sure the label before `rest` is a specimen's; below: the text under its line."""
    title = rest[:_NAMING_CHARACTERS].strip()
    if words.rows.match(title):
        return _Evidence.ROW
    if len(_LETTER.findall(title)) < _FEWEST_LETTERS:
        return _Evidence.PLAIN
    head = re.split(r"[:;.]", title)[0]
    has_site = bool(words.sites.search(" ".join(head.split()[:_SITE_WORDS])))
    named_in = f"{title} {below[:_NAMED_BELOW]}" if title.isupper() else title
    if span.lists_specimens:
        return _Evidence.LISTED
    if words.names_specimen(named_in) and (has_site or ":" in rest or title[:1] in _QUOTES):
        return _Evidence.NAMED
    if span.name == "gross" and (title[:1] in _QUOTES or words.handling.search(title)):
        return _Evidence.NAMED
    return _weigh_title(title, head, has_site, words)


def _weigh_title(title: str, head: str, has_site: bool, words: Headings) -> _Evidence:
    """The evidence of a title that names no procedure: a site before a colon, not a finding."""
    is_title = title[len(head) : len(head) + 1] in (":", ";") or title[:1] in _QUOTES
    if words.statements.search(" ".join(head.split()[:_STATING_WORDS])) or _VERB.search(head):
        return _Evidence.PLAIN
    if has_site:
        return _Evidence.SITED if is_title else _Evidence.TITLED
    return _Evidence.TITLED if is_title and len(head) < _LONGEST_TITLE else _Evidence.PLAIN


def _iterate_line_starts(text: str, start: int, end: int) -> Iterator[int]:
    while start < end:
        yield start
        line_end = text.find("\n", start, end)
        start = end if line_end < 0 else line_end + 1


def _choose_scheme(candidates: Sequence[_Candidate], opening: frozenset[_Scheme]) -> _Scheme | None:
    """The scheme with the most evidence; of two that are as good, the one that comes first in the report.

    opening: schemes with which a section begins; numbers below a line of text are rather items of a list.
    """
    best: dict[_Scheme, dict[int, float]] = {scheme: {} for scheme in _Scheme}
    firsts: dict[_Scheme, int] = {}
    for candidate in candidates:
        ranks = best[candidate.scheme]
        for rank in {candidate.first, candidate.last}:
            ranks[rank] = max(ranks.get(rank, -1.0), candidate.evidence.value)
        firsts.setdefault(candidate.scheme, candidate.start)
    scores = {
        scheme: _score(ranks) for scheme, ranks in best.items() if _is_plausible(scheme, ranks, scheme in opening)
    }
    return max(scores, key=lambda scheme: (scores[scheme], -firsts[scheme]), default=None)


def _score(ranks: dict[int, float]) -> float:
    """The evidence of all labels; less where the first label is no specimen, as in a list that goes on from another."""
    total = sum(ranks.values())
    return total if ranks.get(1, 0.0) >= _Evidence.TITLED.value else total / 2


def _is_plausible(scheme: _Scheme, ranks: dict[int, float], is_opening: bool) -> bool:
    strongest = max(ranks.values(), default=0.0)
    if sum(ranks.values()) <= 0:
        return False
    if strongest >= _Evidence.NAMED.value or (strongest >= _Evidence.SITED.value and len(ranks) > 1):
        return scheme is not _Scheme.NUMERALS or len(ranks) > 1 or strongest >= _Evidence.WORD.value
    is_possible = scheme is _Scheme.LETTERS or (scheme is _Scheme.NUMBERS and is_opening)
    return is_possible and strongest >= _Evidence.TITLED.value and {1, 2} <= ranks.keys()


def _list_known(groups: Sequence[Sequence[_Candidate]], scheme: _Scheme) -> set[int]:
    """The ranks that are specimens somewhere in the report."""
    candidates = [candidate for group in groups for candidate in group]
    known = {
        rank
        for candidate in candidates
        if candidate.evidence.value >= _Evidence.SITED.value
        for rank in range(candidate.first, min(candidate.last, candidate.first + _LONGEST_RANGE) + 1)
    }
    for rank in {candidate.first for candidate in candidates} - known:
        if rank + 1 in known and (rank == 1 or rank - 1 in known):
            known.add(rank)
    return {rank for rank in known if rank <= _WIDEST_GAP or known & {*range(rank - _WIDEST_GAP, rank)}} or {1}


def _accept(
    span: SectionSpan, group: Sequence[_Candidate], known: set[int], last: int, scheme: _Scheme
) -> Iterator[_Candidate]:
    """The candidates that are specimens, in ascending order; of two with one label the more certain."""
    strongest: dict[int, float] = {}
    for candidate in group:
        strongest[candidate.first] = max(strongest.get(candidate.first, -1.0), candidate.evidence.value)
    is_list = span.name in _LISTING or (span.name in _RUNNING_TEXT and scheme is not _Scheme.LETTERS)
    least = _Evidence.SITED if is_list else _Evidence.PLAIN
    runs_on = scheme is _Scheme.LETTERS and {1, 2} <= {candidate.first for candidate in group}
    for candidate in group:
        weight = candidate.evidence.value
        is_word = candidate.evidence is _Evidence.WORD
        if weight < least.value or (weight < strongest[candidate.first] and not is_word):
            continue
        follows = last < candidate.first <= last + 2
        is_next = follows and (weight >= _Evidence.TITLED.value or runs_on or (scheme is _Scheme.LETTERS and last > 0))
        is_next = is_next or (candidate.first == 1 and last == 0 and strongest.get(2, 0.0) >= _Evidence.TITLED.value)
        is_group = candidate.last > candidate.first and candidate.first <= last
        if candidate.is_inside and not is_word and candidate.first != last + 1:
            continue
        if is_word or is_group or (candidate.first > last and candidate.first in known) or is_next:
            last = max(last, candidate.last)
            yield candidate


def _find_scheme(items: Sequence[str]) -> _Scheme:
    return next(
        scheme for scheme in _Scheme if all(_fits_scheme(item, scheme) for item in items) or scheme is _Scheme.NUMERALS
    )


def _fits_scheme(item: str, scheme: _Scheme) -> bool:
    if scheme is _Scheme.NUMBERS:
        return item.isdigit() and item != "0"
    if scheme is _Scheme.LETTERS:
        return len(item) == 1 and item.isalpha()
    return set(item) <= set("IVX")


def _rank(item: str, scheme: _Scheme) -> int:
    if scheme is _Scheme.NUMBERS:
        return int(item)
    if scheme is _Scheme.LETTERS:
        return ord(item) - ord("A") + 1
    values = [{"I": 1, "V": 5, "X": 10}[letter] for letter in item]
    return sum(-value if value < max(values[place:]) else value for place, value in enumerate(values))


def _unrank(rank: int, scheme: _Scheme) -> str:
    return str(rank) if scheme is _Scheme.NUMBERS else chr(ord("A") + rank - 1)
