"""Uploaded files in a folder that several server processes share.

There is no truth in memory: an upload is a folder named by its random id, moved into place when it is complete, and
every count is taken from the disk. Room is claimed in a folder's record before bytes are written and before all claims
are added up: of two processes that claim the last room at the same time at least one sees the other's claim.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Self

from histoseek.errors import SlideError
from histoseek.files import fsync_path
from histoseek.reports.files.texts import TEXT_SUFFIXES
from histoseek.server.clock import Clock
from histoseek.server.errors import NotFound, TooSlow
from histoseek.server.jobs.job_spec import hide_person_name
from histoseek.server.settings import UploadLimits
from histoseek.server.uploads.errors import IncompleteUpload, QuotaExceeded, StorageFull, UnknownFormat, UploadTooLarge
from histoseek.server.uploads.file_names import make_display_name, require_suffix
from histoseek.server.uploads.folders import (
    GONE,
    PART,
    UploadFolder,
    check_room,
    find_last_write_s,
    find_uploads,
    is_upload_id,
    list_folders,
)
from histoseek.server.uploads.record import Record, read_record, write_record
from histoseek.server.uploads.slide_facts import SlideFacts
from histoseek.slides.sources.file import FileSource

RESERVE_BYTES = 2 * 2**30
"""Of the disk, left free whatever the limits say."""

_CLAIM_BYTES = 64 * 2**20
"""Room is claimed in such steps when nobody said how large a file will be."""

_IDLE_S = 900.0
"""A half-written upload that got no byte for this long is given up."""

RESUMABLE_S = 3600.0
"""As before, of one that is sent in parts: whoever lost the network may go on."""

_FULL = (errno.ENOSPC, errno.EDQUOT)

REPORT_SUFFIXES = TEXT_SUFFIXES | {".pdf"}
"""Formats of reports of one text."""


@dataclass(frozen=True, slots=True)
class StoredUpload:
    """An uploaded file: where it lies, the name to show, its size, and times in s since 1970.

    folder: of it alone, for what is made from it, and deleted with it; spacing_um_per_px: given with it or found in it;
    facts: None until it was inspected; further: where the slide's other files lie, beside the first.
    """

    upload_id: str
    owner: str
    name: str
    path: Path
    size_bytes: int
    created_s: float
    expires_s: float
    spacing_um_per_px: float | None
    facts: SlideFacts | None
    further: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """Where the file and what is made from it lie."""
        return self.path.parent


class UploadStore:
    """Uploads of all owners. Safe to use from several threads and processes; raises NotFound for others' uploads."""

    def __init__(
        self, folder: Path, limits: UploadLimits, reserve_bytes: int = RESERVE_BYTES, clock: Clock = time.time
    ) -> None:
        self._folder = folder
        self._limits = limits
        self._reserve_bytes = reserve_bytes
        self._clock = clock
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    @property
    def folder(self) -> Path:
        """Where all uploads lie."""
        return self._folder

    def begin(
        self, owner: str, filename: str, expected_bytes: int | None = None, spacing_um_per_px: float | None = None
    ) -> IncomingUpload:
        """Start an upload, to be used as a context; expected_bytes: as announced, checked at the end.

        Raises UnknownFormat, UploadTooLarge, QuotaExceeded, StorageFull.
        """
        return self._begin(owner, filename, require_suffix(filename), expected_bytes, spacing_um_per_px)

    def begin_report(self, owner: str, filename: str, expected_bytes: int | None = None) -> IncomingUpload:
        """As `begin`, a report that is read and never kept: its context is left without `finish`."""
        suffix = PurePosixPath(make_display_name(filename)).suffix.lower()
        if suffix not in REPORT_SUFFIXES:
            raise UnknownFormat(tuple(sorted(REPORT_SUFFIXES)), "report")
        return self._begin(owner, filename, suffix, expected_bytes, None)

    def _begin(
        self, owner: str, filename: str, suffix: str, expected_bytes: int | None, spacing_um_per_px: float | None
    ) -> IncomingUpload:
        if expected_bytes is not None and expected_bytes > self._limits.file_bytes:
            raise UploadTooLarge(self._limits.file_bytes)
        upload_id = secrets.token_hex(16)
        folder = self._folder / f"{upload_id}{PART}"
        name = hide_person_name(make_display_name(filename))
        record = Record(owner, name, suffix, self._clock(), 0, spacing_um_per_px, None)
        try:
            with translate_disk_errors():
                folder.mkdir(mode=0o700)
                self.claim(folder, record, expected_bytes or 0)
                return IncomingUpload(self, folder, record, expected_bytes)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def claim(self, folder: Path, record: Record, wanted_bytes: int) -> int:
        """Set room aside for an upload in the making, `wanted_bytes` in all, and return them.

        Raises UploadTooLarge, QuotaExceeded, StorageFull; the claim is then as it was.
        """
        if wanted_bytes > self._limits.file_bytes:
            raise UploadTooLarge(self._limits.file_bytes)
        before = read_record(folder)
        write_record(folder, replace(record, claimed_bytes=wanted_bytes))
        try:
            check_room(self._folder, record.owner, self._limits, self._reserve_bytes)
        except BaseException:
            if before is not None:
                write_record(folder, before)
            raise
        return wanted_bytes

    def publish(self, folder: Path, record: Record) -> StoredUpload:
        """Move a complete upload to where it is found."""
        write_record(folder, record)
        target = folder.with_suffix("")
        folder.rename(target)
        fsync_path(self._folder)
        return self._to_upload(UploadFolder(target, record))

    def get(self, upload_id: str, owner: str) -> StoredUpload:
        """An upload of this owner's; raises NotFound, also for an id that is none."""
        folder_record = self._find(upload_id)
        if (
            folder_record is None
            or folder_record.record.owner != owner
            or self.is_expired(folder_record.record, self._clock())
        ):
            what = "it has expired, was deleted, or was uploaded by somebody else"
            raise NotFound("uploaded slide", what, "Upload the slide again")
        return self._to_upload(folder_record)

    def list(self, owner: str) -> tuple[StoredUpload, ...]:
        """All uploads of an owner, the newest first."""
        now = self._clock()
        uploads = [
            self._to_upload(folder_record)
            for folder_record in find_uploads(self._folder)
            if folder_record.folder.suffix != PART
            and folder_record.record.owner == owner
            and not self.is_expired(folder_record.record, now)
        ]
        return tuple(sorted(uploads, key=lambda upload: (-upload.created_s, upload.upload_id)))

    def keep_facts(self, upload: StoredUpload, facts: SlideFacts) -> StoredUpload:
        """Keep what the sandbox found out about an upload; raises NotFound when it has gone."""
        folder_record = self._find(upload.upload_id)
        if folder_record is None:
            raise NotFound("upload", "it has been deleted")
        record = replace(folder_record.record, spacing_um_per_px=facts.spacing_um_per_px, facts=facts)
        try:
            write_record(folder_record.folder, record)
        except FileNotFoundError as error:
            raise NotFound("upload", "it has been deleted") from error
        return self._to_upload(UploadFolder(folder_record.folder, record))

    def delete(self, upload_id: str, owner: str) -> None:
        """Delete an upload and all that was made from it; raises NotFound."""
        remove_folder(self.get(upload_id, owner).folder)

    def delete_content(self, file_fingerprint: str) -> frozenset[str]:
        """Delete all uploads of one content, whoever owns them; their ids."""
        deleted = set()
        for found in find_uploads(self._folder):
            with suppress(SlideError):
                if found.folder.suffix != PART and FileSource(found.file).fingerprint() == file_fingerprint:
                    remove_folder(found.folder)
                    deleted.add(found.folder.name)
        return frozenset(deleted)

    def sweep(self, now: float | None = None) -> int:
        """Delete what has expired, was given up half-written or half-deleted; return how many uploads had expired."""
        now = self._clock() if now is None else now
        count = 0
        for folder in list_folders(self._folder):
            if folder.suffix in (PART, GONE):
                record = read_record(folder)
                idle_s = RESUMABLE_S if record is not None and record.parts else _IDLE_S
                if folder.suffix == GONE or now - find_last_write_s(folder) > idle_s:
                    shutil.rmtree(folder, ignore_errors=True)
                continue
            record = read_record(folder)
            if record is None or self.is_expired(record, now):
                remove_folder(folder)
                count += 1
        return count

    def _find(self, upload_id: str) -> UploadFolder | None:
        if not is_upload_id(upload_id):
            return None
        folder = self._folder / upload_id
        record = read_record(folder)
        return UploadFolder(folder, record) if record is not None else None

    def _to_upload(self, folder_record: UploadFolder) -> StoredUpload:
        record = folder_record.record
        return StoredUpload(
            upload_id=folder_record.folder.name,
            owner=record.owner,
            name=record.name,
            path=folder_record.file,
            size_bytes=record.claimed_bytes,
            created_s=record.created_s,
            expires_s=self.find_end_s(record),
            spacing_um_per_px=record.spacing_um_per_px,
            facts=record.facts,
            further=tuple(part.place for part in record.parts if part.place != folder_record.file.name),
        )

    def find_end_s(self, record: Record) -> float:
        """When a complete upload expires, s since 1970."""
        return record.created_s + self._limits.keep_s

    def is_expired(self, record: Record, now: float) -> bool:
        """Whether a complete upload has had its time."""
        return now >= self.find_end_s(record)


