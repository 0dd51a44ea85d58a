"""Copies of archives between folders and servers: resumable, compared at the end, not shown before they are whole."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.layout import ArchiveLayout
from histoseek.archive.moving.bags import BagCopy, compare_bags, copy_bags
from histoseek.archive.moving.files import ArchiveFiles, list_side_files, name_file, open_files
from histoseek.archive.moving.marker import MARKER, CopyMarker, read_marker, write_marker
from histoseek.archive.moving.rows import RowDifferences, compare_rows, copy_rows
from histoseek.archive.moving.source import CopySource, take_source
from histoseek.archive.remote.address import ArchiveAddress
from histoseek.archive.stores.base import Store
from histoseek.archive.stores.registry import create_store, drop_slides, has_slides, open_store, repair_slides
from histoseek.errors import ArchiveError, OutdatedSnapshot
from histoseek.files import as_archive_errors, format_checked_json
from histoseek.progress import Reporter

_ROUNDS = 10


@dataclass(frozen=True, slots=True)
class CopyReport:
    """What a copy is: slides; bytes of features; as_of: the moment (UTC) whose state of the archive it shows.

    rows, files: how many rows and files of features were written in this run; continued: whether an earlier run had
    begun it; notes: what to know of it.
    """

    slides: int
    bag_bytes: int
    as_of: datetime
    rows: int
    files: int
    continued: bool
    seconds: float
    notes: tuple[str, ...] = ()


def copy_archive(archive: ArchiveFolder, address: str | Path, reporter: Reporter) -> CopyReport:
    """Copy an archive to an address where none lies, or where a copy of it was begun and goes on.

    The archive is read only, and may be searched and written meanwhile. Raises ArchiveError, also where what was
    written is not found again.
    """
    target = ArchiveAddress.parse(address)
    return _Run(archive, target, reporter).execute()


class _Run:
    def __init__(self, archive: ArchiveFolder, target: ArchiveAddress, reporter: Reporter) -> None:
        self._archive = archive
        self._target = target
        self._reporter = reporter
        self._files = open_files(self._layout(1))
        self._rows = 0
        self._bag_files = 0

    def execute(self) -> CopyReport:
        """Copy, compare, and only then let the copy be an archive."""
        started = time.monotonic()
        _require_free(self._files, self._layout(1), self._archive.manifest.created, str(self._target))
        with self._files.locked():
            continued = _require_free(self._files, self._layout(1), self._archive.manifest.created, str(self._target))
            source, bags = self._copy_until_settled()
            manifest = format_checked_json(asdict(source.manifest))
            for path in (source.layout.manifest_copy, source.layout.manifest):
                self._files.write(name_file(source.layout, path), manifest)
            self._files.delete([MARKER])
        slides = source.rows.count(None) if source.rows else 0
        seconds = round(time.monotonic() - started, 3)
        notes = tuple(_list_notes(source, bags))
        return CopyReport(slides, bags.size, source.taken, self._rows, self._bag_files, continued, seconds, notes)

    def _copy_until_settled(self) -> tuple[CopySource, BagCopy]:
        """Copy the archive as it is, anew as far as it changed where what is copied is there no more."""
        for _ in range(_ROUNDS):
            source = take_source(self._archive)
            self._begin(source)
            try:
                bags = self._copy(source)
            except OutdatedSnapshot:
                if self._archive.is_snapshot:
                    raise
                continue
            if not (bags.unsettled and source.has_changed):
                return source, bags
        what = "changes faster than it can be copied"
        raise ArchiveError(self._archive.address, what, "Repeat the command when nothing writes to it: it continues")

    def _begin(self, source: CopySource) -> None:
        """Say what is being copied; what was copied of a space that is in use no longer goes."""
        marker, begun = CopyMarker.of(source.manifest), read_marker(self._files)
        if begun is not None and begun != marker:
            layout = self._layout(begun.number)
            drop_slides(layout)
            self._files.delete(list_side_files(self._files, layout))
        if begun != marker:
            write_marker(self._files, marker)

    def _copy(self, source: CopySource) -> BagCopy:
        """All but the manifest, compared with what it was copied of."""
        layout, folders = self._layout(source.manifest.number), source.list_bags()
        slides = sum(map(len, folders.values()))
        store = self._open_store(source, layout)
        with self._reporter.part("rows", slides) as part:
            self._rows += copy_rows(source.rows, store, part) if source.rows and store else 0
        with self._reporter.part("features", slides) as part:
            bags = copy_bags(source.files, self._files, folders, part)
        self._bag_files += bags.written
        there = list_side_files(self._files, layout)
        self._files.delete(sorted(set(there) - set(source.side_files)))
        for name, data in source.side_files.items():
            if name not in there or self._files.read(name) != data:
                self._files.write(name, data)
        self._compare(source, store, bags)
        return bags

    def _open_store(self, source: CopySource, layout: ArchiveLayout) -> Store | None:
        if source.rows is None:
            return None
        with nullcontext() if layout.address else as_archive_errors(layout.root):
            if not has_slides(layout):
                return create_store(layout, source.rows.schema)
            repair_slides(layout)
            return open_store(layout)

    def _compare(self, source: CopySource, store: Store | None, bags: BagCopy) -> None:
        """Take out what is not what was copied, so that it is copied anew, and raise ArchiveError."""
        folders = source.list_bags()
        slides = sum(map(len, folders.values()))
        rows = RowDifferences()
        with self._reporter.part("comparing rows", slides) as part:
            if source.rows and store:
                rows = compare_rows(source.rows, store, part)
        with self._reporter.part("comparing features", slides) as part:
            differing = compare_bags(source.files, self._files, folders, bags.hashes, part)
        if differing and source.has_changed:
            raise OutdatedSnapshot(self._archive.address)
        differing += _list_differing(self._files, source.side_files)
        wrong = [*rows.missing, *rows.added, *rows.altered]
        if store and wrong:
            store.delete(wrong)
        self._files.delete(differing)
        if wrong or differing:
            what = f"{len(wrong)} slides and {len(differing)} files are not what was written"
            raise ArchiveError(str(self._target), what, "Repeat the command: it copies them anew")

    def _layout(self, number: int) -> ArchiveLayout:
        return replace(ArchiveLayout.of(self._target), number=number)


def _list_differing(files: ArchiveFiles, contents: Mapping[str, bytes]) -> list[str]:
    return [name for name, data in contents.items() if files.read(name) != data]


def _require_free(files: ArchiveFiles, layout: ArchiveLayout, created: str, where: str) -> bool:
    """Whether a copy of an archive was begun here; raises ArchiveError where something else lies."""
    begun = read_marker(files)
    if begun is not None and begun.created == created:
        return True
    if begun is not None:
        what, advice = "is an unfinished copy of another archive", "Choose another place, or remove it first"
        raise ArchiveError(where, what, advice)
    if not _is_free(files, layout):
        advice = "Choose another place; `histoseek archive check` compares two archives"
        raise ArchiveError(where, "exists already and is not empty", advice)
    return False


def _is_free(files: ArchiveFiles, layout: ArchiveLayout) -> bool:
    if layout.address:
        return not files.list_files()
    if not layout.root.is_dir():
        return not layout.root.exists()
    return all(path == layout.lock or path.name.startswith(f".{MARKER}.") for path in layout.root.iterdir())


def _list_notes(source: CopySource, bags: BagCopy) -> list[str]:
    notes = []
    if source.has_changed:
        moment = source.taken.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        notes.append(f"the archive was changed while it was copied: the copy shows it as it was at {moment}")
    if bags.unsettled:
        notes.append(f"{bags.unsettled} slides have no cached features in the archive; `histoseek verify` names them")
    return notes
