"""What routes depend on: the process's context, the caller, and what callers may do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Path, Request
from starlette.concurrency import run_in_threadpool

from histoseek.server.archives.registry import ArchiveEntry
from histoseek.server.context import Context
from histoseek.server.errors import Forbidden
from histoseek.server.security.access import Caller
from histoseek.server.security.limits import RequestKind


def _find_context(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


async def get_context(request: Request) -> Context:
    """The context that the application was made with."""
    # Not to be run in a thread, as what takes no time needs none.
    return _find_context(request)


InContext = Annotated[Context, Depends(get_context)]


def _identify_for(kind: RequestKind) -> Callable[[Request], Awaitable[Caller]]:
    """The caller, counted among requests of this kind; raises Unauthorized, Forbidden, TooManyRequests."""

    async def identify(request: Request) -> Caller:
        return await find_caller(_find_context(request), request, kind)

    return identify


async def find_caller(context: Context, request: Request, kind: RequestKind) -> Caller:
    """The caller, counted, in a thread only where the state has to be asked; raises as `Context.identify`."""
    caller = context.recall(request, kind)
    return caller if caller is not None else await run_in_threadpool(context.identify, request, kind)


Reader = Annotated[Caller, Depends(_identify_for(RequestKind.OTHER))]
Searcher = Annotated[Caller, Depends(_identify_for(RequestKind.SEARCH))]
Viewer = Annotated[Caller, Depends(_identify_for(RequestKind.TILES))]
Uploader = Annotated[Caller, Depends(_identify_for(RequestKind.UPLOAD))]


async def require_writer(context: InContext, caller: Reader) -> Caller:
    """A caller who may change archives; raises Forbidden also on a server that only reads."""
    caller.require("write")
    if not context.settings.write:
        raise Forbidden("server", "serves its archives read-only", "Start it with --write")
    return caller


Writer = Annotated[Caller, Depends(require_writer)]


async def get_entry(context: InContext, archive: Annotated[str, Path(max_length=100)]) -> ArchiveEntry:
    """The archive that the path names; raises NotFound."""
    return context.archives.get(archive)


EntryInPath = Annotated[ArchiveEntry, Depends(get_entry)]
"""To stand after the caller among a route's parameters: who has no access does not learn which archives there are."""

SlideIdInPath = Annotated[str, Path(min_length=1, max_length=200)]
