"""Messages between the server and a sandbox's process, also when the other side is no friend."""

from __future__ import annotations

import os
import socket
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from histoseek.encoders.recipe import Recipe
from histoseek.geometry import Rect
from histoseek.server.uploads.errors import SandboxFailure
from histoseek.server.uploads.messages import (
    ChannelClosed,
    EncodeRequest,
    Failure,
    InvalidMessage,
    Picture,
    ProgressReply,
    Ready,
    Reply,
    Request,
    SlideDescription,
    ThumbnailRequest,
    TileRequest,
    receive_reply,
    receive_request,
    send,
)
from histoseek.server.uploads.sandbox import Sandbox
from histoseek.server.uploads.slide_facts import LevelFacts, SlideFacts
from tests.server.uploads.processes import readers
from tests.waiting import HANG_S

FACTS = SlideFacts(30, 20, None, 512, 0, 5, (LevelFacts(30, 20, 1.0),), "aperio")
Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    one, other = socket.socketpair()
    with one, other:
        yield one, other


def soon() -> float:
    return time.monotonic() + HANG_S


@pytest.mark.parametrize(
    "request_sent",
    [
        ThumbnailRequest(Path("/a/slide.svs"), 256),
        TileRequest(Path("/a/slide.svs"), 3, 2, 1),
        EncodeRequest(Path("/a/slide.svs"), Recipe(tile_budget=None), 0.25, (Rect(1, 2, 3, 4),)),
    ],
)
def test_requests_arrive_as_they_were_sent(pair: Pair, request_sent: Request) -> None:
    send(pair[0], request_sent)
    assert receive_request(pair[1]) == request_sent


@pytest.mark.parametrize(
    ("answer", "payload"),
    [
        (Ready(), b""),
        (ProgressReply(3, None), b""),
        (SlideDescription(FACTS), b""),
        (Picture(), bytes(range(256)) * 100),
        (Failure("NoTissue", "slide", "a", "b", ""), b""),
    ],
)
def test_answers_arrive_as_they_were_sent(pair: Pair, answer: Reply, payload: bytes) -> None:
    send(pair[0], answer, payload)
    assert receive_reply(pair[1], soon()) == (answer, payload)


def test_the_other_side_may_have_gone(pair: Pair) -> None:
    pair[0].close()
    with pytest.raises(ChannelClosed):
        receive_reply(pair[1], soon())
    with pytest.raises(ChannelClosed):
        send(pair[1], Picture())


def test_half_a_message_is_none(pair: Pair) -> None:
    pair[0].sendall(struct.pack("!IQ", 100, 0) + b"{")
    pair[0].close()
    with pytest.raises(ChannelClosed):
        receive_reply(pair[1], soon())


def test_nobody_waits_longer_than_told(pair: Pair) -> None:
    pair[0].sendall(struct.pack("!IQ", 100, 0))
    with pytest.raises(TimeoutError):
        receive_reply(pair[1], time.monotonic() + 0.05)
    with pytest.raises(TimeoutError):
        receive_reply(pair[1], time.monotonic() - 1)


@pytest.mark.parametrize("lengths", [(2**31, 0), (10, 2**62)])
def test_lengths_are_bounded(pair: Pair, lengths: tuple[int, int]) -> None:
    pair[0].sendall(struct.pack("!IQ", *lengths))
    with pytest.raises(InvalidMessage):
        receive_reply(pair[1], soon())


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"[]",
        b'{"kind": "picture"',
        b'{"kind": "describe", "path": "/", "spacing_um_per_px": null}',
        b'{"kind": "failed", "error": "a b", "family": "slide", "where": "", "what": "", "advice": ""}',
        b'{"kind": "progressed", "done": "many", "total": null}',
    ],
)
def test_what_is_no_answer_is_refused(pair: Pair, header: bytes) -> None:
    pair[0].sendall(struct.pack("!IQ", len(header), 0) + header)
    with pytest.raises(InvalidMessage):
        receive_reply(pair[1], soon())


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200))
def test_no_bytes_are_an_answer_by_chance(content: bytes) -> None:
    one, other = socket.socketpair()
    with one, other:
        one.sendall(content)
        one.close()
        with pytest.raises((InvalidMessage, ChannelClosed)):
            receive_reply(other, soon())


@pytest.mark.parametrize("program", ["printf 'no message at all'; sleep 60", "exit 0"])
def test_a_process_that_talks_nonsense_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    other = tmp_path / "python"
    other.write_text(f"#!/bin/sh\n{program}\n")
    other.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(other))
    before = readers(os.getpid())
    sandbox = Sandbox(tmp_path)
    with pytest.raises(SandboxFailure, match=r"could not be read|interrupted"):
        sandbox.describe(tmp_path / "slide.svs")
    assert readers(os.getpid()) == before
    sandbox.close()
