"""Prompts: the concepts that an archive's reports state, and what each report says of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median

import numpy as np
from numpy.typing import NDArray

from histoseek.errors import NoPrompts
from histoseek.reports.concepts.vocabulary import Vocabulary, load_vocabulary
from histoseek.reports.facts.findings import decide_finding
from histoseek.reports.facts.report_facts import CONCEPT_FIELDS, STATUS_FIELDS, list_facts
from histoseek.reports.facts.structured import StructuredReport, extract_facts
from histoseek.reports.language.negation import Status

MOST_PROMPTS = 64
LEAST_PATIENTS = 5
"""Fewer patients teach a prompt by heart."""

MOST_SHARE = 0.9
"""A prompt that a larger share of the patients' reports state tells no slide from another."""

COMPLETE_CONCEPTS = 12
"""A report that names so many different concepts is silent on purpose about the others: such reports of TCGA say of
necrosis and invasion, there or not, about as often as the longest do (docs/decisions/0081)."""

_COMPLETE_SHARE = 0.5
"""Of what the median report of an archive names; where that is less, its reports are short by their form."""

PROMPT_KINDS = frozenset({"diagnosis", "finding", "tissue"})
"""What a field of a slide can show. Organs, procedures, sides and stains are of the specimen, not of a place in it."""

_NOWHERE = frozenset({"resection-margin", "clark-level", "breslow-thickness", "tumour-multifocality"})
"""Findings that no place on a slide shows: where it was cut, a measure, a count over the case."""

_MALIGNANT, _METASTASIS = "malignant-neoplasm", "metastasis"
_DENIED = STATUS_FIELDS[Status.NEGATED]


STATED, SILENT, UNKNOWN = 1, 0, -1
"""What a report says of a prompt: it states it; it denies it, or is long enough to be silent on purpose; nobody
knows."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A phrase that regions of slides are aligned with: a concept of the vocabulary.

    text: its preferred name, which text towers read; texts: all ways to write it, `text` first; patients: how many
    have a report that states it.
    """

    concept_id: str
    text: str
    texts: tuple[str, ...]
    patients: int


@dataclass(frozen=True, slots=True)
class ConceptStatements:
    """What a report says of the vocabulary's concepts, each in one of the sets at most.

    stated: affirmed, with all that it is a kind of; silent: denied, with all kinds of it, and what a report that
    states any diagnosis would not leave out; doubted: uncertain, or of the past, with all kinds of it; is_complete:
    whether the report is long enough to be silent on purpose about everything else.
    """

    stated: frozenset[str]
    silent: frozenset[str]
    doubted: frozenset[str]
    is_complete: bool

    def is_silent(self, concept_id: str) -> bool:
        """Whether the concept is held not to be there: it is denied, or would have been named."""
        if concept_id in self.silent:
            return True
        return self.is_complete and concept_id not in self.stated and concept_id not in self.doubted


def read_statements(
    text: str, vocabulary: Vocabulary | None = None, least_concepts: int = COMPLETE_CONCEPTS
) -> ConceptStatements:
    """What a report's text says of the concepts. Never raises for what a text says.

    Invasion of vessels and nerves, necrosis and growth through a capsule are as the section decides whose word counts
    most (`decide_finding`); forms and categories ("L0", "Pn1") count, too. least_concepts: how many different ones a
    report must name to be complete.
    """
    return read_corpus([text], vocabulary, least_concepts)[0]


def read_corpus(
    texts: Sequence[str], vocabulary: Vocabulary | None = None, least_concepts: int | None = None
) -> tuple[ConceptStatements, ...]:
    """What each of an archive's reports says, in their order; equal texts are read once.

    least_concepts: as for `read_statements`; None: COMPLETE_CONCEPTS, or half of what the median report names where
    that is less. Reports of such an archive are short by their form, and what they leave out is what its reports do
    not state: a score learnt so is as high as they are probable to state a thing (Elkan and Noto, KDD 2008).
    """
    vocabulary = vocabulary or load_vocabulary()
    read = {text: _read_facts(text, vocabulary) for text in dict.fromkeys(texts)}
    if least_concepts is None:
        usual = median(read[text].named for text in texts) if texts else 0
        least_concepts = min(COMPLETE_CONCEPTS, ceil(_COMPLETE_SHARE * usual))
    statements = {
        text: parse_statements(one.facts, vocabulary, is_complete=one.named >= least_concepts)
        for text, one in read.items()
    }
    return tuple(statements[text] for text in texts)


