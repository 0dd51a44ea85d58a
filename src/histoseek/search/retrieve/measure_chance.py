"""Measures what an archive's channels give by chance, with everyday sentences in place of a query."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.filters.expression import Expression
from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.stores.slides import SlideTable
from histoseek.search.encode.text import ParsedText
from histoseek.search.regional.base import RegionMeasure
from histoseek.search.regional.tile_words import TileWordMeasure
from histoseek.search.retrieve.chance import (
    Chance,
    count_tokens,
    draw_slides,
    encode_once,
    keep_chance,
    list_everyday,
    list_paragraphs,
    make_mark,
    read_chance,
    read_sentences,
)
from histoseek.search.retrieve.channels import LOOKED_INTO, Channel, Retriever, Scale
from histoseek.search.retrieve.score_fusion import fuse_scores
from histoseek.search.words.comparison import TileWords
from histoseek.search.words.prompts import load_prompt_words
from histoseek.search.words.quality import measure_quality

_CERTAINTY = 0.98
"""The share of everyday sentences that must not fit."""

_OF_SLIDES = ("shared space", "tile words")
"""Channels that reach slides, and no reports."""

_LEAST_REACH = 0.01
"""Of cosines, between what counts as chance and what as a whole fit."""

LEAST_SCORE = 0.2
"""No result fits that has less of a query's words and meaning, whatever an archive of few slides shows."""

Floats = NDArray[np.float32]

_held: dict[Path, Chance] = {}


def get_chance(archive: ArchiveFolder, store: SlideTable, tiles: TileWords | None = None) -> Chance:
    """What the archive's channels give by chance: as kept beside it, else as measured now, and kept where it can be.

    tiles: the words of its tiles' space, where it has such.
    """
    chance = read_chance(archive, store)
    if chance is None or not _knows(chance, tiles):
        path, held = archive.layout.chance, _held.get(archive.layout.chance)
        is_held = held and held.of == make_mark(archive, store) and not held.is_outgrown(store.count(None))
        if held and is_held and _knows(held, tiles):
            return held
        chance = _held[path] = measure_chance(archive, store, tiles)
        keep_chance(archive, chance)
    return chance


def get_region_chance(archive: ArchiveFolder, store: SlideTable, measure: RegionMeasure) -> Chance:
    """The same with what regions give by chance: measured by the first search for them, and kept with the rest."""
    chance = get_chance(archive, store, measure.words if isinstance(measure, TileWordMeasure) else None)
    held = _held.get(archive.layout.chance, chance)
    for known in (chance, held):
        if measure.name in known.ones and (known.of, known.slides) == (chance.of, chance.slides):
            return known
    chance = _held[archive.layout.chance] = add_regions(chance, measure)
    keep_chance(archive, chance)
    return chance


def add_regions(chance: Chance, measure: RegionMeasure) -> Chance:
    """What the best region of the archive has of everyday sentences, and of words of pathology."""
    best = np.array(measure.find_best_scores(list_everyday()))
    zero, near = (min(float(np.quantile(best, share)), 0.99) for share in (0.5, _CERTAINTY))
    one = _settle_one(max(measure.find_best_scores(load_prompt_words().probes)), zero, near)
    name = measure.name
    zeros, nears, ones = {**chance.zeros, name: zero}, {**chance.near, name: near}, {**chance.ones, name: one}
    return replace(chance, zeros=zeros, near=nears, ones=ones)


def _knows(chance: Chance, tiles: TileWords | None) -> bool:
    """Whether it was measured with the words of the tiles' space; on a machine without these it is good as it is."""
    return tiles is None or chance.word_tower == tiles.tower


