"""From words to regions: the parts of all slides that fit them best, by whatever brings the two into one space."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.stores.slides import SlideTable
from histoseek.errors import ConfigurationError, InputError
from histoseek.search.calibration.apply import refuse_probabilities
from histoseek.search.encode.text import prepare_text
from histoseek.search.explain.matching_fields import add_fields
from histoseek.search.explanation import TextRegion
from histoseek.search.options import SearchOptions
from histoseek.search.queries import Query, WordQuery
from histoseek.search.regional.base import MeasureName, RegionMeasure
from histoseek.search.regional.opening import open_region_measure
from histoseek.search.regional.tile_words import TileWordMeasure
from histoseek.search.results import ChannelRank, SearchResult, SearchResults
from histoseek.search.retrieve.chance import Chance
from histoseek.search.retrieve.channels import Scale
from histoseek.search.retrieve.measure_chance import get_region_chance
from histoseek.search.retrieve.text import check_query_spelling, describe_query, parse_texts
from histoseek.search.scope.exclusion import SearchScope
from histoseek.search.words.comparison import PromptVectors, describe_words
from histoseek.search.words.merging import ScoredRegion

_SLIDES_FOR_EACH, _FEWEST_SLIDES = 2, 64
"""Slides whose every region is looked at, for each region wanted and at least; their best kept vector chooses them."""


@dataclass(frozen=True, slots=True)
class _SlideRegion:
    slide_id: str
    region: ScoredRegion


@dataclass(frozen=True, slots=True)
class _RegionScale:
    """What the scores of a measure mean: likeness, and the score that almost no everyday sentence has."""

    measure: MeasureName
    likeness: Scale
    least: float

    @classmethod
    def from_chance(cls, chance: Chance, measure: MeasureName) -> _RegionScale:
        least = chance.tile if measure == "tile words" else chance.near[measure]
        return cls(measure, Scale(chance.zeros[measure], chance.ones[measure]), least)


def search_regions(archive: ArchiveFolder, query: Query, options: SearchOptions) -> SearchResults:
    """The best regions of a text, at most MOST_PER_SLIDE of a slide; one result each, `region` says where.

    Raises InputError for a query that is no text alone, ConfigurationError for options that are for whole slides, and
    what `open_region_measure` raises.
    """
    _require_usable(query, options)
    store = archive.store.snapshot()
    measure = open_region_measure(archive, store)
    prepared = prepare_text(archive, query)  # type: ignore[arg-type]
    spelling = check_query_spelling(store, prepared, options)
    wanted, unwanted = parse_texts(store, prepared, spelling, options)
    scale = _RegionScale.from_chance(get_region_chance(archive, store, measure), measure.name)
    started = time.perf_counter()
    whole = SearchScope.from_options(store, options, prepared.owner, (prepared.slide_id,) if prepared.slide_id else ())
    scope = whole.narrow(wanted.where)
    prompts = measure.embed_query(wanted.text, [text.text for text in unwanted])
    regions = _find(measure, prompts, scope, scale, options.last)
    page = regions[options.offset : options.last]
    results = _make_results(store, page, wanted.text, scale, options.offset)
    shown, field_um = add_fields(results, [None] * len(results))
    return SearchResults(
        query=replace(describe_query(prepared, options), searched_for=spelling.correction),
        mode="two-stage",
        elapsed_ms=round((time.perf_counter() - started) * 1000, 3),
        results=shown,
        warnings=(
            *archive.warnings,
            *spelling.warnings,
            *_describe_measure(archive, store, measure),
            *_describe_too_few(options, len(page)),
        ),
        left_out=whole.count_left_out(store, scope),
        nothing_fits=not any(one.region.score > scale.least for one in regions),
        least_score=scale.likeness([scale.least])[0],
        field_um=field_um,
    )


def _require_usable(query: Query, options: SearchOptions) -> None:
    if not isinstance(query, WordQuery):
        raise InputError("--to regions", "needs words alone", "Ask with a text or a report; for images use --to slides")
    refuse_probabilities(options)
    if options.by_case or options.vote is not None:
        name = "--by-case" if options.by_case else "--vote"
        raise ConfigurationError(name, "applies to slides, not to regions", "Leave it out, or ask for slides")


def _describe_measure(archive: ArchiveFolder, store: SlideTable, measure: RegionMeasure) -> Sequence[str]:
    """Which slides are not among those compared, or why tiles are compared in another way than words suggest."""
    if measure.name == "anchors":
        return ()
    return describe_words(archive, store, measure.words if isinstance(measure, TileWordMeasure) else None)


def _describe_too_few(options: SearchOptions, count: int) -> Sequence[str]:
    beyond = f" beyond the first {options.offset}" if options.offset else ""
    return () if count == options.k else (f"only {count} regions fit the query and the filter{beyond}",)


def _find(
    measure: RegionMeasure, prompts: PromptVectors, scope: SearchScope, scale: _RegionScale, last: int
) -> Sequence[_SlideRegion]:
    """The regions of the slides whose best kept vector is best, best first."""
    slides = measure.measure_slides(prompts.direction[None], scope.condition)
    order = np.argsort(-slides.similarities[0], kind="stable")[: max(_FEWEST_SLIDES, _SLIDES_FOR_EACH * last)]
    slide_ids: list[str] = slides.slide_ids[order].tolist()
    pairs = measure.find_regions(slide_ids, prompts, scale.likeness.zero, last)
    regions = [_SlideRegion(slide_id, region) for slide_id, region in pairs]
    return sorted(regions, key=lambda one: (-one.region.score, one.slide_id, one.region.corner))


def _make_results(
    store: SlideTable, page: Sequence[_SlideRegion], text: str, scale: _RegionScale, offset: int
) -> tuple[SearchResult, ...]:
    slide_ids = list(dict.fromkeys(one.slide_id for one in page))
    records = dict(zip(slide_ids, store.take_records(slide_ids), strict=True)) if slide_ids else {}
    likeness = scale.likeness([one.region.score for one in page])
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
            channels=(ChannelRank(scale.measure, rank, one.region.score),),
            record=records[one.slide_id],
            text_regions=(TextRegion(None, one.region.score, one.region.region, text, one.region.score),),
            fits=one.region.score > scale.least,
            region=one.region.region,
            outline=one.region.outline,
        )
        for rank, (one, score) in enumerate(zip(page, likeness, strict=True), start=offset + 1)
    )
