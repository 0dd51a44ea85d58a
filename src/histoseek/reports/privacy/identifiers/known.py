"""Identifiers that a table already gives: found wherever they stand, in any case, with any separators."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from histoseek.reports.privacy.identifiers.identifier_kinds import Identifier, IdentifierKind
from histoseek.reports.privacy.identifiers.lexicon import PARTICLES, fold, load_lexicon
from histoseek.reports.privacy.identifiers.name_tokens import NameToken

_PIECE = re.compile(r"[^\W\d_]+|\d+")
_SHORTEST_ID = 3
_SHORTEST_NAME = 2


def find_known_ids(text: str, ids: Sequence[str]) -> Iterator[Identifier]:
    """The ids, with up to two separators between their letter and digit groups; ids under three characters are left."""
    for known_id in ids:
        pieces = _PIECE.findall(known_id)
        if sum(map(len, pieces)) < _SHORTEST_ID:
            continue
        pattern = r"[\W_]{0,2}".join(map(re.escape, pieces))
        for match in re.finditer(rf"(?<![^\W_]){pattern}(?![^\W_])", text, re.IGNORECASE):
            yield Identifier(match.start(), match.end(), IdentifierKind.ID)


def find_known_names(tokens: list[NameToken], names: Sequence[str]) -> Iterator[Identifier]:
    """Each word of the names, in any case; words that are also ordinary or eponyms only beside another word of it."""
    for name in names:
        words = {fold(word) for word in re.findall(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*", name)}
        words |= {part for word in words for part in word.split("-")}
        yield from _find_words(tokens, {word for word in words if word not in PARTICLES})


def _find_words(tokens: list[NameToken], words: set[str]) -> Iterator[Identifier]:
    for position, token in enumerate(tokens):
        if not _contains_word(token, words):
            continue
        neighbours = [tokens[index] for index in (position - 1, position + 1) if 0 <= index < len(tokens)]
        close_neighbours = [
            neighbour for neighbour in neighbours if max(neighbour.start - token.end, token.start - neighbour.end) <= 3
        ]
        if _is_distinctive(token.plain.removesuffix("'s")) or any(
            _contains_word(neighbour, words) for neighbour in close_neighbours
        ):
            yield Identifier(token.start, token.end, IdentifierKind.NAME)


def _contains_word(token: NameToken, words: set[str]) -> bool:
    word = token.plain.removesuffix("'s")
    return word in words or ("-" in word and bool(words & set(word.split("-"))))


def _is_distinctive(word: str) -> bool:
    """Whether a word alone points to the person: long enough, and no everyday word or eponym."""
    lists = load_lexicon()
    return len(word) > _SHORTEST_NAME and not lists.is_ordinary(word) and not lists.is_eponym(word)
