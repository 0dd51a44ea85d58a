"""Cutting a text into clauses, as far as negation reaches."""

from __future__ import annotations

import re
from collections.abc import Iterator

from histoseek.reports.words import Span

# A full stop that ends a sentence is no decimal point, and not that of a usual abbreviation.
_SENTENCE_END = re.compile(
    r"(?<!\b[A-Z])(?<!\bvs)(?<!\be\.g)(?<!\bi\.e)(?<!\bno)(?<!\bDr)(?<!\bapprox)(?<!\bca)[.](?=\s|[A-Z][a-z]|$)|[;!?]|"
    r"\n\s*\n|\n(?=\s*(?:[-*•]|\d{1,2}[.)]|[A-Z]))"
)
_VERB = re.compile(
    r"\b(?:is|are|was|were|has|have|had|shows?|showed|reveals?|contains?|displays?|exhibits?|demonstrates?|extends?|"
    r"invades?|infiltrates?|suggests?|remains?|appears?|does|do|did|arises?|involves?)\b"
)
_SEAM = re.compile(r",\s*(?:and\s+|or\s+)?|\s+and\s+")


def sentences_of(text: str) -> Iterator[Span]:
    """Sentences and list items, each with its end mark; a line that simply wraps does not end one."""
    start = 0
    for match in _SENTENCE_END.finditer(text):
        if text[start : match.end()].strip():
            yield Span(start, match.end())
        start = match.end()
    if text[start:].strip():
        yield Span(start, len(text))


def clauses_of(text: str, sentence: Span) -> Iterator[Span]:
    """The clauses of a sentence of a lower-case text: cut at a comma or "and" that has a verb of its own on either side."""
    seams = [match.span() for match in _SEAM.finditer(text, sentence.start, sentence.end)]
    start = sentence.start
    for index, (left, right) in enumerate(seams):
        following = seams[index + 1][0] if index + 1 < len(seams) else sentence.end
        if _VERB.search(text, start, left) and _VERB.search(text, right, following):
            yield Span(start, left)
            start = right
    yield Span(start, sentence.end)
