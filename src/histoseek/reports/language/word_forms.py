"""Words of any script in the one form that reports and queries share: evened, without the commonest endings."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from histoseek.reports.language.words import Span, normalise_word

MOST_CHARACTERS = 64
"""Longer runs of letters are not words and are cut off."""

_MARKS = "".join(chr(code) for code in range(0x0300, 0x1B00) if unicodedata.category(chr(code))[0] == "M")
# Scripts that put no blanks between words: Thai to Lao, Myanmar, Khmer, kana, Han, Hangul.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)
_WORD = re.compile(
    rf"(?P<unspaced>[{_UNSPACED}]+)|(?P<sum>\d\+\d(?!\d))|(?P<score>(?<![^\W_])[0-3]\+)|"
    rf"(?P<number>(?<![^\W_])\d{{1,9}}(?:[.,]\d{{1,9}}){{1,2}}(?![^\W_]))|"
    rf"(?P<word>(?:(?![{_UNSPACED}])[^\W_]|[{_MARKS}])+(?:['\u2019][^\W\d_]{{1,2}}\b)?)"
)
_HYPHENS = frozenset("-\u2010\u2011")
_LETTERS_OF_NAME = re.compile(r"[A-Z]{1,4}|ck|cd|ki|her|p")
_NUMBER_OF_NAME = re.compile(r"\d{1,3}[A-Za-z]?")
_ROMAN = {"II": "2", "III": "3", "IV": "4", "VI": "6", "VII": "7", "VIII": "8", "IX": "9"}
_ROMAN_ALONE = {"I": "1", "V": "5"}
_NUMBERED_NOUNS = frozenset(
    ("grade", "stage", "type", "class", "level", "group", "figo", "category", "phase", "pattern")
)
_ENDINGS = re.compile(
    r"(?<=[^\W\d_]{4})(?:ations?|at(?:ed|es|ing|ely|e)|i(?:ons?|vely|ves?|ngly|ngs?|cally|ed|ous|cs?)|ments?|ness|"
    r"ously|ous|ally|als?|edly|ed|ly|e|y)$"
)
_DOUBLE_CONSONANT = re.compile(r"(?<=[^\W\d_]{3})([bdgmnprt])\1$")


def list_word_forms(text: str) -> Iterator[tuple[Span, str]]:
    """Each word's place and form, in order.

    Words are lower case, singular, American, without accents and endings (see `stem`). Parts of a compound are given
    one by one and joined ("non-invasive": "non", "invas", "noninvas"), so are letters and number of a name ("CK 7");
    Roman numerals are digits, "I" and "V" only behind a word that is counted ("grade I"); decimals have a point.
    Writing without blanks gives each letter and each pair of neighbours.
    """
    before: re.Match[str] | None = None
    for match in _WORD.finditer(text):
        if match.lastgroup == "unspaced":
            yield from _list_letter_pairs(match)
            before = None
            continue
        span, raw = Span(*match.span()), match.group()
        yield from _yield_form(span, _normalise_form(raw, before))
        if before is not None and _is_one_word(before, match, text):
            yield from _yield_form(Span(before.start(), match.end()), stem(before.group() + raw))
        before = match


def _yield_form(span: Span, form: str) -> Iterator[tuple[Span, str]]:
    if form:
        yield span, form


def _list_letter_pairs(match: re.Match[str]) -> Iterator[tuple[Span, str]]:
    letters = match.group()
    for index in range(len(letters)):
        start = match.start() + index
        yield from _yield_form(Span(start, start + 1), _fold(letters[index]))
        if index + 1 < len(letters):
            yield from _yield_form(Span(start, start + 2), _fold(letters[index : index + 2]))


def _normalise_form(raw: str, before: re.Match[str] | None) -> str:
    if raw in _ROMAN:
        return _ROMAN[raw]
    if raw in _ROMAN_ALONE and before is not None and normalise_word(before.group()) in _NUMBERED_NOUNS:
        return _ROMAN_ALONE[raw]
    return stem(raw.replace(",", "."))


def _is_one_word(before: re.Match[str], match: re.Match[str], text: str) -> bool:
    """Whether a hyphen alone stands between two words, or they are the letters and the number of a name."""
    gap = text[before.end() : match.start()]
    if gap in _HYPHENS:
        return before.lastgroup == match.lastgroup == "word"
    return (
        gap == " "
        and _LETTERS_OF_NAME.fullmatch(before.group()) is not None
        and _NUMBER_OF_NAME.fullmatch(match.group()) is not None
    )


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """A word without its commonest ending: "invasive" and "invasion" are "invas"."""
    return _DOUBLE_CONSONANT.sub(r"\1", _ENDINGS.sub("", _fold(normalise_word(_fold(word)))))


def _fold(text: str) -> str:
    """Compatible forms made one, lower case, no blanks, of bounded length."""
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())[:MOST_CHARACTERS]
