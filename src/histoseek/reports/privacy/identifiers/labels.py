"""Words that announce an identifier: "Patient:", "MRN", "geboren am"."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from histoseek.reports.privacy.identifiers.lexicon import read_lines
from histoseek.reports.privacy.identifiers.tokens import Token, tokenise

# Scans mix these up, also inside labels ("Pat1ent").
_LOOKALIKES = str.maketrans("l10", "iio")


@dataclass(frozen=True, slots=True)
class Label:
    """One label in a text: what it announces, and the half-open range of its tokens."""

    announces: str
    phrase: str
    first: int
    end: int


@dataclass(frozen=True, slots=True)
class _Phrase:
    announces: str
    phrase: str
    words: tuple[str, ...]


def find_labels(tokens: list[Token]) -> Iterator[Label]:
    """The labels of a text, the longest at each place; a phrase that announces several kinds comes once for each."""
    phrases = _phrases()
    keys = [_key(token) for token in tokens]
    at = 0
    while at < len(tokens):
        found = _longest(phrases.get(keys[at], ()), keys, at)
        yield from (Label(phrase.announces, phrase.phrase, at, at + len(phrase.words)) for phrase in found)
        if not found:
            yield from _broken(phrases, tokens, keys, at)
        at += len(found[0].words) if found else 1


def _key(token: Token) -> str:
    return token.folded if token.folded.isdigit() else token.folded.translate(_LOOKALIKES)


def _longest(candidates: tuple[_Phrase, ...], keys: list[str], at: int) -> list[_Phrase]:
    fitting = [phrase for phrase in candidates if tuple(keys[at : at + len(phrase.words)]) == phrase.words]
    return [phrase for phrase in fitting if len(phrase.words) == len(fitting[0].words)]


def _broken(phrases: dict[str, tuple[_Phrase, ...]], tokens: list[Token], keys: list[str], at: int) -> Iterator[Label]:
    """Labels that a scan has torn in two ("Phys ician")."""
    if at + 1 == len(tokens) or tokens[at + 1].start - tokens[at].end != 1:
        return
    for phrase in phrases.get(keys[at] + keys[at + 1], ()):
        if len(phrase.words) == 1 and len(phrase.words[0]) > 4:
            yield Label(phrase.announces, phrase.phrase, at, at + 2)


@lru_cache(maxsize=1)
def _phrases() -> dict[str, tuple[_Phrase, ...]]:
    by_first: dict[str, list[_Phrase]] = {}
    for line in read_lines("labels.txt"):
        announces, _, phrases = line.partition(" = ")
        for phrase in phrases.split(" | "):
            words = tuple(_key(token) for token in tokenise(phrase))
            if words:
                by_first.setdefault(words[0], []).append(_Phrase(announces, phrase, words))
    return {first: tuple(sorted(some, key=lambda one: -len(one.words))) for first, some in by_first.items()}
