"""What a query states, and which reports contradict it: a preference, for whoever ranks them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from histoseek.reports.concepts.terms import find_terms
from histoseek.reports.concepts.vocabulary import Vocabulary, load_vocabulary
from histoseek.reports.facts.report_facts import VALUE_FIELDS
from histoseek.reports.index.analyser import Term, analyse_query
from histoseek.reports.index.weighting import Weighting
from histoseek.reports.language.negation import Status
from histoseek.reports.language.words import Span

MOST_CHARACTERS = 2000
MOST_STATEMENTS = 24
"""Of longer texts, such as whole reports, no statement weighs enough to matter."""

_LONGEST_BARE = 200

_STATED = ("diagnosis", "finding")
_AXES = frozenset("tnm")
_AGAINST_SCORE = {"3+": "negative", "0": "positive", "1+": "positive"}
_FORMS = (
    ("number", re.compile(r"\d+")),
    ("part of a category", re.compile(r"\d[a-z]\w*")),
    ("score", re.compile(r"\d\+")),
    ("sum", re.compile(r"\d\+\d")),
    ("name", re.compile(r"[a-z]{3,}")),
)

_STATUSES = {Status.AFFIRMED, Status.NEGATED}

_FieldForm = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Statement:
    """A concept or a value that a query speaks of, and what reports may state instead.

    A report contradicts it that has none of the agreeing facts, and has an opposing one or another value of a rival
    field. Rivals are fields with the form of their values ("grade:high" is none of "grade:3"); neutral: facts that are
    no contradiction although a rival field has them. share: how much of the query it is, 0 to 1.
    """

    share: float
    agreeing: frozenset[str]
    opposing: frozenset[str] = frozenset()
    rivals: frozenset[_FieldForm] = frozenset()
    neutral: frozenset[str] = frozenset()

    def is_contradicted(self, facts: Collection[str]) -> bool:
        """Whether a report with these facts says otherwise; not where it says nothing of it, or both."""
        if not self.agreeing.isdisjoint(facts):
            return False
        rival = (_find_form(fact) in self.rivals for fact in facts if fact not in self.neutral)
        return not self.opposing.isdisjoint(facts) or (bool(self.rivals) and any(rival))


def list_statements(text: str, weighting: Weighting, vocabulary: Vocabulary | None = None) -> tuple[Statement, ...]:
    """What a text affirms or denies, and the grades, stages and stains that it names; nothing of a long one."""
    if len(text) > MOST_CHARACTERS:
        return ()
    vocabulary = vocabulary or load_vocabulary()
    terms = [term for term in analyse_query(text, vocabulary) if term.kind != "broader"]
    concepts: dict[tuple[str, Status], list[Span]] = defaultdict(list)
    for mention in find_terms(text, vocabulary):
        if mention.status in _STATUSES and vocabulary[mention.concept_id].kind in _STATED:
            concepts[mention.concept_id, mention.status].append(Span(mention.start, mention.end))
    values: dict[str, list[Term]] = defaultdict(list)
    for term in terms:
        if term.kind == "value" and not term.token.startswith("size:"):
            values[_find_field(term)].append(term)
    if len(concepts) + len(values) > MOST_STATEMENTS:
        return ()
    return (
        *(
            _state_concept(concept_id, status, _find_share(places, terms, weighting), vocabulary)
            for (concept_id, status), places in concepts.items()
        ),
        *(
            _state_value(field, own, _find_share([Span(term.start, term.end) for term in own], terms, weighting))
            for field, own in values.items()
        ),
    )


def is_bare(text: str, status: Status, vocabulary: Vocabulary | None = None) -> bool:
    """Whether a text is nothing but concepts of one status ("no tumour necrosis"): a denial reaches all its words.

    Beside what is affirmed, values and one other word may stand ("invasive carcinoma, grade 3").
    """
    if len(text) > _LONGEST_BARE:
        return False
    terms = analyse_query(text, vocabulary or load_vocabulary())
    named = [Span(term.start, term.end) for term in terms if term.kind in ("concept", "value")]
    if not any(term.kind == "concept" for term in terms):
        return False
    if any(term.status != status for term in terms if term.kind != "value" or status == Status.NEGATED):
        return False
    words = [term for term in terms if term.kind == "word"]
    return status == Status.NEGATED or len(words) - len(_list_terms_at(named, words)) <= 1


def _find_share(places: Sequence[Span], terms: Sequence[Term], weighting: Weighting) -> float:
    """How much of a text's weight stands at some places."""
    return _weigh(_list_terms_at(places, terms), weighting) / _weigh(terms, weighting)


def _list_terms_at(places: Sequence[Span], terms: Sequence[Term]) -> list[Term]:
    """The terms that overlap any of some places."""
    covered = {position for place in places for position in range(place.start, place.end)}
    return [term for term in terms if not covered.isdisjoint(range(term.start, term.end))]


def _weigh(terms: Iterable[Term], weighting: Weighting) -> float:
    weights = {"word": 1.0, "concept": weighting.concept, "value": weighting.value}
    return sum({term.token: weights[term.kind] for term in terms}.values())


def _state_concept(concept_id: str, status: Status, share: float, vocabulary: Vocabulary) -> Statement:
    kind = vocabulary[concept_id].kind
    stated, denied = f"{kind}:{concept_id}", f"absent:{concept_id}"
    if status == Status.NEGATED:
        return Statement(share, frozenset({denied}), frozenset({stated}))
    above = (f"absent:{other}" for other in vocabulary.find_ancestors(concept_id))
    return Statement(share, frozenset({stated}), frozenset({denied, *above}))


def _state_value(field: str, terms: Sequence[Term], share: float) -> Statement:
    """One field's values, whatever a category is based on; of "pT3a" and "4+3" the exact ones count."""
    facts = {f"{field}:{term.token.partition(':')[2]}" for term in terms}
    forms = {form for form in map(_find_form, facts) if form}
    has_sum = (field, "sum") in forms
    coarse = {
        fact
        for fact in facts
        if any(other != fact and other.startswith(fact) for other in facts)
        or (has_sum and _find_form(fact) == (field, "number"))
    }
    scores = {} if field in VALUE_FIELDS else _AGAINST_SCORE
    opposing = {f"{field}:{value}" for score, value in scores.items() if f"{field}:{score}" in facts}
    return Statement(share, frozenset(facts - coarse), frozenset(opposing), frozenset(forms), frozenset(coarse))


def _find_field(term: Term) -> str:
    """The field of a value; of a category its axis."""
    field = term.token.partition(":")[0]
    return field[-1] if len(field) <= 2 and field[-1] in _AXES else field


@lru_cache(maxsize=65536)
def _find_form(fact: str) -> _FieldForm | None:
    field, _, value = fact.partition(":")
    return next(((field, name) for name, pattern in _FORMS if pattern.fullmatch(value)), None)
