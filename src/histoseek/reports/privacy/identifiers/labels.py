"""Words that announce an identifier: "Patient:", "MRN", "geboren am"."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from histoseek.reports.privacy.identifiers.languages import list_phrases
from histoseek.reports.privacy.identifiers.name_tokens import NameToken, tokenise

LABEL_KINDS = ("name", "byline", "typist", "title", "id", "number", "plate", "phone", "date", "address", "institution")
# Scans mix these up, also inside labels ("Pat1ent").
_LOOKALIKES = str.maketrans("l10", "iio")


@dataclass(frozen=True, slots=True)
class Label:
    """One label in a text: what it announces, and the half-open range of its tokens."""

    kind: str
    phrase: str
    first: int
    end: int


@dataclass(frozen=True, slots=True)
class _Phrase:
    kind: str
    phrase: str
    words: tuple[str, ...]


def find_labels(tokens: list[NameToken]) -> Iterator[Label]:
    """The labels of a text, the longest at each place; a phrase that announces several kinds comes once for each.

    One that starts inside another counts where it ends behind it ("Nº historia" and "historia clínica").
    """
    phrases = _load_phrases()
    keys = [_make_key(token) for token in tokens]
    reached = 0
    for start, key in enumerate(keys):
        candidates = phrases.get(key)
        longest_phrases = _select_longest(candidates, keys, start) if candidates else []
        end = start + len(longest_phrases[0].words) if longest_phrases else start
        if end > reached:
            yield from (Label(phrase.kind, phrase.phrase, start, end) for phrase in longest_phrases)
            reached = end
        elif not longest_phrases and start >= reached:
            yield from _find_broken(phrases, tokens, keys, start)


def _make_key(token: NameToken) -> str:
    """The folded word with what scans mix up made one; words of a letter or two would become others."""
    is_exact = token.plain.isdigit() or len(token.plain) < 3
    return token.plain if is_exact else token.plain.translate(_LOOKALIKES)


def _select_longest(candidates: tuple[_Phrase, ...], keys: list[str], start: int) -> list[_Phrase]:
    fitting = [phrase for phrase in candidates if tuple(keys[start : start + len(phrase.words)]) == phrase.words]
    return [phrase for phrase in fitting if len(phrase.words) == len(fitting[0].words)]


def _find_broken(
    phrases: dict[str, tuple[_Phrase, ...]], tokens: list[NameToken], keys: list[str], start: int
) -> Iterator[Label]:
    """Labels that a scan has torn in two ("Phys ician")."""
    if start + 1 == len(tokens) or tokens[start + 1].start - tokens[start].end != 1:
        return
    for phrase in phrases.get(keys[start] + keys[start + 1], ()):
        if len(phrase.words) == 1 and len(phrase.words[0]) > 4:
            yield Label(phrase.kind, phrase.phrase, start, start + 2)


@lru_cache(maxsize=1)
def _load_phrases() -> dict[str, tuple[_Phrase, ...]]:
    by_first: dict[str, list[_Phrase]] = {}
    for announces in LABEL_KINDS:
        for phrase in list_phrases("labels", announces):
            words = tuple(_make_key(token) for token in tokenise(phrase))
            if words and not any(
                other.kind == announces and other.words == words for other in by_first.get(words[0], ())
            ):
                by_first.setdefault(words[0], []).append(_Phrase(announces, phrase, words))
    return {
        first: tuple(sorted(same_start, key=lambda phrase: -len(phrase.words)))
        for first, same_start in by_first.items()
    }
