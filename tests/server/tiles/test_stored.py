"""Handing on the JPEG tiles of a TIFF: the same colours, nothing else in them, and only when they are proved."""

from __future__ import annotations

import io
from contextlib import suppress
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from histoseek.errors import UnreadableSlide
from histoseek.geometry import Size
from histoseek.server.tiles import jpeg
from histoseek.server.tiles.deepzoom import DeepZoom
from histoseek.server.tiles.stored_tiles import StoredTiles, decode_jpeg2000
from histoseek.slides.readers.base import Pixels
from histoseek.slides.slide import Slide, open_slide
from tests.server.tiles.pictures import halves, smooth_noise, write_tiff


def as_browsers_decode(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def markers(data: bytes) -> list[int]:
    """Kinds of the segments before the pixels."""
    kinds, place = [], 2
    while not kinds or kinds[-1] != 0xDA:
        kinds.append(data[place + 1])
        place += 2 + int.from_bytes(data[place + 2 : place + 4])
    return kinds


@pytest.mark.parametrize("stored_as", ["rgb", "ycbcr"])
def test_stored_tiles_are_handed_on_with_their_colours(tmp_path: Path, stored_as: str) -> None:
    path = write_tiff(tmp_path / "slide.tif", halves(smooth_noise(1000, 800), 4), stored_as=stored_as)
    with open_slide(path, 0.5) as slide:
        image, handed_on = DeepZoom(slide), 0
        assert image.info.tile_size_px == 128
        for level, native in ((10, 0), (8, 1)):
            tiles = image.grid.count_tiles(level)
            for column in range(tiles.width):
                for row in range(tiles.height):
                    data = image.read_stored_jpeg(level, column, row)
                    rect = image.grid.locate_tile(level, column, row)
                    assert (data is not None) == ((rect.width, rect.height) == (128, 128))
                    if data is not None:
                        handed_on += 1
                        shown = slide.read_level(native, rect.x, rect.y, rect.width, rect.height)
                        assert np.array_equal(as_browsers_decode(data), shown)
        assert handed_on == 7 * 6 + 1 * 1


def test_stored_rgb_without_a_marker_keeps_its_colours(shared_data: Path) -> None:
    # Aperio stores RGB in JPEG tiles that don't say so: a browser would take them for YCbCr.
    with open_slide(shared_data / "slides" / "CMU-1-Small-Region.svs") as slide:
        image = DeepZoom(slide)
        data = image.read_stored_jpeg(12, 4, 7)
        assert data is not None
        assert np.array_equal(as_browsers_decode(data), slide.read_level(0, 960, 1680, 240, 240))
        start = data.index(b"Adobe") - 4
        unmarked = data[:start] + data[start + 16 :]
        assert np.abs(as_browsers_decode(unmarked) - image.read_tile(12, 4, 7).astype(float)).mean() > 30


def test_nothing_but_the_picture_is_handed_on(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "slide.tif", [smooth_noise(512, 512)], stored_as="ycbcr")
    whole = path.read_bytes()
    comment = b"\xff\xfe\x00\x10Name: Jane Doe"
    with open_slide(path, 0.5) as slide:
        image = DeepZoom(slide)
        data = image.read_stored_jpeg(9, 1, 1)
    assert data is not None
    assert set(markers(data)) <= {0xEE, 0xC0, 0xC4, 0xDB, 0xDD, 0xDA}
    assert b"JFIF" in whole and b"JFIF" not in data
    commented = data[:2] + comment + data[2:] + b"Jane Doe"
    assert jpeg.complete(commented, b"", 1, Size(128, 128)).count(b"Jane") == 0


def test_tiles_at_the_edges_are_cut(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "slide.tif", [smooth_noise(300, 290)])
    with open_slide(path, 0.5) as slide:
        corner = DeepZoom(slide).encode_tile(9, 2, 2)
        shown = slide.read_level(0, 256, 256, 44, 34)
    assert as_browsers_decode(corner).shape == (34, 44, 3)
    assert np.abs(as_browsers_decode(corner).astype(float) - shown).mean() < 8


@pytest.mark.parametrize("broken", ["cut off", "missing"])
def test_tiles_that_cannot_be_used_are_left_to_the_reader(tmp_path: Path, broken: str) -> None:
    path = write_tiff(tmp_path / "slide.tif", [smooth_noise(512, 512)])
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        lengths = list(tiff.pages[0].databytecounts)
        lengths[5] = 0 if broken == "missing" else 200
        tiff.pages[0].tags["TileByteCounts"].overwrite(lengths)
    with open_slide(path, 0.5) as slide:
        stored = StoredTiles.open(slide)
        assert stored is not None
        assert stored.read_jpeg(0, 1, 1) is None
        assert stored.read_jpeg(0, 2, 1) is not None
        try:
            expected = slide.read_level(0, 100, 100, 300, 300)
        except UnreadableSlide:
            with pytest.raises(UnreadableSlide):
                stored.read(0, 100, 100, 300, 300)
        else:
            assert np.array_equal(stored.read(0, 100, 100, 300, 300), expected)
        stored.close()


def test_tiles_that_do_not_show_the_slide_are_not_taken(tmp_path: Path) -> None:
    class Negative(Slide):
        def read_level(self, level: int, x: int, y: int, width: int, height: int) -> Pixels:
            return 255 - super().read_level(level, x, y, width, height)

    path = write_tiff(tmp_path / "slide.tif", [smooth_noise(512, 512)])
    with open_slide(path, 0.5) as slide:
        assert StoredTiles.open(slide) is not None
        assert StoredTiles.open(Negative(slide.source, slide._reader, 0.5)) is None


def test_tiles_of_another_size_are_not_decoded() -> None:
    # A frame header can claim 65,535 px squared in a few bytes.
    data = jpeg.encode(smooth_noise(128, 128))
    with pytest.raises(ValueError, match="another size"):
        jpeg.complete(data.replace(b"\x08\x00\x80\x00\x80\x03", b"\x08\xff\xff\xff\xff\x03"), b"", 1, Size(128, 128))


def test_jpeg_2000_is_decoded_when_it_is_of_the_size_it_should_be() -> None:
    picture = smooth_noise(64, 48)
    data = imagecodecs.jpeg2k_encode(picture, level=0, codecformat="j2k", reversible=True, mct=False)
    assert np.array_equal(decode_jpeg2000(data, Size(64, 48)), picture)
    deep = imagecodecs.jpeg2k_encode(picture.astype(np.uint16), level=0, codecformat="j2k", reversible=True)
    for wrong, size in ((data, Size(48, 64)), (data[:30], Size(64, 48)), (b"", Size(64, 48)), (deep, Size(64, 48))):
        with pytest.raises(ValueError, match="another size or type"):
            decode_jpeg2000(wrong, size)


@settings(max_examples=200)
@given(st.data())
def test_any_bytes_are_completed_or_refused(data: st.DataObject) -> None:
    whole = jpeg.encode(smooth_noise(32, 32))
    at = data.draw(st.integers(0, len(whole) - 1))
    damaged = whole[:at] + data.draw(st.binary(max_size=4)) + whole[at + data.draw(st.integers(0, 4)) :]
    with suppress(ValueError):
        assert jpeg.complete(damaged, b"", 1, Size(32, 32))[:2] == b"\xff\xd8"
