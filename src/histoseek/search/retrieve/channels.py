"""The channels that lead from a query to slides and reports: ranked lists, each with its own scores."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.filters.expression import HAS_REPORT, Expression, all_of
from histoseek.archive.space.language import Language
from histoseek.archive.stores.base import TextHit, VectorColumn
from histoseek.archive.stores.slides import SlideTable
from histoseek.deadline import check_deadline
from histoseek.encoders.alignment import Alignment, SharedRecall
from histoseek.reports.index.analyser import WORD_PREFIX
from histoseek.reports.index.statements import Statement
from histoseek.reports.language.negation import Status
from histoseek.search.encode.text import ParsedText
from histoseek.search.results import ChannelName
from histoseek.search.retrieve.chance import Chance

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

LEAST_OF_VECTORS = 0.2
"""What vectors count for at least: of reports with the same words the nearest in meaning comes first."""

MOST_OF_LONG = 3 / 4
"""The most that vectors count for of a text that its encoder reads in windows, whose mean says less."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How scores of a channel become likeness, the same in every search: 0 up to `zero`, from there straight to 1 at
    `one`."""

    zero: float = 0.0
    one: float = 1.0

    def __call__(self, scores: Sequence[float]) -> list[float]:
        """The likeness of each, 0 to 1."""
        likeness: list[float] = np.clip((np.array(scores) - self.zero) / (self.one - self.zero), 0, 1).tolist()
        return likeness


@dataclass(frozen=True, slots=True)
class Channel:
    """One ranked list, best first: slide ids and their scores there; weight: below 0 for what is not wanted; scale:
    what the scores mean; further: how many times the weight it has for slides without a report."""

    name: ChannelName
    slide_ids: tuple[str, ...]
    scores: tuple[float, ...]
    weight: float = 1.0
    scale: Scale = Scale()
    further: float = 1.0

    @property
    def evidence(self) -> str:
        """What counts once, by whatever channel: words that a slide's metadata repeat say nothing new."""
        return "words" if self.name in _WORDS else self.name

    @property
    def likeness(self) -> list[float]:
        """0 to 1, as in every other search."""
        return self.scale(self.scores)

    @property
    def through_reports(self) -> bool:
        """Whether only slides with a report can be reached this way."""
        return self.name in ("report vectors", "report words")

    def without(self, slide_ids: Collection[str]) -> Channel:
        """The channel as if some slides were not in the archive."""
        kept = [pair for pair in zip(self.slide_ids, self.scores, strict=True) if pair[0] not in slide_ids]
        return replace(self, slide_ids=tuple(i for i, _ in kept), scores=tuple(score for _, score in kept))

    def lower(self, shares: Mapping[str, float], power: int) -> Channel:
        """The channel with some slides ranked anew, their scores less by a share (0 to 1, to a power)."""
        ranked = zip(self.slide_ids, self.scores, strict=True)
        lowered = [(slide_id, score - abs(score) * shares.get(slide_id, 0.0) ** power) for slide_id, score in ranked]
        lowered.sort(key=lambda pair: (-pair[1], pair[0]))
        slide_ids, scores = tuple(i for i, _ in lowered), tuple(score for _, score in lowered)
        return replace(self, slide_ids=slide_ids, scores=scores)


def weigh_evidence(channels: Iterable[Channel], *, without_report: bool = False) -> dict[str, float]:
    """What each kind of evidence weighs, by its name; without_report: for slides that have none."""
    weights: dict[str, float] = {}
    for channel in channels:
        weight = channel.weight * (channel.further if without_report else 1)
        weights[channel.evidence] = max(weight, weights.get(channel.evidence, weight))
    return weights


def share_weight(channels: Sequence[Channel], weight: float) -> list[Channel]:
    """The channels weighing as they do now to each other, those of what is wanted `weight` together."""
    whole = sum(weigh_evidence(channel for channel in channels if channel.weight > 0).values()) or 1.0
    return [replace(channel, weight=weight * channel.weight / whole) for channel in channels]


UNMEASURED_TILE_WORDS = 1 / 4
"""What words in the space of tiles count for where the archive's reports don't tell how far they can be believed."""

KNOWN_SHARE = 1 / 4
"""What the shared space counts for where a report has all words of a query, so that it leads to slides without one."""


def weigh_shared_space(measured: SharedRecall | None, missing_share: float) -> float:
    """What the shared space weighs, by how well texts found the slides of patients that it had not seen.

    missing_share: of the query's words, in the report that has most of them. What a report says word by word needs no
    guess from the look of slides: a known report finds its slide as it does without a shared space.
    """
    above_chance = measured.above_chance if measured else 0.0
    share = KNOWN_SHARE + (1 - KNOWN_SHARE) * missing_share
    return max(LEAST_SHARED_WEIGHT, REPORTS_WEIGHT * above_chance * share)


