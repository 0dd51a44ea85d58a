"""Late interaction between slides that are several vectors each (Khattab and Zaharia 2020, ColBERT), in blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from histoseek.evaluation.systems.base import Floats, Ints

_QUERIES_AT_ONCE = 64
_SLIDES_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Stack:
    """The vectors of S slides one under another.

    vectors: float32 [T, D], of length one; weights: float32 [T], of sum one for each slide; starts: int64 [S], where
    each slide's vectors begin.
    """

    vectors: Floats
    weights: Floats
    starts: Ints

    @classmethod
    def from_slides(cls, vectors: Sequence[Floats], weights: Sequence[Floats]) -> Stack:
        """From each slide's unit vectors and positive weights of any sum."""
        starts = np.cumsum([0, *(len(rows) for rows in vectors[:-1])]).astype(np.int64)
        shares = [slide_weights / slide_weights.sum() for slide_weights in weights]
        return cls(np.concatenate(vectors), np.concatenate(shares).astype(np.float32), starts)


def compute_similarities(queries: Ints, database: Ints, make_stack: Callable[[Ints], Stack]) -> Floats:
    """float32 [Q, C]: the mean of both directions of: weighted mean, over one slide's vectors, of the largest cosine
    to the other's. `stacked` gives the vectors of slides; it is asked for at most 256 at once."""
    values = np.empty((len(queries), len(database)), np.float32)
    for left in range(0, len(database), _SLIDES_AT_ONCE):
        columns = slice(left, left + _SLIDES_AT_ONCE)
        slides = make_stack(database[columns])
        for top in range(0, len(queries), _QUERIES_AT_ONCE):
            rows = slice(top, top + _QUERIES_AT_ONCE)
            values[rows, columns] = _average_directions(make_stack(queries[rows]), slides)
    return values


def _average_directions(queries: Stack, slides: Stack) -> Floats:
    cosines = queries.vectors @ slides.vectors.T
    forward = _average_rows(np.maximum.reduceat(cosines, slides.starts, axis=1), queries)
    backward = _average_rows(np.maximum.reduceat(cosines, queries.starts, axis=0).T, slides).T
    return np.asarray(0.5 * (forward + backward), np.float32)


def _average_rows(largest: Floats, stack: Stack) -> Floats:
    """Weighted means of the rows [T, X] of each slide of a stack, [S, X]."""
    return np.asarray(np.add.reduceat(largest * stack.weights[:, None], stack.starts, axis=0), np.float32)
