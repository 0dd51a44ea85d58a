"""What a confined process does for a ConfinedReader. Only ever imported where processes are forked from.

Libraries that readers load when they need them are loaded here: once, not in each process.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tifffile

from histoseek.slides.readers.base import PixelReader
from histoseek.slides.readers.confined import PIXELS
from histoseek.slides.readers.formats import open_reader
from histoseek.slides.readers.openslide import read_series_uid
from histoseek.slides.readers.vips import load_vips
from histoseek.zarr_arrays import load_decoders

_PRELOADED = (tifffile, load_vips(), load_decoders())


class SlideHandler:
    """Opens a slide at the first request, and reads regions at those that follow; or says of which series it is."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reader: PixelReader | None = None

    def __call__(self, header: bytes) -> tuple[bytes, bytes | memoryview]:
        """A reply: facts of the slide, or pixels, or an error."""
        place = json.loads(header)
        if place.get("kind") == "series":
            return json.dumps(read_series_uid(self._path)).encode(), b""
        if self._reader is None:
            self._reader = open_reader(self._path)
            return _describe(self._reader), b""
        pixels = self._reader.read(place["level"], place["x"], place["y"], place["width"], place["height"])
        return PIXELS, np.ascontiguousarray(pixels).reshape(-1).data


def create_handler(arguments: Mapping[str, str | float | None]) -> SlideHandler:
    """What answers the requests of a process; path: the slide's file."""
    return SlideHandler(Path(str(arguments["path"])))


def _describe(reader: PixelReader) -> bytes:
    levels = [(int(level.size.width), int(level.size.height), float(level.downsample)) for level in reader.levels]
    spacing = reader.spacing_um_per_px
    facts = {
        "levels": levels,
        "spacing_um_per_px": None if spacing is None else float(spacing),
        "vendor": reader.vendor,
    }
    return json.dumps(facts).encode()
