"""Which hits are presented: a page of them, one a case on demand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.filters.expression import Expression, all_of, any_of, one_of
from histoseek.archive.stores.slides import SlideTable
from histoseek.reports.privacy.person_names import make_patient_key
from histoseek.search.options import SearchOptions
from histoseek.search.retrieve.rank_fusion import Hit

_AHEAD = 4
"""Slides looked at for each case wanted; more when cases have more slides."""

BestHits = Callable[[int], Sequence[Hit]]
"""The n best hits, best first, fewer when there are no more."""

Texts = NDArray[np.str_]


def take_page(
    store: SlideTable, best_hits: BestHits, options: SearchOptions, where: Expression | None
) -> Sequence[Hit]:
    """The hits of ranks offset + 1 to offset + k; where: the filter that was searched."""
    if options.by_case:
        return _take_cases(store, best_hits, options, where)
    return best_hits(options.last)[options.offset :]


def name_cases(case_ids: Texts, patient_ids: Texts, slide_ids: Texts) -> Texts:
    """Whose case each of S slides is of, text [S], from their ids, "" where not known.

    A slide without a case stands for itself, and slides of different patients are never one case, whatever tables say.
    """
    names = np.where(case_ids != "", np.char.add("case ", case_ids), np.char.add("slide ", slide_ids))
    is_known = (case_ids != "") & (patient_ids != "")
    pairs = set(zip(case_ids[is_known].tolist(), patient_ids[is_known].tolist(), strict=True))
    counts = Counter(case_id for case_id, _ in pairs)
    several = [case_id for case_id, count in counts.items() if count > 1]
    if not several:
        return names
    of_several = is_known & np.isin(case_ids, several)
    keys = np.full(len(names), "", object)
    keys[of_several] = [make_patient_key(patient) or patient for patient in patient_ids[of_several].tolist()]
    return np.where(of_several, np.char.add(np.char.add(names, " of "), keys.astype(np.str_)), names)


def _take_cases(
    store: SlideTable, best_hits: BestHits, options: SearchOptions, where: Expression | None
) -> Sequence[Hit]:
    wanted = _AHEAD * options.last
    while True:
        hits = best_hits(wanted)
        names = _name_cases_of(store, [hit.slide_id for hit in hits], where)
        cases: dict[str, Hit] = {}
        for hit in hits:
            cases.setdefault(names[hit.slide_id], hit)
        if len(cases) >= options.last or len(hits) < wanted:
            break
        wanted *= _AHEAD
    members: dict[str, list[str]] = {}
    for slide_id, name in names.items():
        members.setdefault(name, []).append(slide_id)
    page = list(cases.items())[options.offset : options.last]
    return [replace(hit, also=tuple(i for i in members[name] if i != hit.slide_id)) for name, hit in page]


def _name_cases_of(store: SlideTable, slide_ids: Sequence[str], where: Expression | None) -> Mapping[str, str]:
    """Whose case each of these slides is of, and each other of the filter that has a case id of theirs, by its id."""
    if not slide_ids:
        return {}
    own = one_of("slide_id", slide_ids)
    case_ids = [case_id for case_id in store.columns(["case_id"], own)["case_id"].unique().to_pylist() if case_id]
    members = all_of(where, one_of("case_id", case_ids)) if case_ids else None
    rows = store.columns(["slide_id", "case_id", "patient_id"], any_of(own, members)).sort_by("slide_id")
    ids, cases, patients = (
        np.array([text or "" for text in rows[name].to_pylist()], np.str_) for name in rows.column_names
    )
    return dict(zip(ids.tolist(), name_cases(cases, patients, ids).tolist(), strict=True))
