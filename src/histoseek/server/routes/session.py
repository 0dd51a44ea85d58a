"""Sessions of browsers: a token in exchange for a cookie that scripts can't read."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from histoseek._version import __version__
from histoseek.rest.work import Login, Session
from histoseek.server.context import Context
from histoseek.server.http.dependencies import InContext, Reader
from histoseek.server.security.access import Identity

DISCLAIMER = "For research and education. Not a medical device: nothing here is a diagnosis."

router = APIRouter(prefix="/session", tags=["session"])


@router.post("")
def log_in(request: Request, response: Response, context: InContext, login: Login) -> Session:
    """Begin a session with a token."""
    token, cookie = context.access.log_in(login.token, context.head(request))
    response.headers["Set-Cookie"] = cookie
    request.state.identity = Identity(token.token_id, token.name, token.role)
    return _session(context, request.state.identity)


@router.get("")
def get_session(context: InContext, identity: Reader) -> Session:
    """Who asks, what they may do, and what this server allows."""
    return _session(context, identity)


@router.delete("", status_code=204)
def log_out(request: Request, response: Response, context: InContext) -> None:
    """End the session."""
    response.headers["Set-Cookie"] = context.access.log_out(context.head(request))


def _session(context: Context, identity: Identity) -> Session:
    return Session(
        name=identity.name,
        role=identity.role,
        write=context.may_write(identity),
        version=__version__,
        upload_bytes=context.settings.uploads.file_bytes,
        disclaimer=DISCLAIMER,
    )
