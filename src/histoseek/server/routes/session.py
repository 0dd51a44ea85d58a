"""Sessions of browsers: a token in exchange for a cookie that scripts can't read."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from histoseek._version import __version__
from histoseek.rest.workspace import Login, Session
from histoseek.server.context import Context
from histoseek.server.http.dependencies import InContext, Reader
from histoseek.server.security.access import Caller

DISCLAIMER = "For research and education. Not a medical device: nothing here is a diagnosis."

router = APIRouter(prefix="/session", tags=["session"])


@router.post("")
def log_in(request: Request, response: Response, context: InContext, login: Login) -> Session:
    """Start a session with a token."""
    token, cookie = context.access.log_in(login.token, context.read_head(request))
    response.headers["Set-Cookie"] = cookie
    request.state.caller = Caller(token.token_id, token.name, token.role)
    return _to_session(context, request.state.caller)


@router.get("")
def get_session(context: InContext, caller: Reader) -> Session:
    """Who you are, what you may do, and what this server allows."""
    return _to_session(context, caller)


@router.delete("", status_code=204)
def log_out(request: Request, response: Response, context: InContext) -> None:
    """End the session."""
    response.headers["Set-Cookie"] = context.access.log_out(context.read_head(request))


def _to_session(context: Context, caller: Caller) -> Session:
    return Session(
        name=caller.name,
        role=caller.role,
        write=context.may_write(caller),
        imports=context.may_write(caller) and context.settings.import_folder is not None,
        version=__version__,
        upload_bytes=context.settings.uploads.file_bytes,
        disclaimer=DISCLAIMER,
    )
