"""Novelty against naive computations, and what its p-values promise."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from histoseek.ranking.novelty import (
    MIN_KNOWN,
    SHRINKAGE,
    NoveltyModel,
    OwnScores,
    TileSample,
    damp_lengths,
    draw_tiles,
    fit_novelty,
    fit_tile_model,
)

Doubles = NDArray[np.float64]


def make_samples(
    slides: int, tiles: int, dimension: int = 6, *, seed: int = 0, per_patient: int = 1
) -> list[TileSample]:
    generator = np.random.default_rng(seed)
    scales = np.linspace(0.2, 1, dimension)
    everything = np.arange(tiles)
    return [
        TileSample(
            slide // per_patient,
            (
                2 + generator.normal(size=dimension) * scales / 2 + generator.normal(size=(tiles, dimension)) * scales
            ).astype(np.float32),
            everything,
            everything,
        )
        for slide in range(slides)
    ]


def damp_naively(row: Doubles) -> Doubles:
    damped: Doubles = row / np.sqrt(np.linalg.norm(row))
    return damped


def test_a_model_is_the_naive_one() -> None:
    """Each slide weighs the same, however many tiles it has."""
    samples = make_samples(7, 3) + make_samples(4, 9, seed=1)
    weights = np.concatenate([np.full(len(one.features), 1 / len(one.features)) for one in samples])
    rows = np.array([damp_naively(row) for one in samples for row in one.features.astype(np.float64)])
    mean = np.average(rows, axis=0, weights=weights)
    covariance = np.cov(rows.T, aweights=weights, bias=True)
    average = np.trace(covariance) / len(covariance)
    shrunk = (1 - SHRINKAGE) * covariance + (SHRINKAGE * average + 1e-6 * (1 + mean @ mean) / len(mean)) * np.eye(6)
    asked = np.random.default_rng(5).normal(size=(8, 6)) * 3
    centred = np.array([damp_naively(row) for row in asked]) - mean
    expected = np.einsum("nd,de,ne->n", centred, np.linalg.inv(shrunk), centred) / 6
    np.testing.assert_allclose(fit_tile_model(samples)(asked), expected, rtol=2e-3)


def test_directions_beyond_the_axes_share_what_is_left() -> None:
    samples = make_samples(60, 4, dimension=90)
    model = fit_tile_model(samples)
    rows = damp_lengths(np.concatenate([one.features for one in samples])).astype(np.float64)
    total = rows.var(axis=0).sum() + 1e-6 * (1 + model.mean @ model.mean)
    assert model.axes.shape == (64, 90)
    assert model.variances.sum() + 26 * model.rest == pytest.approx(total, rel=1e-3)


def test_own_scores_are_by_models_that_the_patient_had_no_part_in() -> None:
    """A slide that is like none but its patient's other one is as strange as it would be without that one."""
    samples = make_samples(40, 2, per_patient=2)
    strange = [TileSample(99, -one.features, one.spread, one.patch) for one in samples[:2]]
    without = fit_tile_model(samples)
    scores = fit_novelty([*samples, *strange]).own[-1].scores
    least = min(float(without(one.features).mean()) for one in strange)
    assert scores[-2] > least / 2 > scores[-3]


@settings(max_examples=15)
@given(tiles=st.integers(1, 40), seed=st.integers(0, 99))
def test_a_patch_is_of_neighbours_and_the_rest_from_all_over(tiles: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    coords = generator.integers(0, 50, (tiles, 2)).astype(np.int32)
    rows, spread, patch = draw_tiles(coords, generator)
    assert len(spread) == len(patch) == min(tiles, 16)
    assert len(set(spread)) == len(set(patch)) == min(tiles, 16)
    assert set(spread) | set(patch) == set(range(len(rows)))
    first = coords[rows[patch[0]]]
    apart = ((coords - first) ** 2).sum(axis=1)
    chosen = apart[rows[patch]]
    assert all(one <= other for one, other in pairwise(chosen))
    assert chosen.max() <= np.sort(apart)[len(patch) - 1]


@settings(max_examples=30)
@given(known=st.lists(st.floats(0, 9), min_size=1, max_size=30), score=st.floats(0, 9))
def test_a_p_value_is_the_share_that_scores_as_high(known: list[float], score: float) -> None:
    own = OwnScores(None, tuple(sorted(known)))
    assert own.find_p_value(score) == pytest.approx((1 + sum(one >= score for one in known)) / (1 + len(known)))
    assert own.find_p_value(score + 0.1) <= own.find_p_value(score)


@pytest.mark.parametrize(("tiles", "is_whole"), [(1, False), (4, False), (16, False), (16, True), (2, True)])
def test_new_patients_are_flagged_as_often_as_is_said(tiles: int, is_whole: bool) -> None:
    model = fit_novelty(make_samples(300, 16))
    asked = make_samples(400, tiles, seed=1)
    said = np.array([model.measure(one.features, is_whole=is_whole) for one in asked])
    assert 0.02 < np.mean(said <= 0.05) < 0.09
    assert 0.13 < np.mean(said <= 0.2) < 0.27


def test_strangers_are_flagged() -> None:
    model = fit_novelty(make_samples(60, 4))
    strangers = [one.features * np.array([-1, 1, 1, -1, 1, 1], np.float32) for one in make_samples(20, 4, seed=2)]
    assert all(model.measure(one, is_whole=True) < 0.05 for one in strangers)


def test_a_query_is_compared_with_no_more_tiles_than_it_has() -> None:
    model = fit_novelty(make_samples(MIN_KNOWN, 16) + make_samples(30, 1, seed=3))
    found = [model.find_own(tiles, is_whole=False).tiles for tiles in (1, 3, 4, 15, 16, 400)]
    assert found == [1, 2, 4, 8, 16, 16]
    assert [model.find_own(tiles, is_whole=True).tiles for tiles in (1, 15, 16, 400)] == [1, 8, None, None]
    few = fit_novelty(make_samples(MIN_KNOWN - 1, 16) + make_samples(30, 1, seed=3))
    assert few.find_own(400, is_whole=False).tiles == 1


def test_tiles_that_are_all_the_same_or_empty_have_finite_scores() -> None:
    rows = np.zeros(1, np.int64)
    for row in (np.ones((1, 3), np.float32), np.zeros((1, 3), np.float32), np.full((1, 1), 1e15, np.float32)):
        model: NoveltyModel = fit_novelty([TileSample(owner, row, rows, rows) for owner in range(MIN_KNOWN)])
        assert model.measure(row, is_whole=True) == 1
        assert np.isfinite(model.tiles(-row + 1)).all()