def measure_chance(archive: ArchiveFolder, store: SlideTable, tiles: TileWords | None = None) -> Chance:
    """Search for everyday sentences and see how near the nearest is."""
    reports, shares, sample = count_tokens(store)
    blank = Chance(make_mark(archive, store), store.count(None), reports, shares)
    sentences, paragraphs = list_everyday(), list_paragraphs()
    short, long = _encode(archive, sentences), _encode(archive, paragraphs)
    if tiles:
        blank = replace(blank, word_tower=tiles.tower, word_quality=measure_quality(tiles))
    best = _BestTiles.measure(tiles, (*sentences, *paragraphs)) if tiles else None
    retriever = Retriever(store, archive.language, None, LOOKED_INTO, blank, best)
    opened, opened_long = (
        [retriever.slides_by_text(text, vector, is_long) for text, vector in zip(_parse(texts), vectors, strict=True)]
        for texts, vectors, is_long in ((sentences, short, False), (paragraphs, long, True))
    )
    zeros, near = _find_cosines(opened, 0.5), _find_cosines(opened, _CERTAINTY)
    ones = {"tile words": _find_one(tiles, zeros["tile words"], near["tile words"])} if tiles else {}
    least: dict[str, float] = {}
    for name, searches in (("short", opened), ("long", opened_long)):
        scores = [_fuse_best(channels, zeros, ones) for channels in searches]
        without_space = [_fuse_best([c for c in own if c.name not in _OF_SLIDES], zeros, ones) for own in searches]
        least[f"slides {name}"] = max(LEAST_SCORE, float(np.quantile(scores, _CERTAINTY)))
        least[f"reports {name}"] = max(LEAST_SCORE, float(np.quantile(without_space, _CERTAINTY)))
    return replace(
        blank,
        zeros=zeros,
        near=near,
        ones=ones,
        tile=float(np.quantile(tiles.find_best(sentences, by_tile=True), _CERTAINTY)) if tiles else 0.0,
        least=least,
        sentence=_measure_sentences(archive, read_sentences(store, sample), short),
        region=_measure_regions(archive, store, short),
    )


def _encode(archive: ArchiveFolder, texts: tuple[str, ...]) -> Sequence[Floats | None]:
    if not archive.require_space().has_texts:
        return [None] * len(texts)
    return list(encode_once(archive.language.encoder, texts))


@dataclass(frozen=True, slots=True)
class _BestTiles:
    """The best slide's score for each of the sentences, all measured in one go."""

    scores: Mapping[str, float]

    @classmethod
    def measure(cls, tiles: TileWords, texts: Sequence[str]) -> _BestTiles:
        return cls(dict(zip(texts, tiles.find_best(texts), strict=True)))

    def rank(self, text: str, count: int, where: Expression | None) -> tuple[tuple[str, ...], tuple[float, ...]]:
        return ("best",), (self.scores[text],)


def _find_one(tiles: TileWords, zero: float, near: float) -> float:
    """What counts as a whole fit: the score that the best slide has for the best of some words of pathology."""
    return _settle_one(max(tiles.find_best(load_prompt_words().probes)), zero, near)


def _settle_one(best: float, zero: float, near: float) -> float:
    """What counts as a whole fit: at least as far again from chance as almost all everyday sentences stay."""
    return max(best, zero + 2 * (near - zero), zero + _LEAST_REACH)


@lru_cache(maxsize=2)
def _parse(texts: tuple[str, ...]) -> tuple[ParsedText, ...]:
    return tuple(ParsedText.from_report(text, expand=True) for text in texts)


def _find_cosines(searches: Sequence[Sequence[Channel]], share: float) -> dict[str, float]:
    """By channel of vectors, the cosine of the nearest slide that a share of the searches stays below."""
    best = defaultdict(list)
    for channels in searches:
        for channel in channels:
            if channel.slide_ids and channel.evidence != "words":
                best[channel.name].append(channel.scores[0])
    return {name: min(float(np.quantile(cosines, share)), 0.99) for name, cosines in best.items()}


def _fuse_best(channels: Sequence[Channel], zeros: Mapping[str, float], ones: Mapping[str, float]) -> float:
    """The score of a slide that is first in all channels."""
    best = [
        replace(
            channel,
            slide_ids=("best",) if channel.slide_ids else (),
            scores=channel.scores[:1],
            scale=Scale(zeros[channel.name], ones.get(channel.name, 1.0)) if channel.name in zeros else channel.scale,
        )
        for channel in channels
    ]
    hits = fuse_scores(best)
    return hits[0].score if hits else 0.0


def _measure_sentences(archive: ArchiveFolder, sentences: Sequence[str], everyday: Sequence[Floats | None]) -> float:
    known = [vector for vector in everyday if vector is not None]
    if not (sentences and known):
        return 0.0
    cosines = archive.language.sentences(sentences) @ np.stack(known).T
    return float(np.quantile(cosines.max(axis=0), _CERTAINTY))


def _measure_regions(archive: ArchiveFolder, store: SlideTable, everyday: Sequence[Floats | None]) -> float:
    """Of mosaic vectors in the space that slides and texts share."""
    alignment = archive.language.regional
    known = [vector for vector in everyday if vector is not None]
    if alignment is None or not known:
        return 0.0
    regions = alignment.mosaics(store.mosaics(draw_slides(store)).astype(np.float32))
    cosines = regions @ alignment.texts(np.stack(known)).T
    return float(np.quantile(cosines.max(axis=0), _CERTAINTY))
