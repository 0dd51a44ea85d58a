"""The ways that lead from a query to slides and reports, and how their rankings become one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.space.language import Language
from histoseek.archive.stores.base import Store, VectorColumn
from histoseek.archive.stores.sql import both, in_list
from histoseek.search.results import Way, WayName

Vector = NDArray[np.float32]

_RANK_OFFSET = 60
"""The constant of reciprocal rank fusion (Cormack, Clarke and Buettcher 2009)."""

_READ_IN_WINDOWS = 256

VECTORS_BESIDE_WORDS = 1 / 3
"""How much report vectors count beside report words: from a tenth to a half, little changes (benchmarks/reports.py)."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """What one way found, best first: slide ids and their scores there; weight: below 0 for what is not wanted."""

    way: WayName
    slide_ids: tuple[str, ...]
    scores: tuple[float, ...]
    weight: float = 1.0

    @property
    def through_reports(self) -> bool:
        """Whether only slides with a report can be reached this way."""
        return self.way in ("report vectors", "report words")


@dataclass(frozen=True, slots=True)
class Fused:
    """A slide with its fused score and the ways that led to it."""

    slide_id: str
    score: float
    ways: tuple[Way, ...]


@dataclass(frozen=True, slots=True)
class Searched:
    """Where to look: the store as it stood when the search began, texts in its spaces, the filter, how many a way."""

    store: Store
    language: Language
    where: str | None
    count: int

    def slides_by_text(self, tokens: Mapping[str, float], vector: Vector | None) -> list[Ranking]:
        """text -> slides: through the shared space where there is one, and through the slides' reports.

        tokens: the text's, with their weights; vector: the text's, float32 [T], None where the archive has none.
        """
        alignment = self.language.alignment
        if alignment is None or vector is None:
            return self.reports_by_text(tokens, vector)
        shared = self._nearest("shared space", alignment.texts(vector[None])[0], "shared_vector")
        return [shared, *self.reports_by_text(tokens, vector)]

    def reports_by_text(self, tokens: Mapping[str, float], vector: Vector | None) -> list[Ranking]:
        """text -> reports: by their vectors and by their words; tokens and vector as above."""
        rankings = [] if vector is None else [self._windowed(vector)]
        hits = self.store.text(tokens, self.count, self.where)
        if hits and rankings:
            rankings = [replace(rankings[0], weight=VECTORS_BESIDE_WORDS)]
        words = Ranking("report words", tuple(hit.slide_id for hit in hits), tuple(hit.score for hit in hits))
        return [ranking for ranking in (*rankings, words) if ranking.slide_ids]

    def listed(self) -> Ranking:
        """All reports of the filter, by the ids of their slides, as found by nothing."""
        found = self.store.slides(both(self.where, "report IS NOT NULL"))[: self.count]
        return Ranking("report words", tuple(found), (0.0,) * len(found))

    def reports_by_slide(self, global_vector: NDArray[np.float32]) -> list[Ranking]:
        """slide -> reports: through the shared space where there is one."""
        alignment = self.language.alignment
        if alignment is None:
            return []
        vector = alignment.slides(global_vector[None])[0]
        return [self._nearest("shared space", vector, "shared_report_vector")]

    def _windowed(self, vector: Vector) -> Ranking:
        """Reports by their vectors; of the nearest, long ones by that of their windows which is nearest, if nearer."""
        whole = self._nearest("report vectors", vector, "report_vector")
        scores = dict(zip(whole.slide_ids, whole.scores, strict=True))
        for slide_id, flat in self.store.windows(whole.slide_ids[:_READ_IN_WINDOWS]).items():
            windows = flat.astype(np.float32).reshape(-1, len(vector))
            scores[slide_id] = max(scores[slide_id], float((windows @ vector).max()))
        ranked = sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))
        return replace(whole, slide_ids=tuple(one for one, _ in ranked), scores=tuple(score for _, score in ranked))

    def _nearest(self, way: WayName, vector: NDArray[np.float32], column: VectorColumn) -> Ranking:
        near = self.store.nearest(vector, self.count, self.where, column)
        return Ranking(way, tuple(n.slide_id for n in near), tuple(1 - n.cosine_distance for n in near))


def without_report(store: Store, rankings: Sequence[Ranking]) -> set[str]:
    """Which of the slides found have no report, where some of the rankings go through reports and others do not."""
    through = [ranking for ranking in rankings if ranking.through_reports]
    if not through:
        return set()
    read = {slide_id for ranking in through for slide_id in ranking.slide_ids}
    found = {slide_id for ranking in rankings for slide_id in ranking.slide_ids} - read
    return set(store.slides(both(in_list("slide_id", sorted(found)), "report IS NULL"))) if found else set()


def shared_out(rankings: Sequence[Ranking], weight: float) -> list[Ranking]:
    """The rankings with a weight shared out among them as they weigh now."""
    whole = sum(ranking.weight for ranking in rankings)
    return [replace(ranking, weight=weight * ranking.weight / whole) for ranking in rankings]


def fuse(rankings: Sequence[Ranking], without_report: Collection[str] = ()) -> list[Fused]:
    """The slides of several rankings, best first, by the weighted mean of 61 / (60 + rank): 1 is first everywhere.

    A ranking in which a slide does not appear counts as 0, but for a slide without a report only the rankings that
    can reach it count. Rankings of weight below 0 are taken off, and find nothing by themselves. A single ranking of
    vectors keeps its own scores.
    """
    ways: dict[str, list[Way]] = defaultdict(list)
    for ranking in rankings:
        for rank, (slide_id, score) in enumerate(zip(ranking.slide_ids, ranking.scores, strict=True), start=1):
            ways[slide_id].append(Way(ranking.way, rank, score, ranking.weight))
    if len(rankings) == 1 and rankings[0].way != "report words":
        fused = [Fused(slide_id, found[0].score, tuple(found)) for slide_id, found in ways.items()]
    else:
        wanted = [ranking for ranking in rankings if ranking.weight >= 0]
        in_all = sum(ranking.weight for ranking in wanted)
        unread = sum(ranking.weight for ranking in wanted if not ranking.through_reports)
        fused = [
            Fused(slide_id, _fused(found, unread if slide_id in without_report else in_all), tuple(found))
            for slide_id, found in ways.items()
            if any(way.weight >= 0 for way in found)
        ]
    return sorted(fused, key=lambda one: (-one.score, one.slide_id))


def _fused(ways: Sequence[Way], weights: float) -> float:
    score = sum(way.weight * (_RANK_OFFSET + 1) / (_RANK_OFFSET + way.rank) for way in ways)
    # All that was asked of this slide has no weight: what is not wanted still counts.
    return min(score / weights, 1.0) if weights else score
