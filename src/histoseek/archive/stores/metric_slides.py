"""The slides of a store under a learned metric: ranking sees what their vectors become, all else what is stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from histoseek.archive.stores.base import ROW, RowChanges
from histoseek.archive.stores.rows import NO_DIGEST, Outline, RankingPart, RankingRows, RowIds
from histoseek.archive.stores.signature_rows import (
    StoreSource,
    flat,
    list_signature_columns,
    read_row_ids,
    signature_block,
)
from histoseek.archive.stores.slides import SlideTable
from histoseek.mosaics.distances import SignatureBlock
from histoseek.ranking.metric import Metric

_MOSAICS = ("mosaic", "shares")


@dataclass(frozen=True, slots=True)
class MetricSource:
    """The rows of a snapshot for ranking under a metric."""

    plain: StoreSource
    metric: Metric

    @property
    def mark(self) -> str:
        """Of the snapshot: rows under different metrics lie in different folders."""
        return self.plain.mark

    @property
    def columns(self) -> Sequence[str]:
        """What a mapped signature is made of."""
        schema, column = self.plain.store.schema, self.metric.column
        groups = (column,) if column is not None and column in schema.names else ()
        return (*list_signature_columns(schema), *_MOSAICS, *groups)

    def outline(self) -> Outline:
        """Ids, counts and dimensions, which a metric leaves as they are."""
        return self.plain.outline()

    @property
    def rows_mark(self) -> str | None:
        """Of the snapshot."""
        return self.plain.rows_mark

    def changes_since(self, rows_mark: str) -> RowChanges | None:
        """Of the snapshot."""
        return self.plain.changes_since(rows_mark)

    def count(self) -> int:
        """Of the snapshot."""
        return self.plain.count()

    def read_ids(self, row_ids: NDArray[np.uint64] | None = None) -> Iterator[RowIds]:
        """Without digests: what a metric makes of a vector depends on its slide's group as well."""
        for ids in self.plain.read_ids(row_ids):
            yield replace(ids, digests=np.full(len(ids), NO_DIGEST, np.uint64))

    def read(self, row_ids: NDArray[np.uint64] | None = None) -> Iterator[tuple[RowIds, RankingPart]]:
        """Some rows, mapped."""
        for rows in self.plain.read_rows(list(self.columns), row_ids):
            yield read_row_ids(rows), self._make_part(rows)

    def parts(self) -> Iterator[RankingPart]:
        """As the engine reads them, mapped."""
        for batch in self.plain.store.scan([*self.columns, ROW], None):
            yield self._make_part(pa.Table.from_batches([batch]))

    def _make_part(self, rows: pa.Table) -> RankingPart:
        return RankingPart(rows[ROW].to_numpy(), self.map_rows(rows))

    def map_rows(self, rows: pa.Table) -> SignatureBlock:
        """The signatures of some rows under the metric, with their mosaics."""
        source = self.plain
        block = signature_block(rows, source.dimension, source.mosaic_dimension)
        groups = self.find_groups(rows)
        offsets = block.mosaic_offsets
        vectors = self.metric.global_map(block.global_vectors, groups)
        mosaics = self.map_mosaics(rows, groups)
        one_space = source.dimension == source.mosaic_dimension
        codes = self.metric.make_barcodes(vectors, mosaics, flat(rows["shares"]), offsets, one_space=one_space)
        return SignatureBlock(codes, block.offsets, vectors, mosaics=mosaics, contexts=block.contexts)

    def map_mosaics(self, rows: pa.Table, groups: NDArray[np.int64]) -> NDArray[np.float16]:
        """The mosaic vectors of some rows, of these groups, under the metric."""
        mosaics = flat(rows["mosaic"]).reshape(-1, self.plain.mosaic_dimension)
        counts = rows["shares"].combine_chunks().value_lengths().to_numpy()
        return self.metric.map_mosaics(mosaics, np.repeat(groups, counts))

    def find_groups(self, rows: pa.Table) -> NDArray[np.int64]:
        """The group of each row."""
        column = self.metric.column
        values = rows[column].to_pylist() if column in rows.column_names else [None] * rows.num_rows
        return self.metric.find_groups(values, flat(rows["global_vector"]).reshape(-1, self.plain.dimension))


class MetricSlides(SlideTable):
    """The slides of a snapshot as ranking sees them under a metric; what is read of them otherwise is as stored."""

    def __init__(self, plain: SlideTable, metric: Metric, mark: str) -> None:
        """mark: what tells the metric from others."""
        super().__init__(plain._store, plain._cache.derive(mark), plain._codes)
        self._source = MetricSource(StoreSource(plain._store, *plain._dimensions), metric)

    def ranking_rows(self) -> RankingRows:
        """What exact ranking needs of all slides under the metric, kept between searches until the store changes."""
        return self._cache.rows(self._version, self._source)

    def ranking_block(self, slide_ids: Sequence[str]) -> SignatureBlock:
        """What exact ranking needs of these slides under the metric, in the order asked; raises UnknownSlide."""
        return self._source.map_rows(self._rows(slide_ids, ["slide_id", *self._source.columns]))

    def mosaics(self, slide_ids: Sequence[str]) -> NDArray[np.float16]:
        """Mosaic vectors of these slides under the metric one after the other; raises UnknownSlide."""
        rows = self._rows(slide_ids, ["slide_id", *self._source.columns])
        return self._source.map_mosaics(rows, self._source.find_groups(rows))


def view_under(store: SlideTable, metric: Metric | None, mark: str) -> SlideTable:
    """The slides of a snapshot under a metric, or as they are without one; mark: what tells the metric from others."""
    return store if metric is None else MetricSlides(store, metric, mark)
