"""Retrieval by an image and words together: like this, but with that, or without it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.stores.slides import SlideTable
from histoseek.progress import Reporter
from histoseek.search.calibration.apply import refuse_probabilities
from histoseek.search.encode.spelling import Spelling, check_spelling, parse_spelled
from histoseek.search.encode.text import ParsedText, list_analyser_warnings
from histoseek.search.options import SearchOptions
from histoseek.search.queries import Composed
from histoseek.search.results import QueryInfo
from histoseek.search.retrieve.channels import Channel, Retriever, Vector, share_weight
from histoseek.search.retrieve.image import (
    image_info,
    image_scope,
    image_warnings,
    prepare_ranking,
    rank_for_image,
)
from histoseek.search.retrieve.measure_chance import get_chance
from histoseek.search.retrieve.retrieval import QueryText, Retrieval
from histoseek.search.retrieve.text import encode_texts, find_regions, open_channels, text_warnings
from histoseek.search.scope.exclusion import require_words
from histoseek.search.words.comparison import TileWords


def retrieve_by_both(
    archive: ArchiveFolder, query: Composed, options: SearchOptions, reporter: Reporter | None
) -> Retrieval:
    """The slides, or reports of slides, that are like the image and fit the words; see `search`."""
    refuse_probabilities(options)
    require_words(archive, options)
    image, method = prepare_ranking(archive, query.image, options, reporter)
    store = archive.store.snapshot()
    spelling = check_spelling(store, query.text or "", options.verbatim)
    texts = _parse(store, query, spelling, options)
    vectors = encode_texts(archive, [text.text for text, _ in texts])
    started, whole = time.perf_counter(), image_scope(store, image, options)
    scope = whole.narrow(*(text.where for text, _ in texts))
    ranking = rank_for_image(store, image, method, options, scope)
    tiles = TileWords.open(archive, store)
    chance = get_chance(archive, store, tiles)
    retriever = Retriever(store, archive.language, scope.condition, options.channel_count, chance, tiles)
    channels = [ranking.slides.channel(1 - query.weight)] if len(ranking.slides) else []
    channels += _open_channels(retriever, texts, vectors, query.weight, options)
    wanted = QueryText(texts[0][0].text, vectors[0], retriever.chance.sentence) if query.text else None
    if wanted:
        ranking = replace(ranking, regions=find_regions(archive, retriever, wanted.text, wanted.vector, options))
    return Retrieval(
        started=started,
        store=store,
        scope=scope,
        info=_describe(query, image_info(image, options, method), spelling),
        warnings=(
            *image_warnings(archive, image, options, method),
            *text_warnings(archive, store, options, tiles),
            *list_analyser_warnings(store),
            *spelling.warnings,
        ),
        image=ranking,
        channels=tuple(channels),
        explain=ranking.explain,
        text=wanted,
        words=texts[0][0].words if wanted else (),
        left_out=whole.count_left_out(store, scope),
    )


def _describe(query: Composed, info: QueryInfo, spelling: Spelling) -> QueryInfo:
    return replace(
        info,
        kind="composed",
        text=query.text,
        without=query.without,
        weight=query.weight,
        searched_for=spelling.correction,
    )


def _open_channels(
    retriever: Retriever,
    texts: Sequence[tuple[ParsedText, int]],
    vectors: Sequence[Vector | None],
    weight: float,
    options: SearchOptions,
) -> Iterator[Channel]:
    """The channels of what is wanted and what is not, each of these weighing `weight` together."""
    for (text, sign), vector in zip(texts, vectors, strict=True):
        yield from share_weight(open_channels(retriever, text, vector, options), sign * weight)


def _parse(
    store: SlideTable, query: Composed, spelling: Spelling, options: SearchOptions
) -> list[tuple[ParsedText, int]]:
    """What is wanted and what is not, with 1 and -1."""
    wanted = [(parse_spelled(store, spelling, options.expand), 1)] if query.text else []
    unwanted = [(ParsedText.from_report(query.without, options.expand), -1)] if query.without else []
    return [*wanted, *unwanted]
