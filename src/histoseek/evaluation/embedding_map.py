"""A 2-d map of an archive's global vectors, for people to look at: no figure is computed on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from histoseek.errors import InputError, MissingExtra
from histoseek.evaluation.cohort import PRIVATE_COLUMNS
from histoseek.evaluation.outcome import ArchiveMap, MapPoint

NEIGHBOURS = 15
"""How many nearest slides each slide is kept close to; UMAP's own default."""

SPACING = 0.8
"""UMAP's min_dist. Its default of 0.1 heaps like slides on one spot, where their markers cover each other."""

FEWEST = 5
"""Fewer slides have no neighbourhoods to keep: they are laid out by their principal components."""

Floats = NDArray[np.float32]


def archive_map(
    vectors: Floats, slide_ids: Sequence[str], columns: Mapping[str, Sequence[str | None]], seed: int
) -> ArchiveMap:
    """Place slides by the cosine between their global vectors (UMAP; McInnes, Healy and Melville 2018).

    vectors: float32 [n, D], any length; columns: n values each, None where not known, which becomes "". The same
    vectors and seed give the same map. Fewer than FEWEST slides, or slides that are all alike, are placed by their
    principal components. Raises InputError for one of PRIVATE_COLUMNS, MissingExtra without umap-learn.
    """
    private = next((name for name in columns if name in PRIVATE_COLUMNS), None)
    if private is not None:
        raise InputError(
            f"column {private}", "tells of patients, which no page may", "Colour the map by another column"
        )
    alike = len(vectors) < 1 or bool((vectors == vectors[0]).all())
    places = _principal(vectors) if alike or len(vectors) < FEWEST else _umap(vectors, seed)
    points = (
        MapPoint(slide_id, round(float(x), 4), round(float(y), 4), tuple(of[row] or "" for of in columns.values()))
        for row, (slide_id, (x, y)) in enumerate(zip(slide_ids, places, strict=True))
    )
    return ArchiveMap(tuple(columns), tuple(points))


def _umap(vectors: Floats, seed: int) -> NDArray[np.floating]:
    """float [n, 2]; one thread and a start from principal components, so that nothing is left to chance."""
    try:
        from umap import UMAP
    except ImportError as error:
        raise MissingExtra("umap-learn", "evaluation") from error
    count = min(NEIGHBOURS, len(vectors) - 1)
    reducer = UMAP(n_neighbors=count, min_dist=SPACING, metric="cosine", init="pca", random_state=seed, n_jobs=1)
    return np.asarray(reducer.fit_transform(vectors), np.float64)


def _principal(vectors: Floats) -> NDArray[np.floating]:
    """The first two principal components, float [n, 2], each with its largest value positive; zeros where none."""
    places = np.zeros((len(vectors), 2))
    if not vectors.size:
        return places
    centred = vectors.astype(np.float64) - vectors.mean(0)
    left, size, _ = np.linalg.svd(centred, full_matrices=False)
    found = (left * size)[:, :2]
    signs = np.sign(found[np.abs(found).argmax(0), np.arange(found.shape[1])])
    places[:, : found.shape[1]] = found * np.where(signs == 0, 1, signs)
    return places
