"""A report as fields: what is named in it, graded, staged and measured, each with its place in the text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from histoseek.reports.cleaning.places import restore_places
from histoseek.reports.concepts.cleaning import clean_report
from histoseek.reports.concepts.diagnosis import find_main_diagnosis, make_diagnosis_label, refine_diagnosis
from histoseek.reports.concepts.lookalikes import drop_lookalikes
from histoseek.reports.concepts.precedence import drop_listed_options, weigh_by_section
from histoseek.reports.concepts.readings import read_extensions, read_in_organ, specify
from histoseek.reports.concepts.sites import find_main_organ
from histoseek.reports.concepts.terms import Mention, find_terms
from histoseek.reports.concepts.vocabulary import Vocabulary, load_vocabulary
from histoseek.reports.concepts.vocabulary_files import ConceptKind
from histoseek.reports.facts.findings import Finding, find_findings
from histoseek.reports.facts.grades import (
    DifferentiationGrade,
    Gleason,
    GleasonScore,
    Grade,
    GradeGroup,
    Nottingham,
    find_differentiation,
    find_gleason,
    find_gleason_scores,
    find_grade_groups,
    find_grades,
    find_nottingham,
)
from histoseek.reports.facts.margins import Margin, find_margins, find_sizes
from histoseek.reports.facts.measures import Measurement
from histoseek.reports.facts.nodes import NodeCount, find_node_counts
from histoseek.reports.facts.staging import StageCategory, StageGroup, find_stage_groups, find_tnm
from histoseek.reports.facts.stains import Ki67, Stain, find_stains, select_ki67
from histoseek.reports.language.negation import Status
from histoseek.reports.language.sections import Sections, split_sections
from histoseek.reports.language.words import Span


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two statements of a text that cannot both hold, in one line, and where the second stands."""

    what: str
    span: Span


@dataclass(frozen=True, slots=True)
class StructuredReport:
    """The fields of one report.

    `mentions` are all concepts named, in order; `organ` is the id of the organ that the main diagnosis lies in, and
    `diagnosis` that of the main diagnosis, as exactly as the report tells them, "" where it does not; `nottingham` is
    None where there is none. The other fields hold one value for each statement, in order, with its place; `sections`
    tells which section and specimen a place belongs to.
    """

    sections: Sections
    mentions: tuple[Mention, ...]
    organ: str
    diagnosis: str
    gleason: tuple[Gleason, ...]
    gleason_scores: tuple[GleasonScore, ...]
    grade_groups: tuple[GradeGroup, ...]
    nottingham: Nottingham | None
    differentiation: tuple[DifferentiationGrade, ...]
    grades: tuple[Grade, ...]
    tnm: tuple[StageCategory, ...]
    stage_groups: tuple[StageGroup, ...]
    nodes: tuple[NodeCount, ...]
    sizes: tuple[Measurement, ...]
    margins: tuple[Margin, ...]
    findings: tuple[Finding, ...]
    stains: tuple[Stain, ...]
    ki67: tuple[Ki67, ...]
    conflicts: tuple[Contradiction, ...]

    def concepts(
        self, kind: ConceptKind, status: Status = Status.AFFIRMED, vocabulary: Vocabulary | None = None
    ) -> tuple[str, ...]:
        """The most specific concepts of a kind that the text names with a status, first mention first.

        What is affirmed anywhere in the text counts as neither uncertain nor past.
        """
        vocabulary = vocabulary or load_vocabulary()
        mentions = [mention for mention in self.mentions if vocabulary[mention.concept_id].kind == kind]
        affirmed = {mention.concept_id for mention in mentions if mention.status == Status.AFFIRMED}
        concept_ids = [mention.concept_id for mention in mentions if mention.status == status]
        if status in {Status.UNCERTAIN, Status.HISTORICAL}:
            excluded = affirmed.union(*(vocabulary.find_ancestors(concept_id) for concept_id in affirmed))
            concept_ids = [concept_id for concept_id in concept_ids if concept_id not in excluded]
        return vocabulary.keep_most_specific(concept_ids)

    def make_label(self, level: int, vocabulary: Vocabulary | None = None) -> str:
        """The report's diagnosis label at a level of the tree (see `make_diagnosis_label`)."""
        vocabulary = vocabulary or load_vocabulary()
        return make_diagnosis_label(self.concepts("diagnosis", vocabulary=vocabulary), vocabulary, level)


