"""Messages between two processes, also when the other side is no friend."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from histoseek.sandbox.channel import ChannelClosed, InvalidMessage, receive_message, send_message
from tests.waiting import HANG_S

HEADER = b"{}"
Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    one, other = socket.socketpair()
    with one, other:
        yield one, other


def soon() -> float:
    return time.monotonic() + HANG_S


@pytest.mark.parametrize("payload", [b"", bytes(range(256)) * 100])
def test_messages_arrive_as_they_were_sent(pair: Pair, payload: bytes) -> None:
    send_message(pair[0], HEADER, payload)
    assert receive_message(pair[1], soon()) == (HEADER, payload)


def test_the_other_side_may_have_gone(pair: Pair) -> None:
    pair[0].close()
    with pytest.raises(ChannelClosed):
        receive_message(pair[1], soon())
    with pytest.raises(ChannelClosed):
        send_message(pair[1], HEADER)


def test_half_a_message_is_none(pair: Pair) -> None:
    pair[0].sendall(struct.pack("!IQ", 100, 0) + b"{")
    pair[0].close()
    with pytest.raises(ChannelClosed):
        receive_message(pair[1], soon())


def test_nobody_waits_longer_than_told(pair: Pair) -> None:
    pair[0].sendall(struct.pack("!IQ", 100, 0))
    with pytest.raises(TimeoutError):
        receive_message(pair[1], time.monotonic() + 0.05)
    with pytest.raises(TimeoutError):
        receive_message(pair[1], time.monotonic() - 1)


@pytest.mark.parametrize("lengths", [(2**31, 0), (10, 2**62)])
def test_lengths_are_bounded(pair: Pair, lengths: tuple[int, int]) -> None:
    pair[0].sendall(struct.pack("!IQ", *lengths))
    with pytest.raises(InvalidMessage):
        receive_message(pair[1], soon())


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200))
def test_no_bytes_are_an_answer_by_chance(content: bytes) -> None:
    one, other = socket.socketpair()
    with one, other:
        one.sendall(content)
        one.close()
        with pytest.raises((InvalidMessage, ChannelClosed)):
            receive_message(other, soon())
