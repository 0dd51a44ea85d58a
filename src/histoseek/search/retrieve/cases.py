"""From a case, or a slide of one, to other cases: slides of the same stain are compared, and each stain counts once."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.filters.expression import Expression
from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.ranking_method import RankingMethod
from histoseek.archive.schema import StoredSlide
from histoseek.archive.stains import MARKER_COLUMNS, STAIN_DETECTED, UNKNOWN, choose_stain
from histoseek.archive.stores.slides import SlideTable
from histoseek.errors import InputError
from histoseek.mosaics.distances import Distances
from histoseek.mosaics.signature import Signature
from histoseek.progress import Reporter
from histoseek.search.calibration.apply import refuse_probabilities
from histoseek.search.encode.image import PreparedImage
from histoseek.search.explain.matches import explain_match
from histoseek.search.explain.matching_fields import add_fields
from histoseek.search.explanation import CasePart
from histoseek.search.options import SearchOptions
from histoseek.search.queries import ArchivedCase, ArchivedSlide, Case, EncodedSlide, Query, SlideFile
from histoseek.search.results import ChannelRank, SearchResult, SearchResults
from histoseek.search.retrieve.candidates import Candidates
from histoseek.search.retrieve.image import image_info, image_scope, image_warnings, prepare_ranking
from histoseek.search.retrieve.paging import name_cases
from histoseek.search.retrieve.ranking import measure_distances
from histoseek.search.retrieve.witnesses import Witnesses, read_neighbours

ANY_STAIN = "any stain"
"""What two cases are compared by that share no known stain, where the stain of some of their slides is not known."""

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]
Texts = NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class StainDistances:
    """How far C cases are from a query by slides of one stain: float64 [C], NaN for one that is not compared by it."""

    stain: str
    distances: Doubles


@dataclass(frozen=True)
class CaseComparison:
    """Q slides of a query and S slides of an archive, to be compared case by case.

    totals: distances between them, float64 [Q, S]; query_stains, stains: what each is stained with, text [Q] and [S];
    cases: text [S], whose slide each is.
    """

    totals: Doubles
    query_stains: Texts
    stains: Texts
    cases: Texts

    @cached_property
    def names(self) -> Texts:
        """The cases, text [C], sorted."""
        return np.unique(self.cases)

    @cached_property
    def case_of(self) -> Ints:
        """Which case each slide is of, int64 [S]."""
        return np.searchsorted(self.names, self.cases)

    @cached_property
    def parts(self) -> tuple[StainDistances, ...]:
        """By each stain that the query has, and at last by any stain for cases that share none with it."""
        own = [stain for stain in sorted(set(self.query_stains.tolist())) if (self.stains == stain).any()]
        parts = [StainDistances(stain, self._compare(*self.rows(stain))) for stain in own]
        shared = np.zeros(len(self.names), np.bool_)
        for part in parts:
            shared |= ~np.isnan(part.distances)
        is_open = ~shared & (self._has_unknown | (UNKNOWN in self.query_stains.tolist()))
        if is_open.any():
            parts.append(StainDistances(ANY_STAIN, np.where(is_open, self._compare(*self.rows(ANY_STAIN)), np.nan)))
        return tuple(parts)

    @property
    def scores(self) -> Doubles:
        """1 - the mean distance over the stains that a case and the query share, float64 [C]; NaN without such.

        A stain that one of the two lacks counts nothing. The same case has 1 where a slide's distance to itself is 0.
        """
        if not self.parts:
            return np.full(len(self.names), np.nan)
        distances = np.stack([part.distances for part in self.parts])
        compared = ~np.isnan(distances)
        counts = compared.sum(axis=0)
        sums = np.where(compared, distances, 0.0).sum(axis=0)
        return np.where(counts > 0, 1 - sums / np.maximum(counts, 1), np.nan)

    def rows(self, stain: str) -> tuple[Ints, Ints]:
        """Which of the query's slides and of the archive's are compared by a stain."""
        if stain == ANY_STAIN:
            return np.arange(len(self.query_stains)), np.arange(len(self.stains))
        return np.flatnonzero(self.query_stains == stain), np.flatnonzero(self.stains == stain)

    def find_nearest(self, stain: str, case: int) -> tuple[int, int]:
        """The nearest pair of a stain: a slide of the query, and one of a case."""
        queries, slides = self.rows(stain)
        slides = slides[self.case_of[slides] == case]
        totals = self.totals[np.ix_(queries, slides)]
        query, slide = divmod(int(totals.argmin()), len(slides))
        return int(queries[query]), int(slides[slide])

    @property
    def _has_unknown(self) -> NDArray[np.bool_]:
        has = np.zeros(len(self.names), np.bool_)
        has[self.case_of[self.stains == UNKNOWN]] = True
        return has

    def _compare(self, queries: Ints, slides: Ints) -> Doubles:
        """The distance of each case by some slides, [C]: the mean over the query's slides of the nearest of the case,
        and the other way round; half of both."""
        distances = np.full(len(self.names), np.nan)
        order = slides[np.argsort(self.case_of[slides], kind="stable")]
        there, starts, counts = np.unique(self.case_of[order], return_index=True, return_counts=True)
        if not len(there) or not len(queries):
            return distances
        totals = self.totals[np.ix_(queries, order)]
        to_case = np.minimum.reduceat(totals, starts, axis=1).mean(axis=0)
        from_case = np.add.reduceat(totals.min(axis=0), starts) / counts
        distances[there] = (to_case + from_case) / 2
        return distances


def search_cases(
    archive: ArchiveFolder, query: Query, options: SearchOptions, reporter: Reporter | None
) -> SearchResults:
    """The cases most like the query's slides, which are taken for one case; raises what `search` raises."""
    is_part = isinstance(query, EncodedSlide) and (query.picture or len(query.regions) > 0)
    if is_part or not isinstance(query, SlideFile | ArchivedSlide | EncodedSlide | Case | ArchivedCase):
        raise InputError("--to cases", "is asked with whole slides", "Give a slide or a case, or leave --to out")
    refuse_probabilities(options)
    image, method = prepare_ranking(archive, query, options, reporter)
    started = time.perf_counter()
    store = archive.store.snapshot()
    ranking = _CaseRanking.rank(store, image, method, options)
    results, field_um = ranking.make_results(options)
    presented = SearchResults(
        query=image_info(image, options, method),
        mode="exact",
        elapsed_ms=round((time.perf_counter() - started) * 1000, 3),
        results=results,
        warnings=(
            *archive.warnings,
            *image_warnings(archive, image, options, method),
            *ranking.list_warnings(options, len(results)),
        ),
        field_um=field_um,
    )
    return replace(presented, vote_=presented.vote(options.vote)) if options.vote else presented


