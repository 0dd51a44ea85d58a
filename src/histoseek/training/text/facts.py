"""What a text says, as facts that can be compared: which texts may teach a model to tell them apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from histoseek.reports.concepts.vocabulary import Vocabulary
from histoseek.reports.facts.structured import StructuredReport, extract_facts
from histoseek.reports.language.negation import Status

_KINDS = frozenset({"organ", "diagnosis", "finding", "stain"})
_SIGNS = {Status.AFFIRMED: "+", Status.NEGATED: "-", Status.UNCERTAIN: "?", Status.HISTORICAL: "<"}


@dataclass(frozen=True, slots=True)
class Passage:
    """A text that training sees: all of a report, a part of it, or a short statement.

    key: equal for texts of the same words; facts: what it says; source_facts: what the report says that it comes
    from, of which a part leaves some out (the same as `facts` for whole texts).
    """

    text: str
    key: str
    facts: frozenset[str]
    source_facts: frozenset[str]


def read_passage(text: str, vocabulary: Vocabulary, source: Passage | None = None) -> Passage:
    """Read a text's facts; source: the report that it is a part of."""
    facts = list_facts(text, vocabulary)
    return Passage(text, text_key(text), facts, facts | (source.source_facts if source else frozenset()))


def text_key(text: str) -> str:
    """Equal for texts that differ in white space, case of letters and marks at their end only."""
    return " ".join(text.lower().split()).rstrip(".,;: ")


def opposes(passage: Passage, other: Passage) -> bool:
    """Whether two passages may be held apart: other words, and neither says only what the other's report says too.

    A text without facts opposes nothing. So "adenocarcinoma" does not oppose "papillary adenocarcinoma, no necrosis",
    which says that and more, while "squamous cell carcinoma" and "necrosis" do.
    """
    if passage.key == other.key:
        return False
    return not (passage.facts <= other.source_facts or other.facts <= passage.source_facts)


def names_disease(passage: Passage, vocabulary: Vocabulary) -> bool:
    """Whether a passage says more than which organ it is about."""
    kinds = (vocabulary.concepts[fact[1:]].kind for fact in passage.facts if fact[1:] in vocabulary.concepts)
    return any(kind in ("diagnosis", "finding") for kind in kinds)


def list_facts(text: str, vocabulary: Vocabulary) -> frozenset[str]:
    """Concepts with their status, grades, stages and stains.

    What holds of a concept holds of those above it, and what is denied of one is denied of those below it. How tissue
    was taken, from which side, and figures in percent and mm are left out: reports that differ there alone agree.
    """
    report = extract_facts(text, vocabulary)
    return frozenset((*_concepts(report, vocabulary), *_grades(report)))


def _concepts(report: StructuredReport, vocabulary: Vocabulary) -> Iterator[str]:
    for mention in report.mentions:
        concept_id, sign = mention.concept_id, _SIGNS.get(mention.status)
        if sign is None or vocabulary[concept_id].kind not in _KINDS:
            continue
        denied = mention.status == Status.NEGATED
        related = vocabulary.find_descendants(concept_id) if denied else vocabulary.find_ancestors(concept_id)
        yield sign + concept_id
        yield from (sign + other for other in related)


def _grades(report: StructuredReport) -> Iterator[str]:
    for gleason in report.gleason:
        yield f"gleason {gleason.primary}+{gleason.secondary}"
    for group in report.grade_groups:
        yield f"grade group {group.value}"
    if report.nottingham is not None and report.nottingham.grade is not None:
        yield f"nottingham {report.nottingham.grade}"
    for level in report.differentiation:
        yield f"differentiation {level.value}"
    for grade in report.grades:
        yield f"{grade.scheme} {grade.value}"
    for stage in report.tnm:
        yield stage.label
    for stain in report.stains:
        yield f"{stain.marker} {stain.result} {stain.score}"