def weigh_tile_words(quality: float | None) -> float:
    """What words in the space of tiles weigh for slides without a report, by how much better than chance they find what
    reports state: 0 to 1, None where that is not known."""
    return max(LEAST_SHARED_WEIGHT, REPORTS_WEIGHT * (UNMEASURED_TILE_WORDS if quality is None else quality))


def find_vector_share(missing_words: int, is_long: bool) -> float:
    """How much report vectors count for beside LEAST_OF_VECTORS, 0 to 1, the rest being for words.

    missing_words: of the query, in the report that has most of them. What is there word by word is looked up; what is
    not is compared by meaning.
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
class _Weights:
    """What channels of a text weigh, and the score for words of a report that has all of them; `one` is infinite where
    none has any; known: what tiles count for of slides with a report, whose words need no guess from their look."""

    vectors: float
    words: float
    shared: float
    tiles: float
    known: float
    one: float


class TileRanking(Protocol):
    """Ranks slides for a text by their tiles (`words.comparison.TileWords`)."""

    def rank(self, text: str, count: int, where: Expression | None) -> tuple[tuple[str, ...], tuple[float, ...]]:
        """The best slides of a filter for a text, and their scores."""


@dataclass(frozen=True, slots=True)
class Retriever:
    """Opens channels in a store as it stood when the search began.

    language: the archive's spaces of texts; where: the filter; count: most slides of a channel; chance: what channels
    give by chance; tiles: what ranks slides by their tiles, None where there are no words for these. What a filter
    leaves out still decides how much a likeness is: scores are those of any other filter.
    """

    store: SlideTable
    language: Language
    where: Expression | None
    count: int
    chance: Chance
    tiles: TileRanking | None = None

    def slides_by_text(self, text: ParsedText, vector: Vector | None, is_long: bool = False) -> list[Channel]:
        """text -> slides: through the shared space where there is one, through the slides' reports, and by what is
        known of them beside these.

        vector: the text's, float32 [T], None where the archive has none; is_long: whether it is the mean of several
        windows.
        """
        return self._open(text, vector, is_long, self.language.alignment, self.tiles)

    def reports_by_text(self, text: ParsedText, vector: Vector | None, is_long: bool = False) -> list[Channel]:
        """text -> reports: by their vectors, their words, and what is known of their slides; arguments as above."""
        return self._open(text, vector, is_long, None, None)

    def _open(
        self,
        text: ParsedText,
        vector: Vector | None,
        is_long: bool,
        alignment: Alignment | None,
        tiles: TileRanking | None,
    ) -> list[Channel]:
        check_deadline()
        hits = self.store.text(text.tokens, self.count, self.where)
        check_deadline()
        records = self.store.record_text([word.tokens for word in text.words], self.count, self.where)
        weights = self._weigh(text, is_long, hits, records)
        channels = []
        if alignment is not None and vector is not None:
            shared = self._nearest("shared space", alignment.texts(vector[None])[0], "shared_vector")
            channels.append(replace(shared, weight=weights.shared))
        if tiles is not None:
            channels.append(self._rank_tiles(tiles, text.text, weights, without_reports=vector is None))
        if vector is not None:
            channels.append(replace(self._nearest_in_windows(vector), weight=weights.vectors))
        # Without vectors of reports, meaning is what tiles show of it, if anything.
        words = weights.words if vector is not None or tiles is not None else REPORTS_WEIGHT
        channels += [
            _make_channel("report words", hits, words, Scale(0, weights.one)),
            *([_make_channel("metadata words", records, words)] if self.store.record_analyser else []),
        ]
        return [channel for channel in channels if channel.slide_ids or channel.name == "metadata words"]

    def _weigh(self, text: ParsedText, is_long: bool, hits: Sequence[TextHit], records: Sequence[TextHit]) -> _Weights:
        """By what of the text's words the best reports and records have, whether the filter lets these through or not.

        What a report or record has word by word is looked up; what none has that way is compared by meaning.
        """
        if self.where is not None:
            hits = self.store.text(text.tokens, LOOKED_INTO, None)
            records = self.store.record_text([word.tokens for word in text.words], 1, None)
        tokens = self.store.list_report_tokens([hit.slide_id for hit in hits[:LOOKED_INTO]])
        known = records[0].score if records else 0.0
        word_count = len(list_words(text.tokens))
        missing = min(count_missing_words(text.tokens, tokens), round(word_count * (1 - known)))
        cover = self.chance.cover(text.words, tokens) if text.words else float(bool(hits))
        share = LEAST_OF_VECTORS + (1 - LEAST_OF_VECTORS) * find_vector_share(missing, is_long)
        if not is_long:
            share = max(share, 1 - max(cover, known))
        alignment = self.language.alignment
        missing_share = missing / max(1, word_count)
        return _Weights(
            vectors=REPORTS_WEIGHT * share,
            words=REPORTS_WEIGHT * (1 - share),
            shared=weigh_shared_space(alignment.measured if alignment else None, missing_share),
            tiles=weigh_tile_words(self.chance.word_quality),
            known=KNOWN_SHARE + (1 - KNOWN_SHARE) * missing_share,
            one=hits[0].score / cover if cover else math.inf,
        )

    def _rank_tiles(self, tiles: TileRanking, text: str, weights: _Weights, *, without_reports: bool) -> Channel:
        """Slides by their tiles; where there are no vectors of reports these weigh as much as such would."""
        name: ChannelName = "tile words"
        slide_ids, scores = tiles.rank(text, self.count, self.where)
        scale = Scale(self.chance.zeros.get(name, 0.0), self.chance.ones.get(name, 1.0))
        if without_reports:
            return Channel(name, slide_ids, scores, weights.vectors, scale)
        return Channel(name, slide_ids, scores, weights.tiles * weights.known, scale, 1 / weights.known)

    def list_slides(self) -> Channel:
        """All slides of the filter by their ids, none better than another."""
        slide_ids = self.store.slides(self.where)[: self.count]
        return Channel("metadata words", tuple(slide_ids), (1.0,) * len(slide_ids))

    def reports_by_slide(self, global_vector: Vector) -> list[Channel]:
        """slide -> reports: through the shared space where there is one."""
        alignment = self.language.alignment
        if alignment is None:
            return []
        near = self._nearest("shared space", alignment.slides(global_vector[None])[0], "shared_report_vector")
        return [replace(near, scale=Scale())]

    def list_reports(self) -> Channel:
        """All reports of the filter by the ids of their slides, none better than another."""
        slide_ids = self.store.slides(all_of(self.where, HAS_REPORT))[: self.count]
        return Channel("report words", tuple(slide_ids), (1.0,) * len(slide_ids))

    def lower_contradicting(self, channels: Sequence[Channel], statements: Sequence[Statement]) -> list[Channel]:
        """The channels with what contradicts a query further down.

        A report's words lose the share of the query that it contradicts, its vectors the square of it: cosines lie
        close together, and one clause of many must not decide.
        """
        first = (slide_id for channel in channels for slide_id in channel.slide_ids[:CHECKED])
        slide_ids = sorted(set(first)) if statements else []
        if not slide_ids:
            return list(channels)
        check_deadline()
        facts = self.store.list_report_facts(slide_ids)
        shares = {
            slide_id: min(1.0, sum(statement.share for statement in statements if statement.is_contradicted(own)))
            for slide_id, own in facts.items()
        }
        if not any(shares.values()):
            return list(channels)
        return [channel.lower(shares, 1 if channel.name in _WORDS else 2) for channel in channels]

    def _nearest_in_windows(self, vector: Vector) -> Channel:
        """Reports by their vectors; of the nearest, long ones by that of their windows which is nearest, if nearer."""
        whole = self._nearest("report vectors", vector, "report_vector")
        scores = dict(zip(whole.slide_ids, whole.scores, strict=True))
        for slide_id, flat in self.store.windows(whole.slide_ids[:READ_IN_WINDOWS]).items() if whole.slide_ids else ():
            windows = flat.astype(np.float32).reshape(-1, len(vector))
            scores[slide_id] = max(scores[slide_id], float((windows @ vector).max()))
        ranked = sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))
        return replace(whole, slide_ids=tuple(i for i, _ in ranked), scores=tuple(score for _, score in ranked))

    def _nearest(self, name: ChannelName, vector: Vector, column: VectorColumn) -> Channel:
        check_deadline()
        near = self.store.nearest(vector, self.count, self.where, column)
        scores = tuple(1 - n.cosine_distance for n in near)
        return Channel(name, tuple(n.slide_id for n in near), scores, scale=Scale(self.chance.zeros.get(name, 0.0)))


def _make_channel(name: ChannelName, hits: Sequence[TextHit], weight: float, scale: Scale | None = None) -> Channel:
    slide_ids, scores = tuple(hit.slide_id for hit in hits), tuple(hit.score for hit in hits)
    return Channel(name, slide_ids, scores, weight, scale or Scale())
