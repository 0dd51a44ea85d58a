"""Diagnoses as the organ decides them: a ductal carcinoma of the pancreas is not one of the breast."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources

from histoseek.reports.concepts.terms import Mention
from histoseek.reports.concepts.vocabulary import Vocabulary
from histoseek.reports.language.negation import Status
from histoseek.reports.language.sections import Sections
from histoseek.reports.language.words import Span

_EXTENSION = "extracapsular-extension"
_NODE = re.compile(r"\b(?:nodes?|nodal|lymphadenectomy|neck\s+dissection)\b", re.IGNORECASE)
_NEW_SENTENCE = re.compile(r"[.;](?=\s)|\n\s*\n|\n\s*(?:[-*\u2022]|\(?[A-Z\d]{1,2}[.)])")
_AROUND, _HEADING = 120, 80


@dataclass(frozen=True, slots=True)
class OrganReadings:
    """The packaged tables: diagnoses by organ, where they stay as they are or arise mostly, general names by organ."""

    moved: Mapping[str, Mapping[str, str]]
    stays: Mapping[str, frozenset[str]]
    prefers: Mapping[str, str]
    specific: Mapping[str, Mapping[str, str]]


@lru_cache(maxsize=1)
def load_readings() -> OrganReadings:
    """The readings that come with the package (concepts/readings.toml)."""
    content = (resources.files("histoseek.reports.concepts") / "readings.toml").read_text("utf-8")
    data = tomllib.loads(content)
    stays = {concept_id: frozenset(organs) for concept_id, organs in data["stays"].items()}
    return OrganReadings(data["moved"], stays, data["prefers"], data["specific"])


def is_bound(mention: Mention, text: str, vocabulary: Vocabulary) -> bool:
    """Whether a diagnosis tells its organ: by what it is ("hepatoma") or by name ("breast carcinoma")."""
    concept = vocabulary[mention.concept_id]
    if not concept.organ:
        return False
    return mention.concept_id not in load_readings().moved or _names_organ(mention, text, vocabulary)


def read_in_organ(mentions: Iterable[Mention], text: str, organ: str, vocabulary: Vocabulary) -> tuple[Mention, ...]:
    """The mentions of a report of an organ, with diagnoses that do not tell theirs read as those of this organ.

    A diagnosis whose usual organ the report names as well stays as it is, and so does one of the past.
    """
    mentions = tuple(mentions)
    named = {vocabulary.find_organ(mention.concept_id) for mention in mentions if _is_organ(mention, vocabulary)}
    return tuple(
        replace(mention, concept_id=read_concept(mention.concept_id, organ, vocabulary))
        if mention.status != Status.HISTORICAL
        and vocabulary.find_organ(mention.concept_id) not in named
        and not _names_organ(mention, text, vocabulary)
        else mention
        for mention in mentions
    )


def read_extensions(mentions: Iterable[Mention], text: str, sections: Sections, organ: str) -> tuple[Mention, ...]:
    """The mentions, with growth through a capsule read as that of a lymph node or of the prostate, where it is one."""
    return tuple(
        replace(mention, concept_id=_read_extension(mention, text, sections, organ))
        if mention.concept_id == _EXTENSION
        else mention
        for mention in mentions
    )


def _read_extension(mention: Mention, text: str, sections: Sections, organ: str) -> str:
    section = sections.find(Span(mention.start, mention.end))
    before = _NEW_SENTENCE.split(text[max(section.start, mention.start - _AROUND) : mention.start])[-1]
    behind = _NEW_SENTENCE.split(text[mention.end : min(section.end, mention.end + _AROUND)])[0]
    heading = text[section.start : section.start + _HEADING] if section.specimen else ""
    if any(_NODE.search(part) for part in (before, behind, heading)):
        return "extranodal-extension"
    return "extraprostatic-extension" if organ == "prostate" else _EXTENSION


def read_concept(concept_id: str, organ: str, vocabulary: Vocabulary) -> str:
    """What a diagnosis that does not tell its organ is in this one."""
    readings = load_readings()
    usual = vocabulary.find_organ(concept_id)
    if not organ or usual in {"", organ} or concept_id not in readings.moved:
        return concept_id
    reading = readings.moved[concept_id].get(organ, "")
    if reading in vocabulary.concepts:
        return reading
    is_kept = {organ, "*"} & readings.stays.get(concept_id, frozenset())
    return concept_id if is_kept else _find_unbound(concept_id, vocabulary)


def specify(concept_id: str, organ: str, vocabulary: Vocabulary) -> str:
    """What a general diagnosis is in an organ: adenocarcinoma of the colon is colorectal adenocarcinoma."""
    reading = load_readings().specific.get(concept_id, {}).get(organ, "")
    return reading if reading in vocabulary.concepts else concept_id


def find_preferred_organ(concept_id: str, vocabulary: Vocabulary) -> str:
    """The organ that a diagnosis bound to none mostly arises in, "" where there is no such organ."""
    prefers = load_readings().prefers
    above = (concept_id, *sorted(vocabulary.find_ancestors(concept_id)))
    return next((prefers[other] for other in above if other in prefers), "")


def _is_organ(mention: Mention, vocabulary: Vocabulary) -> bool:
    return vocabulary[mention.concept_id].kind == "organ"


def _find_unbound(concept_id: str, vocabulary: Vocabulary) -> str:
    """The nearest concept above that is bound to no organ."""
    parents = vocabulary[concept_id].parents
    unbound = [parent for parent in parents if not vocabulary[parent].organ]
    if unbound:
        return unbound[0]
    return next((found for parent in parents if (found := _find_unbound(parent, vocabulary))), "") or concept_id


def _names_organ(mention: Mention, text: str, vocabulary: Vocabulary) -> bool:
    organ = vocabulary[mention.concept_id].organ
    if not organ or vocabulary[mention.concept_id].kind != "diagnosis":
        return False
    names = _make_organ_pattern(organ, vocabulary)
    return names.search(text, mention.start, mention.end) is not None


@lru_cache(maxsize=1024)
def _make_organ_pattern(organ: str, vocabulary: Vocabulary) -> re.Pattern[str]:
    names = [surface.text for surface in vocabulary.list_surfaces(organ)]
    return re.compile(rf"\b(?:{'|'.join(re.escape(name) for name in names)})\b", re.IGNORECASE)
