"""Seeded k-means, Euclidean and spherical: same points and seed, same clusters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Clustering:
    """The outcome of k-means on N points of D dimensions.

    centres: float32 [K, D]; labels: int64 [N]; distances: float32 [N], squared, to the own centre.
    K can be smaller than asked for when there are fewer distinct points. No cluster is empty.
    """

    centres: Floats
    labels: Ints
    distances: Floats


def kmeans(points: Floats, clusters: int, seed: int, *, spherical: bool = False, iterations: int = 30) -> Clustering:
    """Cluster points [N, D] (N >= 1) by Lloyd's algorithm from k-means++ seeds (Arthur and Vassilvitskii 2007).

    With `spherical`, points and centres live on the unit sphere (Dhillon and Modha 2001).
    """
    points = np.ascontiguousarray(points, dtype=np.float32)
    if spherical:
        points = normalise_rows(points)
    centres = _seed_centres(points, clusters, np.random.default_rng(seed))
    labels, distances = _assign(points, centres)
    for _ in range(iterations):
        centres = _move_centres(points, centres, labels, spherical)
        moved, distances = _assign(points, centres)
        if np.array_equal(moved, labels):
            break
        labels = moved
    return _drop_empty(centres, labels, distances)


def cluster_sample(points: Floats, clusters: int, seed: int, sample: int = 1024, iterations: int = 10) -> Clustering:
    """Like `kmeans`, with centres found in a few iterations on a sample of the points: rough, and fast for many."""
    points = np.ascontiguousarray(points, dtype=np.float32)
    sample_rows = np.arange(len(points))
    if len(points) > sample:
        sample_rows = np.sort(np.random.default_rng(seed).choice(len(points), sample, replace=False))
    centres = kmeans(points[sample_rows], clusters, seed, iterations=iterations).centres
    return _drop_empty(centres, *_assign(points, centres))


def normalise_rows(rows: Floats) -> Floats:
    """Rows [N, D] scaled to length one; all-zero rows stay zero."""
    norms = np.linalg.norm(rows, axis=-1, keepdims=True)
    return (rows / np.maximum(norms, np.finfo(np.float32).tiny)).astype(np.float32, copy=False)


def _seed_centres(points: Floats, clusters: int, rng: np.random.Generator) -> Floats:
    centre_rows = [int(rng.integers(len(points)))]
    nearest = _compute_squared_distances(points, points[centre_rows])[:, 0].astype(np.float64)
    while len(centre_rows) < min(clusters, len(points)):
        nearest[centre_rows] = 0.0
        total = nearest.sum()
        if total <= 1e-9:
            break
        pick = int(np.searchsorted(np.cumsum(nearest), rng.random() * total, side="right"))
        centre_rows.append(min(pick, len(points) - 1))
        nearest = np.minimum(nearest, _compute_squared_distances(points, points[centre_rows[-1:]])[:, 0])
    return points[centre_rows].copy()


def _compute_squared_distances(points: Floats, centres: Floats) -> Floats:
    cross = points @ centres.T
    squares = np.einsum("nd,nd->n", points, points)[:, None] + np.einsum("kd,kd->k", centres, centres)[None, :]
    return np.maximum(squares - 2 * cross, 0).astype(np.float32, copy=False)


def _assign(points: Floats, centres: Floats) -> tuple[Ints, Floats]:
    distances = _compute_squared_distances(points, centres)
    labels = distances.argmin(axis=1)
    return labels.astype(np.int64), distances[np.arange(len(points)), labels]


def _move_centres(points: Floats, centres: Floats, labels: Ints, spherical: bool) -> Floats:
    member = np.zeros((len(centres), len(points)), dtype=np.float32)
    member[labels, np.arange(len(points))] = 1.0
    counts = member.sum(axis=1)
    new_centres = centres.copy()
    is_filled = counts > 0
    new_centres[is_filled] = (member @ points)[is_filled] / counts[is_filled, None]
    return normalise_rows(new_centres) if spherical else new_centres


def _drop_empty(centres: Floats, labels: Ints, distances: Floats) -> Clustering:
    is_used, compact = np.unique(labels, return_inverse=True)
    return Clustering(centres[is_used], compact.reshape(-1).astype(np.int64), distances)
