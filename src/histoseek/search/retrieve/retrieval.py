"""What every query gives before a page of it is presented, and the one place where results are made of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from histoseek.archive.filters.expression import one_of
from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.schema import SlideRecord, read_value
from histoseek.archive.stores.slides import SlideTable
from histoseek.mosaics.distances import Distance
from histoseek.mosaics.signature import Signature
from histoseek.reports.index.query_words import QueryWord
from histoseek.search.calibration.apply import UNCALIBRATED, AppliedCalibration, LabelsOfQuery, novelty_warnings
from histoseek.search.encode.image import PreparedImage
from histoseek.search.explain.matches import TextRegions, explain_match
from histoseek.search.options import SearchOptions
from histoseek.search.results import ChannelRank, QueryInfo, SearchResult, SearchResults
from histoseek.search.retrieve.channels import Channel, Vector
from histoseek.search.retrieve.paging import BestHits, take_page
from histoseek.search.retrieve.rank_fusion import Hit, reciprocal_rank_fusion, slides_without_report
from histoseek.search.retrieve.ranking import RankedSlides
from histoseek.search.scope.exclusion import SearchScope

Explainer = Callable[[SearchResult, Signature], SearchResult]
"""Adds to a result what the query has in common with its signature."""


@dataclass(frozen=True, slots=True)
class ImageRanking:
    """The slides that were ranked for an image, and by which distance; regions: of a text beside it."""

    image: PreparedImage
    slides: RankedSlides
    distance: Distance
    regions: TextRegions | None = None

    def explain(self, result: SearchResult, signature: Signature) -> SearchResult:
        """The result with its regions near the text and, where the image led to it, the parts of its distance and what
        it has in common with the image."""
        result = self.regions.explain(result, signature) if self.regions else result
        if "similar slides" not in {channel.name for channel in result.channels}:
            return result
        row = self.slides.row(result.slide_id)
        query_slide = int(self.slides.nearest[row])
        result = replace(
            result,
            local=float(self.slides.distances.local[row]),
            global_=float(self.slides.distances.global_[row]),
            query_slide=query_slide,
        )
        return explain_match(result, self.image.signatures[query_slide], signature, self.distance)


@dataclass(frozen=True, slots=True)
class QueryText:
    """A text whose phrases are marked in the results' reports; vector: as its encoder gives it, float32 [T]."""

    text: str
    vector: Vector | None


@dataclass(frozen=True, slots=True)
class Retrieval:
    """The hits of a query, before a page of them is presented.

    started: when the search began, by time.perf_counter; store: as it stood then; scope: which slides may be returned;
    image: the slides ranked for the query's image, None for words alone; channels: what is fused, none where the
    ranking for the image stands alone; foremost: ids that come before all others; explain: what results say beyond
    their scores; text: a text beside them; words: those that are sought in metadata and names; calibration: for
    probabilities; novelty: of the query, None where not known; left_out: slides that the conditions in the query's
    words left out, None without any.
    """

    started: float
    store: SlideTable
    scope: SearchScope
    info: QueryInfo
    warnings: tuple[str, ...]
    image: ImageRanking | None = None
    channels: tuple[Channel, ...] = ()
    foremost: tuple[str, ...] = ()
    explain: Explainer | None = None
    text: QueryText | None = None
    words: Sequence[QueryWord] = ()
    calibration: AppliedCalibration = UNCALIBRATED
    novelty: float | None = None
    left_out: int | None = None

    @property
    def is_fused(self) -> bool:
        """Whether scores are of fused channels rather than of one distance."""
        return bool(self.channels) or self.image is None

    def best_hits(self) -> BestHits:
        """The way to the n best hits; channels are fused once."""
        if self.image is not None and not self.channels:
            return self.image.slides.hits
        hits = reciprocal_rank_fusion(self.channels, slides_without_report(self.store, self.channels))
        hits.sort(key=lambda hit: hit.slide_id not in self.foremost)
        return lambda count: hits[:count]


def present(archive: ArchiveFolder, retrieval: Retrieval, options: SearchOptions) -> SearchResults:
    """A page of a retrieval's hits as results, with records, explanations, probabilities and warnings.

    Raises InputError for a vote on a column that is not there.
    """
    calibration = retrieval.calibration
    page = _explain_page(archive, retrieval, options)
    likely = calibration.add_probabilities(page, _list_labels(retrieval, calibration.column))
    results = calibration.keep_likely(likely, options.min_probability)
    presented = SearchResults(
        query=retrieval.info,
        mode="fused" if retrieval.is_fused else "exact" if options.exact else "two-stage",
        elapsed_ms=round((time.perf_counter() - retrieval.started) * 1000, 3),
        results=results,
        warnings=(
            *calibration.warnings,
            *novelty_warnings(retrieval.novelty),
            *retrieval.warnings,
            *_too_few(options, len(page)),
            *_cut(options, len(page), len(results)),
        ),
        calibrated_for=calibration.column,
        novelty=retrieval.novelty,
        left_out=retrieval.left_out,
    )
    return replace(presented, vote_=presented.vote(options.vote)) if options.vote else presented


def _list_labels(retrieval: Retrieval, column: str | None) -> LabelsOfQuery:
    """What is known of the labels of the query's own slides."""
    numbers = {slide.slide_id: number for number, slide in enumerate(retrieval.info.slides) if slide.slide_id}
    if column is None or not numbers:
        return {}
    records = retrieval.store.records(one_of("slide_id", sorted(numbers)), None, 0)
    return {numbers[record.slide_id]: read_value(record, column) or None for record in records}


def _explain_page(archive: ArchiveFolder, retrieval: Retrieval, options: SearchOptions) -> tuple[SearchResult, ...]:
    store = retrieval.store
    hits = take_page(store, retrieval.best_hits(), options, retrieval.scope.condition)
    slides = store.get_without_language([hit.slide_id for hit in hits]) if hits else []
    results = [
        _make_result(rank, hit, slide.record)
        for rank, (hit, slide) in enumerate(zip(hits, slides, strict=True), start=options.offset + 1)
    ]
    if retrieval.explain:
        results = [retrieval.explain(result, slide.signature) for result, slide in zip(results, slides, strict=True)]
    if retrieval.words:
        from histoseek.search.explain.fields import add_matched_fields

        results = add_matched_fields(results, retrieval.words)
    if retrieval.text:
        from histoseek.search.explain.phrases import add_phrases

        return add_phrases(archive, results, retrieval.text.text, retrieval.text.vector, store)
    return tuple(results)


def _make_result(rank: int, hit: Hit, record: SlideRecord) -> SearchResult:
    return SearchResult(
        rank=rank,
        slide_id=hit.slide_id,
        case_id=record.case_id,
        score=hit.score,
        probability=None,
        local=None,
        global_=None,
        matches=(),
        channels=hit.channels or (ChannelRank("similar slides", rank, hit.score),),
        record=record,
        also=hit.also,
    )


def _too_few(options: SearchOptions, count: int) -> Sequence[str]:
    """What to say when there are fewer results than are wanted."""
    what = f"cases with {options.to}" if options.by_case else options.to
    beyond = f" beyond the first {options.offset}" if options.offset else ""
    return (f"only {count} {what} fit the query and the filter{beyond}",) if count < options.k else ()


def _cut(options: SearchOptions, count: int, likely: int) -> Sequence[str]:
    if likely == count:
        return ()
    return (f"{likely} of {count} have a probability of at least {options.min_probability}",)