def parse_statements(
    facts: Iterable[str], vocabulary: Vocabulary | None = None, *, is_complete: bool = True
) -> ConceptStatements:
    """The same from facts as archives keep them (`list_facts`), without the text.

    A concept is stated where it or a kind of it is affirmed anywhere, even if it is denied elsewhere (of another
    specimen). Doubt comes before denial, and what is said of a concept itself before what is said of one above it.
    Denying a narrower concept does not deny the broader one.
    """
    vocabulary = vocabulary or load_vocabulary()
    by_field: dict[str, set[str]] = defaultdict(set)
    for field, _, value in (fact.partition(":") for fact in facts):
        if value in vocabulary.concepts:
            by_field[field].add(value)
    stated = frozenset[str]().union(*(by_field[field] for field in CONCEPT_FIELDS))
    open_fields = (field for field in STATUS_FIELDS.values() if field != _DENIED)
    doubted = frozenset[str]().union(*(by_field[field] for field in open_fields)) - stated
    denied = by_field[_DENIED] | _list_below(by_field[_DENIED], vocabulary)
    silent = denied - stated - doubted
    doubted |= _list_below(vocabulary.keep_most_specific(sorted(doubted)), vocabulary) - stated - silent
    silent |= _list_other_malignancies(stated, vocabulary) - stated - doubted
    return ConceptStatements(stated, frozenset(silent), doubted, is_complete)


def choose_prompts(
    reports: Sequence[ConceptStatements],
    patients: Sequence[str],
    vocabulary: Vocabulary | None = None,
    *,
    most: int = MOST_PROMPTS,
    least_patients: int = LEAST_PATIENTS,
    most_share: float = MOST_SHARE,
) -> tuple[Prompt, ...]:
    """The concepts that the most patients' reports state, most frequent first, names deciding ties; at most `most`.

    Each patient has one vote, by any of the reports; patients: whose each report is. Left out: what fewer than
    `least_patients` state, or are held not to have; what more than the share `most_share` of all patients state; and
    a broader concept that is stated of the same patients as a kind of it. Raises NoPrompts where nothing is left.
    """
    vocabulary = vocabulary or load_vocabulary()
    stating: dict[str, set[str]] = defaultdict(set)
    for report, patient in zip(reports, patients, strict=True):
        for concept_id in report.stated:
            stating[concept_id].add(patient)
    most_patients = most_share * len(set(patients))
    candidates = {
        concept_id: owners
        for concept_id, owners in stating.items()
        if least_patients <= len(owners) <= most_patients
        and _can_be_shown(concept_id, vocabulary)
        and _count_without(concept_id, owners, reports, patients) >= least_patients
    }
    chosen = sorted(
        (concept_id for concept_id in candidates if not _says_no_more(concept_id, candidates, vocabulary)),
        key=lambda concept_id: (-len(candidates[concept_id]), vocabulary[concept_id].name, concept_id),
    )
    if not chosen:
        raise NoPrompts(len(reports), len(set(patients)), least_patients)
    return tuple(_make_prompt(concept_id, len(candidates[concept_id]), vocabulary) for concept_id in chosen[:most])


def make_targets(prompts: Sequence[Prompt], reports: Sequence[ConceptStatements]) -> NDArray[np.int8]:
    """What each of n reports says of P prompts, int8 [n, P]: STATED, SILENT or UNKNOWN."""
    targets = np.full((len(reports), len(prompts)), UNKNOWN, np.int8)
    for row, report in zip(targets, reports, strict=True):
        for place, prompt in enumerate(prompts):
            if prompt.concept_id in report.stated:
                row[place] = STATED
            elif report.is_silent(prompt.concept_id):
                row[place] = SILENT
    return targets