class IncomingUpload:
    """An upload that is being written: a context that leaves nothing behind unless `finish` was reached."""

    def __init__(self, store: UploadStore, folder: Path, record: Record, expected_bytes: int | None) -> None:
        self._store = store
        self._folder = folder
        self._record = record
        self._expected_bytes = expected_bytes
        self._claimed_bytes = expected_bytes or 0
        self._written_bytes = 0
        handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._file = os.fdopen(handle, "wb", buffering=0)
        self._finished = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()
        if not self._finished:
            shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def path(self) -> Path:
        """The file as far as it is written."""
        return UploadFolder(self._folder, self._record).file

    @property
    def name(self) -> str:
        """What to call it."""
        return self._record.name

    def write(self, chunk: bytes) -> None:
        """Append bytes; raises UploadTooLarge, QuotaExceeded or StorageFull before they are written.

        Raises IncompleteUpload when more come than were announced, TooSlow after a pause so long that it was given up.
        """
        wanted_bytes = self._written_bytes + len(chunk)
        if wanted_bytes > self._claimed_bytes:
            if self._expected_bytes is not None:
                raise IncompleteUpload(self._expected_bytes, wanted_bytes)
            with translate_disk_errors():
                self._claim(wanted_bytes)
        with translate_disk_errors():
            view = memoryview(chunk)
            while view:
                view = view[self._file.write(view) :]
        self._written_bytes = wanted_bytes

    def finish(self) -> StoredUpload:
        """Make the upload findable; raises IncompleteUpload when fewer bytes came than were announced, or none.

        Raises StorageFull, and TooSlow as `write` does.
        """
        if self._written_bytes != (self._expected_bytes or self._written_bytes) or not self._written_bytes:
            raise IncompleteUpload(self._expected_bytes or 0, self._written_bytes)
        with translate_disk_errors():
            os.fsync(self._file.fileno())
            self._file.close()
            stored = self._store.publish(self._folder, replace(self._record, claimed_bytes=self._written_bytes))
        self._finished = True
        return stored

    def _claim(self, wanted_bytes: int) -> None:
        steps = -(-wanted_bytes // _CLAIM_BYTES) * _CLAIM_BYTES
        try:
            self._claimed_bytes = self._store.claim(self._folder, self._record, steps)
        except (UploadTooLarge, QuotaExceeded, StorageFull):
            # The last step may be too wide where the file's true end would still fit.
            self._claimed_bytes = self._store.claim(self._folder, self._record, wanted_bytes)


@contextmanager
def translate_disk_errors() -> Iterator[None]:
    """Turn a full disk into StorageFull, and an upload that was swept away meanwhile into TooSlow."""
    try:
        yield
    except FileNotFoundError as error:
        raise TooSlow("upload", "it was dropped, as nothing arrived for too long", "Send it again") from error
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFull from error
        raise


def remove_folder(folder: Path) -> None:
    """Take a folder out of sight at once, then delete it."""
    target = folder.with_suffix(GONE)
    with suppress(OSError):
        folder.rename(target)
    shutil.rmtree(target, ignore_errors=True)
