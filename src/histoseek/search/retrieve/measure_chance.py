"""Measures what an archive's channels give by chance, with everyday sentences in place of a query."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.stores.slides import SlideTable
from histoseek.search.encode.text import ParsedText
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

_CERTAINTY = 0.98
"""The share of everyday sentences that must not fit."""

LEAST_SCORE = 0.2
"""No result fits that has less of a query's words and meaning, whatever an archive of few slides shows."""

Floats = NDArray[np.float32]

_held: dict[Path, Chance] = {}


def get_chance(archive: ArchiveFolder, store: SlideTable) -> Chance:
    """What the archive's channels give by chance: as kept beside it, else as measured now, and kept where it can be."""
    chance = read_chance(archive, store)
    if chance is None:
        path, held = archive.layout.chance, _held.get(archive.layout.chance)
        if held and held.of == make_mark(archive, store) and not held.is_outgrown(store.count(None)):
            return held
        chance = _held[path] = measure_chance(archive, store)
        keep_chance(archive, chance)
    return chance


def measure_chance(archive: ArchiveFolder, store: SlideTable) -> Chance:
    """Search for everyday sentences and see how near the nearest is."""
    reports, shares, sample = count_tokens(store)
    blank = Chance(make_mark(archive, store), store.count(None), reports, shares)
    sentences, paragraphs = list_everyday(), list_paragraphs()
    short, long = _encode(archive, sentences), _encode(archive, paragraphs)
    retriever = Retriever(store, archive.language, None, LOOKED_INTO, blank)
    opened, opened_long = (
        [retriever.slides_by_text(text, vector, is_long) for text, vector in zip(_parse(texts), vectors, strict=True)]
        for texts, vectors, is_long in ((sentences, short, False), (paragraphs, long, True))
    )
    zeros = _find_cosines(opened, 0.5)
    least: dict[str, float] = {}
    for name, searches in (("short", opened), ("long", opened_long)):
        scores = [_fuse_best(channels, zeros) for channels in searches]
        without_space = [_fuse_best([c for c in own if c.name != "shared space"], zeros) for own in searches]
        least[f"slides {name}"] = max(LEAST_SCORE, float(np.quantile(scores, _CERTAINTY)))
        least[f"reports {name}"] = max(LEAST_SCORE, float(np.quantile(without_space, _CERTAINTY)))
    return replace(
        blank,
        zeros=zeros,
        near=_find_cosines(opened, _CERTAINTY),
        least=least,
        sentence=_measure_sentences(archive, read_sentences(store, sample), short),
        region=_measure_regions(archive, store, short),
    )


def _encode(archive: ArchiveFolder, texts: tuple[str, ...]) -> Sequence[Floats | None]:
    if not archive.require_space().has_texts:
        return [None] * len(texts)
    return list(encode_once(archive.language.encoder, texts))


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


def _fuse_best(channels: Sequence[Channel], zeros: Mapping[str, float]) -> float:
    """The score of a slide that is first in all channels."""
    best = [
        replace(
            channel,
            slide_ids=("best",) if channel.slide_ids else (),
            scores=channel.scores[:1],
            scale=Scale(zeros[channel.name]) if channel.name in zeros else channel.scale,
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
    regions = alignment.slides(store.mosaics(draw_slides(store)).astype(np.float32))
    cosines = regions @ alignment.texts(np.stack(known)).T
    return float(np.quantile(cosines.max(axis=0), _CERTAINTY))
