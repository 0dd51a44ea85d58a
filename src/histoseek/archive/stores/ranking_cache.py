"""What exact ranking needs of a whole store, kept between searches: in memory, or in mapped files beyond a bound."""

from __future__ import annotations

import errno
import json
import shutil
import tempfile
import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.stores.kept_rows import KeptRows, TrackedSource
from histoseek.archive.stores.rows import Arrays, Outline, RankingPart, RankingRows, empty_arrays
from histoseek.errors import OutdatedSnapshot
from histoseek.files import fsync_path

_SUMS = "sums.json"
_MARK = "mark"
_FILTERS_KEPT = 8
_KEPT = "kept"

FEWEST_KEPT = 50_000
"""Slides from which on what ranking needs is kept on disk from version to version: fewer are read in a moment."""

Places = NDArray[np.int64]


class RankingSource(TrackedSource, Protocol):
    """Where the rows of one version of a store come from, in two passes, so that they need not be in memory twice."""

    def outline(self) -> Outline:
        """Which slides there are."""

    def parts(self) -> Iterator[RankingPart]:
        """All of them, some at a time."""


class RankingCache:
    """Holds the rows of the version that was used last; beyond a bound on disk, memory-mapped, one folder a version.

    Several processes may share the folder: a version appears there as a whole, and never changes. Mapped files that
    another process removes stay readable. Damaged files are made again. The places of the last few filters are kept
    beside the rows.
    """

    def __init__(self, folder: Path, limit_bytes: int, above: Sequence[Path] = ()) -> None:
        """above: those that this folder lies in and that may have to be made as well, the outermost first."""
        self._folder = folder
        self._above = above
        self._limit_bytes = limit_bytes
        self._lock = threading.Lock()
        self._held: tuple[int, RankingRows] | None = None
        self._places: OrderedDict[tuple[int, str], Places] = OrderedDict()
        self._derived: tuple[str, RankingCache] | None = None

    def rows(self, version: int, source: RankingSource) -> RankingRows:
        """The rows of a version, from the source when they are not at hand."""
        with self._lock:
            if self._held is None or self._held[0] != version:
                self._held = None
                self._places.clear()
                self._held = (version, self._load(version, source))
            return self._held[1]

    def derive(self, name: str) -> RankingCache:
        """That of rows derived from these, in a folder of this name among them: the same object until another is asked
        for, whose folder takes its place."""
        with self._lock:
            if self._derived is None or self._derived[0] != name:
                self._derived = (name, RankingCache(self._folder / name, self._limit_bytes, self._folders))
                self._remove_other_derived(name)
            return self._derived[1]

    @property
    def _folders(self) -> Sequence[Path]:
        return (*self._above, self._folder)

    def copy(self) -> RankingCache:
        """Another one with the same rows at hand, for a version that will be asked for beside newer ones."""
        other = RankingCache(self._folder, self._limit_bytes, self._above)
        with self._lock:
            other._held = self._held
        return other

    def held(self, version: int) -> RankingRows | None:
        """The rows of a version, if they are at hand."""
        held = self._held
        return held[1] if held and held[0] == version else None

    def held_ids(self, version: int) -> RankingRows | None:
        """Rows of a version that tell at least its ids and row ids: these, or such as were derived of them."""
        derived = self._derived
        return self.held(version) or (derived[1].held(version) if derived else None)

    def places(self, version: int, where: str, find: Callable[[], Places]) -> Places:
        """The places of a filter in the rows of a version; `find` is asked when they are not at hand."""
        key = version, where
        with self._lock:
            if key in self._places:
                self._places.move_to_end(key)
                return self._places[key]
        found = find()
        with self._lock:
            self._places[key] = found
            while len(self._places) > _FILTERS_KEPT:
                self._places.popitem(last=False)
        return found

    def forget(self) -> None:
        """Hold nothing in memory: what a version's number stands for has become something else."""
        with self._lock:
            self._forget()

    def _forget(self) -> None:
        self._held = None
        self._derived = None
        self._places.clear()

    def clear(self) -> None:
        """Remove the rows of all versions, from memory and from the folder."""
        with self._lock:
            self._forget()
            shutil.rmtree(self._folder, ignore_errors=True)

    def _load(self, version: int, source: RankingSource) -> RankingRows:
        folder = self._folder / str(version)
        # A backup that was restored may have gone on to the same number with other slides.
        mapped = _map(folder, source.mark) if folder.is_dir() else None
        if mapped is not None:
            return mapped
        large = self._load_large(version, source)
        if large is not None:
            self._remove_stale(version)
            return large
        outline = source.outline()
        if outline.bytes > self._limit_bytes and len(outline):
            # Without a folder to write to, or room in it, this version is served from memory.
            with suppress(OSError):
                self._write(version, outline, source)
            mapped = self._map_current(folder, source)
        self._remove_stale(version)
        return mapped or RankingRows(**_fill(empty_arrays(outline, _in_memory), outline, source))

    def _load_large(self, version: int, source: RankingSource) -> RankingRows | None:
        """Those of a large store, which are kept from version to version; None where they are not, or can't be."""
        kept = KeptRows(self._folder / _KEPT)
        with suppress(OSError):
            rows = kept.load(version, source)
            if rows is not None or source.rows_mark is None or source.count() < FEWEST_KEPT:
                return rows
            for folder in self._folders:
                folder.mkdir(exist_ok=True)
            return kept.build(version, source)
        return None

    def _map_current(self, folder: Path, source: RankingSource) -> RankingRows | None:
        """What was just written, unless the version was erased meanwhile: then nothing of it may stay."""
        try:
            return _map(folder, source.mark)
        except OutdatedSnapshot:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def _write(self, version: int, outline: Outline, source: RankingSource) -> None:
        for folder in self._folders:
            folder.mkdir(exist_ok=True)
        if shutil.disk_usage(self._folder).free < outline.bytes:
            # A mapped file that outgrows the disk would kill the process.
            raise OSError(errno.ENOSPC, "no room for the rows", str(self._folder))
        temporary = Path(tempfile.mkdtemp(dir=self._folder, prefix=f".{version}."))
        try:
            arrays = _fill(empty_arrays(outline, _on_disk(temporary)), outline, source)
            for name in arrays:
                fsync_path(temporary / f"{name}.npy")
            sums = {_MARK: source.mark, **{name: _sum(array) for name, array in arrays.items()}}
            (temporary / _SUMS).write_text(json.dumps(sums))
            shutil.rmtree(self._folder / str(version), ignore_errors=True)
            temporary.rename(self._folder / str(version))
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _remove_other_derived(self, name: str) -> None:
        for folder in self._folder.iterdir() if self._folder.is_dir() else ():
            if not (folder.name.isdecimal() or folder.name.startswith(".") or folder.name in {name, _KEPT}):
                shutil.rmtree(folder, ignore_errors=True)

    def _remove_stale(self, version: int) -> None:
        if not self._folder.is_dir():
            return
        for folder in self._folder.iterdir():
            if folder.name.isdecimal() and int(folder.name) < version:
                shutil.rmtree(folder, ignore_errors=True)


def _in_memory(name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    return np.empty(shape, dtype)


def _on_disk(folder: Path) -> Callable[[str, tuple[int, ...], np.dtype[Any]], NDArray[Any]]:
    def make(name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        return np.lib.format.open_memmap(folder / f"{name}.npy", "w+", dtype, shape)

    return make


def _fill(arrays: Arrays, outline: Outline, source: RankingSource) -> Arrays:
    rows = RankingRows(**arrays)
    rows.take_outline(outline)
    for part in source.parts():
        rows.take_part(part.row_ids, part.block)
    return arrays


def _map(folder: Path, mark: str) -> RankingRows | None:
    """The rows in a folder, or None when they are not there, not whole, or of another store's version."""
    try:
        sums = json.loads((folder / _SUMS).read_text())
        arrays: Arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in RankingRows.__slots__}
        whole = sums[_MARK] == mark and all(_sum(array) == sums[name] for name, array in arrays.items())
    except (OSError, ValueError, KeyError, TypeError, EOFError):
        return None
    return RankingRows(**arrays) if whole else None


def _sum(values: NDArray[Any]) -> int:
    return zlib.crc32(np.ascontiguousarray(values).view(np.uint8).data) if values.size else 0
