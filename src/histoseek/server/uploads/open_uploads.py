"""Uploads that come file by file, in pieces: a slide in several files, or one large one that may be interrupted."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from histoseek.errors import InputError
from histoseek.server.clock import Clock
from histoseek.server.errors import Conflict, NotFound
from histoseek.server.jobs.job_spec import hide_person_name
from histoseek.server.uploads.errors import IncompleteUpload
from histoseek.server.uploads.file_names import make_display_name
from histoseek.server.uploads.folders import (
    PART,
    UploadFolder,
    count_bytes,
    find_last_write_s,
    find_uploads,
    is_upload_id,
)
from histoseek.server.uploads.record import Part, Record, read_record
from histoseek.server.uploads.slide_files import arrange_files
from histoseek.server.uploads.upload_store import (
    RESUMABLE_S,
    StoredUpload,
    UploadStore,
    remove_folder,
    translate_disk_errors,
)


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file that is to come: its name with its folders, its size, when it was changed last (s since 1970)."""

    name: str
    size_bytes: int
    modified_s: float | None = None


@dataclass(frozen=True, slots=True)
class OpenUpload:
    """An upload in the making; received_bytes: of each file, in the order in which they were named.

    created_s, expires_s: s since 1970; spacing_um_per_px: as given with it.
    """

    upload_id: str
    name: str
    parts: tuple[Part, ...]
    received_bytes: tuple[int, ...]
    spacing_um_per_px: float | None
    created_s: float
    expires_s: float


