from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator

import pytest
from starlette.types import Receive, Scope, Send

from histoseek.server.security.protocol import BoundedProtocol
from tests.server.listening import listening

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
DRIP_S = 0.05


class Hurried(BoundedProtocol):
    head_s = 0.4
    head_bytes = 1000


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers at once; after the whole body at /body; after a while at /slow."""
    if scope["path"] == "/body":
        while (await receive())["more_body"]:
            pass
    if scope["path"] == "/slow":
        await asyncio.sleep(2 * Hurried.head_s)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with listening(application, Hurried) as port:
        yield port


def told(port: int, *parts: bytes) -> bytes:
    """All that the server says to a client that sends parts, one after the other, until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        stop = threading.Event()

        def talk() -> None:
            for part in parts:
                try:
                    client.sendall(part)
                except OSError:
                    return
                if stop.wait(DRIP_S):
                    return

        thread = threading.Thread(target=talk)
        thread.start()
        answer = b""
        try:
            while got := client.recv(65_536):
                answer += got
        except ConnectionResetError:
            pass
        finally:
            stop.set()
            thread.join()
        return answer


@pytest.mark.parametrize("parts", [(), (b"GET / HTTP/1.1\r\nHost: lo",)])
def test_silent_clients_are_left(port: int, parts: tuple[bytes, ...]) -> None:
    assert told(port, *parts) == b""


def test_heads_that_drip_are_left(port: int) -> None:
    assert told(port, b"GET / HTTP/1.1\r\n", *[b"x: 1\r\n"] * 100) == b""


@pytest.mark.parametrize("head", [b"x: " + b"1" * 500, b"1: 2\r\n" * 100, b"1" * 500])
def test_heads_without_end_are_left(port: int, head: bytes) -> None:
    assert told(port, b"GET / HTTP/1.1\r\nx:1", *[head] * 1000) == b""


def test_addresses_without_end_are_left(port: int) -> None:
    assert told(port, b"GET /", *[b"a" * 500] * 1000) == b""


def test_trailers_without_end_are_left(port: int) -> None:
    head = b"POST /body HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"
    assert told(port, head, *[b"x: " + b"1" * 500] * 1000) == b""


def test_a_body_after_its_answer_keeps_no_connection(port: int) -> None:
    answer = told(port, b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n", *[b"x"] * 200)
    assert answer.count(b"200 OK") == 1


def test_a_connection_serves_one_request_after_the_other(port: int) -> None:
    assert told(port, *[GET] * 20).count(b"200 OK") == 20


def test_bodies_and_answers_may_take_longer_than_heads(port: int) -> None:
    body = told(port, b"POST /body HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000\r\n\r\n", *[b"x" * 500] * 18)
    assert body.count(b"200 OK") == 1
    assert told(port, GET.replace(b"/ ", b"/slow ")).count(b"200 OK") == 1
    assert told(port, GET.replace(b"/ ", b"/slow ") * 3).count(b"200 OK") == 3
