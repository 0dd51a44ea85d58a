from __future__ import annotations

import asyncio
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import pytest
from starlette.types import Receive, Scope, Send

from histoseek.errors import OutOfTime
from histoseek.server.security.connections import DEADLINE
from histoseek.server.security.protocol import BoundedProtocol
from tests.server.listening import Listening, listening
from tests.waiting import HANG_S

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
HEAD_S, HEAD_BYTES, READ_S = 30.0, 1000, 60.0


class Tidings:
    """How many connections were made, bytes and requests came, and so on, since a test began."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._counts = Counter[str]()

    def note(self, what: str, number: int = 1) -> None:
        with self._changed:
            self._counts[what] += number
            self._changed.notify_all()

    def wait(self, what: str, number: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self._counts[what] >= number, HANG_S)


@dataclass
class Talk:
    """A connection to the server whose time is ours."""

    server: Listening
    tidings: Tidings
    client: socket.socket
    sent_bytes: int = 0

    def say(self, part: bytes) -> None:
        """Send bytes, and wait until they have come."""
        self.client.sendall(part)
        self.sent_bytes += len(part)
        self.tidings.wait("bytes", self.sent_bytes)

    def hear(self, answers: int) -> None:
        """Wait for so many good answers."""
        heard = b""
        while heard.count(b"\r\n\r\nok") < answers:
            got = self.client.recv(65_536)
            assert got, heard
            heard += got
        assert heard.count(b"200 OK") == answers

    def hear_the_end(self) -> bytes:
        """All that still comes until the server closes."""
        heard = b""
        try:
            while got := self.client.recv(65_536):
                heard += got
        except ConnectionResetError:
            pass
        return heard

    def pour(self, *parts: bytes) -> bytes:
        """Send for as long as the server takes it; what it says until it closes."""
        try:
            for part in parts:
                self.client.sendall(part)
        except OSError:
            pass
        return self.hear_the_end()


class Bounded(BoundedProtocol):
    head_s = HEAD_S
    head_bytes = HEAD_BYTES
    read_s = READ_S
    tidings: Tidings

    def connection_made(self, transport: object) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        self.tidings.note("connections")

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.tidings.note("ends")

    def pause_writing(self) -> None:
        super().pause_writing()
        self.tidings.note("pauses")

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self.tidings.note("bytes", len(data))


may_answer = asyncio.Semaphore(0)
"""Of requests to /slow."""


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers at once; after the whole body at /body; when it may at /slow; much at /large; in the end at /work."""
    Bounded.tidings.note("requests")
    if scope["path"] == "/body":
        while (await receive())["more_body"]:
            pass
    if scope["path"] == "/slow":
        await may_answer.acquire()
    if scope["path"] == "/work":
        with suppress(OutOfTime):
            while True:
                scope["extensions"][DEADLINE].check()
                await asyncio.sleep(0)
        Bounded.tidings.note("cancelled")
    if scope["path"] == "/large":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": bytes(50_000_000), "more_body": True})
        await send({"type": "http.response.body", "body": b"ok"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture(scope="module")
def server() -> Iterator[Listening]:
    with listening(application, Bounded) as server:
        yield server


@pytest.fixture
def talk(server: Listening) -> Iterator[Talk]:
    Bounded.tidings = Tidings()
    with socket.create_connection(("127.0.0.1", server.port), timeout=HANG_S) as client:
        Bounded.tidings.wait("connections", 1)
        yield Talk(server, Bounded.tidings, client)


@pytest.mark.parametrize("part", [b"", b"GET / HTTP/1.1\r\nHost: lo"])
def test_silent_clients_are_left(talk: Talk, part: bytes) -> None:
    talk.say(part)
    talk.server.pass_time(HEAD_S)
    assert talk.hear_the_end() == b""


def test_heads_that_drip_are_left(talk: Talk) -> None:
    talk.say(b"GET / HTTP/1.1\r\n")
    for _ in range(9):
        talk.say(b"x: 1\r\n")
        talk.server.pass_time(HEAD_S / 9)
    assert talk.hear_the_end() == b""


@pytest.mark.parametrize("head", [b"x: " + b"1" * 500, b"1: 2\r\n" * 100, b"1" * 500])
def test_heads_without_end_are_left(talk: Talk, head: bytes) -> None:
    assert talk.pour(b"GET / HTTP/1.1\r\nx:1", *[head] * 1000) == b""


def test_addresses_without_end_are_left(talk: Talk) -> None:
    assert talk.pour(b"GET /", *[b"a" * 500] * 1000) == b""


def test_trailers_without_end_are_left(talk: Talk) -> None:
    head = b"POST /body HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"
    assert talk.pour(head, *[b"x: " + b"1" * 500] * 1000) == b""


def test_a_body_after_its_answer_keeps_no_connection(talk: Talk) -> None:
    talk.say(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n")
    talk.hear(1)
    for _ in range(9):
        talk.say(b"x")
        talk.server.pass_time(HEAD_S / 9)
    assert talk.hear_the_end() == b""


def test_a_connection_serves_one_request_after_the_other(talk: Talk) -> None:
    for _ in range(20):
        talk.say(GET)
        talk.hear(1)
        talk.server.pass_time(0.9 * HEAD_S)
    talk.say(GET)
    talk.hear(1)


def test_bodies_may_take_longer_than_heads(talk: Talk) -> None:
    talk.say(b"POST /body HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000\r\n\r\n")
    talk.tidings.wait("requests", 1)
    for _ in range(18):
        talk.say(b"x" * 500)
        talk.server.pass_time(HEAD_S)
    talk.hear(1)


def test_answers_that_nobody_takes_are_left(talk: Talk) -> None:
    talk.say(GET.replace(b"/ ", b"/large "))
    talk.tidings.wait("requests", 1)
    talk.tidings.wait("pauses", 1)
    talk.server.pass_time(READ_S)
    talk.tidings.wait("ends", 1)


def test_the_work_of_a_client_that_is_gone_ends(talk: Talk) -> None:
    talk.say(GET.replace(b"/ ", b"/work "))
    talk.tidings.wait("requests", 1)
    talk.client.close()
    talk.tidings.wait("cancelled", 1)


@pytest.mark.parametrize("requests", [1, 3])
def test_answers_may_take_longer_than_heads(talk: Talk, requests: int) -> None:
    talk.say(GET.replace(b"/ ", b"/slow ") * requests)
    for number in range(requests):
        talk.tidings.wait("requests", number + 1)
        talk.server.pass_time(2 * HEAD_S)
        talk.server.loop.call_soon_threadsafe(may_answer.release)
        talk.hear(1)
