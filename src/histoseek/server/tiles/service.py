"""Tiles and thumbnails of slides as JPEG files, for many clients at once."""

from __future__ import annotations

import hashlib
import math
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from histoseek.deadline import check_deadline
from histoseek.errors import InputError, SlideError
from histoseek.server.tiles import jpeg
from histoseek.server.tiles.cache import ByteCache
from histoseek.server.tiles.open_slides import OpenSlides
from histoseek.server.tiles.region import RegionPicture
from histoseek.server.tiles.tile_grid import ImageInfo
from histoseek.server.tiles.turns import Turns
from histoseek.slides.readers.base import Pixels
from histoseek.slides.sources.base import SlideSource
from histoseek.viewing.appearance import StainName
from histoseek.viewing.figure import FigureSpec

THUMBNAIL_PX = range(16, 2049)
"""Lengths of a thumbnail's longer edge that can be asked for."""

_VERSION = 1
"""To be raised when other bytes are made of the same slide."""

_BELIEVED_S = 2.0
"""How long a file is believed to be as it was: then it is looked at again, which may take its time."""

_LOOKED_AFTER_S = 0.5
"""When it is looked at again by a thread that nobody waits for, if it is still asked for."""

_MOST_STATES = 1024
_PICTURES_BYTES = 2**30


class TileService:
    """Shows slides by source: the sources are the caller's, from an archive's records and never from a request.

    At most `max_open_slides` slides stay open, and finished JPEG files take at most `cache_mb` MB. Pixels are decoded
    by as many threads at a time as there are cores, at least two; a slide that takes long to open up keeps one of them.
    Label and macro images can't be reached: only levels of a slide are read. All methods raise SlideNotFound or
    UnreadableSlide for a slide that is missing or damaged.
    """

    def __init__(self, max_open_slides: int, cache_mb: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._slides = OpenSlides(max_open_slides, _PICTURES_BYTES)
        self._cache = ByteCache(cache_mb * 2**20)
        self._clock = clock
        self._states: OrderedDict[SlideSource, tuple[str, float]] = OrderedDict()
        self._looked_at: set[SlideSource] = set()
        self._looking = ThreadPoolExecutor(1, "files")
        self._guard = threading.Lock()
        self._decoding = Turns(max(2, len(os.sched_getaffinity(0))))

    def compute_etag(self, source: SlideSource) -> str:
        """The value of an ETag header for what is shown of this slide, quotes included: another after it changed."""
        return _make_etag(self._read_state(source))

    def describe(self, source: SlideSource, spacing_um_per_px: float) -> ImageInfo:
        """What a client needs to ask for tiles; the spacing is the archive's, which may know better than the file."""
        with self._slides.use(source) as image:
            return replace(image.info, spacing_um_per_px=spacing_um_per_px)

    def make_tile(
        self, source: SlideSource, level: int, column: int, row: int, stain: StainName | None = None
    ) -> bytes:
        """A tile as a JPEG file, with one stain alone where one is named. Raises NoSuchTile outside of the image."""
        key = (source, self._read_state(source), level, column, row, stain)
        picture = self._cache.get(key)
        if picture is not None:
            return picture
        with self._slides.use(source) as image:
            stored = image.read_stored_jpeg(level, column, row) if stain is None else None
            if stored is not None:
                self._cache.put(key, stored)
                return stored
            if level <= image.overview_level:
                image.prepare(self._decoding)
            return self._make(key, lambda: image.encode_tile(level, column, row, stain))

    def recall_tile(self, source: SlideSource, level: int, column: int, row: int) -> tuple[str, bytes] | None:
        """A tile with its ETag, where it is in memory and the file was looked at a moment ago: nothing is read.

        The file of a slide that goes on being asked for is looked at in time by a thread, so that nobody waits for it.
        """
        with self._guard:
            state, seen = self._states.get(source, ("", -math.inf))
        age_s = self._clock() - seen
        picture = self._cache.get((source, state, level, column, row, None)) if age_s < _BELIEVED_S else None
        if picture is None:
            return None
        if age_s > _LOOKED_AFTER_S:
            self._look_ahead(source)
        return _make_etag(state), picture

    def make_thumbnail(self, source: SlideSource, px: int) -> bytes:
        """The whole slide as a JPEG file with its longer edge as given. Raises InputError outside of THUMBNAIL_PX."""
        if px not in THUMBNAIL_PX:
            raise InputError(
                f"px={px}", f"a thumbnail is {THUMBNAIL_PX.start} to {THUMBNAIL_PX.stop - 1} px wide or high"
            )
        key = (source, source.state(), px)
        picture = self._cache.get(key)
        if picture is not None:
            return picture
        with self._slides.use(source) as image:
            image.prepare(self._decoding)
            return self._make(key, lambda: jpeg.encode(image.make_thumbnail(px)))

    def make_region(self, source: SlideSource, picture: RegionPicture) -> bytes:
        """A region of a slide as a JPEG file. Raises InputError for one outside of it, or too costly to read."""
        key = (source, source.state(), picture)
        kept = self._cache.get(key)
        if kept is not None:
            return kept
        with self._slides.use(source) as image:
            if image.is_overview(picture):
                image.prepare(self._decoding)
            return self._make(key, lambda: jpeg.encode(image.make_region(picture)))

    def draw_figure(self, source: SlideSource, spec: FigureSpec) -> Pixels:
        """A view of a slide as a figure, uint8 [height, width, 3]; nothing of it is kept."""
        with self._slides.use(source) as image, self._decoding:
            check_deadline()
            return image.draw_figure(spec)

    def forget(self, source: SlideSource) -> None:
        """Close a slide, and forget all that was made of it."""
        self._slides.drop(source)
        with self._guard:
            self._states.pop(source, None)
        self._cache.drop(lambda key: isinstance(key, tuple) and key[0] == source)

    def close(self) -> None:
        """Close all slides, those in use after their last reader, and free the memory."""
        self._looking.shutdown(wait=False, cancel_futures=True)
        self._slides.close()
        self._cache.clear()

    def _read_state(self, source: SlideSource) -> str:
        """What tells the file's content from others, as it is now."""
        seen = self._clock()
        state = source.state()
        with self._guard:
            self._states[source] = state, seen
            self._states.move_to_end(source)
            while len(self._states) > _MOST_STATES:
                self._states.popitem(last=False)
        return state

    def _look_ahead(self, source: SlideSource) -> None:
        """Look at a file in a thread, unless that is under way."""
        if source not in self._looked_at:
            self._looked_at.add(source)
            self._looking.submit(self._look, source)

    def _look(self, source: SlideSource) -> None:
        try:
            self._read_state(source)
        except SlideError:
            # Who asks for it next is told.
            with self._guard:
                self._states.pop(source, None)
        finally:
            self._looked_at.discard(source)

    def _make(self, key: Hashable, make: Callable[[], bytes]) -> bytes:
        with self._decoding:
            check_deadline()
            # While this waited, another request may have made the same.
            picture = self._cache.get(key) or make()
        self._cache.put(key, picture)
        return picture


def _make_etag(state: str) -> str:
    return f'"{hashlib.sha256(f"{_VERSION}:{state}".encode()).hexdigest()[:32]}"'
