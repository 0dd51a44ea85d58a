"""Queries widened by the vocabulary: other ways to write their concepts, broader and narrower ones, misspelt words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from rapidfuzz import fuzz, process

from histoseek.reports.concepts.terms import Mention, find_terms
from histoseek.reports.concepts.vocabulary import Vocabulary, load_vocabulary
from histoseek.reports.language.negation import Status
from histoseek.reports.language.words import normalise_word

Relation = Literal["named", "synonym", "broader", "narrower"]

_WORD = re.compile(r"[^\W\d_]{4,}")
_CLOSE_ENOUGH = 85.0


@dataclass(frozen=True, slots=True)
class Expansion:
    """How much each relation counts beside what the query names (1.0); 0 leaves it out.

    A broader concept counts `broader` for each step up the tree, at most `steps` of them; so for narrower ones.
    """

    synonym: float = 0.8
    broader: float = 0.0
    narrower: float = 0.5
    steps: int = 2


@dataclass(frozen=True, slots=True)
class WeightedTerm:
    """A way to write a concept, its relation to what the query names, and its weight in (0, 1]."""

    text: str
    concept_id: str
    relation: Relation
    weight: float
    exact_case: bool


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A word of the query that is known nowhere, and the known word nearest to it; `likeness` is up to 100."""

    start: int
    end: int
    word: str
    suggestion: str
    likeness: float


@dataclass(frozen=True, slots=True)
class ConceptQuery:
    """A query as concepts.

    `concepts` are those asked for and `excluded` those denied in it ("no necrosis"), most specific first named;
    `terms` spell out the first and `excluded_terms` the second, with all that lies below them. `rest` is the query
    without its concepts and without the words that deny.
    """

    text: str
    concepts: tuple[str, ...]
    excluded: tuple[str, ...]
    terms: tuple[WeightedTerm, ...]
    excluded_terms: tuple[WeightedTerm, ...]
    rest: str
    suggestions: tuple[Suggestion, ...]


def expand_query(
    query: str,
    vocabulary: Vocabulary | None = None,
    expansion: Expansion | None = None,
    known_words: frozenset[str] = frozenset(),
) -> ConceptQuery:
    """Widen a query; `known_words` (those of an archive's reports, say) are not taken for misspelt."""
    vocabulary, weights = vocabulary or load_vocabulary(), expansion or Expansion()
    mentions = find_terms(query, vocabulary)
    denied = {mention.concept_id for mention in mentions if mention.status == Status.NEGATED}
    concepts = vocabulary.keep_most_specific(
        mention.concept_id for mention in mentions if mention.concept_id not in denied
    )
    excluded = tuple(dict.fromkeys(mention.concept_id for mention in mentions if mention.concept_id in denied))
    whole = Expansion(synonym=1.0, broader=0.0, narrower=1.0, steps=len(vocabulary.concepts))
    return ConceptQuery(
        text=query,
        concepts=concepts,
        excluded=excluded,
        terms=_weigh_terms(concepts, vocabulary, weights),
        excluded_terms=_weigh_terms(excluded, vocabulary, whole),
        rest=_remove_mentions(query, mentions),
        suggestions=suggest_words(query, vocabulary, known_words),
    )


def suggest_words(
    query: str, vocabulary: Vocabulary | None = None, known_words: frozenset[str] = frozenset()
) -> tuple[Suggestion, ...]:
    """The nearest known word for each word of four letters or more that is known nowhere ("adenocarcinma").

    Nearness is the normalised similarity of rapidfuzz's `ratio`; nothing is suggested below 85 of 100.
    """
    spellings = _index_vocabulary_words(vocabulary or load_vocabulary())
    keys = _normalise_words(known_words)
    suggestions = []
    for match in _WORD.finditer(query):
        word = match.group()
        if normalise_word(word) in spellings or normalise_word(word) in keys:
            continue
        best = process.extractOne(
            word.lower(), [*spellings.values(), *known_words], scorer=fuzz.ratio, score_cutoff=_CLOSE_ENOUGH
        )
        if best is not None:
            suggestions.append(Suggestion(match.start(), match.end(), word, best[0], round(best[1], 1)))
    return tuple(suggestions)


def _weigh_terms(
    concept_ids: tuple[str, ...], vocabulary: Vocabulary, expansion: Expansion
) -> tuple[WeightedTerm, ...]:
    """The ways to write some concepts and their relatives, heaviest first; of equal spellings the heaviest stays."""
    best: dict[str, WeightedTerm] = {}
    for term in (term for concept_id in concept_ids for term in _weigh_relatives(concept_id, vocabulary, expansion)):
        best_term = best.get(term.text.lower())
        if best_term is None or best_term.weight < term.weight:
            best[term.text.lower()] = term
    return tuple(sorted(best.values(), key=lambda term: -term.weight))


def _weigh_relatives(concept_id: str, vocabulary: Vocabulary, expansion: Expansion) -> Iterator[WeightedTerm]:
    yield from _weigh_spellings(concept_id, vocabulary, "named", 1.0, expansion.synonym)
    for relation, share in (("broader", expansion.broader), ("narrower", expansion.narrower)):
        visited = {concept_id}
        level, weight = [concept_id], 1.0
        for _ in range(expansion.steps if share else 0):
            above = relation == "broader"
            neighbours = [
                neighbour
                for concept in level
                for neighbour in _list_neighbours(concept, vocabulary, above)
                if neighbour not in visited
            ]
            level, weight = list(dict.fromkeys(neighbours)), weight * share
            if not level:
                break
            visited.update(level)
            for concept in level:
                yield from _weigh_spellings(concept, vocabulary, "broader" if above else "narrower", weight, 1.0)


def _list_neighbours(concept_id: str, vocabulary: Vocabulary, above: bool) -> tuple[str, ...]:
    return vocabulary[concept_id].parents if above else vocabulary.children.get(concept_id, ())


def _weigh_spellings(
    concept_id: str, vocabulary: Vocabulary, relation: Relation, weight: float, synonym: float
) -> Iterator[WeightedTerm]:
    for index, surface in enumerate(vocabulary.list_surfaces(concept_id)):
        if index == 0:
            yield WeightedTerm(surface.text, concept_id, relation, weight, surface.exact)
        elif synonym:
            other: Relation = "synonym" if relation == "named" else relation
            yield WeightedTerm(surface.text, concept_id, other, weight * synonym, surface.exact)


def _remove_mentions(query: str, mentions: tuple[Mention, ...]) -> str:
    """What no concept and no denying word takes up."""
    places = [(mention.start, mention.end) for mention in mentions]
    places += [
        (mention.cue.start, mention.cue.end) for mention in mentions if mention.cue and mention.status == Status.NEGATED
    ]
    characters = list(query)
    for start, end in places:
        characters[start:end] = " " * (end - start)
    return re.sub(r"[\s,;.]+", " ", "".join(characters)).strip()


@lru_cache(maxsize=4)
def _normalise_words(words: frozenset[str]) -> frozenset[str]:
    return frozenset(normalise_word(word) for word in words)


@lru_cache(maxsize=8)
def _index_vocabulary_words(vocabulary: Vocabulary) -> dict[str, str]:
    """Each word of four letters or more by its evened form."""
    words: dict[str, str] = {}
    for concept_id in vocabulary.concepts:
        for surface in vocabulary.list_surfaces(concept_id):
            for word in () if surface.exact else _WORD.findall(surface.text):
                words.setdefault(normalise_word(word), word.lower())
    return words
