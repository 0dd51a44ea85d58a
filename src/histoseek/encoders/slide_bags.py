"""From a slide to its bag: open, find tissue, lay tiles, encode."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np

from histoseek.bounds import refusing_exhaustion
from histoseek.encoders.bag import Bag
from histoseek.encoders.recipe import Recipe
from histoseek.encoders.tile.base import TileEncoder
from histoseek.errors import UnreadableSlide
from histoseek.geometry import Rect
from histoseek.progress import Reporter
from histoseek.settings import get_settings
from histoseek.slides.slide import Slide, check_spacing, open_slide
from histoseek.slides.sources.base import SlideSource
from histoseek.tiles.grid import TileSet, TileShape, lay_tissue_grid
from histoseek.tiles.reader import read_batches
from histoseek.tiles.representative import select_representatives
from histoseek.tissue.mask import find_tissue


@dataclass(frozen=True, slots=True)
class PreparedSlide:
    """An open slide and the tiles of it that are to be encoded."""

    slide: Slide
    tiles: TileSet


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
            return PreparedSlide(slide, _choose_tiles(slide, recipe, tile_edge_px, regions))
    except BaseException:
        slide.close()
        raise


def _choose_tiles(slide: Slide, recipe: Recipe, tile_edge_px: int, regions: Sequence[Rect]) -> TileSet:
    check_spacing(slide, recipe.spacing_um_per_px, recipe.spacing_tolerance)
    tissue = find_tissue(slide, recipe.tissue)
    tiles = lay_tissue_grid(slide, tissue, TileShape(tile_edge_px, recipe.spacing_um_per_px), regions)
    if recipe.tile_budget is None:
        return tiles
    return select_representatives(tiles, tissue.thumbnail, slide.size, recipe.tile_budget, recipe.seed)


def encode_prepared(prepared: PreparedSlide, encoder: TileEncoder, workers: int, reporter: Reporter) -> Bag:
    """Read and encode the chosen tiles, in bounded memory, reading ahead while the encoder computes."""
    tiles = prepared.tiles
    batch = encoder.card.batch_size(get_settings().batch_memory_mb)
    parts = []
    with refusing_exhaustion(partial(UnreadableSlide, prepared.slide.source.uri)):
        for pixels in read_batches(prepared.slide, tiles, batch, workers):
            parts.append(encoder.encode(pixels))
            reporter.advance(len(pixels))
        features = np.concatenate(parts)
    return Bag(
        features=features,
        coords=tiles.coords,
        weights=tiles.weights,
        tile_size_level0=tiles.edge_level0,
        spacing_um_per_px=tiles.shape.spacing_um_per_px,
        encoder=encoder_fingerprint(encoder),
    )


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
        prepared.slide.close()
