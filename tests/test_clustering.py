"""K-means: its laws, and its result on data with an obvious answer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoseek.statistics.clustering import cluster_sample, kmeans


@settings(max_examples=30)
@given(st.integers(1, 60), st.integers(1, 20), st.integers(0, 1000), st.booleans())
def test_labels_are_nearest_centres_and_no_cluster_is_empty(count: int, k: int, seed: int, spherical: bool) -> None:
    points = np.random.default_rng(seed).standard_normal((count, 5)).astype(np.float32)
    found = kmeans(points, k, seed, spherical=spherical)
    rows = points / np.linalg.norm(points, axis=1, keepdims=True) if spherical else points
    naive = ((rows[:, None] - found.centres[None]) ** 2).sum(-1)
    own = naive[np.arange(count), found.labels]
    assert np.allclose(own, naive.min(axis=1), atol=1e-4)
    assert np.allclose(own, found.distances, atol=1e-4)
    assert set(found.labels.tolist()) == set(range(len(found.centres)))
    assert len(found.centres) <= min(k, count)


def test_separated_blobs_are_found_for_every_seed() -> None:
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(4), 25)
    points = (rng.standard_normal((100, 8)) * 0.1 + np.eye(8)[truth] * 10).astype(np.float32)
    for seed in range(10):
        labels = kmeans(points, 4, seed).labels
        assert all(len(set(labels[truth == group].tolist())) == 1 for group in range(4))
        assert len(set(labels.tolist())) == 4


def test_same_seed_same_bits_and_identical_points_make_one_cluster() -> None:
    points = np.random.default_rng(3).standard_normal((200, 16)).astype(np.float32)
    one, two = kmeans(points, 8, 7), kmeans(points, 8, 7)
    assert np.array_equal(one.centres, two.centres)
    assert len(kmeans(np.ones((9, 4), np.float32), 5, 0).centres) == 1
    assert kmeans(np.ones((9, 4), np.float32), 5, 0).distances.max() == pytest.approx(0, abs=1e-6)


@settings(max_examples=20)
@given(st.integers(1, 3000), st.integers(1, 16), st.integers(0, 100))
def test_sampled_clusters_hold_every_point_at_its_nearest_centre(count: int, k: int, seed: int) -> None:
    points = np.random.default_rng(count).standard_normal((count, 3)).astype(np.float32)
    found = cluster_sample(points, k, seed)
    naive = ((points[:, None] - found.centres[None]) ** 2).sum(-1)
    assert np.allclose(naive[np.arange(count), found.labels], naive.min(axis=1), atol=1e-4)
    assert set(found.labels.tolist()) == set(range(len(found.centres))) and len(found.centres) <= min(k, count)
    assert np.array_equal(found.labels, cluster_sample(points, k, seed).labels)
