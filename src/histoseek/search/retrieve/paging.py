"""Which of the ranked slides are shown: a page of them, one a case on demand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from histoseek.archive.schema import SlideRecord
from histoseek.archive.stores.base import Store
from histoseek.archive.stores.sql import both, in_list
from histoseek.search.options import SearchOptions

_AHEAD = 4
"""Slides looked at for each case wanted; more when cases have more slides."""

FirstOf = Callable[[int], Sequence[str]]
"""The ids of the n best slides, best first, fewer when there are no more."""


@dataclass(frozen=True, slots=True)
class Place:
    """A slide's rank among the results, from 1; also: the other slides of its case, when cases are results."""

    rank: int
    slide_id: str
    also: tuple[str, ...] = ()


def page(store: Store, first: FirstOf, options: SearchOptions, where: str | None) -> list[Place]:
    """The places from offset + 1 to offset + k; where: the filter that was searched."""
    if options.by_case:
        return _cases(store, first, options, where)
    ids = first(options.last)
    return [Place(rank, ids[rank - 1]) for rank in range(options.offset + 1, len(ids) + 1)]


def _cases(store: Store, first: FirstOf, options: SearchOptions, where: str | None) -> list[Place]:
    wanted = _AHEAD * options.last
    while True:
        ids = first(wanted)
        best = _best_of_cases(store, ids)
        if len(best) >= options.last or len(ids) < wanted:
            break
        wanted *= _AHEAD
    shown = best[options.offset : options.last]
    others = _by_case(store, [record.case_id for record in shown if record.case_id], where)
    return [
        Place(rank, record.slide_id, tuple(i for i in others.get(record.case_id or "", ()) if i != record.slide_id))
        for rank, record in enumerate(shown, start=options.offset + 1)
    ]


def _best_of_cases(store: Store, ids: Sequence[str]) -> list[SlideRecord]:
    """The nearest slide of each case, in their order; a slide without a case stands for itself."""
    found = {record.slide_id: record for record in store.records(in_list("slide_id", ids), None, 0)} if ids else {}
    cases: dict[str, SlideRecord] = {}
    for slide_id in ids:
        record = found[slide_id]
        cases.setdefault(f"case {record.case_id}" if record.case_id else f"slide {slide_id}", record)
    return list(cases.values())


def _by_case(store: Store, cases: Sequence[str], where: str | None) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    if cases:
        for record in store.records(both(where, in_list("case_id", cases)), None, 0):
            groups.setdefault(record.case_id or "", []).append(record.slide_id)
    return groups
