"""What the server and a sandbox's process send each other: a JSON header and bytes.

What comes back from the process is checked as if a stranger had sent it.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from histoseek.encoders.recipe import Recipe
from histoseek.geometry import Rect
from histoseek.sandbox.channel import InvalidMessage, send_message
from histoseek.server.tiles.region import RegionPicture
from histoseek.server.uploads.slide_facts import SlideFacts
from histoseek.viewing.appearance import StainName
from histoseek.viewing.figure import FigureSpec

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
    """A Deep Zoom tile as a JPEG file, of one stain where one is named."""

    path: Path
    level: int
    column: int
    row: int
    stain: StainName | None = None
    kind: Literal["tile"] = "tile"


@dataclass(frozen=True, slots=True)
class RegionRequest:
    """A region of a slide as a JPEG file."""

    path: Path
    picture: RegionPicture
    kind: Literal["region"] = "region"


@dataclass(frozen=True, slots=True)
class FigureRequest:
    """A view of a slide as a PNG file."""

    path: Path
    spec: FigureSpec
    kind: Literal["figure"] = "figure"


@dataclass(frozen=True, slots=True)
class EncodeRequest:
    """The bag of a slide, or of regions of it in level-0 px."""

    path: Path
    recipe: Recipe
    spacing_um_per_px: float | None
    regions: tuple[Rect, ...]
    kind: Literal["encode"] = "encode"


@dataclass(frozen=True, slots=True)
class TextRequest:
    """The text of a report: a PDF or a plain file."""

    path: Path
    kind: Literal["text"] = "text"


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
    """The bytes behind this are a picture, as the request says of which format."""

    kind: Literal["picture"] = "picture"


@dataclass(frozen=True, slots=True)
class ReadText:
    """The bytes behind this are a text as UTF-8."""

    kind: Literal["read"] = "read"


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


Request = Annotated[
    DescribeRequest | ThumbnailRequest | TileRequest | RegionRequest | FigureRequest | EncodeRequest | TextRequest,
    Field(discriminator="kind"),
]
Reply = Annotated[
    ProgressReply | SlideDescription | Picture | EncodedBag | ReadText | Failure, Field(discriminator="kind")
]


def send(channel: socket.socket, message: Request | Reply, payload: bytes = b"") -> None:
    """Send a message with its bytes; raises ChannelClosed."""
    send_message(channel, dump_message(message), payload)


def dump_message(message: Request | Reply) -> bytes:
    """A message as a header."""
    return _get_message_adapter().dump_json(message)


def parse_request(header: bytes) -> Request:
    """The request in a header that the server sent."""
    return _get_request_adapter().validate_json(header)


def parse_reply(header: bytes) -> Reply:
    """The reply in a header that a process sent; raises InvalidMessage."""
    try:
        return _get_reply_adapter().validate_json(header)
    except ValidationError as error:
        raise InvalidMessage from error


@lru_cache(maxsize=1)
def _get_request_adapter() -> TypeAdapter[Request]:
    return TypeAdapter(Request)


@lru_cache(maxsize=1)
def _get_reply_adapter() -> TypeAdapter[Reply]:
    return TypeAdapter(Reply)


@lru_cache(maxsize=1)
def _get_message_adapter() -> TypeAdapter[Request | Reply]:
    return TypeAdapter(Request | Reply)
