"""Cutting a text into clauses, as far as negation reaches."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator

from histoseek.reports.sentences import sentences
from histoseek.reports.words import Span

_PART_END = re.compile(r"[;?!]")
_VERB = re.compile(
    r"\b(?:is|are|was|were|has|have|had|shows?|showed|reveals?|contains?|displays?|exhibits?|demonstrates?|extends?|"
    r"invades?|infiltrates?|suggests?|remains?|appears?|does|do|did|arises?|involves?)\b"
)
_SEAM = re.compile(r",\s*(?:and\s+|or\s+)?|\s+and\s+")


def parts_of(text: str) -> Iterator[Span]:
    """Sentences and list items, cut at semicolons and question marks too, each with its end mark."""
    for sentence in sentences(text):
        start = sentence.start
        for match in _PART_END.finditer(text, sentence.start, sentence.end):
            yield Span(start, match.end())
            start = match.end()
        if start < sentence.end:
            yield Span(start, sentence.end)


def clauses_of(text: str, sentence: Span) -> Iterator[Span]:
    """The clauses of a part of a lower-case text: cut at a comma or "and" with a verb of its own on either side."""
    verbs = [match.start() for match in _VERB.finditer(text, sentence.start, sentence.end)]
    seams = [match.span() for match in _SEAM.finditer(text, sentence.start, sentence.end)] if len(verbs) > 1 else []
    start = sentence.start
    for index, (left, right) in enumerate(seams):
        following = seams[index + 1][0] if index + 1 < len(seams) else sentence.end
        if _has_one(verbs, start, left) and _has_one(verbs, right, following):
            yield Span(start, left)
            start = right
    yield Span(start, sentence.end)


def _has_one(places: list[int], start: int, end: int) -> bool:
    index = bisect_left(places, start)
    return index < len(places) and places[index] < end
