"""Search with words: a sentence or a report."""

from __future__ import annotations

import time
from collections.abc import Sequence

from histoseek.archive.folder import Archive
from histoseek.archive.stores.base import Store
from histoseek.search.calibration.apply import NOT_CALIBRATED, refuse_probabilities
from histoseek.search.encode.text import AskedText, PreparedText, analyser_warnings, prepare_text, spelling_warnings
from histoseek.search.explain.matches import TextRegions
from histoseek.search.filters.exclusion import SearchScope, check_filter, require_words
from histoseek.search.options import SearchOptions
from histoseek.search.queries import WordQuery
from histoseek.search.results import QueryInfo, SearchResults
from histoseek.search.retrieve.fusion import Ranking, Searched, Vector, shared_out
from histoseek.search.retrieve.retrieval import Found, Words

MOST_ENCODED = 8192
"""Characters of a text that its vector is made of: about two seconds on two processor cores, and most whole reports."""


def search_by_text(archive: Archive, query: WordQuery, options: SearchOptions) -> SearchResults:
    """The slides, or reports of slides, that a text speaks of; see `search`."""
    found = found_by_text(archive, query, options)
    return found.shown(archive, found.fused(), options)


def found_by_text(archive: Archive, query: WordQuery, options: SearchOptions) -> Found:
    """The ways that a text leads."""
    refuse_probabilities(options)
    prepared = prepare_text(archive, query)
    require_words(archive, options)
    store = archive.store.snapshot()
    asked = _asked(store, prepared, options)
    vectors = read_texts(archive, [one.text for one in asked])
    started = time.perf_counter()
    check_filter(store, options)
    own = (prepared.slide_id,) if prepared.slide_id else ()
    scope = SearchScope.of(store, options, prepared.owner, own).narrowed(asked[0].where)
    searched = Searched(store, archive.language, scope.condition, options.looked_at)
    rankings = rankings_of(searched, asked[0], vectors[0], options)
    for unwanted, vector in zip(asked[1:], vectors[1:], strict=True):
        rankings = [*shared_out(rankings, 1), *shared_out(rankings_of(searched, unwanted, vector, options), -1)]
    return Found(
        started=started,
        store=store,
        scope=scope,
        rankings=rankings,
        info=_info(prepared, options),
        warnings=(
            NOT_CALIBRATED,
            *text_warnings(archive, store.count("report IS NULL"), options),
            *analyser_warnings(store),
            *_length_warnings(asked[0].text),
            *(() if prepared.is_report else spelling_warnings(store, asked[0].text)),
        ),
        compare=TextRegions.of(archive.language.alignment, vectors[0], options.offset),
        words=Words(asked[0].text, vectors[0]),
    )


def _length_warnings(text: str) -> tuple[str, ...]:
    return (
        (f"the meaning of only the first {MOST_ENCODED:,} characters was compared",) if len(text) > MOST_ENCODED else ()
    )


def _asked(store: Store, prepared: PreparedText, options: SearchOptions) -> list[AskedText]:
    """What is wanted and, where there is such, what is not."""
    if prepared.is_report:
        return [AskedText.plain(prepared.text, options.expand)]
    unwanted = [AskedText.plain(prepared.without, options.expand)] if prepared.without else []
    return [AskedText.of_query(store, prepared.text, options.expand), *unwanted]


def read_texts(archive: Archive, texts: Sequence[str]) -> Sequence[Vector | None]:
    """The vectors of texts, of their first MOST_ENCODED characters, None when the archive has no text encoder."""
    if not archive.settled_space.has_texts:
        return [None] * len(texts)
    return list(archive.language.encoder.encode([text[:MOST_ENCODED] for text in texts]))


def rankings_of(searched: Searched, asked: AskedText, vector: Vector | None, options: SearchOptions) -> list[Ranking]:
    """The ways from a text to what is wanted."""
    find = searched.slides_by_text if options.to == "slides" else searched.reports_by_text
    found = find(asked.tokens, vector)
    return [searched.listed()] if asked.conditions_alone and vector is None else found


def text_warnings(archive: Archive, without_report: int, options: SearchOptions) -> tuple[str, ...]:
    """What to know of results of a text."""
    said = []
    space = archive.settled_space
    if not space.has_texts:
        said.append("the archive has no text encoder: reports are searched by their words only")
    if options.to == "slides" and not space.has_alignment and without_report:
        said.append(f"the archive is not aligned: its {without_report} slides without a report can't be found by text")
    return tuple(said)


def _info(prepared: PreparedText, options: SearchOptions) -> QueryInfo:
    return QueryInfo(
        kind="report" if prepared.is_report else "text",
        to=options.to,
        slide_id=prepared.slide_id,
        uri=prepared.uri,
        text=None if prepared.is_report else prepared.text,
        without=prepared.without,
        where=options.where,
        offset=options.offset,
    )
