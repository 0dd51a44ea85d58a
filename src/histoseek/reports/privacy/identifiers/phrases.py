"""Reads a person's name from a place in the text on, word by word."""

from __future__ import annotations

import re
from dataclasses import dataclass

from histoseek.reports.privacy.identifiers.lexicon import DEGREES, PARTICLES, SUFFIXES, Lexicon
from histoseek.reports.privacy.identifiers.tokens import Token, gap

_LONGEST = 8
_JOINS = re.compile(r"\.?[ ]?|\.-|\^{1,2}|-")
_COMMA = re.compile(r"[ ]?\.?,[ ]{0,3}")


@dataclass(frozen=True, slots=True)
class NameReader:
    """Reads names in one text."""

    text: str
    tokens: list[Token]
    words: Lexicon

    def read(self, at: int, comma: bool) -> int:
        """End of the name that starts at token `at`, or `at` when there is none; `comma`: "Last, First" may follow.

        Capitalised words count as names unless they are ordinary words of reports, initials and particles in between.
        """
        end, named, seen_comma = at, False, False
        while end < len(self.tokens) and end - at < _LONGEST:
            between = gap(self.text, self.tokens, end) if end > at else ""
            is_comma = bool(_COMMA.fullmatch(between)) and end > at
            if end > at and not self._joined(end) and not (is_comma and comma and named and not seen_comma):
                break
            if not self._continues(end, named, is_comma):
                break
            seen_comma = seen_comma or is_comma
            named = named or self.is_name_like(self.tokens[end])
            end += 1
        return self._trimmed(at, end) if named else at

    def read_listed(self, at: int) -> int:
        """End of the run of listed names from token `at` on, in any case, up to four words."""
        end = at
        while (
            end < len(self.tokens)
            and end - at < 4
            and (end == at or self._joined(end) or _COMMA.fullmatch(self.gap(end)))
        ):
            token = self.tokens[end]
            known = self.words.is_listed(token.folded) and token.folded not in self.words.ordinary
            if not known and not (token.folded in PARTICLES and token.word.islower() and len(token.word) > 1):
                break
            end += 1
        return self._trimmed(at, end)

    def is_name_like(self, token: Token) -> bool:
        """Whether a capitalised word may be a name: listed, or not an ordinary word."""
        if not token.is_capitalised or len(token.word) < 2 or self.is_degree(token):
            return False
        return self.words.is_listed(token.folded) or not self.words.is_ordinary(token.folded)

    def is_proper(self, token: Token) -> bool:
        """Whether a capitalised word is neither ordinary nor an eponym."""
        return (
            token.is_capitalised
            and len(token.word) > 1
            and not self.is_degree(token)
            and not self.words.is_ordinary(token.folded)
            and not self.words.is_eponym(token.folded)
        )

    def is_degree(self, token: Token) -> bool:
        """Whether a word is a degree after a name ("MD", "FRCPath")."""
        return token.folded in DEGREES and not token.word.islower() and token.word != token.word.capitalize()

    def gap(self, index: int) -> str:
        """What stands before token `index`."""
        return gap(self.text, self.tokens, index)

    def _continues(self, at: int, named: bool, after_comma: bool) -> bool:
        token = self.tokens[at]
        if self.is_name_like(token):
            return True
        if token.is_initial:
            return not self._starts_degree(at)
        if named and token.folded in SUFFIXES:
            return True
        return token.folded in PARTICLES and not after_comma and self._leads_on(at + 1)

    def _leads_on(self, at: int) -> bool:
        """Whether a name follows the particle before token `at`, another particle between them or not."""
        for index in range(at, min(at + 2, len(self.tokens))):
            if self.gap(index) not in {" ", "-", "'", "\u2019", ". "}:
                return False
            if self.is_name_like(self.tokens[index]):
                return True
            if self.tokens[index].folded not in PARTICLES:
                return False
        return False

    def _starts_degree(self, at: int) -> bool:
        """Whether an initial is the M of "M.D." or of "M D"."""
        if at + 1 >= len(self.tokens) or not self.tokens[at + 1].is_initial:
            return False
        return self.tokens[at].word + self.tokens[at + 1].word in {"MD", "DO"} and at > 0

    def _joined(self, at: int) -> bool:
        """Whether a token goes on with the words before it; a full stop ends them unless it shortens a word."""
        between = self.gap(at)
        return bool(_JOINS.fullmatch(between)) and ("." not in between or len(self.tokens[at - 1].word) <= 2)

    def _trimmed(self, at: int, end: int) -> int:
        """The end without particles that lead to nothing."""
        while end > at:
            last = self.tokens[end - 1]
            if last.folded not in PARTICLES or last.is_initial or self.is_name_like(last):
                break
            end -= 1
        return end


def span_of(tokens: list[Token], first: int, end: int) -> tuple[int, int]:
    """Range of characters of the tokens `first` to `end`."""
    return tokens[first].start, tokens[end - 1].end