@dataclass(frozen=True, slots=True)
class OpenUploads:
    """Those of all owners. Safe to use from several threads and processes; raises NotFound for others' uploads."""

    store: UploadStore
    clock: Clock

    def open(self, owner: str, files: Sequence[NewFile], spacing_um_per_px: float | None = None) -> OpenUpload:
        """Set room aside for the files of one slide, and create them empty, or go on with those that are half-sent.

        They are the same where names, sizes and times of change are; without the times all is begun anew.
        Raises InputError, UnknownFormat, UploadTooLarge, QuotaExceeded, StorageFull.
        """
        arranged = arrange_files([file.name for file in files])
        if not files[arranged.first].size_bytes:
            raise IncompleteUpload(0, 0)
        names = [hide_person_name(make_display_name(file.name)) for file in files]
        parts = tuple(
            Part(name, place, file.size_bytes, file.modified_s)
            for name, place, file in zip(names, arranged.places, files, strict=True)
        )
        begun = self._find_begun(owner, parts, spacing_um_per_px)
        if begun is not None:
            return begun
        folder = self.store.folder / f"{secrets.token_hex(16)}{PART}"
        record = Record(owner, names[arranged.first], arranged.suffix, self.clock(), 0, spacing_um_per_px, None, parts)
        try:
            with translate_disk_errors():
                folder.mkdir(mode=0o700)
                self.store.claim(folder, record, sum(file.size_bytes for file in files))
                _create_empty(folder, parts)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return self.get(folder.stem, owner)

    def get(self, upload_id: str, owner: str) -> OpenUpload:
        """How far an upload is."""
        try:
            return self._to_open(UploadFolder(*self._find(upload_id, owner)))
        except NotFound:
            whole = next((upload for upload in self.list(owner) if upload.upload_id == upload_id), None)
            if whole is None:
                raise
            return whole

    def list(self, owner: str) -> tuple[OpenUpload, ...]:
        """What an owner can go on with, the newest first: half-sent uploads, and whole ones that nobody completed."""
        now = self.clock()
        found = (
            self._to_open(upload)
            for upload in find_uploads(self.store.folder)
            if upload.record.owner == owner and self._can_go_on(upload, now)
        )
        return tuple(sorted(found, key=lambda upload: (-upload.created_s, upload.upload_id)))

    @contextmanager
    def receive(self, upload_id: str, owner: str, number: int, offset: int) -> Iterator[PartWriter]:
        """Go on with a file where it stopped, to be used as a context.

        Raises Conflict when that is elsewhere, or somebody else is writing it.
        """
        folder, record = self._find(upload_id, owner)
        if not 0 <= number < len(record.parts):
            raise NotFound("file", f"the upload has {len(record.parts)} files", "Count them from 0")
        part = record.parts[number]
        with translate_disk_errors():
            handle = os.open(folder / part.place, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW)
            try:
                yield PartWriter(handle, part, offset)
            finally:
                os.close(handle)

    def complete(self, upload_id: str, owner: str) -> StoredUpload:
        """Make an upload findable whose files have all come; raises IncompleteUpload."""
        folder, record = self._find(upload_id, owner)
        announced = sum(part.size_bytes for part in record.parts)
        received = sum(self._to_open(UploadFolder(folder, record)).received_bytes)
        if received != announced:
            raise IncompleteUpload(announced, received)
        with translate_disk_errors():
            return self.store.publish(folder, replace(record, claimed_bytes=announced))

    def delete(self, upload_id: str, owner: str) -> None:
        """Give an upload up."""
        remove_folder(self._find(upload_id, owner)[0])

    def _find_begun(self, owner: str, parts: tuple[Part, ...], spacing_um_per_px: float | None) -> OpenUpload | None:
        """The upload that was begun with the same files; None where it can't be told whether they are the same."""
        if any(part.modified_s is None for part in parts):
            return None
        wanted = (parts, spacing_um_per_px)
        return next((one for one in self.list(owner) if (one.parts, one.spacing_um_per_px) == wanted), None)

    def _can_go_on(self, upload: UploadFolder, now: float) -> bool:
        if upload.folder.suffix == PART:
            return bool(upload.record.parts)
        return upload.record.facts is None and not self.store.is_expired(upload.record, now)

    def _to_open(self, upload: UploadFolder) -> OpenUpload:
        folder, record = upload.folder, upload.record
        parts = record.parts or (Part(record.name, upload.file.name, record.claimed_bytes),)
        is_part = folder.suffix == PART
        return OpenUpload(
            upload_id=folder.stem,
            name=record.name,
            parts=parts,
            received_bytes=tuple(count_bytes(folder / part.place) for part in parts),
            spacing_um_per_px=record.spacing_um_per_px,
            created_s=record.created_s,
            expires_s=find_last_write_s(folder) + RESUMABLE_S if is_part else self.store.find_end_s(record),
        )

    def _find(self, upload_id: str, owner: str) -> tuple[Path, Record]:
        folder = self.store.folder / f"{upload_id}{PART}"
        record = read_record(folder) if is_upload_id(upload_id) else None
        if record is None or record.owner != owner or not record.parts:
            raise NotFound("upload", "there is no unfinished upload of this id", "It may have expired: begin again")
        return folder, record


class PartWriter:
    """A file of an upload, open at its end; raises Conflict when somebody else has it open, or it ends elsewhere."""

    def __init__(self, handle: int, part: Part, offset: int) -> None:
        self.part = part
        self._handle = handle
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict("file", "is being sent by another request", "Wait for that one to end") from error
        self._received_bytes = os.fstat(handle).st_size
        if self._received_bytes != offset:
            raise Conflict("offset", f"{self._received_bytes} bytes have arrived so far", "Go on from there")

    @property
    def received_bytes(self) -> int:
        """What has arrived."""
        return self._received_bytes

    def write(self, chunk: bytes) -> None:
        """Append bytes; raises IncompleteUpload for more than were announced, before any of them is written."""
        if self._received_bytes + len(chunk) > self.part.size_bytes:
            raise IncompleteUpload(self.part.size_bytes, self._received_bytes + len(chunk))
        view = memoryview(chunk)
        while view:
            written = os.write(self._handle, view)
            self._received_bytes += written
            view = view[written:]

    def flush(self) -> None:
        """Let what has arrived outlive a crash of the machine."""
        os.fsync(self._handle)


def _create_empty(folder: Path, parts: Sequence[Part]) -> None:
    for part in parts:
        file = folder / part.place
        file.parent.mkdir(mode=0o700, exist_ok=True)
        try:
            os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError as error:
            raise InputError(
                part.name, "has a name that this server's disk takes for another's", "Rename it"
            ) from error
