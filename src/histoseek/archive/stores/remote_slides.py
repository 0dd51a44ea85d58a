"""What ranking needs of a few rows, read from a server whose archive is too large to be kept at hand."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from histoseek.archive.filters.expression import Expression, all_of, one_of
from histoseek.archive.schema import CONTEXT
from histoseek.archive.stores.base import ROW, Store
from histoseek.archive.stores.rows import Outline, RankingRows, empty_arrays
from histoseek.archive.stores.signature_rows import list_signature_columns, read_dimensions, signature_block
from histoseek.archive.stores.slides import SlideTable
from histoseek.mosaics.barcodes import count_barcode_words
from histoseek.settings import get_settings

_IDS = ("slide_id", "patient_id", "case_id")
_IDS_PER_QUERY = 500
_MOSAIC = 17
"""Barcodes of a usual slide."""

_TEXTS = 256
"""Bytes of its ids."""


class RemoteSlides(SlideTable):
    """The slides of an archive on a server: of one that is too large for this machine the server finds candidates."""

    def snapshot(self) -> SlideTable:
        """As of a folder; where a standby has taken over without the last commits, their numbers are given again."""
        before, view = self._snapshot, super().snapshot()
        if before is not None and view is not before and view is not self and view._version <= before._version:
            self._cache.forget()
            self._codes.clear()
        return view

    @property
    def server_candidates(self) -> ServerCandidates | None:
        """What finds them; None where what ranking needs is at hand, or is small enough to be kept."""
        view = self.snapshot()
        assert isinstance(view, RemoteSlides)
        return None if view._cache.held(view._version) else view._server_candidates

    @cached_property
    def _server_candidates(self) -> ServerCandidates | None:
        """Of a snapshot."""
        schema = self._store.schema
        dimension, mosaic_dimension = read_dimensions(schema)
        barcodes = _MOSAIC * 8 * count_barcode_words(mosaic_dimension)
        bytes_each = 5 * dimension + 4 * _context_dimension(self._store) + barcodes + _TEXTS
        is_large = self._store.count(None) * bytes_each > get_settings().ranking_mb * 2**20
        return ServerCandidates(self._store) if is_large else None


@dataclass(frozen=True, slots=True)
class ServerCandidates:
    """The rows of a snapshot that a server finds."""

    store: Store

    def find_near(
        self,
        vector: NDArray[np.float32],
        count: int,
        where: Expression | None,
        context: NDArray[np.float32] | None,
        also: Collection[str],
    ) -> RankingRows:
        """The rows of a filter nearest to a vector, and to a context as well where there is one; also: slides that are
        among them in any case, as far as the filter lets them through."""
        near = self.store.nearest(vector, count, where, "global_vector")
        if context is not None and _context_dimension(self.store):
            near += self.store.nearest(context, count, where, "context_vector")
        found = {one.slide_id for one in near}
        return self._read([(sorted(found), None), (sorted(set(also) - found), where)])

    def read(self, slide_ids: Sequence[str]) -> RankingRows:
        """Those of some slides, as far as there are any."""
        return self._read([(slide_ids, None)])

    def _read(self, wanted: Sequence[tuple[Sequence[str], Expression | None]]) -> RankingRows:
        schema = self.store.schema
        columns = [*_IDS, "shares", *list_signature_columns(schema), ROW]
        conditions = [
            all_of(one_of("slide_id", ids[start : start + _IDS_PER_QUERY]), where)
            for ids, where in wanted
            for start in range(0, len(ids), _IDS_PER_QUERY)
        ]
        batches = [batch for one in conditions for batch in self.store.scan(columns, one)]
        rows = pa.Table.from_batches(batches or list(self.store.scan(columns, one_of("slide_id", []))))
        return _fill(rows.combine_chunks(), *read_dimensions(schema), _context_dimension(self.store))


def _fill(rows: pa.Table, dimension: int, mosaic_dimension: int, context_dimension: int) -> RankingRows:
    ids, patients, cases = (np.array([one or "" for one in rows[name].to_pylist()], np.str_) for name in _IDS)
    counts = rows["shares"].combine_chunks().value_lengths().to_numpy().astype(np.int64) + 1
    numbers = rows[ROW].to_numpy()
    outline = Outline(ids, patients, cases, numbers, counts, dimension, mosaic_dimension, context_dimension)
    filled = RankingRows(**empty_arrays(outline, lambda _, shape, dtype: np.empty(shape, dtype)))
    filled.take_outline(outline)
    if len(outline):
        filled.take_part(numbers, signature_block(rows, dimension, mosaic_dimension))
    return filled


def _context_dimension(store: Store) -> int:
    schema = store.schema
    return int(schema.field(CONTEXT).type.list_size) if CONTEXT in schema.names else 0
