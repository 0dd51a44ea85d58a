"""Search: candidates by global vector, exact ranking by mosaics, and where the best results match."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from histoseek.archive.archive import Archive
from histoseek.archive.stores.base import Store
from histoseek.archive.stores.sql import both, differs
from histoseek.encoders.bag import UNKNOWN_POSITION
from histoseek.errors import ConfigurationError
from histoseek.geometry import Rect
from histoseek.mosaics.distances import DEFAULT_DISTANCE, Distances, get_distance
from histoseek.mosaics.matches import match_mosaics
from histoseek.mosaics.signature import Signature
from histoseek.progress import Reporter
from histoseek.search.query import PreparedQuery, Query, prepare_query
from histoseek.search.results import Match, QueryInfo, SearchResult, SearchResults

MATCHES_SHOWN = 3


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """How to search.

    k: results wanted; where: SQL filter over metadata; same_patient: let the query's patient (or, where that is not
    known, its case) be found; exact: rank all slides instead of `candidates`; workers: threads that read the query.
    """

    k: int = 5
    where: str | None = None
    same_patient: bool = False
    distance: str = DEFAULT_DISTANCE
    exact: bool = False
    candidates: int = 1000
    workers: int = 2

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ConfigurationError("-k", f"{self.k} is too few", "Ask for at least one result")


def search(
    archive: Archive, query: Query, options: SearchOptions | None = None, reporter: Reporter | None = None
) -> SearchResults:
    """The archive's slides most like the query; its own slide is never among them.

    Raises SlideError for a query that can't be read, UnknownSlide, BadFilter, ConfigurationError, ArchiveError.
    """
    options = options or SearchOptions()
    distance = get_distance(options.distance)
    prepared = prepare_query(archive, query, options.workers, reporter)
    started = time.perf_counter()
    where = _filter(prepared, options)
    store = archive.store.snapshot()
    ids = _candidates(store, prepared, options, where)
    distances = distance(prepared.signature, store.ranking_block(ids)) if ids else None
    results = _ranked(store, prepared.signature, ids, distances, options.k) if distances else ()
    return SearchResults(
        query=QueryInfo(prepared.slide_id, prepared.uri, prepared.spacing_um_per_px, options.where, options.distance),
        mode="exact" if options.exact else "two-stage",
        elapsed_ms=round((time.perf_counter() - started) * 1000, 3),
        results=results,
        warnings=_warnings(prepared, options, len(results)),
    )


def _filter(query: PreparedQuery, options: SearchOptions) -> str | None:
    own_slide = differs("slide_id", query.slide_id) if query.slide_id else None
    own_patient = None
    if not options.same_patient:
        if query.patient_id:
            own_patient = differs("patient_id", query.patient_id)
        elif query.case_id:
            own_patient = differs("case_id", query.case_id)
    return both(options.where, own_slide, own_patient)


def _candidates(store: Store, query: PreparedQuery, options: SearchOptions, where: str | None) -> list[str]:
    if options.where is not None:
        store.count(options.where)
    if options.exact:
        return list(store.slides(where))
    count = max(options.candidates, options.k)
    return [near.slide_id for near in store.nearest(query.signature.global_vector, count, where)]


def _ranked(store: Store, query: Signature, ids: list[str], distances: Distances, k: int) -> tuple[SearchResult, ...]:
    order = np.lexsort((np.array(ids), distances.total))[:k]
    stored = store.get([ids[i] for i in order])
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
            record=slide.record,
        )
        for rank, (i, slide) in enumerate(zip(order, stored, strict=True), start=1)
    )


def explain(query: Signature, result: Signature, limit: int = MATCHES_SHOWN) -> tuple[Match, ...]:
    """The regions of two slides that match best, each mosaic vector used once."""
    return tuple(
        Match(
            query_mosaic=pair.query_index,
            result_mosaic=pair.result_index,
            similarity=pair.similarity,
            query_region=_region(query, pair.query_index),
            result_region=_region(result, pair.result_index),
        )
        for pair in match_mosaics(query.mosaic, result.mosaic, limit)
    )


def _region(signature: Signature, mosaic: int) -> Rect | None:
    x, y = (int(v) for v in signature.mosaic_tiles[mosaic].coords[0])
    edge = signature.tile_size_level0
    return None if UNKNOWN_POSITION in (x, y) or not edge else Rect(x, y, edge, edge)


def _warnings(query: PreparedQuery, options: SearchOptions, found: int) -> tuple[str, ...]:
    said = ["scores are not calibrated: probability is null"]
    if not options.same_patient and not (query.patient_id or query.case_id):
        said.append("the query's patient is not known: other slides of the same patient may be among the results")
    if found < options.k:
        said.append(f"only {found} slides fit the query and the filter")
    return tuple(said)
