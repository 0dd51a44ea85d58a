"""A slide: pixels at a known spacing. Label and macro images can't be reached from here."""

from __future__ import annotations

import math
from functools import partial
from types import TracebackType
from typing import Self

import cv2
import numpy as np

from histoseek.bounds import refusing_exhaustion
from histoseek.errors import MissingSpacing, SpacingTooFine, UnreadableSlide
from histoseek.geometry import Level, Rect, Size
from histoseek.settings import choose_trust
from histoseek.slides.readers.base import PixelReader, Pixels
from histoseek.slides.sources.base import SlideSource
from histoseek.slides.sources.registry import SourceLike, parse_source

_FINEST_UM_PER_PX = 0.01
"""Far below what light resolves; a smaller number is a mistake of units."""

_COARSEST_UM_PER_PX = 100.0
_STRIP_PIXELS = 4 * 2**20


class Slide:
    """An open slide. Use `open_slide`; close it, or use it as a context manager. Safe to read from several threads."""

    def __init__(self, source: SlideSource, reader: PixelReader, spacing_um_per_px: float) -> None:
        self._reader = reader
        self.source = source
        self.spacing_um_per_px = spacing_um_per_px
        """Level-0 spacing in µm/px."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def size(self) -> Size:
        """Width and height in level-0 px."""
        return self._reader.levels[0].size

    @property
    def levels(self) -> tuple[Level, ...]:
        """The pyramid, finest first."""
        return self._reader.levels

    @property
    def vendor(self) -> str:
        """The format's name."""
        return self._reader.vendor

    @property
    def stated_spacing_um_per_px(self) -> float | None:
        """What the file itself states, whatever was given; None where that is nothing plausible."""
        stated = self._reader.spacing_um_per_px
        return stated if stated is not None and _is_plausible(stated) else None

    def close(self) -> None:
        """Let go of the file."""
        self._reader.close()

    def read_level(self, level: int, x: int, y: int, width: int, height: int) -> Pixels:
        """A region in the level's own pixels, uint8 [height, width, 3]; white outside of the slide."""
        with refusing_exhaustion(partial(UnreadableSlide, self.source.uri)):
            return self._reader.read(level, x, y, width, height)

    def read_at(self, spacing_um_per_px: float, rect: Rect, out: Size) -> Pixels:
        """The level-0 rectangle as uint8 [out.height, out.width, 3], from the next finer level, averaged by area.

        Raises UnreadableSlide when the file is damaged there.
        """
        level = self._finer_level(spacing_um_per_px / self.spacing_um_per_px)
        x, y = round(rect.x / level.downsample), round(rect.y / level.downsample)
        width = max(1, round(rect.right / level.downsample) - x)
        height = max(1, round(rect.bottom / level.downsample) - y)
        return _resampled(self.read_level(level.index, x, y, width, height), out)

    def thumbnail(self, longer_edge_px: int) -> Pixels:
        """The whole slide, uint8 [h, w, 3] with the longer edge as given, read from the pyramid in strips."""
        shrink = max(1.0, self.size.longer_edge / longer_edge_px)
        out = Size(max(1, round(self.size.width / shrink)), max(1, round(self.size.height / shrink)))
        level = self._finer_level(shrink)
        rows = max(1, int(_STRIP_PIXELS / level.size.width * out.height / level.size.height))
        strips = [self._strip(level, out, top, min(out.height, top + rows)) for top in range(0, out.height, rows)]
        return np.concatenate(strips)

    def _strip(self, level: Level, out: Size, top: int, bottom: int) -> Pixels:
        first, last = (round(row * level.size.height / out.height) for row in (top, bottom))
        pixels = self.read_level(level.index, 0, first, level.size.width, max(1, last - first))
        return _resampled(pixels, Size(out.width, bottom - top))

    def _finer_level(self, downsample: float) -> Level:
        """The coarsest level that is still at least as fine as wanted (a thousandth is forgiven)."""
        fine_enough = [level for level in self.levels if level.downsample <= downsample * 1.001]
        return fine_enough[-1] if fine_enough else self.levels[0]


def open_slide(source: SourceLike, spacing_um_per_px: float | None = None, *, trust: bool | None = None) -> Slide:
    """Open a slide of any known format, by its source or address; a spacing given here wins over the file's.

    trust: whether its file is read in this very process, not in a confined one; None for what the settings say.
    Raises UnknownScheme, SlideNotFound, UnreadableSlide, or MissingSpacing when neither side gives a plausible spacing.
    """
    source = parse_source(source)
    with refusing_exhaustion(partial(UnreadableSlide, source.uri)):
        reader = source.open() if choose_trust(trust) else source.open_confined()
    try:
        spacing = spacing_um_per_px if spacing_um_per_px is not None else reader.spacing_um_per_px
        return Slide(source, reader, _plausible(source, spacing))
    except BaseException:
        reader.close()
        raise


def check_spacing(slide: Slide, wanted_um_per_px: float, tolerance: float) -> None:
    """Raise SpacingTooFine when the slide is coarser than wanted by more than `tolerance` (0.05 is 5 %)."""
    if slide.spacing_um_per_px > wanted_um_per_px * (1 + tolerance):
        raise SpacingTooFine(slide.source.uri, wanted_um_per_px, slide.spacing_um_per_px)


def _plausible(source: SlideSource, spacing_um_per_px: float | None) -> float:
    if spacing_um_per_px is None:
        raise MissingSpacing(source.uri, source.name)
    if math.isnan(spacing_um_per_px):
        raise MissingSpacing(source.uri, source.name, "the file's pixels are not square, or their unit is unknown")
    if not _is_plausible(spacing_um_per_px):
        raise MissingSpacing(source.uri, source.name, f"{spacing_um_per_px:.4g} µm/px is not a microscope's")
    return spacing_um_per_px


def _is_plausible(spacing_um_per_px: float) -> bool:
    return _FINEST_UM_PER_PX <= spacing_um_per_px <= _COARSEST_UM_PER_PX


def _resampled(pixels: Pixels, out: Size) -> Pixels:
    if pixels.shape[:2] == (out.height, out.width):
        return pixels
    shrinks = pixels.shape[0] >= out.height and pixels.shape[1] >= out.width
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, (out.width, out.height), interpolation=method), np.uint8)
