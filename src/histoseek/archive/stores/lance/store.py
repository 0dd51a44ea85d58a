"""The embedded store: a LanceDB table in the archive's folder."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from histoseek.archive.report_index import analyser_mark
from histoseek.archive.schema import (
    ANALYSER_KEY,
    LANGUAGE_COLUMNS,
    VECTOR_COLUMNS,
    MetadataValue,
    SlideRecord,
    StoredSlide,
    slides_schema,
    to_records,
    to_slides,
    to_table,
)
from histoseek.archive.stores.base import Neighbour, StoreStats, TextHit, VectorColumn
from histoseek.archive.stores.changes import changed
from histoseek.archive.stores.lance.columns import SIGNATURE, TableSource, flat, lists, signature_block, with_signatures
from histoseek.archive.stores.lance.engine import TABLE, lancedb, open_table
from histoseek.archive.stores.lance.faults import filtering, reading_whole
from histoseek.archive.stores.lance.fulltext import like_tokens, token_hits
from histoseek.archive.stores.lance.indexes import TOKENS, index_columns, index_tokens
from histoseek.archive.stores.ranking import RankingCache
from histoseek.archive.stores.rows import RankingRows
from histoseek.archive.stores.sql import both, in_list, is_storable
from histoseek.errors import UnknownSlide
from histoseek.files import TreeSync, as_archive_errors
from histoseek.mosaics.distances import SignatureBlock
from histoseek.settings import get_settings

_RANKING = "ranking"
_IDS_PER_QUERY = 500


class LanceStore:
    """A Store over one LanceDB table.

    LanceDB makes no fsync: after each commit the table's new files and folders are flushed here. A power cut can
    cost the commit in flight, nothing before it.
    """

    def __init__(
        self, folder: Path, table: Any, dimension: int, cache: RankingCache | None = None, stays: bool = False
    ) -> None:
        """stays: the table always shows the version that it was opened at."""
        self._folder = folder
        self._stays = stays
        self._table = table
        self._dimension = dimension
        self._sync = TreeSync(folder)
        self._snapshot: tuple[int, LanceStore] | None = None
        self._cache = cache or RankingCache(folder / _RANKING, get_settings().cache_mb * 2**20)

    @classmethod
    def create(cls, folder: Path, dimension: int) -> LanceStore:
        """Make an empty store, in place of one that a crash left empty."""
        folder.mkdir(parents=True, exist_ok=True)
        table = lancedb.connect(folder).create_table(
            TABLE, schema=slides_schema(dimension, analyser_mark()), mode="overwrite"
        )
        index_tokens(table)
        index_columns(table)
        store = cls.open(folder, dimension)
        store._sync.sync()
        return store

    @classmethod
    def open(cls, folder: Path, dimension: int) -> LanceStore:
        """Open a store that always shows the last commit; raises DamagedArchive when it is not there."""
        return cls(folder, open_table(folder, timedelta(0)), dimension)

    @property
    def version(self) -> int:
        """The engine's number of the last commit."""
        return self._version if self._stays else self._latest()

    def snapshot(self) -> LanceStore:
        """A view of the last commit that stays as it is: the one before, as long as nobody has committed since."""
        latest = self.version
        held = self._snapshot
        if held is None or held[0] != latest:
            table = open_table(self._folder, None)
            held = int(table.version), LanceStore(self._folder, table, self._dimension, self._cache, stays=True)
            self._snapshot = held
        return held[1]

    def upsert(self, slides: Sequence[StoredSlide]) -> None:
        """Insert or replace in one commit."""
        if not slides:
            return
        rows = to_table(slides, self._table.schema)
        with self._committing():
            merge = self._table.merge_insert("slide_id").when_matched_update_all().when_not_matched_insert_all()
            # "null" only says that a missing language vector may stay missing; vectors were checked when made.
            merge.execute(rows, on_bad_vectors="null")

    def delete(self, slide_ids: Sequence[str]) -> None:
        """Take slides out."""
        if slide_ids:
            with self._committing():
                self._table.delete(in_list("slide_id", slide_ids))

    def get(self, slide_ids: Sequence[str]) -> list[StoredSlide]:
        """Slides in the order asked."""
        view = self._view()
        return to_slides(view._rows(slide_ids, view._names))

    def shown(self, slide_ids: Sequence[str]) -> list[StoredSlide]:
        """Slides in the order asked; what ranking has at hand is not read again, as each column takes its time."""
        view = self._view()
        held = self._cache.held(view._version)
        columns = [name for name in view._names if name not in (*LANGUAGE_COLUMNS, *(SIGNATURE if held else ()))]
        rows = view._rows(slide_ids, columns)
        return to_slides(with_signatures(rows, held.block.take(held.places_of(slide_ids))) if held else rows)

    def slides(self, where: str | None = None) -> Sequence[str]:
        """Sorted ids."""
        ids: list[str] = self._scan(["slide_id"], where)["slide_id"].to_pylist()
        return sorted(ids)

    def records(self, where: str | None, limit: int | None, offset: int) -> list[SlideRecord]:
        """Records sorted by id."""
        columns = list(self.metadata_types())
        rows = self._scan(columns, where).sort_by("slide_id")
        return to_records(rows.slice(offset, limit))

    def nearest(
        self, vector: NDArray[np.float32], count: int, where: str | None, column: VectorColumn = "global_vector"
    ) -> list[Neighbour]:
        """Nearest by cosine distance, ties by id."""
        query = self._table.search(vector, vector_column_name=column).distance_type("cosine")
        with self._filtering(where):
            query = query.where(f"({where})", prefilter=True) if where is not None else query
            rows = query.limit(count).select(["slide_id", "_distance"]).to_arrow()
        found = [Neighbour(*pair) for pair in zip(*(rows[name].to_pylist() for name in rows.column_names), strict=True)]
        return sorted(found, key=lambda neighbour: (neighbour.cosine_distance, neighbour.slide_id))

    def text(self, tokens: Mapping[str, float], count: int, where: str | None) -> list[TextHit]:
        """Full-text hits, ties by id; rows that the index has not taken in yet are looked through as well."""
        with self._filtering(where):
            return token_hits(self._table, tokens, count, where)

    def like_words(self, token: str, count: int) -> list[str]:
        """Reports with such a word, by the index."""
        return like_tokens(self._table, token, count)

    @property
    def analyser(self) -> str:
        """Noted in the table's schema."""
        return str((self._table.schema.field(TOKENS).metadata or {}).get(ANALYSER_KEY, b"").decode())

    def columns(self, names: Sequence[str], where: str | None) -> pa.Table:
        """Columns of a filter's rows."""
        return self._scan(list(names), where)

    def windows(self, slide_ids: Sequence[str]) -> dict[str, NDArray[np.float16]]:
        """Windows of long reports."""
        where = both(in_list("slide_id", slide_ids), "report_windows IS NOT NULL")
        return lists(self._scan(["slide_id", "report_windows"], where))

    def ranking_block(self, slide_ids: Sequence[str]) -> SignatureBlock:
        """Barcodes and global vectors, without the mosaics."""
        return signature_block(self._rows(slide_ids, ["slide_id", "barcodes", "global_vector"]), self._dimension)

    def ranking_rows(self) -> RankingRows:
        """All rows of this version, from the cache."""
        view = self._view()
        with self._filtering(None):
            return self._cache.rows(view._version, TableSource(view._table, self._dimension))

    def ranking_places(self, where: str) -> NDArray[np.int64]:
        """Places of a filter's rows, those of the last few filters from the cache."""
        view = self._view()
        rows = view.ranking_rows()
        return self._cache.places(view._version, where, lambda: rows.places(view._row_ids(where)))

    def mosaics(self, slide_ids: Sequence[str]) -> NDArray[np.float16]:
        """Mosaic vectors one after the other."""
        return flat(self._rows(slide_ids, ["slide_id", "mosaic"])["mosaic"]).reshape(-1, self._dimension)

    def vectors(self, slide_ids: Sequence[str], column: VectorColumn) -> NDArray[np.float32]:
        """One vector of each slide."""
        return flat(self._rows(slide_ids, ["slide_id", column])[column]).reshape(len(slide_ids), -1)

    def update_metadata(self, slide_id: str, changes: Mapping[str, MetadataValue]) -> None:
        """Replace one row by itself with the changes."""
        self.upsert([changed(self.get([slide_id])[0], changes, self.metadata_types())])

    def ensure_columns(self, columns: Mapping[str, pa.DataType]) -> None:
        """Add missing columns, empty."""
        new = [pa.field(name, kind) for name, kind in columns.items() if name not in self._table.schema.names]
        if new:
            with self._committing():
                self._table.add_columns(pa.schema(new))

    def ensure_vectors(self, dimensions: Mapping[VectorColumn, int]) -> None:
        """Add missing vector columns, empty."""
        self.ensure_columns({name: pa.list_(pa.float32(), size) for name, size in dimensions.items()})

    def metadata_types(self) -> Mapping[str, pa.DataType]:
        """Columns a filter may name."""
        return {column.name: column.type for column in self._table.schema if column.name not in VECTOR_COLUMNS}

    def count(self, where: str | None) -> int:
        """Number of rows."""
        with self._filtering(where):
            return int(self._table.count_rows(f"({where})" if where is not None else None))

    def stats(self) -> StoreStats:
        """Rows, bytes, versions."""
        size = sum(path.stat().st_size for path in self._folder.rglob("*") if path.is_file())
        return StoreStats(self.count(None), size, len(self._table.list_versions()))

    def optimize(self) -> None:
        """Compact; bring the indexes up to date; drop versions older than HISTOSEEK_HISTORY_MINUTES."""
        with self._committing(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            index_columns(self._table)
            self._table.optimize(cleanup_older_than=timedelta(minutes=get_settings().history_minutes))

    def _row_ids(self, where: str) -> NDArray[np.uint64]:
        """The engine's ids of a filter's rows."""
        with self._filtering(where):
            rows = self._table.search().select(["_rowid"]).where(f"({where})").limit(None).to_arrow()
        return rows["_rowid"].to_numpy()

    def _view(self) -> LanceStore:
        """The last commit, which the engine then looks for once instead of at each step of a query."""
        return self if self._stays else self.snapshot()

    @cached_property
    def _version(self) -> int:
        """Of a store that stays as it is."""
        return self._latest()

    def _latest(self) -> int:
        with self._filtering(None):
            return int(self._table.version)

    @cached_property
    def _names(self) -> list[str]:
        """All columns of a store that stays as it is."""
        return list(self._table.schema.names)

    def _rows(self, slide_ids: Sequence[str], columns: list[str]) -> pa.Table:
        """Rows in the order of the ids."""
        rows = self._unordered(slide_ids, columns).combine_chunks()
        place = {slide_id: row for row, slide_id in enumerate(rows["slide_id"].to_pylist())}
        missing = next((slide_id for slide_id in slide_ids if slide_id not in place), None)
        if missing is not None:
            raise UnknownSlide(missing)
        return rows.take(pa.array([place[slide_id] for slide_id in slide_ids], pa.int64()))

    def _unordered(self, slide_ids: Sequence[str], columns: list[str]) -> pa.Table:
        """The rows of these ids, as far as there are any: taken by number where the numbers are at hand."""
        view = self._view()
        known = self._cache.held(view._version)
        if known is not None:
            with self._filtering(None):
                return (
                    view._table.take_row_ids(known.row_ids[known.places_of(slide_ids)].tolist())
                    .select(columns)
                    .to_arrow()
                )
        ids = [slide_id for slide_id in slide_ids if is_storable(slide_id)]
        parts = [
            self._scan(columns, in_list("slide_id", ids[start : start + _IDS_PER_QUERY]))
            for start in range(0, max(1, len(ids)), _IDS_PER_QUERY)
        ]
        return pa.concat_tables(parts)

    def _scan(self, columns: list[str], where: str | None) -> pa.Table:
        with self._filtering(where):
            query = self._view()._table.search().select(columns).limit(None)
            return (query.where(f"({where})") if where is not None else query).to_arrow()

    @contextmanager
    def _committing(self) -> Iterator[None]:
        with reading_whole(self._folder), as_archive_errors(self._folder.parent):
            yield
            self._sync.sync()

    def _filtering(self, where: str | None) -> AbstractContextManager[None]:
        return filtering(self._folder, where, lambda: tuple(self.metadata_types()))
