"""What every query gives before a page of it is presented, and the one place where results are made of it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.ranking_method import RankingMethod
from histoseek.archive.schema import SlideRecord, StoredSlide
from histoseek.archive.stores.slides import SlideTable
from histoseek.deadline import check_deadline
from histoseek.mosaics.signature import Signature
from histoseek.ranking.novelty import Novelty
from histoseek.reports.index.query_words import QueryWord
from histoseek.search.calibration.apply import UNCALIBRATED, AppliedCalibration
from histoseek.search.calibration.novelty import describe_novelty
from histoseek.search.calibration.query_labels import QueryLabels
from histoseek.search.closeness import Closeness, name_closeness_of_slides, name_closeness_to_words
from histoseek.search.encode.image import PreparedImage
from histoseek.search.explain.matches import RegionExplainer, explain_match
from histoseek.search.explain.matching_fields import add_fields
from histoseek.search.explain.phrases import add_phrases
from histoseek.search.options import SearchOptions
from histoseek.search.results import ChannelRank, QueryInfo, SearchResult, SearchResults
from histoseek.search.retrieve.channels import Channel, Vector
from histoseek.search.retrieve.paging import BestHits, take_page
from histoseek.search.retrieve.rank_fusion import Hit, add_ranks, reciprocal_rank_fusion, slides_without_report
from histoseek.search.retrieve.ranking import RankedSlides
from histoseek.search.retrieve.score_fusion import fuse_scores
from histoseek.search.retrieve.witnesses import BEHIND, Witnesses, read_neighbours
from histoseek.search.scope.exclusion import SearchScope

Explainer = Callable[[SearchResult, StoredSlide], SearchResult]
"""Adds to a result what the query has in common with its slide."""


@dataclass(frozen=True, slots=True)
class ImageRanking:
    """The slides that were ranked for an image, and how; signatures: the image's, as they were compared; witnesses:
    where neighbours had a say; regions: of a text beside it."""

    image: PreparedImage
    signatures: tuple[Signature, ...]
    slides: RankedSlides
    method: RankingMethod
    witnesses: Witnesses | None = None
    regions: RegionExplainer | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to know of the ranking."""
        return (BEHIND,) if self.method.diffusion and self.witnesses is None else ()

    def explain(self, result: SearchResult, slide: StoredSlide) -> SearchResult:
        """The result with its regions near the text and, where the image led to it, the parts of its distance and what
        it has in common with the image."""
        result = self.regions.explain(result, slide) if self.regions else result
        if "similar slides" not in {channel.name for channel in result.channels}:
            return result
        row = self.slides.row(result.slide_id)
        query_slide = int(self.slides.nearest[row])
        result = replace(
            result,
            local=float(self.slides.distances.local[row]),
            global_=float(self.slides.distances.global_[row]),
            neighbours=read_neighbours(self.slides.distances, row),
            query_slide=query_slide,
        )
        return explain_match(result, self.signatures[query_slide], self.method.map_stored(slide), self.method)


@dataclass(frozen=True, slots=True)
class QueryText:
    """A text whose phrases are marked in the results' reports; vector: as its encoder gives it, float32 [T]; least: the
    cosine that a sentence must have to be near it."""

    text: str
    vector: Vector | None
    least: float


