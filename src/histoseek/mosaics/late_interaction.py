"""Late interaction: each vector of a mosaic meets the nearest of another (Khattab and Zaharia 2020, ColBERT)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from histoseek.errors import ConfigurationError

Array = np.ndarray[Any, Any]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]
Mosaics = NDArray[np.float16]

_MOST_CELLS = 500_000
"""Numbers of the slides' mosaics that are widened to float32 at once: 2 MB, so that they stay near the processor."""

_LEAST_LENGTH = np.float32(1e-12)


def count_closest(vectors: int) -> int:
    """How many of so many vectors are the closest quarter, rounded, at least one."""
    return max(1, (vectors + 2) // 4)


def compute_mean_largest_cosines(query: Mosaics, mosaics: Mosaics, offsets: Ints) -> Doubles:
    """Means of the largest cosines between a query's mosaic and those of S slides, float64 [S, 2].

    query: [Q, D]; mosaics: [total, D], those of slide s at offsets[s]:offsets[s + 1], at least one. Column 0 is the
    mean over the query's vectors of the largest cosine to the slide's, column 1 the other way round. Slides are gone
    through in runs that bound memory. Raises ConfigurationError for a slide without a mosaic vector.
    """
    means = np.empty((len(offsets) - 1, 2))
    for run, largest, backward, starts in _iterate_runs(query, mosaics, offsets):
        counts = np.diff(np.append(starts, len(backward)))
        means[run, 0] = largest.mean(axis=0, dtype=np.float64)
        means[run, 1] = np.add.reduceat(backward, starts, dtype=np.float64) / counts
    return means


def compute_closest_cosines(query: Mosaics, mosaics: Mosaics, offsets: Ints) -> Doubles:
    """As `compute_mean_largest_cosines`, but means over the closest quarter of each slide's vectors (`count_closest`).

    What two slides share may be little of either: the rest of their vectors, which has no counterpart, says nothing.
    """
    means = np.empty((len(offsets) - 1, 2))
    count = count_closest(len(query))
    for run, largest, backward, starts in _iterate_runs(query, mosaics, offsets):
        first = largest.shape[0] - count
        means[run, 0] = np.partition(largest, first, axis=0)[first:].mean(axis=0, dtype=np.float64)
        means[run, 1] = _average_closest(backward, starts)
    return means


def compute_largest_cosines(query: Mosaics, mosaics: Mosaics, offsets: Ints) -> NDArray[np.float32]:
    """The largest cosine of each vector of a query to those of each slide, float32 [Q, S]; as the others else."""
    largest = np.empty((len(query), len(offsets) - 1), np.float32)
    for run, columns, _, _ in _iterate_runs(query, mosaics, offsets):
        largest[:, run] = columns
    return largest


def _average_closest(values: Array, starts: Ints) -> Doubles:
    """The mean of the closest quarter of each slide's values, float64 [S]; values: [T], slide s from starts[s] on."""
    counts = np.diff(np.append(starts, len(values)))
    owners = np.repeat(np.arange(len(starts)), counts)
    ordered = values[np.lexsort((-values, owners))]
    kept = np.maximum(1, (counts + 2) // 4)
    places = np.arange(len(values)) - starts[owners]
    return np.asarray(np.add.reduceat(np.where(places < kept[owners], ordered, 0), starts, dtype=np.float64) / kept)


def _iterate_runs(query: Mosaics, mosaics: Mosaics, offsets: Ints) -> Iterator[tuple[slice, Array, Array, Ints]]:
    """For runs of slides, which they are: the largest cosine of each vector of the query to each slide [Q, S], of each
    of their vectors to the query [T], and where each slide's begin, int64 [S]."""
    if len(offsets) > 1 and np.diff(offsets).min() < 1:
        raise ConfigurationError("mosaics", "a slide without a mosaic vector", "Give at least one")
    own = normalise(query)
    for first, last in split_runs(offsets, max(1, _MOST_CELLS // max(1, mosaics.shape[1]))):
        vectors = mosaics[offsets[first] : offsets[last]].astype(np.float32)
        lengths = np.sqrt(np.einsum("td,td->t", vectors, vectors))
        cosines = own @ vectors.T / np.maximum(lengths, _LEAST_LENGTH)
        starts = offsets[first:last] - offsets[first]
        yield slice(first, last), np.maximum.reduceat(cosines, starts, axis=1), cosines.max(axis=0), starts


def split_runs(offsets: Ints, most: int) -> Iterator[tuple[int, int]]:
    """Runs of slides, first and behind the last, of at most so many vectors, or of one slide."""
    first, slides = 0, len(offsets) - 1
    while first < slides:
        last = int(np.searchsorted(offsets, offsets[first] + most, side="right")) - 1
        last = min(max(last, first + 1), slides)
        yield first, last
        first = last


def normalise(rows: Mosaics) -> NDArray[np.float32]:
    """Rows [n, D] of length one, in float32."""
    wide = rows.astype(np.float32)
    return np.asarray(wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), _LEAST_LENGTH), np.float32)
