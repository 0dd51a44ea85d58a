"""What exact ranking needs of a whole store, kept between searches: in memory, or in mapped files beyond a bound."""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from histoseek.files import fsync_path
from histoseek.mosaics.barcodes import Words
from histoseek.mosaics.distances import SignatureBlock

_SUMS = "sums.json"
_PARTS = ("slide_ids", "row_ids", "barcodes", "offsets", "global_vectors", "squares")


@dataclass(frozen=True, slots=True)
class RankingRows:
    """All slides of one version of a store, sorted by id.

    slide_ids: text [S]; row_ids: uint64 [S], the engine's own, valid for this version; barcodes, offsets,
    global_vectors and squares as in SignatureBlock.
    """

    slide_ids: NDArray[np.str_]
    row_ids: NDArray[np.uint64]
    barcodes: Words
    offsets: NDArray[np.int64]
    global_vectors: NDArray[np.float32]
    squares: NDArray[np.float64]

    @property
    def block(self) -> SignatureBlock:
        """All of them, to be ranked."""
        return SignatureBlock(self.barcodes, self.offsets, self.global_vectors, self.squares)

    @property
    def bytes(self) -> int:
        """What the arrays take."""
        return sum(getattr(self, name).nbytes for name in _PARTS)

    def places(self, row_ids: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Where rows of the engine stand here, ascending."""
        order = np.argsort(self.row_ids, kind="stable")
        return np.sort(order[np.searchsorted(self.row_ids, row_ids, sorter=order)])


class RankingCache:
    """Holds the rows of the version that was used last; beyond a bound on disk, memory-mapped, one folder a version.

    Several processes may share the folder: a version appears there as a whole, and never changes. Mapped files that
    another process removes stay readable. Damaged files are made again.
    """

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._lock = threading.Lock()
        self._held: tuple[int, RankingRows] | None = None

    def rows(self, version: int, read: Callable[[], RankingRows]) -> RankingRows:
        """The rows of a version; `read` gets them from the store when they are not at hand."""
        with self._lock:
            if self._held is None or self._held[0] != version:
                self._held = None
                self._held = (version, self._load(version, read))
            return self._held[1]

    def _load(self, version: int, read: Callable[[], RankingRows]) -> RankingRows:
        mapped = _map(self._folder / str(version))
        if mapped is not None:
            return mapped
        rows = read()
        if rows.bytes <= self._limit_bytes:
            self._remove_stale(version)
            return rows
        # Without a folder to write to, what was read serves this version from memory.
        with suppress(OSError):
            self._write(version, rows)
        return _map(self._folder / str(version)) or rows

    def _write(self, version: int, rows: RankingRows) -> None:
        self._folder.mkdir(exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=self._folder, prefix=f".{version}."))
        try:
            for name in _PARTS:
                np.save(temporary / f"{name}.npy", getattr(rows, name))
                fsync_path(temporary / f"{name}.npy")
            (temporary / _SUMS).write_text(json.dumps({name: _sum(getattr(rows, name)) for name in _PARTS}))
            shutil.rmtree(self._folder / str(version), ignore_errors=True)
            temporary.rename(self._folder / str(version))
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        self._remove_stale(version)

    def _remove_stale(self, version: int) -> None:
        if not self._folder.is_dir():
            return
        for folder in self._folder.iterdir():
            if folder.name.isdecimal() and int(folder.name) < version:
                shutil.rmtree(folder, ignore_errors=True)


def _map(folder: Path) -> RankingRows | None:
    """The rows in a folder, or None when they are not there or not whole."""
    try:
        sums = json.loads((folder / _SUMS).read_text())
        parts: dict[str, Any] = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in _PARTS}
        whole = all(_sum(part) == sums[name] for name, part in parts.items())
    except (OSError, ValueError, KeyError, TypeError, EOFError):
        return None
    return RankingRows(**parts) if whole else None


def _sum(values: NDArray[Any]) -> int:
    return zlib.crc32(np.ascontiguousarray(values).view(np.uint8).data) if values.size else 0
