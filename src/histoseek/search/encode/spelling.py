"""The spelling of what is typed: words that nobody knows are searched as the nearest word that somebody does."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from histoseek.archive.stores.slides import SlideTable
from histoseek.reports.cleaning.spelling import Dictionary, load_dictionary
from histoseek.reports.concepts.terms import find_terms
from histoseek.reports.concepts.translation import translate
from histoseek.reports.concepts.vocabulary import load_vocabulary
from histoseek.reports.index.analyser import WORD_PREFIX, analyse_query
from histoseek.reports.index.query import change_plain_text, list_plain_words, parse_query
from histoseek.reports.index.query_words import QueryWord
from histoseek.reports.index.record_words import PART, WHOLE, find_code, fold_name, spells_code
from histoseek.reports.language.word_forms import list_word_forms
from histoseek.reports.language.words import Span
from histoseek.search.encode.text import ParsedText

MOST_CHARACTERS = 1000
MOST_SPELLED = 16
"""Different words of a query whose spelling is looked at; longer ones are pasted, not typed."""

_LETTERS = re.compile(r"[^\W\d_]+")
_CHUNK = re.compile(r"\S+")
_DIGIT = re.compile(r"\d")
_SHORTEST = 4
_SHORTEST_SPECIAL = 3
_LONG = 8
_REPORTS_LIKE = 5
_OFTEN = 50


@dataclass(frozen=True, slots=True)
class Spelling:
    """A query as it was typed and as it is searched for; unknown: words that nothing is known of nor like.

    legible: what of the query its words are read from, as the analyser would mend what is to stay as it was typed.
    """

    typed: str
    text: str
    legible: str
    unknown: tuple[str, ...] = ()

    @classmethod
    def take_as_it_is(cls, text: str) -> Spelling:
        """A text that nothing is corrected in."""
        return cls(text, text, text)

    @property
    def correction(self) -> str | None:
        """The corrected query, None where nothing was to be corrected."""
        return self.text if self.text != self.typed else None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to say of the unknown words."""
        return tuple(f"{word}: no report, metadata or name has this word" for word in self.unknown)


def check_spelling(store: SlideTable, query: str, verbatim: bool) -> Spelling:
    """The query with its misspelt words corrected, or as it is; phrases, fields, and names with a digit are exact.

    A word is misspelt that nothing in the archive has, that no dictionary knows, and that is one letter (from eight
    letters on: two) away from a word of the vocabulary, of pathology or of the archive, or that is two of these.
    """
    if len(query) > MOST_CHARACTERS or len(query.split()) > MOST_SPELLED:
        return Spelling.take_as_it_is(query)
    spelling = _correct_words(store, query if verbatim else _translate(store, query), verbatim)
    return replace(spelling, typed=query)


def _correct_words(store: SlideTable, query: str, verbatim: bool) -> Spelling:
    names = [Span(*chunk.span()) for chunk in _CHUNK.finditer(query) if _DIGIT.search(chunk.group())]
    spans = [
        span
        for span in list_plain_words(query)
        if _LETTERS.fullmatch(query, span.start, span.end) and not any(span.overlaps(name) for name in names)
    ]
    words = dict.fromkeys(query[span.start : span.end] for span in spans)
    unknown = tuple(word for word in words if _is_unknown(store, word))
    if verbatim:
        legible = _replace_words(query, spans, dict.fromkeys(unknown, ""))
        return Spelling(query, query, legible if _LETTERS.search(legible) else query, unknown)
    corrections = {word: better for word in unknown if (better := _correct(store, word))}
    text = _replace_words(query, spans, corrections)
    return Spelling(query, text, text, tuple(word for word in unknown if word not in corrections))


def _translate(store: SlideTable, query: str) -> str:
    """The query in English outside phrases, fields and exclusions, but for words that reports have as they are."""

    def is_reported(word: str) -> bool:
        return _list_tokens(word) != _list_tokens(translate(word)) and bool(_count_reports(store, word, 1))

    return change_plain_text(query, lambda text: translate(text, is_reported))


def parse_spelled(store: SlideTable, spelling: Spelling, expand: bool) -> ParsedText:
    """The query as it is searched for; raises InputError for a field or a value that can't be."""
    parsed = ParsedText.from_query(store, spelling.legible, expand)
    return replace(parsed, text=parse_query(spelling.text).plain_text or spelling.text)


