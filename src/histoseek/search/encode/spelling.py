"""The spelling of what is typed: words that nobody knows are searched as the nearest word that somebody does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rapidfuzz.distance import OSA

from histoseek.archive.stores.slides import SlideTable
from histoseek.reports.concepts.terms import find_terms
from histoseek.reports.concepts.vocabulary import load_vocabulary
from histoseek.reports.index.analyser import WORD_PREFIX, analyse
from histoseek.reports.index.query import list_plain_words

MOST_CHARACTERS = 1000
MOST_SPELLED = 16
"""Different words of a query whose spelling is looked at; longer ones are pasted, not typed."""

_LETTERS = re.compile(r"[^\W\d_]+")
_SHORTEST = 4
_LONG = 8
_REPORTS_LIKE = 5
_OFTEN = 50


@dataclass(frozen=True, slots=True)
class Spelling:
    """A query as it was typed, as it is searched for, and its words that nothing is known of nor like."""

    typed: str
    text: str
    unknown: tuple[str, ...] = ()

    @classmethod
    def take_as_it_is(cls, text: str) -> Spelling:
        """A text that nothing is corrected in."""
        return cls(text, text)

    @property
    def correction(self) -> str | None:
        """The corrected query, None where nothing was to be corrected."""
        return self.text if self.text != self.typed else None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to say of the unknown words."""
        return tuple(f"{word}: no report has this word" for word in self.unknown)


def check_spelling(store: SlideTable, query: str, verbatim: bool) -> Spelling:
    """The query with its misspelt words corrected, or as it is; phrases and fields are exact anyway.

    A word is misspelt that no report has, that no dictionary knows, and that is one letter (from eight letters on: two)
    away from a word of the vocabulary or of a report.
    """
    if len(query) > MOST_CHARACTERS:
        return Spelling.take_as_it_is(query)
    words: dict[str, None] = {}
    spans = [span for span in list_plain_words(query) if _LETTERS.fullmatch(query, span.start, span.end)]
    for span in spans:
        word = query[span.start : span.end]
        if word not in words and len(words) == MOST_SPELLED:
            return Spelling.take_as_it_is(query)
        words.setdefault(word, None)
    unknown = [word for word in words if len(word) >= _SHORTEST and not _is_known(store, word)]
    corrections = {} if verbatim else {word: better for word in unknown if (better := _correct(store, word))}
    parts, end = [], 0
    for span in spans:
        word = query[span.start : span.end]
        parts += [query[end : span.start], corrections.get(word, word)]
        end = span.end
    return Spelling(query, "".join((*parts, query[end:])), tuple(word for word in unknown if word not in corrections))


def _is_known(store: SlideTable, word: str) -> bool:
    """Whether a word says something that is looked for, in a report, the vocabulary or English; or nothing at all."""
    terms = analyse(word)
    forms = [term.token for term in terms if term.kind == "word"]
    if not forms or any(term.kind != "word" for term in terms) or find_terms(word) or word.lower() in _list_terms():
        return True
    return _count_reports(store, forms, 1) > 0


def _count_reports(store: SlideTable, forms: list[str], most: int) -> int:
    tokens = {prefix + form: 1.0 for form in forms for prefix in WORD_PREFIX.values()}
    return len(store.text(tokens, most, None))


def _correct(store: SlideTable, word: str) -> str | None:
    """The nearest word, of the vocabulary before others, and of those the most frequent."""
    most = 2 if len(word) >= _LONG else 1
    terms = _list_terms()
    near = sorted({*_list_near(word, terms, most), *_list_near(word, _list_archive_words(store, word), most)})
    if not near:
        return None

    def rank(candidate: str) -> tuple[int, bool, int, str]:
        forms = [term.token for term in analyse(candidate) if term.kind == "word"]
        frequency = _count_reports(store, forms, _OFTEN) if forms else 0
        return OSA.distance(word.lower(), candidate), candidate not in terms, -frequency, candidate

    return min(near, key=rank)


def _list_near(word: str, candidates: frozenset[str], most: int) -> Iterator[str]:
    lower = word.lower()
    near = (other for other in candidates if abs(len(other) - len(lower)) <= most)
    return (other for other in near if OSA.distance(lower, other, score_cutoff=most) <= most)


def _list_archive_words(store: SlideTable, word: str) -> frozenset[str]:
    """Words of some reports that have one almost like a word."""
    form = next((term.token for term in analyse(word) if term.kind == "word"), word)
    return frozenset(
        other for report in store.like_words(form, _REPORTS_LIKE) for other in _LETTERS.findall(report.lower())
    )


def _list_terms() -> frozenset[str]:
    """The words of the vocabulary, abbreviations left out: everything is one letter away from some."""
    return frozenset(word for word in load_vocabulary().spellings if word.islower() and len(word) >= _SHORTEST)
