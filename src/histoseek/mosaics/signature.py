"""The signature of a slide: what the archive keeps of it for matching."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from histoseek.encoders.side_by_side import SideBySide
from histoseek.encoders.slide.limits import MOST_VECTORS
from histoseek.equality import EqualByContent
from histoseek.errors import EncoderError
from histoseek.mosaics.barcodes import Words, count_first_vectors, cut_barcodes, make_barcodes


@dataclass(frozen=True, slots=True, eq=False)
class MosaicTiles(EqualByContent):
    """The tiles that carry a mosaic vector: coords int32 [T, 2], top-left in level-0 px; weights float32 [T],
    largest first."""

    coords: NDArray[np.int32]
    weights: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Signature(EqualByContent):
    """A slide for matching.

    global_vector: float32 [G]; mosaic: float16 [M, D], 1 <= M <= MOST_VECTORS; shares: float32 [M], the weights of the
    mosaic vectors in the global one; barcodes: uint64 [M + 1, W], those of the mosaic and then that of the global
    vector, or of the mosaic's mean where the global vector lies in another space; mosaic_tiles: M of them;
    tile_size_level0: the tiles' edge in px, 0 when unknown; context: float32 [C] of length one, the slide at the
    archive's coarser spacing, None without such.
    """

    global_vector: NDArray[np.float32]
    mosaic: NDArray[np.float16]
    shares: NDArray[np.float32]
    barcodes: Words
    mosaic_tiles: tuple[MosaicTiles, ...]
    tile_size_level0: int
    context: NDArray[np.float32] | None = None

    @classmethod
    def create(
        cls,
        global_vector: NDArray[np.float32],
        mosaic: NDArray[np.float16],
        shares: NDArray[np.float32],
        mosaic_tiles: tuple[MosaicTiles, ...],
        tile_size_level0: int,
        context: NDArray[np.float32] | None = None,
        *,
        one_space: bool = True,
    ) -> Signature:
        """Compute the barcodes and check all parts; raises EncoderError when they don't fit together.

        one_space: whether the global vector lies in the mosaic's space.
        """
        last = global_vector if one_space else compute_mosaic_mean(mosaic, shares)
        codes = make_signature_barcodes(mosaic, last)
        signature = cls(global_vector, mosaic, shares, codes, mosaic_tiles, tile_size_level0, context)
        fault = signature.fault()
        if fault:
            raise EncoderError("signature", fault, "This is a fault of the slide encoder")
        return signature

    def split(self, layout: SideBySide) -> tuple[Signature, Signature]:
        """The signatures of both encoders of a space of two, as either alone would have made them."""
        codes = self.barcodes[:-1]
        [count] = count_first_vectors(codes, np.array([0, len(codes)]), layout.first).tolist()
        first, second = layout.split(self.global_vector[None])
        return (
            self._cut(slice(0, count), slice(0, layout.first), first[0]),
            self._cut(slice(count, None), slice(layout.first, None), second[0]),
        )

    def _cut(self, rows: slice, numbers: slice, global_vector: NDArray[np.float32]) -> Signature:
        mosaic, shares = self.mosaic[rows, numbers], self.shares[rows]
        codes = np.concatenate([self.barcodes[:-1][rows], self.barcodes[-1:]])
        return replace(
            self,
            global_vector=global_vector,
            mosaic=mosaic,
            shares=shares / shares.sum(),
            barcodes=cut_barcodes(codes, numbers.start, mosaic.shape[1]),
            mosaic_tiles=self.mosaic_tiles[rows],
        )

    def fault(self) -> str | None:
        """What is wrong with it, or None: shapes, finite values, barcodes that match the vectors."""
        count = len(self.mosaic)
        if self.global_vector.ndim != 1 or self.shares.shape != (count,):
            given = f"{self.global_vector.shape} and {self.shares.shape}"
            return f"global vector and shares of shapes {given} beside a mosaic of {self.mosaic.shape}"
        if not 1 <= count <= MOST_VECTORS or len(self.mosaic_tiles) != count:
            return f"{count} mosaic vectors with tiles for {len(self.mosaic_tiles)}"
        vectors = (self.global_vector, self.mosaic, *(() if self.context is None else (self.context,)))
        if not all(np.isfinite(vector).all() for vector in vectors):
            return "vectors hold NaN or infinity"
        if not self._has_own_barcodes():
            return "barcodes do not belong to the vectors"
        if any(tiles.coords.shape != (len(tiles.weights), 2) or not len(tiles.weights) for tiles in self.mosaic_tiles):
            return "a mosaic vector without tiles"
        return None

    def _has_own_barcodes(self) -> bool:
        lasts = [self.global_vector] if len(self.global_vector) == self.mosaic.shape[1] else []
        lasts.append(compute_mosaic_mean(self.mosaic, self.shares))
        return any(np.array_equal(self.barcodes, make_signature_barcodes(self.mosaic, last)) for last in lasts)


def make_signature_barcodes(mosaic: NDArray[np.float16], last: NDArray[np.float32]) -> Words:
    """Barcodes [M + 1, W] of a mosaic as stored, then of a vector of its space."""
    return np.concatenate([make_barcodes(mosaic), make_barcodes(last[None])])


def compute_mosaic_mean(mosaic: NDArray[np.float16], shares: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean of a mosaic as stored, [M, D], by its shares [M], float32 [D].

    Summed in double precision and rounded once, so that it has the same barcode wherever it is computed.
    """
    return np.asarray(shares.astype(np.float64) @ mosaic.astype(np.float64), np.float32)


_INT, _FLOAT = np.dtype("<i4"), np.dtype("<f4")


def pack_tiles(signature: Signature) -> bytes:
    """The tiles of a signature as bytes.

    Little-endian int32: the tiles' edge in level-0 px, the number M of mosaic vectors, the tiles of each [M], x and y
    of all tiles [T, 2]; then float32 weights [T].
    """
    tiles = signature.mosaic_tiles
    counts = [len(part.weights) for part in tiles]
    head = np.array([signature.tile_size_level0, len(tiles), *counts], _INT)
    coords = np.concatenate([part.coords for part in tiles]).astype(_INT)
    weights = np.concatenate([part.weights for part in tiles]).astype(_FLOAT)
    return head.tobytes() + coords.tobytes() + weights.tobytes()


def unpack_tiles(packed: bytes) -> tuple[tuple[MosaicTiles, ...], int]:
    """The tiles of each mosaic vector, and their edge in level-0 px."""
    numbers = np.frombuffer(packed, _INT)
    edge, vectors = int(numbers[0]), int(numbers[1])
    counts = numbers[2 : 2 + vectors]
    first, total = 2 + vectors, int(counts.sum())
    coords = numbers[first : first + 2 * total].reshape(-1, 2).astype(np.int32)
    weights = numbers[first + 2 * total :].view(_FLOAT).astype(np.float32)
    ends = np.cumsum(counts)[:-1]
    parts = zip(np.split(coords, ends), np.split(weights, ends), strict=True)
    return tuple(MosaicTiles(*part) for part in parts), edge
