"""The store of an archive in object storage: a LanceDB table below the archive's prefix.

An object is there as a whole or not at all, and a version is its manifest, which the engine writes on the condition
that nobody has written one of the same number. So there is no ledger, and nothing can be torn; what a killed writer
leaves are objects of no version. See docs/decisions/0092.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import timedelta
from functools import cached_property, lru_cache

import pyarrow as pa

from histoseek.archive.remote.objects import write_lock
from histoseek.archive.remote.objects.bucket import Bucket, ObjectState
from histoseek.archive.remote.objects.faults import explain
from histoseek.archive.remote.objects.place import CONNECT_S
from histoseek.archive.stores.base import NOT_OF_STORE, StorePlace, StoreStats
from histoseek.archive.stores.lance.engine import TABLE, lancedb, open_remote_table
from histoseek.archive.stores.lance.faults import translating
from histoseek.archive.stores.lance.indexes import index_columns, index_tokens
from histoseek.archive.stores.lance.table import TableStore
from histoseek.archive.stores.lance.versions import (
    HINT,
    TRANSACTIONS,
    VERSIONS,
    Fragment,
    TableVersion,
    find_unneeded,
    find_version,
    parse_manifest,
)
from histoseek.errors import ArchiveError, DamagedArchive, OutdatedSnapshot
from histoseek.settings import get_settings

_AT_ONCE = 8
_CACHED_VERSIONS = 4096
_MD5 = re.compile(r'"?([0-9a-f]{32})"?')


class ObjectTable:
    """The objects of one embedding space's table, by their paths in the store."""

    def __init__(self, place: StorePlace) -> None:
        self.bucket = Bucket.open(place.address)
        self.folder = f"rows/{place.number:04d}/"

    @property
    def address(self) -> str:
        """Of the archive, as it is shown."""
        return self.bucket.address

    @property
    def uri(self) -> str:
        """Of the store, for the engine."""
        return f"{self.address}/{self.folder.rstrip('/')}"

    @property
    def options(self) -> Mapping[str, str]:
        """Of the engine's client; all else it reads from the environment as ours does."""
        return {
            "client_max_retries": "1000",
            "client_retry_timeout": f"{max(1, round(get_settings().server_seconds))}",
            "connect_timeout": f"{CONNECT_S}s",
        }

    def list(self) -> dict[str, ObjectState]:
        """All of them, but for the engine's hint."""
        found = self.bucket.list(self.folder)
        return {key.removeprefix(self.folder): one for key, one in found.items() if not key.endswith(HINT)}

    def exists(self) -> bool:
        """Whether there is any version."""
        return self.bucket.has(f"{self.folder}{VERSIONS}/")

    def delete(self, paths: Collection[str]) -> None:
        """Remove some of them: manifests first, so that no version is seen that lacks something."""
        manifests = {path for path in paths if find_version(path) is not None}
        for some in (manifests, set(paths) - manifests):
            self.bucket.delete(f"{self.folder}{path}" for path in some)

    def clear(self) -> None:
        """Remove all of them."""
        self.delete(list(self.list()))
        self.bucket.delete(self.bucket.list(self.folder))

    def read_version(self, path: str, tag: str) -> TableVersion:
        """What a manifest says; raises FileNotFoundError, ValueError."""
        return _read_version(self.bucket, f"{self.folder}{path}", tag)

    def read_versions(self, there: Mapping[str, ObjectState]) -> dict[int, TableVersion]:
        """All versions that can be read, several at once."""

        def read(path: str) -> tuple[int, TableVersion] | None:
            with suppress(FileNotFoundError, ValueError):
                return find_version(path) or 0, self.read_version(path, there[path].tag)
            return None

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            found = list(pool.map(read, [path for path in there if find_version(path) is not None]))
        return dict(one for one in found if one is not None)

    def find_manifest(self, version: int) -> ObjectState | None:
        """That of a version; None where it was removed."""
        return self.bucket.find(f"{self.folder}{name_manifest(version)}")

    def translating(self) -> AbstractContextManager[None]:
        """Where no snapshot is read."""
        return translating(self.address, lambda: False, explain=lambda text: explain(text, self.address))


