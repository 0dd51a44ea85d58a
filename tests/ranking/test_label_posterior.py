"""Probabilities of labels on plain arrays, against naive computations."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoseek.ranking.label_posterior import NOBODY, UNKNOWN_SHARE, LabelPosterior, Voices
from histoseek.ranking.labelled_queries import FittedPosterior, LabelledQueries, Surroundings, fit_labels
from histoseek.ranking.reliability import measure_reliability

CLASSES = 4

POSTERIORS = st.builds(
    LabelPosterior,
    temperature=st.floats(0.01, 2),
    sharpness=st.floats(0.1, 5),
    smoothing=st.floats(0.001, 0.9),
    none_offset=st.floats(-8, 3),
    none_slope=st.floats(0, 5),
    typical=st.floats(0, 1),
    spread=st.floats(0.01, 1),
    doubt=st.floats(0.001, 0.2),
)
NEAR = st.lists(st.tuples(st.floats(0, 2), st.integers(0, CLASSES - 1)), min_size=1, max_size=12)
COUNTS = st.lists(st.integers(1, 9), min_size=CLASSES, max_size=CLASSES)


def voices(near: list[tuple[float, int]], counts: list[int]) -> Voices:
    ordered = sorted(near)
    distances, labels = np.full((1, 15), np.inf), np.full((1, 15), NOBODY)
    distances[0, : len(ordered)] = [distance for distance, _ in ordered]
    labels[0, : len(ordered)] = [label for _, label in ordered]
    return Voices(distances, labels, np.array([counts], float) / sum(counts))


def naive(posterior: LabelPosterior, near: list[tuple[float, int]], counts: list[int]) -> list[float]:
    first = min(distance for distance, _ in near)
    weights = [math.exp(-(distance - first) / posterior.temperature) for distance, _ in near]
    odds = []
    for label in range(CLASSES):
        share = sum(w for w, (_, one) in zip(weights, near, strict=True) if one == label) / sum(weights)
        prevalence = counts[label] / sum(counts)
        odds.append((posterior.smoothing * prevalence + (1 - posterior.smoothing) * share) ** posterior.sharpness)
    far = (first - posterior.typical) / posterior.spread
    none = posterior.none_offset + posterior.none_slope * far
    # All odds by a common factor where those of none of these have no room in a number.
    odds = [one * math.exp(-max(none, 0)) for one in odds]
    odds.append(math.exp(min(none, 0)))
    before = [(1 - UNKNOWN_SHARE) * count / sum(counts) for count in counts] + [UNKNOWN_SHARE]
    return [
        (1 - posterior.doubt) * one / sum(odds) + posterior.doubt * prior
        for one, prior in zip(odds, before, strict=True)
    ]


@given(POSTERIORS, NEAR, COUNTS)
def test_probabilities_are_the_naive_ones_and_in_all_1(
    posterior: LabelPosterior, near: list[tuple[float, int]], counts: list[int]
) -> None:
    found = posterior(voices(near, counts))[0]
    assert found.sum() == pytest.approx(1, abs=1e-12)
    assert np.all((found > 0) & (found < 1))
    assert found.tolist() == pytest.approx(naive(posterior, near, counts), rel=1e-9, abs=1e-15)


@given(POSTERIORS, NEAR, COUNTS, st.data())
@settings(max_examples=100)
def test_a_voice_that_comes_nearer_never_lowers_its_own_label_nor_raises_none(
    posterior: LabelPosterior, near: list[tuple[float, int]], counts: list[int], data: st.DataObject
) -> None:
    chosen = data.draw(st.integers(0, len(near) - 1))
    distance, label = near[chosen]
    nearer = [*near[:chosen], (distance * data.draw(st.floats(0, 1)), label), *near[chosen + 1 :]]
    before, after = posterior(voices(near, counts))[0], posterior(voices(nearer, counts))[0]
    assert after[label] >= before[label] - 1e-12


@given(POSTERIORS, NEAR, COUNTS, st.floats(0, 3))
def test_a_query_that_is_farther_from_all_is_more_likely_none_of_these(
    posterior: LabelPosterior, near: list[tuple[float, int]], counts: list[int], further: float
) -> None:
    away = [(distance + further, label) for distance, label in near]
    assert posterior(voices(away, counts))[0, -1] >= posterior(voices(near, counts))[0, -1] - 1e-9


def test_nobody_near_leaves_prevalence_and_an_empty_archive_leaves_none() -> None:
    posterior = LabelPosterior(0.1, 1.0, 0.2, -4.0, 1.0, 0.5, 0.1, 0.05)
    alone = Voices(np.full((1, 3), np.inf), np.full((1, 3), NOBODY), np.array([[0.75, 0.25]]))
    found = posterior(alone)[0]
    assert found[0] / found[1] == pytest.approx(3)
    assert posterior(replace(alone, prevalence=np.zeros((1, 2))))[0].tolist() == [0, 0, 1]


def drawn(patients: int, classes: int = 3, effect: float = 2.0, seed: int = 0, slides: int = 1) -> LabelledQueries:
    """Slides of patients as points, their labels' centres `effect` apart."""
    rng = np.random.default_rng(seed)
    owners = np.repeat(np.arange(patients), slides)
    labels = owners % classes
    points = rng.standard_normal((len(owners), 3)) + effect * np.eye(3)[labels % 3]
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)
    members = np.unique(np.column_stack([owners, labels]), axis=0)
    return LabelledQueries(
        labels,
        owners,
        surround(apart, owners, labels, beyond=False),
        surround(apart, owners, labels, beyond=True),
        members,
        classes,
    )


