"""The arrays that searches go through: all slides of one version of a store, sorted by id."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from histoseek.mosaics.barcodes import Words, count_barcode_words
from histoseek.mosaics.distances import SignatureBlock, compute_squared_lengths

_LARGEST_CODE = 127

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Outline:
    """Which slides a version of a store has, in any order.

    slide_ids, patient_ids, case_ids: text [S], "" where not known; row_ids: uint64 [S], the engine's own; counts:
    int64 [S], barcodes of each slide; dimension: of the global vectors; mosaic_dimension: of what barcodes are of;
    context_dimension: of the vectors at a coarser spacing, 0 without such.
    """

    slide_ids: NDArray[np.str_]
    patient_ids: NDArray[np.str_]
    case_ids: NDArray[np.str_]
    row_ids: NDArray[np.uint64]
    counts: NDArray[np.int64]
    dimension: int
    mosaic_dimension: int
    context_dimension: int = 0

    def __len__(self) -> int:
        return len(self.slide_ids)

    @property
    def bytes(self) -> int:
        """What the arrays of RankingRows will take."""
        return sum(int(np.prod(shape)) * dtype.itemsize for shape, dtype in self.shapes.values())

    @property
    def shapes(self) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
        """Shape and type of each array of RankingRows, by its name."""
        slides, total = len(self), int(self.counts.sum())
        return {
            "slide_ids": ((slides,), self.slide_ids.dtype),
            "patient_ids": ((slides,), self.patient_ids.dtype),
            "case_ids": ((slides,), self.case_ids.dtype),
            "row_ids": ((slides,), np.dtype(np.uint64)),
            "row_order": ((slides,), np.dtype(np.int64)),
            "barcodes": ((total, count_barcode_words(self.mosaic_dimension)), np.dtype(np.uint64)),
            "offsets": ((slides + 1,), np.dtype(np.int64)),
            "global_vectors": ((slides, self.dimension), np.dtype(np.float32)),
            "squares": ((slides,), np.dtype(np.float64)),
            "codes": ((slides, self.dimension), np.dtype(np.int8)),
            "scales": ((slides,), np.dtype(np.float32)),
            "contexts": ((slides, self.context_dimension), np.dtype(np.float32)),
        }


@dataclass(frozen=True, slots=True)
class RankingRows:
    """All slides of one version of a store, sorted by id.

    slide_ids, patient_ids, case_ids: text [S], "" where not known; row_ids: uint64 [S], the engine's own, valid for
    this version; row_order: int64 [S], the places of the row ids in ascending order; barcodes, offsets, global_vectors
    and squares as in SignatureBlock; codes int8 [S, D] and scales float32 [S]: the global vectors once more, as
    `quantised` gives them; contexts as in SignatureBlock.
    """

    slide_ids: NDArray[np.str_]
    patient_ids: NDArray[np.str_]
    case_ids: NDArray[np.str_]
    row_ids: NDArray[np.uint64]
    row_order: NDArray[np.int64]
    barcodes: Words
    offsets: NDArray[np.int64]
    global_vectors: NDArray[np.float32]
    squares: NDArray[np.float64]
    codes: NDArray[np.int8]
    scales: NDArray[np.float32]
    contexts: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.slide_ids)

    @property
    def block(self) -> SignatureBlock:
        """All of them, to be ranked."""
        contexts = self.contexts if self.contexts.shape[1] else None
        return SignatureBlock(self.barcodes, self.offsets, self.global_vectors, self.squares, contexts=contexts)

    @property
    def bytes(self) -> int:
        """What the arrays take."""
        return sum(int(getattr(self, array.name).nbytes) for array in fields(self))

    def places(self, row_ids: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Where rows of the engine stand here, ascending."""
        return np.sort(self._places(row_ids))

    def places_of(self, slide_ids: Sequence[str]) -> NDArray[np.int64]:
        """Where those of the slides stand that there are."""
        return find_places_of(self.slide_ids, slide_ids)

    def take_outline(self, outline: Outline) -> None:
        """Settle which slide stands where, while the arrays are being filled."""
        order = np.argsort(outline.slide_ids, kind="stable")
        self.slide_ids[:] = outline.slide_ids[order]
        self.patient_ids[:] = outline.patient_ids[order]
        self.case_ids[:] = outline.case_ids[order]
        self.row_ids[:] = outline.row_ids[order]
        self.row_order[:] = np.argsort(self.row_ids, kind="stable")
        self.offsets[0] = 0
        np.cumsum(outline.counts[order], out=self.offsets[1:])

    def take_part(self, row_ids: NDArray[np.uint64], block: SignatureBlock) -> None:
        """Put some slides' signatures where they belong, while the arrays are being filled."""
        places = self._places(row_ids)
        counts = np.diff(block.offsets)
        words = np.arange(block.offsets[-1]) + np.repeat(self.offsets[:-1][places] - block.offsets[:-1], counts)
        self.barcodes[words] = block.barcodes
        self.global_vectors[places] = block.global_vectors
        self.squares[places] = compute_squared_lengths(block.global_vectors)
        self.codes[places], self.scales[places] = quantise(block.global_vectors)
        self.contexts[places] = np.nan if block.contexts is None else block.contexts

    def _places(self, row_ids: NDArray[np.uint64]) -> NDArray[np.int64]:
        return self.row_order[np.searchsorted(self.row_ids, row_ids, sorter=self.row_order)]


def find_places_of(sorted_ids: NDArray[np.str_], slide_ids: Sequence[str]) -> NDArray[np.int64]:
    """Where those of some slides stand among sorted ids [S] that there are."""
    asked = np.array(slide_ids, np.str_)
    places = np.searchsorted(sorted_ids, asked)
    there = places < len(sorted_ids)
    there[there] = sorted_ids[places[there]] == asked[there]
    return places[there]


def empty_arrays(outline: Outline, make: Callable[[str, tuple[int, ...], np.dtype[Any]], NDArray[Any]]) -> Arrays:
    """Arrays for RankingRows, each made from its name, shape and type."""
    return {name: make(name, shape, dtype) for name, (shape, dtype) in outline.shapes.items()}


def quantise(vectors: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Vectors [S, D] in eight bits: codes int8 [S, D] and scales float32 [S], so that vector = code * scale, nearly.

    No component is off by more than half a scale, which is its vector's largest magnitude over 127.
    """
    scales = (np.abs(vectors).max(axis=1, initial=0) / _LARGEST_CODE).astype(np.float32)
    codes = np.rint(vectors / np.where(scales, scales, 1)[:, None]).astype(np.int8)
    return codes, scales
