"""What ranking needs of a large store, kept on disk from version to version.

What is new is put behind what is there, what has ended is passed over: after a commit of some slides, some slides are
read. Files only grow, so that other processes may have them mapped meanwhile.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.stores.base import RowChanges
from histoseek.archive.stores.rows import (
    NO_DIGEST,
    NO_ROW,
    RankingPart,
    RankingRows,
    RowIds,
    find_ranks,
    make_keys,
    make_signs,
    quantise,
)
from histoseek.errors import OutdatedSnapshot
from histoseek.files import fsync_path, read_checked_json, write_checked_json
from histoseek.mosaics.distances import compute_squared_lengths

_STATE = "state.json"
_LOCK = "lock"
_FORMAT = 1

_VERSIONS_KEPT = 4
"""Readers may be at one of the last few."""

_MOST_ENDED = 0.25
"""Of all places: with more that do not count, the rest is written anew."""

_LETTERS = 16
"""Texts have room for a multiple of so many letters, and for as many more than the longest has at first."""

_BY_SLIDE = ("slide_ids", "patient_ids", "case_ids")

Rows = NDArray[np.uint64]
Places = NDArray[np.int64]
Arrays = dict[str, NDArray[Any]]


class TrackedSource(Protocol):
    """Where the rows of one version of a store come from, if it can tell how they differ from those of another."""

    @property
    def mark(self) -> str:
        """What tells the version from those of all other stores; raises OutdatedSnapshot when it is gone."""

    @property
    def rows_mark(self) -> str | None:
        """What `changes_since` will have to know of the version; None where the store can't tell changes."""

    def changes_since(self, rows_mark: str) -> RowChanges | None:
        """How the version's rows differ from those of another; None where that can't be told."""

    def count(self) -> int:
        """How many slides there are."""

    def read_ids(self, row_ids: Rows | None = None) -> Iterator[RowIds]:
        """Whose some rows are, all of them for None."""

    def read(self, row_ids: Rows | None = None) -> Iterator[tuple[RowIds, RankingPart]]:
        """Some rows, all of them for None."""


@dataclass(frozen=True, slots=True)
class _Column:
    """An array in a file of its own: the type and shape of an element, how many there are, the checksum of all of them
    (CRC-32), and when the file was changed last, in ns."""

    kind: str
    shape: tuple[int, ...]
    count: int = 0
    sum: int = 0
    changed: int = 0

    @property
    def element_bytes(self) -> int:
        """Of one element."""
        return np.dtype(self.kind).itemsize * int(np.prod(self.shape))

    @property
    def bytes(self) -> int:
        """Of all elements."""
        return self.count * self.element_bytes


@dataclass(frozen=True, slots=True)
class _Version:
    """Which places count in a version of the store: in a file, the row at each place, then the places by slide id."""

    version: int
    mark: str
    rows_mark: str
    file: str
    places: int
    slides: int
    sum: int


@dataclass(frozen=True, slots=True)
class _State:
    """What is in the folder: generation names the folder in it that holds the files of columns and versions."""

    generation: str
    columns: dict[str, _Column]
    versions: tuple[_Version, ...]

    def find(self, mark: str) -> _Version | None:
        """The version with a mark."""
        return next((one for one in self.versions if one.mark == mark), None)