def extract_facts(
    text: str, vocabulary: Vocabulary | None = None, boilerplate: frozenset[str] = frozenset()
) -> StructuredReport:
    """Read all fields of a report's text. Never raises for what a text says; an empty text has empty fields.

    What is read is the clean text (`clean_report`), all places are those of `text`. boilerplate: pieces that the
    archive's reports have in common, which state no facts.
    """
    vocabulary = vocabulary or load_vocabulary()
    clean = clean_report(text, vocabulary, boilerplate)
    return restore_places(_read_fields(clean.text, vocabulary), clean)


def _read_fields(text: str, vocabulary: Vocabulary) -> StructuredReport:
    sections = split_sections(text)
    mentions, organ, diagnosis = _read_concepts(text, sections, vocabulary)
    gleason, groups, nottingham = find_gleason(text), find_grade_groups(text), find_nottingham(text)
    stains = find_stains(text)
    sentences = [sentence for section in sections.sections for sentence in section.sentences]
    tnm = find_tnm(text)
    return StructuredReport(
        sections=sections,
        mentions=mentions,
        organ=organ,
        diagnosis=diagnosis,
        gleason=gleason,
        gleason_scores=find_gleason_scores(text),
        grade_groups=groups,
        nottingham=nottingham,
        differentiation=find_differentiation(text),
        grades=find_grades(text),
        tnm=tnm,
        stage_groups=find_stage_groups(text),
        nodes=find_node_counts(text),
        sizes=find_sizes(text, sentences),
        margins=find_margins(text, sentences),
        findings=find_findings(text, mentions, tnm, sections, organ, vocabulary),
        stains=stains,
        ki67=select_ki67(stains),
        conflicts=tuple(_find_contradictions(gleason, groups, nottingham)),
    )


def _read_concepts(text: str, sections: Sections, vocabulary: Vocabulary) -> tuple[tuple[Mention, ...], str, str]:
    """The concepts named in a text, weighed by section and read in its organ; the organ; the main diagnosis."""
    named = drop_lookalikes(text, find_terms(text, vocabulary), vocabulary)
    mentions = weigh_by_section(drop_listed_options(text, named, vocabulary), sections, vocabulary)
    main = find_main_diagnosis(text, mentions, sections, vocabulary)
    organ = find_main_organ(text, mentions, vocabulary, sections, main)
    mentions = read_extensions(read_in_organ(mentions, text, organ, vocabulary), text, sections, organ)
    main = find_main_diagnosis(text, mentions, sections, vocabulary)
    if main is None:
        return mentions, organ, ""
    diagnosis = specify(refine_diagnosis(main, text, mentions, sections, vocabulary), organ, vocabulary)
    return mentions, organ, diagnosis


def _find_contradictions(
    gleason: tuple[Gleason, ...], groups: tuple[GradeGroup, ...], nottingham: Nottingham | None
) -> Iterable[Contradiction]:
    for sum_ in gleason:
        if not sum_.is_consistent:
            what = f"Gleason {sum_.primary}+{sum_.secondary} is {sum_.score}, not {sum_.stated_score}"
            yield Contradiction(what, sum_.span)
    for group in groups:
        before = [sum_ for sum_ in gleason if sum_.span.start <= group.span.start] or list(gleason[:1])
        if before and before[-1].grade_group != group.value:
            last = before[-1]
            what = f"Gleason {last.primary}+{last.secondary} is grade group {last.grade_group}, not {group.value}"
            yield Contradiction(what, group.span)
    if nottingham is not None and not nottingham.is_consistent:
        what = f"these scores are Nottingham grade {nottingham.implied_grade}, not {nottingham.grade}"
        yield Contradiction(what, nottingham.span)
