"""What routes ask for: the process's context, who asks, and what they may do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Path, Request

from histoseek.server.archives.served import ServedArchive
from histoseek.server.context import Context
from histoseek.server.errors import Forbidden
from histoseek.server.security.access import Identity
from histoseek.server.security.limits import RequestKind


def _context(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


async def context_of(request: Request) -> Context:
    """The context that the application was made with."""
    # Not to be run in a thread, as what takes no time needs none.
    return _context(request)


InContext = Annotated[Context, Depends(context_of)]


def _asking(kind: RequestKind) -> Callable[[Request], Identity]:
    """Who asks, counted among requests of this kind; raises Unauthorized, Forbidden, TooManyRequests."""

    def identify(request: Request) -> Identity:
        return _context(request).identify(request, kind)

    return identify


Reader = Annotated[Identity, Depends(_asking(RequestKind.OTHER))]
Searcher = Annotated[Identity, Depends(_asking(RequestKind.SEARCH))]
Viewer = Annotated[Identity, Depends(_asking(RequestKind.TILES))]
Uploader = Annotated[Identity, Depends(_asking(RequestKind.UPLOAD))]


async def writer(context: InContext, identity: Reader) -> Identity:
    """Whoever may change archives; raises Forbidden also on a server that only reads."""
    identity.need("write")
    if not context.settings.write:
        raise Forbidden("server", "serves its archives read-only", "Start it with --write")
    return identity


Writer = Annotated[Identity, Depends(writer)]


async def served(context: InContext, archive: Annotated[str, Path(max_length=100)]) -> ServedArchive:
    """The archive that the path names; raises NotThere."""
    return context.archives.get(archive)


Served = Annotated[ServedArchive, Depends(served)]
"""To be named after who asks: whoever may not ask is not told which archives there are."""

SlideIdInPath = Annotated[str, Path(min_length=1, max_length=200)]
