"""The whitening by what varies within labels and the stretching along labels: against dense computations."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoseek.errors import ConfigurationError
from histoseek.ranking import within_class
from histoseek.ranking.label_directions import fit_label_directions
from histoseek.ranking.metric import IDENTITY, LinearMap
from histoseek.ranking.within_class import fit_within_class

FEW = settings(max_examples=15, deadline=None)


def draw(seed, count, dimension, owners=None):
    rng = np.random.default_rng(seed)
    labels = rng.integers(3, size=count)
    rows = rng.standard_normal((count, dimension)) + 2 * rng.standard_normal((3, dimension))[labels]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype(np.float32), labels, rng.integers(owners or count, size=count)


def apply(linear_map: LinearMap, rows):
    return linear_map(rows, np.full(len(rows), -1))


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def naive_within(rows, labels, owners, shrinkage):
    rows = rows.astype(np.float64)
    total, freedom = np.zeros((rows.shape[1],) * 2), 0
    for label in set(labels.tolist()):
        own = [np.flatnonzero((labels == label) & (owners == o)) for o in set(owners[labels == label].tolist())]
        if len(own) < 2:
            continue
        mean = np.mean([rows[slides].mean(0) for slides in own], axis=0)
        for slides in own:
            total += np.mean([np.outer(row - mean, row - mean) for row in rows[slides]], axis=0)
        freedom += len(own) - 1
    covariance = total / max(freedom, 1)
    scale = np.trace(covariance) / len(covariance)
    values, vectors = np.linalg.eigh((1 - shrinkage) * covariance + shrinkage * scale * np.eye(len(covariance)))
    return vectors @ np.diag(values**-0.5) @ vectors.T


@FEW
@given(st.integers(0, 99), st.sampled_from([(12, 30), (40, 9)]), st.sampled_from([0.1, 0.5, 0.9]))
def test_is_the_root_of_the_covariance_in_either_shape(seed, shape, shrinkage):
    rows, labels, owners = draw(seed, *shape, owners=10)

    found = apply(fit_within_class(rows, labels, owners, shrinkage), rows)

    expected = unit(rows @ naive_within(rows, labels, owners, shrinkage))
    assert np.abs(found - expected).max() < 1e-4


@FEW
@given(st.integers(0, 99), st.sampled_from([(12, 30), (40, 9)]), st.sampled_from([0.05, 1.0]))
def test_squared_distances_grow_by_those_of_the_predicted_labels(seed, shape, strength):
    rows, labels, owners = draw(seed, *shape)
    gain = 1.5

    mapped = fit_label_directions(rows, labels, owners, strength, gain)
    found = rows if mapped.inward is None else rows + (rows @ mapped.inward.T) @ mapped.outward

    owner_weights = [1 / sum((labels == a) & (owners == b)) for a, b in zip(labels, owners, strict=True)]
    weights = np.array([w / np.dot(owner_weights, labels == a) for w, a in zip(owner_weights, labels, strict=True)])
    weights /= weights.sum()
    targets = (labels[:, None] == np.unique(labels)) * 1.0
    wide = np.concatenate([rows - weights @ rows, np.zeros((0, shape[1]))])
    ridge = strength / len(set(owners.tolist())) * np.sum(weights[:, None] * wide**2)
    moment = wide.T @ (weights[:, None] * wide) + ridge * np.eye(shape[1])
    predicted = rows @ np.linalg.solve(moment, wide.T @ (weights[:, None] * (targets - weights @ targets)))
    for one, other in ((0, 1), (2, 5), (7, 3)):
        squared = np.sum((rows[one] - rows[other]) ** 2) + gain**2 * np.sum((predicted[one] - predicted[other]) ** 2)
        assert np.sum((found[one] - found[other]) ** 2) == pytest.approx(squared, rel=1e-3, abs=1e-5)


def test_beyond_the_largest_directions_vectors_are_scaled_alike(monkeypatch):
    monkeypatch.setattr(within_class, "MOST_DIRECTIONS", 4)
    rows, labels, _ = draw(8, 40, 12)
    residuals = rows.astype(np.float64) - np.array([rows[labels == k].mean(0) for k in range(3)])[labels]
    values, vectors = np.linalg.eigh(residuals.T @ residuals / 37)
    values[:-4] = values[:-4].mean()
    root = vectors @ np.diag((0.3 * values + 0.7 * values.mean()) ** -0.5) @ vectors.T

    mapped = fit_within_class(rows, labels, np.arange(40), 0.7)

    assert len(mapped.inward) == 4
    assert np.abs(apply(mapped, rows) - unit(rows @ root)).max() < 1e-4


def test_copies_of_an_owners_slides_change_nothing():
    rows, labels, owners = draw(3, 20, 8)
    owners = np.arange(20)
    again = np.r_[np.arange(20), 4, 4, 4]

    once, more = ([fit(rows[k], labels[k], owners[k]) for fit in (whiten, stretch)] for k in (np.arange(20), again))

    for one, other in zip(once, more, strict=True):
        assert np.allclose(apply(one, rows), apply(other, rows), atol=1e-4)


def whiten(rows, labels, owners):
    return fit_within_class(rows, labels, owners, 0.5)


def stretch(rows, labels, owners):
    return fit_label_directions(rows, labels, owners, 0.5, 1.0)


@pytest.mark.parametrize("fit", [whiten, stretch])
def test_what_cannot_be_learned_leaves_vectors_as_they_are(fit):
    rows, labels, _ = draw(1, 6, 8)
    assert fit(rows, np.zeros(6, np.int64), np.zeros(6, np.int64)) == IDENTITY

    same = np.tile(rows[:1], (6, 1))
    assert np.allclose(apply(fit(same, labels, np.arange(6)), same), same, atol=1e-6)
    nothing = np.zeros((6, 8), np.float32)
    assert np.array_equal(apply(fit(nothing, labels, np.arange(6)), nothing), nothing)


def test_labels_are_nearer_after_whitening():
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    nuisance = 4 * rng.standard_normal((60, 2)) @ rng.standard_normal((2, 40))
    rows = unit(rng.standard_normal((3, 40))[labels] + rng.standard_normal((60, 40)) + nuisance)

    def share_of_right(vectors):
        cosines = vectors @ vectors.T - 2 * np.eye(60)
        return np.mean(labels[cosines.argmax(1)] == labels)

    held = np.arange(60) % 2 == 0
    mapped = whiten(rows[held], labels[held], np.flatnonzero(held))
    assert share_of_right(apply(mapped, rows)) > share_of_right(rows) + 0.1


@pytest.mark.parametrize("shrinkage", [0.0, -1.0, 1.5, float("nan")])
def test_a_shrinkage_that_is_none_is_refused(shrinkage):
    rows, labels, owners = draw(0, 6, 4)
    with pytest.raises(ConfigurationError, match="shrinkage"):
        fit_within_class(rows, labels, owners, shrinkage)


@pytest.mark.parametrize(("strength", "gain"), [(0.0, 1.0), (float("nan"), 1.0), (1.0, -1.0)])
def test_a_stretching_that_is_none_is_refused(strength, gain):
    rows, labels, owners = draw(0, 6, 4)
    with pytest.raises(ConfigurationError, match="label directions"):
        fit_label_directions(rows, labels, owners, strength, gain)
