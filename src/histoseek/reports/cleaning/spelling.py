"""Which words there are, and what a word was before it was misread."""

from __future__ import annotations

import gzip
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from importlib import resources

from histoseek.reports.language.cues import list_cue_words
from histoseek.reports.language.words import normalise_word

_SHORTEST_KNOWN_REST, _LONGEST_PREFIX = 4, 10
_SHORTEST_PART, _SHORTEST_PART_BESIDE_TERM, _SHORTEST_LAST = 4, 3, 5
_SHORTEST_CONFUSED, _SHORTEST_SIMILAR_TERM, _SHORTEST_SIMILAR = 4, 5, 6
_SHORTEST_TERM = 6
_LONGEST = 40
_SHORTEST_FOREIGN = 7
_LEAST_FOREIGN = 0.08
_SIGNS_AS_L = str.maketrans("I105", "llos")
_SIGNS_AS_I = str.maketrans("I105l", "iiosi")


@dataclass(frozen=True, eq=False)
class Dictionary:
    """English, the words of pathology, and those of a vocabulary, all in lower case.

    common: English that a report may well use; rare: the rest of it; terms: what pathology adds; names: of persons that
    diagnoses and grades are named after; languages: of each without a dictionary its commonest words.
    """

    common: frozenset[str]
    rare: frozenset[str]
    terms: frozenset[str]
    before: frozenset[str]
    behind: frozenset[str]
    numbered: frozenset[str]
    prefixes: frozenset[str]
    suffixes: tuple[str, ...]
    names: frozenset[str]
    languages: tuple[frozenset[str], ...]
    alike: tuple[tuple[str, str], ...]
    similar: tuple[tuple[str, str], ...]

    @cached_property
    def words(self) -> frozenset[str]:
        """All of them."""
        return self.common | self.rare | self.terms

    def knows(self, word: str) -> bool:
        """Whether a word in lower case is one: listed, in British or American, or with a prefix or suffix on it."""
        return word in self.words or _knows(self, word)

    def separate(self, word: str) -> tuple[str, ...]:
        """The two or three words that were glued to this one, () where it is none."""
        return _separate(self, word)

    def unconfuse(self, word: str) -> str:
        """The one word that letters which look like this word's would make, "" where there is none or several."""
        return _unconfuse(self, word)

    def restore_signs(self, raw: str) -> str:
        """The word of which signs were read as capitals and digits ("voIume", "fo1licles"), "" where it is none."""
        if raw.isupper():
            return ""
        tables = (_SIGNS_AS_L, _SIGNS_AS_I)
        restored = [raw[0].translate(table) + raw[1:].translate(table) for table in tables]
        return next((word for word in restored if word != raw and word[1:].islower() and self.knows(word.lower())), "")

    def correct(self, word: str) -> str:
        """The one term that differs from a word by a letter or two swapped ones, "" where there is none or several."""
        return _correct(self, word)

    def is_foreign(self, words: Sequence[str]) -> bool:
        """Whether words in lower case are of a language without a dictionary, by the share of its commonest words."""
        different = set(words)
        for common_words in self.languages:
            foreign = different & common_words
            if len(foreign) > 1 and sum(map(words.count, foreign)) > _LEAST_FOREIGN * len(words):
                return True
        return False

    @cached_property
    def roots(self) -> frozenset[str]:
        """The words that others are made of: common ones and terms."""
        return self.common | self.terms

    @cached_property
    def fragments(self) -> frozenset[str]:
        """What terms begin and end with: rather a part of one of them than a word misread."""
        cuts = ((term, place) for term in self.terms for place in range(2, len(term) - 1))
        parts = {part for term, place in cuts for part in (term[:place], term[place:])}
        return frozenset(part for part in parts if len(part) >= _SHORTEST_CONFUSED)

    @cached_property
    def forms(self) -> frozenset[str]:
        """Terms as `normalise_word` evens them out."""
        return frozenset(map(normalise_word, self.terms))

    @cached_property
    def targets(self) -> Mapping[str, tuple[str, ...]]:
        """Terms by themselves and by what is left of them without one letter."""
        targets: defaultdict[str, list[str]] = defaultdict(list)
        for term in sorted(self.terms):
            if len(term) >= _SHORTEST_TERM:
                for key in dict.fromkeys((term, *_list_deletions(term))):
                    targets[key].append(term)
        return {key: tuple(terms) for key, terms in targets.items()}


def _list_foreign() -> list[str]:
    """Longer words that deny or doubt in other languages: "negativo" is no misread "negative"."""
    return [word for word in list_cue_words() if len(word) >= _SHORTEST_FOREIGN]


@lru_cache(maxsize=8)
def load_dictionary(terms: frozenset[str] = frozenset()) -> Dictionary:
    """The dictionary that comes with the package, with further terms as they are written.

    Nothing is corrected to one with a capital, which is a person's name.
    """
    folder = resources.files("histoseek.reports.cleaning")
    data = tomllib.loads((folder / "cleaning.toml").read_text("utf-8"))
    english = gzip.decompress((folder / "dictionary" / "english.txt.gz").read_bytes()).decode()
    common, rare = english.split("\n\n")
    pathology = (folder / "dictionary" / "pathology.txt").read_text("utf-8").split()
    return Dictionary(
        common=frozenset(common.split()),
        rare=frozenset((*rare.split(), *(term.lower() for term in terms), *_list_foreign())),
        terms=frozenset((*pathology, *(term for term in terms if not term.istitle()))),
        before=frozenset(data["words"]["before"]),
        behind=frozenset(data["words"]["behind"]),
        numbered=frozenset(data["words"]["numbered"]),
        prefixes=frozenset(data["words"]["prefixes"]),
        suffixes=tuple(data["words"]["suffixes"]),
        names=frozenset(term.lower() for term in terms if term.istitle()),
        languages=tuple(map(frozenset, data["languages"].values())),
        alike=tuple((seen, meant) for seen, meant in data["confusions"]["alike"]),
        similar=tuple((seen, meant) for seen, meant in data["confusions"]["similar"]),
    )


