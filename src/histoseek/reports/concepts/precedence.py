"""What the sections of a report make of the diagnoses in them: the final word counts, not the first impression."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from histoseek.reports.concepts.terms import Mention
from histoseek.reports.concepts.vocabulary import Vocabulary
from histoseek.reports.language.headings import SectionName
from histoseek.reports.language.negation import Status
from histoseek.reports.language.sections import Section, Sections
from histoseek.reports.language.words import Span

WEAK_SECTIONS: tuple[SectionName, ...] = ("frozen", "gross", "history")
"""Sections whose diagnoses give way to those of the others."""

_GENERAL = frozenset({"neoplasm", "malignant-neoplasm", "benign-neoplasm", "metastasis"})


def weigh_by_section(mentions: Sequence[Mention], sections: Sections, vocabulary: Vocabulary) -> tuple[Mention, ...]:
    """The mentions, with diagnoses of the clinical history as past, and first impressions that did not last as doubts.

    An impression of the frozen section or the naked eye lasts where the other sections name it, or a kind of it, or
    what it is a kind of. Without a section that tells the diagnosis, or where it only speaks of a tumour, everything
    stays as it is.
    """
    if not sections.select("diagnosis", "addendum", "microscopy"):
        return tuple(mentions)
    places = [sections.find(Span(mention.start, mention.end)) for mention in mentions]
    lasting = {
        mention.concept_id
        for mention, section in zip(mentions, places, strict=True)
        if section.name not in WEAK_SECTIONS and _is_diagnosis(mention, vocabulary)
    }
    if lasting and lasting <= _GENERAL:
        return tuple(mentions)
    lasting = set(vocabulary.keep_most_specific(lasting))
    return tuple(
        _weigh(mention, section, lasting, vocabulary) if _is_diagnosis(mention, vocabulary) else mention
        for mention, section in zip(mentions, places, strict=True)
    )


def _is_diagnosis(mention: Mention, vocabulary: Vocabulary) -> bool:
    return mention.status == Status.AFFIRMED and vocabulary[mention.concept_id].kind == "diagnosis"


def _weigh(mention: Mention, section: Section, lasting: set[str], vocabulary: Vocabulary) -> Mention:
    heading = Span(section.start, max(section.body, section.start + 1))
    if section.name == "history":
        return replace(mention, status=Status.HISTORICAL, cue=heading)
    if section.name in WEAK_SECTIONS and lasting and not _lasts(mention.concept_id, lasting, vocabulary):
        return replace(mention, status=Status.UNCERTAIN, cue=heading)
    return mention


def _lasts(concept_id: str, lasting: set[str], vocabulary: Vocabulary) -> bool:
    above = vocabulary.find_ancestors(concept_id) | {concept_id}
    return any(other in above or concept_id in vocabulary.find_ancestors(other) for other in lasting)
