"""What the server and a sandbox's process say to each other: a JSON header and bytes, each with its length in front.

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
from histoseek.server.uploads.facts import SlideFacts

_LENGTHS = struct.Struct("!IQ")
_MOST_HEADER = 2**20
_MOST_PAYLOAD = 2**30
_PIECE = 2**20

Told = Callable[[int, int | None], object]
"""Is told how many tiles are done, and of how many."""


@dataclass(frozen=True, slots=True)
class Describe:
    """Look at a slide; a spacing given here wins over the file's."""

    path: Path
    spacing_um_per_px: float | None
    kind: Literal["describe"] = "describe"


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """The whole slide as a JPEG file with this longer edge."""

    path: Path
    px: int
    kind: Literal["thumbnail"] = "thumbnail"


@dataclass(frozen=True, slots=True)
class Tile:
    """A Deep Zoom tile as a JPEG file."""

    path: Path
    level: int
    column: int
    row: int
    kind: Literal["tile"] = "tile"


@dataclass(frozen=True, slots=True)
class Encode:
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
class Progressed:
    """So many tiles are encoded; the answer is still to come."""

    done: int
    total: int | None
    kind: Literal["progressed"] = "progressed"


@dataclass(frozen=True, slots=True)
class Described:
    """What is known of a slide."""

    facts: SlideFacts
    kind: Literal["described"] = "described"


@dataclass(frozen=True, slots=True)
class Picture:
    """The bytes behind this are a JPEG file."""

    kind: Literal["picture"] = "picture"


@dataclass(frozen=True, slots=True)
class Encoded:
    """The bytes behind this are the arrays of a bag as safetensors."""

    tile_size_level0: int
    spacing_um_per_px: float
    encoder: str
    kind: Literal["encoded"] = "encoded"


@dataclass(frozen=True, slots=True)
class Failed:
    """An error that a user can meet; error: its class, family: what of the ways to fail it belongs to."""

    error: Annotated[str, Field(pattern=r"^[A-Za-z]{1,60}$")]
    family: Literal["slide", "tile", "encoder", "other"]
    where: Annotated[str, Field(max_length=2000)]
    what: Annotated[str, Field(max_length=2000)]
    advice: Annotated[str, Field(max_length=2000)]
    kind: Literal["failed"] = "failed"


Request = Annotated[Describe | Thumbnail | Tile | Encode, Field(discriminator="kind")]
Answer = Annotated[Ready | Progressed | Described | Picture | Encoded | Failed, Field(discriminator="kind")]


class Ended(Exception):
    """The other side has gone."""


class Garbage(Exception):
    """The other side sent what is no message."""


def send(channel: socket.socket, message: Request | Answer, payload: bytes = b"", until_s: float | None = None) -> None:
    """Send a message with its bytes; raises Ended, or TimeoutError after `until_s` of the monotonic clock."""
    header = _messages().dump_json(message)
    channel.settimeout(_left_s(until_s))
    try:
        channel.sendall(_LENGTHS.pack(len(header), len(payload)) + header)
        if payload:
            channel.sendall(payload)
    except TimeoutError:
        raise
    except OSError as error:
        raise Ended from error


def receive_request(channel: socket.socket) -> Request:
    """Wait for a request; raises Ended."""
    header, _ = _receive(channel, None)
    return _requests().validate_json(header)


def receive_answer(channel: socket.socket, until_s: float) -> tuple[Answer, bytes]:
    """An answer and its bytes; raises Ended, Garbage, or TimeoutError after `until_s` of the monotonic clock."""
    header, payload = _receive(channel, until_s)
    try:
        return _answers().validate_json(header), payload
    except ValidationError as error:
        raise Garbage from error


def _receive(channel: socket.socket, until_s: float | None) -> tuple[bytes, bytes]:
    header_bytes, payload_bytes = _LENGTHS.unpack(_exactly(channel, _LENGTHS.size, until_s))
    if header_bytes > _MOST_HEADER or payload_bytes > _MOST_PAYLOAD:
        raise Garbage
    return _exactly(channel, header_bytes, until_s), _exactly(channel, payload_bytes, until_s)


def _exactly(channel: socket.socket, length: int, until_s: float | None) -> bytes:
    # What is said to come is not set aside in advance: a lie about it costs nothing.
    parts = bytearray()
    while len(parts) < length:
        channel.settimeout(_left_s(until_s))
        try:
            piece = channel.recv(min(_PIECE, length - len(parts)))
        except TimeoutError:
            raise
        except OSError as error:
            raise Ended from error
        if not piece:
            raise Ended
        parts += piece
    return bytes(parts)


def _left_s(until_s: float | None) -> float | None:
    if until_s is None:
        return None
    left_s = until_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    return left_s


@lru_cache(maxsize=1)
def _requests() -> TypeAdapter[Request]:
    return TypeAdapter(Request)


@lru_cache(maxsize=1)
def _answers() -> TypeAdapter[Answer]:
    return TypeAdapter(Answer)


@lru_cache(maxsize=1)
def _messages() -> TypeAdapter[Request | Answer]:
    return TypeAdapter(Request | Answer)
