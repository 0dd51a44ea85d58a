"""Words as they were before they were misread: glued, torn, with confused letters, or what only neighbours decide."""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from itertools import pairwise
from typing import NamedTuple

from histoseek.reports.cleaning.mends import Edit, Mend, MendReason, make_mend
from histoseek.reports.cleaning.spelling import Dictionary
from histoseek.reports.language.words import Span

_TOKEN = re.compile(r"[^\W_]+")
_TEAR = re.compile(r" |-[ ]?\n[ ]{0,8}")
_COUNTED = re.compile(r"(\d{1,2})([a-z]{3,})")
_UNITS = frozenset(("mms", "cms", "hpf"))
_NUMBERED = re.compile(r"([A-Za-z]{4,})(\d{1,2})")
_BEFORE_SENTENCE = re.compile(r"(?:^|[.:;!?)\]\u2022*\n-])\s*$")
_DIGITS = str.maketrans({"l": "1", "I": "1", "i": "1", "|": "1", "!": "1", "O": "0", "o": "0", "Q": "0"})
_ROMAN = str.maketrans({"l": "I", "1": "I", "|": "I", "!": "I"})
_FEWEST_TOKENS, _LEAST_KNOWN = 30, 0.5
_SHORTEST_MENDED, _SHORTEST_JOINED, _SHORTEST_STRANGE, _SHORTEST_NAMELIKE = 4, 6, 7, 9
_BEFORE = 60
_ALONE = frozenset(("a", "A", "I"))


class _Token(NamedTuple):
    start: int
    end: int
    text: str


@dataclass(frozen=True)
class _ContextRule:
    find: re.Pattern[str]
    mend: str


@lru_cache(maxsize=1)
def _load_context() -> tuple[tuple[_ContextRule, ...], re.Pattern[str]]:
    """Rules of what neighbours decide, and the labels of persons' names (cleaning/cleaning.toml)."""
    data = tomllib.loads((resources.files("histoseek.reports.cleaning") / "cleaning.toml").read_text("utf-8"))
    rules = tuple(_ContextRule(re.compile(rule["find"]), rule.get("mend", "")) for rule in data["context"])
    persons = "|".join(map(re.escape, data["furniture"]["persons"]))
    return rules, re.compile(rf"(?i:\b(?:{persons})\b)[.:]?")


def find_misreadings(text: str, taken: Sequence[Mend], dictionary: Dictionary) -> list[Mend]:
    """Mends of words and numbers, none overlapping each other or those that are there already."""
    mends = [*taken]
    for rule in _load_context()[0]:
        for match in rule.find.finditer(text):
            for group in match.re.groupindex:
                mend = _mend_group(text, match, group, rule)
                if mend is not None and _is_free(mends, mend.span):
                    _insert(mends, mend)
    for mend in _WordMender(text, dictionary).list_mends():
        if _is_free(mends, mend.span):
            _insert(mends, mend)
    return mends


def _mend_group(text: str, match: re.Match[str], group: str, rule: _ContextRule) -> Mend | None:
    raw = match[group]
    if raw is None:
        return None
    kinds = {"word": rule.mend, "digits": raw.translate(_DIGITS), "roman": raw.translate(_ROMAN)}
    mended = kinds[group.rstrip("2")]
    return make_mend(text, Span(*match.span(group)), mended, MendReason.CONFUSED) if mended != raw else None


def _is_free(mends: list[Mend], span: Span) -> bool:
    index = bisect_right(mends, span.start, key=lambda mend: mend.span.start)
    return not any(mend.span.overlaps(span) for mend in mends[max(0, index - 1) : index + 1])


def _insert(mends: list[Mend], mend: Mend) -> None:
    mends.insert(bisect_right(mends, mend.span.start, key=lambda other: other.span.start), mend)


