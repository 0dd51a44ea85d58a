"""Statements and clauses: the stretches of text that no cue reaches out of."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from histoseek.reports.language.cues import load_reach
from histoseek.reports.language.sentences import split_sentences
from histoseek.reports.language.words import Span

_PART_END = re.compile(r"[;?!]")
_BULLET = re.compile(r"\s*[-*\u2022\u00b7]\s?")
_BULLET_LINE = re.compile(r"\n(?=[ \t]*[-*\u2022\u00b7=>]{1,2}(?:[ \t]|[A-Z]))")
_VERB = re.compile(
    r"\b(?:is|are|was|were|has|have|had|shows?|showed|reveals?|contains?|displays?|exhibits?|demonstrates?|extends?|"
    r"invades?|infiltrates?|suggests?|remains?|appears?|does|do|did|arises?|involves?)\b"
)
_SEAM = re.compile(r",\s*(?:and\s+|or\s+)?|\s+and\s+")


def split_statements(
    text: str, lower: str, answered: Sequence[Span] = (), labels: Sequence[Span] = ()
) -> Iterator[Span]:
    """Sentences and list items, cut at semicolons and question marks too, each with its end mark.

    answered: values behind labels; a line that ends in one is complete ("Necrosis: no"); labels: what begins one of
    its own.
    """
    starts = sorted({label.start for label in labels})
    before: Span | None = None
    for sentence in split_sentences(text):
        place = Span(sentence.start, sentence.end)
        if before is not None and _goes_on(lower, before, place, answered):
            before = Span(before.start, place.end)
            continue
        if before is not None:
            yield from _cut_parts(text, lower, before, starts)
        before = place
    if before is not None:
        yield from _cut_parts(text, lower, before, starts)


def _goes_on(lower: str, before: Span, place: Span, answered: Sequence[Span]) -> bool:
    """Whether a sentence was cut by a line end only: "no evidence of|malignancy", "negative for:|- dysplasia"."""
    if any(value.end >= before.end - 2 and value.start < before.end for value in answered):
        return False
    if _ends_in_list(lower, before):
        return _BULLET.match(lower, place.start, place.end) is not None or "\n" not in lower[before.end : place.start]
    if _BULLET.match(lower, place.start, place.end):
        return False
    reach = load_reach()
    opens = reach.open_end.search(lower, max(before.start, before.end - 40), before.end) is not None
    closes = reach.close_start.match(lower, place.start, place.end) is not None
    return opens or (closes and lower[before.end - 1] not in ".:;!?")


def _ends_in_list(lower: str, before: Span) -> bool:
    reach = load_reach()
    return any(
        pattern.search(lower, before.start, before.end) is not None
        for pattern in (reach.list_start, reach.list_start_within)
    )


def _cut_parts(text: str, lower: str, sentence: Span, label_starts: Sequence[int]) -> Iterator[Span]:
    """Cut at semicolons, before a label that begins a line, and before a bullet, but for those of a denied list."""
    ends = [match.end() for match in _PART_END.finditer(text, sentence.start, sentence.end)]
    first, last = bisect_left(label_starts, sentence.start + 1), bisect_left(label_starts, sentence.end)
    ends += [place for place in label_starts[first:last] if "\n" in text[max(0, place - 4) : place]]
    if not load_reach().list_start_within.search(lower, sentence.start, sentence.end):
        ends += [match.end() for match in _BULLET_LINE.finditer(text, sentence.start, sentence.end)]
    start = sentence.start
    for end in sorted(ends):
        if end > start:
            yield Span(start, end)
            start = end
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
