"""The arrays that searches go through: all slides of one version of a store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from histoseek.mosaics.barcodes import Words, count_barcode_words
from histoseek.mosaics.distances import SignatureBlock, compute_squared_lengths

NO_ROW = np.uint64(2**64 - 1)
"""In place of the number of a row where there is none."""

NO_DIGEST = np.uint64(0)
"""In place of the digest of what is not known to be what it was."""

_LARGEST_CODE = 127
_FACTOR = 0x9E3779B97F4A7C15

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
            "order": ((slides,), np.dtype(np.int64)),
            "patient_keys": ((slides,), np.dtype(np.uint64)),
            "case_keys": ((slides,), np.dtype(np.uint64)),
            "barcodes": ((total, count_barcode_words(self.mosaic_dimension)), np.dtype(np.uint64)),
            "offsets": ((slides + 1,), np.dtype(np.int64)),
            "global_vectors": ((slides, self.dimension), np.dtype(np.float32)),
            "squares": ((slides,), np.dtype(np.float64)),
            "codes": ((slides, self.dimension), np.dtype(np.int8)),
            "scales": ((slides,), np.dtype(np.float32)),
            "contexts": ((slides, self.context_dimension), np.dtype(np.float32)),
            "signs": ((slides, 0), np.dtype(np.uint64)),
        }


@dataclass(frozen=True, slots=True)
class RankingPart:
    """Some slides of a store, in any order: row_ids uint64 [n] and their signatures."""

    row_ids: NDArray[np.uint64]
    block: SignatureBlock


@dataclass(frozen=True, slots=True)
class RowIds:
    """Whose n rows are: row_ids uint64 [n], the engine's own; slide_ids, patient_ids, case_ids: text [n], "" where not
    known; digests: uint64 [n], of what ranking reads of each, NO_DIGEST where that has none."""

    row_ids: NDArray[np.uint64]
    slide_ids: NDArray[np.str_]
    patient_ids: NDArray[np.str_]
    case_ids: NDArray[np.str_]
    digests: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.row_ids)


@dataclass(frozen=True, slots=True)
class RankingRows:
    """All slides of one version of a store, sorted by id; those of a large store as they came, at S places of which
    some may hold slides that the version does not have.

    slide_ids, patient_ids, case_ids: text [S], "" where not known; row_ids: uint64 [S], the engine's own, valid for
    this version, NO_ROW where a place does not count; row_order: int64 [S], the places of the row ids in ascending
    order; order: int64 [n], the places that count, by slide id; patient_keys, case_keys: uint64 [S], of the ids
    (`make_keys`); barcodes, offsets, global_vectors and squares as in SignatureBlock; codes int8 [S, D] and scales
    float32 [S]: the global vectors once more, as `quantised` gives them; contexts as in SignatureBlock; signs: uint64
    [S, W], the global vectors in one bit a number (`make_signs`), W = 0 of small stores.
    """

    slide_ids: NDArray[np.str_]
    patient_ids: NDArray[np.str_]
    case_ids: NDArray[np.str_]
    row_ids: NDArray[np.uint64]
    row_order: NDArray[np.int64]
    order: NDArray[np.int64]
    patient_keys: NDArray[np.uint64]
    case_keys: NDArray[np.uint64]
    barcodes: Words
    offsets: NDArray[np.int64]
    global_vectors: NDArray[np.float32]
    squares: NDArray[np.float64]
    codes: NDArray[np.int8]
    scales: NDArray[np.float32]
    contexts: NDArray[np.float32]
    signs: Words

    def __len__(self) -> int:
        """How many places there are."""
        return len(self.slide_ids)

    @property
    def is_sorted(self) -> bool:
        """Whether every place counts, and they are in the order of the slides' ids."""
        return len(self.order) == len(self) and bool((self.order == np.arange(len(self))).all())

    @property
    def sorted_ids(self) -> NDArray[np.str_]:
        """The ids of the slides that there are, text [n]."""
        return self.slide_ids if self.is_sorted else self.slide_ids[self.order]

    @property
    def all_places(self) -> NDArray[np.int64]:
        """The places that count, ascending."""
        return np.arange(len(self)) if len(self.order) == len(self) else np.flatnonzero(self.row_ids != NO_ROW)

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
        return find_places_of(self.slide_ids, slide_ids, self.order)

    def places_of_patient(self, patient_id: str) -> NDArray[np.int64]:
        """Where the slides of a patient stand."""
        return _find_equal(self.patient_ids, self.patient_keys, patient_id)

    def places_of_case(self, case_id: str) -> NDArray[np.int64]:
        """Where the slides of a case stand."""
        return _find_equal(self.case_ids, self.case_keys, case_id)

    def take_outline(self, outline: Outline) -> None:
        """Settle which slide stands where, while the arrays are being filled."""
        order = np.argsort(outline.slide_ids, kind="stable")
        self.slide_ids[:] = outline.slide_ids[order]
        self.patient_ids[:] = outline.patient_ids[order]
        self.case_ids[:] = outline.case_ids[order]
        self.row_ids[:] = outline.row_ids[order]
        self.row_order[:] = np.argsort(self.row_ids, kind="stable")
        self.order[:] = np.arange(len(order))
        self.patient_keys[:], self.case_keys[:] = make_keys(self.patient_ids), make_keys(self.case_ids)
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