@dataclass(frozen=True, slots=True)
class _CaseRanking:
    store: SlideTable
    image: PreparedImage
    signatures: Sequence[Signature]
    method: RankingMethod
    slides: Candidates
    each: Sequence[Distances]
    comparison: CaseComparison

    @classmethod
    def rank(
        cls, store: SlideTable, image: PreparedImage, method: RankingMethod, options: SearchOptions
    ) -> _CaseRanking:
        """Raises BadFilter."""
        scope, own = (image_scope(store, image, one) for one in (options, replace(options, same_patient=False)))
        view = method.view(store)
        slides = Candidates.at(view.ranking_rows(), scope.places(view))
        signatures = method.map_query(store, image.signatures, [slide.slide_id for slide in image.slides])
        witnesses = Witnesses.call(store, signatures, method, own)
        each = measure_distances(view, signatures, method.distance, slides, witnesses)
        stain_of = read_stains(store, scope.where)
        comparison = CaseComparison(
            totals=np.stack([one.total for one in each]),
            query_stains=np.array([slide.stain or UNKNOWN for slide in image.slides]),
            stains=np.array([stain_of[str(slide_id)] for slide_id in slides.slide_ids], np.str_),
            cases=name_cases(
                slides.rows.case_ids[slides.places], slides.rows.patient_ids[slides.places], slides.slide_ids
            ),
        )
        return cls(store, image, signatures, method, slides, each, comparison)

    def make_results(self, options: SearchOptions) -> tuple[tuple[SearchResult, ...], float | None]:
        """A page of cases, and the edge of their fields in um."""
        scores = self.comparison.scores
        compared = np.flatnonzero(~np.isnan(scores))
        order = compared[np.lexsort((compared, -scores[compared]))]
        made = [
            self._make_result(rank, case, float(scores[case]))
            for rank, case in enumerate(order[options.offset : options.last].tolist(), start=options.offset + 1)
        ]
        query = tuple(zip(self.image.slides, self.image.signatures, strict=True))
        return add_fields([result for result, _ in made], [stored.signature for _, stored in made], query)

    def _make_result(self, rank: int, case: int, score: float) -> tuple[SearchResult, StoredSlide]:
        parts = tuple(self._list_parts(case))
        best = min(parts, key=lambda part: (part.nearest, part.stain))
        row = self.slides.find(best.slide_id)
        [stored] = self.store.get_without_language([best.slide_id])
        own = self.slides.slide_ids[self.comparison.case_of == case].tolist()
        measured = self.each[best.query_slide]
        result = SearchResult(
            rank=rank,
            slide_id=best.slide_id,
            case_id=stored.record.case_id,
            score=score,
            probability=None,
            local=float(measured.local[row]),
            global_=float(measured.global_[row]),
            neighbours=read_neighbours(measured, row),
            matches=(),
            channels=(ChannelRank("similar slides", rank, 1 - best.nearest),),
            record=stored.record,
            query_slide=best.query_slide,
            also=tuple(slide_id for slide_id in own if slide_id != best.slide_id),
            case_parts=parts,
        )
        own_signature = self.method.map_stored(stored)
        return explain_match(result, self.signatures[best.query_slide], own_signature, self.method), stored

    def _list_parts(self, case: int) -> Iterator[CasePart]:
        compared = [part for part in self.comparison.parts if not np.isnan(part.distances[case])]
        for part in compared:
            distance = float(part.distances[case])
            query, slide = self.comparison.find_nearest(part.stain, case)
            nearest = float(self.comparison.totals[query, slide])
            slide_id = str(self.slides.slide_ids[slide])
            yield CasePart(part.stain, (1 - distance) / len(compared), distance, query, slide_id, nearest)

    def list_warnings(self, options: SearchOptions, count: int) -> Iterator[str]:
        """That cases have no stain of the query, and that there are fewer than are wanted."""
        apart = int(np.isnan(self.comparison.scores).sum())
        if apart:
            yield f"{apart} cases were left out: they have no slide of a stain that the query has"
        if count < options.k:
            beyond = f" beyond the first {options.offset}" if options.offset else ""
            yield f"only {count} cases fit the query and the filter{beyond}"


def read_stains(store: SlideTable, where: Expression | None) -> dict[str, str]:
    """What the slides of a filter are stained with, by their ids."""
    columns = [name for name in ("stain", STAIN_DETECTED, *MARKER_COLUMNS) if name in store.metadata_types()]
    rows = store.columns(["slide_id", *columns], where).to_pylist()
    return {row["slide_id"]: choose_stain(row["stain"], row) for row in rows}
