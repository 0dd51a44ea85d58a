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
from pathlib import Path
from types import TracebackType
from typing import Self

from histoseek.files import fsync_path
from histoseek.server.clock import Clock
from histoseek.server.errors import NotThere, TooSlow
from histoseek.server.settings import UploadLimits
from histoseek.server.uploads.errors import IncompleteUpload, QuotaExceeded, StorageFull, UploadTooLarge
from histoseek.server.uploads.facts import SlideFacts
from histoseek.server.uploads.holdings import GONE, PART, Held, check_room, folders_in, held_in, is_upload_id
from histoseek.server.uploads.names import display_name, known_suffix
from histoseek.server.uploads.record import Record, read_record, write_record

RESERVE_BYTES = 2 * 2**30
"""Of the disk, left free whatever the limits say."""

_CLAIM_BYTES = 64 * 2**20
"""Room is claimed in such steps when nobody said how large a file will be."""

_IDLE_S = 900.0
"""A half-written upload that got no byte for this long is given up."""

_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True)
class StoredUpload:
    """An uploaded file: where it lies, the name to show, its size, and times in s since 1970.

    folder: of it alone, for what is made from it, and deleted with it; spacing_um_per_px: given with it or found in it;
    facts: None until it was looked at.
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

    @property
    def folder(self) -> Path:
        """Where the file and what is made from it lie."""
        return self.path.parent


class UploadStore:
    """Uploads of all owners. Safe to use from several threads and processes; raises NotThere for others' uploads."""

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
    ) -> Incoming:
        """Start an upload, to be used as a context; expected_bytes: as announced, checked at the end.

        Raises UnknownFormat, UploadTooLarge, QuotaExceeded, StorageFull.
        """
        suffix = known_suffix(filename)
        if expected_bytes is not None and expected_bytes > self._limits.file_bytes:
            raise UploadTooLarge(self._limits.file_bytes)
        upload_id = secrets.token_hex(16)
        folder = self._folder / f"{upload_id}{PART}"
        record = Record(owner, display_name(filename), suffix, self._clock(), 0, spacing_um_per_px, None)
        try:
            with _refused_by_disk():
                folder.mkdir(mode=0o700)
                self.claim(folder, record, expected_bytes or 0)
                return Incoming(self, folder, record, expected_bytes)
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
        return self._stored(Held(target, record))

    def get(self, upload_id: str, owner: str) -> StoredUpload:
        """An upload of this owner's; raises NotThere, also for an id that is none."""
        held = self._held(upload_id)
        if held is None or held.record.owner != owner or self._is_expired(held.record, self._clock()):
            raise NotThere("upload", "there is none with this id", "It may have been deleted after its time")
        return self._stored(held)

    def list(self, owner: str) -> tuple[StoredUpload, ...]:
        """All uploads of an owner, the newest first."""
        now = self._clock()
        own = [
            self._stored(held)
            for held in held_in(self._folder)
            if held.folder.suffix != PART and held.record.owner == owner and not self._is_expired(held.record, now)
        ]
        return tuple(sorted(own, key=lambda upload: (-upload.created_s, upload.upload_id)))

    def keep_facts(self, upload: StoredUpload, facts: SlideFacts) -> StoredUpload:
        """Keep what the sandbox found out about an upload; raises NotThere when it has gone."""
        held = self._held(upload.upload_id)
        if held is None:
            raise NotThere("upload", "it has been deleted")
        record = replace(held.record, spacing_um_per_px=facts.spacing_um_per_px, facts=facts)
        try:
            write_record(held.folder, record)
        except FileNotFoundError as error:
            raise NotThere("upload", "it has been deleted") from error
        return self._stored(Held(held.folder, record))

    def delete(self, upload_id: str, owner: str) -> None:
        """Delete an upload and all that was made from it; raises NotThere."""
        _remove(self.get(upload_id, owner).folder)

    def sweep(self, now: float | None = None) -> int:
        """Delete what has expired, was given up half-written or half-deleted; return how many uploads had expired."""
        now = self._clock() if now is None else now
        expired = 0
        for folder in folders_in(self._folder):
            if folder.suffix in (PART, GONE):
                if folder.suffix == GONE or now - _last_written_s(folder) > _IDLE_S:
                    shutil.rmtree(folder, ignore_errors=True)
                continue
            record = read_record(folder)
            if record is None or self._is_expired(record, now):
                _remove(folder)
                expired += 1
        return expired

    def _held(self, upload_id: str) -> Held | None:
        if not is_upload_id(upload_id):
            return None
        folder = self._folder / upload_id
        record = read_record(folder)
        return Held(folder, record) if record is not None else None

    def _stored(self, held: Held) -> StoredUpload:
        record = held.record
        return StoredUpload(
            upload_id=held.folder.name,
            owner=record.owner,
            name=record.name,
            path=held.file,
            size_bytes=record.claimed_bytes,
            created_s=record.created_s,
            expires_s=record.created_s + self._limits.keep_s,
            spacing_um_per_px=record.spacing_um_per_px,
            facts=record.facts,
        )

    def _is_expired(self, record: Record, now: float) -> bool:
        return now >= record.created_s + self._limits.keep_s


class Incoming:
    """An upload that is being written: a context that leaves nothing behind unless `finish` was reached."""

    def __init__(self, store: UploadStore, folder: Path, record: Record, expected_bytes: int | None) -> None:
        self._store = store
        self._folder = folder
        self._record = record
        self._expected_bytes = expected_bytes
        self._claimed_bytes = expected_bytes or 0
        self._written_bytes = 0
        handle = os.open(Held(folder, record).file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._file = os.fdopen(handle, "wb", buffering=0)
        self._finished = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()
        if not self._finished:
            shutil.rmtree(self._folder, ignore_errors=True)

    def write(self, chunk: bytes) -> None:
        """Append bytes; raises UploadTooLarge, QuotaExceeded or StorageFull before they are written.

        Raises IncompleteUpload when more come than were announced, TooSlow after a pause so long that it was given up.
        """
        wanted_bytes = self._written_bytes + len(chunk)
        if wanted_bytes > self._claimed_bytes:
            if self._expected_bytes is not None:
                raise IncompleteUpload(self._expected_bytes, wanted_bytes)
            with _refused_by_disk():
                self._claim(wanted_bytes)
        with _refused_by_disk():
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
        with _refused_by_disk():
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
def _refused_by_disk() -> Iterator[None]:
    """Turn a full disk into StorageFull, and an upload that was swept away meanwhile into TooSlow."""
    try:
        yield
    except FileNotFoundError as error:
        raise TooSlow("upload", "it was given up, as nothing came for too long", "Send it again") from error
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFull from error
        raise


def _remove(folder: Path) -> None:
    """Take a folder out of sight at once, then delete it."""
    gone = folder.with_suffix(GONE)
    with suppress(OSError):
        folder.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def _last_written_s(folder: Path) -> float:
    """When something in a folder was last written, s since 1970."""
    times = [0.0]
    with suppress(OSError):
        times += [path.stat().st_mtime for path in (folder, *folder.iterdir())]
    return max(times)
