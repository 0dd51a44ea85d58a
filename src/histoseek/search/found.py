"""What a query found, before a page of it is shown: so that other ways can be laid beside its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from histoseek.archive.archive import Archive
from histoseek.archive.stores.base import Store
from histoseek.search.filters import Searchable
from histoseek.search.options import SearchOptions
from histoseek.search.phrases import with_phrases
from histoseek.search.results import QueryInfo, SearchResults
from histoseek.search.shown import Compare, elapsed_ms, fused_results, too_few
from histoseek.search.ways import Fused, Ranking, Vector, fuse, without_report


@dataclass(frozen=True, slots=True)
class Words:
    """A text that results are told about: which phrases of their reports fit it; vector: as its encoder gives it."""

    text: str
    vector: Vector | None


@dataclass(frozen=True, slots=True)
class Found:
    """The slides that a query's ways lead to.

    started: when the search began, by time.perf_counter; store: as it stood then; searchable: which slides may be
    found; compare: what results are told of slides; novelty: the query's, None where not known.
    """

    started: float
    store: Store
    searchable: Searchable
    rankings: Sequence[Ranking]
    info: QueryInfo
    warnings: tuple[str, ...]
    compare: Compare | None = None
    words: Words | None = None
    novelty: float | None = None

    def fused(self) -> list[Fused]:
        """All slides, best first."""
        return fuse(self.rankings, without_report(self.store, self.rankings))

    def shown(self, archive: Archive, fused: Sequence[Fused], options: SearchOptions) -> SearchResults:
        """A page of some slides, best first."""
        results = fused_results(self.store, fused, options, self.searchable.condition, self.compare)
        if self.words:
            results = with_phrases(archive, results, self.words.text, self.words.vector)
        return SearchResults(
            query=self.info,
            mode="fused",
            elapsed_ms=elapsed_ms(self.started),
            results=results,
            warnings=(*self.warnings, *too_few(options, len(results))),
            novelty=self.novelty,
        )
