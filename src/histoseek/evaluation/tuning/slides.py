"""Slides in memory, as tuning compares them again and again under one metric after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.schema import StoredSlide
from histoseek.equality import EqualByContent
from histoseek.evaluation.cohort import Cohort, make_codes
from histoseek.evaluation.mixing import mix_bits
from histoseek.mosaics.distances import SignatureBlock
from histoseek.mosaics.signature import Signature, compute_mosaic_mean
from histoseek.ranking.metric import Metric

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]

MOST_SLIDES = 1500
"""That are compared with each other to choose; of a larger archive whole patients are drawn."""

MOST_FITTED = 10_000
"""That a chosen ranking is fitted on; of a larger archive whole patients are drawn."""

_READ_AT_ONCE = 256


@dataclass(frozen=True, slots=True, eq=False)
class TuningSlides(EqualByContent):
    """n slides side by side.

    block: their signatures with the mosaics; shares: float32 [T], of the mosaic vectors in their slides;
    mosaic_means: float32 [n, D], by these, as they were before any metric; owners,
    labels, copies: codes, int64 [n] each, equal for slides of one patient, of one label, of one file; columns: values
    of the columns by which vectors may be centred or erased, n each.
    """

    block: SignatureBlock
    shares: Floats
    mosaic_means: Floats
    owners: Ints
    labels: Ints
    copies: Ints
    columns: Mapping[str, tuple[str | None, ...]]

    def __len__(self) -> int:
        return len(self.owners)

    @property
    def sites(self) -> tuple[Ints, ...]:
        """Codes of the columns, int64 [n] each."""
        return tuple(make_codes([str(value) for value in values]) for values in self.columns.values())

    @property
    def exclusions(self) -> tuple[Ints, ...]:
        """Codes that a query shares with no slide it may meet: of patients, files and sites."""
        return self.owners, self.copies, *self.sites

    @property
    def has_one_space(self) -> bool:
        """Whether global and mosaic vectors lie in one space, as far as dimensions tell."""
        mosaics = self.block.mosaics
        return mosaics is not None and mosaics.shape[1] == self.block.global_vectors.shape[1]

    def pick(self, place: int) -> Signature:
        """The signature of one slide, without its tiles."""
        first, last = self.block.mosaic_offsets[place : place + 2]
        start, end = self.block.offsets[place : place + 2]
        mosaics, contexts = self.block.mosaics, self.block.contexts
        assert mosaics is not None
        return Signature(
            global_vector=self.block.global_vectors[place],
            mosaic=mosaics[first:last],
            shares=self.shares[first:last],
            barcodes=self.block.barcodes[start:end],
            mosaic_tiles=(),
            tile_size_level0=0,
            context=None if contexts is None or np.isnan(contexts[place]).any() else contexts[place],
        )

    def read_column(self, name: str | None, places: Ints) -> tuple[str | None, ...]:
        """The values of a column at some places; nothing for None."""
        return () if name is None else tuple(self.columns[name][place] for place in places.tolist())

    def take(self, places: Ints) -> TuningSlides:
        """The slides at these places, in this order."""
        offsets = self.block.mosaic_offsets
        rows = [np.arange(offsets[place], offsets[place + 1]) for place in places]
        return TuningSlides(
            block=self.block.take(places),
            shares=self.shares[np.concatenate(rows)],
            mosaic_means=self.mosaic_means[places],
            owners=self.owners[places],
            labels=self.labels[places],
            copies=self.copies[places],
            columns={name: self.read_column(name, places) for name in self.columns},
        )

    def under(self, metric: Metric) -> TuningSlides:
        """The same slides under a metric, as `Metric.map_signature` gives them one by one."""
        if metric == Metric():
            return self
        block, offsets = self.block, self.block.mosaic_offsets
        assert block.mosaics is not None
        values = [None] * len(self) if metric.column is None else self.columns[metric.column]
        groups = metric.find_groups(values, block.global_vectors)
        vectors = metric.global_map(block.global_vectors, groups)
        mosaics = metric.map_mosaics(block.mosaics, np.repeat(groups, np.diff(offsets)))
        words = metric.make_barcodes(vectors, mosaics, self.shares, offsets, one_space=self.has_one_space)
        return replace(
            self, block=replace(block, barcodes=words, global_vectors=vectors, mosaics=mosaics, squares=None)
        )


def read_slides(cohort: Cohort, places: Ints, columns: Sequence[str] = ()) -> TuningSlides:
    """Slides of a cohort; columns: what of their metadata is needed. Raises InputError for an unknown column."""
    signatures = [slide.signature for slide in _read(cohort, places)]
    values = {column: cohort.read_column(column) for column in columns}
    return TuningSlides(
        block=SignatureBlock.from_signatures(signatures),
        shares=np.concatenate([signature.shares for signature in signatures]),
        mosaic_means=np.stack([compute_mosaic_mean(each.mosaic, each.shares) for each in signatures]),
        owners=cohort.patients[places],
        labels=cohort.labels[places],
        copies=make_codes([cohort.records[place].file_fingerprint for place in places]),
        columns=MappingProxyType({name: tuple(column[i] for i in places) for name, column in values.items()}),
    )


def _read(cohort: Cohort, places: Ints) -> list[StoredSlide]:
    starts = range(0, len(places), _READ_AT_ONCE)
    parts = [cohort.read_slides(places[start : start + _READ_AT_ONCE].tolist()) for start in starts]
    return [slide for part in parts for slide in part]


def draw_slides(owners: Ints, most: int, seed: int) -> Ints:
    """Places of all slides, or of those of drawn owners, at most so many slides (but of one owner), increasing."""
    if len(owners) <= most:
        return np.arange(len(owners), dtype=np.int64)
    codes, rows, counts = np.unique(owners, return_inverse=True, return_counts=True)
    order = np.argsort(mix_bits(np.arange(len(codes)).astype(np.uint64) + np.uint64(2**32 + seed)))
    taken = order[: max(1, int(np.searchsorted(counts[order].cumsum(), most, side="right")))]
    return np.flatnonzero(np.isin(rows, taken)).astype(np.int64)
