"""What a copy is made of: an archive as it is at one moment, while others may go on writing to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa

from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.layout import ArchiveLayout
from histoseek.archive.manifest import Manifest
from histoseek.archive.moving.bags import SlideBags, list_bags
from histoseek.archive.moving.files import ArchiveFiles, list_side_files, open_files, read_files
from histoseek.archive.stores.base import Store
from histoseek.archive.stores.registry import open_store
from histoseek.errors import ArchiveError

_TRIES = 50


@dataclass(frozen=True, slots=True)
class CopySource:
    """One state of an archive: its rows as a snapshot, the files beside them by name, but for the manifest.

    taken: when, UTC; rows: None of an archive without slides.
    """

    archive: ArchiveFolder
    layout: ArchiveLayout
    manifest: Manifest
    taken: datetime
    rows: Store | None
    files: ArchiveFiles
    side_files: Mapping[str, bytes]

    def list_bags(self) -> dict[str, list[SlideBags]]:
        """The features of its slides by the folder that they lie in."""
        if self.rows is None:
            return {}
        rows = pa.Table.from_batches(self.rows.scan(["slide_id", "file_fingerprint"], None))
        return list_bags(self.layout, dict(zip(*(rows[name].to_pylist() for name in rows.column_names), strict=True)))

    @property
    def has_changed(self) -> bool:
        """Whether slides were written, or the space was changed, since it was taken."""
        return _read_version(self.archive) != (self.manifest.number, self.rows.version if self.rows else 0)


def take_source(archive: ArchiveFolder) -> CopySource:
    """An archive as it is now; raises ArchiveError where it changes all the time."""
    for _ in range(_TRIES):
        source = _take(archive)
        if source is not None:
            return source
    what = "is being changed faster than it can be read"
    raise ArchiveError(archive.address, what, "Repeat the command when nothing writes to it")


def _take(archive: ArchiveFolder) -> CopySource | None:
    """None where it changed in between: the files must not know of other slides than the rows."""
    taken, before = datetime.now(UTC), _read_version(archive)
    snapshot = archive.snapshot()
    layout, files = snapshot.layout, open_files(snapshot.layout)
    rows = open_store(layout, snapshot.store.mark) if snapshot.space else None
    stamps = list_side_files(files, layout)
    side_files = read_files(files, stamps)
    if _read_version(archive) != before or list_side_files(files, layout) != stamps or len(side_files) < len(stamps):
        return None
    return CopySource(archive, layout, snapshot.manifest, taken, rows, files, side_files)


def _read_version(archive: ArchiveFolder) -> tuple[int, int]:
    return archive.read(lambda view: (view.manifest.number, view.store.version if view.space else 0))
