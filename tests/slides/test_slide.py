"""Opening slides of every format and reading pixels at known spacing."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from histoseek.errors import MissingSpacing, SlideNotFound, SpacingTooFine, UnreadableSlide
from histoseek.geometry import Rect, Size
from histoseek.slides.readers.openslide import OpenSlideReader
from histoseek.slides.readers.vips import VipsReader, find_fast_reader
from histoseek.slides.slide import check_spacing, open_slide


def noise_picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def write_pyramid(path: Path, picture: np.ndarray, spacing: float | None = 0.5, compression: str = "jpeg") -> None:
    with tifffile.TiffWriter(path) as tiff:
        level, factor = picture, 1
        while True:
            per_cm = 1e4 / (spacing * factor) if spacing else 1
            tiff.write(
                level,
                tile=(256, 256),
                photometric="rgb",
                compression=compression,
                subfiletype=int(factor > 1),
                resolution=(per_cm, per_cm),
                resolutionunit="CENTIMETER" if spacing else "NONE",
                metadata=None,
            )
            if max(level.shape[:2]) < 400:
                return
            factor *= 2
            level = cv2.resize(level, (level.shape[1] // 2, level.shape[0] // 2), interpolation=cv2.INTER_AREA)


def write_ome(path: Path, picture: np.ndarray, unit: str = "µm", size: float = 0.25) -> None:
    sizes = {"PhysicalSizeX": size, "PhysicalSizeXUnit": unit, "PhysicalSizeY": size, "PhysicalSizeYUnit": unit}
    half = cv2.resize(picture, (picture.shape[1] // 2, picture.shape[0] // 2), interpolation=cv2.INTER_AREA)
    with tifffile.TiffWriter(path, ome=True) as tiff:
        tiff.write(picture, subifds=1, tile=(128, 128), compression="zlib", photometric="rgb", metadata=sizes)
        tiff.write(half, subfiletype=1, tile=(128, 128), compression="zlib", photometric="rgb")


@pytest.fixture(scope="module")
def pyramid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pyramid") / "pyramid.tif"
    write_pyramid(path, noise_picture(1100, 1500))
    return path


@settings(max_examples=60)
@given(st.integers(0, 2), st.integers(-50, 1500), st.integers(-50, 1100), st.integers(1, 400), st.integers(1, 400))
def test_fast_path_shows_the_pixels_of_openslide(
    pyramid: Path, level: int, x: int, y: int, width: int, height: int
) -> None:
    reference = OpenSlideReader(pyramid)
    fast = find_fast_reader(pyramid, reference)
    assert isinstance(fast, VipsReader)
    assert np.array_equal(fast.read(level, x, y, width, height), reference.read(level, x, y, width, height))


def test_pyramid_is_opened_with_its_spacing(pyramid: Path) -> None:
    with open_slide(pyramid) as slide:
        assert slide.size == Size(1500, 1100)
        assert slide.spacing_um_per_px == pytest.approx(0.5)
        assert [level.downsample for level in slide.levels] == pytest.approx([1, 2, 4], rel=0.01)


def test_reading_takes_the_finer_level_and_averages_by_area(tmp_path: Path) -> None:
    picture = noise_picture(600, 600)
    Image.fromarray(picture).save(tmp_path / "field.png")
    with open_slide(tmp_path / "field.png", 0.25) as slide:
        tile = slide.read_at(0.5, Rect(100, 40, 200, 120), Size(100, 60))
    cells = picture[40:160, 100:300].reshape(60, 2, 100, 2, 3).astype(float)
    assert np.abs(tile - cells.mean(axis=(1, 3))).max() <= 1


def test_nearest_level_is_never_taken_in_silence(pyramid: Path) -> None:
    with open_slide(pyramid) as slide:
        # 0.75 um/px lies between the levels at 0.5 and 1.0: the finer one must be read and shrunk.
        tile = slide.read_at(0.75, Rect(300, 300, 300, 300), Size(200, 200))
        fine = slide.read_level(0, 300, 300, 300, 300)
    expected = cv2.resize(fine, (200, 200), interpolation=cv2.INTER_AREA)
    assert np.array_equal(tile, expected)


def test_thumbnail_of_a_single_level_slide_is_an_area_average(tmp_path: Path) -> None:
    picture = noise_picture(1024, 2048)
    Image.fromarray(picture).save(tmp_path / "wide.png")
    with open_slide(tmp_path / "wide.png", 0.5) as slide:
        thumbnail = slide.thumbnail(256)
    assert thumbnail.shape == (128, 256, 3)
    naive = picture.reshape(128, 8, 256, 8, 3).astype(float).mean(axis=(1, 3))
    assert np.abs(thumbnail - naive).max() <= 1


@pytest.mark.parametrize(("unit", "size"), [("µm", 0.25), ("nm", 250.0), ("mm", 0.00025)])
def test_ome_tiff_pyramid_and_units(tmp_path: Path, unit: str, size: float) -> None:
    picture = noise_picture(500, 700)
    write_ome(tmp_path / "slide.ome.tif", picture, unit, size)
    with open_slide(tmp_path / "slide.ome.tif") as slide:
        assert slide.spacing_um_per_px == pytest.approx(0.25)
        assert [level.size for level in slide.levels] == [Size(700, 500), Size(350, 250)]
        assert np.array_equal(slide.read_level(0, 60, 90, 300, 200), picture[90:290, 60:360])
        beyond = slide.read_level(0, 650, 450, 100, 100)
        assert np.array_equal(beyond[:50, :50], picture[450:, 650:])
        assert (beyond[50:] == 255).all()


def test_sixteen_bit_pictures_are_refused_with_a_reason(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "deep.ome.tif", np.zeros((64, 64), np.uint16), ome=True)
    with pytest.raises(UnreadableSlide, match="8-bit RGB"):
        open_slide(tmp_path / "deep.ome.tif", 0.5)
    Image.fromarray(np.zeros((64, 64), np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(UnreadableSlide, match="8-bit RGB"):
        open_slide(tmp_path / "deep.png", 0.5)


def test_transparent_pixels_are_white(tmp_path: Path) -> None:
    Image.new("RGBA", (40, 40), (10, 20, 30, 0)).save(tmp_path / "clear.png")
    with open_slide(tmp_path / "clear.png", 0.5) as slide:
        assert (slide.read_level(0, 0, 0, 40, 40) == 255).all()


def test_spacing_rules(tmp_path: Path, pyramid: Path) -> None:
    Image.fromarray(noise_picture(50, 50)).save(tmp_path / "field.png", dpi=(72, 72))
    with pytest.raises(MissingSpacing, match=r"--spacing-of 'field.png=0.25'"):
        open_slide(tmp_path / "field.png")
    write_pyramid(tmp_path / "print.tif", noise_picture(300, 300), spacing=352.8)
    with pytest.raises(MissingSpacing, match="does not state how many"):
        open_slide(tmp_path / "print.tif")
    write_pyramid(tmp_path / "fine.tif", noise_picture(300, 300), spacing=0.001)
    with pytest.raises(MissingSpacing, match="not a microscope's"):
        open_slide(tmp_path / "fine.tif")
    for wrong in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(MissingSpacing):
            open_slide(pyramid, wrong)
    with open_slide(pyramid, 0.3) as slide:
        assert slide.spacing_um_per_px == 0.3
        check_spacing(slide, 0.29, tolerance=0.05)
        with pytest.raises(SpacingTooFine):
            check_spacing(slide, 0.25, tolerance=0.05)


def test_what_is_no_slide_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SlideNotFound):
        open_slide(tmp_path / "none.svs")
    for name in ("text.svs", "text.tif", "text.png", "text.ndpi"):
        (tmp_path / name).write_text("this is not a slide")
        with pytest.raises(UnreadableSlide):
            open_slide(tmp_path / name, 0.5)


def test_real_slides(shared_data: Path) -> None:
    with open_slide(shared_data / "slides" / "CMU-1-Small-Region.svs") as slide:
        assert (slide.vendor, slide.size, slide.spacing_um_per_px) == ("aperio", Size(2220, 2967), 0.499)
        assert slide.thumbnail(500).shape == (500, 374, 3)
    with pytest.raises(UnreadableSlide):
        open_slide(shared_data / "slides" / "broken" / "unopenable.tiff", 0.5)
    with pytest.raises(UnreadableSlide), open_slide(shared_data / "slides" / "broken" / "unreadable.svs") as slide:
        slide.read_level(0, 0, 0, 16, 16)


def test_label_and_macro_are_out_of_reach(shared_data: Path) -> None:
    path = shared_data / "slides" / "TCGA-5P-A9K0_1.svs"
    import openslide

    with openslide.OpenSlide(str(path)) as raw:
        hidden = {name: Size(*raw.associated_images[name].size) for name in ("label", "macro")}
    with open_slide(path) as slide:
        public = [name for name in dir(slide) if not name.startswith("_")]
        assert not [name for name in public if "associated" in name or "label" in name or "propert" in name]
        assert not {level.size for level in slide.levels} & set(hidden.values())
