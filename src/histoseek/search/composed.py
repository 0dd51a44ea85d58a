"""Search with an image and words together: like this, but with that, or without it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from histoseek.archive.archive import Archive
from histoseek.archive.stores.base import Store
from histoseek.archive.stores.sql import both
from histoseek.mosaics.distances import Distance
from histoseek.mosaics.signature import Signature
from histoseek.progress import Reporter
from histoseek.search.by_image import candidate_count, image_distance, image_filter, image_info, image_warnings
from histoseek.search.by_text import rankings_of, read_texts, refuse_probabilities, text_warnings
from histoseek.search.calibrated import NOT_CALIBRATED
from histoseek.search.explain import TextRegions, explained
from histoseek.search.filters import check_filter, require_words
from histoseek.search.options import SearchOptions
from histoseek.search.phrases import with_phrases
from histoseek.search.prepare import PreparedImage, prepare_image
from histoseek.search.queries import Composed
from histoseek.search.ranked import Ranked, rank
from histoseek.search.results import SearchResult, SearchResults
from histoseek.search.shown import elapsed_ms, fused_results, too_few
from histoseek.search.ways import Ranking, Searched, fuse, shared_out
from histoseek.search.words import AskedText, analyser_warnings


def search_composed(
    archive: Archive, query: Composed, options: SearchOptions, reporter: Reporter | None
) -> SearchResults:
    """The slides, or reports of slides, that are like the image and fit the words; see `search`."""
    refuse_probabilities(options)
    require_words(archive, options)
    distance = image_distance(archive, query.image, options)
    prepared = prepare_image(archive, query.image, options.workers, reporter)
    store = archive.store.snapshot()
    given = _given(store, query, options)
    vectors = read_texts(archive, [asked.text for asked, _ in given])
    started = time.perf_counter()
    check_filter(store, options)
    searchable = image_filter(store, prepared, options)
    searchable = replace(searchable, where=both(searchable.where, *(asked.where for asked, _ in given)))
    where = searchable.condition
    ranked = rank(store, prepared.signatures, distance, candidate_count(distance, options), searchable)
    searched = Searched(store, archive.language, where, options.looked_at)
    found: list[Ranking] = [ranked.ranking(1 - query.weight)] if len(ranked) else []
    for (asked, sign), vector in zip(given, vectors, strict=True):
        found += shared_out(rankings_of(searched, asked, vector, options), sign * query.weight)
    fused = fuse(found, searched.without_report(found))
    wanted = (given[0][0].text, vectors[0]) if query.text else None
    regions = TextRegions.of(archive.language.alignment, wanted[1], options.offset) if wanted else None
    results = fused_results(store, fused, options, where, _Comparison(prepared, ranked, distance, regions))
    results = with_phrases(archive, results, *wanted) if wanted else results
    info = image_info(prepared, options, distance)
    return SearchResults(
        query=replace(info, kind="composed", text=query.text, without=query.without, weight=query.weight),
        mode="fused",
        elapsed_ms=elapsed_ms(started),
        results=results,
        warnings=(
            NOT_CALIBRATED,
            *image_warnings(archive, prepared, options),
            *text_warnings(archive, store.count("report IS NULL"), options),
            *analyser_warnings(store),
            *too_few(options, len(results)),
        ),
    )


def _given(store: Store, query: Composed, options: SearchOptions) -> list[tuple[AskedText, int]]:
    """What is wanted and what is not, with 1 and -1."""
    wanted = [(AskedText.of_query(store, query.text, options.expand), 1)] if query.text else []
    return [*wanted, *([(AskedText.plain(query.without, options.expand), -1)] if query.without else [])]


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Says of results what the image has in common with them, where it led to them, and where they fit the words."""

    prepared: PreparedImage
    ranked: Ranked
    distance: Distance
    regions: TextRegions | None

    def __call__(self, result: SearchResult, signature: Signature) -> SearchResult:
        result = self.regions(result, signature) if self.regions else result
        if "similar slides" not in {way.name for way in result.ways}:
            return result
        row = self.ranked.place(result.slide_id)
        own = int(self.ranked.nearest[row])
        compared = replace(
            result,
            local=float(self.ranked.distances.local[row]),
            global_=float(self.ranked.distances.global_[row]),
            query_slide=own,
        )
        return explained(compared, self.prepared.signatures[own], signature, self.distance)