def surround(apart: np.ndarray, owners: np.ndarray, labels: np.ndarray, beyond: bool, depth: int = 20) -> Surroundings:
    shape = len(owners), depth
    distances, found, patients = np.full(shape, np.inf), np.full(shape, NOBODY), np.full(shape, NOBODY)
    for row in range(len(owners)):
        seen: list[int] = []
        for place in np.argsort(apart[row]).tolist():
            skipped = owners[place] == owners[row] or (beyond and labels[place] == labels[row])
            if skipped or owners[place] in patients[row, : len(seen)] or len(seen) == depth:
                continue
            distances[row, len(seen)], found[row, len(seen)] = apart[row, place], labels[place]
            patients[row, len(seen)] = owners[place]
            seen.append(place)
    return Surroundings(distances, found, patients)


@pytest.fixture(scope="module")
def fitted() -> FittedPosterior:
    return fit_labels(drawn(240))


def test_it_beats_the_base_rate_and_is_calibrated_on_patients_held_out(fitted: FittedPosterior) -> None:
    assert fitted.held_out.brier < 0.75 * fitted.base.brier
    assert fitted.held_out.log_loss < fitted.base.log_loss
    assert fitted.held_out.ece < 0.08


def test_figures_of_patients_held_out_are_those_of_fresh_patients(fitted: FittedPosterior) -> None:
    everyone = drawn(360)
    fresh = everyone.take(everyone.patients >= 240)
    probabilities = fitted.posterior(fresh.listen(np.zeros(0, np.int64))[0])
    nearest = fresh.around.labels[:, :5]
    said = np.take_along_axis(probabilities, nearest, axis=1).ravel()
    same = (nearest == fresh.labels[:, None]).ravel()
    found = measure_reliability(said, same, np.ones(len(said)))
    assert found.brier == pytest.approx(fitted.held_out.brier, abs=0.03)


def test_labels_taken_out_make_none_more_likely_and_rarely_else(fitted: FittedPosterior) -> None:
    assert fitted.none == pytest.approx(UNKNOWN_SHARE, abs=0.015)
    assert fitted.none_beyond > 2 * fitted.none


def test_labels_without_meaning_give_their_prevalence() -> None:
    queries = drawn(150, effect=0.0)
    probabilities = fit_labels(queries).posterior(queries.listen(np.zeros(0, np.int64))[0])
    assert np.abs(probabilities[:, :3] - 1 / 3).max() < 0.15
    assert np.abs(probabilities[:, :3] - 1 / 3).mean() < 0.05


def test_few_patients_are_never_sure() -> None:
    queries = drawn(10, classes=2, effect=30.0, slides=3)
    posterior = fit_labels(queries).posterior
    assert posterior.doubt == pytest.approx(1 / 12)
    probabilities = posterior(queries.listen(np.zeros(0, np.int64))[0])
    assert probabilities.max() < 1 - 1 / 24
    assert np.all(probabilities.argmax(axis=1) == queries.labels)


def test_no_patient_held_out_is_a_voice_of_the_fit_nor_counts_in_it() -> None:
    queries = drawn(30, slides=2)
    absent = np.arange(0, 30, 3)
    rest = queries.take(~np.isin(queries.patients, absent))
    around, beyond = rest.listen(absent)
    # Every third patient is of the first label: without them none is left.
    assert not np.any(around.labels == 0)
    assert np.all(around.prevalence[:, 0] == 0)
    assert np.all(np.diff(around.distances[:, :5]) >= 0)
    own = rest.labels[:, None]
    assert not np.any(beyond.labels == own)
    assert np.all(np.take_along_axis(beyond.prevalence, own, 1) == 0)
    others = rest.listen(np.zeros(0, np.int64))[0].prevalence
    assert others[0].tolist() == pytest.approx([10 / 29, 9 / 29, 10 / 29])


def test_reliability_is_the_naive_one() -> None:
    rng = np.random.default_rng(1)
    probabilities, weights = rng.random(200), rng.random(200) + 0.1
    same = rng.random(200) < 0.4
    found = measure_reliability(probabilities, same, weights)
    total = weights.sum()
    gaps = {}
    for p, y, w in zip(probabilities, same, weights, strict=True):
        edge = max(1, math.ceil(p * 10))
        gaps[edge] = gaps.get(edge, 0.0) + w * (p - y)
    assert found.ece == pytest.approx(sum(map(abs, gaps.values())) / total)
    assert found.brier == pytest.approx((weights * (probabilities - same) ** 2).sum() / total)
    losses = [w * -math.log(p if y else 1 - p) for p, y, w in zip(probabilities, same, weights, strict=True)]
    assert found.log_loss == pytest.approx(sum(losses) / total)
