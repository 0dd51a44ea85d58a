"""Boilerplate by recurrence: sentences that many reports have in common and that state nothing of a specimen."""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter
from collections.abc import Iterable, Sequence

from histoseek.reports.cleaning.furniture import split_pieces
from histoseek.reports.concepts.vocabulary import Vocabulary, load_vocabulary
from histoseek.reports.facts.report_facts import list_values
from histoseek.reports.facts.structured import extract_facts

_MOST_COUNTED = 4000
_FEWEST_REPORTS, _LEAST_SHARE = 20, 0.01
_FEWEST_WORDS = 6
_SENTENCE_ENDS = (".", "!", "?", '."', ".)", ".]")
_STATING = frozenset(("diagnosis", "finding", "organ", "tissue", "laterality"))


def find_boilerplate(texts: Iterable[str], vocabulary: Vocabulary | None = None) -> frozenset[str]:
    """The pieces (`normalise_piece`) that at least 20 different texts, and 1 % of them, have in common.

    Only whole sentences of six words and more that name no diagnosis, finding, tissue or organ and have no value: what
    reports state recurs as well. Of more than 4,000 texts as many are looked at, always the same of the same texts.
    """
    sample = _sample(texts)
    counts = Counter(key for text in sample for key in {key for _, key in split_pieces(text)} if _is_long(key))
    fewest = max(_FEWEST_REPORTS, _LEAST_SHARE * len(sample))
    frequent = {key for key, count in counts.items() if count >= fewest}
    return frozenset(
        key for key, piece in _find_examples(sample, frequent).items() if _states_nothing(piece, vocabulary)
    )


def _sample(texts: Iterable[str]) -> Sequence[str]:
    distinct = dict.fromkeys(texts)
    if len(distinct) <= _MOST_COUNTED:
        return tuple(distinct)
    return heapq.nsmallest(_MOST_COUNTED, distinct, key=lambda text: hashlib.sha256(text.encode()).digest())


def _is_long(key: str) -> bool:
    return key.count(" ") >= _FEWEST_WORDS - 1


def _find_examples(texts: Sequence[str], keys: set[str]) -> dict[str, str]:
    """Each piece as a text writes it: of its forms the first in the order of letters, whatever the order of texts."""
    examples: dict[str, str] = {}
    for text in texts if keys else ():
        for span, key in split_pieces(text):
            if key in keys:
                piece = text[span.start : span.end].strip()
                examples[key] = min(piece, examples.get(key, piece))
    return examples


def _states_nothing(piece: str, vocabulary: Vocabulary | None) -> bool:
    vocabulary = vocabulary or load_vocabulary()
    report = extract_facts(piece, vocabulary)
    kinds = {vocabulary[mention.concept_id].kind for mention in report.mentions}
    stated = kinds & _STATING or report.sizes or any(True for _ in list_values(report))
    return piece.endswith(_SENTENCE_ENDS) and not stated
