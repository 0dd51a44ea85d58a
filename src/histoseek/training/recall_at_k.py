"""Recall in four directions, with what chance would give and intervals over patients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from histoseek.statistics.intervals import FEW_PATIENTS, unanimous_interval
from histoseek.training.pairs import TrainingPair

Direction = Literal["slide->slide", "slide->report", "text->slide", "text->report"]
Answer = Literal["pair", "group", "diagnosis"]

DEPTHS = (1, 3, 5)
"""How many of the first answers are looked at."""

_TIE = 1e-6
"""Similarities closer than this are ties."""

_RESAMPLES = 2000

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class RecallAtK:
    """The share of queries with a right answer among the first k, over the queries that have one at all.

    answer: what is right. "pair": the query's own slide or report. "group": for reports that of the same text,
    which counts as one answer; for slides those with the same text; within one kind (slide->slide, text->report)
    those of other patients with the same diagnosis, or the same text where no diagnosis is known. "diagnosis": between
    slides and reports, those of other patients with the same diagnosis (or text).
    low, high: 95 % bootstrap interval over patients, NaN for fewer than five; chance: what a random order would give.
    NaN without queries.
    """

    direction: Direction
    answer: Answer
    k: int
    value: float
    low: float
    high: float
    chance: float
    queries: int


@dataclass(frozen=True, slots=True)
class _Task:
    """Queries [Q] against candidates [C]: similarities, which candidates count, and which of them are right."""

    direction: Direction
    answer: Answer
    similarity: Floats
    allowed: Booleans
    right: Booleans


def recalls(
    slides: NDArray[np.float32], texts: NDArray[np.float32], pairs: Sequence[TrainingPair], seed: int
) -> tuple[RecallAtK, ...]:
    """All recalls of n pairs from their vectors [n, D] of length one; every pair is a query.

    Ties are worth their expectation under a random order, so that identical reports earn nothing by their place.
    """
    patients = _codes([pair.patient_id for pair in pairs])
    count = int(patients.max()) + 1
    draws = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), _RESAMPLES)
    measured = []
    for task in _tasks(slides.astype(np.float64), texts.astype(np.float64), pairs, patients):
        answerable = (task.right & task.allowed).any(1)
        for k in DEPTHS:
            hits = expected_hits(task.similarity[answerable], task.allowed[answerable], task.right[answerable], k)
            luck = expected_hits(
                np.zeros_like(task.similarity[answerable]), task.allowed[answerable], task.right[answerable], k
            )
            low, high = _interval(hits, patients[answerable], draws)
            measured.append(
                RecallAtK(task.direction, task.answer, k, _mean(hits), low, high, _mean(luck), int(answerable.sum()))
            )
    return tuple(measured)


def find_recall(measured: Sequence[RecallAtK], direction: Direction, answer: Answer, k: int) -> float:
    """One value out of all recalls."""
    return next(r.value for r in measured if (r.direction, r.answer, r.k) == (direction, answer, k))


def expected_hits(similarity: Floats, allowed: Booleans, right: Booleans, k: int) -> Floats:
    """The probability, per query, of a right answer among the first k of its allowed candidates, ties at random.

    All arrays [Q, C]; every query has a right and allowed candidate. With t candidates at the similarity of the best
    right one, r of them right, and m places left: 1 - C(t - r, m) / C(t, m).
    """
    right = right & allowed
    best = np.where(right, similarity, -np.inf).max(1, keepdims=True)
    better = (allowed & (similarity > best + _TIE)).sum(1)
    tied = allowed & (np.abs(similarity - best) <= _TIE)
    count, good = tied.sum(1), (tied & right).sum(1)
    places = np.clip(k - better, 0, count)
    missed = np.ones(len(similarity))
    for place in range(k):
        factor = np.clip(count - good - place, 0, None) / np.maximum(count - place, 1)
        missed = np.where(place < places, missed * factor, missed)
    return 1 - missed


def _tasks(slides: Floats, texts: Floats, pairs: Sequence[TrainingPair], patients: NDArray[np.int64]) -> list[_Task]:
    keys = _codes([pair.text_key for pair in pairs])
    labels = _codes([pair.diagnosis or pair.text_key for pair in pairs])
    first = np.unique(keys, return_index=True)[1]
    others = patients[:, None] != patients
    same_label, same_text = labels[:, None] == labels, keys[:, None] == keys
    same_pair, every = np.eye(len(pairs), dtype=np.bool_), np.ones((len(pairs),) * 2, np.bool_)
    across, within = slides @ texts.T, texts @ texts.T
    return [
        _Task("slide->slide", "group", slides @ slides.T, others, same_label),
        _Task("slide->report", "pair", across, every, same_pair),
        _Task("slide->report", "group", across[:, first], every[:, first], same_text[:, first]),
        _Task("text->slide", "pair", across.T, every, same_pair),
        _Task("text->slide", "group", across.T, every, same_text),
        _Task("slide->report", "diagnosis", across, others, same_label),
        _Task("text->slide", "diagnosis", across.T, others, same_label),
        _Task("text->report", "group", within, others & ~same_text, same_label),
    ]


def _codes(names: Sequence[str]) -> NDArray[np.int64]:
    return np.unique(np.asarray(names), return_inverse=True)[1].astype(np.int64)


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _interval(hits: Floats, patients: NDArray[np.int64], draws: NDArray[np.int64]) -> tuple[float, float]:
    """The 2.5 and 97.5 percentiles of the mean over resampled patients; draws [R, P]: how often each was drawn.

    NaN for too few patients; exact where all queries agree.
    """
    count = len(np.unique(patients))
    if count < FEW_PATIENTS:
        return float("nan"), float("nan")
    if (hits == hits[0]).all() and hits[0] in (0, 1):
        return unanimous_interval(float(hits[0]), count)
    total = draws @ np.bincount(patients, hits, draws.shape[1])
    counts = draws @ np.bincount(patients, minlength=draws.shape[1])
    low, high = np.percentile(total[counts > 0] / counts[counts > 0], (2.5, 97.5))
    return float(low), float(high)
