"""Maps of archives: laid out once for each state of an archive, in a process of their own, and kept."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from histoseek.archive.folder import ArchiveFolder
from histoseek.errors import InputError
from histoseek.rest.archives import Map
from histoseek.search.maps.map_layout import MOST_SLIDES
from histoseek.search.maps.overview import content_version
from histoseek.search.scope.public import PRIVATE_COLUMNS
from histoseek.server.archives.registry import ArchiveEntry
from histoseek.server.errors import Overloaded
from histoseek.server.state.database import make_private_folder

_MAX_FILES = 32
_TIMEOUT_S = 900.0
_WAIT_S = 30.0
_NAME = re.compile(r"([0-9a-f]{16})-([0-9a-f]{16})-[0-9a-f]{16}\.json")
"""Digests of the archive's name, of its content's version, and of the label that slides are drawn by."""


class MapStore:
    """Maps below a folder that worker processes share; a process makes one at a time."""

    def __init__(self, folder: Path) -> None:
        make_private_folder(folder)
        self._folder = folder
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None

    def remove_outdated(self, entries: Iterable[ArchiveEntry]) -> None:
        """Delete the maps of archives as they were before, and what was left half-written: they name slides."""
        current = {_digest(entry.name): _digest_version(entry) for entry in entries}
        for path in self._folder.iterdir():
            name = _NAME.fullmatch(path.name)
            if name and current.get(name[1], name[2]) == name[2]:
                continue
            # Of a map that is being written there is a file that is as young as that.
            if not path.name.startswith(".") or time.time() - path.stat().st_mtime > _TIMEOUT_S:
                path.unlink(missing_ok=True)

    def get(self, entry: ArchiveEntry, label: str | None) -> Map:
        """The map of an archive as it is now, with the labels of a column.

        Raises InputError for an unknown column, ArchiveError for an empty archive, Overloaded.
        """
        return entry.archive.read(lambda archive: self._get(entry, archive, label))

    def _get(self, entry: ArchiveEntry, archive: ArchiveFolder, label: str | None) -> Map:
        version = content_version(archive)
        if label is not None and (label not in archive.store.metadata_types() or label in PRIVATE_COLUMNS):
            raise InputError(
                f"label {label}", "the archive has no such column", "GET /api/v1/archives/NAME lists its fields"
            )
        # Which slides of a large archive are drawn depends on their labels; where they lie does not.
        sampling_label = label if len(archive) > MOST_SLIDES else None
        archive_map = self._load_or_create(entry, version, sampling_label)
        if label is None:
            return archive_map
        labels = _read_labels(archive, label)
        column_labels = tuple(labels.get(slide_id) or "" for slide_id in archive_map.slide_ids)
        return archive_map.model_copy(update={"label": label, "labels": column_labels})

    def _load_or_create(self, entry: ArchiveEntry, version: str, sampling_label: str | None) -> Map:
        path = self._folder / f"{'-'.join(map(_digest, (entry.name, version, sampling_label or '')))}.json"
        if not path.is_file():
            with self._lock_creation():
                if not path.is_file():
                    self._create(entry.archive.place.full_address, sampling_label, path)
                    self._delete_old()
        archive_map = Map.model_validate_json(path.read_bytes())
        if _digest_version(entry) != _digest(version):
            # The archive was changed while this was made: slides may have been removed.
            path.unlink(missing_ok=True)
        return archive_map

    @contextmanager
    def _lock_creation(self) -> Iterator[None]:
        if not self._lock.acquire(timeout=_WAIT_S):
            raise Overloaded("map", "another map is being made", "Try again in some seconds", 10)
        try:
            yield
        finally:
            self._lock.release()

    def _create(self, archive: str, sampling_label: str | None, path: Path) -> None:
        """Have a map made in another process: compiling and layout would hold up the responses of this one."""
        arguments = [str(path), *([sampling_label] if sampling_label else [])]
        self._child = subprocess.Popen(
            [sys.executable, "-m", "histoseek.server.archives.map_process", *arguments],
            stdin=subprocess.DEVNULL,
            # An address may hold a password, and arguments can be seen by others.
            env={**os.environ, "HISTOSEEK_ARCHIVE": archive},
            start_new_session=True,
        )
        try:
            has_failed = self._child.wait(_TIMEOUT_S) != 0
        except subprocess.TimeoutExpired:
            has_failed = True
            self._child.kill()
            self._child.wait()
        if has_failed:
            raise Overloaded("map", "it could not be made", "The server's log says why", 60)

    def close(self) -> None:
        """Give up a map that is being made."""
        if self._child is not None and self._child.poll() is None:
            self._child.kill()

    def _delete_old(self) -> None:
        paths = sorted(self._folder.glob("*.json"), key=lambda path: path.stat().st_mtime)
        for path in paths[:-_MAX_FILES]:
            path.unlink(missing_ok=True)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _digest_version(entry: ArchiveEntry) -> str:
    """Of the archive's content as it is now; of an empty archive there is no map."""
    return _digest(content_version(entry.archive)) if entry.archive.space else ""


def _read_labels(archive: ArchiveFolder, column: str) -> dict[str, str]:
    rows = archive.store.columns(["slide_id", column], None).to_pydict()
    values = ("" if value is None else str(value) for value in rows[column])
    return dict(zip(rows["slide_id"], values, strict=True))
