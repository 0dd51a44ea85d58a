"""What is shown of a table after a crash, and how it is put in order again. See docs/decisions/0044."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from histoseek.archive.stores.base import NOT_OF_STORE
from histoseek.archive.stores.lance.engine import open_table
from histoseek.archive.stores.lance.ledger import NOTHING_KNOWN, Ledger, LedgerState, hash_file
from histoseek.archive.stores.lance.versions import (
    ROOT,
    TRANSACTIONS,
    TableVersion,
    find_unneeded,
    find_version,
    has_end,
    list_files,
    list_versions,
    name_manifest,
    parse_manifest,
)
from histoseek.errors import DamagedArchive
from histoseek.files import FileState, fsync_path, make_folder, read_file_state

_TRIES = 5
_SET_ASIDE = "set-aside-"
_CACHED_VERSIONS = 4096


@dataclass(frozen=True, slots=True)
class Choice:
    """Which version of a table is shown: None for the newest; left_out: those after it, which are not whole;
    is_damaged: files of the one that is shown, which was safe on the disk, are not what they were."""

    version: int | None = None
    left_out: tuple[int, ...] = ()
    is_damaged: bool = False

    def describe(self) -> str | None:
        """What a user should know; None where all is well."""
        if self.is_damaged:
            return (
                "files of its table are missing or damaged: searches that need them fail. `histoseek verify` names "
                "them, and `histoseek verify --repair` keeps every slide that can be read"
            )
        if self.version is None:
            return None
        numbers = f"table version {', '.join(map(str, self.left_out))}" if self.left_out else "its files are gone"
        return (
            f"its newest state is not whole, as after a power cut ({numbers}): it is left out, and the "
            f"state before it is used (version {self.version}). Run `histoseek index` again"
        )


def choose_version(ledger: Ledger) -> Choice:
    """The version to be shown; one that was not sealed counts as torn only where nobody is about to seal it.

    Raises DamagedArchive where none can be read.
    """
    before = None
    for _ in range(_TRIES):
        state = ledger.read()
        choice = _judge(ledger.folder, state)
        if choice == Choice():
            return choice
        newest = max(list_versions(ledger.folder), default=0)
        if ledger.is_locked and newest in choice.left_out and _is_complete(ledger.folder, newest):
            return Choice()
        # A commit that began after the ledger was read has changed it by now, or left its newest version.
        if before == (state, newest):
            return choice
        before = state, newest
    return choice


def _judge(folder: Path, state: LedgerState | None) -> Choice:
    versions = sorted(list_versions(folder))
    if state is None:
        return _find_readable(folder, versions)
    newest, sealed = max(versions, default=0), max(state.sealed, default=0)
    if newest == sealed and (is_whole(folder, state, sealed) or _is_restored(folder, state, sealed)):
        return Choice()
    if newest > sealed and not state.is_open and _is_complete(folder, newest):
        # Of an older histoseek, which keeps no ledger, and flushed it before it went on.
        return Choice()
    there = set(versions)
    for version in reversed(state.sealed):
        if version in there and is_whole(folder, state, version):
            loses_all = version < sealed and not read_version(folder, version).rows
            if loses_all or (newest == sealed and _has_other_rows(folder, state, newest, version)):
                break
            return Choice(version, tuple(number for number in versions if number > version))
    safe = [version for version in versions if version <= sealed or not state.is_open]
    choice = _find_readable(folder, safe or versions)
    return choice if choice.version is not None else Choice(is_damaged=True)


def _is_restored(folder: Path, state: LedgerState, version: int) -> bool:
    """Whether a version is complete, but of files that a whole ledger never saw: the table is one from a backup."""
    known = state.files.keys()
    return state.is_whole and _is_complete(folder, version) and not read_version(folder, version).rows <= known


def _has_other_rows(folder: Path, state: LedgerState, version: int, older: int) -> bool:
    """Whether a version has all files of its rows, be others damaged, and an older one would show other rows."""
    try:
        rows, before = read_version(folder, version).rows, read_version(folder, older).rows
    except (OSError, ValueError):
        return False
    return rows != before and not any(_find_fault(folder, state, path, deep=False) for path in rows)


def _find_readable(folder: Path, versions: Sequence[int]) -> Choice:
    """The newest of some versions, ascending, that says what it consists of: rows that are there are never given up
    for others that are not."""
    for version in reversed(versions):
        with suppress(OSError, ValueError):
            read_version(folder, version)
            later = tuple(number for number in versions if number > version)
            return Choice(version, later) if later else Choice()
    raise DamagedArchive(folder, "no version of its table can be read")


def is_whole(folder: Path, state: LedgerState, version: int) -> bool:
    """Whether a sealed version has all its files, each as long as it was, and its manifest as it was."""
    # Transactions are in the manifests as well, and the engine does without their files.
    return not any(not fault.startswith(TRANSACTIONS) for fault in list_version_faults(folder, state, version))


def list_version_faults(folder: Path, state: LedgerState, version: int, deep: bool = False) -> Iterator[str]:
    """What is wrong with the files of a sealed version; deep: read them all."""
    path = name_manifest(folder, version)
    fault = _find_fault(folder, state, path, deep=True)
    if fault:
        yield fault
        return
    for needed in sorted(set(read_version(folder, version).list_needed(state.files))):
        fault = _find_fault(folder, state, needed, deep)
        if fault:
            yield fault


def _find_fault(folder: Path, state: LedgerState, path: str, deep: bool) -> str | None:
    mark = state.files.get(path)
    try:
        size = (folder / path).stat().st_size
    except OSError:
        return f"{path} is missing"
    if not size:
        return f"{path} is empty"
    if mark is None:
        # A ledger with damaged lines does not say what all files were: that stops nobody from reading them.
        return None if not state.is_whole else f"{path} is not in the ledger"
    if size != mark.bytes:
        return f"{path} has {size} bytes instead of {mark.bytes}"
    if deep and hash_file(folder / path) != mark.sha256:
        return f"{path} is not what was written (SHA-256)"
    return None


def list_table_faults(ledger: Ledger, deep: bool) -> Iterator[str]:
    """What is wrong with a table's files by its ledger: those of the newest version, and files of nobody."""
    state = ledger.read()
    choice = _judge(ledger.folder, state)
    if choice.version is not None:
        yield choice.describe() or ""
    newest = choice.version or max(list_versions(ledger.folder))
    yield from (f"{path} of an older version is torn" for path in _list_torn(ledger.folder, newest))
    if state is None:
        yield from list_version_faults(ledger.folder, NOTHING_KNOWN, newest)
        return
    if not state.is_whole:
        yield "lines of the table's ledger cannot be read"
    if not state.sealed:
        yield "its ledger says nothing of its files"
        return
    yield from list_version_faults(ledger.folder, state, max(state.sealed), deep)
    if not (state.is_open or ledger.is_locked):
        yield from (f"{path}{NOT_OF_STORE}" for path in sorted(list_files(ledger.folder) - state.files.keys()))


