"""One writer at a time; readers need no lock."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from histoseek.archive.layout import ArchiveLayout
from histoseek.errors import ArchiveBusy
from histoseek.files import as_archive_errors


@contextmanager
def writer_lock(layout: ArchiveLayout) -> Iterator[None]:
    """Hold the archive's write lock; the system frees it when the process dies.

    Raises ArchiveBusy when another process holds it, ArchiveReadOnly when the folder can't be written.
    """
    with as_archive_errors(layout.root):
        file = layout.lock.open("a")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ArchiveBusy(layout.root) from error
        yield
