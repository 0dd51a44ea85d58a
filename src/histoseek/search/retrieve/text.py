"""Retrieval by words: a sentence or a report."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace

from histoseek.archive.filters.expression import NO_REPORT
from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.stores.slides import SlideTable
from histoseek.reports.index.query import find_marker_field
from histoseek.search.calibration.apply import refuse_probabilities
from histoseek.search.encode.spelling import Spelling, check_spelling, parse_spelled, speaks_of_pathology
from histoseek.search.encode.text import (
    ParsedText,
    PreparedText,
    list_analyser_warnings,
    prepare_text,
)
from histoseek.search.explain.matches import TextRegions
from histoseek.search.options import SearchOptions
from histoseek.search.queries import WordQuery
from histoseek.search.results import QueryInfo
from histoseek.search.retrieve.channels import Channel, Retriever, Vector, share_weight
from histoseek.search.retrieve.measure_chance import get_chance
from histoseek.search.retrieve.retrieval import QueryText, Retrieval
from histoseek.search.scope.exclusion import SearchScope, require_words

LONG = 6
"""Characters for each token that a text encoder reads at once: of longer texts it sees more than two windows."""

_FEW_WORDS, _LEAST_OF_FEW_WORDS = 5, 0.45
"""Of so few words the best report or record must have so much: what is not there is not guessed from its meaning."""

_MOST_WORDS = 0.6
"""What reports or records must have of words of which half are everyday ones."""

_SHORTEST_SPOKEN = 3
"""Letters of a word that has a meaning: what encoders make of numbers and letters is near to anything."""

_NAMED = 0.85
"""What metadata and names say of a query's words so completely fits, whatever the words are."""

MOST_ENCODED = 8192
"""Characters of a text that its vector is made of: about two seconds on two processor cores, and most whole reports."""


def retrieve_by_text(archive: ArchiveFolder, query: WordQuery, options: SearchOptions) -> Retrieval:
    """The slides, or reports of slides, that a text speaks of; see `search`."""
    refuse_probabilities(options)
    prepared = prepare_text(archive, query)
    require_words(archive, options)
    store = archive.store.snapshot()
    spelling = _check_spelling(store, prepared, options)
    wanted, unwanted = _parse(store, prepared, spelling, options)
    kept = prepared.vector
    vectors = [kept] if kept is not None else encode_texts(archive, [text.text for text in (wanted, *unwanted)])
    chance = get_chance(archive, store)
    started = time.perf_counter()
    query_slides = (prepared.slide_id,) if prepared.slide_id else ()
    whole = SearchScope.from_options(store, options, prepared.owner, query_slides)
    scope = whole.narrow(wanted.where)
    retriever = Retriever(store, archive.language, scope.condition, options.candidate_count, chance)
    channels = opened = open_channels(retriever, wanted, vectors[0], options)
    for text, vector in zip(unwanted, vectors[1:], strict=True):
        opposed = open_channels(retriever, text, vector, options)
        channels = [*share_weight(channels, 1), *share_weight(opposed, -1)]
    regions = TextRegions.create(archive.language.regional, vectors[0], options.offset, chance.region)
    return Retrieval(
        started=started,
        store=store,
        scope=scope,
        info=replace(_describe(prepared, options), searched_for=spelling.correction),
        warnings=(
            *text_warnings(archive, store.count(NO_REPORT), options),
            *list_analyser_warnings(store),
            *_length_warnings(wanted.text),
            *spelling.warnings,
        ),
        channels=tuple(channels),
        explain=regions.explain if regions else None,
        text=QueryText(wanted.text, vectors[0], chance.sentence),
        words=wanted.words,
        least_score=find_least_score(retriever, wanted, vectors[0], options, opened),
        left_out=whole.count_left_out(store, scope),
    )


def encode_texts(archive: ArchiveFolder, texts: Sequence[str]) -> Sequence[Vector | None]:
    """The vectors of texts, of their first MOST_ENCODED characters, None when the archive has no text encoder."""
    if not archive.require_space().has_texts:
        return [None] * len(texts)
    return list(archive.language.encoder.encode([text[:MOST_ENCODED] for text in texts]))


