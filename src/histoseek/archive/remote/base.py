"""What a server must do to hold the files of an archive: those beside its rows, and bags.

`tests/archive/remote/files_contract.py` says in full what is expected.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

LEASE_S = 30.0
"""For how long a lock may outlive the process that held it, in seconds, where a server can't tell that it died."""


@dataclass(frozen=True, slots=True)
class FileStamp:
    """One state of a file: its revision, which another content never has again, and its size in bytes."""

    revision: str
    bytes: int


class RemoteFiles(Protocol):
    """The files of one archive on a server, by relative paths with "/", such as "spaces/0001/centre.npy".

    Every write is durable, and seen as a whole or not at all, when the call returns. Whatever a server raises becomes
    an ArchiveError here: ServerUnreachable once its deadline is over, AccessDenied, ServerUnsuited, DiskFull, else
    DamagedArchive. Calls may be made from several threads.
    """

    def exists(self) -> bool:
        """Whether any archive is there; nothing is made by asking."""

    def list_files(self, prefix: str = "") -> Mapping[str, FileStamp]:
        """All files whose names begin so."""

    def read(self, name: str) -> bytes:
        """The content of a file; raises FileNotFoundError."""

    def write(self, name: str, data: bytes) -> FileStamp:
        """Make a file, or replace it."""

    def delete(self, names: Iterable[str]) -> None:
        """Remove files; unknown ones are ignored."""

    def revision(self) -> str:
        """Another one once any file but bags was written or deleted, by whomever; cheap enough for every search."""

    def locked(self) -> AbstractContextManager[None]:
        """Hold the archive's write lock on the server; raises ArchiveBusy while another process holds it.

        It is free again at most LEASE_S seconds after a holder died; a holder that lost it, because the server could
        not be reached for so long, gets an ArchiveError from its next write of rows or files.
        """

    def drop(self) -> None:
        """Remove the whole archive: files, rows of all embedding spaces, and what names them."""