@dataclass(frozen=True, slots=True)
class _ReadFacts:
    """A report's facts, and how many different concepts it names."""

    facts: tuple[str, ...]
    named: int


def _read_facts(text: str, vocabulary: Vocabulary) -> _ReadFacts:
    report = extract_facts(text, vocabulary)
    facts = _settle_findings(report, list_facts(report, vocabulary), vocabulary)
    return _ReadFacts(facts, len({mention.concept_id for mention in report.mentions}))


def _settle_findings(report: StructuredReport, facts: Sequence[str], vocabulary: Vocabulary) -> tuple[str, ...]:
    """A report's facts with its findings as its sections decide.

    What is decided to be absent is not there for a mention elsewhere, but for a kind of it that is affirmed.
    """
    named = sorted({finding.concept_id for finding in report.findings})
    states = {one: decide_finding(one, report.findings, report.sections, vocabulary) for one in named}
    affirmed = {one for one, state in states.items() if state == "present"}
    affirmed = affirmed.union(*(vocabulary.find_ancestors(one) for one in affirmed))
    settled = dict.fromkeys((*facts, *(_affirm(one, vocabulary) for one in sorted(affirmed))))
    for concept_id, state in states.items():
        if state == "uncertain":
            settled[f"{STATUS_FIELDS[Status.UNCERTAIN]}:{concept_id}"] = None
        elif state == "absent":
            settled[f"{_DENIED}:{concept_id}"] = None
            if not any(_affirm(kind, vocabulary) in settled for kind in vocabulary.find_descendants(concept_id)):
                settled.pop(_affirm(concept_id, vocabulary), None)
    return tuple(settled)


def _affirm(concept_id: str, vocabulary: Vocabulary) -> str:
    return f"{vocabulary[concept_id].kind}:{concept_id}"


def _list_below(concept_ids: Iterable[str], vocabulary: Vocabulary) -> frozenset[str]:
    return frozenset[str]().union(*(vocabulary.find_descendants(concept_id) for concept_id in concept_ids))


def _list_other_malignancies(stated: frozenset[str], vocabulary: Vocabulary) -> frozenset[str]:
    """The malignancies that a report which states a diagnosis rules out by not naming them, however short it is.

    Not the kinds of what it states, which it may leave open, and no spread, which codes and other reports tell.
    """
    diagnoses = [concept_id for concept_id in stated if vocabulary[concept_id].kind == "diagnosis"]
    if not diagnoses or _MALIGNANT not in vocabulary.concepts:
        return frozenset()
    left_open = _list_below(vocabulary.keep_most_specific(sorted(diagnoses)), vocabulary)
    spread = _list_below([_METASTASIS], vocabulary) | {_METASTASIS}
    return (_list_below([_MALIGNANT], vocabulary) | {_MALIGNANT}) - left_open - spread


def _can_be_shown(concept_id: str, vocabulary: Vocabulary) -> bool:
    return vocabulary[concept_id].kind in PROMPT_KINDS and concept_id not in _NOWHERE


def _count_without(
    concept_id: str, stating: set[str], reports: Sequence[ConceptStatements], patients: Sequence[str]
) -> int:
    """How many patients are held not to have what others do."""
    return len({one for report, one in zip(reports, patients, strict=True) if report.is_silent(concept_id)} - stating)


def _says_no_more(concept_id: str, stating: Mapping[str, set[str]], vocabulary: Vocabulary) -> bool:
    """Whether a kind of the concept is stated of the very patients that it is stated of."""
    kinds = vocabulary.find_descendants(concept_id)
    return any(stating[concept_id] == stating.get(kind) for kind in kinds)


def _make_prompt(concept_id: str, patients: int, vocabulary: Vocabulary) -> Prompt:
    surfaces = vocabulary.list_surfaces(concept_id)
    return Prompt(concept_id, vocabulary[concept_id].name, tuple(surface.text for surface in surfaces), patients)
