"""What is denied, doubted or past: scoped cues over clauses, after NegEx (Chapman et al. 2001) and ConText (2009)."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from histoseek.reports.language.cues import (
    AFTER,
    BEFORE,
    BOTH_SIDES,
    CUE,
    FORWARD_END,
    PSEUDO_CUE,
    SOFT_END,
    look_up_cue,
)
from histoseek.reports.language.sentences import split_sentences
from histoseek.reports.language.words import Span


class Status(StrEnum):
    """How a text speaks of a concept."""

    AFFIRMED = "affirmed"
    NEGATED = "negated"
    UNCERTAIN = "uncertain"
    HISTORICAL = "historical"


# No cue reaches farther than this many characters.
_FARTHEST = 400
# Where scopes overlap, the first of these that applies holds.
_PRECEDENCE = (Status.NEGATED, Status.HISTORICAL, Status.UNCERTAIN)
_BACKWARD_END = re.compile(
    r"\b(?:with|but|however|although|though|while|whereas|except|showing|shows?|reveals?|contains?|which|present|seen|"
    r"identified|positive)\b|:(?=\s*\w)"
)
_LIST_WORD = re.compile(r"\b(?:and|or|nor)\b")


@dataclass(frozen=True, slots=True)
class Scope:
    """A stretch of text that a cue reaches, and the status it gives to what is named there."""

    start: int
    end: int
    status: Status
    cue: Span


def find_scopes(text: str) -> tuple[Scope, ...]:
    """Every stretch of a text that is negated, uncertain or historical, in order of the cues."""
    lower = text.lower()
    if len(lower) != len(text):  # a few letters change their length with their case
        lower = "".join(letter.lower() if len(letter.lower()) == 1 else letter for letter in text)
    return tuple(scope for sentence in split_statements(text) for scope in _scan_sentence(lower, sentence))


class ScopeIndex:
    """Scopes in order, to look up the status of many places."""

    def __init__(self, ranges: Iterable[Scope]) -> None:
        self._scopes = sorted(ranges, key=lambda scope: scope.start)
        self._longest = max((scope.end - scope.start for scope in self._scopes), default=0)

    def find_status(self, place: Span) -> tuple[Status, Span | None]:
        """The status of what stands at a place, and the cue that decides it (None: affirmed)."""
        first = bisect_left(self._scopes, place.end - self._longest, key=lambda scope: scope.start)
        last = bisect_right(self._scopes, place.start, key=lambda scope: scope.start)
        reaching = [scope for scope in self._scopes[first:last] if place.end <= scope.end]
        for status in _PRECEDENCE:
            for scope in reaching:
                if scope.status == status:
                    return status, scope.cue
        return Status.AFFIRMED, None


def _scan_sentence(text: str, sentence: Span) -> Iterator[Scope]:
    if text[sentence.start : sentence.end].rstrip().endswith("?"):
        mark = text.rindex("?", sentence.start, sentence.end)
        yield Scope(max(sentence.start, mark - _FARTHEST), mark, Status.UNCERTAIN, Span(mark, mark + 1))
    for clause in split_clauses(text, sentence):
        yield from _scan_clause(text, clause)


def _scan_clause(text: str, clause: Span) -> Iterator[Scope]:
    cues = [(match, look_up_cue(match.group())) for match in CUE.finditer(text, clause.start, clause.end)]
    opening = [match.start() for match, (_, side) in cues if side == BEFORE]
    last_end = clause.start
    for match, (status, side) in cues:
        cue = Span(match.start(), match.end())
        if side in {BEFORE, BOTH_SIDES}:
            following = bisect_right(opening, cue.start)
            limit = min(opening[following] if following < len(opening) else clause.end, cue.end + _FARTHEST)
            yield Scope(cue.end, _find_forward_end(text, cue.end, limit, Status(status)), Status(status), cue)
        if side in {AFTER, BOTH_SIDES}:
            farthest = max(last_end, cue.start - _FARTHEST)
            yield Scope(_find_backward_start(text, farthest, cue.start), cue.start, Status(status), cue)
        if side != PSEUDO_CUE:
            last_end = cue.end


def _find_forward_end(text: str, start: int, limit: int, status: Status) -> int:
    pattern = FORWARD_END if status == Status.NEGATED else SOFT_END
    match = pattern.search(text, start, limit)
    return match.start() if match else limit


def _find_backward_start(text: str, start: int, cue_start: int) -> int:
    """Back to a word that ends the reach, and over commas only where they part a list ("a, b and c are absent")."""
    ends = [match.end() for match in _BACKWARD_END.finditer(text, start, cue_start)]
    start = ends[-1] if ends else start
    comma = text.rfind(",", start, cue_start)
    if comma >= 0 and not _LIST_WORD.search(text, comma, cue_start):
        return comma + 1
    return start


_PART_END = re.compile(r"[;?!]")
_VERB = re.compile(
    r"\b(?:is|are|was|were|has|have|had|shows?|showed|reveals?|contains?|displays?|exhibits?|demonstrates?|extends?|"
    r"invades?|infiltrates?|suggests?|remains?|appears?|does|do|did|arises?|involves?)\b"
)
_SEAM = re.compile(r",\s*(?:and\s+|or\s+)?|\s+and\s+")


def split_statements(text: str) -> Iterator[Span]:
    """Sentences and list items, cut at semicolons and question marks too, each with its end mark."""
    for sentence in split_sentences(text):
        start = sentence.start
        for match in _PART_END.finditer(text, sentence.start, sentence.end):
            yield Span(start, match.end())
            start = match.end()
        if start < sentence.end:
            yield Span(start, sentence.end)


def split_clauses(text: str, sentence: Span) -> Iterator[Span]:
    """The clauses of a part of a lower-case text: cut at a comma or "and" with a verb of its own on either side."""
    verbs = [match.start() for match in _VERB.finditer(text, sentence.start, sentence.end)]
    seams = [match.span() for match in _SEAM.finditer(text, sentence.start, sentence.end)] if len(verbs) > 1 else []
    start = sentence.start
    for index, (left, right) in enumerate(seams):
        following = seams[index + 1][0] if index + 1 < len(seams) else sentence.end
        if _has_place_between(verbs, start, left) and _has_place_between(verbs, right, following):
            yield Span(start, left)
            start = right
    yield Span(start, sentence.end)


def _has_place_between(places: list[int], start: int, end: int) -> bool:
    index = bisect_left(places, start)
    return index < len(places) and places[index] < end
