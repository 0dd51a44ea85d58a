"""Short statements about the vocabulary's concepts, as people type them into a search box."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from histoseek.reports.concepts.vocabulary import Vocabulary
from histoseek.training.text.facts import Passage, opposes, read_passage
from histoseek.training.text.opposites import find_siblings

Rng = np.random.Generator

AFFIRMING = (
    "{}", "{}", "{} present", "{} is present", "{} is seen", "{} identified", "{}: present", "there is {}", "with {}",
    "shows {}", "{}.",
)  # fmt: skip
DENYING = (
    "no {}", "no {}", "{} absent", "{} is absent", "without {}", "no evidence of {}", "{} not identified",
    "{}: absent", "{} is not seen", "negative for {}", "there is no {}",
)  # fmt: skip
_DENIED_SHARE = 0.3
_STATED = ("diagnosis", "finding")


def list_stated_concepts(vocabulary: Vocabulary) -> tuple[str, ...]:
    """The concepts that statements are about: diagnoses and findings."""
    return tuple(sorted(concept.id for concept in vocabulary.concepts.values() if concept.kind in _STATED))


def statement_triple(
    concept_id: str, rng: Rng, vocabulary: Vocabulary
) -> tuple[Passage, Passage, tuple[Passage, ...]] | None:
    """Two statements that agree on a concept, and statements that oppose the first: the same of a sibling, and the
    contrary; None where wording alone cannot tell them apart."""
    is_denied = rng.random() < _DENIED_SHARE
    same, contrary = (DENYING, AFFIRMING) if is_denied else (AFFIRMING, DENYING)
    first = read_passage(_fill_in(same, concept_id, rng, vocabulary), vocabulary)
    second = read_passage(_fill_in(same, concept_id, rng, vocabulary), vocabulary)
    others = find_siblings(concept_id, vocabulary)
    near = [read_passage(_fill_in(contrary, concept_id, rng, vocabulary), vocabulary)]
    if others:
        chosen = others[int(rng.integers(len(others)))]
        near.append(read_passage(_fill_in(same, chosen, rng, vocabulary), vocabulary))
    if first.key == second.key or first.facts != second.facts:
        return None
    return first, second, tuple(other for other in near if opposes(other, first))


def query_about(whole: Passage, rng: Rng, vocabulary: Vocabulary) -> Passage | None:
    """A short query that a report answers: one or two of the most specific concepts it affirms, in any wording."""
    affirmed = [fact[1:] for fact in whole.facts if fact.startswith("+")]
    concepts = sorted(
        concept for concept in vocabulary.keep_most_specific(sorted(affirmed)) if vocabulary[concept].kind in _STATED
    )
    if not concepts:
        return None
    count = min(len(concepts), 1 + int(rng.integers(2)))
    chosen = [concepts[int(place)] for place in rng.permutation(len(concepts))[:count]]
    return read_passage(" with ".join(_surface(concept, rng, vocabulary) for concept in chosen), vocabulary, whole)


def _fill_in(forms: Sequence[str], concept_id: str, rng: Rng, vocabulary: Vocabulary) -> str:
    return forms[int(rng.integers(len(forms)))].format(_surface(concept_id, rng, vocabulary))


def _surface(concept_id: str, rng: Rng, vocabulary: Vocabulary) -> str:
    surfaces = vocabulary.list_surfaces(concept_id)
    return surfaces[int(rng.integers(len(surfaces)))].text