class KeptRows:
    """The rows of the last few versions of a store, in one folder. Several processes may share it: they bring it up to
    date one after the other, and read without waiting.

    A file is taken as it is while its time of change is the one noted when it was written, else read and compared with
    its checksum.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, version: int, source: TrackedSource) -> RankingRows | None:
        """The rows of a version, brought up to date where an earlier one is there; None where all have to be read.

        Raises OSError where nothing can be written, OutdatedSnapshot for a version that was erased.
        """
        state = self._read_state()
        if state is None:
            return None
        known = state.find(source.mark)
        rows = self._map(state, known, is_patient=False) if known else None
        if rows is not None or source.rows_mark is None:
            return rows
        with self._locked():
            try:
                return self._bring_up(version, source)
            except OutdatedSnapshot:
                # What was read of it may have been erased.
                self.clear()
                raise

    def _bring_up(self, version: int, source: TrackedSource) -> RankingRows | None:
        state = self._read_state()
        if state is None:
            return None
        known = state.find(source.mark)
        last = known or state.versions[-1]
        changes = None if known else source.changes_since(last.rows_mark)
        rows = self._map(state, last) if known or changes is not None else None
        if rows is None or changes is None:
            return self._note(state, rows)
        return self._update(state, rows, version, source, changes)

    def _note(self, state: _State, rows: RankingRows | None) -> RankingRows | None:
        """Let files that were found to be whole be taken as they are from now on."""
        folder = self._folder / state.generation
        if rows is not None:
            columns = {
                name: replace(one, changed=_path(folder, name).stat().st_mtime_ns)
                for name, one in state.columns.items()
            }
            self._write_state(replace(state, columns=columns))
        return rows

    def _write_state(self, state: _State) -> None:
        write_checked_json(self._folder / _STATE, {"format": _FORMAT, **asdict(state)})

    def build(self, version: int, source: TrackedSource) -> RankingRows | None:
        """The rows of a version, all of them read; None where the store can't tell changes.

        Raises OSError where they can't be written, OutdatedSnapshot for a version that was erased meanwhile.
        """
        if source.rows_mark is None:
            return None
        self._folder.mkdir(exist_ok=True)
        with self._locked():
            state = self._read_state()
            known = state.find(source.mark) if state else None
            rows = self._map(state, known) if state and known else None
            return rows if rows is not None else self._write_all(version, source)

    def _write_all(self, version: int, source: TrackedSource) -> RankingRows | None:
        letters = np.ones(len(_BY_SLIDE), np.int64)
        for ids in source.read_ids():
            letters = np.maximum(letters, [getattr(ids, name).dtype.itemsize // 4 for name in _BY_SLIDE])
        widths = {
            name: -(-(int(most) + _LETTERS) // _LETTERS) * _LETTERS
            for name, most in zip(_BY_SLIDE, letters, strict=True)
        }
        generation = uuid4().hex
        folder = self._folder / generation
        folder.mkdir()
        try:
            writer = _Writer(folder, {}, widths)
            row_ids = [writer.append(*one) for one in source.read()]
            state = _State(generation, writer.close(), ())
            slide_ids = _map_column(folder, "slide_ids", state.columns["slide_ids"])
            order = np.argsort(slide_ids, kind="stable")
            return self._publish(state, version, source, np.concatenate([np.empty(0, np.uint64), *row_ids]), order)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def _update(
        self, state: _State, rows: RankingRows, version: int, source: TrackedSource, changes: RowChanges
    ) -> RankingRows | None:
        """The rows of another version, from those of one that is there; None where they are better read anew."""
        folder = self._folder / state.generation
        gone = _find_places(rows, changes.ended)
        row_ids = rows.row_ids.copy()
        row_ids[gone] = NO_ROW
        digests = _map_column(folder, "digests", state.columns["digests"])
        left = _renumber(rows, digests, row_ids, gone, source, changes.added)
        before, slides = len(rows), int((row_ids != NO_ROW).sum()) + len(left)
        # Of places that another version was given behind these, nothing counts in this one.
        places = state.columns["slide_ids"].count
        if slides < (1 - _MOST_ENDED) * (places + len(left)):
            return None
        writer = _Writer(folder, state.columns, {})
        try:
            added = [writer.append(*one) for one in source.read(left)] if len(left) else []
        except _TooLong:
            return None
        finally:
            columns = writer.close()
        row_ids = np.concatenate([row_ids, np.full(places - before, NO_ROW), *added])
        state = replace(state, columns=columns)
        slide_ids = _map_column(folder, "slide_ids", columns["slide_ids"])
        order = rows.order[row_ids[rows.order] != NO_ROW]
        new = places + np.argsort(slide_ids[places:], kind="stable")
        order = np.insert(order, find_ranks(slide_ids, slide_ids[new], order), new)
        return self._publish(state, version, source, row_ids, order)

    def _publish(
        self, state: _State, version: int, source: TrackedSource, row_ids: Rows, order: Places
    ) -> RankingRows | None:
        """Note a version and the columns as they are now, in one step; raises OutdatedSnapshot when it was erased."""
        folder = self._folder / state.generation
        content = row_ids.tobytes() + order.astype(np.int64).tobytes()
        name = f"{version}-{uuid4().hex}"
        (folder / name).write_bytes(content)
        fsync_path(folder / name)
        fsync_path(folder)
        mark, rows_mark = source.mark, source.rows_mark or ""
        made = _Version(version, mark, rows_mark, name, len(row_ids), len(order), zlib.crc32(content))
        kept = sorted((*state.versions, made), key=lambda one: one.version)[-_VERSIONS_KEPT:]
        new = replace(state, versions=tuple(kept if made in kept else [*kept[1:], made]))
        self._write_state(new)
        try:
            # Erased meanwhile: then nothing of it may stay.
            _ = source.mark
        except OutdatedSnapshot:
            self.clear()
            raise
        self._remove_others(new)
        return self._map(new, made)

    def clear(self) -> None:
        """Remove all of it."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _remove_others(self, state: _State) -> None:
        """What earlier generations and versions left, and killed processes."""
        for path in self._folder.iterdir():
            if path.is_dir() and path.name != state.generation:
                shutil.rmtree(path, ignore_errors=True)
        named = {one.file for one in state.versions}
        for path in (self._folder / state.generation).iterdir():
            if path.suffix != ".bin" and path.name not in named:
                path.unlink(missing_ok=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """While no other process writes; raises OSError where there is no folder, or no lock is to be had."""
        with (self._folder / _LOCK).open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _read_state(self) -> _State | None:
        """None where there is none that can be read."""
        try:
            content = read_checked_json(self._folder / _STATE)
            if content["format"] != _FORMAT or not content["versions"]:
                return None
            columns = {
                name: _Column(**{**own, "shape": tuple(own["shape"])}) for name, own in content["columns"].items()
            }
            return _State(content["generation"], columns, tuple(_Version(**one) for one in content["versions"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _map(self, state: _State, known: _Version, is_patient: bool = True) -> RankingRows | None:
        """The rows of a version; None where files are not what they should be. is_patient: files that were changed
        since are read and compared with their checksums."""
        folder = self._folder / state.generation
        try:
            content = (folder / known.file).read_bytes()
            if zlib.crc32(content) != known.sum or not all(
                _is_whole(folder, name, column, is_patient) for name, column in state.columns.items()
            ):
                return None
            arrays = {name: _map_column(folder, name, column) for name, column in state.columns.items()}
        except (OSError, ValueError):
            return None
        numbers = np.frombuffer(content, np.uint64)
        row_ids, order = numbers[: known.places], numbers[known.places :].view(np.int64)
        arrays = {name: array[: known.places] for name, array in arrays.items() if name not in _NOT_BY_PLACE} | {
            "barcodes": arrays["barcodes"],
            "offsets": arrays["offsets"][: known.places + 1],
        }
        del arrays["digests"]
        row_order = np.argsort(row_ids, kind="stable")
        return RankingRows(row_ids=row_ids, row_order=row_order, order=order, **arrays)


_NOT_BY_PLACE = ("barcodes", "offsets")


class _TooLong(Exception):
    """A text has no room in its column."""


class _Writer:
    """Puts elements behind those of columns, which are noted when it is closed: what a killed one left is cut off."""

    def __init__(self, folder: Path, columns: dict[str, _Column], letters: dict[str, int]) -> None:
        """letters: of columns of texts that are not there yet."""
        self._folder, self._columns, self._letters = folder, dict(columns), letters
        self._files: dict[str, Any] = {}

    def append(self, ids: RowIds, part: RankingPart) -> Rows:
        """Put some slides behind the others; gives the numbers of their rows. Raises OSError, _TooLong."""
        block = part.block
        codes, scales = quantise(block.global_vectors)
        texts = {name: self._fit(name, getattr(ids, name)) for name in _BY_SLIDE}
        last = self._columns["barcodes"].count if "barcodes" in self._columns else 0
        offsets = last + (block.offsets[1:] if "offsets" in self._columns else block.offsets)
        contexts = block.contexts if block.contexts is not None else np.empty((len(ids), 0), np.float32)
        arrays: Arrays = {
            **texts,
            "patient_keys": make_keys(texts["patient_ids"]),
            "case_keys": make_keys(texts["case_ids"]),
            "digests": ids.digests,
            "barcodes": block.barcodes,
            "offsets": offsets,
            "global_vectors": block.global_vectors,
            "squares": compute_squared_lengths(block.global_vectors),
            "codes": codes,
            "scales": scales,
            "contexts": contexts,
            "signs": make_signs(block.global_vectors),
        }
        for name, array in arrays.items():
            self._append(name, array)
        return ids.row_ids

    def close(self) -> dict[str, _Column]:
        """Let all be on the disk; gives the columns."""
        for name, file in self._files.items():
            file.flush()
            os.fsync(file.fileno())
            self._columns[name] = replace(self._columns[name], changed=os.fstat(file.fileno()).st_mtime_ns)
            file.close()
        return self._columns

    def _fit(self, name: str, texts: NDArray[np.str_]) -> NDArray[np.str_]:
        letters = self._letters.get(name) or np.dtype(self._columns[name].kind).itemsize // 4
        if texts.dtype.itemsize // 4 > letters:
            raise _TooLong(name)
        return texts.astype(f"<U{letters}")

    def _append(self, name: str, array: NDArray[Any]) -> None:
        column = self._columns.get(name) or _Column(array.dtype.str, array.shape[1:])
        if name not in self._files:
            self._files[name] = file = _path(self._folder, name).open("ab")
            file.truncate(column.bytes)
        content = np.ascontiguousarray(array, column.kind).data.cast("B") if array.size else b""
        self._files[name].write(content)
        total = column.count + len(array)
        self._columns[name] = replace(column, count=total, sum=zlib.crc32(content, column.sum))


def _find_places(rows: RankingRows, row_ids: Rows) -> Places:
    """Where those of some rows stand that there are."""
    ranks = np.searchsorted(rows.row_ids, row_ids, sorter=rows.row_order)
    places = rows.row_order[ranks[ranks < len(rows)]]
    return places[rows.row_ids[places] == row_ids[ranks < len(rows)]]


def _renumber(
    rows: RankingRows, digests: Rows, row_ids: Rows, gone: Places, source: TrackedSource, added: Rows
) -> Rows:
    """Give those places that lost their rows the numbers of added rows of the same content, as of rows that the engine
    moved; gives the added rows that are new."""
    if not len(gone) or not len(added):
        return added
    keys = make_keys(rows.slide_ids[gone])
    sorted_ = np.argsort(keys)
    # Most of a store is quicker read from one end to the other.
    asked = None if 2 * len(added) > source.count() else added
    left = [np.empty(0, np.uint64)]
    for every in source.read_ids(asked):
        ids = every if asked is not None else _select(every, np.isin(every.row_ids, added))
        ranks = np.searchsorted(keys, make_keys(ids.slide_ids), sorter=sorted_)
        places = gone[sorted_[np.minimum(ranks, len(gone) - 1)]]
        is_same = (ids.digests != NO_DIGEST) & (digests[places] == ids.digests)
        for name in _BY_SLIDE:
            is_same &= getattr(rows, name)[places] == getattr(ids, name)
        row_ids[places[is_same]] = ids.row_ids[is_same]
        left.append(ids.row_ids[~is_same])
    return np.concatenate(left)


def _select(ids: RowIds, mask: NDArray[np.bool_]) -> RowIds:
    return RowIds(*(getattr(ids, name)[mask] for name in RowIds.__slots__))


def _path(folder: Path, name: str) -> Path:
    return folder / f"{name}.bin"


def _map_column(folder: Path, name: str, column: _Column) -> NDArray[Any]:
    shape = column.count, *column.shape
    if not column.bytes:
        return np.empty(shape, column.kind)
    # As a plain array: parts of memmaps take their time to make.
    return np.asarray(np.memmap(_path(folder, name), column.kind, "r", shape=shape))


def _is_whole(folder: Path, name: str, column: _Column, is_patient: bool) -> bool:
    status = _path(folder, name).stat()
    if status.st_mtime_ns == column.changed and status.st_size >= column.bytes:
        return True
    if not is_patient or status.st_size < column.bytes:
        return False
    return not column.bytes or zlib.crc32(_map_column(folder, name, column).view(np.uint8).data) == column.sum
