"""Search with an image and words together: like this, but with that, or without it."""

from __future__ import annotations

import time
from dataclasses import replace

from histoseek.archive.folder import Archive
from histoseek.archive.stores.base import Store
from histoseek.progress import Reporter
from histoseek.search.calibration.apply import NOT_CALIBRATED, refuse_probabilities
from histoseek.search.encode.image import prepare_image
from histoseek.search.encode.text import AskedText, analyser_warnings
from histoseek.search.explain.matches import TextRegions
from histoseek.search.filters.exclusion import check_filter, require_words
from histoseek.search.options import SearchOptions
from histoseek.search.queries import Composed
from histoseek.search.results import SearchResults
from histoseek.search.retrieve.fusion import Ranking, Searched, shared_out
from histoseek.search.retrieve.image import candidate_count, image_distance, image_filter, image_info, image_warnings
from histoseek.search.retrieve.ranking import rank
from histoseek.search.retrieve.retrieval import Compared, Found, Words
from histoseek.search.retrieve.text import rankings_of, read_texts, text_warnings


def search_composed(
    archive: Archive, query: Composed, options: SearchOptions, reporter: Reporter | None
) -> SearchResults:
    """The slides, or reports of slides, that are like the image and fit the words; see `search`."""
    found = found_by_both(archive, query, options, reporter)
    return found.shown(archive, found.fused(), options)


def found_by_both(archive: Archive, query: Composed, options: SearchOptions, reporter: Reporter | None) -> Found:
    """The ways that the image and the words lead."""
    refuse_probabilities(options)
    require_words(archive, options)
    distance = image_distance(archive, query.image, options)
    prepared = prepare_image(archive, query.image, options.workers, reporter)
    store = archive.store.snapshot()
    given = _given(store, query, options)
    vectors = read_texts(archive, [asked.text for asked, _ in given])
    started = time.perf_counter()
    check_filter(store, options)
    scope = image_filter(store, prepared, options).narrowed(*(asked.where for asked, _ in given))
    ranked = rank(store, prepared.signatures, distance, candidate_count(distance, options), scope)
    searched = Searched(store, archive.language, scope.condition, options.looked_at)
    rankings: list[Ranking] = [ranked.ranking(1 - query.weight)] if len(ranked) else []
    for (asked, sign), vector in zip(given, vectors, strict=True):
        rankings += shared_out(rankings_of(searched, asked, vector, options), sign * query.weight)
    wanted = Words(given[0][0].text, vectors[0]) if query.text else None
    regions = TextRegions.of(archive.language.alignment, wanted.vector, options.offset) if wanted else None
    info = image_info(prepared, options, distance)
    return Found(
        started=started,
        store=store,
        scope=scope,
        rankings=rankings,
        info=replace(info, kind="composed", text=query.text, without=query.without, weight=query.weight),
        warnings=(
            NOT_CALIBRATED,
            *image_warnings(archive, prepared, options),
            *text_warnings(archive, store.count("report IS NULL"), options),
            *analyser_warnings(store),
        ),
        compare=Compared(prepared, ranked, distance, regions),
        words=wanted,
    )


def _given(store: Store, query: Composed, options: SearchOptions) -> list[tuple[AskedText, int]]:
    """What is wanted and what is not, with 1 and -1."""
    wanted = [(AskedText.of_query(store, query.text, options.expand), 1)] if query.text else []
    return [*wanted, *([(AskedText.plain(query.without, options.expand), -1)] if query.without else [])]
