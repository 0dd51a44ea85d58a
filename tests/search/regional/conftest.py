"""Archives whose tiles are colours, with texts in a space of colours: whose regions fit which words is known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from histoseek import Archive
from histoseek.archive.reencode import reencode
from histoseek.archive.space_folders import SpaceChange
from histoseek.encoders.alignment import Affine, Alignment
from histoseek.encoders.bag import Bag
from histoseek.encoders.recipe import Recipe
from histoseek.encoders.slide.base import MosaicPart, SlideEmbedding
from histoseek.encoders.slide.pooled import PooledFamily
from histoseek.encoders.slide.regions import SlideRegion
from histoseek.encoders.text.own import OwnTextEncoder
from histoseek.statistics.clustering import normalise_rows
from tests.search.words.conftest import SLIDES
from tests.weights import write_table
from tests.word_tower import COLOURS, EDGE, ColourWords, Installed, install, write_features

SIZE = 12
"""Tiles to each side of a slide."""

Floats = NDArray[np.float32]

_WORDS = ColourWords()
TEXTS = OwnTextEncoder("colour-texts", _WORDS.encode_texts, dimension=_WORDS.dimension)


def make_alignment() -> Alignment:
    """From centred features to the space of texts: colours to colours, unevenly, and a little of what no word means."""
    matrix = np.zeros((len(COLOURS) + 1, _WORDS.dimension), np.float32)
    matrix[np.arange(len(COLOURS)), np.arange(len(COLOURS))] = np.linspace(1, 1.4, len(COLOURS))
    offset = np.zeros(_WORDS.dimension, np.float32)
    offset[-2] = 0.05
    return Alignment("ridge", Affine(matrix, offset), None)


def make_aligned_archive(folder: Path) -> Archive:
    """Slides with blocks of colours, of two patients, some with a report; aligned."""
    (folder / "features").mkdir(parents=True)
    for name, patches in SLIDES.items():
        write_features(folder / "features" / f"{name}.h5", patches, SIZE)
    rows: list[dict[str, object]] = [
        {"slide_id": name, "patient_id": "p-teal" if "teal" in name else f"p-{name}", "report": report}
        for name, report in {**dict.fromkeys(SLIDES, ""), "teal-1": "teal", "crimson-1": "crimson"}.items()
    ]
    table = write_table(folder / "slides.csv", rows)
    archive = Archive.create(folder / "colours.archive", Recipe(encoder="features:unknown"), text_encoder=TEXTS)
    archive.index([folder / "features"], table, table)
    reencode(archive, SpaceChange(alignment=make_alignment()))
    return archive


@pytest.fixture(scope="package")
def aligned(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Tiles have a place of their own in the space of texts. Not to be changed."""
    return make_aligned_archive(tmp_path_factory.mktemp("aligned"))


@dataclass(frozen=True)
class BlockEncoder:
    """Makes the mosaic of square blocks of tiles: of the whole slide, of its quarters, and of blocks of 3 by 3."""

    centre: Floats
    name: str = "pooled-1"

    @property
    def input_dimension(self) -> int:
        return len(self.centre)

    @property
    def dimension(self) -> int:
        return len(self.centre)

    def list_regions(self, bag: Bag) -> tuple[SlideRegion, ...]:
        cells = bag.coords // EDGE
        regions = []
        for scale, side in enumerate((3, 6, 12)):
            for x in range(0, SIZE, side):
                for y in range(0, SIZE, side):
                    inside = ((cells >= (x, y)) & (cells < (x + side, y + side))).all(axis=1)
                    # The quarters lack a corner, so that what has an outline of its own is tried, too.
                    tiles = np.flatnonzero(inside & ((scale != 1) | (cells != (x, y)).any(axis=1)))
                    regions.append(SlideRegion(tiles, bag.coords[tiles], EDGE, scale))
        return tuple(regions)

    def encode(self, bag: Bag) -> SlideEmbedding:
        centred = bag.features - self.centre
        parts = []
        for region in self.list_regions(bag):
            vector = normalise_rows(centred[region.tiles].mean(axis=0, keepdims=True))[0]
            near = region.tiles[:16]
            parts.append(MosaicPart(vector, bag.coords[near], np.full(len(near), 1 / len(near), np.float32), 1 / 21))
        return SlideEmbedding(normalise_rows(centred.mean(axis=0, keepdims=True))[0], tuple(parts))


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Installed:
    """A tile encoder with words."""
    return install(monkeypatch)


@pytest.fixture(scope="module")
def anchored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """An archive whose slide encoder sees blocks of tiles, as long as the module's tests run. Not to be changed."""
    patch = pytest.MonkeyPatch()
    patch.setattr(PooledFamily, "build", lambda self, centre, dimension: BlockEncoder(centre))
    yield make_aligned_archive(tmp_path_factory.mktemp("anchored"))
    patch.undo()
