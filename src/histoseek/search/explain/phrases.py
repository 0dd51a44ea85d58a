"""Which parts of a report a text speaks of: sentences of like meaning, and the text's own words and terms."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.stores.slides import SlideTable
from histoseek.reports.index.analyser import analyse_as_reported, find_spans, join_places
from histoseek.reports.language.sentences import Sentence, split_sentences
from histoseek.reports.language.words import Span
from histoseek.search.explain.matches import MOST_READ
from histoseek.search.explanation import Phrase
from histoseek.search.results import SearchResult

SENTENCES_SHOWN = 3
MOST_SENTENCES = 20
"""Sentences that are read with the text encoder for all results together: half of what a search may take."""

SENTENCE_CHARACTERS = 200
"""Of a longer sentence, mostly the rows of a form that a scanner joined, the beginning is read."""

MOST_WORDS = 32
"""Different words of a text that are sought one by one; all those of a whole report would mark most of any other."""

_WORDS_OF_REPORTS = 4 * MOST_WORDS
"""With so many, a text need not be read to know that it has more than MOST_WORDS."""

_ROUNDING = 1e-9

Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A sentence of the report of a result, by its number."""

    result: int
    sentence: Sentence


def add_phrases(
    archive: ArchiveFolder,
    results: Sequence[SearchResult],
    text: str,
    vector: Vector | None,
    store: SlideTable | None = None,
    least: float = 0.0,
) -> tuple[SearchResult, ...]:
    """The results with what in their reports fits the text; only the first MOST_READ are read.

    vector: the text's, float32 [T], None without a text encoder; then there are words alone. Of each report up to
    SENTENCES_SHOWN sentences that are nearer to the text than its sentences are on the average, with a cosine of at
    least `least`. Of all reports together MOST_SENTENCES are read, as many of each, those with the text's words first.
    Words and terms are compared as search for words does, so that what a report denies is no word of a text that asks
    for it; those of texts of more than MOST_WORDS words are not sought. Phrases are in the order of the report. store:
    where the results' records are from, None where they are made; it knows where a report has which words, so that
    none is read anew.
    """
    read = results[:MOST_READ]
    reports = [result.record.report or "" for result in read]
    tokens = _tokens(text)
    known = store.places([result.slide_id for result in read], tokens) if store and tokens else {}
    words = [
        _find_words(report, tokens, known.get(result.slide_id)) for result, report in zip(read, reports, strict=True)
    ]
    meanings = [()] * len(read) if vector is None else _nearest_sentences(archive, reports, words, vector, least)
    marked = (
        replace(result, phrases=_sort([*meaning, *(Phrase(span.start, span.end, 1.0, "words") for span in matched)]))
        for result, meaning, matched in zip(read, meanings, words, strict=True)
    )
    return (*marked, *results[MOST_READ:])


def _find_words(report: str, tokens: frozenset[str], places: list[tuple[int, int]] | None) -> Sequence[Span]:
    if places is not None:
        return join_places(places)
    return find_spans(report, tokens) if tokens else ()


def _tokens(text: str) -> frozenset[str]:
    """The text's own words and terms as search for words compares them; none for a long text."""
    if len(set(text.lower().split())) > _WORDS_OF_REPORTS:
        return frozenset()
    terms = [term for term in analyse_as_reported(text) if term.kind != "broader"]
    if len({term.token for term in terms if term.kind == "word"}) > MOST_WORDS:
        return frozenset()
    return frozenset(term.token for term in terms)


def _sort(phrases: Sequence[Phrase]) -> tuple[Phrase, ...]:
    return tuple(sorted(phrases, key=lambda phrase: (phrase.start, -phrase.end)))


def _nearest_sentences(
    archive: ArchiveFolder, reports: Sequence[str], words: Sequence[Sequence[Span]], vector: Vector, least: float
) -> Sequence[Sequence[Phrase]]:
    """For each report its sentences that are nearest to a vector, their cosines at least `least`."""
    share = MOST_SENTENCES // max(1, len(reports))
    candidates = [
        _Candidate(result, sentence)
        for result, (report, matched) in enumerate(zip(reports, words, strict=True))
        for sentence in _readable_sentences(report, matched)[:share]
    ]
    texts = list(dict.fromkeys(_begin(candidate.sentence) for candidate in candidates))
    if not texts:
        return [()] * len(reports)
    cosines = dict(zip(texts, (archive.language.sentences(texts) @ vector).tolist(), strict=True))
    return [
        _nearest([(c.sentence, cosines[_begin(c.sentence)]) for c in candidates if c.result == result], least)
        for result in range(len(reports))
    ]


def _readable_sentences(report: str, words: Sequence[Span]) -> Sequence[Sentence]:
    """The report's sentences, those with most of the words first; headings and lone words are no sentences."""
    readable = [
        sentence for sentence in split_sentences(report) if " " in sentence.text and not sentence.text.endswith(":")
    ]
    starts, ends = [word.start for word in words], [word.end for word in words]
    counts = [bisect_left(starts, sentence.end) - bisect_right(ends, sentence.start) for sentence in readable]
    return [readable[place] for place in sorted(range(len(readable)), key=lambda place: -counts[place])]


def _begin(sentence: Sentence) -> str:
    return sentence.text[:SENTENCE_CHARACTERS]


def _nearest(scored: Sequence[tuple[Sentence, float]], least: float) -> Sequence[Phrase]:
    """The few of largest cosine, none below their mean or `least`."""
    if not scored:
        return ()
    mean = sum(cosine for _, cosine in scored) / len(scored)
    best = sorted(scored, key=lambda pair: -pair[1])[:SENTENCES_SHOWN]
    least = max(mean - _ROUNDING, least, 0)
    return [Phrase(sentence.start, sentence.end, cosine, "meaning") for sentence, cosine in best if cosine >= least]
