"""Archives as a whole: what there is, counts of values, the map."""

from __future__ import annotations

from fastapi import APIRouter

from histoseek.rest.archives import ArchiveInfo
from histoseek.server.dependencies import InContext, Reader, Served

router = APIRouter(prefix="/archives", tags=["archives"])


@router.get("")
def list_archives(context: InContext, identity: Reader) -> tuple[ArchiveInfo, ...]:
    """All archives that this server serves."""
    return tuple(one.info(context.may_write(identity)) for one in context.archives)


@router.get("/{archive}")
def get_archive(context: InContext, identity: Reader, served: Served) -> ArchiveInfo:
    """One archive."""
    return served.info(context.may_write(identity))
