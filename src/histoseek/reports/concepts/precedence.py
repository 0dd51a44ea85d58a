"""What the sections of a report make of the diagnoses in them: the final word counts, not the first impression."""

from __future__ import annotations

import re
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

_PAST = re.compile(r"\bhistory\b|\banamnes", re.IGNORECASE)
_OPTION_LINE = re.compile(r"(?:^|\n)[\s_\-*\u2022]*(?:\(?[\da-z]{1,2}[.,):]?\s+)?\Z", re.IGNORECASE)
_LONGEST_OPTION, _FEWEST_OPTIONS = 70, 3
_GENERAL = frozenset({"neoplasm", "malignant-neoplasm", "benign-neoplasm", "metastasis"})


def weigh_by_section(mentions: Sequence[Mention], sections: Sections, vocabulary: Vocabulary) -> tuple[Mention, ...]:
    """The mentions, with diagnoses of the clinical history as past, and first impressions that did not last as doubts.

    An impression of the frozen section or the naked eye lasts where the other sections name it, or a kind of it, or
    what it is a kind of. Without a section that tells the diagnosis only what stands on the line of "history" is past;
    where it only speaks of a tumour, everything stays as it is.
    """
    places = [sections.find(Span(mention.start, mention.end)) for mention in mentions]
    if not sections.select("diagnosis", "addendum", "microscopy"):
        return tuple(
            _weigh(mention, section, set(), vocabulary)
            if _is_diagnosis(mention, vocabulary) and _is_history(mention, section, sections.text)
            else mention
            for mention, section in zip(mentions, places, strict=True)
        )
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


def drop_listed_options(text: str, mentions: Sequence[Mention], vocabulary: Vocabulary) -> tuple[Mention, ...]:
    """The mentions, with the options of a form that lists tumours line by line as unstated.

    Three malignant tumours that are no kinds of one another, each alone at the beginning of one of neighbouring lines,
    are no diagnosis.
    """
    runs: list[list[int]] = []
    for index, mention in enumerate(mentions):
        if not _is_diagnosis(mention, vocabulary) or not _OPTION_LINE.search(
            text[max(0, mention.start - 40) : mention.start]
        ):
            continue
        last = mentions[runs[-1][-1]] if runs else None
        if last is not None and mention.start - last.end <= _LONGEST_OPTION:
            runs[-1].append(index)
        else:
            runs.append([index])
    listed = {
        index
        for run in runs
        if len(_list_unrelated([mentions[index].concept_id for index in run], vocabulary)) >= _FEWEST_OPTIONS
        for index in run
    }
    return tuple(
        replace(mention, status=Status.UNSTATED, cue=Span(mention.start, mention.start)) if index in listed else mention
        for index, mention in enumerate(mentions)
    )


def _list_unrelated(concept_ids: Sequence[str], vocabulary: Vocabulary) -> list[str]:
    """Malignant tumours of which none is a kind of another."""
    malignant = [one for one in concept_ids if "malignant-neoplasm" in vocabulary.find_ancestors(one)]
    return list(vocabulary.keep_most_specific(malignant))


def _is_diagnosis(mention: Mention, vocabulary: Vocabulary) -> bool:
    return mention.status == Status.AFFIRMED and vocabulary[mention.concept_id].kind == "diagnosis"


def _is_history(mention: Mention, section: Section, text: str) -> bool:
    """Whether a mention stands on the line of a heading for the history; below it a diagnosis may lack its heading."""
    return _PAST.search(section.heading) is not None and "\n" not in text[section.body : mention.start].lstrip()


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
