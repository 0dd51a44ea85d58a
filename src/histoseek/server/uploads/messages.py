"""What the server and a sandbox's process send each other: a JSON header and bytes, each with its length in front.

Nothing is unpickled. What comes back from the process is checked as if a stranger had sent it.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from histoseek.encoders.recipe import Recipe
from histoseek.geometry import Rect
from histoseek.server.uploads.slide_facts import SlideFacts

_LENGTHS = struct.Struct("!IQ")
_MAX_HEADER = 2**20
_MAX_PAYLOAD = 2**30
_PIECE = 2**20

OnProgress = Callable[[int, int | None], object]
"""Takes how many tiles are done, and of how many."""


def ignore_progress(done: int, total: int | None) -> None:
    """Nobody follows the progress."""


@dataclass(frozen=True, slots=True)
class DescribeRequest:
    """Look at a slide; a spacing given here wins over the file's."""

    path: Path
    spacing_um_per_px: float | None
    kind: Literal["describe"] = "describe"


@dataclass(frozen=True, slots=True)
class ThumbnailRequest:
    """The whole slide as a JPEG file with this longer edge."""

    path: Path
    px: int
    kind: Literal["thumbnail"] = "thumbnail"


@dataclass(frozen=True, slots=True)
class TileRequest:
    """A Deep Zoom tile as a JPEG file."""

    path: Path
    level: int
    column: int
    row: int
    kind: Literal["tile"] = "tile"


@dataclass(frozen=True, slots=True)
class EncodeRequest:
    """The bag of a slide, or of regions of it in level-0 px."""

    path: Path
    recipe: Recipe
    spacing_um_per_px: float | None
    regions: tuple[Rect, ...]
    kind: Literal["encode"] = "encode"


@dataclass(frozen=True, slots=True)
class Ready:
    """The process has started, and takes requests."""

    kind: Literal["ready"] = "ready"


@dataclass(frozen=True, slots=True)
class ProgressReply:
    """So many tiles are encoded; the answer is still to come."""

    done: int
    total: int | None
    kind: Literal["progressed"] = "progressed"


@dataclass(frozen=True, slots=True)
class SlideDescription:
    """What is known of a slide."""

    facts: SlideFacts
    kind: Literal["described"] = "described"


@dataclass(frozen=True, slots=True)
class Picture:
    """The bytes behind this are a JPEG file."""

    kind: Literal["picture"] = "picture"


@dataclass(frozen=True, slots=True)
class EncodedBag:
    """The bytes behind this are the arrays of a bag as safetensors."""

    tile_size_level0: int
    spacing_um_per_px: float
    encoder: str
    kind: Literal["encoded"] = "encoded"


@dataclass(frozen=True, slots=True)
class Failure:
    """An error that a user can meet; error: its class, family: what of the ways to fail it belongs to."""

    error: Annotated[str, Field(pattern=r"^[A-Za-z]{1,60}$")]
    family: Literal["slide", "tile", "encoder", "other"]
    where: Annotated[str, Field(max_length=2000)]
    what: Annotated[str, Field(max_length=2000)]
    advice: Annotated[str, Field(max_length=2000)]
    kind: Literal["failed"] = "failed"


Request = Annotated[DescribeRequest | ThumbnailRequest | TileRequest | EncodeRequest, Field(discriminator="kind")]
Reply = Annotated[
    Ready | ProgressReply | SlideDescription | Picture | EncodedBag | Failure, Field(discriminator="kind")
]


class ChannelClosed(Exception):
    """The other side has gone."""


class InvalidMessage(Exception):
    """The other side sent what is no message."""


def send(channel: socket.socket, message: Request | Reply, payload: bytes = b"", until_s: float | None = None) -> None:
    """Send a message with its bytes; raises ChannelClosed, or TimeoutError after `until_s` of the monotonic clock."""
    header = _get_message_adapter().dump_json(message)
    channel.settimeout(_compute_timeout(until_s))
    try:
        channel.sendall(_LENGTHS.pack(len(header), len(payload)) + header)
        if payload:
            channel.sendall(payload)
    except TimeoutError:
        raise
    except OSError as error:
        raise ChannelClosed from error


def receive_request(channel: socket.socket) -> Request:
    """Wait for a request; raises ChannelClosed."""
    header, _ = _receive(channel, None)
    return _get_request_adapter().validate_json(header)


def receive_reply(channel: socket.socket, until_s: float) -> tuple[Reply, bytes]:
    """A reply and its bytes; raises ChannelClosed, InvalidMessage, TimeoutError after `until_s` (monotonic clock)."""
    header, payload = _receive(channel, until_s)
    try:
        return _get_reply_adapter().validate_json(header), payload
    except ValidationError as error:
        raise InvalidMessage from error


def _receive(channel: socket.socket, until_s: float | None) -> tuple[bytes, bytes]:
    header_bytes, payload_bytes = _LENGTHS.unpack(_receive_exactly(channel, _LENGTHS.size, until_s))
    if header_bytes > _MAX_HEADER or payload_bytes > _MAX_PAYLOAD:
        raise InvalidMessage
    return _receive_exactly(channel, header_bytes, until_s), _receive_exactly(channel, payload_bytes, until_s)


def _receive_exactly(channel: socket.socket, length: int, until_s: float | None) -> bytes:
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


@lru_cache(maxsize=1)
def _get_request_adapter() -> TypeAdapter[Request]:
    return TypeAdapter(Request)


@lru_cache(maxsize=1)
def _get_reply_adapter() -> TypeAdapter[Reply]:
    return TypeAdapter(Reply)


@lru_cache(maxsize=1)
def _get_message_adapter() -> TypeAdapter[Request | Reply]:
    return TypeAdapter(Request | Reply)
