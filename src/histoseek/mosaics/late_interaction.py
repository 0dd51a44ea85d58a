"""Late interaction: every mosaic vector of one slide meets its most similar one of the other (Khattab and Zaharia
2020, ColBERT), here from both sides."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from histoseek.errors import ConfigurationError

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]

_MOST_CELLS = 500_000
"""Numbers of the slides' mosaics that are widened to float32 at once: 2 MB, so that they stay near the processor."""

_LEAST_LENGTH = np.float32(1e-12)


def compute_mean_largest_cosines(query: NDArray[np.float16], mosaics: NDArray[np.float16], offsets: Ints) -> Doubles:
    """Means of the largest cosines between a query's mosaic and those of S slides, float64 [S, 2].

    query: [Q, D]; mosaics: [total, D], those of slide s at offsets[s]:offsets[s + 1], at least one. Column 0 is the
    mean over the query's vectors of the largest cosine to the slide's, column 1 the other way round. Slides are gone
    through in runs that bound memory. Raises ConfigurationError for a slide without a mosaic vector.
    """
    if len(offsets) > 1 and np.diff(offsets).min() < 1:
        raise ConfigurationError("mosaics", "a slide without a mosaic vector", "Give at least one")
    own = _normalise(query)
    means = np.empty((len(offsets) - 1, 2))
    for first, last in _split_runs(offsets, max(1, _MOST_CELLS // max(1, mosaics.shape[1]))):
        vectors = mosaics[offsets[first] : offsets[last]].astype(np.float32)
        lengths = np.sqrt(np.einsum("td,td->t", vectors, vectors))
        cosines = own @ vectors.T / np.maximum(lengths, _LEAST_LENGTH)
        starts = offsets[first:last] - offsets[first]
        counts = np.diff(offsets[first : last + 1])
        means[first:last, 0] = np.maximum.reduceat(cosines, starts, axis=1).mean(axis=0, dtype=np.float64)
        means[first:last, 1] = np.add.reduceat(cosines.max(axis=0), starts, dtype=np.float64) / counts
    return means


def _split_runs(offsets: Ints, most: int) -> Iterator[tuple[int, int]]:
    """Runs of slides, first and behind the last, of at most so many vectors, or of one slide."""
    first, slides = 0, len(offsets) - 1
    while first < slides:
        last = int(np.searchsorted(offsets, offsets[first] + most, side="right")) - 1
        last = min(max(last, first + 1), slides)
        yield first, last
        first = last


def _normalise(rows: NDArray[np.float16]) -> NDArray[np.float32]:
    wide = rows.astype(np.float32)
    return np.asarray(wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), _LEAST_LENGTH), np.float32)
