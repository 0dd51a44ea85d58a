"""The ways that lead from a query to slides and reports, and how their rankings become one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.language import Language
from histoseek.archive.stores.base import Store, VectorColumn
from histoseek.search.results import Way, WayName

_RANK_OFFSET = 60
"""The constant of reciprocal rank fusion (Cormack, Clarke and Buettcher 2009)."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """What one way found, best first: slide ids and their scores there."""

    way: WayName
    slide_ids: tuple[str, ...]
    scores: tuple[float, ...]


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

    def slides_by_text(self, text: str) -> list[Ranking]:
        """text -> slides: through the shared space where there is one, and through the slides' reports."""
        return [*self._text_in_shared_space(text, "shared_vector"), *self.reports_by_text(text)]

    def reports_by_text(self, text: str) -> list[Ranking]:
        """text -> reports: by their vectors and by their words."""
        rankings = []
        if self.language.space.has_texts:
            rankings.append(self._nearest("report vectors", self.language.encoder.encode([text])[0], "report_vector"))
        hits = self.store.text(text, self.count, self.where)
        words = Ranking("report words", tuple(hit.slide_id for hit in hits), tuple(hit.score for hit in hits))
        return [ranking for ranking in (*rankings, words) if ranking.slide_ids]

    def reports_by_slide(self, global_vector: NDArray[np.float32]) -> list[Ranking]:
        """slide -> reports: through the shared space where there is one."""
        alignment = self.language.alignment
        if alignment is None:
            return []
        vector = alignment.slides(global_vector[None])[0]
        return [self._nearest("shared space", vector, "shared_report_vector")]

    def _text_in_shared_space(self, text: str, column: VectorColumn) -> list[Ranking]:
        alignment = self.language.alignment
        if alignment is None:
            return []
        return [self._nearest("shared space", alignment.texts(self.language.encoder.encode([text]))[0], column)]

    def _nearest(self, way: WayName, vector: NDArray[np.float32], column: VectorColumn) -> Ranking:
        near = self.store.nearest(vector, self.count, self.where, column)
        return Ranking(way, tuple(n.slide_id for n in near), tuple(1 - n.cosine_distance for n in near))


def fuse(rankings: Sequence[Ranking], count: int) -> list[Fused]:
    """The best `count` slides of several rankings, by the sum of 1 / (60 + rank), scaled so that 1 is the best.

    A single ranking of vectors keeps its own scores.
    """
    ways: dict[str, list[Way]] = defaultdict(list)
    for ranking in rankings:
        for rank, (slide_id, score) in enumerate(zip(ranking.slide_ids, ranking.scores, strict=True), start=1):
            ways[slide_id].append(Way(ranking.way, rank, score))
    own_scores = len(rankings) == 1 and rankings[0].way != "report words"
    fused = [
        Fused(slide_id, found[0].score if own_scores else _fused_score(found, len(rankings)), tuple(found))
        for slide_id, found in ways.items()
    ]
    return sorted(fused, key=lambda one: (-one.score, one.slide_id))[:count]


def _fused_score(ways: Sequence[Way], rankings: int) -> float:
    return sum((_RANK_OFFSET + 1) / (_RANK_OFFSET + way.rank) for way in ways) / rankings
