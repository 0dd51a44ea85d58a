"""A learned metric: one linear map of each space, under which slides are compared as they are without it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from histoseek.equality import EqualByContent
from histoseek.errors import ConfigurationError
from histoseek.mosaics.signature import Signature, compute_mosaic_mean, make_signature_barcodes
from histoseek.statistics.clustering import normalise_rows

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

NO_GROUP = -1
"""The group of a slide of which none is known: no offset is subtracted."""


@dataclass(frozen=True, slots=True, eq=False)
class LinearMap(EqualByContent):
    """x -> matrix (x - the offset of its group), of length one.

    matrix: float32 [K, D], None for the identity; offsets: float32 [G, D], one of each group, None where groups are not
    told apart.
    """

    matrix: Floats | None = None
    offsets: Floats | None = None

    def __call__(self, vectors: NDArray[np.floating], groups: Ints) -> Floats:
        """Vectors [n, D] of slides of these groups, int64 [n], mapped: float32 [n, K], of length one.

        Raises ConfigurationError for vectors of another dimension.
        """
        rows = np.asarray(vectors, np.float32)
        for part in (self.matrix, self.offsets):
            if part is not None and part.shape[1] != rows.shape[1]:
                what = f"is of vectors of dimension {part.shape[1]}, not {rows.shape[1]}"
                raise ConfigurationError("metric", what, "Run `histoseek tune` again")
        if self.offsets is not None:
            known = groups != NO_GROUP
            rows = rows - np.where(known[:, None], self.offsets[groups], 0)
        return normalise_rows(rows if self.matrix is None else rows @ self.matrix.T)

    def find_dimension(self, dimension: int) -> int:
        """The dimension of what vectors of this dimension become."""
        return dimension if self.matrix is None else len(self.matrix)


IDENTITY = LinearMap()


@dataclass(frozen=True, slots=True)
class Metric:
    """How signatures are mapped before they are compared.

    global_map, mosaic_map: of global vectors, and of mosaic vectors, which may lie in another space; column: of the
    groups that are centred apart, None without such; groups: their names, in the order of the offsets.
    """

    global_map: LinearMap = IDENTITY
    mosaic_map: LinearMap = IDENTITY
    column: str | None = None
    groups: tuple[str, ...] = ()

    def find_groups(self, values: list[str | None]) -> Ints:
        """The group of each of some values of the column, int64 [n], NO_GROUP for one that is not known."""
        places = {name: place for place, name in enumerate(self.groups)}
        return np.array([places.get(value or "", NO_GROUP) for value in values], np.int64)

    def map_signature(self, signature: Signature, group: int = NO_GROUP) -> Signature:
        """The signature under this metric, with the barcodes of what its vectors become; contexts stay."""
        mosaic = self.map_mosaic(signature.mosaic, np.full(len(signature.mosaic), group, np.int64))
        vector = self.global_map(signature.global_vector[None], np.array([group]))[0]
        return replace(
            signature,
            global_vector=vector,
            mosaic=mosaic,
            barcodes=make_metric_barcodes(vector, mosaic, signature.shares, self.has_one_space(signature)),
        )

    def map_mosaic(self, mosaic: NDArray[np.float16], groups: Ints) -> NDArray[np.float16]:
        """Mosaic vectors [n, D] of slides of these groups, mapped, as they would be stored."""
        return self.mosaic_map(mosaic, groups).astype(np.float16)

    @staticmethod
    def has_one_space(signature: Signature) -> bool:
        """Whether a signature's global vector is of its mosaic's space, as far as dimensions tell."""
        return len(signature.global_vector) == signature.mosaic.shape[1]


def make_metric_barcodes(
    vector: Floats, mosaic: NDArray[np.float16], shares: Floats, one_space: bool
) -> NDArray[np.uint64]:
    """The barcodes [M + 1, W] of a mapped signature: of the mosaic, then of the global vector, or of the mosaic's mean
    where that lies in another space."""
    return make_signature_barcodes(mosaic, vector if one_space else compute_mosaic_mean(mosaic, shares))
