"""From a slide to its bag: open, find tissue, lay tiles, encode."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from histoseek.bounds import refusing_exhaustion
from histoseek.encoders.bag import Bag
from histoseek.encoders.recipe import Recipe
from histoseek.encoders.tile.base import TileCard, TileEncoder
from histoseek.encoders.tile.preparation import prepare_ahead
from histoseek.encoders.tile.runtimes.model import PreparedEncoder
from histoseek.errors import NoTissue, UnreadableSlide
from histoseek.geometry import Rect, Size
from histoseek.progress import Reporter
from histoseek.settings import get_settings
from histoseek.slides.slide import Slide, check_spacing, open_slide
from histoseek.slides.sources.base import SlideSource
from histoseek.tiles.grid import TileSet, TileShape, lay_tissue_grid
from histoseek.tiles.reader import TileReading
from histoseek.tiles.representative import select_representatives
from histoseek.tissue.mask import TissueMask, find_tissue
from histoseek.tissue.stain import Stain, detect_stain

log = logging.getLogger(__name__)

_AHEAD, _AHEAD_OF_GPU = 64, 512
"""Tiles that are read before the encoder takes them: two batches and more, 10 and 80 MB."""


@dataclass(frozen=True, slots=True)
class PreparedSlide:
    """An open slide and the tiles of it that are to be encoded.

    stain: as detected; context: its tiles at the recipe's coarser spacing, None without one and where the slide, or its
    regions, are too small for them or hold no tissue; reading: of `tiles`, where it has begun.
    """

    slide: Slide
    tiles: TileSet
    stain: Stain = "unknown"
    context: TileSet | None = None
    reading: TileReading | None = None

    def start_reading(self, card: TileCard, pool: ThreadPoolExecutor) -> PreparedSlide:
        """The same with its first tiles being read, and resized as the encoder takes them, by threads of the pool."""
        return replace(self, reading=_start_reading(self, card, pool))

    def close(self) -> None:
        """Close the slide, when no thread reads it any more."""
        if self.reading is not None:
            self.reading.close()
        self.slide.close()


def prepare_slide(
    source: SlideSource,
    recipe: Recipe,
    tile_edge_px: int,
    spacing_um_per_px: float | None,
    regions: Sequence[Rect] = (),
    *,
    trust: bool | None = None,
) -> PreparedSlide:
    """Open a slide and choose its tiles, those of the regions if there are any; the caller closes `slide`.

    Raises SlideError: unreadable, no spacing, too coarse, no tissue, a region that is not on the slide.
    """
    slide = open_slide(source, spacing_um_per_px, trust=trust)
    try:
        with refusing_exhaustion(partial(UnreadableSlide, slide.source.uri)):
            return _choose_tiles(slide, recipe, tile_edge_px, regions)
    except BaseException:
        slide.close()
        raise


def _choose_tiles(slide: Slide, recipe: Recipe, tile_edge_px: int, regions: Sequence[Rect]) -> PreparedSlide:
    check_spacing(slide, recipe.spacing_um_per_px, recipe.spacing_tolerance)
    tissue = find_tissue(slide, recipe.tissue)
    choose = partial(_choose_at_spacing, slide, tissue, tile_edge_px=tile_edge_px, regions=regions)
    context = recipe.context
    if context is None or not holds_tiles(slide.size, regions, context, tile_edge_px, slide.spacing_um_per_px):
        return PreparedSlide(slide, choose(recipe), detect_stain(tissue))
    tiles, coarse = choose(recipe), None
    with suppress(NoTissue):
        coarse = choose(context)
    return PreparedSlide(slide, tiles, detect_stain(tissue), coarse)


def _choose_at_spacing(
    slide: Slide, tissue: TissueMask, recipe: Recipe, tile_edge_px: int, regions: Sequence[Rect]
) -> TileSet:
    tiles = lay_tissue_grid(slide, tissue, TileShape(tile_edge_px, recipe.spacing_um_per_px), regions)
    if recipe.tile_budget is None:
        return tiles
    return select_representatives(tiles, tissue.thumbnail, slide.size, recipe.tile_budget, recipe.seed)


def holds_tiles(
    size: Size, regions: Sequence[Rect], recipe: Recipe, tile_edge_px: int, slide_spacing_um_per_px: float
) -> bool:
    """Whether a slide, or each of its regions in level-0 px, is at least as large as a tile in both directions."""
    edge = tile_edge_px * recipe.spacing_um_per_px / slide_spacing_um_per_px
    return all(min(area.width, area.height) >= edge for area in (regions or (size,)))


def count_tiles(prepared: PreparedSlide) -> int:
    """How many tiles are to be encoded, at whatever spacing."""
    return len(prepared.tiles) + (0 if prepared.context is None else len(prepared.context))


def encode_context(prepared: PreparedSlide, encoder: TileEncoder, workers: int, reporter: Reporter) -> Bag | None:
    """As `encode_prepared`, at the coarser spacing; None where the slide has no tiles there."""
    if prepared.context is None:
        return None
    return encode_prepared(replace(prepared, tiles=prepared.context, reading=None), encoder, workers, reporter)


def encode_prepared(prepared: PreparedSlide, encoder: TileEncoder, workers: int, reporter: Reporter) -> Bag:
    """Read and encode the chosen tiles, in bounded memory, reading ahead while the encoder computes.

    workers: threads that read, where reading has not begun. Raises SlideError.
    """
    with refusing_exhaustion(partial(UnreadableSlide, prepared.slide.source.uri)):
        if prepared.reading is not None:
            features = _encode(prepared.reading, encoder, reporter)
        else:
            with ThreadPoolExecutor(workers, thread_name_prefix="tiles") as pool:
                reading = _start_reading(prepared, encoder.card, pool)
                try:
                    features = _encode(reading, encoder, reporter)
                finally:
                    reading.close()
    tiles = prepared.tiles
    return Bag(
        features=features,
        coords=tiles.coords,
        weights=tiles.weights,
        tile_size_level0=tiles.edge_level0,
        spacing_um_per_px=tiles.shape.spacing_um_per_px,
        encoder=encoder_fingerprint(encoder),
        tissue=tiles.tissue,
    )


def _start_reading(prepared: PreparedSlide, card: TileCard, pool: ThreadPoolExecutor) -> TileReading:
    ahead = _AHEAD_OF_GPU if get_settings().has_gpu else _AHEAD
    return TileReading(
        prepared.slide, prepared.tiles, pool, ahead, partial(prepare_ahead, preparation=card.preparation)
    )


def _encode(reading: TileReading, encoder: TileEncoder, reporter: Reporter) -> NDArray[np.float32]:
    """Features of all tiles; how long the encoder waited for them is logged."""
    started, waited, parts = time.perf_counter(), 0.0, []
    since = started
    for pixels in reading.take_batches(choose_batch_size(encoder)):
        waited += time.perf_counter() - since
        parts.append(encoder.encode(pixels))
        reporter.advance(len(pixels))
        since = time.perf_counter()
    features = np.concatenate(parts)
    log.debug("%d tiles in %.3f s, of which the encoder waited %.3f s", len(features), since - started, waited)
    return features


def choose_batch_size(encoder: TileEncoder) -> int:
    """Tiles that an encoder is best given at once: as it says itself, else by what its card declares."""
    if isinstance(encoder, PreparedEncoder):
        return encoder.batch_size
    return encoder.card.batch_size(get_settings().batch_memory_mb)


def encoder_fingerprint(encoder: TileEncoder) -> str:
    """Name, version and weights of an encoder in one string."""
    return f"{encoder.card.name}-{encoder.card.version}-{encoder.weights_hash}"


@contextmanager
def open_prepared(
    source: SlideSource,
    recipe: Recipe,
    tile_edge_px: int,
    spacing_um_per_px: float | None,
    regions: Sequence[Rect] = (),
    *,
    trust: bool | None = None,
) -> Iterator[PreparedSlide]:
    """`prepare_slide` that closes the slide."""
    prepared = prepare_slide(source, recipe, tile_edge_px, spacing_um_per_px, regions, trust=trust)
    try:
        yield prepared
    finally:
        prepared.close()
