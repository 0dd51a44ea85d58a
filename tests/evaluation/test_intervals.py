"""Intervals that cover, tests whose p-values can be counted by hand."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoseek.errors import ConfigurationError
from histoseek.evaluation.scores import Scores, score
from histoseek.evaluation.significance import bootstrap, compare, holm, permutation_test
from histoseek.statistics.intervals import percentile_interval
from tests.evaluation.rankings import ranking


def clustered(patients: int, between: float, within: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Values with mean zero [Q, 1] of patients with one to five queries each, and the patients' codes [Q]."""
    rng = np.random.default_rng(seed)
    owners = np.repeat(np.arange(patients), rng.integers(1, 6, patients))
    values = between * rng.standard_normal(patients)[owners] + within * rng.standard_normal(len(owners))
    return values[:, None], owners


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    """95 % of 300 cohorts of 40 patients, whose queries are alike; 90 to 98 % is what the percentile method keeps."""
    covered = 0
    for seed in range(300):
        values, owners = clustered(40, 1.0, 0.3, seed)
        low, high = bootstrap(values, owners, seed, 400)
        covered += bool(low[0] <= 0 <= high[0])
    assert 0.90 <= covered / 300 <= 0.98


def test_queries_of_one_patient_are_not_counted_as_independent() -> None:
    """The same values, once as one query a patient and once as five alike: five times the queries tell nothing more."""
    values, owners = np.random.default_rng(0).standard_normal((40, 1)), np.arange(40)
    once, many = bootstrap(values, owners, 1), bootstrap(np.repeat(values, 5, 0), np.repeat(owners, 5), 1)
    assert np.array(once) == pytest.approx(np.array(many))


@settings(max_examples=30)
@given(st.integers(3, 9), st.integers(4, 16), st.integers(0, 10**6))
def test_a_bootstrap_is_the_percentiles_over_drawn_patients(patients: int, queries: int, seed: int) -> None:
    """Naively: for every draw of patients, the mean over all their queries that have a value."""
    rng = np.random.default_rng(seed)
    owners = rng.integers(0, patients, queries) * 3
    values = rng.random((queries, 2))
    values[rng.random((queries, 2)) < 0.3] = math.nan
    low, high = bootstrap(values, owners, seed, 200)
    names = sorted(set(owners.tolist()))
    weights: list[np.ndarray] = []

    def keep(drawn: np.ndarray) -> np.ndarray:
        weights.append(drawn)
        return drawn[:, :1]

    percentile_interval(keep, len(names), seed, 200)
    for column in range(2):
        known = {owner for owner, value in zip(owners, values[:, column], strict=True) if not math.isnan(value)}
        if len(known) < 5:
            assert math.isnan(low[column])
            assert math.isnan(high[column])
            continue
        means = []
        for times in np.concatenate(weights):
            bag = []
            for name, time in zip(names, times, strict=True):
                own = [v for owner, v in zip(owners, values[:, column], strict=True) if owner == name]
                bag += int(time) * [v for v in own if not math.isnan(v)]
            if bag:
                means.append(np.mean(bag))
        assert (low[column], high[column]) == pytest.approx(tuple(np.percentile(means, (2.5, 97.5))))


def test_draws_are_of_as_many_patients_with_replacement() -> None:
    seen: list[np.ndarray] = []

    def keep(drawn: np.ndarray) -> np.ndarray:
        seen.append(drawn)
        return drawn[:, :1]

    percentile_interval(keep, 7, 0, 3000)
    drawn = np.concatenate(seen)
    assert (drawn.sum(1) == 7).all()
    assert drawn.mean(0) == pytest.approx(np.ones(7), abs=0.08)
    assert drawn.var(0) == pytest.approx(np.full(7, 6 / 7), abs=0.1)


