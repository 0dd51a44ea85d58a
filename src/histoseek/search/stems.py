"""Words of a text in the form that search for words compares, roughly: the index has a stemmer of its own."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from histoseek.reports.words import Span

_WORD = re.compile(r"[^\W_]+")
_STOP_WORDS = frozenset(
    (
        *("a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is", "it", "no", "not"),
        *("of", "on", "or", "such", "that", "the", "their", "then", "there", "these", "they", "this", "to", "was"),
        *("will", "with"),
    )
)
_ENDINGS = re.compile(
    r"(?<=[^\W\d_]{3})(?:ations?|at(?:ed|es|ing|ely|e)|i(?:ons?|ves?|vely|ng|ngly|ngs|cally|es|ed|ous|c)|"
    r"ments?|ness(?:es)?|ously|ous|ally|als?|edly|ed|es|ly|(?<![su])s|e|y)$"
)
_DOUBLED = re.compile(r"([bdfgmnprt])\1$")


def stems(text: str) -> frozenset[str]:
    """The stems of a text's words, without those that are in every text ("of", "with")."""
    return frozenset(stem for _, stem in stemmed_words(text))


def stemmed_words(text: str) -> Iterator[tuple[Span, str]]:
    """The places of a text's words and their stems, without those that are in every text."""
    for match in _WORD.finditer(text):
        word = match.group().casefold()
        if word not in _STOP_WORDS:
            yield Span(match.start(), match.end()), _stem(word)


@lru_cache(maxsize=16384)
def _stem(word: str) -> str:
    """Without accents and the commonest endings: "glands" is "gland", "invasive" and "invasion" are "invas"."""
    plain = "".join(one for one in unicodedata.normalize("NFKD", word) if not unicodedata.combining(one))
    return _DOUBLED.sub(r"\1", _ENDINGS.sub("", plain, count=1))