def _list_torn(folder: Path, before: int) -> Iterator[str]:
    """Manifests of older versions that were cut off."""
    older = (version for version in list_versions(folder) if version < before)
    yield from (name_manifest(folder, version) for version in older if not has_end(folder, version))


def _is_complete(folder: Path, version: int) -> bool:
    """Whether a version that was not sealed can be read, and none of its files is missing or empty."""
    try:
        needed = list(read_version(folder, version).list_needed(list_files(folder)))
        return all((folder / path).stat().st_size for path in needed if not path.startswith(TRANSACTIONS))
    except (OSError, ValueError):
        return False


def read_version(folder: Path, version: int) -> TableVersion:
    """What a version's manifest says; raises OSError, ValueError."""
    path = folder / name_manifest(folder, version)
    return _read(path, read_file_state(path))


def _read_versions(folder: Path, versions: Iterable[int]) -> list[TableVersion]:
    """Those that can be read."""
    read = []
    for version in versions:
        with suppress(OSError, ValueError):
            read.append(read_version(folder, version))
    return read


@lru_cache(maxsize=_CACHED_VERSIONS)
def _read(path: Path, _state: FileState) -> TableVersion:
    """Manifests never change: each is read once."""
    return parse_manifest(path.read_bytes())


class TableView:
    """A table up to one of its versions, in a temporary folder of links: nothing of the store is touched."""

    def __init__(self, folder: Path, newest: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="histoseek-view-"))
        weakref.finalize(self, _remove_own, self.folder, os.getpid())
        table = self.folder / ROOT
        (table / "_versions").mkdir(parents=True)
        for part in (folder / ROOT).iterdir():
            if part.name != "_versions":
                (table / part.name).symlink_to(part.absolute())
        for version in list_versions(folder):
            if version <= newest and has_end(folder, version):
                path = name_manifest(folder, version)
                (self.folder / path).symlink_to((folder / path).absolute())