@pytest.mark.parametrize(
    ("value", "least", "low", "high"),
    [(1, 0, 0.6915, 1), (0, 0, 0, 0.3085), (0, -1, -0.3085, 0.3085), (1, -1, 0.3830, 1), (-1, -1, -1, -0.3830)],
)
def test_ten_patients_who_agree_leave_room_for_others(value: float, least: float, low: float, high: float) -> None:
    """Ten of ten: a share of 0.025 ** 0.1 = 0.6915 gives that in one of forty samples; the rest may be anything."""
    found = bootstrap(np.full((20, 1), float(value)), np.arange(20) // 2, 0, least=least)
    assert np.concatenate(found) == pytest.approx([low, high], abs=1e-4)


def test_nothing_gives_no_interval() -> None:
    low, high = bootstrap(np.empty((0, 2)), np.empty(0, np.int64), 0)
    assert np.isnan(low).all()
    assert np.isnan(high).all()


@settings(max_examples=30)
@given(st.integers(1, 8), st.integers(1, 14), st.integers(0, 10**6))
def test_few_patients_are_permuted_in_every_way(patients: int, queries: int, seed: int) -> None:
    """Against systems swapped patient by patient in all 2 ** P ways, with ties at the observed difference."""
    rng = np.random.default_rng(seed)
    owners = rng.integers(0, patients, queries)
    differences = rng.integers(-2, 3, (queries, 1)) / 2
    names = sorted(set(owners.tolist()))
    extreme = []
    for signs in itertools.product((1, -1), repeat=len(names)):
        swapped = dict(zip(names, signs, strict=True))
        mean = np.mean([swapped[o] * d for o, d in zip(owners.tolist(), differences[:, 0], strict=True)])
        extreme.append(abs(mean) >= abs(differences.mean()) - 1e-9)
    assert permutation_test(differences, owners, 0)[0] == pytest.approx(np.mean(extreme))


def test_many_patients_are_permuted_at_random_close_to_the_exact_p() -> None:
    """Fourteen patients: 16,384 ways to count, 10,000 drawn."""
    differences = np.random.default_rng(2).normal(0.35, 1, (14, 1))
    ways = np.array(list(itertools.product((1, -1), repeat=14))) @ differences[:, 0]
    exact = float((np.abs(ways) >= abs(differences.sum()) - 1e-9).mean())
    found = permutation_test(differences, np.arange(14), 0)[0]
    assert 0.02 < exact < 0.5
    assert found == pytest.approx(exact, abs=4 * math.sqrt(exact / 10_000))
    assert permutation_test(np.full((30, 1), 1.0), np.arange(30), 0)[0] == pytest.approx(1 / 10_001)


def test_equal_systems_are_rarely_called_different() -> None:
    """Under the null, p is below 0.05 in about one of twenty cohorts, however alike a patient's queries are."""
    low = sum(permutation_test(*clustered(10, 1.0, 0.2, seed), seed)[0] <= 0.05 for seed in range(400))
    assert 0.02 <= low / 400 <= 0.08


def test_holm_is_the_one_by_hand() -> None:
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.5, 0.6])) == pytest.approx([1, 1])
    with_gap = holm(np.array([0.02, math.nan, 0.03]))
    assert with_gap[[0, 2]] == pytest.approx([0.04, 0.04])
    assert math.isnan(with_gap[1])
    assert holm(np.array([])).shape == (0,)


def systems() -> tuple[Scores, Scores, np.ndarray]:
    """A good and a random system over 40 slides of 20 patients."""
    labels, owners = np.arange(40) // 2 % 3, np.arange(40) // 2
    rng = np.random.default_rng(0)
    noise = rng.random((40, 40))
    good = ranking(noise + (labels[:, None] != labels), labels, owners)
    names = ["a", "b", "c"]
    return score(good, labels, names, owners), score(ranking(noise, labels, owners), labels, names, owners), owners


def test_a_better_system_is_told_from_a_random_one() -> None:
    good, random, owners = systems()
    found = {one.metric: one for one in compare(good, random, owners, 0)}
    assert set(found) == set(good.names) - {"mMV@1", "recall@1", "MAP@1", "nDCG@1"}
    top = found["top-1"]
    assert top.difference == pytest.approx(good.get_metric("top-1").value - random.get_metric("top-1").value)
    assert 0 < top.low < top.difference < top.high
    assert top.p == pytest.approx(1 / 10_001, abs=2e-4)
    assert top.p < top.p_holm <= 17 * top.p
    back = {one.metric: one for one in compare(random, good, owners, 0)}
    assert back["top-1"].difference == -top.difference
    assert back["top-1"].p == top.p


def test_a_system_does_not_differ_from_itself() -> None:
    good, _, owners = systems()
    differing = 1 - 0.025 ** (1 / 20)
    for one in compare(good, good, owners, 0):
        assert (one.difference, one.p, one.p_holm) == (0, 1, 1)
        assert (one.low, one.high) == pytest.approx((-differing, differing))


def test_queries_are_paired_by_slide_not_by_row() -> None:
    good, random, owners = systems()
    turned = replace(random, queries=random.queries[::-1].copy(), per_query=random.per_query[::-1].copy())
    assert compare(good, turned, owners, 0) == compare(good, random, owners, 0)


def test_only_queries_with_an_answer_in_both_are_compared() -> None:
    good, random, owners = systems()
    fewer = replace(random, per_query=random.per_query.copy())
    fewer.per_query[:10] = math.nan
    top = compare(good, fewer, owners, 0)[0]
    assert top.difference == pytest.approx((good.per_query[10:, 0] - random.per_query[10:, 0]).mean())
    fewer.per_query[:] = math.nan
    nothing = compare(good, fewer, owners, 0)[0]
    assert math.isnan(nothing.difference)
    assert math.isnan(nothing.p)
    assert math.isnan(nothing.p_holm)


def test_other_queries_cannot_be_compared() -> None:
    good, random, owners = systems()
    half = replace(random, queries=random.queries[:20], per_query=random.per_query[:20])
    with pytest.raises(ConfigurationError, match="do not have the same queries"):
        compare(good, half, owners, 0)
