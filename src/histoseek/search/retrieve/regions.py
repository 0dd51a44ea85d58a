"""From words to regions: the parts of all slides that fit them best, tile by tile."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.filters.expression import Expression
from histoseek.archive.folder import ArchiveFolder
from histoseek.deadline import check_deadline
from histoseek.encoders.bag import load_bag
from histoseek.errors import ArchiveError, BadFeatureFile, ConfigurationError, EncoderError, InputError
from histoseek.search.calibration.apply import refuse_probabilities
from histoseek.search.encode.text import prepare_text
from histoseek.search.explanation import TextRegion
from histoseek.search.options import SearchOptions
from histoseek.search.queries import Query, WordQuery
from histoseek.search.results import ChannelRank, SearchResult, SearchResults
from histoseek.search.retrieve.chance import Chance
from histoseek.search.retrieve.channels import Scale
from histoseek.search.retrieve.measure_chance import get_chance
from histoseek.search.retrieve.text import check_query_spelling, describe_query, parse_texts
from histoseek.search.scope.exclusion import SearchScope
from histoseek.search.words.comparison import AskedWords, TileWords
from histoseek.search.words.merging import FoundRegion, merge_tiles

MOST_PER_SLIDE = 3
"""Regions of one slide: a slide that is full of what is wanted leaves room for others."""

_SLIDES_FOR_EACH, _FEWEST_SLIDES = 2, 64
"""Slides whose every tile is looked at, for each region wanted and at least; their best kept tile chooses them."""


@dataclass(frozen=True, slots=True)
class _SlideRegion:
    slide_id: str
    found: FoundRegion


def search_regions(archive: ArchiveFolder, query: Query, options: SearchOptions) -> SearchResults:
    """The best regions of a text, at most MOST_PER_SLIDE of a slide; one result each, `region` says where.

    Raises InputError for a query that is no text alone, ConfigurationError for options that are for whole slides,
    EncoderError where the words of the tile encoder are not at hand, ArchiveError where it has none.
    """
    _require_usable(query, options)
    store = archive.store.snapshot()
    tiles = _require_words(archive, TileWords.open(archive, store))
    prepared = prepare_text(archive, query)  # type: ignore[arg-type]
    spelling = check_query_spelling(store, prepared, options)
    wanted, unwanted = parse_texts(store, prepared, spelling, options)
    chance = get_chance(archive, store, tiles)
    started = time.perf_counter()
    whole = SearchScope.from_options(store, options, prepared.owner, (prepared.slide_id,) if prepared.slide_id else ())
    scope = whole.narrow(wanted.where)
    asked = tiles.ask(wanted.text, [text.text for text in unwanted])
    regions = list(_find(archive, tiles, asked, scope.condition, chance, options.last))
    regions.sort(key=lambda one: (-one.found.score, one.slide_id, one.found.corner))
    page = regions[options.offset : options.last]
    results = _make_results(archive, page, wanted.text, chance, options.offset)
    beyond = f" beyond the first {options.offset}" if options.offset else ""
    few = () if len(page) == options.k else (f"only {len(page)} regions fit the query and the filter{beyond}",)
    return SearchResults(
        query=replace(describe_query(prepared, options), searched_for=spelling.correction),
        mode="two-stage",
        elapsed_ms=round((time.perf_counter() - started) * 1000, 3),
        results=results,
        warnings=(*archive.warnings, *spelling.warnings, *few),
        left_out=whole.count_left_out(store, scope),
        nothing_fits=not any(one.found.score > chance.tile for one in regions),
        least_score=_make_scale(chance)([chance.tile])[0],
    )


def _require_usable(query: Query, options: SearchOptions) -> None:
    if not isinstance(query, WordQuery):
        raise InputError("--to regions", "needs words alone", "Ask with a text or a report; for images use --to slides")
    refuse_probabilities(options)
    if options.by_case or options.vote is not None:
        name = "--by-case" if options.by_case else "--vote"
        raise ConfigurationError(name, "is of slides, not of regions", "Leave it out, or ask for slides")


def _require_words(archive: ArchiveFolder, tiles: TileWords | None) -> TileWords:
    if tiles is not None:
        return tiles
    if archive.words.fault is not None:
        fault = archive.words.fault
        raise EncoderError(fault.where, f"words in the tile space are not available: {fault.what}", fault.advice)
    if archive.words.encoder is not None:
        what = "its tiles were not compared with words yet"
        raise ArchiveError(str(archive.path), what, "Run `histoseek index` or `histoseek upgrade`")
    what = f"its tile encoder ({archive.recipe.encoder}) has no words"
    raise ArchiveError(str(archive.path), what, "Index with an encoder that has words (docs/encoders.md)")


def _find(
    archive: ArchiveFolder, tiles: TileWords, asked: AskedWords, where: Expression | None, chance: Chance, last: int
) -> Iterator[_SlideRegion]:
    """The regions of the slides whose best kept tile is best."""
    zero = chance.zeros["tile words"]
    best = tiles.find_best_tiles(asked)
    allowed = np.flatnonzero(tiles.rows.among(tiles.store.find_rows(where)))
    order = allowed[np.argsort(-best[allowed], kind="stable")]
    for place in order[: max(_FEWEST_SLIDES, _SLIDES_FOR_EACH * last)]:
        check_deadline()
        slide_id = str(tiles.rows.slide_ids[place])
        scores, coords, edge = _score_tiles(archive, tiles, asked, slide_id)
        for found in merge_tiles(scores, coords, edge, zero, MOST_PER_SLIDE):
            yield _SlideRegion(slide_id, found)


def _score_tiles(
    archive: ArchiveFolder, tiles: TileWords, asked: AskedWords, slide_id: str
) -> tuple[NDArray[np.float64], NDArray[np.int32], int]:
    """All tiles of a slide from its cached features, those kept with it where these can't be read."""
    try:
        bag = load_bag(archive.layout.bag(slide_id))
        similarities = asked.vectors @ tiles.space.require_tower().project_tiles(bag.features).T
        return asked.combine(similarities), bag.coords, bag.tile_size_level0
    except BadFeatureFile:
        kept = tiles.store.word_tiles.of([slide_id])[slide_id]
        return asked.combine(kept.compare(asked.vectors)), kept.coords, kept.edge_level0


def _make_scale(chance: Chance) -> Scale:
    return Scale(chance.zeros["tile words"], chance.ones["tile words"])


def _make_results(
    archive: ArchiveFolder, page: Sequence[_SlideRegion], text: str, chance: Chance, offset: int
) -> tuple[SearchResult, ...]:
    slide_ids = list(dict.fromkeys(one.slide_id for one in page))
    slides = archive.store.get_without_language(slide_ids) if slide_ids else []
    records = {slide.record.slide_id: slide.record for slide in slides}
    likeness = _make_scale(chance)([one.found.score for one in page])
    return tuple(
        SearchResult(
            rank=rank,
            slide_id=one.slide_id,
            case_id=records[one.slide_id].case_id,
            score=score,
            probability=None,
            local=None,
            global_=None,
            matches=(),
            channels=(ChannelRank("tile words", rank, one.found.score),),
            record=records[one.slide_id],
            text_regions=(TextRegion(None, one.found.score, one.found.region, text, one.found.score),),
            fits=one.found.score > chance.tile,
            region=one.found.region,
        )
        for rank, (one, score) in enumerate(zip(page, likeness, strict=True), start=offset + 1)
    )
