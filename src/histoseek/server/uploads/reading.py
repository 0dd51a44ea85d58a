"""What a sandbox's process does with slides. Only ever imported there."""

from __future__ import annotations

import socket
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyvips
from safetensors.numpy import save

from histoseek.encoders.bagging import encode_prepared, open_prepared
from histoseek.encoders.tile.base import TileEncoder
from histoseek.encoders.tile.registry import load_tile_encoder
from histoseek.errors import EncoderError, HistoseekError, InputError, MissingSpacing, SlideError, UnreadableSlide
from histoseek.progress import CountingReporter
from histoseek.server.tiles import jpeg
from histoseek.server.tiles.deepzoom import DeepZoom
from histoseek.server.tiles.geometry import NoSuchTile
from histoseek.server.tiles.service import THUMBNAIL_PX
from histoseek.server.uploads.facts import LONGEST_PX, LevelFacts, SlideFacts
from histoseek.server.uploads.messages import (
    Answer,
    Describe,
    Described,
    Encode,
    Encoded,
    Failed,
    Picture,
    Progressed,
    Request,
    Thumbnail,
    Tile,
    send,
)
from histoseek.slides.readers.picture import PictureReader
from histoseek.slides.slide import Slide, open_slide
from histoseek.slides.sources.file import FileSource

_OPEN_SLIDES = 4
_PICTURES_BYTES = 2**29
_ANY_SPACING_UM_PER_PX = 1.0
_WORKERS = 2
_LONGEST_TEXT = 1000


@dataclass(frozen=True, slots=True)
class _Opened:
    slide: Slide
    image: DeepZoom


class Reader:
    """Answers requests on a channel, one after the other, and keeps a few slides open for those to come."""

    def __init__(self, channel: socket.socket, encoder: str | None) -> None:
        self._channel = channel
        self._encoder = _loaded(encoder) if encoder is not None else None
        self._opened: OrderedDict[Path, _Opened] = OrderedDict()

    def answer(self, request: Request) -> None:
        """Answer one; errors that users can meet are answers, too, and others end the process."""
        try:
            answer, payload = self._made(request)
        except HistoseekError as error:
            self._let_go(request.path)
            answer, payload = _failed(error), b""
        finally:
            # libvips keeps files of finished operations open, for whoever should ask for the same again.
            pyvips.cache_set_max(0)
        send(self._channel, answer, payload)

    def let_go_of_deleted(self) -> None:
        """Close slides whose uploads were deleted: their bytes stay on the disk for as long as they are open."""
        for path in [path for path in self._opened if not path.exists()]:
            self._let_go(path)

    def _made(self, request: Request) -> tuple[Answer, bytes]:
        if isinstance(request, Describe):
            return Described(self._facts(request)), b""
        if isinstance(request, Thumbnail):
            return Picture(), self._thumbnail(request)
        if isinstance(request, Tile):
            return Picture(), self._open(request.path).image.jpeg(request.level, request.column, request.row)
        return self._encoded(request)

    def _facts(self, request: Describe) -> SlideFacts:
        opened = self._open(request.path)
        if opened.slide.size.longer_edge > LONGEST_PX:
            raise UnreadableSlide(request.path, f"an edge of {opened.slide.size.longer_edge} px")
        spacing = request.spacing_um_per_px
        if spacing is None and opened.slide.vendor != PictureReader.vendor:
            spacing = _own_spacing(request.path)
        levels = tuple(LevelFacts(one.size.width, one.size.height, one.downsample) for one in opened.slide.levels)
        return SlideFacts.of(opened.image.info, spacing, levels, opened.slide.vendor)

    def _thumbnail(self, request: Thumbnail) -> bytes:
        if request.px not in THUMBNAIL_PX:
            raise InputError(f"px={request.px}", f"a thumbnail has {THUMBNAIL_PX.start} to {THUMBNAIL_PX.stop - 1} px")
        return jpeg.encode(self._open(request.path).image.thumbnail(request.px))

    def _encoded(self, request: Encode) -> tuple[Encoded, bytes]:
        if self._encoder is None:
            raise EncoderError(request.recipe.encoder, "is not loaded")
        if isinstance(self._encoder, HistoseekError):
            raise self._encoder
        edge_px = self._encoder.card.input_px
        with open_prepared(
            FileSource(request.path), request.recipe, edge_px, request.spacing_um_per_px, request.regions
        ) as prepared:
            reporter = _Telling(self._channel, len(prepared.tiles))
            bag = encode_prepared(prepared, self._encoder, _WORKERS, reporter)
        arrays = {"features": bag.features, "coords": bag.coords, "weights": bag.weights}
        return Encoded(bag.tile_size_level0, bag.spacing_um_per_px, bag.encoder), save(arrays)

    def _open(self, path: Path) -> _Opened:
        """The slide, at whatever spacing: pixels are asked for by level."""
        if path in self._opened:
            self._opened.move_to_end(path)
            return self._opened[path]
        slide = open_slide(FileSource(path), _ANY_SPACING_UM_PER_PX)
        try:
            self._opened[path] = _Opened(slide, DeepZoom(slide))
        except HistoseekError:
            slide.close()
            raise
        self._make_room()
        return self._opened[path]

    def _make_room(self) -> None:
        """Close the slides used least recently; the newest stays."""
        while len(self._opened) > 1 and (
            len(self._opened) > _OPEN_SLIDES
            or sum(opened.image.held_bytes for opened in self._opened.values()) > _PICTURES_BYTES
        ):
            self._let_go(next(iter(self._opened)))

    def _let_go(self, path: Path) -> None:
        opened = self._opened.pop(path, None)
        if opened is not None:
            opened.image.close()


def _loaded(encoder: str) -> TileEncoder | HistoseekError:
    """The encoder, or why there is none, to be told to whoever wants to encode."""
    try:
        return load_tile_encoder(encoder)
    except HistoseekError as error:
        return error


class _Telling(CountingReporter):
    """A Reporter that tells the server."""

    def __init__(self, channel: socket.socket, total: int) -> None:
        super().__init__(total)
        self._channel = channel
        self.tell()

    def tell(self) -> None:
        send(self._channel, Progressed(self.done, self.total))


def _own_spacing(path: Path) -> float | None:
    """What the file itself says, in um/px."""
    try:
        with open_slide(FileSource(path)) as slide:
            return slide.spacing_um_per_px
    except MissingSpacing:
        return None


def _failed(error: HistoseekError) -> Failed:
    family: Literal["slide", "tile", "encoder", "other"] = "other"
    if isinstance(error, SlideError):
        family = "slide"
    elif isinstance(error, NoSuchTile):
        family = "tile"
    elif isinstance(error, EncoderError):
        family = "encoder"
    where, what, advice = (text[:_LONGEST_TEXT] for text in (error.where, error.what, error.advice))
    return Failed(error.kind, family, where, what, advice)
