"""The outermost layer of the server: ids, limits and headers of all requests, and one end for all errors."""

from __future__ import annotations

import logging
import random
import re
import time
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from histoseek.deadline import Deadline, keep_deadline
from histoseek.server.errors import RequestError, Retriable, TooLarge, TooSlow, format_detail
from histoseek.server.logs import current_request_id
from histoseek.server.problems import make_problem_response
from histoseek.server.security.bodies import BodyLimit, LimitedBody
from histoseek.server.security.connections import DEADLINE
from histoseek.server.security.errors import AddressTooLong
from histoseek.server.security.hosts import Hosts
from histoseek.server.settings import ServerSettings

UPLOADS, TEXTS = "/api/v1/uploads", "/api/v1/texts"
CLIENT_GONE = 499
"""The status recorded for clients that left before the answer."""

Record = Callable[[Scope, int, float], None]
"""Takes each request that has ended: its scope, the response's status, and how many seconds it took."""

Reserve = Callable[[Scope], None]
"""Takes each request before anything is done for it; raises RequestError when it could not be recorded."""

_LINGER_S = 5.0
_REQUEST_ID = re.compile(r"[0-9A-Fa-f-]{8,64}")  # as proxies make them; no words, which would stand in logs
_log = logging.getLogger(__name__)

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "font-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'self'",
    )
)

_PART = re.compile(rf"{UPLOADS}/[0-9a-f]{{32}}/files/\d{{1,5}}")
_COMPLETE = re.compile(rf"{UPLOADS}/[0-9a-f]{{32}}/complete")

