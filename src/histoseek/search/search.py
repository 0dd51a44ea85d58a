"""Search in four directions: from a slide or a text to slides or reports."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from histoseek.archive.archive import Archive
from histoseek.archive.stores.base import Store
from histoseek.archive.stores.sql import both, differs
from histoseek.errors import ArchiveError, ConfigurationError, InputError
from histoseek.mosaics.distances import DEFAULT_DISTANCE, Distances, get_distance
from histoseek.mosaics.signature import Signature
from histoseek.progress import Reporter
from histoseek.search.calibrated import NOT_CALIBRATED, Calibrated, novelty_warnings
from histoseek.search.candidates import Candidates, Ids, best, candidates
from histoseek.search.explain import explain
from histoseek.search.query import (
    ArchivedSlide,
    PreparedQuery,
    PreparedText,
    Query,
    SlideFile,
    SlideQuery,
    prepare_query,
    prepare_text,
)
from histoseek.search.results import QueryInfo, SearchResult, SearchResults, Way
from histoseek.search.ways import Fused, Ranking, Searched, fuse

MOST_RESULTS = 100_000

_HAS_REPORT = "report IS NOT NULL"


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """How to search.

    k: results wanted; to: what to find; where: SQL filter over metadata; same_patient: let the query's patient (or,
    where that is not known, its case) be found; distance: between slides; exact: rank all slides instead of
    `candidates`; workers: threads that read the query; min_probability: leave out results that are less likely to
    share the query's label; vote: the metadata column that results vote on.
    """

    k: int = 5
    to: Literal["slides", "reports"] = "slides"
    where: str | None = None
    same_patient: bool = False
    distance: str = DEFAULT_DISTANCE
    exact: bool = False
    candidates: int = 1000
    workers: int = 2
    min_probability: float | None = None
    vote: str | None = None

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ConfigurationError("-k", f"{self.k} is too few", "Ask for at least one result")
        if self.k > MOST_RESULTS:
            raise ConfigurationError("-k", f"{self.k} is too many", f"Ask for at most {MOST_RESULTS:,}")
        if self.to not in ("slides", "reports"):
            raise ConfigurationError("--to", f"{self.to!r} can't be found", "Ask for slides or reports")
        if self.min_probability is not None and not 0 <= self.min_probability <= 1:
            raise ConfigurationError("--min-probability", f"{self.min_probability} is none", "Give 0 to 1")


def search(
    archive: Archive, query: Query, options: SearchOptions | None = None, reporter: Reporter | None = None
) -> SearchResults:
    """What the archive has that is most like the query; the query's own slide is never among it.

    Raises InputError (of it: SlideError for a slide that can't be read, UnknownSlide, BadFilter), ConfigurationError,
    EncoderError for a text encoder that can't be loaded, ArchiveError.
    """
    options = options or SearchOptions()
    archive.refresh()
    _ = archive.settled_space
    if options.vote is not None and options.vote not in archive.store.metadata_types():
        raise InputError(f"--vote {options.vote}", "the archive has no such column", "`histoseek show ID` names them")
    if isinstance(query, SlideFile | ArchivedSlide):
        results = _by_slide(archive, query, options, reporter)
    else:
        results = _by_text(archive, prepare_text(query), options)
    return replace(results, vote_=results.vote(options.vote)) if options.vote else results


def _by_slide(archive: Archive, query: SlideQuery, options: SearchOptions, reporter: Reporter | None) -> SearchResults:
    distance = get_distance(options.distance)
    if options.to == "reports":
        _require_words(archive, options)
    calibrated = _calibrated(archive, options)
    prepared = prepare_query(archive, query, options.workers, reporter)
    started = time.perf_counter()
    store = archive.store.snapshot()
    where = _filter(store, options, prepared.patient_id, prepared.case_id, prepared.slide_id)
    if options.to == "reports":
        where = both(where, _HAS_REPORT)
    found_near = _candidates(store, prepared, options, where)
    ids = found_near.slide_ids
    distances = distance(prepared.signature, found_near.block) if len(ids) else None
    results = _ranked(store, prepared.signature, ids, distances, options.k) if distances else ()
    found, results = len(results), calibrated.likely(calibrated.judged(results), options.min_probability)
    mode = "exact" if options.exact else "two-stage"
    if options.to == "reports" and distances and archive.language.alignment:
        searched = Searched(store, archive.language, where, max(options.candidates, options.k))
        rankings = [_as_ranking(ids, distances), *searched.reports_by_slide(prepared.signature.global_vector)]
        results, mode = _results(store, fuse(rankings, options.k)), "fused"
        found = len(results)
    novelty = calibrated.novelty(_nearest(store, prepared, options, distances)) if calibrated.calibration else None
    return SearchResults(
        query=QueryInfo(
            kind="slide",
            to=options.to,
            slide_id=prepared.slide_id,
            uri=prepared.uri,
            spacing_um_per_px=prepared.spacing_um_per_px,
            where=options.where,
            distance=options.distance,
        ),
        mode=mode,
        elapsed_ms=_elapsed_ms(started),
        results=results,
        warnings=(
            *calibrated.warnings,
            *novelty_warnings(novelty),
            *_slide_warnings(archive, prepared, options, found),
            *_cut(options, found, len(results)),
        ),
        calibrated_for=calibrated.column,
        novelty=novelty,
    )


def _calibrated(archive: Archive, options: SearchOptions) -> Calibrated:
    found = Calibrated.of(archive, options.distance, compares_slides=options.to == "slides")
    if options.min_probability is not None:
        found.require_probabilities()
    return found


def _nearest(store: Store, query: PreparedQuery, options: SearchOptions, ranked: Distances | None) -> float | None:
    """The distance to the nearest slide, whatever the filter: the archive may know what the filter leaves out."""
    if options.where is None and options.to == "slides":
        return float(ranked.total.min()) if ranked else None
    where = _filter(store, replace(options, where=None), query.patient_id, query.case_id, query.slide_id)
    near = _candidates(store, query, options, where)
    return float(get_distance(options.distance)(query.signature, near.block).total.min()) if len(near) else None


def _by_text(archive: Archive, query: PreparedText, options: SearchOptions) -> SearchResults:
    if options.min_probability is not None:
        raise ConfigurationError("--min-probability", "needs a search from slide to slide", "Leave it out")
    _require_words(archive, options)
    vector = archive.language.encoder.encode([query.text])[0] if archive.settled_space.has_texts else None
    started = time.perf_counter()
    store = archive.store.snapshot()
    where = _filter(store, options, query.patient_id)
    searched = Searched(store, archive.language, where, max(options.candidates, options.k))
    found = (searched.slides_by_text if options.to == "slides" else searched.reports_by_text)(query.text, vector)
    results = _results(store, fuse(found, options.k, searched.without_report(found)))
    return SearchResults(
        query=QueryInfo(
            kind="report" if query.uri else "text",
            to=options.to,
            uri=query.uri,
            text=None if query.uri else query.text,
            where=options.where,
        ),
        mode="fused",
        elapsed_ms=_elapsed_ms(started),
        results=results,
        warnings=_text_warnings(archive, store.count("report IS NULL"), options, len(results)),
    )


def _require_words(archive: Archive, options: SearchOptions) -> None:
    """Raise ArchiveError when there is nothing that a text, or a search for reports, could be compared with."""
    if archive.store.count(_HAS_REPORT) or (archive.settled_space.has_alignment and options.to == "slides"):
        return
    what = "it has no reports" if options.to == "reports" else "it has no reports and no space shared with texts"
    advice = "Index reports (--reports), or use weights that know texts"
    raise ArchiveError(str(archive.path), what, advice)


def _filter(
    store: Store,
    options: SearchOptions,
    patient_id: str | None,
    case_id: str | None = None,
    slide_id: str | None = None,
) -> str | None:
    """The user's filter, checked on its own, and what keeps the query itself out."""
    if options.where is not None:
        store.count(options.where)
    own_slide = differs("slide_id", slide_id) if slide_id else None
    own_patient = None
    if not options.same_patient:
        if patient_id:
            own_patient = differs("patient_id", patient_id)
        elif case_id:
            own_patient = differs("case_id", case_id)
    return both(options.where, own_slide, own_patient)


def _candidates(store: Store, query: PreparedQuery, options: SearchOptions, where: str | None) -> Candidates:
    count = None if options.exact else max(options.candidates, options.k)
    return candidates(store, query.signature.global_vector, count, where)


def _ranked(store: Store, query: Signature, ids: Ids, distances: Distances, k: int) -> tuple[SearchResult, ...]:
    order = best(ids, distances.total, k)
    stored = store.get([str(ids[i]) for i in order])
    return tuple(
        SearchResult(
            rank=rank,
            slide_id=slide.record.slide_id,
            case_id=slide.record.case_id,
            score=float(1 - distances.total[i]),
            probability=None,
            local=float(distances.local[i]),
            global_=float(distances.global_[i]),
            matches=explain(query, slide.signature),
            ways=(Way("similar slides", rank, float(1 - distances.total[i])),),
            record=slide.record,
        )
        for rank, (i, slide) in enumerate(zip(order, stored, strict=True), start=1)
    )


def _as_ranking(ids: Ids, distances: Distances) -> Ranking:
    order = np.lexsort((ids, distances.total))
    return Ranking(
        "similar slides", tuple(str(ids[i]) for i in order), tuple(float(1 - distances.total[i]) for i in order)
    )


def _results(store: Store, found: Sequence[Fused]) -> tuple[SearchResult, ...]:
    stored = store.get([one.slide_id for one in found]) if found else []
    return tuple(
        SearchResult(
            rank=rank,
            slide_id=one.slide_id,
            case_id=slide.record.case_id,
            score=one.score,
            probability=None,
            local=None,
            global_=None,
            matches=(),
            ways=one.ways,
            record=slide.record,
        )
        for rank, (one, slide) in enumerate(zip(found, stored, strict=True), start=1)
    )


def _elapsed_ms(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 3)


def _slide_warnings(archive: Archive, query: PreparedQuery, options: SearchOptions, found: int) -> tuple[str, ...]:
    said = []
    if not options.same_patient and not (query.patient_id or query.case_id):
        said.append("the query's patient is not known: other slides of the same patient may be among the results")
    if options.to == "reports" and not archive.settled_space.has_alignment:
        said.append("the archive is not aligned: these are the reports of the most similar slides")
    return (*said, *_too_few(options, found))


def _text_warnings(archive: Archive, without_report: int, options: SearchOptions, found: int) -> tuple[str, ...]:
    said = [NOT_CALIBRATED]
    space = archive.settled_space
    if not space.has_texts:
        said.append("the archive has no text encoder: reports are searched by their words only")
    if options.to == "slides" and not space.has_alignment and without_report:
        said.append(f"the archive is not aligned: its {without_report} slides without a report can't be found by text")
    return (*said, *_too_few(options, found))


def _too_few(options: SearchOptions, found: int) -> tuple[str, ...]:
    return (f"only {found} {options.to} fit the query and the filter",) if found < options.k else ()


def _cut(options: SearchOptions, found: int, kept: int) -> tuple[str, ...]:
    return (f"{kept} of {found} have a probability of at least {options.min_probability}",) if kept < found else ()
