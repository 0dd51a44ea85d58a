"""What routes ask for: the process's context, who asks, and what they may do."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Request

from histoseek.server.archives import ServedArchive
from histoseek.server.context import Context
from histoseek.server.errors import Forbidden
from histoseek.server.security.access import Identity


def context_of(request: Request) -> Context:
    """The context that the application was made with."""
    context: Context = request.app.state.context
    return context


InContext = Annotated[Context, Depends(context_of)]


def reader(request: Request, context: InContext) -> Identity:
    """Whoever has a token; raises Unauthorized, Forbidden, TooManyRequests."""
    identity = context.identify(request)
    request.state.identity = identity
    return identity


Reader = Annotated[Identity, Depends(reader)]


def writer(context: InContext, identity: Reader) -> Identity:
    """Whoever may change archives; raises Forbidden also on a server that only reads."""
    if identity.role != "write":
        raise Forbidden("token", "may only read", "Ask for a token of the role write")
    if not context.settings.write:
        raise Forbidden("server", "serves its archives read-only", "Start it with --write")
    return identity


Writer = Annotated[Identity, Depends(writer)]


def served(context: InContext, archive: Annotated[str, Path(max_length=100)], identity: Reader) -> ServedArchive:
    """The archive that the path names; raises NotThere."""
    return context.archives.get(archive)


Served = Annotated[ServedArchive, Depends(served)]
SlideIdInPath = Annotated[str, Path(min_length=1, max_length=200)]
