"""Short statements about the vocabulary's concepts, as people type them into a search box."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from histoseek.reports.concepts.vocabulary import Vocabulary
from histoseek.training.text.facts import Passage, opposes, passage
from histoseek.training.text.opposites import siblings

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


def stated_concepts(vocabulary: Vocabulary) -> tuple[str, ...]:
    """The concepts that statements are about: diagnoses and findings."""
    return tuple(sorted(one.id for one in vocabulary.concepts.values() if one.kind in _STATED))


def statement_triple(
    concept_id: str, rng: Rng, vocabulary: Vocabulary
) -> tuple[Passage, Passage, tuple[Passage, ...]] | None:
    """Two statements that agree on a concept, and statements that oppose the first: the same of a sibling, and the
    contrary; None where wording alone cannot tell them apart."""
    is_denied = rng.random() < _DENIED_SHARE
    same, contrary = (DENYING, AFFIRMING) if is_denied else (AFFIRMING, DENYING)
    first = passage(_worded(same, concept_id, rng, vocabulary), vocabulary)
    second = passage(_worded(same, concept_id, rng, vocabulary), vocabulary)
    others = siblings(concept_id, vocabulary)
    near = [passage(_worded(contrary, concept_id, rng, vocabulary), vocabulary)]
    if others:
        chosen = others[int(rng.integers(len(others)))]
        near.append(passage(_worded(same, chosen, rng, vocabulary), vocabulary))
    if first.key == second.key or first.facts != second.facts:
        return None
    return first, second, tuple(one for one in near if opposes(one, first))


def query_about(whole: Passage, rng: Rng, vocabulary: Vocabulary) -> Passage | None:
    """A short query that a report answers: one or two of the most specific concepts it affirms, in any wording."""
    named = [fact[1:] for fact in whole.facts if fact.startswith("+")]
    found = sorted(one for one in vocabulary.keep_most_specific(sorted(named)) if vocabulary[one].kind in _STATED)
    if not found:
        return None
    count = min(len(found), 1 + int(rng.integers(2)))
    chosen = [found[int(place)] for place in rng.permutation(len(found))[:count]]
    return passage(" with ".join(_surface(one, rng, vocabulary) for one in chosen), vocabulary, whole)


def _worded(forms: Sequence[str], concept_id: str, rng: Rng, vocabulary: Vocabulary) -> str:
    return forms[int(rng.integers(len(forms)))].format(_surface(concept_id, rng, vocabulary))


def _surface(concept_id: str, rng: Rng, vocabulary: Vocabulary) -> str:
    surfaces = vocabulary.list_surfaces(concept_id)
    return surfaces[int(rng.integers(len(surfaces)))].text
