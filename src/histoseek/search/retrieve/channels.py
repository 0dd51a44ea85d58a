"""The channels that lead from a query to slides and reports: ranked lists, each with its own scores."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.filters.expression import HAS_REPORT, Expression, all_of
from histoseek.archive.space.language import Language
from histoseek.archive.stores.base import VectorColumn
from histoseek.archive.stores.slides import SlideTable
from histoseek.encoders.alignment import SharedRecall
from histoseek.reports.index.analyser import WORD_PREFIX
from histoseek.reports.index.query_words import QueryWord
from histoseek.reports.index.statements import Statement
from histoseek.reports.language.negation import Status
from histoseek.search.results import ChannelName

Vector = NDArray[np.float32]

_WORDS = ("report words", "metadata words")

READ_IN_WINDOWS = 256
"""Reports nearest to a text of which long ones are also compared window by window."""

CHECKED = 256
"""The first slides of a channel, which are looked at for what contradicts the query."""

LOOKED_INTO = 10
"""The best reports by words in which the query's words are looked for."""

REPORTS_WEIGHT = 4 / 3
"""What report vectors and report words weigh together; a space of slides and texts in which every text finds its slide
would weigh as much."""

LEAST_SHARED_WEIGHT = 0.01
"""What the shared space weighs where it finds no more than chance, or was never measured: enough to put slides without
a report in an order, and too little to move one that has a report."""

BALANCE = 8
"""How many of a query's words the best report lacks when vectors and words count the same ..."""

PER_WORD = 1.5
"""... and how many times more vectors count beside words for each further one (benchmarks/report_sources.py)."""

RECORDS_WEIGHT = 4 / 3
"""What the words of metadata and names weigh beside reports where a slide has all of a query's."""

MOST_OF_LONG = 3 / 4
"""The most that vectors count for of a text that its encoder reads in windows, whose mean says less."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One ranked list, best first: slide ids and their scores there; weight: below 0 for what is not wanted."""

    name: ChannelName
    slide_ids: tuple[str, ...]
    scores: tuple[float, ...]
    weight: float = 1.0

    @property
    def through_reports(self) -> bool:
        """Whether only slides with a report can be reached this way."""
        return self.name in ("report vectors", "report words")

    def without(self, slide_ids: Collection[str]) -> Channel:
        """The channel as if some slides were not in the archive."""
        kept = [pair for pair in zip(self.slide_ids, self.scores, strict=True) if pair[0] not in slide_ids]
        return replace(self, slide_ids=tuple(i for i, _ in kept), scores=tuple(score for _, score in kept))

    def lower(self, shares: Mapping[str, float], power: int) -> Channel:
        """The channel with its first slides ranked anew, their scores less by a share (0 to 1, to a power)."""
        first = zip(self.slide_ids[:CHECKED], self.scores[:CHECKED], strict=True)
        lowered = [(slide_id, score - abs(score) * shares.get(slide_id, 0.0) ** power) for slide_id, score in first]
        lowered.sort(key=lambda pair: (-pair[1], pair[0]))
        slide_ids, scores = [i for i, _ in lowered], [score for _, score in lowered]
        return replace(
            self,
            slide_ids=(*slide_ids, *self.slide_ids[CHECKED:]),
            scores=(*scores, *self.scores[CHECKED:]),
        )


def share_weight(channels: Sequence[Channel], weight: float) -> list[Channel]:
    """The channels weighing as they do now to each other, those of what is wanted `weight` together."""
    whole = sum(channel.weight for channel in channels if channel.weight > 0) or 1.0
    return [replace(channel, weight=weight * channel.weight / whole) for channel in channels]


def weigh_shared_space(measured: SharedRecall | None, missing_share: float) -> float:
    """What the shared space weighs, by how well texts found the slides of patients that it had not seen.

    missing_share: of the query's words, in the report that has most of them. What a report says word by word needs no
    guess from the look of slides: a known report finds its slide as it does without a shared space.
    """
    above_chance = measured.above_chance if measured else 0.0
    return max(LEAST_SHARED_WEIGHT, REPORTS_WEIGHT * above_chance * missing_share)


def find_vector_share(missing_words: int, is_long: bool) -> float:
    """How much report vectors count for, 0 to 1, the rest being for report words.

    missing_words: of the query, in the report that has most of them. What a report has word by word is looked up; what
    none has that way is compared by meaning.
    """
    share = 1 / (1 + PER_WORD ** (BALANCE - missing_words))
    return min(share, MOST_OF_LONG) if is_long else share


def count_missing_words(query: Mapping[str, float], reports: Collection[Collection[str]]) -> int:
    """How many words of a query's tokens are missing in that of some reports, each as tokens, that has most of them."""
    words = list_words(query)
    return min((len(words.difference(tokens)) for tokens in reports), default=len(words))


def list_words(query: Mapping[str, float]) -> set[str]:
    """The words of a query's tokens."""
    return {token for token, weight in query.items() if weight >= 1 and ":" not in token and _is_spoken(token)}


def _is_spoken(token: str) -> bool:
    """Whether a query speaks of a word so, rather than settling for it where a report only suspects it."""
    return not token.startswith((WORD_PREFIX[Status.UNCERTAIN], WORD_PREFIX[Status.HISTORICAL]))