def speaks_of_pathology(store: SlideTable, word: QueryWord) -> bool:
    """Whether a word of a query is no everyday one: a term of pathology, or a word that only the archive knows."""
    plain = word.text.lower()
    dictionary = _get_dictionary()
    stated = [token for token, part in word.tokens.items() if ":" in token and part >= 1]
    is_side = bool(stated) and all(token.startswith("laterality:") for token in stated)
    if not is_side and (stated or plain in dictionary.terms):
        return True
    is_mixed = bool(_LETTERS.search(plain) and _DIGIT.search(plain))
    if not is_mixed and (len(plain) < _SHORTEST_SPECIAL or not _LETTERS.search(plain) or dictionary.knows(plain)):
        return False
    return store.record_knows(_list_tokens(plain)) or bool(_count_reports(store, plain, 1))


def is_everyday(word: QueryWord) -> bool:
    """Whether a word of a query is common English and part of no term: it may stand in any sentence."""
    is_stated = any(":" in token and part >= 1 for token, part in word.tokens.items())
    return word.text.lower() in _get_dictionary().common and not is_stated


def _replace_words(query: str, spans: Iterable[Span], replacements: Mapping[str, str]) -> str:
    parts, end = [], 0
    for span in spans:
        word = query[span.start : span.end]
        parts += [query[end : span.start], replacements.get(word, word)]
        end = span.end
    return "".join((*parts, query[end:]))


def _is_unknown(store: SlideTable, word: str) -> bool:
    """Whether neither common English, the vocabulary nor anything in the archive knows a word, or a code.

    What only binds others is known.
    """
    dictionary, lower = _get_dictionary(), word.lower()
    is_usual = dictionary.knows(lower) and lower not in dictionary.rare
    if len(word) < _SHORTEST or is_usual or not analyse_query(word, load_vocabulary()) or find_terms(word):
        return False
    if (spells_code(word) and find_code(word)) or store.record_knows(
        [*_list_tokens(word), WHOLE + fold_name(word), PART + fold_name(word)]
    ):
        return False
    return not _count_reports(store, word, 1)


def _count_reports(store: SlideTable, word: str, most: int) -> int:
    """How many reports have a word, whatever they say of it, at most so many."""
    return store.count_reports(dict.fromkeys(_list_tokens(word), 1.0), most)


def _list_tokens(word: str) -> list[str]:
    return [prefix + form for _, form in list_word_forms(word) for prefix in WORD_PREFIX.values()]


def _correct(store: SlideTable, word: str) -> str | None:
    """The nearest word; of several what the archive has, then terms, then the most frequent; else the words in it.

    A rare word of English is only taken for a term that is one letter away ("prostrate").
    """
    from rapidfuzz.distance import OSA
    from rapidfuzz.process import cdist

    dictionary, lower = _get_dictionary(), word.lower()
    is_rare = lower in dictionary.rare
    most = 2 if len(word) >= _LONG and not is_rare else 1
    lengths = range(len(word) - most, len(word) + most + 1)
    archive_words = set() if is_rare else _list_archive_words(store, word)
    candidates = (
        *(term for length in lengths for term in _list_terms(dictionary).get(length, ())),
        *(other for other in archive_words if len(other) in lengths),
    )
    distances = cdist([lower], candidates, scorer=OSA.distance, score_cutoff=most)[0].tolist() if candidates else []
    near = {other: distance for other, distance in zip(candidates, distances, strict=True) if distance <= most}

    def rank(other: str) -> tuple[int, bool, bool, int, str]:
        reports = _count_reports(store, other, _OFTEN)
        is_absent = not reports and not store.record_knows(_list_tokens(other))
        return near[other], is_absent, other not in dictionary.terms, -reports, other

    return min(near, key=rank, default=None) or " ".join(dictionary.separate(word.lower())) or None


@lru_cache(maxsize=2)
def _list_terms(dictionary: Dictionary) -> Mapping[int, Sequence[str]]:
    """Terms that a misspelt word may have been, by their lengths."""
    terms: defaultdict[int, list[str]] = defaultdict(list)
    for term in dictionary.terms:
        if term.islower() and len(term) >= _SHORTEST:
            terms[len(term)].append(term)
    return terms


def _list_archive_words(store: SlideTable, word: str) -> set[str]:
    """Words of metadata, and of some reports that have one almost like a word."""
    form = next((form for _, form in list_word_forms(word)), word)
    texts = (*store.like_words(form, _REPORTS_LIKE), *store.metadata_texts)
    return {other for text in texts for other in _LETTERS.findall(text.lower())}


def _get_dictionary() -> Dictionary:
    return load_dictionary(load_vocabulary().spellings)
