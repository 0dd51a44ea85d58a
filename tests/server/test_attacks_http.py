"""HTTP that lies, dawdles or comes from elsewhere: refused, and nobody else is kept waiting."""

from __future__ import annotations

import json
import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.attacking import (
    API,
    AS_JSON,
    CLOSE,
    FILE_BYTES,
    JSON_BYTES,
    PATIENT_NAME,
    answered_still,
    asked,
    attacked,
    connect,
    exchange,
    read,
    request,
)
from tests.server.conftest import new_token
from tests.server.running import RunningServer
from tests.waiting import wait_for

TRICKLE_S = 0.05


@pytest.fixture(scope="module")
def server(indexed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with attacked(indexed, tmp_path_factory.mktemp("attacked")) as server:
        yield server


@pytest.fixture(scope="module")
def bearer(server: RunningServer) -> tuple[str, str]:
    return ("Authorization", f"Bearer {server.token}")


@pytest.mark.parametrize(
    ("headers", "body", "statuses"),
    [
        ([("Content-Length", "-5")], b"{}", {400}),
        ([("Content-Length", "five")], b"{}", {400}),
        ([("Content-Length", "1e3")], b"{}", {400}),
        ([("Content-Length", "99999999999999999999999")], b"{}", {400, 413}),
        ([("Content-Length", str(JSON_BYTES + 1))], b"{}", {413}),
        ([("Content-Length", "2"), ("Content-Length", "3")], b"{}", {400}),
        ([("Content-Length", "2"), ("Transfer-Encoding", "chunked")], b"0\r\n\r\n", {400}),
        ([("Transfer-Encoding", "chunked"), ("Content-Length", "2")], b"0\r\n\r\n", {400}),
        ([("Transfer-Encoding", "chunked")], b"zz\r\n{}\r\n0\r\n\r\n", {0, 400}),
        ([("Transfer-Encoding", "chunked")], b"fffffffffffffffff\r\n{}", {0, 400}),
        ([("Transfer-Encoding", "chunked")], b"5000\r\n" + b" " * 0x5000 + b"\r\n0\r\n\r\n", {413}),
        ([("Transfer-Encoding", "gzip, chunked, identity")], b"{}", {400}),
    ],
    ids=str,
)
def test_bodies_that_lie_are_refused(
    server: RunningServer, bearer: tuple[str, str], headers: list[tuple[str, str]], body: bytes, statuses: set[int]
) -> None:
    answer = asked(server, request("POST", f"{API}/archives/cohort/search", (bearer, CLOSE, AS_JSON, *headers), body))
    assert answer.status in statuses
    assert answered_still(server)


def test_slow_bodies_are_not_waited_for(indexed: Path, tmp_path: Path) -> None:
    with attacked(indexed, tmp_path, hurried=True) as server:
        bearer = ("Authorization", f"Bearer {server.token}")
        for header, body in (
            (("Transfer-Encoding", "chunked"), b"5\r\n{\r\n"),
            (("Content-Length", "500"), b"{"),
        ):
            sent = request("POST", f"{API}/archives/cohort/search", (bearer, CLOSE, AS_JSON, header), body)
            assert asked(server, sent).status == 408
        assert trickle(server, request("POST", f"{API}/uploads?filename=a.svs", (bearer, ("Content-Length", "10000"))))
        assert not [one for one in (server.state / "uploads").iterdir() if one.suffix == ".part"]
        assert answered_still(server)


def trickle(server: RunningServer, head: bytes) -> bool:
    """Send a body byte by byte until an answer comes; whether it says that this is too slow."""
    with connect(server) as channel:
        channel.sendall(head)
        while not select.select([channel], [], [], TRICKLE_S)[0]:
            channel.sendall(b"x")
        return read(channel.recv(65536)).status == 408


def test_uploads_over_the_limit_are_refused_and_not_kept(server: RunningServer, bearer: tuple[str, str]) -> None:
    target = f"{API}/uploads?filename={PATIENT_NAME}.svs"
    piece = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    bodies = (
        request("POST", target, (bearer, CLOSE, ("Content-Length", str(FILE_BYTES + 1)))),
        request("POST", target, (bearer, CLOSE, ("Transfer-Encoding", "chunked")), piece * 60 + b"0\r\n\r\n"),
    )
    for sent in bodies:
        assert asked(server, sent).status == 413
    cut = request("POST", target, (bearer, CLOSE, ("Content-Length", "1000")), b"x" * 10)
    assert asked(server, cut, finish=True).status in (0, 400)
    # Whoever left without a word is noticed a moment later.
    wait_for(lambda: [*(server.state / "uploads").iterdir()] == [])


def test_wrong_tokens_are_held_up_and_right_ones_are_not(server: RunningServer, bearer: tuple[str, str]) -> None:
    wrong = [server.token[:-1], server.token.swapcase(), "hs_" + "0" * 60, "", "x" * 9000, "é", server.token + " "]
    statuses = []
    for number in range(60):
        given = wrong[number % len(wrong)]
        statuses.append(
            asked(server, request("GET", f"{API}/archives", (("Authorization", f"Bearer {given}"), CLOSE))).status
        )
    assert {*statuses[:10]} <= {401, 200, 400, 431}
    assert 429 in statuses
    assert asked(server, request("GET", f"{API}/archives", (bearer, CLOSE))).status == 200
    for scheme in ("Basic dXNlcjpwYXNz", "Bearer", "bearer  ", "Digest x", "Token x"):
        assert asked(server, request("GET", f"{API}/archives", (("Authorization", scheme), CLOSE))).status in (
            401,
            429,
        )
    twice = (bearer, ("Authorization", "Bearer x"), CLOSE)
    assert asked(server, request("GET", f"{API}/archives", twice)).status == 400


def test_other_sites_can_not_use_a_browser_s_session(server: RunningServer) -> None:
    port = server.url.rstrip("/").rpartition(":")[2]
    host = f"127.0.0.1:{port}"
    page = ("X-Histoseek", "page")
    token = json.dumps({"token": new_token(server, "write")}).encode()
    begun = asked(server, request("POST", f"{API}/session", (page, AS_JSON, CLOSE), token, host))
    cookie = next(line for line in begun.head.splitlines() if line.startswith("set-cookie:"))
    assert {"httponly", "samesite=strict", "path=/"} <= {part.strip() for part in cookie.split(";")}
    value = ("Cookie", cookie.partition(":")[2].split(";")[0].strip())
    body = b'{"name": "taken over"}'

    def change(*headers: tuple[str, str], host: str = host) -> int:
        sent = request("POST", f"{API}/collections", (value, AS_JSON, CLOSE, *headers), body, host)
        return asked(server, sent).status

    assert change() == 403
    assert change(page, ("Origin", "http://example.org")) == 403
    assert change(page, ("Origin", "null")) == 403
    assert change(page, ("Origin", f"http://localhost:{port}")) == 403
    assert change(page, ("Sec-Fetch-Site", "cross-site")) == 403
    assert change(page, host="example.org") == 421
    assert change(page, host="127.0.0.1.example.org") == 421
    assert change(page, ("Origin", f"http://{host}")) == 201
    preflight = asked(
        server, request("OPTIONS", f"{API}/collections", (("Origin", "http://example.org"), CLOSE), host=host)
    )
    assert preflight.status == 405
    assert "access-control-allow" not in preflight.head


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n",
        b"GET http://example.org/api/v1/archives HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : 127.0.0.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"G\xc3\x89T / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
        b"TRACE /api/v1/archives HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\nHost: 127.0.0.1\nX: a\rb\n\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64,
        b"\r\n\r\n\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
    ],
    ids=lambda sent: sent[:30].decode("latin-1").encode("unicode_escape").decode(),
)
def test_what_is_hardly_http_is_refused(server: RunningServer, sent: bytes) -> None:
    answer = asked(server, sent, finish=b"Connection: close" not in sent)
    assert answer.status == 0 or 400 <= answer.status < 500
    assert answered_still(server)


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n",
        b"Transfer-Encoding: xchunked\r\n\r\n",
        b"Transfer-Encoding : chunked\r\nContent-Length: 4\r\n\r\n",
        b"Content-Length: 4\r\n Transfer-Encoding: chunked\r\n\r\n",
        b"Content-Length: 4, 5\r\n\r\n",
        b"Content-Length: +4\r\n\r\n",
    ],
    ids=str,
)
def test_no_request_hides_in_another(server: RunningServer, bearer: tuple[str, str], framing: bytes) -> None:
    """Of what framing leaves open nothing is answered: the connection ends."""
    hidden = f"GET {API}/archives HTTP/1.1\r\nHost: 127.0.0.1\r\n{': '.join(bearer)}\r\n\r\n".encode()
    head = f"POST {API}/archives/cohort/facets HTTP/1.1\r\nHost: 127.0.0.1\r\n{': '.join(bearer)}\r\n".encode()
    received = exchange(server, head + framing + b"0\r\n\r\n" + hidden, finish=True)
    assert b'"cohort"' not in received
    assert received.count(b"HTTP/1.1 ") <= 1
