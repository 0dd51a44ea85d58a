"""Evaluations to draw pages of, from made-up vectors: no archive, no slide."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from histoseek.evaluation.confounders import SiteCheck
from histoseek.evaluation.evaluate import calibration_error, risk_coverage
from histoseek.evaluation.leaks import Leak
from histoseek.evaluation.neighbours import Fold, Neighbours, rank
from histoseek.evaluation.outcome import (
    ArchiveMap,
    Evaluation,
    MapPoint,
    Subject,
    SystemResult,
    VoteCalibration,
    WorstQuery,
)
from histoseek.evaluation.scores import MetricEstimate, score
from histoseek.evaluation.significance import compare
from histoseek.training.recall_at_k import RecallAtK

CLASSES = (
    "lung adenocarcinoma",
    "lung squamous cell carcinoma",
    "normal lung",
    "organising pneumonia",
    "small cell carcinoma",
    "carcinoid",
)
SYSTEMS = (
    ("symmetric", 0.55),
    ("pathsearch-paper", 0.6),
    ("global", 0.75),
    ("maxsim", 0.85),
    ("mean-pooled", 0.95),
    ("yottixel-style", 1.0),
    ("bag of visual words", 1.2),
    ("sish-style", 1.3),
    ("hypergraph re-ranking", 0.8),
    ("random", 50.0),
)


class Noisy:
    """Distances between vectors with some noise on them: the more noise, the worse the system."""

    def __init__(self, name: str, vectors: np.ndarray, noise: float) -> None:
        rng = np.random.default_rng(len(name))
        self.name = name
        self.vectors = vectors + noise * rng.standard_normal(vectors.shape)

    def fit(self, database: np.ndarray) -> None:
        pass

    def distances(self, queries: np.ndarray, database: np.ndarray) -> np.ndarray:
        gaps: np.ndarray = (self.vectors[queries][:, None] - self.vectors[database]) ** 2
        means: np.ndarray = gaps.mean(2)
        return means.astype(np.float32)


def evaluation_of(
    classes: Sequence[str] = CLASSES, systems: Sequence[tuple[str, float]] = SYSTEMS, patients: int = 60
) -> Evaluation:
    """Two slides of each patient, classes and sites of unequal size; the site shows in the vectors."""
    rng = np.random.default_rng(1)
    owners = np.repeat(np.arange(patients), 2)
    labels = (rng.integers(0, len(classes), patients) * rng.integers(0, 2, patients))[owners]
    sites = rng.integers(0, 3, patients)[owners]
    vectors = rng.standard_normal((len(classes), 12))[labels] + rng.standard_normal((3, 12))[sites]
    vectors += 0.8 * rng.standard_normal(vectors.shape)
    every = np.arange(len(labels))
    fold = Fold(every, every, (owners,))
    made = [Noisy(name, vectors, noise) for name, noise in systems]
    ranked = [rank(system, fold, labels, 10) for system in made]
    results = tuple(
        _result(system.name, found, labels, classes, owners) for system, found in zip(made, ranked, strict=True)
    )
    names = [f"hospital {site}" for site in sites]
    ids = tuple(f"slide-{number:03d}" for number in every)
    return Evaluation(
        subject=Subject(
            archive="lung.archive",
            space="features:resnet-18 / pooled / 5f2c9a",
            label="diagnosis",
            classes=tuple(classes),
            slides=len(ids),
            patients=patients,
            without_label=0,
            where=None,
            design="0" * 16,
            protocol="leave-one-patient-out",
            seed=0,
            version="0.1.0",
            created="2026-11-21T08:00:00+00:00",
        ),
        query_ids=ids,
        patients=owners,
        results=results,
        comparisons=tuple((other.name, compare(results[0].scores, other.scores, owners, 0)) for other in results[1:]),
        site_checks=(_site_check(),),
        cross_modal=(
            RecallAtK("slide->report", "pair", 1, 0.21, 0.14, 0.29, 1 / 120, 120),
            RecallAtK("text->slide", "group", 5, 0.62, 0.53, 0.71, 0.08, 120),
            RecallAtK("text->report", "group", 5, 0.7, float("nan"), float("nan"), 0.3, 1),
        ),
        leaks=(
            Leak(
                "same file", ("slide-003", "slide-003-copy"), "slide-003, slide-003-copy are one file under 2 slide ids"
            ),
            Leak(
                "same report, other patient",
                tuple(ids[:8]),
                "slide-000, slide-001 and 6 more have the same report text, under 4 patient ids",
            ),
        ),
        worst=_worst(ranked[0], labels, classes, ids),
        map=ArchiveMap(
            ("diagnosis", "site"),
            tuple(
                MapPoint(ids[i], float(vectors[i, 0]), float(vectors[i, 1]), (classes[labels[i]], names[i]))
                for i in every
            ),
        ),
        warnings=("4 of 120 queries have no slide of their label at another patient and are left out of the figures",),
    )


def _result(
    name: str, neighbours: Neighbours, labels: np.ndarray, classes: Sequence[str], patients: np.ndarray
) -> SystemResult:
    scores = score(neighbours, labels, classes, patients)
    right = scores.votes == labels[scores.queries]
    coverage, risk, area = risk_coverage(scores.confidence, right)
    hits = labels[neighbours.slides] == labels[neighbours.queries][:, None]
    cmc = np.maximum.accumulate(hits, axis=1).mean(0)
    error = calibration_error(scores.confidence, right)
    return SystemResult(
        name,
        scores,
        tuple(cmc.tolist()),
        VoteCalibration(error, area, tuple(coverage.tolist()), tuple(risk.tolist())),
        1.5,
    )


def _site_check() -> SiteCheck:
    return SiteCheck(
        column="site",
        predictability=MetricEstimate("balanced accuracy", 0.71, 0.63, 0.78, 1 / 3, 120),
        from_label=MetricEstimate("balanced accuracy", 0.38, 0.3, 0.46, 1 / 3, 120),
        with_same=MetricEstimate("mMV@5", 0.83, 0.76, 0.89, 0.31, 112),
        without_same=MetricEstimate("mMV@5", 0.69, 0.6, 0.77, 0.3, 112),
        fall=0.14,
        low=0.08,
        high=0.2,
    )


def _worst(found: Neighbours, labels: np.ndarray, classes: Sequence[str], ids: Sequence[str]) -> tuple[WorstQuery, ...]:
    wrong = np.flatnonzero(labels[found.slides[:, 0]] != labels[found.queries])[:4]
    return tuple(
        WorstQuery(
            ids[row],
            classes[labels[row]],
            tuple(ids[place] for place in found.slides[row, :4]),
            tuple(classes[labels[place]] for place in found.slides[row, :4]),
            tuple(found.distances[row, :4].tolist()),
        )
        for row in wrong
    )
