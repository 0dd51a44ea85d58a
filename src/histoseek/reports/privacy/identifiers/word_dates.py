"""Dates in words ("the third of May 2019", "le trois mai") and with the month in Roman numerals ("3.V.2019")."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from histoseek.reports.privacy.identifiers.identifier_kinds import Identifier, IdentifierKind
from histoseek.reports.privacy.identifiers.languages import load_languages
from histoseek.reports.privacy.identifiers.lexicon import fold
from histoseek.reports.privacy.identifiers.name_tokens import NameToken, find_gap, tokenise

_YEAR = r"(?:19|20)\d{2}"
_ROMAN = re.compile(
    r"(?<![\w.,/-])(?:0?[1-9]|[12]\d|3[01])(?P<gap>[ ]?[./-][ ]?|[ ])(?:XI{0,2}|IX|IV|V?I{1,3}|V)(?P=gap)"
    rf"{_YEAR}(?![\w/]|[.,-]\d)"
    rf"|(?<![\w.,/-])\d{{1,2}}(?P<mark>[./-])(?:xi{{0,2}}|ix|iv|v?i{{1,3}}|v)(?P=mark){_YEAR}(?![\w/]|[.,-]\d)"
)
_YEAR_DIGITS = re.compile(_YEAR)
_DAY = re.compile(r"0?[1-9]|[12]\d|3[01]")
_ENGLISH_LINK = "of"
_VERBS = frozenset(("may", "march"))
_LONGEST_DAY = 3
_LONGEST_YEAR = 7
_SHORT_MONTHS = frozenset(("may", "mai", "mei", "maj", "maí"))


@dataclass(frozen=True, slots=True)
class _DateWords:
    """The folded words of dates in one language; a day may be of several words."""

    months: frozenset[str]
    days: frozenset[tuple[str, ...]]
    links: frozenset[str]
    years: frozenset[str]


def find_word_dates(text: str, tokens: list[NameToken]) -> Iterator[Identifier]:
    """Dates whose day is a word, and those with a Roman month, which need their year."""
    by_month = _index_months()
    for at, token in enumerate(tokens):
        for words in by_month.get(token.plain, ()):
            span = _read_date(text, tokens, at, words)
            if span:
                yield Identifier(*span, IdentifierKind.DATE)
    for match in _ROMAN.finditer(text):
        yield Identifier(match.start(), match.end(), IdentifierKind.DATE)


def _read_date(text: str, tokens: list[NameToken], at: int, words: _DateWords) -> tuple[int, int] | None:
    """The range of the date whose month is token `at`: with the day before it, in English also behind it."""
    first = _find_day_before(text, tokens, at, words)
    if first < at:
        end = _find_year_end(text, tokens, at + 1, words)
        is_certain = tokens[at - 1].plain in words.links or end > at + 1
        return (tokens[first].start, tokens[end - 1].end) if _is_month(tokens[at], is_certain) else None
    return _read_english_date(text, tokens, at, words) if _ENGLISH_LINK in words.links else None


def _read_english_date(text: str, tokens: list[NameToken], at: int, words: _DateWords) -> tuple[int, int] | None:
    """ "May third", "May the third, 2019"."""
    day = at + 2 if tokens[at + 1 : at + 2] and tokens[at + 1].plain == "the" else at + 1
    if day >= len(tokens) or (tokens[day].plain,) not in words.days or not _is_blank(text, tokens, day):
        return None
    behind = tokens[day + 1].plain if day + 1 < len(tokens) else ""
    if not tokens[at].word[0].isupper() or behind in {"of", "to"} or not _is_blank(text, tokens, at + 1):
        return None
    return tokens[at].start, tokens[_find_year_end(text, tokens, day + 1, words) - 1].end


def _find_day_before(text: str, tokens: list[NameToken], at: int, words: _DateWords) -> int:
    """First token of the day before token `at`, or `at` when there is none."""
    if at == 0 or not _is_blank(text, tokens, at):
        return at
    end = at - 1 if tokens[at - 1].plain in words.links else at
    if end and _DAY.fullmatch(tokens[end - 1].plain) and _is_blank(text, tokens, end):
        return end - 1
    for length in range(min(_LONGEST_DAY, end), 0, -1):
        first = end - length
        if tuple(token.plain for token in tokens[first:end]) in words.days and all(
            _is_blank(text, tokens, index) for index in range(first + 1, at)
        ):
            return first
    return at


def _find_year_end(text: str, tokens: list[NameToken], at: int, words: _DateWords) -> int:
    """The end of the year that follows, in digits or words; `at` when there is none."""
    start = at + 1 if at < len(tokens) and tokens[at].plain in {"de", "del"} else at
    if start < len(tokens) and re.fullmatch(r",?\s{1,2}", find_gap(text, tokens, start)):
        if _YEAR_DIGITS.fullmatch(tokens[start].word):
            return start + 1
        end = start
        while end < min(len(tokens), start + _LONGEST_YEAR) and all(
            part in words.years for part in tokens[end].plain.split("-")
        ):
            end += 1
        return end if end > start else at
    return at


def _is_blank(text: str, tokens: list[NameToken], index: int) -> bool:
    return bool(re.fullmatch(r"\s{1,2}", find_gap(text, tokens, index)))


def _is_month(token: NameToken, is_certain: bool) -> bool:
    """Whether the English "may" and "march" are months: with a capital of their own, or with "of" or a year."""
    return token.plain not in _VERBS or is_certain or (token.is_capitalised and not token.is_all_caps)


@lru_cache(maxsize=1)
def _index_months() -> dict[str, list[_DateWords]]:
    by_month: dict[str, list[_DateWords]] = {}
    for language in load_languages().values():
        dates = language["dates"]
        months = [month for month in dates["months"] if len(month) > 3 or month in _SHORT_MONTHS]
        said = dates.get("days", [])
        days = frozenset(
            tuple(token.plain for token in tokenise(day)) for day in (*said, *(day.replace("-", " ") for day in said))
        )
        words = _DateWords(_fold(months), days, _fold(dates.get("links", ())), _fold(dates.get("years", ())))
        for month in words.months:
            by_month.setdefault(month, []).append(words)
    return by_month


def _fold(words: Iterable[str]) -> frozenset[str]:
    return frozenset(map(fold, words))
