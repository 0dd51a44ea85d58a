"""What what is being typed may become: values, slides, patients and cases that the archive has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from histoseek.archive.folder import ArchiveFolder
from histoseek.arguments import settle_count
from histoseek.search.scope.fields import FieldFilter
from histoseek.search.scope.names import get_names
from histoseek.search.understanding.values import MOST_WORDS, get_values

CompletionKind = Literal["value", "slide", "patient", "case"]
MOST_COMPLETIONS = 50

_WORD = re.compile(r"\S+")
_SHORTEST_PART = 2
"""Letters of a name's part: with fewer nearly all names have it."""


@dataclass(frozen=True, slots=True)
class Completion:
    """Something that the archive has, in place of text[start:] of what was typed.

    text: the value, or the name of slide, patient or case; slides: how many have it, at least one; filter: that leads
    to them; slide_id: of the only one.
    """

    kind: CompletionKind
    text: str
    start: int
    slides: int
    filter: FieldFilter
    slide_id: str | None = None


def complete(archive: ArchiveFolder, text: str, most: int = 8) -> tuple[Completion, ...]:
    """Up to `most` values and as many slides, patients and cases that what is typed, or its last words, may mean.

    The longest piece at the end that completes to anything counts: of "colon aden" that is "aden" where no value
    begins with both words. Nothing for an empty text or archive.
    """
    most = settle_count(most, "completions most", 1)
    return archive.read(lambda view: _complete(view, text, min(most, MOST_COMPLETIONS)))


def _complete(archive: ArchiveFolder, text: str, most: int) -> tuple[Completion, ...]:
    if archive.space is None:
        return ()
    starts = [match.start() for match in _WORD.finditer(text)][-MOST_WORDS:]
    for start in starts:
        found = (*_complete_values(archive, text, start, most), *_complete_names(archive, text, start, most))
        if found:
            return found
    return ()


def _complete_values(archive: ArchiveFolder, text: str, start: int, most: int) -> Iterator[Completion]:
    for facet in get_values(archive.store).complete(text[start:], most):
        filtered = FieldFilter(facet.source, facet.field, (facet.value,))
        yield Completion("value", facet.value, start, facet.count, filtered)


def _complete_names(archive: ArchiveFolder, text: str, start: int, most: int) -> Iterator[Completion]:
    part = text[start:].strip()
    if len(part) < _SHORTEST_PART:
        return
    for name in get_names(archive.store).complete(part, most):
        field = "slide_id" if name.kind == "slide" else f"{name.kind}_id"
        value = name.slide_id if name.kind == "slide" else name.text
        yield Completion(
            name.kind, name.text, start, name.slides, FieldFilter("metadata", field, (value,)), name.slide_id
        )
