"""Calibration on plain arrays, against naive computations."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoseek.mosaics.calibration_curves import (
    Curve,
    NeighbourPairs,
    fit_curve,
    fit_isotonic,
    fit_logistic,
    is_novel,
    measure_novelty,
    measure_reliability,
)

POINTS = st.lists(
    st.tuples(st.integers(0, 12), st.booleans(), st.sampled_from((0.25, 0.5, 1.0, 3.0))), min_size=1, max_size=40
)


def arrays(points: list[tuple[int, bool, float]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    distances, values, weights = zip(*points, strict=True)
    return np.array(distances, float), np.array(values, float), np.array(weights, float)


def naive_falling(distances: np.ndarray, values: np.ndarray, weights: np.ndarray) -> dict[float, float]:
    """Pool adjacent violators as in the textbook: one violation at a time."""
    blocks = []
    for place in sorted(set(distances)):
        here = distances == place
        blocks.append([float((values * weights)[here].sum()), float(weights[here].sum()), [place]])
    i = 0
    while i + 1 < len(blocks):
        if blocks[i][0] / blocks[i][1] <= blocks[i + 1][0] / blocks[i + 1][1]:
            following = blocks.pop(i + 1)
            blocks[i] = [a + b for a, b in zip(blocks[i], following, strict=True)]
            i = max(i - 1, 0)
        else:
            i += 1
    return {place: total / mass for total, mass, places in blocks for place in places}


def drawn_pairs(patients: int = 60, each: int = 25, seed: int = 0, slope: float = 8.0) -> NeighbourPairs:
    """Pairs whose probability is logistic in the distance; 0.5 at 0.5."""
    rng = np.random.default_rng(seed)
    distances = rng.random(patients * each)
    same = rng.random(len(distances)) < 1 / (1 + np.exp(slope * (distances - 0.5)))
    queries = np.repeat(np.arange(patients), each)
    ranks = np.tile(np.arange(1, each + 1), patients)
    return NeighbourPairs(distances, same, ranks, queries, rng.integers(0, patients, len(distances)))


@given(POINTS)
@settings(max_examples=200)
def test_isotonic_is_the_naive_one_falls_and_stays_within_0_and_1(points: list[tuple[int, bool, float]]) -> None:
    distances, values, weights = arrays(points)
    curve = fit_isotonic(distances, values, weights)
    naive = naive_falling(distances, values, weights)
    assert curve(distances) == pytest.approx([naive[place] for place in distances])
    assert all(np.diff(curve.distances) > 0)
    assert all(np.diff(curve.probabilities) <= 0)
    everywhere = curve(np.linspace(-5, 20, 60))
    assert np.all(np.diff(everywhere) <= 0)
    assert np.all((everywhere >= 0) & (everywhere <= 1))


def test_isotonic_is_that_of_scikit_learn_between_its_points_too() -> None:
    regression = pytest.importorskip("sklearn.isotonic").IsotonicRegression(increasing=False, out_of_bounds="clip")
    rng = np.random.default_rng(3)
    distances, weights = np.round(rng.random(2000), 3), rng.random(2000) + 0.1
    values = (rng.random(2000) > distances).astype(float)
    regression.fit(distances, values, sample_weight=weights)
    asked = np.linspace(-0.2, 1.2, 777)
    assert fit_isotonic(distances, values, weights)(asked) == pytest.approx(regression.predict(asked), abs=1e-9)


def test_logistic_finds_the_curve_that_pairs_were_drawn_from() -> None:
    pairs = drawn_pairs(patients=400)
    curve = fit_logistic(pairs.distances, pairs.same.astype(float), pairs.weights)
    asked = np.linspace(0.02, 0.98, 25)
    assert curve(asked) == pytest.approx(1 / (1 + np.exp(8 * (asked - 0.5))), abs=0.03)


def test_logistic_stays_finite_on_separable_pairs_and_never_rises() -> None:
    distances = np.linspace(0, 1, 20)
    steep = fit_logistic(distances, (distances < 0.5).astype(float), np.ones(20))
    assert np.all(np.diff(steep.probabilities) < 0)
    assert steep.probabilities[0] > 0.9
    assert steep.probabilities[-1] < 0.1
    rising = fit_logistic(distances, (distances > 0.5).astype(float), np.ones(20))
    assert rising(distances) == pytest.approx(np.full(20, 0.5))
    one_place = fit_logistic(np.zeros(8), np.array([1.0] * 6 + [0.0] * 2), np.ones(8))
    assert float(one_place(np.array([0.3]))[0]) == pytest.approx(0.75)


def test_each_patient_weighs_the_same_and_first_neighbours_weigh_most() -> None:
    queries = np.repeat([0, 1], [90, 10])
    pairs = NeighbourPairs(np.zeros(100), queries == 1, np.arange(100) % 10 + 1, queries, np.full(100, 2))
    for weights in (pairs.weights, pairs.equal_weights):
        assert weights[:90].sum() == pytest.approx(1)
        assert weights[90:].sum() == pytest.approx(1)
    assert pairs.weights[90] == pytest.approx(10 * pairs.weights[99])
    assert pairs.equal_weights[90] == pytest.approx(pairs.equal_weights[99])
    assert fit_isotonic(pairs.distances, pairs.same.astype(float), pairs.weights).probabilities == pytest.approx((0.5,))


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


def test_held_out_figures_are_honest() -> None:
    found = fit_curve(drawn_pairs(patients=120))
    fresh = drawn_pairs(seed=1, patients=400)
    on_fresh = measure_reliability(found.curve(fresh.distances), fresh.same, fresh.equal_weights)
    assert found.held_out.ece < 0.1
    assert found.deep.ece < 0.05
    assert found.deep.brier == pytest.approx(on_fresh.brier, abs=0.02)
    assert found.held_out.brier == pytest.approx(on_fresh.brier, abs=0.03)
    assert found.held_out.log_loss < found.base.log_loss
    assert found.held_out.brier < found.score.brier + 0.01


def test_pairs_without_meaning_give_the_base_rate() -> None:
    pairs = drawn_pairs(slope=0.0)
    found = fit_curve(pairs)
    middle = found.curve(np.quantile(pairs.distances, [0.1, 0.5, 0.9]))
    assert middle == pytest.approx(np.full(3, found.base_rate), abs=0.08)
    assert found.held_out.brier == pytest.approx(found.base.brier, abs=0.005)


def test_no_pair_of_a_held_out_patient_is_fitted_on_from_either_side() -> None:
    # Each patient meets only its twin, and the two share a distance of their own: a fit that has seen (b, a) knows
    # the answer to (a, b).
    rng = np.random.default_rng(0)
    twins = np.arange(200)
    distances = np.repeat(rng.random(100), 2)
    same = np.repeat(rng.random(100) < 0.5, 2)
    found = fit_curve(NeighbourPairs(distances, same, np.ones(200, np.int64), twins, twins ^ 1))
    assert found.held_out.brier > 0.24


def test_no_curve_is_surer_than_its_patients_allow() -> None:
    ranks, queries = np.repeat([1, 2], 10), np.tile(np.arange(10), 2)
    pairs = NeighbourPairs(np.repeat([0.1, 0.9], 10), np.repeat([True, False], 10), ranks, queries, np.full(20, 99))
    curve = fit_curve(pairs).curve
    assert max(curve.probabilities) <= 11 / 12
    assert min(curve.probabilities) >= 1 / 12
    assert Curve((0.0, 1.0), (1.0, 0.0)).limit_certainty(8).probabilities == pytest.approx((0.9, 0.1))


@given(st.lists(st.floats(0, 2), min_size=1, max_size=60), st.floats(0, 2))
def test_novelty_is_the_share_that_is_at_least_as_far(known: list[float], nearest: float) -> None:
    known = sorted(known)
    assert measure_novelty(nearest, known) == pytest.approx(
        (1 + sum(one >= nearest for one in known)) / (1 + len(known))
    )
    assert measure_novelty(nearest + 0.1, known) <= measure_novelty(nearest, known)


def test_novelty_of_exchangeable_slides_is_below_a_level_no_more_often_than_that() -> None:
    rng = np.random.default_rng(0)
    flagged = []
    for _ in range(2000):
        drawn = rng.standard_normal(100)
        flagged.append(is_novel(measure_novelty(drawn[0], np.sort(drawn[1:]))))
    assert 0.03 < np.mean(flagged) < 0.06
    assert not is_novel(None)