@dataclass(frozen=True, slots=True)
class VisibleTable:
    """Where the table lies that a store shows: in its own folder, or in a view; left_out: what a crash cut off."""

    folder: Path
    left_out: str | None = None
    view: TableView | None = None


def show_table(folder: Path) -> VisibleTable:
    """The table of a store without what a crash cut off; raises DamagedArchive where no version is whole."""
    if not folder.is_dir():
        return VisibleTable(folder)
    choice = choose_version(Ledger(folder))
    if choice.version is None:
        return VisibleTable(folder, choice.describe())
    view = TableView(folder, choice.version)
    return VisibleTable(view.folder, choice.describe(), view)


def _remove_own(folder: Path, process: int) -> None:
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)


def repair(ledger: Ledger) -> str | None:
    """Go on from the newest whole version, and set aside what came after; says so, None where all is well.

    For whoever may write. Raises DamagedArchive where no version is whole.
    """
    newest = max(list_versions(ledger.folder), default=0)
    if not newest:
        return None
    with ledger.locked():
        state = ledger.read()
        choice = _judge(ledger.folder, state)
        # The engine reads what is older as well, and nobody can use what is torn.
        _remove(ledger.folder, list(_list_torn(ledger.folder, choice.version or newest)))
        if choice.version is None:
            if state is None or newest not in state.sealed or not state.is_whole:
                # Of an older histoseek: what it has must be readable, and is what later changes are measured by.
                open_table(ledger.folder, None)
                ledger.seal()
            return None
        last = max((newest, *state.sealed)) if state else newest
        ledger.begin()
        aside = _set_aside(ledger.folder, choice.version)
        _go_on(ledger.folder, choice.version, last)
        ledger.seal()
    return f"{choice.describe()}; what was left out is now in {aside.name}"


def _set_aside(folder: Path, version: int) -> Path:
    """Move what no version up to this one needs out of the table."""
    aside = folder / f"{_SET_ASIDE}{datetime.now(UTC):%Y%m%dT%H%M%S.%f}"
    there = list_files(folder)
    moved = [path for path in sorted(there) if (find_version(path) or 0) > version]
    kept = _read_versions(folder, (number for number in list_versions(folder) if number <= version))
    needed = {path for one in kept for path in one.list_needed(there)}
    moved += sorted(path for path in there if find_version(path) is None and path not in needed)
    make_folder(aside)
    for path in moved:
        make_folder((aside / path).parent)
        (folder / path).rename(aside / path)
    for parent in sorted({place for path in moved for place in ((aside / path).parent, (folder / path).parent)}):
        fsync_path(parent)
    return aside


def _go_on(folder: Path, version: int, last: int) -> None:
    """Make the version the newest one, under a number that no reader has seen yet."""
    table = open_table(folder, None)
    while int(table.version) <= last:
        table.checkout(int(table.version))
        table.restore()


def remove_old_versions(folder: Path, history_s: float) -> None:
    """Remove versions that were not the newest any more for so long, all files that no other needs, and what repairs
    set aside that long ago."""
    before_s = time.time() - history_s
    made_s = {version: (folder / name_manifest(folder, version)).stat().st_mtime for version in list_versions(folder)}
    unneeded = find_unneeded(list_files(folder), made_s, before_s, lambda version: read_version(folder, version))
    _remove(folder, [path for path in unneeded if find_version(path) is not None])
    _remove(folder, [path for path in unneeded if find_version(path) is None])
    for aside in folder.glob(f"{_SET_ASIDE}*"):
        if aside.stat().st_mtime <= before_s:
            shutil.rmtree(aside)
            fsync_path(folder)


def _remove(folder: Path, paths: list[str]) -> None:
    """Unlink files, and the folders that they leave empty, durably."""
    for path in paths:
        (folder / path).unlink(missing_ok=True)
    for parent in {(folder / path).parent for path in paths}:
        is_index = parent.parent.name == "_indices"
        if is_index and not any(parent.iterdir()):
            parent.rmdir()
        fsync_path(parent.parent if is_index else parent)
