"""Rankings made with plain loops, and what a query is worth by the definition of each metric."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from histoseek.evaluation.neighbours import NOBODY, Neighbours


def ranking(
    distances: np.ndarray,
    labels: np.ndarray,
    patients: np.ndarray,
    queries: Sequence[int] | None = None,
    database: Sequence[int] | None = None,
    depth: int = 10,
) -> Neighbours:
    """Leave one patient out over distances [n, n]; an infinite distance is a slide that the system does not give."""
    queries = range(len(labels)) if queries is None else queries
    database = range(len(labels)) if database is None else database
    rows = []
    for query in queries:
        allowed = [slide for slide in database if patients[slide] != patients[query]]
        order = sorted(allowed, key=lambda slide: (distances[query, slide], slide))
        given = [slide for slide in order if math.isfinite(distances[query, slide])][:depth]
        gaps = [NOBODY] * (depth - len(given))
        far = [distances[query, slide] for slide in given] + [math.inf] * len(gaps)
        relevant = sum(labels[slide] == labels[query] for slide in allowed)
        rows.append((given + gaps, far, len(allowed), relevant))
    return Neighbours(
        np.array(queries, np.int64),
        np.array([row[0] for row in rows], np.int64).reshape(len(rows), depth),
        np.array([row[1] for row in rows], np.float32).reshape(len(rows), depth),
        np.array([row[2] for row in rows], np.int64),
        np.array([row[3] for row in rows], np.int64),
    )


def naive_vote(found: Sequence[int]) -> int:
    """The most frequent label, the first to come of several; NOBODY without any."""
    if not found:
        return NOBODY
    counts = Counter(found)
    return next(label for label in found if counts[label] == max(counts.values()))


def naive_values(found: Sequence[int], own: int, relevant: int) -> dict[str, float]:
    """All metrics of one query from the labels of its neighbours, best first."""
    hits = [label == own for label in found]
    values: dict[str, float] = {"top-1": float(hits[0]) if hits else 0.0}
    for k in (1, 3, 5, 10):
        first = hits[:k]
        best = min(relevant, k)
        values[f"mMV@{k}"] = float(naive_vote(found[:k]) == own)
        values[f"recall@{k}"] = float(any(first))
        values[f"fraction@{k}"] = sum(first) / relevant
        values[f"MAP@{k}"] = sum(sum(hits[: i + 1]) / (i + 1) for i, hit in enumerate(first) if hit) / best
        gain = sum(1 / math.log2(i + 2) for i, hit in enumerate(first) if hit)
        values[f"nDCG@{k}"] = gain / sum(1 / math.log2(i + 2) for i in range(best))
    return values


def labels_of(neighbours: Neighbours, labels: np.ndarray, row: int) -> list[int]:
    """Labels of the neighbours that a query has, best first."""
    return [int(labels[slide]) for slide in neighbours.slides[row] if slide != NOBODY]
