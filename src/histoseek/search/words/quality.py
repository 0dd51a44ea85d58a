"""How far words in the space of tiles can be believed in an archive: by what its own reports state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.filters.expression import one_of
from histoseek.reports.concepts.vocabulary import load_vocabulary
from histoseek.search.words.comparison import TileWords
from histoseek.search.words.prompts import make_concept_prompt

_FIELDS = ("organ", "diagnosis", "finding")
_SLIDES, _CONCEPTS = 2000, 12
_FEWEST_CONCEPTS, _FEWEST_SLIDES = 3, 5


def measure_quality(tiles: TileWords) -> float | None:
    """How much better than chance tiles find the slides whose reports state a concept, 0 to 1; no training is needed.

    Twice the area under the ROC curve, less 1, on the mean of the concepts that most reports state and at least five
    don't; None with fewer than three such.
    """
    facts = _read_facts(tiles)
    concepts = _choose_concepts(facts)
    if len(concepts) < _FEWEST_CONCEPTS:
        return None
    vocabulary = load_vocabulary()
    prompts = tiles.embed_prompts([make_concept_prompt(vocabulary, concept) for concept in concepts])
    slide_ids = tiles.rows.slide_ids.tolist()
    judged = np.array([place for place, slide_id in enumerate(slide_ids) if slide_id in facts])
    scores = tiles.measure(prompts)[:, judged]
    areas = [
        compute_auc(own, np.array([concept in facts[slide_ids[place]] for place in judged]))
        for concept, own in zip(concepts, scores, strict=True)
    ]
    return max(0.0, 2 * float(np.mean(areas)) - 1)


def compute_auc(scores: NDArray[np.floating], positive: NDArray[np.bool_]) -> float:
    """The area under the ROC curve: how often one of the positive has more than one of the others, ties half."""
    order = np.sort(scores[~positive])
    low = np.searchsorted(order, scores[positive], side="left")
    high = np.searchsorted(order, scores[positive], side="right")
    return float((low + high).mean() / (2 * len(order)))


def _read_facts(tiles: TileWords) -> Mapping[str, frozenset[str]]:
    """By slide, the concepts that its report states; of some slides, drawn without a pattern."""
    ids = tiles.rows.slide_ids
    drawn = np.sort(np.random.default_rng(0).permutation(len(ids))[:_SLIDES])
    rows = tiles.store.columns(["slide_id", "report_facts"], one_of("slide_id", ids[drawn].tolist()))
    pairs = zip(rows["slide_id"].to_pylist(), rows["report_facts"].to_pylist(), strict=True)
    return {slide_id: _list_concepts(stated) for slide_id, stated in pairs if stated}


def _list_concepts(facts: Collection[str]) -> frozenset[str]:
    parts = (fact.partition(":") for fact in facts)
    return frozenset(value for field, _, value in parts if field in _FIELDS)


def _choose_concepts(facts: Mapping[str, frozenset[str]]) -> list[str]:
    known = load_vocabulary().concepts
    counts = Counter(concept for stated in facts.values() for concept in stated if concept in known)
    usable = [(n, c) for c, n in counts.items() if _FEWEST_SLIDES <= n <= len(facts) - _FEWEST_SLIDES]
    return [concept for _, concept in sorted(usable, key=lambda pair: (-pair[0], pair[1]))[:_CONCEPTS]]
