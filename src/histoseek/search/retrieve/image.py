"""Search with an image: a slide, regions of one, a picture, or a case."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from histoseek.archive.folder import Archive
from histoseek.archive.fusion import distance_of
from histoseek.archive.schema import StoredSlide
from histoseek.archive.stores.base import Store
from histoseek.mosaics.distances import DEFAULT_DISTANCE, Distance
from histoseek.progress import Reporter
from histoseek.search.calibration.apply import NOT_CALIBRATED, Calibrated, novelty_warnings, refuse_probabilities
from histoseek.search.encode.image import PreparedImage, prepare_image
from histoseek.search.explain.matches import explained
from histoseek.search.filters.exclusion import SearchScope, check_filter, require_words
from histoseek.search.options import SearchOptions
from histoseek.search.queries import EncodedSlide, ImageQuery, Region, TileImage
from histoseek.search.results import QueryInfo, SearchResult, SearchResults, Way
from histoseek.search.retrieve.fusion import Ranking, Searched, fuse
from histoseek.search.retrieve.paging import Place, page
from histoseek.search.retrieve.ranking import Ranked, rank
from histoseek.search.retrieve.retrieval import Compared, Found, elapsed_ms, fused_results, too_few

REGION_DISTANCE = "contained"


@dataclass(frozen=True, slots=True)
class _Answered:
    """An image query with all that may be found ranked by a distance."""

    started: float
    store: Store
    prepared: PreparedImage
    distance: Distance
    scope: SearchScope
    ranked: Ranked


def search_by_image(
    archive: Archive, query: ImageQuery, options: SearchOptions, reporter: Reporter | None
) -> SearchResults:
    """The slides, or reports of slides, that are most like the query; see `search`."""
    distance = image_distance(archive, query, options)
    calibrated = _calibrated(archive, query, distance, options)
    answered = _answered(archive, query, distance, options, reporter)
    if by_report := _by_report(archive, answered, options):
        fused = fuse([answered.ranked.ranking(), *by_report])
        results, mode = fused_results(answered.store, fused, options, answered.scope.condition), "fused"
    else:
        results = _slides(answered, options)
        mode = "exact" if options.exact else "two-stage"
    found, results = len(results), calibrated.likely(calibrated.judged(results), options.min_probability)
    novelty = _novelty(calibrated, answered, options)
    return SearchResults(
        query=image_info(answered.prepared, options, distance),
        mode=mode,
        elapsed_ms=elapsed_ms(answered.started),
        results=results,
        warnings=(
            *calibrated.warnings,
            *novelty_warnings(novelty),
            *image_warnings(archive, answered.prepared, options),
            *too_few(options, found),
            *_cut(options, found, len(results)),
        ),
        calibrated_for=calibrated.column,
        novelty=novelty,
    )


def found_by_image(archive: Archive, query: ImageQuery, options: SearchOptions, reporter: Reporter | None) -> Found:
    """The ways that an image leads, to be fused with others: so there are no probabilities."""
    refuse_probabilities(options)
    distance = image_distance(archive, query, options)
    calibrated = _calibrated(archive, query, distance, options)
    answered = _answered(archive, query, distance, options, reporter)
    novelty = _novelty(calibrated, answered, options)
    return Found(
        started=answered.started,
        store=answered.store,
        scope=answered.scope,
        rankings=[answered.ranked.ranking(most=options.looked_at), *_by_report(archive, answered, options)],
        info=image_info(answered.prepared, options, distance),
        warnings=(
            NOT_CALIBRATED,
            *novelty_warnings(novelty),
            *image_warnings(archive, answered.prepared, options),
        ),
        compare=Compared(answered.prepared, answered.ranked, distance),
        novelty=novelty,
    )


def image_distance(archive: Archive, query: ImageQuery, options: SearchOptions) -> Distance:
    """The distance asked for, else the one that suits the query: regions are looked for anywhere on a slide."""
    partial = isinstance(query, Region | TileImage) or (
        isinstance(query, EncodedSlide) and (query.picture or len(query.regions) > 0)
    )
    return distance_of(archive, options.distance or (REGION_DISTANCE if partial else DEFAULT_DISTANCE))


def candidate_count(distance: Distance, options: SearchOptions) -> int | None:
    """How many candidates to rank; all where the vector of the whole slide says nothing of what is looked for."""
    return None if options.exact or distance.name == REGION_DISTANCE else options.looked_at


def image_info(prepared: PreparedImage, options: SearchOptions, distance: Distance) -> QueryInfo:
    """What was asked."""
    first = prepared.slides[0]
    return QueryInfo(
        kind=prepared.kind,
        to=options.to,
        slide_id=first.slide_id,
        uri=first.uri,
        spacing_um_per_px=first.spacing_um_per_px,
        slides=prepared.slides,
        regions=prepared.regions,
        where=options.where,
        distance=distance.name,
        offset=options.offset,
    )


def image_warnings(archive: Archive, prepared: PreparedImage, options: SearchOptions) -> tuple[str, ...]:
    """What to know of results of an image."""
    said = []
    if not options.same_patient and not prepared.owner.is_known:
        said.append("the query's patient is not known: other slides of the same patient may be among the results")
    if options.to == "reports" and not archive.settled_space.has_alignment:
        said.append("the archive is not aligned: these are the reports of the most similar slides")
    return tuple(said)


def image_filter(store: Store, prepared: PreparedImage, options: SearchOptions) -> SearchScope:
    """Which slides may be found for an image; raises BadFilter for a filter that becomes part of another."""
    if options.to == "reports":
        check_filter(store, options)
    return SearchScope.of(store, options, prepared.owner, prepared.slide_ids)


def _calibrated(archive: Archive, query: ImageQuery, distance: Distance, options: SearchOptions) -> Calibrated:
    whole_slides = distance.name != REGION_DISTANCE and options.to == "slides"
    found = Calibrated.of(archive, distance.name, compares_slides=whole_slides)
    if options.min_probability is not None:
        found.require_probabilities()
    return found


def _answered(
    archive: Archive, query: ImageQuery, distance: Distance, options: SearchOptions, reporter: Reporter | None
) -> _Answered:
    if options.to == "reports":
        require_words(archive, options)
    prepared = prepare_image(archive, query, options.workers, reporter)
    started = time.perf_counter()
    store = archive.store.snapshot()
    scope = image_filter(store, prepared, options)
    ranked = rank(store, prepared.signatures, distance, candidate_count(distance, options), scope)
    return _Answered(started, store, prepared, distance, scope, ranked)


def _by_report(archive: Archive, answered: _Answered, options: SearchOptions) -> list[Ranking]:
    """The reports nearest to the image, where reports are asked for and the archive is aligned."""
    if options.to == "slides" or not len(answered.ranked):
        return []
    searched = Searched(answered.store, archive.language, answered.scope.condition, options.looked_at)
    return searched.reports_by_slide(answered.prepared.signatures[0].global_vector)


def _novelty(calibrated: Calibrated, answered: _Answered, options: SearchOptions) -> float | None:
    """Whatever the filter: the archive may know what the filter leaves out."""
    if calibrated.calibration is None or answered.prepared.kind != "slide":
        return None
    ranked = answered.ranked
    if answered.scope.where is not None:
        everything = answered.scope.unfiltered()
        count = candidate_count(answered.distance, options)
        ranked = rank(answered.store, answered.prepared.signatures, answered.distance, count, everything)
    return calibrated.novelty(ranked.nearest_distance)


def _slides(answered: _Answered, options: SearchOptions) -> tuple[SearchResult, ...]:
    store, where = answered.store, answered.scope.condition
    places = page(store, answered.ranked.first, options, where)
    stored = store.shown([place.slide_id for place in places]) if places else []
    return tuple(_result(answered, place, slide) for place, slide in zip(places, stored, strict=True))


def _result(answered: _Answered, place: Place, slide: StoredSlide) -> SearchResult:
    row = answered.ranked.place(place.slide_id)
    distances, own = answered.ranked.distances, int(answered.ranked.nearest[row])
    score = float(1 - distances.total[row])
    result = SearchResult(
        rank=place.rank,
        slide_id=place.slide_id,
        case_id=slide.record.case_id,
        score=score,
        probability=None,
        local=float(distances.local[row]),
        global_=float(distances.global_[row]),
        matches=(),
        ways=(Way("similar slides", place.rank, score),),
        record=slide.record,
        query_slide=own,
        also=place.also,
    )
    return explained(result, answered.prepared.signatures[own], slide.signature, answered.distance)


def _cut(options: SearchOptions, found: int, kept: int) -> Sequence[str]:
    return (f"{kept} of {found} have a probability of at least {options.min_probability}",) if kept < found else ()