@dataclass(frozen=True, slots=True)
class Retrieval:
    """The hits of a query, before a page of them is presented.

    started: when the search began, by time.perf_counter; store: as it stood then; scope: which slides may be returned;
    image: the slides ranked for the query's image, None for words alone; channels: what is fused, none where the
    ranking for the image stands alone; foremost: ids that come before all others; explain: what results say beyond
    their scores; text: a text beside them; words: those that are sought in metadata and names; least_score: from which
    on a result fits the words, None where that is not judged; order: channels whose ranks alone decide the order where
    results were marked, which changes no score; further_scores: of slides that only these channels reach; calibration:
    for probabilities; labels: how probable each is to be the query's; novelty: of the query, None where not known;
    left_out: slides that the conditions in the query's words left out, None without any.
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
    least_score: float | None = None
    order: tuple[Channel, ...] = ()
    further_scores: Mapping[str, float] = field(default_factory=dict)
    calibration: AppliedCalibration = UNCALIBRATED
    labels: QueryLabels | None = None
    novelty: Novelty | None = None
    left_out: int | None = None

    @property
    def is_fused(self) -> bool:
        """Whether scores are of fused channels rather than of one distance."""
        return bool(self.channels or self.order) or self.image is None

    def without_marks(self) -> Retrieval:
        """Where nothing fits no sentence and no region is near the words."""
        text = replace(self.text, vector=None) if self.text else None
        return replace(self, text=text, explain=None if self.image is None else self.explain)

    def best_hits(self) -> BestHits:
        """The way to the n best hits; channels are fused once."""
        if self.image is not None and not self.channels and not self.order:
            return self.image.slides.hits
        without_report = slides_without_report(self.store, self.order or self.channels)
        hits = self._fuse(without_report)
        if self.order:
            scores = {**self.further_scores, **{hit.slide_id: hit.score for hit in hits}}
            anew = reciprocal_rank_fusion(self.order, without_report)
            anew.sort(key=lambda hit: hit.slide_id not in self.foremost)
            hits = [replace(hit, score=scores.get(hit.slide_id, 0.0)) for hit in anew]
        return lambda count: hits[:count]

    def _fuse(self, without_report: Collection[str]) -> Sequence[Hit]:
        if self.image is not None and not self.channels:
            return self.image.slides.hits(len(self.image.slides))
        return fuse_scores(self.channels, without_report)


def present(archive: ArchiveFolder, retrieval: Retrieval, options: SearchOptions) -> SearchResults:
    """A page of a retrieval's hits as results, with records, explanations, probabilities and warnings.

    Raises InputError for a vote on a column that is not there.
    """
    check_deadline()
    calibration = retrieval.calibration
    best_hits = retrieval.best_hits()
    least = retrieval.least_score
    fits = least is None or any(hit.score >= least for hit in best_hits(max(options.last, len(retrieval.foremost) + 1)))
    page, field_um = _explain_page(archive, retrieval if fits else retrieval.without_marks(), best_hits, options)
    likely = calibration.add_probabilities(page, retrieval.labels)
    likely = _add_closeness(likely, retrieval.least_score)
    results = calibration.keep_likely(likely, options.min_probability)
    presented = SearchResults(
        query=retrieval.info,
        mode="fused" if retrieval.is_fused else "exact" if options.exact else "two-stage",
        elapsed_ms=round((time.perf_counter() - retrieval.started) * 1000, 3),
        results=results,
        warnings=(
            *archive.warnings,
            *calibration.warnings,
            *describe_novelty(retrieval.novelty),
            *retrieval.warnings,
            *_too_few(options, len(page)),
            *_cut(options, len(page), len(results)),
        ),
        calibrated_for=calibration.column,
        labels=retrieval.labels.distribution if retrieval.labels else None,
        novelty=retrieval.novelty.p_value if retrieval.novelty else None,
        false_alarms=retrieval.novelty.false_alarms if retrieval.novelty else None,
        left_out=retrieval.left_out,
        nothing_fits=not fits,
        least_score=least if least is not None and math.isfinite(least) else None,
        field_um=field_um,
    )
    return replace(presented, vote_=presented.vote(options.vote)) if options.vote else presented


def _explain_page(
    archive: ArchiveFolder, retrieval: Retrieval, best_hits: BestHits, options: SearchOptions
) -> tuple[tuple[SearchResult, ...], float | None]:
    """The results of a page, and the edge of their fields in um."""
    store = retrieval.store
    hits = take_page(store, best_hits, options, retrieval.scope.condition)
    hits = hits if retrieval.order else add_ranks(hits, retrieval.channels)
    slides = store.get_without_language([hit.slide_id for hit in hits]) if hits else []
    results = [
        _make_result(rank, hit, slide.record, retrieval.least_score)
        for rank, (hit, slide) in enumerate(zip(hits, slides, strict=True), start=options.offset + 1)
    ]
    if retrieval.explain:
        results = list(_explain(retrieval.explain, zip(results, slides, strict=True)))
    if retrieval.words:
        from histoseek.search.explain.fields import add_matched_fields

        results = add_matched_fields(results, retrieval.words)
    text = retrieval.text
    if text:
        results = list(add_phrases(archive, results, text.text, text.vector, store, text.least))
    image = retrieval.image.image if retrieval.image else None
    query = tuple(zip(image.slides, image.signatures, strict=True)) if image else ()
    return add_fields(results, [slide.signature for slide in slides], query)


def _explain(explain: Explainer, pairs: Iterable[tuple[SearchResult, StoredSlide]]) -> Iterator[SearchResult]:
    for result, slide in pairs:
        check_deadline()
        yield explain(result, slide)


def _make_result(rank: int, hit: Hit, record: SlideRecord, least_score: float | None) -> SearchResult:
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
        fits=None if least_score is None else hit.score >= least_score,
    )


def _add_closeness(results: Sequence[SearchResult], least_score: float | None) -> tuple[SearchResult, ...]:
    """How near results are to the words, or to the image where typical distances are known."""
    return tuple(replace(result, closeness=_name_closeness(result, least_score)) for result in results)


def _name_closeness(result: SearchResult, least_score: float | None) -> Closeness | None:
    if least_score is not None:
        return name_closeness_to_words(result.score, least_score)
    if result.explanation is None or result.explanation.base:
        return None
    return name_closeness_of_slides(result.explanation.score)


def _too_few(options: SearchOptions, count: int) -> Sequence[str]:
    """What to say when there are fewer results than are wanted."""
    what = f"cases with {options.to}" if options.by_case else options.to
    beyond = f" beyond the first {options.offset}" if options.offset else ""
    return (f"only {count} {what} fit the query and the filter{beyond}",) if count < options.k else ()


def _cut(options: SearchOptions, count: int, likely: int) -> Sequence[str]:
    if likely == count:
        return ()
    return (f"{likely} of {count} have a probability of at least {options.min_probability}",)
