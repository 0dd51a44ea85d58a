"""Mends of a text, and where each part of the mended text stands in the original."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from histoseek.reports.language.words import Span


class MendReason(StrEnum):
    """Why a stretch of a text was mended."""

    SCANNING = "marks of scanning"
    FURNITURE = "page furniture"
    BOILERPLATE = "boilerplate"
    GLUED = "glued words"
    TORN = "torn word"
    CONFUSED = "confused letters"
    MISSPELT = "misspelt word"


REMOVING = frozenset((MendReason.SCANNING, MendReason.FURNITURE, MendReason.BOILERPLATE))
"""Reasons to take a stretch out."""


@dataclass(frozen=True, slots=True)
class Edit:
    """text replaces what stands at a place, nothing where it is empty."""

    place: Span
    text: str


@dataclass(frozen=True, slots=True)
class Mend:
    """A stretch of the original, what it says there, and what it says when mended ("" where it goes)."""

    span: Span
    original: str
    mended: str
    reason: MendReason
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True)
class _Piece:
    """A stretch of the clean text: copied from the original, or put in the place of a stretch of it."""

    clean: Span
    original: Span
    is_copy: bool


@dataclass(frozen=True)
class CleanText:
    """A mended text; `mends` in order of the original, none overlapping."""

    text: str
    mends: tuple[Mend, ...]
    original: str

    def to_original(self, span: Span) -> Span:
        """Where a span of the clean text stands in the original; what was put in stands for all that it replaces."""
        if not self.mends:
            return span
        start = self._find_piece(span.start)
        end = self._find_piece(max(span.start, span.end - 1))
        first = start.original.start + (span.start - start.clean.start if start.is_copy else 0)
        if span.end <= span.start:
            return Span(first, first)
        last = end.original.start + span.end - end.clean.start if end.is_copy else end.original.end
        return Span(first, max(first, last))

    @cached_property
    def _pieces(self) -> tuple[_Piece, ...]:
        return tuple(_list_pieces(self.original, self.mends))

    @cached_property
    def _starts(self) -> list[int]:
        return [piece.clean.start for piece in self._pieces]

    def _find_piece(self, place: int) -> _Piece:
        index = bisect_right(self._starts, place) - 1
        return self._pieces[index] if self._pieces else _Piece(Span(0, 0), Span(0, len(self.original)), False)


def make_mend(text: str, span: Span, mended: str, reason: MendReason) -> Mend:
    """A mend of a stretch as one edit of what differs."""
    original = text[span.start : span.end]
    before = 0
    while before < min(len(original), len(mended)) and original[before] == mended[before]:
        before += 1
    behind = 0
    while behind < min(len(original), len(mended)) - before and original[-1 - behind] == mended[-1 - behind]:
        behind += 1
    edit = Edit(Span(span.start + before, span.end - behind), mended[before : len(mended) - behind])
    return Mend(span, original, mended, reason, (edit,))


def apply_mends(text: str, mends: Iterable[Mend]) -> CleanText:
    """The text with mends, of which none overlap."""
    ordered = tuple(sorted(mends, key=lambda mend: mend.span.start))
    parts: list[str] = []
    end = 0
    for edit in _list_edits(ordered):
        parts += (text[end : edit.place.start], edit.text)
        end = edit.place.end
    return CleanText("".join((*parts, text[end:])), ordered, text)


def _list_edits(mends: Iterable[Mend]) -> Iterator[Edit]:
    return (edit for mend in mends for edit in mend.edits)


def _list_pieces(text: str, mends: Iterable[Mend]) -> Iterator[_Piece]:
    """All pieces of the clean text that are not empty, in order."""
    clean = end = 0
    for edit in _list_edits(mends):
        if edit.place.start > end:
            yield _Piece(Span(clean, clean + edit.place.start - end), Span(end, edit.place.start), True)
            clean += edit.place.start - end
        if edit.text:
            yield _Piece(Span(clean, clean + len(edit.text)), edit.place, False)
            clean += len(edit.text)
        end = edit.place.end
    if len(text) > end:
        yield _Piece(Span(clean, clean + len(text) - end), Span(end, len(text)), True)
