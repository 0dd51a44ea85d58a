"""Names of organs and diagnoses in other languages, in English, so that they meet what others call them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib.resources import files

_WORD = re.compile(r"[^\W\d_]+")
_ELIDED = re.compile(r"\b(?:d|l|dell|nell)['\u2019](?=[^\W\d_])", re.IGNORECASE)
_REPEATED = re.compile(r"\b(of)(?: of)+\b")
_INFLECTIONS = ("", "e", "en", "er", "es", "em", "s", "n", "ne")


def translate(text: str, stays: Callable[[str], bool] = lambda word: False) -> str:
    """The text with its words of other languages in English; as it is where it has none.

    Words that mean something else in English ("long", "sein") count as such only beside others. stays: whether a word
    is to be left as it is.
    """
    beside = _load_tables()["beside"]
    whole = _translate_phrases(text, stays)
    plain = _ELIDED.sub("de ", whole)
    known = {word: _translate_word(word.casefold()) for word in _WORD.findall(plain)}
    if whole == text and not any(meaning and not stays(word) for word, meaning in known.items()):
        return text

    def spell(match: re.Match[str]) -> str:
        word = match.group()
        meaning = known[word] or beside.get(word.casefold())
        return meaning if meaning and not stays(word) else word

    return _REPEATED.sub(r"\1", _WORD.sub(spell, plain))


def _translate_phrases(text: str, stays: Callable[[str], bool]) -> str:
    for phrase, meaning in _load_tables()["phrases"].items():
        if phrase in text.casefold() and not all(stays(word) for word in _WORD.findall(phrase)):
            text = re.sub(rf"\b{re.escape(phrase)}\b", meaning, text, flags=re.IGNORECASE)
    return text


@lru_cache(maxsize=4096)
def _translate_word(word: str) -> str | None:
    """What a word, with its ending or as a compound, is in English; None for what is no such word."""
    tables = _load_tables()
    stems = (word.removesuffix(ending) for ending in _INFLECTIONS if word.endswith(ending))
    for stem in stems:
        if meaning := tables["words"].get(stem):
            return meaning
        for ending, meaning in tables["endings"].items():
            first = tables["parts"].get(stem.removesuffix(ending)) if stem.endswith(ending) else None
            if first:
                return f"{first} {meaning}"
    return None


@lru_cache(maxsize=1)
def _load_tables() -> Mapping[str, Mapping[str, str]]:
    tables = tomllib.loads((files("histoseek.reports.concepts") / "other_languages.toml").read_text("utf-8"))
    return {
        name: {word: english for english, words in table.items() for word in words} for name, table in tables.items()
    }
