"""What two processes send each other: a header and bytes, each with its length in front. Nothing is unpickled."""

from __future__ import annotations

import socket
import struct
import time

_LENGTHS = struct.Struct("!IQ")
_MAX_HEADER = 2**20
_MAX_PAYLOAD = 2**30
_PIECE = 2**20


class ChannelClosed(Exception):
    """The other side has gone."""


class InvalidMessage(Exception):
    """The other side sent what is no message."""


def send_message(
    channel: socket.socket, header: bytes, payload: bytes | memoryview = b"", until_s: float | None = None
) -> None:
    """Send a header with its bytes; raises ChannelClosed, or TimeoutError after `until_s` of the monotonic clock."""
    channel.settimeout(_compute_timeout(until_s))
    try:
        channel.sendall(_LENGTHS.pack(len(header), len(payload)) + header)
        if payload:
            channel.sendall(payload)
    except TimeoutError:
        raise
    except OSError as error:
        raise ChannelClosed from error


def receive_message(channel: socket.socket, until_s: float | None = None) -> tuple[bytes, bytes]:
    """A header and its bytes; raises ChannelClosed, InvalidMessage, TimeoutError after `until_s` (monotonic clock)."""
    header, length = receive_header(channel, until_s)
    return header, receive_payload(channel, length, until_s)


def receive_header(channel: socket.socket, until_s: float | None = None) -> tuple[bytes, int]:
    """A header and how many bytes come after it; raises as `receive_message` does."""
    header_bytes, payload_bytes = _LENGTHS.unpack(receive_payload(channel, _LENGTHS.size, until_s))
    if header_bytes > _MAX_HEADER or payload_bytes > _MAX_PAYLOAD:
        raise InvalidMessage
    return receive_payload(channel, header_bytes, until_s), payload_bytes


def receive_into(channel: socket.socket, target: memoryview, until_s: float | None = None) -> None:
    """Fill bytes with those that come; raises ChannelClosed, TimeoutError."""
    while target:
        channel.settimeout(_compute_timeout(until_s))
        try:
            length = channel.recv_into(target)
        except TimeoutError:
            raise
        except OSError as error:
            raise ChannelClosed from error
        if not length:
            raise ChannelClosed
        target = target[length:]


def receive_payload(channel: socket.socket, length: int, until_s: float | None = None) -> bytes:
    """So many bytes; raises ChannelClosed, TimeoutError."""
    # What is said to come is not set aside in advance: a lie about it costs nothing.
    parts = bytearray()
    while len(parts) < length:
        channel.settimeout(_compute_timeout(until_s))
        try:
            piece = channel.recv(min(_PIECE, length - len(parts)))
        except TimeoutError:
            raise
        except OSError as error:
            raise ChannelClosed from error
        if not piece:
            raise ChannelClosed
        parts += piece
    return bytes(parts)


def _compute_timeout(until_s: float | None) -> float | None:
    if until_s is None:
        return None
    left_s = until_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    return left_s
