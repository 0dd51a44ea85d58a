"""Dates in the layouts of reports; a year alone is kept, as HIPAA Safe Harbor allows (45 CFR 164.514(b)(2)(i)(C))."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from histoseek.reports.privacy.identifiers.identifier_kinds import Identifier, IdentifierKind
from histoseek.reports.privacy.identifiers.labels import Label
from histoseek.reports.privacy.identifiers.languages import list_phrases, load_languages
from histoseek.reports.privacy.identifiers.lexicon import fold
from histoseek.reports.privacy.identifiers.name_tokens import NameToken

_MONTHS = list_phrases("dates", "months")
# Words of their own: taken for months only with a capital.
_AMBIGUOUS = frozenset(("may", "mar", "mars", "march", "dec", "sep", "jan", "ago", "ene", "abr", "avr"))
_MONTH = "(?:" + "|".join(sorted(map(re.escape, _MONTHS), key=len, reverse=True)) + r")\b\.?"
_ENGLISH_MONTH = "(?:" + "|".join(sorted(load_languages()["en"]["dates"]["months"], key=len, reverse=True)) + r")\b\.?"
"""Only English puts the day behind the month."""
_YEAR = r"(?:19|20)\d{2}"
_TIME = (
    r"(?:(?:,|\s+at|\s+um|\s+à|\s+om|T)?\s{0,2}\d{1,2}[:.h]\d{2}(?::\d{2})?"
    r"(?:\s?(?i:[ap]\.?m)\b\.?)?(?:\s?(?:Uhr|hrs?|EST|EDT|UTC)\b)?Z?)?"
)
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_ORDINAL = r"(?:st|nd|rd|th|\.|er|º|ª)?"
_OF = r"(?:\s{1,2}(?:of|de|del|di)\s{1,2}|[\s-]{0,3})"
_YEAR_AFTER = (
    rf"(?:(?:\s{{1,2}}de|\s{{1,2}}del)?[,.\s-]{{0,3}}(?:{_YEAR}|'?\d{{2}}(?=\W|$))(?!\d|[.,]\d|\s?(?:mm|cm|x|%)\b))"
)
_DAY_MONTH = re.compile(
    rf"(?<![\w.,/+-]){_DAY}{_ORDINAL}{_OF}(?P<month>{_MONTH}){_YEAR_AFTER}?(?![^\W\d_]){_TIME}", re.IGNORECASE
)
_MONTH_DAY = re.compile(
    rf"(?<!\w)(?P<month>{_ENGLISH_MONTH})[\s-]{{0,2}}{_DAY}(?:st|nd|rd|th)?(?![\w%]|[.,/]\d)(?:[,.\s-]{{1,3}}{_YEAR}"
    rf"(?!\d))?{_TIME}",
    re.IGNORECASE,
)
_MONTH_YEAR = re.compile(rf"(?<!\w)(?P<month>{_MONTH})(?:\s(?:of|de|del))?[,/\s-]{{1,2}}'?{_YEAR}(?!\d)", re.IGNORECASE)
_WORD_BEFORE_NUMBER = re.compile(r"(?<!\w)([^\W\d_]{3,14})(?=\.?(?:\s(?:of|de|del))?[,/\s-]{0,2}'?\d)")
_MONTH_WORDS = frozenset(_MONTHS)
# A scan shows 0 and 1 as letters.
_DIGIT = "[0-9OolI]"
_NUMERIC = re.compile(
    rf"(?<![\w/.-])(?P<a>{_DIGIT}{{1,4}})(?P<gap>\s?[/.-]\s?)(?P<b>{_DIGIT}{{1,2}})(?P=gap)(?P<c>{_DIGIT}{{4}}|"
    rf"{_DIGIT}{{2}})"
    rf"(?!\w|[/.-]\d|\s?(?:mm|cm|x)\b)"
    rf"{_TIME}"
)
_ISO_TIME = re.compile(
    rf"(?<![\w/.-]){_YEAR}-\d{{2}}-\d{{2}}T\d{{2}}:\d{{2}}(?::\d{{2}}(?:\.\d{{1,6}})?)?(?:Z|[+-]\d{{2}}:?\d{{2}})?"
)
_COMPACT = re.compile(
    r"(?<![\w.,-])(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[0-2]\d[0-5]\d(?:[0-5]\d)?)?(?![\w]|[.,]\d)"
)
_MONTH_NUMBER_YEAR = re.compile(rf"(?<![\w/.,-])(?:0?[1-9]|1[0-2])[/.-]{_YEAR}(?![\w/-]|[.,]\d)")
_CHINESE = re.compile(
    r"(?:\d{4}|[〇零一二三四五六七八九]{4})\s?[年년]\s?[\d一二三四五六七八九十]{1,3}\s?[月월]"
    r"(?:\s?[\d一二三四五六七八九十]{1,3}\s?[日号號일])?"
)
_CHINESE_DAY = re.compile(r"(?<!\d)\d{1,2}\s?[月월]\s?\d{1,2}\s?[日号號일]")
_PARTIAL = re.compile(
    r"[ \t:.|=]{1,6}(\d{1,2}[/.-]\d{1,2}\.?)(?![\w/+-]|\.?\d|\s?(?:(?:mm|cm|x|lymph|nodes?|cores?)\b|%))"
)
# Labels that are a letter or a small word stand before blocks and counts too ("D 12-13", "on 3-4 levels").
_SHORT_LABELS = frozenset(("b", "d", "t", "on", "since", "le", "el", "il", "am", "vom", "du", "del", "em", "den", "in"))
_SHORT_PARTIAL = re.compile(
    r"(?:[ ]?[:|=][ ]?|[ ])(\d{1,2}[/.]\d{1,2}\.?)(?![\w/+-]|\.?\d)"
    r"(?=\s{0,3}(?:[,;:)\n]|\.?$|\.\s)|[ ](?:at|um|à|a las|alle|kl|"
    r"klo|om|and|und|et|y|e|en|och|og|the|he|she|we|for|with|by|was|were|wurden?|erfolgte)\b)"
)
_BIRTH_YEAR = re.compile(rf"[\s:.|=]{{1,6}}(?:in\s|im\sJahr\s|en\s)?({_YEAR})(?![\w/.-]\d|\d)")
_BIRTH_LABELS = frozenset(
    map(
        fold,
        (
            "dob",
            "d o b",
            "date of birth",
            "birth date",
            "birthdate",
            "born",
            "geb",
            "geboren",
            "geburtsdatum",
            "geboortedatum",
            "nato",
            "nata",
            "nato il",
            "nata il",
            "née",
            "né",
            "date de naissance",
            "fecha de nacimiento",
            "nacimiento",
            "data di nascita",
            "data de nascimento",
            "født",
            "född",
            "fædd",
            "fæddur",
            "syntynyt",
            "syntymäaika",
        ),
    )
)
_BORN = re.compile(r"(?<=\()(?:b\.|born|geb\.|\*)[ ]?((?:19|20)\d{2})(?=\))")
_LINE_START = re.compile(
    r"^\s{0,3}((?:0[1-9]|[12]\d|3[01])(?:[-/](?:0[1-9]|1[0-2])(?=,\s)|/(?:0[1-9]|1[0-2])(?=:\s)))", re.MULTILINE
)
_WEEKDAY = re.compile(
    rf"(?<!\w)(?:{'|'.join(map(re.escape, list_phrases('dates', 'weekdays')))}),?\s{{1,2}}$", re.IGNORECASE
)
_WITH_YEAR = re.compile(rf"[^\d:]{_YEAR}(?!\d)")
_NUMBERS = str.maketrans("OolI", "0011")


def find_dates(text: str) -> Iterator[Identifier]:
    """Full and partial dates that are recognised by their own shape, with a time of day beside them."""
    for match in _DAY_MONTH.finditer(text):
        if _is_month(match.group("month")) or _WITH_YEAR.search(match.group()):
            yield _include_weekday(text, match)
    for word in _WORD_BEFORE_NUMBER.finditer(text):
        if word.group(1).lower() in _MONTH_WORDS:
            for pattern in (_MONTH_DAY, _MONTH_YEAR):
                dated = pattern.match(text, word.start())
                if dated and _is_month(dated.group("month")):
                    yield _include_weekday(text, dated)
    for match in _NUMERIC.finditer(text):
        if _is_date(match.group("a"), match.group("b"), match.group("c"), match.group("gap")):
            yield _include_weekday(text, match)
    for pattern in (_ISO_TIME, _COMPACT, _MONTH_NUMBER_YEAR, _CHINESE, _CHINESE_DAY, _LINE_START):
        for match in pattern.finditer(text):
            yield Identifier(match.start(), match.end(), IdentifierKind.DATE)
    for match in _BORN.finditer(text):
        yield Identifier(match.start(1), match.end(1), IdentifierKind.DATE)


def find_labelled_date(text: str, tokens: list[NameToken], label: Label) -> Iterator[Identifier]:
    """The day and month, or after a word for birth the year, that follow a label."""
    start, phrase = tokens[label.end - 1].end, fold(label.phrase)
    if len(phrase) == 1:
        return
    if phrase in _SHORT_LABELS:
        patterns: tuple[re.Pattern[str], ...] = (_SHORT_PARTIAL,)
    else:
        patterns = (_PARTIAL, _BIRTH_YEAR) if phrase in _BIRTH_LABELS else (_PARTIAL,)
    for pattern in patterns:
        match = pattern.match(text, start)
        is_decimal = phrase in _SHORT_LABELS and re.fullmatch(r"\d+\.\d+", match.group(1)) if match else False
        if match and not is_decimal and (pattern is _BIRTH_YEAR or _is_day_and_month(match.group(1))):
            yield Identifier(match.start(1), match.end(1), IdentifierKind.DATE)


def _include_weekday(text: str, match: re.Match[str]) -> Identifier:
    weekday = _WEEKDAY.search(text[max(0, match.start() - 14) : match.start()])
    start = match.start() - (len(weekday.group()) if weekday else 0)
    return Identifier(start, match.end(), IdentifierKind.DATE)


@lru_cache(maxsize=256)
def _is_month(word: str) -> bool:
    return word[0].isupper() or word.rstrip(".").lower() not in _AMBIGUOUS


def _is_date(a: str, b: str, c: str, gap: str) -> bool:
    if sum(mark.isdigit() for mark in a + b + c) < (2 if len(c) == 4 else 3):
        return False
    first, second, third = (int(part.translate(_NUMBERS)) for part in (a, b, c))
    if len(a) == 4:
        return 1900 <= first < 2100 and 1 <= second <= 12 and 1 <= third <= 31 and len(c) == 2
    if len(a) == 3 or (len(c) == 4 and not 1900 <= third < 2100):
        return False
    if len(c) == 2 and not (a + b + c).isdigit():
        return False
    return (1 <= first <= 31 and 1 <= second <= 12) or ("." not in gap and 1 <= first <= 12 and 1 <= second <= 31)


def _is_day_and_month(text: str) -> bool:
    first, second = (int(part) for part in re.split(r"[/.-]", text.rstrip(".")))
    return (1 <= first <= 31 and 1 <= second <= 12) or (1 <= first <= 12 and 1 <= second <= 31)
