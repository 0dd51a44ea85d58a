"""Which mosaic vector of one slide meets which of another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class MosaicMatch:
    """Two mosaic vectors that meet, by index, and the cosine between them."""

    query_index: int
    result_index: int
    similarity: float


def match_mosaics(query: NDArray[np.float16], result: NDArray[np.float16], limit: int) -> tuple[MosaicMatch, ...]:
    """The `limit` closest pairs of mosaics [Mq, D] and [Mr, D], each vector used once, best first.

    Ties go to the lower query index, then the lower result index.
    """
    cosines = _unit(query) @ _unit(result).T
    found: list[MosaicMatch] = []
    while len(found) < min(limit, *cosines.shape):
        best = int(cosines.argmax())
        row, column = divmod(best, cosines.shape[1])
        found.append(MosaicMatch(row, column, float(cosines[row, column])))
        cosines[row] = -np.inf
        cosines[:, column] = -np.inf
    return tuple(found)


def _unit(rows: NDArray[np.float16]) -> NDArray[np.float32]:
    wide = rows.astype(np.float32)
    return wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-12)
