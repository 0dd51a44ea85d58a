"""What the fast search misses: its results beside those of exact ranking, with an archive's own slides as queries."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, replace

import numpy as np

from histoseek.archive.filters.expression import Where
from histoseek.archive.folder import ArchiveFolder
from histoseek.arguments import settle_count
from histoseek.errors import ArchiveError
from histoseek.progress import Reporter, SilentReporter
from histoseek.search.options import DEFAULT_DEPTH, DEFAULT_QUERIES, SearchOptions
from histoseek.search.queries import ArchivedSlide
from histoseek.search.results import SearchResults
from histoseek.search.search import search
from histoseek.statistics.intervals import wilson_interval


@dataclass(frozen=True, slots=True)
class Recall:
    """The share of the first `k` results of exact ranking that the default search finds among its own, 0 to 1.

    value: mean over the queries; low, high: 95 % interval; default_ms, exact_ms: median time of a search once its
    query is at hand; where: the filter both had; is_exact: the default search ranks all slides here, as they are no
    more than its candidates, so that exact ranking was compared with itself.
    """

    value: float
    low: float
    high: float
    k: int
    queries: int
    slides: int
    default_ms: float
    exact_ms: float
    where: str | None = None
    is_exact: bool = False


def recall(
    archive: ArchiveFolder,
    queries: int = DEFAULT_QUERIES,
    k: int = DEFAULT_DEPTH,
    where: Where = None,
    seed: int = 0,
    reporter: Reporter | None = None,
) -> Recall:
    """Search for slides of the archive, drawn at random, both ways; a query's own patient is left out as ever.

    Queries for which exact ranking finds nothing do not count. Raises ArchiveError when none is left or the archive
    is empty, ConfigurationError for less than one query or result, BadFilter.
    """
    queries, seed = settle_count(queries, "--queries", 1), settle_count(seed, "--seed", 0)
    options = SearchOptions(k=k, where=where)
    exact = replace(options, exact=True)
    archive.require_space()
    ids = archive.store.slides()
    sample = np.random.default_rng(seed).permutation(len(ids))[:queries]
    pairs = []
    with (reporter or SilentReporter()).part("searching both ways", len(sample)) as part:
        for place in sample:
            query = ArchivedSlide(ids[place])
            pairs.append((search(archive, query, options), search(archive, query, exact)))
            part.advance()
    answerable = [(fast, exact_) for fast, exact_ in pairs if len(exact_)]
    if not answerable:
        what = "no query finds a slide of another patient"
        raise ArchiveError(archive.address, what, "Index more slides, or use a wider filter")
    is_exact = archive.store.count(where) <= options.candidate_count.least
    return replace(_sum_up(answerable, options.k, len(ids), where), is_exact=is_exact)


def _sum_up(pairs: list[tuple[SearchResults, SearchResults]], k: int, slides: int, where: Where) -> Recall:
    shares = [len(_slide_ids(fast) & _slide_ids(exact)) / len(exact) for fast, exact in pairs]
    value = math.fsum(shares) / len(shares)
    low, high = wilson_interval(value, len(shares))
    return Recall(
        value=value,
        low=low,
        high=high,
        k=k,
        queries=len(shares),
        slides=slides,
        default_ms=statistics.median(fast.elapsed_ms for fast, _ in pairs),
        exact_ms=statistics.median(exact.elapsed_ms for _, exact in pairs),
        where=str(where) if where is not None else None,
    )


def _slide_ids(results: SearchResults) -> set[str]:
    return {result.slide_id for result in results}