class _WordMender:
    """The words of a text that are in no dictionary, one after the other."""

    def __init__(self, text: str, dictionary: Dictionary) -> None:
        self._text = text
        self._dictionary = dictionary
        self._words = _TOKEN.findall(text)

    def list_mends(self) -> Iterator[Mend]:
        """In order; in other languages only of words that differ from a term of English by a letter ("Metastasen")."""
        suspects = {word for word in set(self._words) if self._may_be_misread(word)}
        if not suspects:
            return
        is_foreign = self._is_foreign([word.lower() for word in self._words if len(word) > 2])
        self._places = [match.span() for match in _TOKEN.finditer(self._text)]
        for index, word in enumerate(self._words):
            if word in suspects:
                token = self._get_token(index)
                mend = self._mend_cognate(token) if is_foreign else self._mend(index, token)
                if mend is not None:
                    yield mend

    def _is_foreign(self, words: Sequence[str]) -> bool:
        """Whether a text is in a language without a dictionary, or in none."""
        if self._dictionary.is_foreign(words):
            return True
        return len(words) >= _FEWEST_TOKENS and sum(map(self._dictionary.knows, words)) < _LEAST_KNOWN * len(words)

    def _may_be_misread(self, word: str) -> bool:
        """Whether a word is unknown, or so rare that it is rather a part of another one."""
        return word.lower() not in self._dictionary.roots and not (
            word.isdigit() or not word.isascii() or word in _ALONE or (not word.isalpha() and self._knows(word))
        )

    def _knows(self, word: str) -> bool:
        return self._dictionary.knows(word.lower())

    def _mend(self, index: int, token: _Token) -> Mend | None:
        joined = self._join(index)
        if joined is not None or len(token.text) < _SHORTEST_MENDED or self._knows(token.text):
            return joined
        if self._is_placeholder(token) or self._names_person(token):
            return None
        numbered = _NUMBERED.fullmatch(token.text)
        if numbered and numbered[1].lower() in self._dictionary.numbered:
            return self._separate(token, (numbered[1], numbered[2]))
        counted = _COUNTED.fullmatch(token.text)
        if counted and counted[2] not in _UNITS and self._knows(counted[2]):
            return self._separate(token, (counted[1], counted[2]))
        if token.text[1:].istitle() and token.text[0].islower() and len(token.text) > _SHORTEST_JOINED:
            return self._separate(token, (token.text[0], token.text[1:])) if self._knows(token.text[1:]) else None
        return self._mend_letters(token)

    def _mend_cognate(self, token: _Token) -> Mend | None:
        if self._is_placeholder(token) or self._names_person(token) or not token.text.isalpha():
            return None
        meant = self._dictionary.correct(token.text.lower())
        return self._replace(token, meant, MendReason.MISSPELT) if meant and not self._knows(token.text) else None

    def _mend_letters(self, token: _Token) -> Mend | None:
        """What looks like the word, else what differs by a letter, else what was glued to it."""
        word, is_plain = token.text.lower(), token.text.isalpha()
        strange = len(word) < _SHORTEST_STRANGE and not (token.text[1:].islower() or token.text.islower())
        may_be_name = token.text.istitle() and not self._begins_sentence(token)
        restored = self._dictionary.restore_signs(token.text)
        if restored:
            restored = restored.capitalize() if self._begins_sentence(token) and token.text[0] == "I" else restored
            return make_mend(self._text, Span(token.start, token.end), restored, MendReason.CONFUSED)
        meant = self._dictionary.unconfuse(word)
        if meant and not ((strange or may_be_name) and meant not in self._dictionary.terms):
            return self._replace(token, meant, MendReason.CONFUSED)
        meant = self._dictionary.correct(word) if is_plain else ""
        is_name = may_be_name or token.text.isupper() or token.text.istitle()
        if meant and not (is_name and len(meant) < (_SHORTEST_NAMELIKE if may_be_name else _SHORTEST_STRANGE)):
            return self._replace(token, meant, MendReason.MISSPELT)
        parts = self._dictionary.separate(word) if is_plain else ()
        if parts and self._are_of_one_case(token, parts) and (not token.text.istitle() or self._holds_sure_word(parts)):
            return self._separate(token, parts)
        return None

    @staticmethod
    def _are_of_one_case(token: _Token, parts: Sequence[str]) -> bool:
        """Whether capitals stand at the beginning of parts alone, or are all of one."""
        start = 0
        for part in parts:
            raw, start = token.text[start : start + len(part)], start + len(part)
            if not (raw.isupper() or raw[1:].islower()):
                return False
        return True

    def _holds_sure_word(self, parts: Sequence[str]) -> bool:
        dictionary = self._dictionary
        return any(part in dictionary.terms or part in dictionary.before or part in dictionary.behind for part in parts)

    def _get_token(self, index: int) -> _Token:
        return _Token(*self._places[index], self._words[index])

    def _join(self, index: int) -> Mend | None:
        """A word torn in two or three, of which this is not the last, or the last behind one that is a word itself."""
        for first, last in ((index, index + 1), (index, index + 2), (index - 1, index)):
            if first < 0 or last >= len(self._words):
                continue
            joined = "".join(self._words[first : last + 1])
            if len(joined) < _SHORTEST_JOINED or joined.lower() not in self._dictionary.roots:
                continue
            tokens = [self._get_token(place) for place in range(first, last + 1)]
            if self._are_torn(tokens) and (joined[1:].islower() or joined.isupper()):
                span = Span(tokens[0].start, tokens[-1].end)
                edits = tuple(Edit(Span(before.end, behind.start), "") for before, behind in pairwise(tokens))
                return Mend(span, self._text[span.start : span.end], joined, MendReason.TORN, edits)
        return None

    def _are_torn(self, tokens: Sequence[_Token]) -> bool:
        gaps = ((before.end, behind.start) for before, behind in pairwise(tokens))
        return all(_TEAR.fullmatch(self._text, *gap) for gap in gaps)

    def _replace(self, token: _Token, meant: str, reason: MendReason) -> Mend:
        if token.text.isupper() and len(token.text) > 1:
            meant = meant.upper()
        elif token.text[0].isupper() and (token.text[1:].islower() or not token.text[1:].isalpha()):
            is_confused = token.text[0] == "I" and meant[0] == "l" and not self._begins_sentence(token)
            meant = meant if is_confused else meant[0].upper() + meant[1:]
        return make_mend(self._text, Span(token.start, token.end), meant, reason)

    def _separate(self, token: _Token, parts: Sequence[str]) -> Mend:
        places = [token.start + sum(map(len, parts[:count])) for count in range(1, len(parts))]
        bounds = [token.start, *places, token.end]
        mended = " ".join(self._text[start:end] for start, end in pairwise(bounds))
        edits = tuple(Edit(Span(place, place), " ") for place in places)
        return Mend(Span(token.start, token.end), token.text, mended, MendReason.GLUED, edits)

    def _is_placeholder(self, token: _Token) -> bool:
        return self._text[token.start - 1 : token.start] in {"[", "@", "#"}

    def _begins_sentence(self, token: _Token) -> bool:
        before = self._text[max(0, token.start - _BEFORE) : token.start]
        return _BEFORE_SENTENCE.search(before) is not None

    def _names_person(self, token: _Token) -> bool:
        """Whether a capital stands behind the label of a person on its line."""
        if not token.text[0].isupper():
            return False
        line = self._text.rfind("\n", max(0, token.start - _BEFORE), token.start) + 1
        return _load_context()[1].search(self._text, max(line, token.start - _BEFORE), token.start) is not None
