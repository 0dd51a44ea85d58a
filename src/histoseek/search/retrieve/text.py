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
from histoseek.reports.index.query_words import QueryWord
from histoseek.search.calibration.apply import refuse_probabilities
from histoseek.search.encode.spelling import Spelling, check_spelling, is_everyday, parse_spelled, speaks_of_pathology
from histoseek.search.encode.text import (
    ParsedText,
    PreparedText,
    list_analyser_warnings,
    prepare_text,
)
from histoseek.search.explain.matches import RegionExplainer, TextRegions
from histoseek.search.options import SearchOptions
from histoseek.search.queries import WordQuery
from histoseek.search.results import QueryInfo
from histoseek.search.retrieve.channels import LOOKED_INTO, Channel, Retriever, Vector, share_weight
from histoseek.search.retrieve.measure_chance import get_chance
from histoseek.search.retrieve.retrieval import QueryText, Retrieval
from histoseek.search.scope.exclusion import SearchScope, require_words
from histoseek.search.words.comparison import TileWords, describe_words
from histoseek.search.words.regions import TileRegions

LONG = 6
"""Characters for each token that a text encoder reads at once: of longer texts it sees more than two windows."""

_FEW_WORDS, _LEAST_OF_FEW_WORDS = 5, 0.45
"""Of so few words the best report or record must have so much: what is not there is not guessed from its meaning."""

