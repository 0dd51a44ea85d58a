"""Words of a text with their places."""

from __future__ import annotations

import re
from dataclasses import dataclass

from histoseek.reports.privacy.identifiers.identifier_kinds import PLACEHOLDER
from histoseek.reports.privacy.identifiers.lexicon import fold

_WORD = r"[^\W_]+(?:[\u0300-\u036f]+[^\W_]*|['\u2019-](?=[^\W_])[^\W_]+)*+"
_TOKEN = re.compile(f"{PLACEHOLDER.pattern}|{_WORD}")


@dataclass(frozen=True, slots=True)
class NameToken:
    """One word: its half-open range of characters, itself, and its folded form ("" for a placeholder)."""

    start: int
    end: int
    word: str
    plain: str

    @property
    def is_capitalised(self) -> bool:
        """Whether it starts with a capital and holds letters, hyphens and apostrophes only."""
        word = self.word
        return word[0].isupper() and (word.isalpha() or not any(mark.isdigit() for mark in word))

    @property
    def is_initial(self) -> bool:
        """Whether it is a single capital."""
        return len(self.word) == 1 and self.word.isupper()

    @property
    def is_all_caps(self) -> bool:
        """Whether it is of two or more letters, all capitals."""
        return len(self.word) > 1 and self.word.isupper()


def tokenise(text: str) -> list[NameToken]:
    """The words of a text; placeholders come as tokens that match nothing."""
    return [
        NameToken(match.start(), match.end(), word, "" if word[0] == "[" else fold(word))
        for match in _TOKEN.finditer(text)
        for word in (match.group(),)
    ]


def find_gap(text: str, tokens: list[NameToken], index: int) -> str:
    """What stands between token `index` and the one before it; the text's start before the first."""
    return text[tokens[index - 1].end if index else 0 : tokens[index].start]
