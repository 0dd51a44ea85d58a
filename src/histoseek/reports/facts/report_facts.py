"""What a report states, as `field:value`: to filter by, to count and to search for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from histoseek.reports.concepts.terms import Mention
from histoseek.reports.concepts.vocabulary import Vocabulary
from histoseek.reports.facts.markers import MARKER_NAMES
from histoseek.reports.facts.structured import StructuredReport
from histoseek.reports.language.negation import Status
from histoseek.reports.language.words import Span

STATUS_FIELDS = {Status.NEGATED: "absent", Status.UNCERTAIN: "possible", Status.HISTORICAL: "past"}
"""The fields of concepts that a report names and does not affirm; affirmed ones are in the field of their kind."""

CONCEPT_FIELDS = ("organ", "anatomy", "tissue", "procedure", "laterality", "diagnosis", "finding", "stain")
"""Fields whose values are ids of concepts; `organ` is where the specimen is from, `anatomy` any organ that is named."""

VALUE_FIELDS = (
    *("grade", "nottingham", "differentiation", "gleason", "gradegroup", "stage", "margin", "nodes", "quality"),
    *(basis + axis for axis in "tnm" for basis in ("", "p", "c")),
    *("l", "v", "pni", "r"),
)
"""Fields whose values are read from the text; those of stains are named after their markers ("her2", "ki67").

l, v, pni and r are the categories L, V, Pn and R beside a TNM stage (`pn` is the N of pathology).
"""

_AXIS_FIELDS = {"Pn": "pni"}
UNSPOKEN = frozenset({Status.UNSTATED, Status.ELSEWHERE})
"""Statuses that give no fact and no token: the report says nothing of the concept, or speaks of something else."""

_NO_NAME = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Fact:
    """A field with its value, and where in the text it stands."""

    field: str
    value: str
    span: Span

    @property
    def token(self) -> str:
        """As archives keep it: "grade:3"."""
        return f"{self.field}:{self.value}"


def list_facts(report: StructuredReport, vocabulary: Vocabulary) -> tuple[str, ...]:
    """All that a report states, each once: concepts with what they are kinds of, and values.

    A concept that is only denied is `absent:ID`, without what it is a kind of: no adenocarcinoma can be a carcinoma.
    """
    tokens = [token for mention in report.mentions for token in _list_mention_tokens(mention, report.organ, vocabulary)]
    tokens += [f"organ:{report.organ}"] if report.organ else []
    affirmed = {token.partition(":")[2] for token in tokens if token.partition(":")[0] in CONCEPT_FIELDS}
    stated = (token for token in tokens if not (_is_unaffirmed(token) and token.partition(":")[2] in affirmed))
    return tuple(dict.fromkeys((*stated, *(fact.token for fact in list_values(report)))))


def make_concept_token(mention: Mention, concept_id: str, vocabulary: Vocabulary) -> str:
    """The token of a concept, or of one above it, as a mention speaks of it."""
    kind = vocabulary[concept_id].kind
    field = STATUS_FIELDS.get(mention.status) or ("anatomy" if kind == "organ" else kind)
    return f"{field}:{concept_id}"


def list_broader(mention: Mention, vocabulary: Vocabulary) -> tuple[str, ...]:
    """What is also said with a mention: the concepts that it is a kind of, but not where it is denied."""
    return () if mention.status == Status.NEGATED else tuple(sorted(vocabulary.find_ancestors(mention.concept_id)))


def list_values(report: StructuredReport) -> Iterator[Fact]:
    """Grades, stages, margins, nodes and stains, where the text has them."""
    for grade in report.grades:
        yield Fact("grade", grade.value, grade.span)
    if report.nottingham is not None and (grade_value := report.nottingham.grade or report.nottingham.implied_grade):
        yield from (Fact(field, str(grade_value), report.nottingham.span) for field in ("grade", "nottingham"))
    for level in report.differentiation:
        yield Fact("differentiation", level.value, level.span)
    for sum_ in report.gleason:
        yield Fact("gleason", str(sum_.score), sum_.span)
        yield Fact("gleason", f"{sum_.primary}+{sum_.secondary}", sum_.span)
        yield Fact("gradegroup", str(sum_.grade_group), sum_.span)
    for score in report.gleason_scores:
        yield Fact("gleason", str(score.value), score.span)
    for group in report.grade_groups:
        yield Fact("gradegroup", str(group.value), group.span)
    yield from _list_stages(report)
    for margin in report.margins:
        if margin.status is not None:
            yield Fact("margin", margin.status, margin.span)
    for count in report.nodes:
        yield Fact("nodes", "positive" if count.positive else "negative", count.span)
    yield from _list_stains(report)


def _list_stages(report: StructuredReport) -> Iterator[Fact]:
    """Categories with and without their letter: "ypT2a" is pt:2a, pt:2, t:2a and t:2."""
    for category in report.tnm:
        value = category.value.lower()
        axis = _AXIS_FIELDS.get(category.axis, category.axis.lower())
        for field in dict.fromkeys((category.basis + axis, axis)):
            for variant in dict.fromkeys((value, value[0] if value[0].isdigit() else value)):
                yield Fact(field, variant, category.span)
    for group in report.stage_groups:
        value = group.value.lower()
        for variant in dict.fromkeys((value, value[0])):
            yield Fact("stage", variant, group.span)


def _list_stains(report: StructuredReport) -> Iterator[Fact]:
    for stain in report.stains:
        percent = None if stain.low_percent is None else f"{stain.low_percent:g}%"
        for value in filter(None, (stain.result, stain.score, percent)):
            yield Fact(name_marker_field(stain.marker), value, stain.span)


def name_marker_field(marker: str) -> str:
    """The field of a marker: "Ki-67" is ki67."""
    return _NO_NAME.sub("", marker).lower()


def find_marker(field: str) -> str | None:
    """The marker whose results a field has, as people write it; None for a field of anything else."""
    if field in _OTHER_FIELDS:
        return None
    return _MARKERS_BY_FIELD.get(field, field.upper())


_OTHER_FIELDS = frozenset((*CONCEPT_FIELDS, *VALUE_FIELDS, *STATUS_FIELDS.values()))
_MARKERS_BY_FIELD = {name_marker_field(name): name for name in MARKER_NAMES}


def _list_mention_tokens(mention: Mention, organ: str, vocabulary: Vocabulary) -> Iterable[str]:
    for concept_id in () if mention.status in UNSPOKEN else (mention.concept_id, *list_broader(mention, vocabulary)):
        yield make_concept_token(mention, concept_id, vocabulary)
        is_part = organ and mention.status == Status.AFFIRMED and vocabulary[concept_id].kind == "organ"
        if is_part and vocabulary.find_organ(concept_id) == organ:
            yield f"organ:{concept_id}"


def _is_unaffirmed(token: str) -> bool:
    return token.partition(":")[0] in STATUS_FIELDS.values()
