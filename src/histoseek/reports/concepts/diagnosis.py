"""One diagnosis label for a report, at a chosen level of the tree."""

from __future__ import annotations

from collections.abc import Iterable

from histoseek.reports.concepts.vocabulary import Vocabulary

# What a report with several diagnoses is filed under: the first of these that one of them belongs to.
_RANKS = ("malignant-neoplasm", "carcinoma-in-situ", "precancerous-lesion", "neoplasm")


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
