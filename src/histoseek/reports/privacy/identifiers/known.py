"""Identifiers that a table already gives: found wherever they stand, in any case, with any separators."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from histoseek.reports.privacy.identifiers.kinds import Found, Kind
from histoseek.reports.privacy.identifiers.lexicon import PARTICLES, fold, lexicon
from histoseek.reports.privacy.identifiers.tokens import Token

_PIECE = re.compile(r"[^\W\d_]+|\d+")
_SHORTEST_ID = 3
_SHORTEST_NAME = 2


def find_known_ids(text: str, ids: Sequence[str]) -> Iterator[Found]:
    """The ids, with up to two separators between their letter and digit groups; ids under three characters are left."""
    for given in ids:
        pieces = _PIECE.findall(given)
        if sum(map(len, pieces)) < _SHORTEST_ID:
            continue
        pattern = r"[\W_]{0,2}".join(map(re.escape, pieces))
        for found in re.finditer(rf"(?<![^\W_]){pattern}(?![^\W_])", text, re.IGNORECASE):
            yield Found(found.start(), found.end(), Kind.ID)


def find_known_names(tokens: list[Token], names: Sequence[str]) -> Iterator[Found]:
    """Each word of the names, in any case; words that are also ordinary or eponyms only beside another word of it."""
    for given in names:
        words = {fold(word) for word in re.findall(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*", given)}
        words |= {part for word in words for part in word.split("-")}
        yield from _words_of(tokens, {word for word in words if word not in PARTICLES})


def _words_of(tokens: list[Token], words: set[str]) -> Iterator[Found]:
    for at, token in enumerate(tokens):
        if not _holds(token, words):
            continue
        beside = [tokens[index] for index in (at - 1, at + 1) if 0 <= index < len(tokens)]
        near = [one for one in beside if max(one.start - token.end, token.start - one.end) <= 3]
        if _tells(token.folded.removesuffix("'s")) or any(_holds(one, words) for one in near):
            yield Found(token.start, token.end, Kind.NAME)


def _holds(token: Token, words: set[str]) -> bool:
    bare = token.folded.removesuffix("'s")
    return bare in words or ("-" in bare and bool(words & set(bare.split("-"))))


def _tells(word: str) -> bool:
    """Whether a word alone points to the person: long enough, and no everyday word or eponym."""
    lists = lexicon()
    return len(word) > _SHORTEST_NAME and not lists.is_ordinary(word) and not lists.is_eponym(word)
