"""Vectors of many dimensions laid out in two, for people to look at: no figure is computed on it."""

from __future__ import annotations

import warnings
from contextlib import suppress
from functools import cache
from importlib import import_module

import numpy as np
from numpy.typing import NDArray

from histoseek.errors import MissingExtra
from histoseek.statistics.clustering import normalise_rows

MOST_SLIDES = 5000
"""Slides on a map: what a page draws at once, and what UMAP lays out in about ten seconds on two cores."""

NEIGHBOURS = 15
"""How many nearest vectors each is kept close to; UMAP's own default."""

SPACING = 0.8
"""UMAP's min_dist. Its default of 0.1 heaps like slides on one spot, where their markers cover each other."""

EPOCHS = 200
"""UMAP's own number for many vectors; for few it takes 500, which moves nothing that can be seen."""

FEWEST = 5
"""Fewer vectors have no neighbourhoods to keep: they are laid out by their principal components."""

_COMPARED_AT_ONCE = 1024

_COMPILED = (
    ("umap_", "smooth_knn_dist"),
    ("umap_", "compute_membership_strengths"),
    ("layouts", "_nb_optimize_layout_euclidean_single_epoch"),
)
"""What UMAP has numba compile anew in every process, for some five seconds."""

Floats = NDArray[np.float32]
Places = NDArray[np.float64]


def can_be_neighbours(vectors: Floats) -> bool:
    """Whether vectors [n, D] have neighbourhoods: there are enough, and they are not all the same."""
    return len(vectors) >= FEWEST and not bool((vectors == vectors[0]).all())


def lay_out_by_neighbours(vectors: Floats, seed: int) -> Places:
    """Places [n, 2] in which vectors float32 [n, D] of large cosine are near (UMAP; McInnes, Healy and Melville 2018).

    Neighbours are found exactly; one thread and a start from principal components leave nothing to chance, so the same
    vectors and seed give the same places. Raises MissingExtra without umap-learn.
    """
    try:
        from umap import UMAP
    except ImportError as error:
        raise MissingExtra("umap-learn", "evaluation") from error
    _keep_compiled()
    nearest = (*_nearest(vectors, min(NEIGHBOURS, len(vectors) - 1)), None)
    with warnings.catch_warnings():
        # It warns that new vectors can't be placed beside these.
        warnings.simplefilter("ignore")
        reducer = UMAP(
            n_neighbors=nearest[0].shape[1],
            min_dist=SPACING,
            metric="cosine",
            init="pca",
            n_epochs=EPOCHS,
            random_state=seed,
            n_jobs=1,
            precomputed_knn=nearest,
        )
        return np.asarray(reducer.fit_transform(vectors), np.float64)


def lay_out_by_components(vectors: Floats) -> Places:
    """The first two principal components of vectors [n, D], [n, 2], each with its largest value positive; zeros where
    there are none."""
    places = np.zeros((len(vectors), 2))
    if not vectors.size:
        return places
    centred = vectors.astype(np.float64) - vectors.mean(0)
    if vectors.shape[1] < len(vectors):
        components = centred @ np.linalg.eigh(centred.T @ centred)[1][:, :-3:-1]
    else:
        squares, left = np.linalg.eigh(centred @ centred.T)
        components = (left * np.sqrt(np.maximum(squares, 0)))[:, :-3:-1]
    signs = np.sign(components[np.abs(components).argmax(0), np.arange(components.shape[1])])
    places[:, : components.shape[1]] = components * np.where(signs == 0, 1, signs)
    return places


@cache
def _keep_compiled() -> None:
    """Let numba keep what it compiles of UMAP on disk, as of our own kernels, where a folder can be written."""
    for module, name in _COMPILED:
        with suppress(ImportError, AttributeError, RuntimeError):
            getattr(import_module(f"umap.{module}"), name).enable_caching()


def _nearest(vectors: Floats, count: int) -> tuple[NDArray[np.int64], Floats]:
    """Each vector and the count - 1 nearest to it, nearest first: their places and cosine distances, [n, count]."""
    unit = normalise_rows(vectors).astype(np.float32)
    parts = []
    for start in range(0, len(unit), _COMPARED_AT_ONCE):
        distances = 1 - unit[start : start + _COMPARED_AT_ONCE] @ unit.T
        rows = np.arange(len(distances))
        distances[rows, rows + start] = -1
        near = np.argpartition(distances, count - 1, axis=1)[:, :count]
        order = np.argsort(np.take_along_axis(distances, near, 1), axis=1, kind="stable")
        near = np.take_along_axis(near, order, 1)
        parts.append((near, np.maximum(np.take_along_axis(distances, near, 1), 0)))
    return np.concatenate([near for near, _ in parts]), np.concatenate([apart for _, apart in parts])
