"""The hard set: made-up pieces of reports with marked identifiers and look-alikes, and how to score on them."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_MARK = re.compile(r"⟦(\w+)/([\w-]+) ([^⟧]*)⟧")


@dataclass(frozen=True)
class Mark:
    """One identifier, or with kind "keep" a look-alike: its range, kind and category."""

    start: int
    end: int
    kind: str
    category: str


@dataclass(frozen=True)
class HardCase:
    """One piece of a report; `held_out` ones are not for tuning."""

    country: str
    text: str
    marks: tuple[Mark, ...]
    held_out: bool


@dataclass(frozen=True)
class Outcome:
    """One mark, and whether it came out right: all of an identifier gone, all of a look-alike there."""

    case: HardCase
    mark: Mark
    is_right: bool


def load_cases() -> tuple[HardCase, ...]:
    """All cases in the order of the file."""
    table = tomllib.loads(Path(__file__).with_name("hard_identifiers.toml").read_text("utf-8"))
    return tuple(_read_case(entry["country"], entry["text"]) for entry in table["case"])


def judge(case: HardCase, spans: Iterable[tuple[int, int]]) -> Iterator[Outcome]:
    """What became of each mark when the ranges `spans` are removed."""
    gone = _list_gone(case.text, spans)
    for mark in case.marks:
        readable = [at for at in range(mark.start, mark.end) if case.text[at].isalnum() and at not in gone]
        touched = any(at in gone for at in range(mark.start, mark.end))
        yield Outcome(case, mark, not touched if mark.kind == "keep" else not readable)


def list_alarms(case: HardCase, spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Removed ranges that touch no identifier."""
    identifiers = [mark for mark in case.marks if mark.kind != "keep"]
    return [
        (start, end) for start, end in spans if not any(mark.start < end and start < mark.end for mark in identifiers)
    ]


def _read_case(country: str, marked: str) -> HardCase:
    pieces, marks, length, at = [], [], 0, 0
    for match in _MARK.finditer(marked):
        before = marked[at : match.start()]
        start = length + len(before)
        marks.append(Mark(start, start + len(match.group(3)), match.group(1), match.group(2)))
        pieces += [before, match.group(3)]
        length = start + len(match.group(3))
        at = match.end()
    text = "".join([*pieces, marked[at:]])
    return HardCase(country, text, tuple(marks), hashlib.sha256(text.encode()).digest()[0] % 2 == 1)


def _list_gone(text: str, spans: Iterable[tuple[int, int]]) -> frozenset[int]:
    return frozenset(at for start, end in spans for at in range(start, end) if text[at].isalnum())