def find_places_of(
    ids: NDArray[np.str_], slide_ids: Sequence[str], order: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """Where those of some slides that there are stand among ids [S], in the order asked; order: the places of the ids
    that count, sorted, None where all are sorted."""
    targets = np.array(slide_ids, np.str_)
    order = np.arange(len(ids)) if order is None else order
    ranks = find_ranks(ids, targets, order)
    there = ranks < len(order)
    places = order[ranks[there]]
    return places[ids[places] == targets[there]]


def find_ranks(ids: NDArray[np.str_], targets: NDArray[np.str_], order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each stands or would stand in the order: what is looked for is little, so that the ids are not copied."""
    low, high = np.zeros(len(targets), np.int64), np.full(len(targets), len(order))
    while (low < high).any():
        middle = np.minimum((low + high) // 2, len(order) - 1)
        is_less = (ids[order[middle]] < targets) & (low < high)
        low, high = np.where(is_less, middle + 1, low), np.where(is_less | (low >= high), high, middle)
    return low


def make_keys(texts: NDArray[np.str_]) -> NDArray[np.uint64]:
    """Numbers of texts [S], the same for the same text however long the others are: different ones seldom share one."""
    letters = np.ascontiguousarray(texts).view(np.uint32).reshape(len(texts), texts.itemsize // 4)
    keys, factor = np.zeros(len(texts), np.uint64), _FACTOR
    for place in range(letters.shape[1]):
        keys += letters[:, place].astype(np.uint64) * np.uint64(factor)
        factor = factor * _FACTOR % 2**64
    return keys


def _find_equal(texts: NDArray[np.str_], keys: NDArray[np.uint64], text: str) -> NDArray[np.int64]:
    places = np.flatnonzero(keys == make_keys(np.array([text], np.str_))[0])
    return places[texts[places] == text]


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


_SIDE = 64
_ROUNDS = 3
_PLANES = 4


def make_signs(vectors: NDArray[np.float32]) -> Words:
    """Vectors [S, D] in one bit a number: uint64 [S, ceil(D / 64)], which of their numbers are negative once they are
    turned against the axes, always in the same way: so no few of the bits tell it all."""
    return _pack(_turn(vectors) < 0)


def make_planes(vector: NDArray[np.float32]) -> Words:
    """A query's vector [D], turned as in `make_signs`, in four bits a number, from 0 for the least to 15, with zero in
    the middle: uint64 [4, ceil(D / 64)], the lowest bits first."""
    turned = _turn(vector[None])[0]
    most = (1 << _PLANES) - 1
    scale = np.abs(turned).max() or 1
    levels = np.clip(np.rint((turned / scale + 1) * (most / 2)), 0, most).astype(np.uint8)
    return _pack((levels >> np.arange(_PLANES, dtype=np.uint8)[:, None]) & 1)


def _turn(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors [S, D] seen from other axes, filled up with zeros to a multiple of 64 numbers before."""
    blocks = -(-vectors.shape[1] // _SIDE)
    turned = np.zeros((len(vectors), blocks * _SIDE), np.float32)
    turned[:, : vectors.shape[1]] = vectors
    rng = np.random.default_rng(1)
    for _ in range(_ROUNDS):
        turned *= rng.choice(np.array([-1, 1], np.float32), turned.shape[1])
        turned = (turned.reshape(-1, _SIDE) @ _make_hadamard()).reshape(len(vectors), blocks, _SIDE)
        turned = np.ascontiguousarray(turned.transpose(0, 2, 1)).reshape(len(vectors), blocks * _SIDE)
    return turned


def _pack(bits: NDArray[Any]) -> Words:
    return np.packbits(bits, axis=1, bitorder="little").view("<u8").astype(np.uint64, copy=False)


def _make_hadamard() -> NDArray[np.float32]:
    """The matrix of Hadamard of 64 rows, of length one."""
    matrix = np.ones((1, 1), np.float32)
    while len(matrix) < _SIDE:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    return matrix / np.float32(np.sqrt(_SIDE))
