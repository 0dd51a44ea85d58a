from __future__ import annotations

import asyncio
import http.client
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, StreamingResponse
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import Message, Scope

from histoseek.server.errors import TooSlow
from histoseek.server.problems import install_problems
from histoseek.server.security.bodies import BodyLimit, LimitedBody
from histoseek.server.security.middleware import CLIENT_GONE, UPLOADS, Guard
from histoseek.server.settings import Limits, ServerSettings, UploadLimits
from tests.server.listening import listening
from tests.waiting import HANG_S

SETTINGS = ServerSettings(
    {"kidney": Path("/data/kidney.archive")},
    state=Path("/state"),
    limits=Limits(json_bytes=1000, address_bytes=300, body_pause_s=HANG_S, body_s=HANG_S, upload_s=HANG_S),
    uploads=UploadLimits(file_bytes=5000),
)
HURRIED = replace(SETTINGS, limits=replace(SETTINGS.limits, body_pause_s=0.05, body_s=0.2, upload_s=0.3))
"""Whoever is not to be cut off by it must need no time at all."""

SECRET = "Doe, Jane at /data/jane.svs"


@dataclass
class Told:
    """What an ASGI server would send."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    complete: bool = False

    async def send(self, message: Message) -> None:
        assert not self.complete
        if message["type"] == "http.response.start":
            assert not self.status
            self.status = message["status"]
            self.headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
        else:
            assert self.status
            self.body += message.get("body", b"")
            self.complete = not message.get("more_body", False)


@dataclass
class Served:
    """An application behind the guard, and what was recorded of it."""

    app: FastAPI
    recorded: list[tuple[str, int]]

    def ask(self, chunks: Iterable[bytes | float] = (), **given: object) -> Told:
        return asyncio.run(self.answer(chunks, **given))

    async def answer(self, chunks: Iterable[bytes | float] = (), **given: object) -> Told:
        told = Told()
        await self.app(scope(**given), client(chunks), told.send)
        return told


def scope(
    method: str = "GET", path: str = "/api/v1/plain", query: bytes = b"", host: str = "localhost", **headers: str
) -> Scope:
    pairs = [("host", host), *((name.replace("_", "-"), value) for name, value in headers.items())]
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "root_path": "",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in pairs],
        "client": ("127.0.0.1", 4711),
        "server": ("127.0.0.1", 8750),
    }


def client(chunks: Iterable[bytes | float]) -> Callable[[], Awaitable[Message]]:
    """Sends chunks, pausing for the numbers among them; an infinite number is a client that stays silent."""
    left = list(chunks)
    ended = False

    async def receive() -> Message:
        nonlocal ended
        while left and isinstance(left[0], float):
            pause = left.pop(0)
            await (asyncio.Event().wait() if pause == float("inf") else asyncio.sleep(pause))
        if ended:
            await asyncio.Event().wait()
        if not left:
            ended = True
            return {"type": "http.request", "body": b"", "more_body": False}
        return {"type": "http.request", "body": left.pop(0), "more_body": True}

    return receive


@pytest.fixture
def served() -> Served:
    return serve(SETTINGS)


@pytest.fixture
def hurried() -> Served:
    return serve(HURRIED)


def serve(of: ServerSettings) -> Served:
    recorded: list[tuple[str, int]] = []
    app = FastAPI(openapi_url=None)
    install_problems(app)

    @app.get("/api/v1/plain")
    def plain(request: Request) -> dict[str, str]:
        return {"request_id": request.state.request_id}

    @app.get("/api/v1/cached")
    def cached() -> JSONResponse:
        return JSONResponse({}, headers={"Cache-Control": "max-age=60", "Content-Security-Policy": "default-src *"})

    @app.get("/page")
    def page() -> str:
        return "page"

    @app.post("/api/v1/json")
    def post(body: dict[str, int]) -> dict[str, int]:
        return body

    @app.post(UPLOADS)
    async def upload(request: Request) -> int:
        return sum([len(chunk) async for chunk in request.stream()])

    @app.post("/api/v1/swallow")
    async def swallow(request: Request) -> str:
        try:
            await request.body()
        except Exception:
            return "all is well"
        return "read"

    @app.get("/api/v1/broken")
    def broken() -> None:
        raise ValueError(SECRET)

    @app.get("/api/v1/stream")
    def stream() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"first"
            raise ValueError(SECRET)

        return StreamingResponse(parts())

    def record(scope: Scope, status: int, seconds: float) -> None:
        assert seconds >= 0
        recorded.append((scope["path"], status))

    app.add_middleware(Guard, settings=of, record=record)
    return Served(app, recorded)


def problem(told: Told) -> dict[str, object]:
    assert told.complete
    assert told.headers["content-type"] == "application/problem+json"
    found: dict[str, object] = json.loads(told.body)
    assert set(found) == {"type", "title", "status", "detail", "request_id"}
    assert (found["status"], found["request_id"]) == (told.status, told.headers["x-request-id"])
    return found


def test_every_answer_is_protected_and_has_an_id(served: Served) -> None:
    for path in ("/api/v1/plain", "/api/v1/none", "/api/v1/broken", "/page", "/api/v1/json"):
        told = served.ask(path=path)
        policy = told.headers["content-security-policy"].split("; ")
        assert {"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"} <= set(policy)
        assert not any("unsafe" in part or "*" in part for part in policy)
        assert told.headers["x-content-type-options"] == "nosniff"
        assert told.headers["referrer-policy"] == "no-referrer"
        assert told.headers["cross-origin-opener-policy"] == "same-origin"
        assert told.headers["cross-origin-resource-policy"] == "same-origin"
        assert len(told.headers["x-request-id"]) == 32
        assert not any(name.startswith("access-control") for name in told.headers)
        assert told.headers.get("cache-control") == (None if path == "/page" else "no-store")


def test_a_route_decides_on_caching_but_not_on_safety(served: Served) -> None:
    told = served.ask(path="/api/v1/cached")
    assert told.headers["cache-control"] == "max-age=60"
    assert told.headers["content-security-policy"].startswith("default-src 'none'")


def test_no_other_origin_is_let_in(served: Served) -> None:
    asked = {"origin": "http://elsewhere.org", "access_control_request_method": "POST"}
    told = served.ask(method="OPTIONS", path="/api/v1/json", **asked)
    assert told.status == 405
    assert not any(name.startswith("access-control") for name in told.headers)


@pytest.mark.parametrize("given", ["0815cafe", "a" * 64, "123e4567-e89b-12d3-a456-426614174000"])
def test_a_sane_request_id_is_kept(served: Served, given: str) -> None:
    told = served.ask(x_request_id=given)
    assert told.headers["x-request-id"] == given
    assert json.loads(told.body) == {"request_id": given}


@pytest.mark.parametrize("given", ["", "short", "a" * 65, "new\nline-in-it", "Jane-Doe-1950", "<script>alert</script>"])
def test_an_odd_request_id_is_replaced(served: Served, given: str) -> None:
    assert len(served.ask(x_request_id=given).headers["x-request-id"]) == 32


def test_unforeseen_errors_say_nothing_and_log_only_type_and_place(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        told = served.ask(path="/api/v1/broken")
    assert (told.status, problem(told)["type"]) == (500, "urn:histoseek:InternalError")
    assert SECRET not in told.body.decode()
    assert [record.getMessage() for record in caplog.records] == ["a request failed"]
    assert served.recorded == [("/api/v1/broken", 500)]


def test_an_answer_that_breaks_off_is_not_completed(served: Served) -> None:
    told = served.ask(path="/api/v1/stream")
    assert (told.status, told.body, told.complete) == (200, b"first", False)


def test_bodies_within_the_limit_pass(served: Served) -> None:
    told = served.ask([b'{"a":', b" 1}"], method="POST", path="/api/v1/json", content_type="application/json")
    assert (told.status, json.loads(told.body)) == (200, {"a": 1})
    assert served.ask([b"x" * 5000], method="POST", path=UPLOADS).body == b"5000"


@pytest.mark.parametrize("path", ["/api/v1/json", "/api/v1/swallow"])
@pytest.mark.parametrize("declared", [None, "10", "1000"])
def test_bytes_are_counted_whatever_was_declared(served: Served, path: str, declared: str | None) -> None:
    headers = {} if declared is None else {"content_length": declared}
    told = served.ask([b"x" * 600, b"x" * 600, b"x"], method="POST", path=path, **headers)
    assert (told.status, problem(told)["type"]) == (413, "urn:histoseek:TooLarge")
    assert told.headers["connection"] == "close"
    assert served.recorded == [(path, 413)]


@pytest.mark.parametrize(
    ("declared", "status"), [("1001", 413), ("9" * 5000, 413), ("-1", 400), ("1e3", 400), ("\xb2", 400)]
)
def test_declared_sizes_are_refused_before_reading(served: Served, declared: str, status: int) -> None:
    told = served.ask([b"x"], method="POST", path="/api/v1/json", content_length=declared)
    assert (told.status, problem(told)["status"]) == (status, status)


def test_uploads_have_a_limit_of_their_own(served: Served) -> None:
    told = served.ask([b"x" * 2500, b"x" * 2501], method="POST", path=UPLOADS)
    assert (told.status, problem(told)["detail"]) == (413, "body: more than 5000 bytes. Send less")
    assert served.ask([b"x" * 1001], method="PUT", path=UPLOADS).status == 405


@pytest.mark.parametrize("path", ["/api/v1/json", "/api/v1/swallow", UPLOADS])
def test_a_client_that_falls_silent_is_refused(hurried: Served, path: str) -> None:
    told = hurried.ask([b"{", float("inf")], method="POST", path=path)
    assert (told.status, problem(told)["type"]) == (408, "urn:histoseek:TooSlow")


def test_silence_and_slowness_are_told_apart() -> None:
    silent = LimitedBody(client([float("inf")]), BodyLimit(1000, pause_s=0.05, total_s=3600))
    slow = LimitedBody(client([part for _ in range(9) for part in (b" ", 0.05)]), BodyLimit(1000, 3600, total_s=0.1))

    async def read(body: LimitedBody) -> None:
        async with asyncio.timeout(HANG_S):
            while (await body.receive())["more_body"]:
                pass

    for body in (silent, slow):
        with pytest.raises(TooSlow):
            asyncio.run(read(body))
        assert isinstance(body.refusal, TooSlow)


@pytest.mark.parametrize("path", ["/api/v1/json", UPLOADS])
def test_a_client_that_drips_is_refused(hurried: Served, path: str) -> None:
    told = hurried.ask([part for _ in range(30) for part in (b" ", 0.02)], method="POST", path=path)
    assert told.status == 408


def test_waiting_for_the_clients_end_takes_as_long_as_it_takes() -> None:
    """A stream of events listens for the client to leave, with no limit once its request is complete."""

    async def application(scope: Scope, receive: Callable[[], Awaitable[Message]], send: object) -> None:
        await receive()
        assert (await receive())["type"] == "http.disconnect"

    left = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Message:
        if left:
            return left.pop()
        await asyncio.sleep(0.3)
        return {"type": "http.disconnect"}

    recorded: list[int] = []
    guard = Guard(application, HURRIED, lambda scope, status, seconds: recorded.append(status))  # type: ignore[arg-type]
    told = Told()
    asyncio.run(guard(scope(), receive, told.send))
    assert (told.status, recorded) == (0, [CLIENT_GONE])


def test_long_addresses_are_refused(served: Served) -> None:
    told = served.ask(query=b"where=" + b"x" * 300)
    assert (told.status, problem(told)["type"]) == (414, "urn:histoseek:AddressTooLong")
    assert served.ask(path="/" + "x" * 300).status == 414


@pytest.mark.parametrize("path", ["/api/v1/plain", "/page"])
def test_names_of_other_hosts_are_refused(served: Served, path: str) -> None:
    told = served.ask(path=path, host="evil.example.org")
    assert (told.status, problem(told)["type"]) == (421, "urn:histoseek:WrongHost")


def test_clients_that_send_far_too_much_get_to_the_answer(served: Served) -> None:
    """A connection that is closed on what a client still sends is reset, and the answer with it."""
    with listening(served.app) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=HANG_S)
        connection.request("POST", UPLOADS, body=b"x" * 30_000_000)
        answer = connection.getresponse()
        assert (answer.status, json.loads(answer.read())["title"]) == (413, "Too large")
        connection.close()


def test_sockets_are_closed(served: Served) -> None:
    told: list[Message] = []

    async def send(message: Message) -> None:
        told.append(message)

    asyncio.run(served.app({**scope(), "type": "websocket"}, client([]), send))
    assert [message["type"] for message in told] == ["websocket.close"]


@settings(max_examples=150)
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "BREW", "HEAD"]),
    path=st.text(st.characters(codec="utf-8"), max_size=30).map(lambda text: f"/{text}"),
    query=st.binary(max_size=40),
    host=st.text(st.characters(max_codepoint=255), max_size=20) | st.just("localhost"),
    length=st.text(st.characters(max_codepoint=255), max_size=8),
    chunks=st.lists(st.binary(max_size=400), max_size=5),
)
def test_any_request_has_an_answer(
    method: str, path: str, query: bytes, host: str, length: str, chunks: list[bytes]
) -> None:
    app = FastAPI(openapi_url=None)
    install_problems(app)
    app.add_middleware(Guard, settings=SETTINGS, record=lambda scope, status, seconds: None)
    told = Served(app, []).ask(chunks, method=method, path=path, query=query, host=host, content_length=length)
    assert 400 <= told.status < 500
    assert told.complete