_ALWAYS = (
    ("Content-Security-Policy", CONTENT_SECURITY_POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Permissions-Policy", "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)
_HEADERS = tuple((name.lower().encode(), value.encode()) for name, value in _ALWAYS)
_NAMES = frozenset(name for name, _ in _HEADERS)

_UNCACHED = ("/api/", "/metrics")


class Guard:
    """Stands before the application.

    Gives each request an id (in `request.state.request_id`, and in the answer's X-Request-Id), refuses addresses that
    are too long, foreign hosts, bodies that are too large or too slow, and requests that could not be recorded, lets
    work end that takes too long or whose client is gone, and answers errors that nobody foresaw without details: the
    log has their type, place and request id.
    """

    def __init__(
        self, app: ASGIApp, settings: ServerSettings, record: Record, reserve: Reserve = lambda scope: None
    ) -> None:
        limits = settings.limits
        self._app = app
        self._record = record
        self._reserve = reserve
        self._work_s = limits.search_s
        self._hosts = Hosts(settings.host, settings.allowed_hosts)
        self._address_bytes = limits.address_bytes
        self._limit = BodyLimit(limits.json_bytes, limits.body_pause_s, limits.body_s)
        self._upload_limit = BodyLimit(settings.uploads.file_bytes, limits.body_pause_s, limits.upload_s)
        self._text_limit = BodyLimit(settings.uploads.report_bytes, limits.body_pause_s, limits.upload_s)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
        elif scope["type"] != "http":
            await self._app(scope, receive, send)
        else:
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        request_id = _choose_request_id(Headers(scope=scope))
        scope["state"] = {**scope.get("state", {}), "request_id": request_id}
        log_token = current_request_id.set(request_id)
        body = LimitedBody(receive, self._choose_limit(scope))
        sender = _ResponseSender(send, scope["path"], request_id, body)
        try:
            error = await self._run_app(scope, body, sender)
            if error is not None and not sender.status:
                await sender.refuse(scope, error)
        finally:
            self._record(scope, sender.status or CLIENT_GONE, time.perf_counter() - began)
            current_request_id.reset(log_token)

    async def _run_app(self, scope: Scope, body: LimitedBody, sender: _ResponseSender) -> Exception | None:
        """Let the application answer; the error that ended that, if any."""
        try:
            self._check(scope, body)
            self._reserve(scope)
            with keep_deadline(self._make_deadline(scope)):
                await self._app(scope, body.receive, sender.send)
        except ClientDisconnect:
            return body.refusal
        except Exception as error:
            if body.refusal is None and not isinstance(error, RequestError):
                _log.error("a request failed", exc_info=error)
            return body.refusal or error
        return body.refusal

    def _choose_limit(self, scope: Scope) -> BodyLimit:
        if scope["method"] == "POST" and scope["path"] == TEXTS:
            return self._text_limit
        return self._upload_limit if _is_upload(scope) else self._limit

    def _make_deadline(self, scope: Scope) -> Deadline:
        """When work for a request ends: soon, but for uploads, and when the connection that it came by is gone."""
        deadline: Deadline = (scope.get("extensions") or {}).get(DEADLINE) or Deadline()
        if not _is_long(scope):
            deadline.limit(self._work_s)
        return deadline

    def _check(self, scope: Scope, body: LimitedBody) -> None:
        headers = Headers(scope=scope)
        if len(scope.get("raw_path") or scope["path"].encode()) + len(scope["query_string"]) > self._address_bytes:
            raise AddressTooLong("address", f"longer than {self._address_bytes} bytes", "Use POST, or shorten it")
        self._hosts.check(headers.get("host", ""))
        body.check_declared(headers.get("content-length"))


class _ResponseSender:
    """The `send` of one request; drops what the application says once its body was refused."""

    def __init__(self, send: Send, path: str, request_id: str, body: LimitedBody) -> None:
        self.status = 0
        self._send = send
        self._path = path
        self._request_id = request_id
        self._body = body

    async def send(self, message: Message) -> None:
        if self._body.refusal is not None and not self.status:
            return
        await self._pass_on(message)

    async def refuse(self, scope: Scope, error: Exception) -> None:
        """Answer with a problem instead of the application."""
        await _make_problem(Request(scope), error)(scope, self._body.receive, self._pass_on_then_linger)

    async def _pass_on(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = self._request_id
            protect_response(headers, self._path)
        await self._send(message)

    async def _pass_on_then_linger(self, message: Message) -> None:
        """Send all, and end only after a client with too much to say had time to say it."""
        if message["type"] == "http.response.body" and isinstance(self._body.refusal, TooLarge):
            await self._send({**message, "more_body": True})
            await self._body.discard(_LINGER_S)
            message = {"type": "http.response.body", "body": b""}
        await self._pass_on(message)


def _make_problem(request: Request, error: Exception) -> Response:
    if isinstance(error, RequestError):
        headers = {"Connection": "close"} if isinstance(error, TooLarge | TooSlow) else {}
        if isinstance(error, Retriable):
            headers["Retry-After"] = str(error.retry_after_s)
        return make_problem_response(request, error.kind, error.status, format_detail(error), headers)
    return make_problem_response(
        request, "InternalError", 500, "something went wrong; see the server's log under this request's id"
    )


def _choose_request_id(headers: Headers) -> str:
    """The id that a proxy or client gave, when it is one; a new one otherwise."""
    # Ids only have to differ: asking the system for secret ones takes longer.
    header = headers.get("x-request-id", "")
    return header if _REQUEST_ID.fullmatch(header) else f"{random.getrandbits(128):032x}"


def _is_upload(scope: Scope) -> bool:
    """Whether a request sends a slide, or a piece of one."""
    if scope["method"] == "PUT":
        return _PART.fullmatch(scope["path"]) is not None
    return scope["method"] == "POST" and scope["path"] == UPLOADS


def _is_long(scope: Scope) -> bool:
    """Whether a request waits for a slide or a report to arrive, or to be opened."""
    is_opened = scope["path"] == TEXTS or _COMPLETE.fullmatch(scope["path"])
    return _is_upload(scope) or (scope["method"] == "POST" and bool(is_opened))


def protect_response(headers: MutableHeaders, path: str) -> None:
    """Add the headers; answers of the API are kept in no cache unless their route says otherwise."""
    headers.raw[:] = [header for header in headers.raw if header[0].lower() not in _NAMES]
    headers.raw.extend(_HEADERS)
    if path.startswith(_UNCACHED):
        headers.setdefault("Cache-Control", "no-store")
