"""Which parts of a report a text speaks of: sentences of like meaning, and the text's own words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.archive import Archive
from histoseek.reports.sentences import Sentence, sentences
from histoseek.search.explain import MOST_READ
from histoseek.search.explanation import Phrase
from histoseek.search.results import SearchResult
from histoseek.search.stems import stemmed_words, stems

SENTENCES_SHOWN = 3
MOST_SENTENCES = 96
"""Sentences that are read with the text encoder for all results together: half a second on two processor cores."""

MOST_WORDS = 32
"""Different words of a text that are sought one by one; all those of a whole report would mark most of any other."""

_LEAST_WORDS = 2
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
    MOST_SENTENCES are read, as many of each, those with the text's words first. Words are compared by their stems;
    those of texts of more than MOST_WORDS words are not sought. Phrases are in the order of the report.
    """
    read = results[:MOST_READ]
    wanted = stems(text)
    words = [_words(result.record.report or "", wanted) for result in read]
    meant = _meant(archive, read, wanted, vector) if vector is not None else [()] * len(read)
    told = (
        replace(result, phrases=tuple(sorted((*own, *of_words), key=lambda one: (one.start, -one.end))))
        for result, own, of_words in zip(read, meant, words, strict=True)
    )
    return (*told, *results[MOST_READ:])


def _words(report: str, wanted: frozenset[str]) -> Sequence[Phrase]:
    if len(wanted) > MOST_WORDS:
        return ()
    return [Phrase(span.start, span.end, 1.0, "words") for span, stem in stemmed_words(report) if stem in wanted]


def _meant(
    archive: Archive, results: Sequence[SearchResult], wanted: frozenset[str], vector: Vector
) -> Sequence[Sequence[Phrase]]:
    """For each result the sentences of its report that are nearest to a vector."""
    share = MOST_SENTENCES // max(1, len(results))
    asked = [
        _Candidate(owner, sentence)
        for owner, result in enumerate(results)
        for sentence in _readable(result.record.report or "", wanted)[:share]
    ]
    texts = list(dict.fromkeys(one.sentence.text for one in asked))
    if not texts:
        return [()] * len(results)
    cosines = dict(zip(texts, (archive.language.encoder.encode(texts) @ vector).tolist(), strict=True))
    return [
        _nearest([(one.sentence, cosines[one.sentence.text]) for one in asked if one.owner == owner])
        for owner in range(len(results))
    ]


def _readable(report: str, wanted: frozenset[str]) -> Sequence[Sentence]:
    """The report's sentences, those with wanted words first; headings and lone words are no sentences."""
    found = [(one, [stem for _, stem in stemmed_words(one.text)]) for one in sentences(report)]
    kept = [(one, own) for one, own in found if len(own) >= _LEAST_WORDS]
    kept.sort(key=lambda pair: -len(wanted.intersection(pair[1])))
    return [one for one, _ in kept]


def _nearest(scored: Sequence[tuple[Sentence, float]]) -> Sequence[Phrase]:
    """The few of largest cosine, none below their mean or 0."""
    if not scored:
        return ()
    mean = sum(cosine for _, cosine in scored) / len(scored)
    best = sorted(scored, key=lambda pair: -pair[1])[:SENTENCES_SHOWN]
    return [Phrase(one.start, one.end, cosine, "meaning") for one, cosine in best if cosine >= max(mean - _ROUNDING, 0)]
