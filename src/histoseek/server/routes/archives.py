"""Archives as a whole: what there is, counts of values, the map."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from fastapi import APIRouter

from histoseek.errors import ArchiveError
from histoseek.rest.archives import ArchiveInfo
from histoseek.server.context import Context
from histoseek.server.http.dependencies import InContext, Reader, Served
from histoseek.server.security.access import Identity

router = APIRouter(prefix="/archives", tags=["archives"])
log = logging.getLogger(__name__)


@router.get("")
def list_archives(context: InContext, identity: Reader) -> tuple[ArchiveInfo, ...]:
    """All archives that this server serves and can read."""
    return tuple(_readable(context, identity))


@router.get("/{archive}")
def get_archive(context: InContext, identity: Reader, served: Served) -> ArchiveInfo:
    """One archive."""
    return served.info(context.may_write(identity))


def _readable(context: Context, identity: Identity) -> Iterator[ArchiveInfo]:
    """The archives that can be read: one that can't leaves the others in use, and the server not ready."""
    for one in context.archives:
        try:
            yield one.info(context.may_write(identity))
        except ArchiveError as error:
            log.error("archive %s: %s", one.name, error.kind)
