"""The embedded store: a LanceDB table in the archive's folder."""

from __future__ import annotations

import math
import shutil
import warnings
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from histoseek.archive.filters.expression import NO_REPORT, Expression, one_of
from histoseek.archive.schema import VECTOR_COLUMNS
from histoseek.archive.stores.base import (
    ROW,
    Capabilities,
    Neighbour,
    RowChanges,
    StorePlace,
    StoreStats,
    TextHit,
    VectorColumn,
)
from histoseek.archive.stores.lance.changes import compare_rows, read_fragments, write_mark
from histoseek.archive.stores.lance.dialect import to_sql
from histoseek.archive.stores.lance.engine import TABLE, lancedb, open_table
from histoseek.archive.stores.lance.erasing import rewrite_parts
from histoseek.archive.stores.lance.faults import ENGINE_ERRORS, translating
from histoseek.archive.stores.lance.indexes import TOKENS, index_columns, index_tokens
from histoseek.archive.stores.lance.ledger import Ledger
from histoseek.archive.stores.lance.lookup import MOST_IDS, Lookup
from histoseek.archive.stores.lance.recovery import (
    ShownTable,
    list_table_faults,
    remove_old_versions,
    repair,
    show_table,
)
from histoseek.archive.stores.lance.vectors import MOST_BYTES, HeldVectors
from histoseek.archive.stores.lance.versions import Fragment
from histoseek.errors import OutdatedSnapshot
from histoseek.files import fsync_path, make_folder
from histoseek.settings import get_settings

_ROW_ID = "_rowid"

_query = lancedb.query

_CONDITIONS_KEPT = 16

_MANY = 64
"""Tokens from which on each weight is asked for apart."""

_DEPTH = 2
"""How many times as many rows as are wanted are taken of the weightiest of them."""

_EVERY = 10_000_000

_NEVER = timedelta(days=36500)

_DECIMALS = 4
"""Of scores: the last bits of those of rows that the index has not taken in differ from run to run."""