@dataclass(frozen=True, slots=True)
class Retriever:
    """Opens channels in a store as it stood when the search began.

    language: the archive's spaces of texts; where: the filter; count: most slides of a channel.
    """

    store: SlideTable
    language: Language
    where: Expression | None
    count: int

    def slides_by_text(
        self, tokens: Mapping[str, float], vector: Vector | None, is_long: bool = False
    ) -> list[Channel]:
        """text -> slides: through the shared space where there is one, and through the slides' reports.

        tokens: the text's, with their weights; vector: the text's, float32 [T], None where the archive has none;
        is_long: whether it is the mean of several windows.
        """
        alignment = self.language.alignment
        reports, missing_share = self._open_reports(tokens, vector, is_long)
        if alignment is None or vector is None:
            return reports
        shared = self._nearest("shared space", alignment.texts(vector[None])[0], "shared_vector")
        return [replace(shared, weight=weigh_shared_space(alignment.measured, missing_share)), *reports]

    def reports_by_text(
        self, tokens: Mapping[str, float], vector: Vector | None, is_long: bool = False
    ) -> list[Channel]:
        """text -> reports: by their vectors and by their words; tokens, vector and is_long as above."""
        return self._open_reports(tokens, vector, is_long)[0]

    def slides_by_record(self, words: Sequence[QueryWord]) -> list[Channel]:
        """text -> slides: by what is known of them beside their reports, with the share of the words that they have."""
        hits = self.store.record_text([word.tokens for word in words], self.count, self.where)
        slide_ids, scores = tuple(hit.slide_id for hit in hits), tuple(hit.score for hit in hits)
        return [Channel("metadata words", slide_ids, scores, RECORDS_WEIGHT * scores[0])] if hits else []

    def list_slides(self) -> Channel:
        """All slides of the filter by their ids, none better than another."""
        slide_ids = self.store.slides(self.where)[: self.count]
        return Channel("metadata words", tuple(slide_ids), (1.0,) * len(slide_ids))

    def reports_by_slide(self, global_vector: Vector) -> list[Channel]:
        """slide -> reports: through the shared space where there is one."""
        alignment = self.language.alignment
        if alignment is None:
            return []
        return [self._nearest("shared space", alignment.slides(global_vector[None])[0], "shared_report_vector")]

    def list_reports(self) -> Channel:
        """All reports of the filter by the ids of their slides, none better than another."""
        slide_ids = self.store.slides(all_of(self.where, HAS_REPORT))[: self.count]
        return Channel("report words", tuple(slide_ids), (0.0,) * len(slide_ids))

    def lower_contradicting(self, channels: Sequence[Channel], statements: Sequence[Statement]) -> list[Channel]:
        """The channels with what contradicts a query further down.

        A report's words lose the share of the query that it contradicts, its vectors the square of it: cosines lie
        close together, and one clause of many must not decide.
        """
        first = (slide_id for channel in channels for slide_id in channel.slide_ids[:CHECKED])
        slide_ids = sorted(set(first)) if statements else []
        if not slide_ids:
            return list(channels)
        facts = self.store.list_report_facts(slide_ids)
        shares = {
            slide_id: min(1.0, sum(statement.share for statement in statements if statement.is_contradicted(own)))
            for slide_id, own in facts.items()
        }
        return [channel.lower(shares, 1 if channel.name in _WORDS else 2) for channel in channels]

    def _open_reports(
        self, tokens: Mapping[str, float], vector: Vector | None, is_long: bool
    ) -> tuple[list[Channel], float]:
        """The channels through reports, and the share of the query's words that the best report lacks."""
        channels = [] if vector is None else [self._nearest_in_windows(vector)]
        hits = self.store.text(tokens, self.count, self.where)
        words = Channel("report words", tuple(hit.slide_id for hit in hits), tuple(hit.score for hit in hits))
        missing_share = 1.0
        if hits and channels:
            missing = count_missing_words(tokens, self.store.list_report_tokens(words.slide_ids[:LOOKED_INTO]))
            missing_share = missing / max(1, len(list_words(tokens)))
            share = find_vector_share(missing, is_long)
            channels = [replace(channels[0], weight=REPORTS_WEIGHT * share)]
            words = replace(words, weight=REPORTS_WEIGHT * (1 - share))
        return [channel for channel in (*channels, words) if channel.slide_ids], missing_share

    def _nearest_in_windows(self, vector: Vector) -> Channel:
        """Reports by their vectors; of the nearest, long ones by that of their windows which is nearest, if nearer."""
        whole = self._nearest("report vectors", vector, "report_vector")
        scores = dict(zip(whole.slide_ids, whole.scores, strict=True))
        for slide_id, flat in self.store.windows(whole.slide_ids[:READ_IN_WINDOWS]).items():
            windows = flat.astype(np.float32).reshape(-1, len(vector))
            scores[slide_id] = max(scores[slide_id], float((windows @ vector).max()))
        ranked = sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))
        return replace(whole, slide_ids=tuple(i for i, _ in ranked), scores=tuple(score for _, score in ranked))

    def _nearest(self, name: ChannelName, vector: Vector, column: VectorColumn) -> Channel:
        near = self.store.nearest(vector, self.count, self.where, column)
        return Channel(name, tuple(n.slide_id for n in near), tuple(1 - n.cosine_distance for n in near))