class ObjectLanceStore(TableStore):
    """A Store over one LanceDB table in a bucket."""

    def __init__(self, objects: ObjectTable, stays: bool = False, version: int | None = None) -> None:
        """stays: the table always shows the version that it was opened at; version: which one, None for the newest."""
        with objects.translating():
            table = open_remote_table(objects.uri, None if stays else timedelta(0), objects.options)
        super().__init__(table, stays)
        self._objects = objects
        if version is not None:
            with translating(objects.address, lambda: True):
                table.checkout(version)

    @classmethod
    def exists(cls, place: StorePlace) -> bool:
        """Whether there is any version of a table."""
        return ObjectTable(place).exists()

    @classmethod
    def drop(cls, place: StorePlace) -> None:
        """Remove all objects."""
        ObjectTable(place).clear()

    @classmethod
    def create(cls, place: StorePlace, schema: pa.Schema) -> ObjectLanceStore:
        """Make an empty store, in place of one that a crash left empty."""
        objects = ObjectTable(place)
        _require_lock(objects)
        objects.clear()
        with objects.translating():
            table = lancedb.connect(objects.uri, storage_options=dict(objects.options)).create_table(
                TABLE, schema=schema
            )
            index_tokens(table)
            index_columns(table)
        return cls(objects)

    @classmethod
    def open(cls, place: StorePlace, mark: str | None = None) -> ObjectLanceStore:
        """Open a store that always shows the last commit, or a snapshot of the version with a mark.

        Raises DamagedArchive when it is not there, OutdatedSnapshot when that version is not.
        """
        objects = ObjectTable(place)
        if not objects.exists():
            raise DamagedArchive(objects.address, "its table is not there")
        if mark is None:
            return cls(objects)
        number, _, tag = mark.partition("@")
        manifest = objects.find_manifest(int(number))
        if manifest is None or manifest.tag != tag:
            raise OutdatedSnapshot(objects.address)
        return cls(objects, stays=True, version=int(number))

    @classmethod
    def repair(cls, place: StorePlace) -> str | None:
        """Remove what a killed writer left unfinished, and end what it may still be about to commit."""
        objects = ObjectTable(place)
        lock = write_lock.find_held(objects.address)
        if lock is not None and not lock.is_dirty:
            return None
        orphans = _find_orphans(objects)
        if orphans or lock is not None:
            # Whoever began before this can't commit any more, and so can't come to need what is removed.
            store = cls(objects)
            with objects.translating():
                store._table.checkout(store.version)
                store._table.restore()
            orphans &= _find_orphans(objects)
            objects.delete(orphans)
        if lock is not None:
            lock.is_dirty = False
        return f"a writer was cut off: {len(orphans)} unfinished objects of it were removed" if orphans else None

    @property
    def left_out(self) -> str | None:
        """Nothing ever is."""
        return None

    @property
    def mark(self) -> str:
        """The version's number, and what tells its manifest from all others."""
        manifest = self._objects.find_manifest(self._version)
        if manifest is None:
            raise OutdatedSnapshot(self._objects.address)
        return f"{self._version}@{manifest.tag}"

    def stats(self) -> StoreStats:
        """Rows, bytes, versions."""
        there = self._objects.list()
        versions = sum(find_version(path) is not None for path in there)
        return StoreStats(self.count(None), sum(one.bytes for one in there.values()), versions)

    def list_faults(self, deep: bool) -> Iterator[str]:
        """By the sizes in the newest manifest; deep: by the digests that the object storage gave out for them."""
        objects = self._objects
        there = objects.list()
        newest = max((path for path in there if find_version(path)), key=lambda path: find_version(path) or 0)
        try:
            version = objects.read_version(newest, there[newest].tag)
        except ValueError:
            yield f"{newest} is torn"
            return
        needed = {*version.list_needed(there), *version.bytes}
        for path in sorted(path for path in needed if not path.startswith(TRANSACTIONS)):
            fault = _find_fault(objects, there.get(path), path, version.bytes.get(path), deep)
            if fault:
                yield f"{path} {fault}"
        if not write_lock.is_held_elsewhere(objects.bucket):
            yield from (f"{path}{NOT_OF_STORE}" for path in sorted(_find_orphans(objects)))

    @contextmanager
    def _committing(self) -> Iterator[None]:
        lock = _require_lock(self._objects)
        try:
            with self._reading(None):
                yield
        except BaseException:
            if lock is not None:
                lock.is_dirty = True
            raise

    def _clean(self, history_s: float) -> None:
        _require_lock(self._objects)
        there = self._objects.list()
        # The server's clock made all these times, in whole seconds; what was just written says what time it is.
        now_s = max(one.modified.timestamp() for one in there.values()) + 1
        manifests = {version: path for path in there if (version := find_version(path)) is not None}
        made_s = {version: there[path].modified.timestamp() for version, path in manifests.items()}
        versions = self._objects.read_versions(there)
        self._objects.delete(find_unneeded(there, made_s, now_s - history_s, lambda one: _pick(versions, one)))

    def _open_snapshot(self) -> ObjectLanceStore:
        return ObjectLanceStore(self._objects, stays=True)

    def _translating(self, where: str | None) -> AbstractContextManager[None]:
        address = self._objects.address
        return translating(address, self._is_gone, where, self._name_columns, lambda text: explain(text, address))

    def _is_gone(self) -> bool:
        """Whether this is a version that was removed."""
        try:
            return self._stays and self._objects.find_manifest(self._version) is None
        except ArchiveError:
            return False

    def _list_files(self) -> Collection[str]:
        return self._objects.list()

    def _read_fragments(self) -> tuple[Fragment, ...]:
        path = name_manifest(self._version)
        return self._objects.read_version(path, self._manifest_tag).fragments

    @cached_property
    def _manifest_tag(self) -> str:
        manifest = self._objects.find_manifest(self._version)
        if manifest is None:
            raise OutdatedSnapshot(self._objects.address)
        return manifest.tag


