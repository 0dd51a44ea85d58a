"""Uploads that were indexed: their files are kept in the import folder for as long as an archive lists them."""

from __future__ import annotations

import re
import secrets
import shutil
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from histoseek.archive.indexing.slide_ids import derive_id
from histoseek.server.archives.registry import ArchiveEntry, ArchiveRegistry
from histoseek.server.clock import Clock
from histoseek.server.jobs.import_folder import KEPT
from histoseek.server.jobs.job_spec import parse_spec
from histoseek.server.jobs.job_store import JobStore, StoredJob
from histoseek.server.state.database import State
from histoseek.server.state.engine import Row
from histoseek.server.uploads.folders import GONE, PART, STEM, is_upload_id
from histoseek.server.uploads.upload_store import StoredUpload
from histoseek.slides.sources.file import FileSource

_IN_FOLDER = re.compile(rf"/{KEPT}/([0-9a-f]{{32}})/")
_MAX_STEM_BYTES = 200
_GRACE_S = 3600.0
"""For a file that was kept and whose job then never was put into the queue, as the process was killed between."""


@dataclass(frozen=True, slots=True)
class KeptSlides:
    """Copies of uploads below the import folder (None: the server has none), and which archives they were kept for.

    A copy goes when no archive that it was kept for lists it and no job waits for it. What other servers keep in the
    same folder, and what is kept for an archive that is not served at the moment, stays.
    """

    folder: Path | None
    state: State
    jobs: JobStore
    archives: ArchiveRegistry
    clock: Clock = time.time

    @classmethod
    def below(cls, import_folder: Path | None, state: State, jobs: JobStore, archives: ArchiveRegistry) -> KeptSlides:
        """Those of a server with an import folder."""
        return cls(import_folder / KEPT if import_folder else None, state, jobs, archives)

    @contextmanager
    def keep(self, entry: ArchiveEntry, uploads: Collection[StoredUpload]) -> Iterator[None]:
        """Let copies of uploads stay that the block makes, for a job of this archive that it puts into the queue."""
        ids = {upload.upload_id for upload in uploads}
        self._note(entry, ids, 1)
        try:
            yield
        finally:
            self._note(entry, ids, -1)

    def copy(self, upload: StoredUpload, has_private_name: bool) -> Path:
        """Copy an upload so that its first file is there when all others are; its path. To be called within `keep`."""
        folder = (self.folder or Path()).absolute() / upload.upload_id
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        suffix = upload.path.suffix
        stem = derive_id(FileSource(upload.path).fingerprint()) if has_private_name else make_stem(upload.name)
        file = folder / f"{stem}{suffix}"
        for place in upload.further:
            _copy_once(upload.folder / place, folder / f"{stem}{place.removeprefix(STEM)}")
        _copy_once(upload.path, file)
        return file

    def release(self, upload_ids: Collection[str]) -> None:
        """Delete those copies that no archive lists and no job waits for."""
        if upload_ids:
            self._drop_unlisted(frozenset(upload_ids))

    def release_job(self, job: StoredJob) -> None:
        """Delete what a job brought that ended and that no archive took in; job: as it was before its end."""
        self.release([slide.upload_id for slide in parse_spec(job.spec)])

    def sweep(self) -> None:
        """Delete all copies that are not needed any more, as after a removal by other programs."""
        if self.folder is None or not self.folder.is_dir():
            return
        self._drop_unlisted(None)
        for path in self.folder.glob(f".*{GONE}"):
            shutil.rmtree(path, ignore_errors=True)
        for path in self.folder.rglob(f"*{PART}"):
            with suppress(FileNotFoundError):
                if self.clock() - path.stat().st_mtime > _GRACE_S:
                    path.unlink()

    def _note(self, entry: ArchiveEntry, upload_ids: Collection[str], pending: int) -> None:
        """Note what copies are kept for, and that one process more or less is about to make a job of them."""
        with self.state.open_transaction() as connection:
            connection.executemany(
                "INSERT INTO kept_slides VALUES (?1, ?2, ?3, ?4) ON CONFLICT (upload_id, archive)"
                " DO UPDATE SET since = ?3, pending = kept_slides.pending + ?4",
                [(upload_id, entry.archive.address, self.clock(), pending) for upload_id in upload_ids],
            )

    def _drop_unlisted(self, upload_ids: frozenset[str] | None) -> None:
        """Drop of these copies, or of all, what is not needed; nothing where an archive can't be read."""
        if self.folder is None:
            return
        # In this order: what a job that ends in between brings into its archive is in one of the two.
        open_jobs = [parse_spec(spec) for spec in self.jobs.list_open_specs()]
        listed = {entry.archive.address: _list_kept(entry) for entry in self.archives}
        waiting = {slide.upload_id for slides in open_jobs for slide in slides}
        if upload_ids is None and not all(open_jobs):
            # All of the import folder is being indexed, copies included.
            return
        gone = []
        with self.state.open_transaction() as connection:
            connection.executemany(
                "INSERT INTO kept_slides VALUES (?, ?, ?, 0) ON CONFLICT DO NOTHING",
                [(upload_id, archive, self.clock()) for archive, ids in listed.items() for upload_id in ids],
            )
            rows = connection.execute("SELECT upload_id, archive, since, pending FROM kept_slides").fetchall()
            needed = {row["upload_id"] for row in rows if self._is_needed(row, listed, waiting)}
            for upload_id in {row["upload_id"] for row in rows} - needed:
                if upload_ids is None or upload_id in upload_ids:
                    connection.execute("DELETE FROM kept_slides WHERE upload_id = ?", (upload_id,))
                    gone.append(_hide(self.folder / upload_id))
        for folder in gone:
            shutil.rmtree(folder, ignore_errors=True)

    def _is_needed(self, row: Row, listed: Mapping[str, Collection[str]], waiting: set[str]) -> bool:
        upload_id, archive = row["upload_id"], str(row["archive"])
        is_pending = bool(row["pending"]) and self.clock() - float(str(row["since"])) < _GRACE_S
        return upload_id in waiting or is_pending or archive not in listed or upload_id in listed[archive]


def _copy_once(source: Path, target: Path) -> None:
    """Copy a file so that it is there whole or not at all."""
    if target.exists():
        return
    target.parent.mkdir(mode=0o700, exist_ok=True)
    part = target.with_name(f"{secrets.token_hex(8)}{PART}")
    try:
        shutil.copyfile(source, part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def find_upload_id(uri: str) -> str | None:
    """The id of the upload whose copy a record lists, whatever way its folder is written."""
    match = _IN_FOLDER.search(uri)
    return match[1] if match else None


def make_stem(name: str) -> str:
    """A display name as that of a file, visible and not too long for a disk; it becomes the slide's id."""
    return name.rpartition(".")[0].lstrip(". ").encode()[:_MAX_STEM_BYTES].decode(errors="ignore") or "slide"


def _list_kept(entry: ArchiveEntry) -> frozenset[str]:
    """The uploads whose copies an archive lists; raises ArchiveError."""
    archive = entry.archive
    if archive.space is None:
        return frozenset()
    uris = archive.read(lambda view: view.store.columns(["uri"], None)["uri"].to_pylist())
    return frozenset(upload_id for uri in uris if (upload_id := find_upload_id(uri)))


def _hide(folder: Path) -> Path:
    """Take a folder out of the way of what is kept or indexed from now on."""
    hidden = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}{GONE}")
    if folder.is_dir() and is_upload_id(folder.name):
        folder.rename(hidden)
    return hidden
