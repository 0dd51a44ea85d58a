"""Maps of archives: laid out once for each state of an archive, in a process of their own, and kept."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from histoseek.archive.folder import ArchiveFolder
from histoseek.errors import InputError
from histoseek.rest.archives import Map
from histoseek.search.filters.public import PRIVATE_COLUMNS
from histoseek.search.maps.layout import MOST_SLIDES
from histoseek.search.maps.overview import content_version
from histoseek.server.archives.served import ServedArchive
from histoseek.server.errors import Overloaded
from histoseek.server.state.database import make_private_folder

_KEPT = 32
_MADE_WITHIN_S = 900.0
_WAIT_S = 30.0


class Overviews:
    """Maps below a folder that worker processes share; a process makes one at a time."""

    def __init__(self, folder: Path) -> None:
        make_private_folder(folder)
        self._folder = folder
        self._making = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None

    def of(self, served: ServedArchive, label: str | None) -> Map:
        """The map of an archive as it is now, with the labels of a column.

        Raises InputError for an unknown column, ArchiveError for an empty archive, Overloaded.
        """
        archive = served.archive
        archive.refresh()
        version = content_version(archive)
        if label is not None and (label not in archive.store.metadata_types() or label in PRIVATE_COLUMNS):
            raise InputError(f"label {label}", "the archive has no such column", "GET the archive: it lists its fields")
        # Which slides of a large archive are drawn depends on their labels; where they lie does not.
        drawn_by = label if len(archive) > MOST_SLIDES else None
        found = self._laid_out(served, version, drawn_by)
        if label is None:
            return found
        labels = _labels(archive, label)
        named = tuple(labels.get(slide_id) or "" for slide_id in found.slide_ids)
        return found.model_copy(update={"label": label, "labels": named})

    def _laid_out(self, served: ServedArchive, version: str, drawn_by: str | None) -> Map:
        key = "\n".join((served.name, version, drawn_by or ""))
        path = self._folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"
        if not path.is_file():
            with self._alone():
                if not path.is_file():
                    self._make(served.archive.path, drawn_by, path)
                    self._forget_old()
        return Map.model_validate_json(path.read_bytes())

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if not self._making.acquire(timeout=_WAIT_S):
            raise Overloaded("map", "another map is being made", "Ask again in some seconds", 10)
        try:
            yield
        finally:
            self._making.release()

    def _make(self, archive: Path, drawn_by: str | None, path: Path) -> None:
        """Have a map made: compiling and layout would hold up the answers of this process."""
        told = [str(archive), str(path), *([drawn_by] if drawn_by else [])]
        self._child = subprocess.Popen(
            [sys.executable, "-m", "histoseek.server.archives.map_process", *told],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            failed = self._child.wait(_MADE_WITHIN_S) != 0
        except subprocess.TimeoutExpired:
            failed = True
            self._child.kill()
            self._child.wait()
        if failed:
            raise Overloaded("map", "it could not be made", "The server's log says why", 60)

    def close(self) -> None:
        """Give up a map that is being made."""
        if self._child is not None and self._child.poll() is None:
            self._child.kill()

    def _forget_old(self) -> None:
        made = sorted(self._folder.glob("*.json"), key=lambda path: path.stat().st_mtime)
        for path in made[:-_KEPT]:
            path.unlink(missing_ok=True)


def _labels(archive: ArchiveFolder, column: str) -> dict[str, str]:
    rows = archive.store.columns(["slide_id", column], None).to_pydict()
    values = ("" if value is None else str(value) for value in rows[column])
    return dict(zip(rows["slide_id"], values, strict=True))
