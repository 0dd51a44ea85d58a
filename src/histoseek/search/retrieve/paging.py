"""Which hits are presented: a page of them, one a case on demand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from histoseek.archive.filters.expression import Expression, all_of, one_of
from histoseek.archive.schema import SlideRecord
from histoseek.archive.stores.slides import SlideTable
from histoseek.search.options import SearchOptions
from histoseek.search.retrieve.rank_fusion import Hit

_AHEAD = 4
"""Slides looked at for each case wanted; more when cases have more slides."""

BestHits = Callable[[int], Sequence[Hit]]
"""The n best hits, best first, fewer when there are no more."""


def take_page(
    store: SlideTable, best_hits: BestHits, options: SearchOptions, where: Expression | None
) -> Sequence[Hit]:
    """The hits of ranks offset + 1 to offset + k; where: the filter that was searched."""
    if options.by_case:
        return _take_cases(store, best_hits, options, where)
    return best_hits(options.last)[options.offset :]


def _take_cases(
    store: SlideTable, best_hits: BestHits, options: SearchOptions, where: Expression | None
) -> Sequence[Hit]:
    wanted = _AHEAD * options.last
    while True:
        hits = best_hits(wanted)
        cases = _best_of_cases(store, hits)
        if len(cases) >= options.last or len(hits) < wanted:
            break
        wanted *= _AHEAD
    page = cases[options.offset : options.last]
    members = _slides_of_cases(store, [record.case_id for record, _ in page if record.case_id], where)
    return [
        replace(hit, also=tuple(i for i in members.get(record.case_id or "", ()) if i != hit.slide_id))
        for record, hit in page
    ]


def _best_of_cases(store: SlideTable, hits: Sequence[Hit]) -> list[tuple[SlideRecord, Hit]]:
    """The best hit of each case with its record, in the order of the hits; a slide without a case stands for itself."""
    slide_ids = [hit.slide_id for hit in hits]
    records = {r.slide_id: r for r in store.records(one_of("slide_id", slide_ids), None, 0)} if slide_ids else {}
    cases: dict[str, tuple[SlideRecord, Hit]] = {}
    for hit in hits:
        record = records[hit.slide_id]
        case = f"case {record.case_id}" if record.case_id else f"slide {hit.slide_id}"
        cases.setdefault(case, (record, hit))
    return list(cases.values())


def _slides_of_cases(store: SlideTable, cases: Sequence[str], where: Expression | None) -> dict[str, list[str]]:
    members: dict[str, list[str]] = {}
    if cases:
        for record in store.records(all_of(where, one_of("case_id", cases)), None, 0):
            members.setdefault(record.case_id or "", []).append(record.slide_id)
    return members
