"""The embedded store: a LanceDB table in the archive's folder."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from histoseek.archive.stores.base import StorePlace, StoreStats
from histoseek.archive.stores.lance.changes import read_fragments
from histoseek.archive.stores.lance.engine import TABLE, lancedb, make_steady, open_table
from histoseek.archive.stores.lance.faults import ENGINE_ERRORS, translating
from histoseek.archive.stores.lance.indexes import index_columns, index_tokens
from histoseek.archive.stores.lance.ledger import Ledger
from histoseek.archive.stores.lance.recovery import (
    VisibleTable,
    list_table_faults,
    remove_old_versions,
    repair,
    show_table,
)
from histoseek.archive.stores.lance.table import TableStore
from histoseek.archive.stores.lance.versions import Fragment, list_files, list_versions
from histoseek.errors import OutdatedSnapshot
from histoseek.files import fsync_path, make_folder


class LanceStore(TableStore):
    """A Store over one LanceDB table.

    LanceDB makes no fsync: after each commit the table's new files and folders are flushed here, and the ledger says
    so. A power cut can cost the commit in flight, nothing before it.
    """

    def __init__(self, folder: Path, table: Any, stays: bool = False, visible: VisibleTable | None = None) -> None:
        """stays: the table always shows the version that it was opened at; visible: where that table lies."""
        super().__init__(table, stays)
        self._folder = folder
        self._visible = visible or VisibleTable(folder)
        self._ledger = Ledger(folder)

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
        visible = show_table(folder)
        if mark is None:
            return cls(folder, open_table(visible.folder, timedelta(0)), visible=visible)
        version, _, time = mark.partition("@")
        table = open_table(visible.folder, None)
        with translating(folder, lambda: True):
            table.checkout(int(version))
            table = make_steady(table)
        store = cls(folder, table, stays=True, visible=visible)
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
        return self._visible.left_out

    @property
    def mark(self) -> str:
        """The version's number, and when it was made."""
        with self._reading(None):
            times = {one["version"]: one["timestamp"] for one in self._table.list_versions()}
        if self._version not in times:
            raise OutdatedSnapshot(self._folder.parent)
        return f"{self._version}@{times[self._version].timestamp()}"

    def _latest(self) -> int:
        """By the names of the table's manifests, which the engine goes by: asking it takes a hundred times as long."""
        newest = 0 if self._stays else max(list_versions(self._visible.folder), default=0)
        return newest or super()._latest()

    def stats(self) -> StoreStats:
        """Rows, bytes, versions."""
        with self._reading(None):
            size = sum(path.stat().st_size for path in self._folder.rglob("*") if path.is_file())
            return StoreStats(self.count(None), size, len(self._table.list_versions()))

    def list_faults(self, deep: bool) -> Iterator[str]:
        """By the ledger."""
        with self._reading(None):
            yield from list_table_faults(self._ledger, deep)

    @contextmanager
    def _committing(self) -> Iterator[None]:
        with self._reading(None), self._ledger.locked():
            self._ledger.begin()
            yield
            self._ledger.seal()

    def _clean(self, history_s: float) -> None:
        with self._reading(None), self._ledger.locked():
            remove_old_versions(self._folder, history_s)
            self._ledger.seal()

    def _open_snapshot(self) -> LanceStore:
        table = open_table(self._visible.folder, None)
        with self._reading(None):
            return LanceStore(self._folder, make_steady(table), stays=True, visible=self._visible)

    def _translating(self, where: str | None) -> AbstractContextManager[None]:
        return translating(self._folder, self._is_gone, where, self._name_columns)

    def _list_files(self) -> Collection[str]:
        return list_files(self._folder)

    def _read_fragments(self) -> tuple[Fragment, ...]:
        return read_fragments(self._visible.folder, self._version)

    def _is_gone(self) -> bool:
        """Whether this is a version that was removed."""
        try:
            return self._stays and self._version not in (one["version"] for one in self._table.list_versions())
        except ENGINE_ERRORS:
            return True
