"""Plain TIFF pyramids as many tools write them: levels are levels, left-out tiles are glass, newer codecs are read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import tifffile

from histoseek.errors import UnreadableSlide
from histoseek.geometry import Size
from histoseek.slides.slide import open_slide
from tests.slides.ome_files import channels, microns, ome, picture, tiff_data
from tests.slides.ome_files import image as ome_image

SIZE = (640, 512)
PIC = np.repeat(np.repeat(picture(64, 80), 8, 0), 8, 1)
"""Blocks of 8 x 8: also near to itself after a codec with loss."""

HALF, QUARTER = (np.ascontiguousarray(PIC[::step, ::step]) for step in (2, 4))
APERIO = "Aperio Image Library v12.4.3\r\n640x512 [0,0 640x512] (128x128) |AppMag = 20|MPP = 0.4990"
TILE_OFFSETS, TILE_BYTES = 324, 325


def write(path: Path, pages: Sequence[np.ndarray], description: str | None = None, **options: object) -> None:
    """A page and, marked as reduced, further ones."""
    with tifffile.TiffWriter(path) as tiff:
        for index, page in enumerate(pages):
            how = {"photometric": "rgb", "tile": (128, 128), "metadata": None, "subfiletype": int(index > 0), **options}
            tiff.write(page, description=description.encode() if description and index == 0 else None, **how)


def leave_out(path: Path, tile: int) -> None:
    """Make a tile of the first page one that the file does not have."""
    with tifffile.TiffFile(path) as tiff:
        tags = [tiff.pages[0].tags[code] for code in (TILE_OFFSETS, TILE_BYTES)]
        places = [(tag.valueoffset, {3: 2, 4: 4, 16: 8}[int(tag.dtype)]) for tag in tags]
    data = bytearray(path.read_bytes())
    for start, width in places:
        data[start + tile * width : start + (tile + 1) * width] = bytes(width)
    path.write_bytes(data)


def read(path: Path, spacing: float | None = 0.5) -> np.ndarray:
    with open_slide(path, spacing) as slide:
        return slide.read_level(0, 0, 0, slide.size.width, slide.size.height)


@pytest.mark.parametrize("description", [None, APERIO])
@pytest.mark.parametrize("tile", range(0, 20, 3))
def test_tiles_that_a_file_leaves_out_are_white(tmp_path: Path, tile: int, description: str | None) -> None:
    write(tmp_path / "a.tif", [PIC, HALF], description, compression="jpeg")
    whole = read(tmp_path / "a.tif")
    leave_out(tmp_path / "a.tif", tile)
    top, left = 128 * (tile // 5), 128 * (tile % 5)
    whole[top : top + 128, left : left + 128] = 255
    assert np.array_equal(read(tmp_path / "a.tif"), whole)


def test_labels_are_no_levels(tmp_path: Path) -> None:
    label, tall = picture(100, 300, 1), picture(256, 128, 2)
    write(tmp_path / "a.tif", [PIC, HALF, label, tall, QUARTER])
    with open_slide(tmp_path / "a.tif", 0.5) as slide:
        assert [level.size for level in slide.levels] == [Size(640, 512), Size(320, 256), Size(160, 128)]
        for level, pixels in enumerate((PIC, HALF, QUARTER)):
            assert np.array_equal(slide.read_level(level, 0, 0, pixels.shape[1], pixels.shape[0]), pixels)


def test_levels_may_have_tiles_of_other_sizes_than_the_slide(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        for pixels, edge in ((PIC, 256), (QUARTER, 64)):
            how = {"photometric": "rgb", "tile": (edge, edge), "metadata": None, "subfiletype": int(pixels is not PIC)}
            tiff.write(pixels, **how)
    with open_slide(tmp_path / "a.tif", 0.5) as slide:
        assert np.array_equal(slide.read_level(1, 0, 0, 160, 128), QUARTER)
        assert np.array_equal(slide.read_level(0, 500, 400, 140, 112), PIC[400:, 500:])


def test_a_slide_behind_its_macro_has_its_levels(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        for pixels, reduced in ((picture(100, 300, 1), 0), (PIC, 0), (HALF, 1)):
            tiff.write(pixels, photometric="rgb", tile=(128, 128), metadata=None, subfiletype=reduced)
    with open_slide(tmp_path / "a.tif", 0.5) as slide:
        assert [level.size for level in slide.levels] == [Size(640, 512), Size(320, 256)]
    assert np.array_equal(read(tmp_path / "a.tif"), PIC)


@pytest.mark.parametrize("tile", [(128, 128), None])
@pytest.mark.parametrize("compression", ["zstd", "webp", "jpeg2000", "jpegxl", "lerc", "png"])
def test_newer_compressions(tmp_path: Path, compression: str, tile: tuple[int, int] | None) -> None:
    write(tmp_path / "a.tif", [PIC, HALF], compression=compression, tile=tile)
    assert np.abs(read(tmp_path / "a.tif").astype(int) - PIC).mean() < 4


@pytest.mark.parametrize("tile", [(128, 128), None])
@pytest.mark.parametrize(
    ("unit", "per_unit"), [("micron", 2.0), ("um", 2.0), ("mm", 2000.0), ("cm", 20_000.0), ("inch", 50_800.0)]
)
@pytest.mark.parametrize("stated", ["NONE", "INCH", "CENTIMETER"])
def test_the_unit_of_imagej_counts_in_tiles_too(
    tmp_path: Path, unit: str, per_unit: float, stated: str, tile: tuple[int, int] | None
) -> None:
    how = {"tile": tile, "resolution": (per_unit, per_unit), "resolutionunit": stated}
    write(tmp_path / "a.tif", [PIC], f"ImageJ=1.53t\nunit={unit}\n", **how)
    with open_slide(tmp_path / "a.tif") as slide:
        assert slide.spacing_um_per_px == pytest.approx(0.5)


@pytest.mark.parametrize("tile", [(128, 128), None])
def test_what_imagescope_exports_has_its_spacing(tmp_path: Path, tile: tuple[int, int] | None) -> None:
    write(tmp_path / "a.tif", [PIC], APERIO, tile=tile, resolution=(72, 72))
    with open_slide(tmp_path / "a.tif") as slide:
        assert slide.spacing_um_per_px == 0.499


@pytest.mark.parametrize("tile", [(128, 128), None])
def test_deep_colours_are_refused(tmp_path: Path, tile: tuple[int, int] | None) -> None:
    """Twelve bits in sixteen would come out nearly black."""
    import cv2

    deep = PIC.astype(np.uint16) * 16
    write(tmp_path / "a.tif", [deep], tile=tile)
    with pytest.raises(UnreadableSlide, match="pixels of type uint16"):
        read(tmp_path / "a.tif")
    cv2.imwrite(str(tmp_path / "a.png"), deep)
    with pytest.raises(UnreadableSlide, match="pixels of 16 bits"):
        read(tmp_path / "a.png")


def test_an_ome_pyramid_in_pages_of_its_own_has_its_levels(tmp_path: Path) -> None:
    """libvips writes such files unless it is given --subifd."""
    inside = '<Channel ID="Channel:0:0" SamplesPerPixel="3"/>' + tiff_data(0)
    xml = ome(ome_image(SIZE, inside, spacing=microns(0.25)))
    write(tmp_path / "a.ome.tif", [PIC, HALF, picture(100, 300, 1), QUARTER], xml)
    with open_slide(tmp_path / "a.ome.tif") as slide:
        assert slide.spacing_um_per_px == 0.25
        assert [level.size.width for level in slide.levels] == [640, 320, 160]
        assert np.array_equal(slide.read_level(2, 0, 0, 160, 128), QUARTER)
    two = ome(ome_image(SIZE, inside), ome_image((320, 256), inside.replace('IFD="0"', 'IFD="1"'), name="macro"))
    write(tmp_path / "b.ome.tif", [PIC, HALF], two)
    with open_slide(tmp_path / "b.ome.tif", 0.5) as slide:
        assert len(slide.levels) == 1


@pytest.mark.parametrize("names", [["C0-Red", "C1-Green", "C2-Blue"], ["band red", "band green", "band blue"]])
def test_planes_named_by_colour_and_number(tmp_path: Path, names: list[str]) -> None:
    xml = ome(ome_image(SIZE, channels(names) + "".join(tiff_data(index, index) for index in range(3))))
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as tiff:
        for index in range(3):
            plane = np.ascontiguousarray(PIC[..., index])
            tiff.write(plane, photometric="minisblack", metadata=None, description=xml.encode() if index == 0 else None)
    assert np.array_equal(read(tmp_path / "a.ome.tif"), PIC)


def test_a_larger_macro_named_at_the_beginning_is_not_the_slide(tmp_path: Path) -> None:
    macro, inside = picture(700, 900, 3), '<Channel ID="Channel:0:0" SamplesPerPixel="3"/>'
    xml = ome(
        ome_image((900, 700), inside + tiff_data(0), name="Macro of A.scn"),
        ome_image(SIZE, inside + tiff_data(1), name="A.scn"),
    )
    write(tmp_path / "a.ome.tif", [macro, PIC], xml)
    assert np.array_equal(read(tmp_path / "a.ome.tif"), PIC)
    alone = ome(ome_image(SIZE, inside + tiff_data(0), name="Label-free, macro-dissected"))
    write(tmp_path / "b.ome.tif", [PIC], alone)
    assert np.array_equal(read(tmp_path / "b.ome.tif"), PIC)
