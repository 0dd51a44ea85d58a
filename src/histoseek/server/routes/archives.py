"""Archives as a whole."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from fastapi import APIRouter

from histoseek.errors import ArchiveError
from histoseek.rest.archives import ArchiveInfo
from histoseek.server.context import Context
from histoseek.server.http.dependencies import EntryInPath, InContext, Reader
from histoseek.server.security.access import Caller

router = APIRouter(prefix="/archives", tags=["archives"])
log = logging.getLogger(__name__)


@router.get("")
def list_archives(context: InContext, caller: Reader) -> tuple[ArchiveInfo, ...]:
    """All archives that this server serves and can read."""
    return tuple(_list_readable(context, caller))


@router.get("/{archive}")
def get_archive(context: InContext, caller: Reader, entry: EntryInPath) -> ArchiveInfo:
    """One archive."""
    return entry.describe(context.may_write(caller))


def _list_readable(context: Context, caller: Caller) -> Iterator[ArchiveInfo]:
    """The archives that can be read: one that can't leaves the others in use, and the server not ready."""
    for entry in context.archives:
        try:
            yield entry.describe(context.may_write(caller))
        except ArchiveError as error:
            log.error("archive %s: %s", entry.name, error.kind)
