"""What a sandbox's process does with slides and reports. Only ever imported there."""

from __future__ import annotations

import socket
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyvips
from safetensors.numpy import save

from histoseek.encoders.slide_bags import encode_prepared, open_prepared
from histoseek.encoders.tile.base import TileEncoder
from histoseek.encoders.tile.registry import load_tile_encoder
from histoseek.errors import EncoderError, HistoseekError, InputError, SlideError, UnreadableSlide
from histoseek.progress import CountingReporter
from histoseek.reports.files.texts import read_pdf, read_text
from histoseek.server.tiles import jpeg
from histoseek.server.tiles.deepzoom import DeepZoom
from histoseek.server.tiles.service import THUMBNAIL_PX
from histoseek.server.tiles.tile_grid import NoSuchTile
from histoseek.server.uploads.messages import (
    DescribeRequest,
    EncodedBag,
    EncodeRequest,
    Failure,
    FigureRequest,
    Picture,
    ProgressReply,
    ReadText,
    RegionRequest,
    Reply,
    Request,
    SlideDescription,
    TextRequest,
    ThumbnailRequest,
    TileRequest,
    parse_request,
    send,
)
from histoseek.server.uploads.slide_facts import LONGEST_PX, LevelFacts, SlideFacts
from histoseek.server.uploads.slide_files import DICOM
from histoseek.slides.readers.dicom_series import find_series_uid
from histoseek.slides.slide import Slide, open_slide
from histoseek.slides.sources.file import FileSource
from histoseek.viewing.figure import encode_png

_OPEN_SLIDES = 4
_PICTURES_BYTES = 2**29
_ANY_SPACING_UM_PER_PX = 1.0
_WORKERS = 2
_LONGEST_TEXT = 1000


@dataclass(frozen=True, slots=True)
class _OpenSlide:
    slide: Slide
    image: DeepZoom


class UploadReader:
    """Answers requests on a channel, one after the other, and keeps a few slides open for those to come."""

    def __init__(self, channel: socket.socket, encoder: str | None) -> None:
        self._channel = channel
        self._encoder = _try_load(encoder) if encoder is not None else None
        self._slides: OrderedDict[Path, _OpenSlide] = OrderedDict()

    def handle(self, header: bytes) -> None:
        """Answer one; errors that users can meet are answers, too, and others end the process."""
        request = parse_request(header)
        try:
            reply, payload = self._dispatch(request)
        except HistoseekError as error:
            if isinstance(error.__cause__, MemoryError):
                # A process that ran out of memory is not to be trusted: it ends, and failures of the slide are counted.
                raise error.__cause__ from error
            self._close(request.path)
            reply, payload = _to_failure(error), b""
        finally:
            # libvips keeps files of finished operations open, for the case that the same is wanted again.
            pyvips.cache_set_max(0)
        send(self._channel, reply, payload)

    def close_deleted(self) -> None:
        """Close slides whose uploads were deleted: their bytes stay on the disk for as long as they are open."""
        for path in [path for path in self._slides if not path.exists()]:
            self._close(path)

    def _dispatch(self, request: Request) -> tuple[Reply, bytes]:
        if isinstance(request, DescribeRequest):
            return SlideDescription(self._describe(request)), b""
        if isinstance(request, TextRequest):
            return ReadText(), _read_text(request.path).encode()
        if isinstance(request, EncodeRequest):
            return self._encode(request)
        return Picture(), self._draw(request)

    def _draw(self, request: ThumbnailRequest | TileRequest | RegionRequest | FigureRequest) -> bytes:
        if isinstance(request, ThumbnailRequest):
            return self._make_thumbnail(request)
        image = self._open(request.path).image
        if isinstance(request, TileRequest):
            return image.encode_tile(request.level, request.column, request.row, request.stain)
        if isinstance(request, RegionRequest):
            return jpeg.encode(image.make_region(request.picture))
        return encode_png(image.draw_figure(request.spec))

    def _describe(self, request: DescribeRequest) -> SlideFacts:
        _require_one_series(request.path)
        slide = self._open(request.path)
        if slide.slide.size.longer_edge > LONGEST_PX:
            raise UnreadableSlide(request.path, f"its longer edge of {slide.slide.size.longer_edge} px is too long")
        spacing = request.spacing_um_per_px
        if spacing is None:
            spacing = slide.slide.stated_spacing_um_per_px
        levels = tuple(
            LevelFacts(level.size.width, level.size.height, level.downsample) for level in slide.slide.levels
        )
        return SlideFacts.from_info(slide.image.info, spacing, levels, slide.slide.vendor)

    def _make_thumbnail(self, request: ThumbnailRequest) -> bytes:
        if request.px not in THUMBNAIL_PX:
            raise InputError(
                f"px={request.px}", f"a thumbnail is {THUMBNAIL_PX.start} to {THUMBNAIL_PX.stop - 1} px wide or high"
            )
        return jpeg.encode(self._open(request.path).image.make_thumbnail(request.px))

    def _encode(self, request: EncodeRequest) -> tuple[EncodedBag, bytes]:
        if self._encoder is None:
            raise EncoderError(request.recipe.encoder, "is not loaded")
        if isinstance(self._encoder, HistoseekError):
            raise self._encoder
        edge_px = self._encoder.card.tile_px
        with open_prepared(
            FileSource(request.path), request.recipe, edge_px, request.spacing_um_per_px, request.regions, trust=True
        ) as prepared:
            reporter = _ChannelReporter(self._channel, len(prepared.tiles))
            bag = encode_prepared(prepared, self._encoder, _WORKERS, reporter)
        arrays = {"features": bag.features, "coords": bag.coords, "weights": bag.weights}
        if bag.tissue is not None:
            arrays["tissue"] = bag.tissue
        return EncodedBag(bag.tile_size_level0, bag.spacing_um_per_px, bag.encoder), save(arrays)

    def _open(self, path: Path) -> _OpenSlide:
        """The slide, at whatever spacing: pixels are asked for by level."""
        if path in self._slides:
            self._slides.move_to_end(path)
            return self._slides[path]
        slide = open_slide(FileSource(path), _ANY_SPACING_UM_PER_PX, trust=True)
        try:
            self._slides[path] = _OpenSlide(slide, DeepZoom(slide))
        except HistoseekError:
            slide.close()
            raise
        self._make_room()
        return self._slides[path]

    def _make_room(self) -> None:
        """Close the slides used least recently; the newest stays."""
        while len(self._slides) > 1 and (
            len(self._slides) > _OPEN_SLIDES
            or sum(slide.image.memory_bytes for slide in self._slides.values()) > _PICTURES_BYTES
        ):
            self._close(next(iter(self._slides)))

    def _close(self, path: Path) -> None:
        slide = self._slides.pop(path, None)
        if slide is not None:
            slide.image.close()


