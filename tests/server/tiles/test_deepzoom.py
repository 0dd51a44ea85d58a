"""Deep Zoom tiles of slides of every kind: geometry, seams, colours."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import openslide
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from openslide.deepzoom import DeepZoomGenerator
from PIL import Image

from histoseek.geometry import Level, Size
from histoseek.server.tiles.deepzoom import DeepZoom
from histoseek.server.tiles.tile_grid import NoSuchTile, TileGrid
from histoseek.slides.readers.base import Pixels
from histoseek.slides.slide import Slide, open_slide
from histoseek.slides.sources.file import FileSource
from tests.server.tiles.pictures import halves, smooth_noise, write_tiff


class ArrayReader:
    """A pyramid in memory, of any steps."""

    spacing_um_per_px = 0.5
    vendor = "test"

    def __init__(self, pixels: list[Pixels]) -> None:
        self._pixels = pixels
        full = pixels[0].shape[1]
        self.levels = tuple(Level(i, Size(p.shape[1], p.shape[0]), full / p.shape[1]) for i, p in enumerate(pixels))

    def read(self, level: int, x: int, y: int, width: int, height: int) -> Pixels:
        shown = self._pixels[level][y : y + height, x : x + width]
        assert shown.shape == (height, width, 3), "reads beyond the level"
        return shown

    def close(self) -> None:
        pass


def in_memory(pixels: list[Pixels], tile_px: int, overview_px: int = 2048) -> DeepZoom:
    return DeepZoom(Slide(FileSource(Path("slide")), ArrayReader(pixels), 0.5), tile_px, overview_px)


def put_together(image: DeepZoom, level: int) -> Pixels:
    tiles, size = image.grid.count_tiles(level), image.grid.measure_level(level)
    rows = [
        np.concatenate([image.read_tile(level, column, row) for column in range(tiles.width)], axis=1)
        for row in range(tiles.height)
    ]
    whole = np.concatenate(rows)
    assert whole.shape == (size.height, size.width, 3)
    return whole


def naive_level(picture: Pixels, downsample: int) -> np.ndarray:
    """The mean of what each block covers of the picture."""
    height, width = picture.shape[:2]
    padding = ((0, -height % downsample), (0, -width % downsample), (0, 0))
    padded = np.pad(picture.astype(float), padding, constant_values=np.nan)
    blocks = padded.reshape(padded.shape[0] // downsample, downsample, padded.shape[1] // downsample, downsample, 3)
    return np.nanmean(blocks, axis=(1, 3))


sizes = st.tuples(st.integers(1, 700), st.integers(1, 700))


@settings(max_examples=60)
@given(sizes, st.integers(1, 300))
def test_geometry_is_that_of_openslide(size: tuple[int, int], tile_px: int) -> None:
    reference = DeepZoomGenerator(openslide.ImageSlide(Image.new("RGB", size)), tile_px, 0)
    grid = TileGrid(Size(*size), tile_px)
    assert grid.max_level == reference.level_count - 1
    for level in range(reference.level_count):
        assert grid.measure_level(level) == Size(*reference.level_dimensions[level])
        tiles = grid.count_tiles(level)
        assert tiles == Size(*reference.level_tiles[level])
        for column, row in {(0, 0), (tiles.width - 1, tiles.height - 1), (tiles.width // 2, tiles.height // 2)}:
            rect = grid.locate_tile(level, column, row)
            assert (rect.x, rect.y) == (column * tile_px, row * tile_px)
            assert (rect.width, rect.height) == reference.get_tile_dimensions(level, (column, row))


all_steps = st.sampled_from([(), (2,), (4,), (2, 2), (4, 4), (3,), (3, 3), (5, 2), (10,)])


@settings(max_examples=60)
@given(sizes, all_steps, st.integers(16, 260), st.sampled_from([1, 50, 2048]))
def test_levels_do_not_depend_on_how_they_are_cut(
    size: tuple[int, int], steps: tuple[int, ...], tile_px: int, overview_px: int
) -> None:
    pixels = halves(smooth_noise(*size), *(steps if min(size) >= 50 else ()))
    cut, uncut = in_memory(pixels, tile_px, overview_px), in_memory(pixels, 1024, overview_px)
    for level in range(cut.grid.max_level + 1):
        assert np.array_equal(put_together(cut, level), uncut.read_tile(level, 0, 0))


@settings(max_examples=30)
@given(sizes, st.sampled_from([(), (2,), (4,), (2, 2)]), st.sampled_from([1, 2048]))
def test_levels_are_averages_by_area(size: tuple[int, int], steps: tuple[int, ...], overview_px: int) -> None:
    width, height = (max(64, edge // 4 * 4) for edge in size) if steps else size
    picture = smooth_noise(width, height)
    image = in_memory(halves(picture, *steps), 64, overview_px)
    for level in range(image.grid.max_level + 1):
        downsample = image.grid.get_downsample(level)
        difference = np.abs(put_together(image, level) - naive_level(picture, downsample))
        whole = difference[: height // downsample, : width // downsample]
        # Rounded to whole values in each level of the pyramid, and in the overview.
        assert whole.size == 0 or whole.max() <= 0.5 * (len(steps) + 1 + (overview_px > 1))
        if not steps and level > 0:
            assert difference.max() <= 0.5


def test_steps_that_are_no_powers_of_two_are_averaged_in_place() -> None:
    # A slope: an average over any area is its value in the middle, so a shift of a tenth of a pixel would show.
    across, down = np.meshgrid(np.linspace(0, 255, 900), np.linspace(0, 255, 600))
    slope = np.dstack([across, down, 255 - across]).round().astype(np.uint8)
    image = in_memory(halves(slope, 3), 64)
    for level in range(4, image.grid.max_level + 1):
        downsample, size = image.grid.get_downsample(level), image.grid.measure_level(level)
        shown = put_together(image, level).astype(float)
        middles = (np.arange(size.width) + 0.5) * downsample - 0.5
        expected = middles * 255 / 899
        inside = (np.arange(size.width) + 1) * downsample <= 900
        assert np.abs(shown[:, inside, 0] - expected[inside]).max() <= 1.5


def test_a_slide_of_one_pixel() -> None:
    image = in_memory([np.full((1, 1, 3), 7, np.uint8)], 256)
    assert (image.grid.max_level, image.read_tile(0, 0, 0).tolist()) == (0, [[[7, 7, 7]]])
    assert image.make_thumbnail(16).shape == (1, 1, 3)


@pytest.mark.parametrize("place", [(-1, 0, 0), (10, 0, 0), (9, 3, 0), (9, 0, 3), (9, -1, 0), (9, 0, -1), (0, 1, 0)])
def test_tiles_outside_are_refused(place: tuple[int, int, int]) -> None:
    image = in_memory([smooth_noise(300, 257)], 128)
    assert image.grid.max_level == 9
    for ask in (image.read_tile, image.encode_tile, image.read_stored_jpeg):
        with pytest.raises(NoSuchTile):
            ask(*place)


def test_description_is_that_of_the_format() -> None:
    root = ElementTree.fromstring(in_memory([smooth_noise(300, 200)], 256).to_dzi().encode())
    assert root.tag == "{http://schemas.microsoft.com/deepzoom/2008}Image"
    assert root.attrib == {"TileSize": "256", "Overlap": "0", "Format": "jpg"}
    assert root[0].attrib == {"Width": "300", "Height": "200"}


@pytest.mark.parametrize("px", [1, 16, 100, 333, 600, 2048])
def test_thumbnails_show_the_whole_slide(px: int) -> None:
    picture = smooth_noise(600, 450, patch_px=200)
    shown = in_memory(halves(picture, 2), 128).make_thumbnail(px)
    width = min(px, 600)
    height = max(1, round(width * 450 / 600))
    expected = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA).astype(float)
    assert shown.shape == expected.shape
    assert np.abs(shown - expected).mean() < 4


def test_slides_of_other_formats(tmp_path: Path) -> None:
    picture = smooth_noise(702, 524)
    Image.fromarray(picture).save(tmp_path / "picture.png")
    half = halves(picture, 2)[1]
    with tifffile.TiffWriter(tmp_path / "slide.ome.tif", ome=True) as tiff:
        tiff.write(picture, subifds=1, tile=(128, 128), compression="zlib", photometric="rgb")
        tiff.write(half, subfiletype=1, tile=(128, 128), compression="zlib", photometric="rgb")
    write_tiff(tmp_path / "slide.tif", [picture, half], compression="zlib")
    for name in ("picture.png", "slide.ome.tif", "slide.tif"):
        image = DeepZoom(open_slide(tmp_path / name, 0.5), 100)
        assert np.array_equal(put_together(image, 10), picture), name
        assert np.abs(put_together(image, 9) - half.astype(float)).max() <= 0.5, name
        image.close()


def test_real_slides_show_the_pixels_of_openslide(shared_data: Path) -> None:
    names = ("CMU-1-Small-Region.svs", "TCGA-CR-7395-01A-01-TS1.svs", "sm_image.dcm", "test3-DAPI-2-387.ndpi")
    for name in names:
        image = DeepZoom(open_slide(shared_data / "slides" / name, 0.5))
        with openslide.OpenSlide(str(shared_data / "slides" / name)) as reference:
            rect = image.grid.locate_tile(image.grid.max_level, 0, 0)
            region = np.asarray(reference.read_region((0, 0), 0, (rect.width, rect.height)))[..., :3]
            assert np.array_equal(image.read_tile(image.grid.max_level, 0, 0), region), name
            small = DeepZoomGenerator(reference, image.grid.tile_px, 0).get_tile(image.grid.max_level - 2, (0, 0))
        ours = image.read_tile(image.grid.max_level - 2, 0, 0).astype(float)
        assert np.abs(ours - np.asarray(small)).mean() < 4, name
        image.close()