@lru_cache(maxsize=65536)
def _knows(dictionary: Dictionary, word: str) -> bool:
    if normalise_word(word) in dictionary.forms:
        return True
    if any(word.endswith(suffix) and word[: -len(suffix)] in dictionary.words for suffix in dictionary.suffixes):
        return True
    places = range(2, min(_LONGEST_PREFIX, len(word) - _SHORTEST_KNOWN_REST) + 1)
    return any(word[:place] in dictionary.prefixes and word[place:] in dictionary.roots for place in places)


@lru_cache(maxsize=65536)
def _separate(dictionary: Dictionary, word: str) -> tuple[str, ...]:
    """Of several ways to part a word, that with a term and the longest shortest part."""
    if len(word) > _LONGEST or word in dictionary.fragments:
        return ()
    pairs = [parts for parts in _list_halves(word) if _are_words(dictionary, *parts)]
    if pairs:
        return max(pairs, key=partial(_rank_parts, dictionary))
    for first, rest in _list_halves(word):
        if first in dictionary.before:
            following = [parts for parts in _list_halves(rest) if _are_words(dictionary, *parts)]
            following = [parts for parts in following if len(parts[1]) >= _SHORTEST_LAST]
            if following:
                return (first, *max(following, key=lambda parts: min(map(len, parts))))
    return ()


def _rank_parts(dictionary: Dictionary, parts: tuple[str, str]) -> tuple[bool, bool, int]:
    """A short word behind or before a long one is likelier than two long ones, and a term than none."""
    is_bound = parts[0] in dictionary.before or parts[1] in dictionary.behind
    return is_bound, not dictionary.terms.isdisjoint(parts), min(map(len, parts))


def _are_words(dictionary: Dictionary, first: str, last: str) -> bool:
    """Whether two words may have been glued: long ones, or one beside a term, or a short one on its side."""
    if first in dictionary.before and (last in dictionary.behind or last in dictionary.before):
        return True
    fewest = _SHORTEST_PART_BESIDE_TERM if first in dictionary.terms or last in dictionary.terms else _SHORTEST_PART
    return all(
        part in short or (part in dictionary.roots and len(part) >= fewest)
        for part, short in ((first, dictionary.before), (last, dictionary.behind))
    )


def _list_halves(word: str) -> Iterator[tuple[str, str]]:
    return ((word[:place], word[place:]) for place in range(2, len(word) - 1))


@lru_cache(maxsize=65536)
def _unconfuse(dictionary: Dictionary, word: str) -> str:
    if not _SHORTEST_CONFUSED <= len(word) <= _LONGEST:
        return ""
    alike = set(_list_unconfused(word, dictionary.alike))
    similar = set(_list_unconfused(word, dictionary.similar))
    common = frozenset() if word in dictionary.fragments else dictionary.common
    for candidates, words, fewest in (
        (alike, dictionary.terms, _SHORTEST_SIMILAR_TERM),
        (similar, dictionary.terms, _SHORTEST_SIMILAR_TERM),
        (alike | similar, dictionary.names, _SHORTEST_SIMILAR_TERM),
        (alike, common, _SHORTEST_CONFUSED),
        (similar, common, _SHORTEST_SIMILAR),
    ):
        known = [candidate for candidate in candidates & words if len(candidate) >= fewest]
        if known:
            return known[0] if len(known) == 1 else ""
    return ""


def _list_unconfused(word: str, confusions: Iterable[tuple[str, str]]) -> Iterator[str]:
    for seen, meant in confusions:
        place = word.find(seen)
        while place >= 0:
            yield word[:place] + meant + word[place + len(seen) :]
            place = word.find(seen, place + 1)


@lru_cache(maxsize=65536)
def _correct(dictionary: Dictionary, word: str) -> str:
    if not _SHORTEST_TERM <= len(word) <= _LONGEST:
        return ""
    keys = (word, *_list_deletions(word))
    near = {target for key in keys for target in dictionary.targets.get(key, ())}
    known = [target for target in sorted(near) if _differ_by_one(word, target) and target != word[1:]]
    return known[0] if len(known) == 1 else ""


def _differ_by_one(word: str, other: str) -> bool:
    """Whether one letter is another one, is missing or is too much, or two neighbours are swapped."""
    start = next(
        (i for i, (one, two) in enumerate(zip(word, other, strict=False)) if one != two), min(map(len, (word, other)))
    )
    rest, other_rest = word[start:], other[start:]
    swapped = rest[1:2] + rest[:1] + rest[2:]
    return word != other and (
        rest[1:] in {other_rest, other_rest[1:]} or rest == other_rest[1:] or (len(rest) > 1 and swapped == other_rest)
    )


def _list_deletions(word: str) -> Iterator[str]:
    return (word[:place] + word[place + 1 :] for place in range(len(word)))
