"""The main diagnosis of a report, and one diagnosis label at a chosen level of the tree."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache

from histoseek.reports.concepts.precedence import WEAK_SECTIONS
from histoseek.reports.concepts.terms import Mention
from histoseek.reports.concepts.vocabulary import Vocabulary
from histoseek.reports.language.negation import Status
from histoseek.reports.language.sections import SECTION_PRECEDENCE, Sections
from histoseek.reports.language.words import Span, split_words

# What a report with several diagnoses is filed under: the first of these that one of them belongs to.
_RANKS = ("malignant-neoplasm", "carcinoma-in-situ", "precancerous-lesion", "neoplasm")
_METASTATIC = re.compile(r"\b(?:metasta\w+|implants?)[^.;:]{0,60}\Z", re.IGNORECASE)
# An addendum on stains or genes does not replace a diagnosis, an amended one does.
_AMENDED = re.compile(r"diagnos[ie]s|amended|revised|corrected", re.IGNORECASE)
# The kind of a tumour stands behind its name ("renal cell carcinoma, conventional (clear cell) type").
_KIND_BEHIND = re.compile(r"[\s,;:(-]{1,4}[^.;\n]{2,60}")
_TELLS_KIND = re.compile(r"\b(?:types?|subtype|variant|pattern|histology|conventional)\b|\A\s*[,:(-]", re.IGNORECASE)


def select_diagnosis(concept_ids: Iterable[str], vocabulary: Vocabulary) -> str:
    """The gravest of some diagnoses, then the most specific, then the first; "" where there is none.

    Malignant stands before in situ, that before precancerous, that before other neoplasms, and those before the rest.
    """
    diagnoses = [concept_id for concept_id in dict.fromkeys(concept_ids) if vocabulary[concept_id].kind == "diagnosis"]
    return min(
        diagnoses,
        key=lambda concept_id: (_rank_diagnosis(concept_id, vocabulary), -vocabulary.measure_depth(concept_id)),
        default="",
    )


def make_diagnosis_label(concept_ids: Iterable[str], vocabulary: Vocabulary, level: int) -> str:
    """The ancestor of the primary diagnosis `level` steps below its root (0: the root), or the diagnosis itself where
    its branch is shorter; "" where there is no diagnosis.

    Of several parents the first counts, so that a concept has one label at each level.
    """
    primary = select_diagnosis(concept_ids, vocabulary)
    if not primary:
        return ""
    path = [primary]
    while parents := vocabulary[path[0]].parents:
        path.insert(0, parents[0])
    return path[min(level, len(path) - 1)]


def _rank_diagnosis(concept_id: str, vocabulary: Vocabulary) -> int:
    above = vocabulary.find_ancestors(concept_id) | {concept_id}
    return next((rank for rank, group in enumerate(_RANKS) if group in above), len(_RANKS))


def find_main_diagnosis(
    text: str, mentions: Sequence[Mention], sections: Sections, vocabulary: Vocabulary
) -> Mention | None:
    """The mention that a report's main diagnosis is named by, None where nothing is diagnosed.

    The gravest diagnosis that is affirmed, a primary tumour before a metastasis, the diagnosis before microscopy and
    comment and these before first impressions, then the first. An amended diagnosis comes before the one it replaces.
    """
    affirmed = [
        mention
        for mention in mentions
        if mention.status == Status.AFFIRMED
        and vocabulary[mention.concept_id].kind == "diagnosis"
        and mention.concept_id != "metastasis"
    ]

    def weigh(mention: Mention) -> tuple[bool, int, bool, bool, int, int]:
        section = sections.find(Span(mention.start, mention.end))
        name = section.name
        is_amended = name == "addendum" and _AMENDED.search(text, section.start, section.body + 120)
        order = SECTION_PRECEDENCE.index("microscopy" if name == "addendum" and not is_amended else name)
        is_general = mention.concept_id in {"neoplasm", "malignant-neoplasm"}
        rank = _rank_diagnosis(mention.concept_id, vocabulary)
        return (name in WEAK_SECTIONS, rank, is_general, is_metastatic(mention, text, vocabulary), order, mention.start)

    return min(affirmed, key=weigh, default=None)


def is_metastatic(mention: Mention, text: str, vocabulary: Vocabulary) -> bool:
    """Whether a diagnosis is called a metastasis where it is named."""
    if "metastasis" in vocabulary.find_ancestors(mention.concept_id):
        return True
    return _METASTATIC.search(text, max(0, mention.start - 80), mention.start) is not None


def refine_diagnosis(
    main: Mention, text: str, mentions: Iterable[Mention], sections: Sections, vocabulary: Vocabulary
) -> str:
    """The most exact concept of the main diagnosis: by its kind behind the name, else what else the report calls it."""
    behind = _KIND_BEHIND.match(text, main.end)
    if behind and _TELLS_KIND.search(behind.group()):
        words = {word.key for word in split_words(behind.group())}
        kinds = [kind for kind, own in _list_kinds(main.concept_id, vocabulary) if own <= words]
        if kinds:
            return max(kinds, key=vocabulary.measure_depth)
    named = Counter(
        mention.concept_id
        for mention in mentions
        if mention.status == Status.AFFIRMED
        and main.concept_id in vocabulary.find_ancestors(mention.concept_id)
        and "metastasis" not in vocabulary.find_ancestors(mention.concept_id) | {mention.concept_id}
        and sections.find(Span(mention.start, mention.end)).name not in WEAK_SECTIONS
    )
    return next((concept_id for concept_id, _ in named.most_common(1)), main.concept_id)


@lru_cache(maxsize=1024)
def _list_kinds(concept_id: str, vocabulary: Vocabulary) -> tuple[tuple[str, frozenset[str]], ...]:
    """The kinds of a diagnosis, each with the words by which its name differs from the general one's."""
    general = [_split_keys(surface.text) for surface in vocabulary.list_surfaces(concept_id) if not surface.exact]
    return tuple(
        (kind, frozenset(own))
        for kind in vocabulary.find_descendants(concept_id)
        for surface in vocabulary.list_surfaces(kind)
        if not surface.exact
        for names in general
        if names < _split_keys(surface.text) and (own := _split_keys(surface.text) - names - {"of", "the", ",", "type"})
    )


def _split_keys(text: str) -> set[str]:
    return {word.key for word in split_words(text)}