def open_channels(
    retriever: Retriever, text: ParsedText, vector: Vector | None, options: SearchOptions
) -> list[Channel]:
    """The channels from a text to what is wanted."""
    retrieve = retriever.slides_by_text if options.to == "slides" else retriever.reports_by_text
    is_long = _is_long(retriever, text, vector)
    if text.conditions_alone and options.to == "slides":
        return [retriever.list_slides(), *(retrieve(text, vector, is_long) if vector is not None else [])]
    if text.conditions_alone and vector is None:
        return [retriever.list_reports()]
    return retriever.lower_contradicting(retrieve(text, vector, is_long), text.statements)


def find_least_score(
    retriever: Retriever, text: ParsedText, vector: Vector | None, options: SearchOptions, channels: Sequence[Channel]
) -> float:
    """The score from which on a result fits a text; what satisfies conditions alone fits.

    Infinite where nothing can: a few words that mostly are everyday ones, or that no report and record has enough of.
    """
    if text.conditions_alone:
        return 0.0
    if _is_long(retriever, text, vector):
        return retriever.chance.least[f"{options.to} long"]
    least = retriever.chance.least[f"{options.to} short"]
    return least if _can_fit(retriever, text, channels) else math.inf


def _can_fit(retriever: Retriever, text: ParsedText, channels: Sequence[Channel]) -> bool:
    best: dict[str, float] = {channel.name: max(channel.likeness, default=0.0) for channel in channels}
    words = max((best.get(name, 0.0) for name in ("report words", "metadata words")), default=0.0)
    if "shared space" not in best and len(text.words) <= _FEW_WORDS and words < _LEAST_OF_FEW_WORDS:
        return False
    if best.get("metadata words", 0.0) >= _NAMED:
        return True
    cosines: dict[str, float] = {channel.name: max(channel.scores, default=-1.0) for channel in channels}
    spoken = [word for word in text.words if len(word.text) >= _SHORTEST_SPOKEN and word.text.isalpha()]
    if len(spoken) * 2 >= len(text.words) and any(
        cosines.get(name, -1.0) > cosine for name, cosine in retriever.chance.near.items()
    ):
        return True
    markers = [
        chunk for chunk in text.text.split() if chunk.upper() != chunk.lower() and find_marker_field(chunk.lower())
    ]
    special = [
        word
        for word in text.words
        if any(word.text in marker for marker in markers) or speaks_of_pathology(retriever.store, word)
    ]
    half = len(text.words) / 2
    return len(special) > half or (len(special) == half and words >= _MOST_WORDS)


def _is_long(retriever: Retriever, text: ParsedText, vector: Vector | None) -> bool:
    return vector is not None and len(text.text) > LONG * retriever.language.encoder.card.context_tokens


def text_warnings(archive: ArchiveFolder, without_report: int, options: SearchOptions) -> tuple[str, ...]:
    """What to know of results of a text."""
    warnings = []
    space = archive.require_space()
    if not space.has_texts:
        warnings.append("the archive has no text encoder: reports are searched by their words only")
    if options.to == "slides" and not space.has_alignment and without_report:
        unread = f"its {without_report} slides without a report are found by their metadata and names only"
        warnings.append(f"the archive is not aligned: {unread}")
    return tuple(warnings)


def _check_spelling(store: SlideTable, prepared: PreparedText, options: SearchOptions) -> Spelling:
    if prepared.is_report:
        return Spelling.take_as_it_is(prepared.text)
    return check_spelling(store, prepared.text, options.verbatim)


def _parse(
    store: SlideTable, prepared: PreparedText, spelling: Spelling, options: SearchOptions
) -> tuple[ParsedText, list[ParsedText]]:
    """What is wanted and, where there is such, what is not."""
    if prepared.is_report:
        return ParsedText.from_report(prepared.text, options.expand), []
    unwanted = [ParsedText.from_report(prepared.without, options.expand)] if prepared.without else []
    return parse_spelled(store, spelling, options.expand), unwanted


def _length_warnings(text: str) -> tuple[str, ...]:
    if len(text) <= MOST_ENCODED:
        return ()
    return (f"the meaning of only the first {MOST_ENCODED:,} characters was compared",)


def _describe(prepared: PreparedText, options: SearchOptions) -> QueryInfo:
    return QueryInfo(
        kind="report" if prepared.is_report else "text",
        to=options.to,
        slide_id=prepared.slide_id,
        uri=prepared.uri,
        text=None if prepared.is_report else prepared.text,
        without=prepared.without,
        where=options.where_text,
        offset=options.offset,
    )
