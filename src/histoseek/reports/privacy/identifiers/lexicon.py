"""The packaged word lists: names, eponyms and ordinary words, compared without case and accents."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files


def read_lines(name: str) -> list[str]:
    """Lines of a packaged word list without comments and blanks."""
    text = files(__package__).joinpath("words", name).read_text("utf-8")
    return [line for line in map(str.strip, text.splitlines()) if line and not line.startswith("#")]


def read_words(name: str) -> tuple[str, ...]:
    """Words of a packaged list as they are written there."""
    return tuple(word for line in read_lines(name) for word in line.split())


PARTICLES = frozenset(read_words("particles.txt"))
DEGREES = frozenset(read_words("degrees.txt"))
SUFFIXES = frozenset(("jr", "sr", "ii", "iii", "iv"))


@lru_cache(maxsize=1 << 16)
def fold(word: str) -> str:
    """The word in lower case without accents and with a plain apostrophe."""
    plain = word.replace("\u2019", "'")
    if plain.isascii():
        return plain.lower()
    parts = unicodedata.normalize("NFKD", plain.casefold())
    return "".join(part for part in parts if not unicodedata.combining(part))


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Folded words: given names, surnames, eponyms that are to be kept, and ordinary words of reports."""

    given_names: frozenset[str]
    surnames: frozenset[str]
    eponyms: frozenset[str]
    ordinary: frozenset[str]

    def is_given_name(self, word: str) -> bool:
        """Whether a folded word, or the first part of a hyphenated one, is a listed given name."""
        stem = word.removesuffix("'s")
        return stem in self.given_names or stem.split("-")[0] in self.given_names

    def is_surname(self, word: str) -> bool:
        """Whether a folded word, or a part of a hyphenated one, is a listed surname."""
        stem = word.removesuffix("'s")
        return stem in self.surnames or any(part in self.surnames for part in stem.split("-"))

    def is_listed(self, word: str) -> bool:
        """Whether a folded word is a listed name of either sort."""
        return self.is_given_name(word) or self.is_surname(word)

    def is_eponym(self, word: str) -> bool:
        """Whether a folded word, or what its genitive is of, is an eponym."""
        return word in self.eponyms or word.removesuffix("'s") in self.eponyms or word.removesuffix("s") in self.eponyms

    def is_ordinary(self, word: str) -> bool:
        """Whether a folded word is an ordinary one or its plural; a hyphenated word is when all its parts are."""
        if word in self.ordinary or word.removesuffix("s") in self.ordinary:
            return True
        return "-" in word and all(part in self.ordinary for part in word.split("-"))


def _fold_words(name: str) -> frozenset[str]:
    return frozenset(map(fold, read_words(name)))


@lru_cache(maxsize=1)
def load_lexicon() -> Lexicon:
    """The word lists, read once."""
    return Lexicon(
        _fold_words("given_names.txt"),
        _fold_words("surnames.txt"),
        _fold_words("eponyms.txt"),
        _fold_words("ordinary.txt"),
    )
