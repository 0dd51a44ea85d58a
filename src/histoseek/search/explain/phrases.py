"""Which parts of a report a text speaks of: sentences of like meaning, and the text's own words and terms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.folder import Archive
from histoseek.reports.index.analyser import analyse, find_spans
from histoseek.reports.language.sentences import Sentence, split_sentences
from histoseek.reports.language.words import Span
from histoseek.search.explain.matches import MOST_READ
from histoseek.search.explanation import Phrase
from histoseek.search.results import SearchResult

SENTENCES_SHOWN = 3
MOST_SENTENCES = 60
"""Sentences that are read with the text encoder for all results together; takes a third of a second on two cores."""

MOST_WORDS = 32
"""Different words of a text that are sought one by one; all those of a whole report would mark most of any other."""

_ROUNDING = 1e-9

Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A sentence of the report of result number `owner`."""

    owner: int
    sentence: Sentence


def with_phrases(
    archive: Archive, results: Sequence[SearchResult], text: str, vector: Vector | None
) -> tuple[SearchResult, ...]:
    """The results with what in their reports fits the text; only the first MOST_READ are read.

    vector: the text's, float32 [T], None without a text encoder; then there are words alone. Of each report up to
    SENTENCES_SHOWN sentences that are nearer to the text than its sentences are on the average. Of all reports together
    MOST_SENTENCES are read, as many of each, those with the text's words first. Words and terms are compared as
    search for words does, so that what a report denies is no word of a text that asks for it; those of texts of more
    than MOST_WORDS words are not sought. Phrases are in the order of the report.
    """
    read = results[:MOST_READ]
    reports = [result.record.report or "" for result in read]
    wanted = _tokens(text)
    words = [find_spans(report, wanted) if wanted else () for report in reports]
    meant = _meant(archive, reports, words, vector) if vector is not None else [()] * len(read)
    told = (
        replace(result, phrases=_in_order([*own, *(Phrase(one.start, one.end, 1.0, "words") for one in found)]))
        for result, own, found in zip(read, meant, words, strict=True)
    )
    return (*told, *results[MOST_READ:])


def _tokens(text: str) -> frozenset[str]:
    """The text's own words and terms as search for words compares them; none for a long text."""
    terms = [term for term in analyse(text) if term.kind != "broader"]
    if len({term.token for term in terms if term.kind == "word"}) > MOST_WORDS:
        return frozenset()
    return frozenset(term.token for term in terms)


def _in_order(phrases: Sequence[Phrase]) -> tuple[Phrase, ...]:
    return tuple(sorted(phrases, key=lambda one: (one.start, -one.end)))


def _meant(
    archive: Archive, reports: Sequence[str], words: Sequence[Sequence[Span]], vector: Vector
) -> Sequence[Sequence[Phrase]]:
    """For each report its sentences that are nearest to a vector."""
    share = MOST_SENTENCES // max(1, len(reports))
    asked = [
        _Candidate(owner, sentence)
        for owner, (report, found) in enumerate(zip(reports, words, strict=True))
        for sentence in _readable(report, found)[:share]
    ]
    texts = list(dict.fromkeys(one.sentence.text for one in asked))
    if not texts:
        return [()] * len(reports)
    cosines = dict(zip(texts, (archive.language.sentences(texts) @ vector).tolist(), strict=True))
    return [
        _nearest([(one.sentence, cosines[one.sentence.text]) for one in asked if one.owner == owner])
        for owner in range(len(reports))
    ]


def _readable(report: str, words: Sequence[Span]) -> Sequence[Sentence]:
    """The report's sentences, those with most of the words first; headings and lone words are no sentences."""
    found = [one for one in split_sentences(report) if " " in one.text and not one.text.endswith(":")]
    held = [sum(Span(one.start, one.end).overlaps(word) for word in words) for one in found]
    return [found[place] for place in sorted(range(len(found)), key=lambda place: -held[place])]


def _nearest(scored: Sequence[tuple[Sentence, float]]) -> Sequence[Phrase]:
    """The few of largest cosine, none below their mean or 0."""
    if not scored:
        return ()
    mean = sum(cosine for _, cosine in scored) / len(scored)
    best = sorted(scored, key=lambda pair: -pair[1])[:SENTENCES_SHOWN]
    return [Phrase(one.start, one.end, cosine, "meaning") for one, cosine in best if cosine >= max(mean - _ROUNDING, 0)]