class LanceStore:
    """A Store over one LanceDB table.

    LanceDB makes no fsync: after each commit the table's new files and folders are flushed here, and the ledger says
    so. A power cut can cost the commit in flight, nothing before it.
    """

    def __init__(self, folder: Path, table: Any, stays: bool = False, shown: ShownTable | None = None) -> None:
        """stays: the table always shows the version that it was opened at; shown: where that table lies."""
        self._folder = folder
        self._stays = stays
        self._table = table
        self._shown = shown or ShownTable(folder)
        self._ledger = Ledger(folder)
        self._snapshot: tuple[int, LanceStore] | None = None
        self._conditions: dict[Expression, str] = {}
        self._matching: dict[Expression, NDArray[np.uint64]] = {}
        self._held: dict[str, HeldVectors | None] = {}

    @classmethod
    def exists(cls, place: StorePlace) -> bool:
        """Whether there is a folder that is not empty."""
        return place.folder.is_dir() and any(place.folder.iterdir())

    @classmethod
    def drop(cls, place: StorePlace) -> None:
        """Remove the folder."""
        shutil.rmtree(place.folder, ignore_errors=True)

    @classmethod
    def create(cls, place: StorePlace, schema: pa.Schema) -> LanceStore:
        """Make an empty store, in place of one that a crash left empty."""
        folder = place.folder
        begun = folder.with_name(f".{folder.name}.part")
        with translating(folder, lambda: False):
            for leftover in (begun, folder):
                if leftover.exists():
                    shutil.rmtree(leftover)
            make_folder(begun)
            ledger = Ledger(begun)
            with ledger.locked():
                table = lancedb.connect(begun).create_table(TABLE, schema=schema)
                index_tokens(table)
                index_columns(table)
                ledger.seal()
            begun.rename(folder)
            fsync_path(folder.parent)
        return cls.open(place)

    @classmethod
    def open(cls, place: StorePlace, mark: str | None = None) -> LanceStore:
        """Open a store that always shows the last commit, or a snapshot of the version with a mark.

        Raises DamagedArchive when it is not there, OutdatedSnapshot when that version is not.
        """
        folder = place.folder
        shown = show_table(folder)
        if mark is None:
            return cls(folder, open_table(shown.folder, timedelta(0)), shown=shown)
        version, _, time = mark.partition("@")
        table = open_table(shown.folder, None)
        with translating(folder, lambda: True):
            table.checkout(int(version))
        store = cls(folder, table, stays=True, shown=shown)
        if time and store.mark != mark:
            raise OutdatedSnapshot(folder.parent)
        return store

    @classmethod
    def repair(cls, place: StorePlace) -> str | None:
        """Go on from the newest version that is whole, while nobody else may write."""
        with translating(place.folder, lambda: False):
            return repair(Ledger(place.folder))

    @property
    def left_out(self) -> str | None:
        """What a crash cut off."""
        return self._shown.left_out

    @property
    def capabilities(self) -> Capabilities:
        """All of them."""
        return Capabilities()

    @property
    def version(self) -> int:
        """The engine's number of the last commit."""
        return self._version if self._stays else self._latest()

    @property
    def mark(self) -> str:
        """The version's number, and when it was made."""
        with self._reading(None):
            times = {one["version"]: one["timestamp"] for one in self._table.list_versions()}
        if self._version not in times:
            raise OutdatedSnapshot(self._folder.parent)
        return f"{self._version}@{times[self._version].timestamp()}"

    @property
    def rows_mark(self) -> str:
        """The parts of the table."""
        return write_mark(self._fragments)

    def changes_since(self, rows_mark: str) -> RowChanges | None:
        """By the parts that both versions have, and the rows that are left of them."""
        rows = pa.Table.from_batches(self.scan([ROW], None))[ROW].to_numpy()
        return compare_rows(rows_mark, self._fragments, rows)

    @property
    def schema(self) -> pa.Schema:
        """All columns."""
        return self._schema if self._stays else self._read_schema()

    def snapshot(self) -> LanceStore:
        """A view of the last commit that stays as it is: the one before, as long as nobody has committed since."""
        if self._stays:
            return self
        latest = self.version
        held = self._snapshot
        if held is None or held[0] != latest:
            table = open_table(self._shown.folder, None)
            with self._reading(None):
                held = int(table.version), LanceStore(self._folder, table, stays=True, shown=self._shown)
            self._snapshot = held
        return held[1]

    def add_columns(self, columns: Mapping[str, pa.DataType]) -> None:
        """Add missing columns, empty."""
        there = self.schema.names
        new = [pa.field(name, kind) for name, kind in columns.items() if name not in there]
        if new:
            with self._committing():
                self._table.add_columns(pa.schema(new))

    def describe(self, column: str, key: str, value: str) -> None:
        """In one commit."""
        with self._committing():
            self._table.update_field_metadata({"path": column, "metadata": {key: value}})

    def upsert(self, rows: pa.Table) -> None:
        """Insert or replace in one commit."""
        with self._committing():
            merge = self._table.merge_insert("slide_id").when_matched_update_all().when_not_matched_insert_all()
            # "null" only says that a missing language vector may stay missing; vectors were checked when made.
            merge.execute(rows, on_bad_vectors="null")

    def fill(self, rows: pa.Table) -> None:
        """Columns of rows that are there, in one commit."""
        with self._committing():
            self._table.merge_insert("slide_id").when_matched_update_all().execute(rows)

    def delete(self, slide_ids: Sequence[str]) -> None:
        """Take slides out."""
        with self._committing():
            self._table.delete(self._sql(one_of("slide_id", slide_ids)))

    def count(self, where: Expression | None) -> int:
        """Number of rows."""
        with self._reading(where):
            return int(self._table.count_rows(self._sql(where)))

    def scan(self, columns: Sequence[str], where: Expression | None) -> Iterator[pa.RecordBatch]:
        """As the engine reads them."""
        with self._reading(where):
            query = self._table.search().select([_ROW_ID if name == ROW else name for name in columns]).limit(None)
            sql = self._sql(where)
            reader = (query.where(sql) if sql is not None else query).to_batches()
            named = pa.schema([column.with_name(ROW) if column.name == _ROW_ID else column for column in reader.schema])
            yield pa.RecordBatch.from_pylist([], named)
            yield from (pa.RecordBatch.from_arrays(batch.columns, schema=named) for batch in reader)

    def find_rows(self, where: Expression) -> NDArray[np.uint64]:
        """As the engine reads them."""
        rows = self._matching.get(where)
        if rows is None:
            rows = pa.Table.from_batches(self.scan([ROW], where))[ROW].to_numpy()
            if self._stays:
                _keep(self._matching, where, rows)
        return rows

    def take(self, rows: NDArray[np.uint64], columns: Sequence[str]) -> pa.Table:
        """Rows by the engine's ids."""
        with self._reading(None):
            return self._table.take_row_ids(rows.tolist()).select(list(columns)).to_arrow()

    def nearest(
        self, vector: NDArray[np.float32], count: int, where: Expression | None, column: VectorColumn
    ) -> list[Neighbour]:
        """Nearest by cosine distance."""
        held = self._hold(column)
        if held is not None:
            return held.nearest(vector, count, self.find_rows(where) if where is not None else None)
        query = self._table.search(vector, vector_column_name=column).distance_type("cosine")
        with self._reading(where):
            sql = self._sql(where)
            query = query.where(sql, prefilter=True) if sql is not None else query
            rows = query.limit(count).select(["slide_id", "_distance"]).to_arrow()
        pairs = zip(rows["slide_id"].to_pylist(), rows["_distance"].to_pylist(), strict=True)
        near = (Neighbour(*pair) for pair in pairs)
        return sorted(near, key=lambda neighbour: (neighbour.cosine_distance, neighbour.slide_id))

    def text(
        self, tokens: Mapping[str, float], count: int, where: Expression | None, spelling: bool = False
    ) -> list[TextHit]:
        """Full-text hits; rows that the index has not taken in yet are looked through as well."""
        with self._reading(where):
            return token_hits(self._table, tokens, count, self._sql(where), spelling)

    def stats(self) -> StoreStats:
        """Rows, bytes, versions."""
        with self._reading(None):
            size = sum(path.stat().st_size for path in self._folder.rglob("*") if path.is_file())
            return StoreStats(self.count(None), size, len(self._table.list_versions()))

    def optimize(self) -> None:
        """Compact; bring the indexes up to date; drop versions older than HISTOSEEK_HISTORY_MINUTES."""
        with self._committing(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            index_columns(self._table)
            # The engine would remove older versions before the new one is safe.
            self._table.optimize(cleanup_older_than=_NEVER)
        with self._reading(None), self._ledger.locked():
            remove_old_versions(self._folder, get_settings().history_minutes * 60)
            self._ledger.seal()

    def list_faults(self, deep: bool) -> Iterator[str]:
        """By the ledger."""
        with self._reading(None):
            yield from list_table_faults(self._ledger, deep)

    def erase(self) -> None:
        """Rewrite the parts of the table that rows were taken out of; make its indexes anew; drop other versions."""
        with self._committing(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rewrite_parts(self._table, self._folder)
            index_tokens(self._table)
            index_columns(self._table, anew=True)
        # Whatever the clocks say, and together with what dead processes and repairs left.
        with self._reading(None), self._ledger.locked():
            remove_old_versions(self._folder, -math.inf)
            self._ledger.seal()

    @cached_property
    def _version(self) -> int:
        """Of a store that stays as it is."""
        return self._latest()

    @cached_property
    def _fragments(self) -> tuple[Fragment, ...]:
        """Of a store that stays as it is."""
        with self._reading(None):
            return read_fragments(self._shown.folder, self._version)

    @cached_property
    def _schema(self) -> pa.Schema:
        """Of a store that stays as it is."""
        return self._read_schema()

    def _read_schema(self) -> pa.Schema:
        with self._reading(None):
            return self._table.schema

    def _latest(self) -> int:
        with self._reading(None):
            return int(self._table.version)

    def _sql(self, where: Expression | None) -> str | None:
        """A filter in parentheses: the engine joins it to conditions of its own."""
        if where is None:
            return None
        if not self._stays:
            return self._write(where)
        sql = self._conditions.get(where)
        if sql is None:
            simpler = self._lookup.simplify(where)
            sql = self._write(simpler)
            if simpler != where:
                _keep(self._conditions, where, sql)
        return sql

    def _write(self, where: Expression) -> str:
        return f"({to_sql(where, {column.name: column.type for column in self.schema})})"

    @cached_property
    def _lookup(self) -> Lookup:
        """Of a store that stays as it is."""
        return Lookup(self._find_tokens, self._find)

    def _hold(self, column: VectorColumn) -> HeldVectors | None:
        """The column in memory, where the store stays as it is and the column is small enough."""
        if not self._stays or column not in self.schema.names:
            return None
        if column not in self._held:
            size = self.count(None) * int(self.schema.field(column).type.list_size) * 4
            rows = self.scan([ROW, "slide_id", column], None) if size <= MOST_BYTES else None
            self._held[column] = HeldVectors.read(pa.Table.from_batches(rows), column, ROW) if rows else None
        return self._held[column]

    def _find_tokens(self, tokens: Sequence[str]) -> list[str]:
        rows = _search(self._table, _match(" ".join(tokens), 1.0), MOST_IDS + 1, None, "slide_id")
        ids: list[str] = rows["slide_id"].to_pylist()
        return ids

    def _find(self, where: Expression) -> list[str]:
        return self._without_report if where == NO_REPORT else self._read_ids(where)

    @cached_property
    def _without_report(self) -> list[str]:
        """Of a store that stays as it is: many searches ask for it, and it takes reading all reports."""
        return self._read_ids(NO_REPORT)

    def _read_ids(self, where: Expression) -> list[str]:
        query = self._table.search().where(self._write(where)).select(["slide_id"]).limit(MOST_IDS + 1)
        ids: list[str] = query.to_arrow()["slide_id"].to_pylist()
        return ids

    @contextmanager
    def _committing(self) -> Iterator[None]:
        with self._reading(None), self._ledger.locked():
            self._ledger.begin()
            yield
            self._ledger.seal()

    def _reading(self, where: Expression | None) -> AbstractContextManager[None]:
        """All that the engine is asked for is asked for in here."""

        def named() -> list[str]:
            return [name for name in self.schema.names if name not in VECTOR_COLUMNS]

        return translating(self._folder, self._is_gone, str(where) if where is not None else None, named)

    def _is_gone(self) -> bool:
        """Whether this is a version that was removed."""
        try:
            return self._stays and self._version not in (one["version"] for one in self._table.list_versions())
        except ENGINE_ERRORS:
            return True


def _keep(kept: dict[Expression, Any], where: Expression, value: Any) -> None:
    """Remember something of the last few conditions."""
    if len(kept) >= _CONDITIONS_KEPT:
        kept.clear()
    kept[where] = value


def token_hits(
    table: Any, weights: Mapping[str, float], count: int, where: str | None, spelling: bool = False
) -> list[TextHit]:
    """The rows with any of some tokens, best first: BM25, each token times its weight; ties by id.

    where: in the engine's SQL; spelling: a token stands for those at most two letters away that begin like it.

    Many tokens, as of a whole report, are asked for weight by weight (`_sum_lists`): of one list of tokens the engine
    passes over rows that can't be among the best, of lists that it joins itself it reads every row.
    """
    lists: dict[float, list[str]] = defaultdict(list)
    for token, weight in weights.items():
        lists[weight].append(token)
    if not lists:
        return []
    if not spelling and len(lists) > 1 and len(weights) >= _MANY:
        return _sum_lists(table, lists, count, where)
    queries = (
        [_match(token, weight, spelling=True) for token, weight in weights.items()]
        if spelling
        else [_match(" ".join(own), weight) for weight, own in lists.items()]
    )
    joined = _query.BooleanQuery([(_query.Occur.SHOULD, query) for query in queries])
    rows = _search(table, queries[0] if len(queries) == 1 else joined, count, where, "slide_id")
    return _sort_hits(rows["slide_id"].to_pylist(), rows["_score"].to_pylist())


def _sum_lists(table: Any, lists: Mapping[float, Sequence[str]], count: int, where: str | None) -> list[TextHit]:
    """The rows with the largest sums of their scores in some lists of tokens, by weight.

    Of the weightiest list _DEPTH times the wanted rows are taken, of the others, whose tokens are rare, all: a row is
    missed only where the others alone would lift it among the best.
    """
    main = max(lists, key=lambda weight: weight * len(lists[weight]))
    parts = [
        _search(table, _match(" ".join(own), weight), count * _DEPTH if weight == main else _EVERY, where, _ROW_ID)
        for weight, own in lists.items()
    ]
    rows, place = np.unique(np.concatenate([part[_ROW_ID].to_numpy() for part in parts]), return_inverse=True)
    sums = np.bincount(place, np.concatenate([part["_score"].to_numpy() for part in parts]), len(rows))
    best = np.argsort(-sums, kind="stable")[:count]
    named = table.take_row_ids(rows[best].tolist()).select(["slide_id"]).with_row_id().to_arrow()
    ids = dict(zip(named[_ROW_ID].to_pylist(), named["slide_id"].to_pylist(), strict=True))
    return _sort_hits([ids[row] for row in rows[best].tolist()], sums[best].tolist())


def _sort_hits(slide_ids: Sequence[str], scores: Sequence[float]) -> list[TextHit]:
    hits = [TextHit(slide_id, round(score, _DECIMALS)) for slide_id, score in zip(slide_ids, scores, strict=True)]
    return sorted(hits, key=lambda hit: (-hit.score, hit.slide_id))


def _search(table: Any, query: Any, count: int, where: str | None, column: str) -> pa.Table:
    search = table.search(query, query_type="fts")
    search = search.where(where, prefilter=True) if where is not None else search
    return search.limit(count).select([column, "_score"]).to_arrow()


def _match(tokens: str, weight: float, spelling: bool = False) -> Any:
    if not spelling:
        return _query.MatchQuery(tokens, TOKENS, boost=weight)
    letters = 2 if len(tokens) > 5 else 1
    return _query.MatchQuery(tokens, TOKENS, boost=weight, fuzziness=letters, prefix_length=1)