_DISEASES, _FEWEST_SPECIAL = ("diagnosis:", "finding:"), 2
"""What one word may name to tell by itself, and how many words of pathology tell together."""

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
    spelling = check_query_spelling(store, prepared, options)
    wanted, unwanted = parse_texts(store, prepared, spelling, options)
    kept = prepared.vector
    vectors = [kept] if kept is not None else encode_texts(archive, [text.text for text in (wanted, *unwanted)])
    tiles = TileWords.open(archive, store)
    chance = get_chance(archive, store, tiles)
    started = time.perf_counter()
    query_slides = (prepared.slide_id,) if prepared.slide_id else ()
    whole = SearchScope.from_options(store, options, prepared.owner, query_slides)
    scope = whole.narrow(wanted.where)
    retriever = Retriever(store, archive.language, scope.condition, options.channel_count, chance, tiles)
    channels = opened = open_channels(retriever, wanted, vectors[0], options)
    for text, vector in zip(unwanted, vectors[1:], strict=True):
        opposed = open_channels(retriever, text, vector, options)
        channels = [*share_weight(channels, 1), *share_weight(opposed, -1)]
    regions = find_regions(archive, retriever, wanted.text, vectors[0], options)
    return Retrieval(
        started=started,
        store=store,
        scope=scope,
        info=replace(describe_query(prepared, options), searched_for=spelling.correction),
        warnings=(
            *text_warnings(archive, store, options, tiles),
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
    is_guessed = not {"shared space", "tile words"} & set(best) and len(text.words) <= _FEW_WORDS
    telling = words if not is_guessed or words >= _LEAST_OF_FEW_WORDS else _cover_telling(retriever, text)
    if is_guessed and telling < _LEAST_OF_FEW_WORDS:
        return False
    if best.get("metadata words", 0.0) >= _NAMED:
        return True
    cosines: dict[str, float] = {channel.name: max(channel.scores, default=-1.0) for channel in channels}
    spoken = [word for word in text.words if len(word.text) >= _SHORTEST_SPOKEN and word.text.isalpha()]
    if len(spoken) * 2 >= len(text.words) and any(
        cosines.get(name, -1.0) > cosine for name, cosine in retriever.chance.near.items()
    ):
        return True
    special = _list_special(retriever, text)
    half = len(text.words) / 2
    if len(special) > half or (len(special) == half and words >= _MOST_WORDS):
        return True
    names_diagnosis = len(special) >= _FEWEST_SPECIAL and _names(text.words, _DISEASES[:1])
    return names_diagnosis and _cover_telling(retriever, text) >= _NAMED


def _names(words: Sequence[QueryWord], fields: tuple[str, ...]) -> bool:
    """Whether any of some words is, or is part of, a term of some kinds."""
    return any(token.startswith(fields) and part >= 1 for word in words for token, part in word.tokens.items())


def _list_special(retriever: Retriever, text: ParsedText) -> list[QueryWord]:
    """The words that are no everyday ones: of pathology, markers, or the archive's own."""
    chunks = (chunk for chunk in text.text.split() if chunk.upper() != chunk.lower())
    markers = [chunk for chunk in chunks if find_marker_field(chunk.lower())]
    return [
        word
        for word in text.words
        if any(word.text in marker for marker in markers) or speaks_of_pathology(retriever.store, word)
    ]


def _cover_telling(retriever: Retriever, text: ParsedText) -> float:
    """The share of a text's words that the best report or record has, but for those that any sentence may have: "find
    slides of typical ...". One word of pathology tells only as a diagnosis or finding: there are kidney beans."""
    telling = [word for word in text.words if not is_everyday(word)]
    if not _names(telling, _DISEASES) and len(_list_special(retriever, text)) < _FEWEST_SPECIAL:
        return 0.0
    return _cover(retriever, text, telling)


def _cover(retriever: Retriever, text: ParsedText, words: Sequence[QueryWord]) -> float:
    """The share of some words that the best report or record has, whatever a filter leaves out."""
    if not words:
        return 0.0
    store = retriever.store
    hits = store.text(text.tokens, LOOKED_INTO, None)
    tokens = store.list_report_tokens([hit.slide_id for hit in hits])
    records = store.record_text([word.tokens for word in words], 1, None)
    return max(retriever.chance.cover(words, tokens), records[0].score if records else 0.0)


def _is_long(retriever: Retriever, text: ParsedText, vector: Vector | None) -> bool:
    return vector is not None and len(text.text) > LONG * retriever.language.encoder.card.context_tokens


def find_regions(
    archive: ArchiveFolder, retriever: Retriever, text: str, vector: Vector | None, options: SearchOptions
) -> RegionExplainer | None:
    """What tells where a text is on slides: in the space of words, in that of slides and texts, or both."""
    chance = retriever.chance
    shared = TextRegions.create(archive.language.regional, vector, options.offset, chance.region)
    if not isinstance(retriever.tiles, TileWords) or options.to == "reports":
        return shared
    return TileRegions(retriever.tiles, retriever.tiles.embed_query(text), options.offset, shared)


def text_warnings(
    archive: ArchiveFolder, store: SlideTable, options: SearchOptions, tiles: TileWords | None
) -> tuple[str, ...]:
    """What to know of results of a text; tiles: the words of the tiles' space, where they are at hand."""
    warnings, without_report = [], store.count(NO_REPORT)
    space = archive.require_space()
    if not store.capabilities.full_text:
        ways = "their meaning, phrases in quotes" if space.has_texts else "phrases in quotes"
        warnings.append(
            f"the archive's server cannot search for words: reports are found by {ways} and what they state"
        )
    elif not space.has_texts:
        warnings.append("the archive has no text encoder: reports are searched by their words only")
    if options.to != "reports":
        warnings += describe_words(archive, store, tiles)
    if options.to == "slides" and not space.has_alignment and without_report and not tiles:
        unread = f"its {without_report} slides without a report are found by their metadata and names only"
        warnings.append(f"the archive is not aligned: {unread}")
    return tuple(warnings)


def check_query_spelling(store: SlideTable, prepared: PreparedText, options: SearchOptions) -> Spelling:
    """A query's words as they are searched for; reports are taken as they are."""
    if prepared.is_report:
        return Spelling.take_as_it_is(prepared.text)
    return check_spelling(store, prepared.text, options.verbatim)


def parse_texts(
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


def describe_query(prepared: PreparedText, options: SearchOptions) -> QueryInfo:
    """What was searched with."""
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
