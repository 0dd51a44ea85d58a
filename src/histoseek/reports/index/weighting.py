"""What of a query counts how much in search for words."""

from __future__ import annotations

from dataclasses import dataclass

from histoseek.reports.concepts.terms import Mention, find_terms
from histoseek.reports.concepts.vocabulary import Vocabulary, load_vocabulary
from histoseek.reports.facts.report_facts import STATUS_FIELDS, make_concept_token
from histoseek.reports.index.analyser import WORD_PREFIX, Term, analyse_query
from histoseek.reports.language.negation import Status

MOST_TOKENS = 256
"""Tokens of a query that are looked for: concepts and values first, then words in their order."""


@dataclass(frozen=True, slots=True)
class Weighting:
    """How much a token counts beside a word of the query (1.0); 0 leaves it out.

    concept: what the query names, however a report writes it, and all that is a kind of it; broader: what that is a
    kind of, for each step up the tree; value: grades, stages and the like; uncertain and past: what a report only
    suspects, or says of the past.
    """

    concept: float = 1.0
    broader: float = 0.3
    value: float = 1.0
    uncertain: float = 0.4
    past: float = 0.2


WORDS_ONLY = Weighting(concept=0.0, broader=0.0)


def weigh_tokens(text: str, weighting: Weighting, vocabulary: Vocabulary | None = None) -> dict[str, float]:
    """The tokens to look for, and how much each counts: the largest of its weights in the text.

    What the text denies ("no necrosis") is looked for where reports deny it, or deny what it is a kind of.
    """
    vocabulary = vocabulary or load_vocabulary()
    weights: dict[str, float] = {}
    terms = sorted(analyse_query(text, vocabulary), key=lambda term: term.kind == "word")
    for term in terms:
        for token, weight in weigh_term(term, weighting):
            weights[token] = max(weight, weights.get(token, 0.0))
    for mention in find_terms(text, vocabulary) if weighting.broader else ():
        for token, weight in weigh_broader(mention, weighting, vocabulary):
            weights[token] = max(weight, weights.get(token, 0.0))
    positive = [(token, weight) for token, weight in weights.items() if weight > 0]
    return dict(positive[:MOST_TOKENS])


def weigh_term(term: Term, weighting: Weighting) -> list[tuple[str, float]]:
    """What one term of a query is looked for by, with weights; nothing for what a named concept is a kind of."""
    if term.kind == "value":
        return [(term.token, weighting.value)]
    if term.kind == "broader":
        return []
    whole = 1.0 if term.kind == "word" else weighting.concept
    if term.status == Status.NEGATED:
        return [(term.token, whole)]
    weaker = ((Status.UNCERTAIN, weighting.uncertain), (Status.HISTORICAL, weighting.past))
    if term.kind == "word":
        form = term.token.removeprefix(WORD_PREFIX[term.status])
        others = [(WORD_PREFIX[status] + form, weight) for status, weight in weaker]
        return [(form, whole), *others, (term.token, whole)]
    concept_id = term.token.partition(":")[2]
    return [
        (term.token, whole),
        *((f"{STATUS_FIELDS[status]}:{concept_id}", whole * weight) for status, weight in weaker),
    ]


def weigh_broader(mention: Mention, weighting: Weighting, vocabulary: Vocabulary) -> list[tuple[str, float]]:
    """Concepts above one that is named, each for its steps up the tree; for a denied one, where they are denied."""
    weights = []
    level, weight = vocabulary[mention.concept_id].parents, weighting.broader
    while level:
        weights += [
            (make_concept_token(mention, concept_id, vocabulary), weighting.concept * weight) for concept_id in level
        ]
        level = tuple(dict.fromkeys(parent for concept_id in level for parent in vocabulary[concept_id].parents))
        weight *= weighting.broader
    return weights
