"""From a slide to its bag: what the encoder is given, and that slides read ahead give the same."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from histoseek.encoders.cards.card import Preparation
from histoseek.encoders.recipe import Recipe
from histoseek.encoders.slide_bags import PreparedSlide, encode_prepared, open_prepared, prepare_slide
from histoseek.encoders.tile import lite0
from histoseek.encoders.tile.base import TileCard
from histoseek.encoders.tile.preparation import prepare_pixels
from histoseek.encoders.tile.registry import find_tile_card
from histoseek.progress import SilentReporter
from histoseek.slides.sources.file import FileSource
from histoseek.tiles.reader import read_tile

CARD = replace(
    lite0.CARD,
    name="means",
    preparation=Preparation(48, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), tile_px=96, resize_px=64),
)
RECIPE = Recipe(encoder="means", tile_budget=None, spacing_um_per_px=0.5, spacing_tolerance=1.0)


class Means:
    """An encoder that notes what it is given, and gives the mean colours."""

    card = CARD
    weights_hash = "0"
    runtime = "numpy"

    def __init__(self) -> None:
        self.given: list[NDArray[np.uint8]] = []

    def encode(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.given.append(pixels)
        means: NDArray[np.float32] = pixels.astype(np.float32).mean((1, 2))
        return means


class OwnLike(Means):
    """One that prepares what it is given, as all do that are loaded."""

    def __init__(self, card: TileCard) -> None:
        super().__init__()
        self.card = card

    def encode(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        return super().encode(prepare_pixels(pixels, self.card.preparation))


def prepare(cohort: Path) -> PreparedSlide:
    slide = sorted(cohort.glob("*.tiff"))[0]
    return prepare_slide(FileSource(slide), RECIPE, CARD.tile_px, None, trust=True)


def test_tiles_are_resized_and_cropped_before_the_encoder_has_them(cohort: Path) -> None:
    encoder = Means()
    prepared = prepare(cohort)
    bag = encode_prepared(prepared, encoder, 2, SilentReporter())
    tiles = np.stack([read_tile(prepared.slide, prepared.tiles, i) for i in range(len(prepared.tiles))])
    prepared.close()
    assert tiles.shape[1:] == (96, 96, 3)
    assert np.array_equal(np.concatenate(encoder.given), prepare_pixels(tiles, CARD.preparation))
    assert len(bag) == len(tiles)


def test_tiles_of_the_networks_edge_are_enlarged_once_where_the_card_says_so(cohort: Path) -> None:
    """Of 48 px resized to 56, the middle 48: as Pillow does it, cut ahead or not, and of MOOZY's variant of Lunit."""
    card = replace(CARD, preparation=replace(CARD.preparation, tile_px=48, resize_px=56))
    encoder = OwnLike(card)
    with open_prepared(FileSource(sorted(cohort.glob("*.tiff"))[0]), RECIPE, card.tile_px, None, trust=True) as slide:
        bag = encode_prepared(slide, encoder, 2, SilentReporter())
        tiles = [read_tile(slide.slide, slide.tiles, i) for i in range(len(slide.tiles))]
    resized = [Image.fromarray(tile).resize((56, 56), Image.Resampling.BICUBIC).crop((4, 4, 52, 52)) for tile in tiles]
    assert np.array_equal(bag.features, np.stack([np.asarray(each, np.float32).mean((0, 1)) for each in resized]))
    moozy = find_tile_card("lunit_dino8:cls-imagenet-crop").preparation
    pixels = np.random.default_rng(0).integers(0, 256, (1, 224, 224, 3), np.uint8)
    resized = Image.fromarray(pixels[0]).resize((248, 248), Image.Resampling.BICUBIC).crop((12, 12, 236, 236))
    assert np.array_equal(prepare_pixels(pixels, moozy)[0], np.asarray(resized))


def test_an_odd_margin_is_torchvisions() -> None:
    """Of 35 px more 17.5 are rounded to the even 18, of 33 px 16.5 to 16."""
    for resize_px, margin in ((259, 18), (257, 16)):
        pixels = np.random.default_rng(0).integers(0, 256, (1, resize_px, resize_px, 3), np.uint8)
        card = replace(CARD.preparation, input_px=224, tile_px=resize_px, resize_px=resize_px)
        inner = slice(margin, margin + 224)
        assert np.array_equal(prepare_pixels(pixels, card), pixels[:, inner, inner])


def test_a_slide_read_ahead_gives_the_same_bag(cohort: Path) -> None:
    with open_prepared(
        FileSource(sorted(cohort.glob("*.tiff"))[0]), RECIPE, CARD.tile_px, None, trust=True
    ) as prepared:
        plain = encode_prepared(prepared, Means(), 2, SilentReporter())
    with ThreadPoolExecutor(2) as pool:
        prepared = prepare(cohort).start_reading(CARD, pool)
        ahead = encode_prepared(prepared, Means(), 1, SilentReporter())
        prepared.close()
    assert ahead == plain


def test_a_slide_that_nobody_encodes_is_closed(cohort: Path) -> None:
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as pool:
        prepared = prepare(cohort).start_reading(CARD, pool)
        prepared.close()
        prepared.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ahead")]
