"""Reads a person's name from a place in the text on, word by word."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from histoseek.reports.privacy.identifiers.lexicon import DEGREES, PARTICLES, SUFFIXES, Lexicon, load_lexicon
from histoseek.reports.privacy.identifiers.medical_words import is_medical, looks_medical
from histoseek.reports.privacy.identifiers.name_tokens import NameToken, find_gap

_LONGEST = 8
_JOINS = re.compile(r"\.?[ ]?['\u2019]?|\.-|\^{1,2}|-")
_ARTICLE = re.compile(r"[dl]['\u2019][A-ZÀ-Þ]")
_VOWEL = re.compile(r"[aeiouyæøœþð]")
_CAMEL = re.compile(r"[A-ZÀ-Þ][a-zß-ÿ]+")
_COMMA = re.compile(r"[ ]?\.?,[ ]{0,3}")


@dataclass(frozen=True, slots=True)
class NameReader:
    """Reads names in one text."""

    text: str
    tokens: list[NameToken]
    words: Lexicon

    def read_name(self, at: int, comma: bool) -> int:
        """End of the name that starts at token `at`, or `at` when there is none; `comma`: "Last, First" may follow.

        Capitalised words count as names unless they are ordinary words of reports, initials and particles in between.
        """
        end, has_name, has_comma = at, False, False
        while end < len(self.tokens) and end - at < _LONGEST:
            between = find_gap(self.text, self.tokens, end) if end > at else ""
            is_comma = bool(_COMMA.fullmatch(between)) and end > at
            if end > at and not self._joins_previous(end) and not (is_comma and comma and has_name and not has_comma):
                break
            if not self._continues(end, has_name, is_comma):
                break
            has_comma = has_comma or is_comma
            has_name = has_name or self.is_name_like(self.tokens[end])
            end += 1
        return self._drop_particles(at, end) if has_name else at

    def read_listed_names(self, at: int) -> int:
        """End of the run of listed names from token `at` on, in any case, up to four words."""
        end = at
        while (
            end < len(self.tokens)
            and end - at < 4
            and (end == at or self._joins_previous(end) or _COMMA.fullmatch(self.text_before(end)))
        ):
            token = self.tokens[end]
            is_known = self.words.is_listed(token.plain) and token.plain not in self.words.ordinary
            if not is_known and not (token.plain in PARTICLES and token.word.islower() and len(token.word) > 1):
                break
            end += 1
        return self._drop_particles(at, end)

    def is_name_like(self, token: NameToken) -> bool:
        """Whether a capitalised word may be a name: listed, or neither an ordinary word nor one of medicine."""
        if _ARTICLE.match(token.word):
            return not looks_medical(token.plain[2:])
        if not token.word[0].isupper() or len(token.word) < 2 or not token.is_capitalised or self.is_degree(token):
            return False
        return _is_listed(token.plain) or not _is_common(token.plain)

    def is_proper(self, token: NameToken) -> bool:
        """Whether a capitalised word is neither ordinary nor of medicine nor an eponym."""
        return (
            token.is_capitalised
            and len(token.word) > 1
            and not self.is_degree(token)
            and not self.is_common(token)
            and not self.words.is_eponym(token.plain)
        )

    def is_certain(self, token: NameToken) -> bool:
        """Whether a word is proper, has a vowel, and does not even look like one of reports, misread ones included."""
        if self._is_run_together(token):
            return False
        return self.is_proper(token) and bool(_VOWEL.search(token.plain)) and not looks_medical(token.plain)

    def _is_run_together(self, token: NameToken) -> bool:
        """Whether a scan has joined words of reports ("PrintedPage", "Diagnosis'OT")."""
        parts = _CAMEL.findall(token.word) if not token.is_all_caps else []
        if len(parts) > 1 and all(looks_medical(part.lower()) or _is_common(part.lower()) for part in parts):
            return True
        return any(len(part) > 4 and _is_common(part) for part in token.plain.split("'")[:-1])

    def is_common(self, token: NameToken) -> bool:
        """Whether a word is an ordinary one or one of medicine."""
        return _is_common(token.plain)

    def is_degree(self, token: NameToken) -> bool:
        """Whether a word is a degree after a name ("MD", "FRCPath")."""
        return token.plain in DEGREES and not token.word.islower() and token.word != token.word.capitalize()

    def text_before(self, index: int) -> str:
        """What stands before token `index`."""
        return find_gap(self.text, self.tokens, index)

    def _continues(self, at: int, has_name: bool, after_comma: bool) -> bool:
        token = self.tokens[at]
        if self.is_name_like(token):
            return True
        if token.is_initial:
            return not self._starts_degree(at)
        if has_name and token.plain in SUFFIXES:
            return True
        return token.plain in PARTICLES and not after_comma and self._leads_on(at + 1)

    def _leads_on(self, at: int) -> bool:
        """Whether a name follows the particle before token `at`, another particle between them or not."""
        for index in range(at, min(at + 2, len(self.tokens))):
            if self.text_before(index) not in {" ", "-", "'", "\u2019", ". ", " '", " \u2019", ". '"}:
                return False
            if self.is_name_like(self.tokens[index]):
                return True
            if self.tokens[index].plain not in PARTICLES:
                return False
        return False

    def _starts_degree(self, at: int) -> bool:
        """Whether an initial is the M of "M.D." or of "M D"."""
        if at + 1 >= len(self.tokens) or not self.tokens[at + 1].is_initial:
            return False
        return self.tokens[at].word + self.tokens[at + 1].word in {"MD", "DO"} and at > 0

    def _joins_previous(self, at: int) -> bool:
        """Whether a token goes on with the words before it; a full stop ends them unless it shortens a word."""
        between = self.text_before(at)
        return bool(_JOINS.fullmatch(between)) and ("." not in between or len(self.tokens[at - 1].word) <= 2)

    def _drop_particles(self, at: int, end: int) -> int:
        """The end without particles that lead to nothing."""
        while end > at:
            last = self.tokens[end - 1]
            if last.plain not in PARTICLES or last.is_initial or self.is_name_like(last):
                break
            end -= 1
        return end


@lru_cache(maxsize=1 << 15)
def _is_common(word: str) -> bool:
    return load_lexicon().is_ordinary(word) or is_medical(word)


@lru_cache(maxsize=1 << 15)
def _is_listed(word: str) -> bool:
    return load_lexicon().is_listed(word)


def find_span(tokens: list[NameToken], first: int, end: int) -> tuple[int, int]:
    """Range of characters of the tokens `first` to `end`."""
    return tokens[first].start, tokens[end - 1].end
