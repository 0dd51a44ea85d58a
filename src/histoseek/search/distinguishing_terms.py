"""Terms of reports that one group of patients' reports state more often than another's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import comb
from typing import Literal

from histoseek.reports.concepts.vocabulary import Vocabulary, load_vocabulary
from histoseek.reports.facts.prompts import ConceptStatements, parse_statements
from histoseek.reports.facts.report_facts import find_marker

TermKind = Literal["finding", "tissue", "marker"]
"""Names of diagnoses are no terms here: that their own reports state them tells nobody anything."""

_CONCEPT_KINDS: tuple[TermKind, ...] = ("finding", "tissue")
_POSITIVE, _NEGATIVE = "positive", "negative"
_OPPOSITE = {_POSITIVE: _NEGATIVE, _NEGATIVE: _POSITIVE}

PatientFacts = Sequence[Sequence[str]]
"""What the reports of one patient state, as archives keep it: of each report its `field:value`."""


@dataclass(frozen=True, slots=True)
class DistinguishingTerm:
    """A term that one group's reports state more often.

    name: as people write it ("keratin pearls", "CK7 negative"); field and value: as filters have it; stated, judged:
    how many patients' reports state it, of how many that tell; other_stated, other_judged: the same of the other group;
    chance: how probable it is that some term of those compared differs as much by chance alone, 0 to 1 (Fisher's exact
    test, one-sided, times the number of terms: Bonferroni).
    """

    kind: TermKind
    name: str
    field: str
    value: str
    stated: int
    judged: int
    other_stated: int
    other_judged: int
    chance: float

    def __str__(self) -> str:
        return f"{self.name}: {self.stated} of {self.judged} against {self.other_stated} of {self.other_judged}"


@dataclass(frozen=True, slots=True)
class _Term:
    kind: TermKind
    name: str
    field: str
    value: str


def find_distinguishing_terms(
    group: Sequence[PatientFacts], others: Sequence[PatientFacts], most: int, vocabulary: Vocabulary | None = None
) -> tuple[DistinguishingTerm, ...]:
    """The terms that a larger share of a group's patients state than of the others', most telling first.

    most: how many at most. A patient whose reports neither state a term nor deny it, nor are long enough to be silent
    on purpose, does not count for it; of terms that the same patients state the narrowest is kept.
    """
    vocabulary = vocabulary or load_vocabulary()
    own, other = _Statements.read(group, vocabulary), _Statements.read(others, vocabulary)
    tested = [_compare(term, own, other) for term in sorted({*own.terms, *other.terms}, key=_by_name)]
    telling = [one for one in tested if one.stated * one.other_judged > one.other_stated * one.judged]
    said = [one for one in telling if not _is_said_narrower(one, telling, own, other, vocabulary)]
    corrected = (replace(one, chance=min(1.0, one.chance * len(tested))) for one in said)
    ordered = sorted(corrected, key=lambda one: (one.chance, -one.stated / one.judged, one.name))
    return tuple(ordered[:most])


@dataclass(frozen=True, slots=True)
class _Statements:
    """What the patients of a group are told to have: terms, by term the patients that state it, and what each is silent
    about."""

    terms: Mapping[_Term, frozenset[int]]
    patients: Sequence[tuple[ConceptStatements, ...]]
    markers: Sequence[frozenset[str]]

    @classmethod
    def read(cls, group: Sequence[PatientFacts], vocabulary: Vocabulary) -> _Statements:
        reports = [tuple(parse_statements(facts, vocabulary) for facts in patient) for patient in group]
        markers = [frozenset(fact for facts in patient for fact in facts if _is_marker(fact)) for patient in group]
        stating: dict[_Term, set[int]] = {}
        for place, (statements, results) in enumerate(zip(reports, markers, strict=True)):
            for term in (*_list_concepts(statements, vocabulary), *_list_markers(results)):
                stating.setdefault(term, set()).add(place)
        return cls({term: frozenset(places) for term, places in stating.items()}, reports, markers)

    def find_stating(self, term: _Term) -> frozenset[int]:
        """The patients whose reports state a term."""
        return self.terms.get(term, frozenset())

    def count_judged(self, term: _Term) -> int:
        """How many patients' reports tell of a term."""
        stating = self.find_stating(term)
        return len(stating) + sum(
            1 for place in range(len(self.patients)) if place not in stating and self._denies(place, term)
        )

    def _denies(self, place: int, term: _Term) -> bool:
        if term.kind == "marker":
            return f"{term.field}:{_OPPOSITE[term.value]}" in self.markers[place]
        return any(report.is_silent(term.value) for report in self.patients[place])


def _list_concepts(statements: Iterable[ConceptStatements], vocabulary: Vocabulary) -> Iterator[_Term]:
    for concept_id in {concept_id for report in statements for concept_id in report.stated}:
        concept = vocabulary[concept_id]
        for kind in _CONCEPT_KINDS:
            if concept.kind == kind:
                yield _Term(kind, concept.name, kind, concept_id)


def _is_marker(fact: str) -> bool:
    field, _, value = fact.partition(":")
    return value in _OPPOSITE and find_marker(field) is not None


def _list_markers(facts: Iterable[str]) -> Iterator[_Term]:
    """The results of markers; one that is positive anywhere is not negative."""
    results = [fact.partition(":") for fact in facts]
    positive = {field for field, _, value in results if value == _POSITIVE}
    for field, _, value in results:
        if value == _POSITIVE or field not in positive:
            yield _Term("marker", f"{find_marker(field)} {value}", field, value)


def _by_name(term: _Term) -> tuple[str, str]:
    return term.name, term.field


def _compare(term: _Term, own: _Statements, other: _Statements) -> DistinguishingTerm:
    stated, judged = len(own.find_stating(term)), own.count_judged(term)
    other_stated, other_judged = len(other.find_stating(term)), other.count_judged(term)
    return DistinguishingTerm(
        term.kind,
        term.name,
        term.field,
        term.value,
        stated,
        judged,
        other_stated,
        other_judged,
        chance=measure_chance_of_difference(stated, judged, other_stated, other_judged),
    )


def measure_chance_of_difference(stated: int, judged: int, other_stated: int, other_judged: int) -> float:
    """How probable it is to find so many of all that state a term, or more, in a group of `judged`, where groups do not
    differ: the upper tail of the hypergeometric distribution (Fisher's exact test, one-sided)."""
    all_stated, everybody = stated + other_stated, judged + other_judged
    ways = comb(everybody, judged)
    tail = sum(
        comb(all_stated, many) * comb(everybody - all_stated, judged - many)
        for many in range(stated, min(all_stated, judged) + 1)
    )
    return tail / ways


def _is_said_narrower(
    term: DistinguishingTerm,
    telling: Sequence[DistinguishingTerm],
    own: _Statements,
    other: _Statements,
    vocabulary: Vocabulary,
) -> bool:
    """Whether a kind of the term is stated by the very patients that state the term."""
    if term.kind == "marker":
        return False
    below = vocabulary.find_descendants(term.value)
    stating = _find_all(term, own, other)
    return any(one.value in below and _find_all(one, own, other) == stating for one in telling)


def _find_all(term: DistinguishingTerm, own: _Statements, other: _Statements) -> tuple[frozenset[int], frozenset[int]]:
    same = _Term(term.kind, term.name, term.field, term.value)
    return own.find_stating(same), other.find_stating(same)