def _require_one_series(path: Path) -> None:
    """Raise UnreadableSlide for DICOM files of several series: of all but one nothing would be seen."""
    others = sorted(path.parent.glob(f"{path.stem}_*{DICOM}")) if path.suffix == DICOM else []
    series = {find_series_uid(file) for file in (path, *others)} if others else set()
    if len(series) > 1:
        what = f"its files are of {len(series)} DICOM series; each belongs into a folder of its own"
        raise UnreadableSlide(path, what)


def _read_text(path: Path) -> str:
    return read_pdf(path) if path.suffix.lower() == ".pdf" else read_text(path)[0]


def create_handler(channel: socket.socket, encoder: str | None) -> UploadReader:
    """What answers the requests of a process."""
    return UploadReader(channel, encoder)


def prepare_model(encoder: str) -> None:
    """Put a model into the cache folder if it isn't there yet."""
    load_tile_encoder(encoder)


def _try_load(encoder: str) -> TileEncoder | HistoseekError:
    """The encoder, or why there is none, for those who want to encode."""
    try:
        return load_tile_encoder(encoder)
    except HistoseekError as error:
        return error


class _ChannelReporter(CountingReporter):
    """A Reporter that sends progress to the server."""

    def __init__(self, channel: socket.socket, total: int) -> None:
        super().__init__(total)
        self._channel = channel
        self.publish()

    def publish(self) -> None:
        send(self._channel, ProgressReply(self.done, self.total))


def _to_failure(error: HistoseekError) -> Failure:
    family: Literal["slide", "tile", "encoder", "other"] = "other"
    if isinstance(error, SlideError):
        family = "slide"
    elif isinstance(error, NoSuchTile):
        family = "tile"
    elif isinstance(error, EncoderError):
        family = "encoder"
    where, what, advice = (text[:_LONGEST_TEXT] for text in (error.where, error.what, error.advice))
    return Failure(error.kind, family, where, what, advice)