def name_manifest(version: int) -> str:
    """Where a version's manifest lies: numbers count down, so that the newest comes first."""
    return f"{VERSIONS}/{2**64 - 1 - version:020d}.manifest"


def _require_lock(objects: ObjectTable) -> write_lock.WriteLock | None:
    """See that this process has not lost the archive's lock, where it took it."""
    lock = write_lock.find_held(objects.address)
    if lock is not None:
        lock.require()
    return lock


def _find_orphans(objects: ObjectTable) -> set[str]:
    """Objects that no version needs."""
    there = objects.list()
    versions = objects.read_versions(there).values()
    needed = {path for one in versions for path in one.list_needed(there)}
    return {path for path in there if find_version(path) is None and path not in needed}


def _find_fault(objects: ObjectTable, state: ObjectState | None, path: str, size: int | None, deep: bool) -> str | None:
    if state is None:
        return "is missing"
    if not state.bytes:
        return "is empty"
    if size is not None and state.bytes != size:
        return f"has {state.bytes} bytes instead of {size}"
    return _find_altered(objects, state, path) if deep else None


def _find_altered(objects: ObjectTable, state: ObjectState, path: str) -> str | None:
    """What is wrong with the content of an object."""
    try:
        data = objects.bucket.read(f"{objects.folder}{path}")
    except FileNotFoundError:
        return "is missing"
    except ArchiveError as error:
        return f"cannot be read ({error.what})"
    digest = _MD5.fullmatch(state.tag)
    is_same = digest is None or hashlib.md5(data, usedforsecurity=False).hexdigest() == digest.group(1)
    return None if is_same and len(data) == state.bytes else "is not what was written (MD5)"


def _pick(versions: Mapping[int, TableVersion], number: int) -> TableVersion:
    if number not in versions:
        raise ValueError(f"version {number} cannot be read")
    return versions[number]


@lru_cache(maxsize=_CACHED_VERSIONS)
def _read_version(bucket: Bucket, key: str, _tag: str) -> TableVersion:
    """Manifests never change: each is read once."""
    return parse_manifest(bucket.read(key))
