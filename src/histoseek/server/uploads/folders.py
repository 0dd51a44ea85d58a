"""What lies in the folder of uploads, counted from the disk, and whether there is room for more."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from histoseek.server.settings import UploadLimits
from histoseek.server.uploads.errors import QuotaExceeded, StorageFull
from histoseek.server.uploads.record import Record, read_record

PART, GONE = ".part", ".gone"
"""Endings of the folders of uploads in the making, and of those being deleted."""

_ID = re.compile(r"[0-9a-f]{32}")
STEM = "slide"
"""What an uploaded slide is called on the disk."""


@dataclass(frozen=True, slots=True)
class UploadFolder:
    """A folder with its record, of a complete upload or of one in the making."""

    folder: Path
    record: Record

    @property
    def file(self) -> Path:
        """The uploaded file: of its name only the suffix is the user's."""
        return self.folder / f"{STEM}{self.record.suffix}"

    @property
    def to_come_bytes(self) -> int:
        """What is claimed and not yet written."""
        files = [self.folder / part.place for part in self.record.parts] or [self.file]
        return max(0, self.record.claimed_bytes - sum(map(count_bytes, files)))


def count_bytes(file: Path) -> int:
    """The size of a file; 0 where it isn't there."""
    with suppress(OSError):
        return file.stat().st_size
    return 0


def find_last_write_s(folder: Path) -> float:
    """When something in a folder was last written, s since 1970."""
    times = [0.0]
    with suppress(OSError):
        times += [path.stat().st_mtime for path in (folder, *folder.rglob("*"))]
    return max(times)


def is_upload_id(text: str) -> bool:
    """Whether a text can be an id, which is all that may become part of a path."""
    return _ID.fullmatch(text) is not None


def list_folders(folder: Path) -> tuple[Path, ...]:
    """The folders of uploads, in whatever state."""
    return tuple(path for path in folder.iterdir() if is_upload_id(path.stem))


def find_uploads(folder: Path) -> Iterator[UploadFolder]:
    """Complete uploads and those in the making."""
    for folder_path in list_folders(folder):
        # One in the making may have been completed since the folder was listed.
        for path in (folder_path, folder_path.with_suffix("")) if folder_path.suffix != GONE else ():
            record = read_record(path)
            if record is not None:
                yield UploadFolder(path, record)
                break


def check_room(folder: Path, owner: str, limits: UploadLimits, reserve_bytes: int) -> None:
    """Raise QuotaExceeded or StorageFull when all that is claimed by now is too much for an owner, or the server."""
    uploads = list(find_uploads(folder))
    own_uploads = [upload for upload in uploads if upload.record.owner == owner]
    if len(own_uploads) > limits.identity_count:
        raise QuotaExceeded(f"you have {limits.identity_count} uploads, which is the limit")
    if sum(upload.record.claimed_bytes for upload in own_uploads) > limits.identity_bytes:
        raise QuotaExceeded(f"your uploads would take more than {limits.identity_bytes / 2**20:,.0f} MB")
    if sum(upload.record.claimed_bytes for upload in uploads) > limits.total_bytes:
        raise StorageFull
    if shutil.disk_usage(folder).free - sum(upload.to_come_bytes for upload in uploads) < reserve_bytes:
        raise StorageFull
