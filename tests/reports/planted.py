"""Fills layouts with values and scores what was found."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from histoseek.reports.privacy.identifiers.identifier_kinds import Identifier

from .planted_values import Values

_PLACE = re.compile(r"<(name|date|id|phone|address|institution|email|url|ip|age) (\w+)(?: (\w+))?>")


@dataclass(frozen=True)
class Planted:
    """One planted identifier; `listed` tells for names whether the word lists hold them, None for other kinds."""

    start: int
    end: int
    kind: str
    listed: bool | None


@dataclass(frozen=True)
class Document:
    """A filled layout."""

    layout: str
    text: str
    planted: tuple[Planted, ...]


def fill(layout: str, template: str, seed: int, listed: bool) -> Document:
    """One document of a layout."""
    values = Values(seed, listed)
    pieces: list[str] = []
    planted: list[Planted] = []
    at = length = 0
    for place in _PLACE.finditer(template):
        pieces.append(template[at : place.start()])
        length += len(pieces[-1])
        kind, form, person = place.groups()
        value = values.person(person).write(form) if kind == "name" else getattr(values, kind)(form)
        planted.append(Planted(length, length + len(value), kind, listed if kind == "name" else None))
        pieces.append(value)
        length += len(value)
        at = place.end()
    pieces.append(template[at:])
    return Document(layout, "".join(pieces), tuple(planted))


def documents(layouts: Mapping[str, str], rounds: int, seed: int = 20190304) -> list[Document]:
    """`rounds` documents of each layout, names listed and unlisted in turn."""
    return [
        fill(name, template, seed + 1000 * number + turn, listed=turn % 2 == 0)
        for number, (name, template) in enumerate(layouts.items())
        for turn in range(rounds)
    ]


@dataclass(frozen=True)
class Score:
    """Counts over documents; a planted identifier is found when each of its letters and digits was removed."""

    planted: int
    found: int
    removed: int
    removed_right: int

    @property
    def recall(self) -> float:
        """Share of planted identifiers that are wholly gone."""
        return self.found / self.planted

    @property
    def precision(self) -> float:
        """Share of removed spans that touch a planted identifier."""
        return self.removed_right / self.removed


def missed(document: Document, spans: Iterable[Identifier]) -> list[Planted]:
    """What is still readable, in full or in part."""
    gone = bytearray(len(document.text))
    for span in spans:
        gone[span.start : span.end] = b"\x01" * (span.end - span.start)
    return [
        item
        for item in document.planted
        if any(document.text[at].isalnum() and not gone[at] for at in range(item.start, item.end))
    ]


def wrong(document: Document, spans: Iterable[Identifier]) -> list[Identifier]:
    """Removed spans that touch no planted identifier."""
    return [span for span in spans if not any(p.start < span.end and span.start < p.end for p in document.planted)]


def score(scored: Iterable[tuple[Document, tuple[Identifier, ...]]]) -> Score:
    """Totals over documents and what was removed from each."""
    planted = found = removed = right = 0
    for document, spans in scored:
        planted += len(document.planted)
        found += len(document.planted) - len(missed(document, spans))
        removed += len(spans)
        right += len(spans) - len(wrong(document, spans))
    return Score(planted, found, removed, right)
