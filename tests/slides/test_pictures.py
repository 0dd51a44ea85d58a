"""Plain pictures and TIFFs without a scanner's description: shown as they are meant, never the first of several."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from histoseek.errors import MissingSpacing, UnreadableSlide
from histoseek.geometry import Size
from histoseek.slides.slide import open_slide
from tests.slides.ome_files import image as ome_image
from tests.slides.ome_files import ome, picture, tiff_data, write_pages

PIC = picture()
GREY = np.ascontiguousarray(PIC[..., 0])
ALPHA = picture(seed=1)[..., 0]
PALETTE = np.random.default_rng(2).integers(0, 256, (3, 256)).astype(np.uint16)
LAYOUTS = pytest.mark.parametrize("layout", [{}, {"tile": (128, 128)}, {"tile": (128, 128), "compression": "lzw"}])
ORIENTATION_TAG = 274


def turn(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """As the TIFF standard says: the first row and column of what is stored are at these edges of what is shown."""
    shown = pixels.transpose(1, 0, 2) if orientation >= 5 else pixels
    return shown[:: -1 if orientation in (3, 4, 7, 8) else 1, :: -1 if orientation in (2, 3, 6, 7) else 1]


def over_white(pixels: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    opaque = alpha[..., None].astype(int)
    return ((pixels * opaque + 255 * (255 - opaque) + 127) // 255).astype(np.uint8)


def shown(path: Path) -> np.ndarray:
    with open_slide(path, 0.5) as slide:
        return slide.read_level(0, 0, 0, slide.size.width, slide.size.height)


def write_tiff(path: Path, pixels: np.ndarray, photometric: str = "rgb", **options: object) -> None:
    how = {"photometric": photometric, "metadata": None, **options}
    tifffile.imwrite(path, pixels, **how)


def oriented(orientation: int) -> dict[str, object]:
    return {"extratags": [(ORIENTATION_TAG, 3, 1, orientation, True)]}


@pytest.mark.parametrize("orientation", range(10))
@LAYOUTS
def test_orientation_of_tiffs(tmp_path: Path, orientation: int, layout: dict[str, object]) -> None:
    path, known = tmp_path / "a.tif", orientation if 1 <= orientation <= 8 else 1
    write_tiff(path, PIC, **layout, **oriented(orientation))
    assert np.array_equal(shown(path), turn(PIC, known))
    write_tiff(path, GREY, "minisblack", **layout, **oriented(orientation))
    assert np.array_equal(shown(path), turn(np.dstack([GREY] * 3), known))
    write_tiff(path, GREY, "palette", colormap=PALETTE * 257, **layout, **oriented(orientation))
    assert np.array_equal(shown(path), turn(PALETTE.T.astype(np.uint8)[GREY], known))
    write_tiff(path, np.moveaxis(PIC, -1, 0), planarconfig="separate", **layout, **oriented(orientation))
    assert np.array_equal(shown(path), turn(PIC, known))
    write_pages(
        path, ome(ome_image((400, 300), tiff_data(0))), [PIC], **{"tile": None, **layout}, **oriented(orientation)
    )
    assert np.array_equal(shown(path), turn(PIC, known))


@pytest.mark.parametrize("orientation", range(2, 9))
def test_regions_and_levels_of_turned_pyramids(tmp_path: Path, orientation: int) -> None:
    half = PIC[::2, ::2].copy()
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        for pixels, reduced in ((PIC, 0), (half, 1)):
            how = {"photometric": "rgb", "tile": (64, 64), "metadata": None, "subfiletype": reduced}
            tiff.write(pixels, **how, **oriented(orientation))
    with open_slide(tmp_path / "a.tif", 0.5) as slide:
        whole = (turn(PIC, orientation), turn(half, orientation))
        assert [level.size for level in slide.levels] == [Size(w.shape[1], w.shape[0]) for w in whole]
        for level, pixels in enumerate(whole):
            region = slide.read_level(level, 33, 17, 90, 71)
            assert np.array_equal(region, pixels[17 : 17 + 71, 33 : 33 + 90])
            beyond = slide.read_level(level, -5, -3, 20, 10)
            assert np.array_equal(beyond[3:, 5:], pixels[:7, :15])
            assert (beyond[:3] == 255).all() and (beyond[:, :5] == 255).all()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_orientation_of_photographs(tmp_path: Path, orientation: int, name: str) -> None:
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = orientation
    Image.fromarray(PIC).save(tmp_path / name, exif=exif, quality=95)
    with Image.open(tmp_path / name) as stored:
        assert np.array_equal(shown(tmp_path / name), turn(np.asarray(stored), orientation))


@LAYOUTS
def test_transparency_in_tiffs(tmp_path: Path, layout: dict[str, object]) -> None:
    path, rgba = tmp_path / "a.tif", np.dstack([PIC, ALPHA])
    write_tiff(path, rgba, extrasamples=["unassalpha"], **layout)
    assert np.array_equal(shown(path), over_white(PIC, ALPHA))
    premultiplied = ((PIC * ALPHA[..., None].astype(int) + 127) // 255).astype(np.uint8)
    write_tiff(path, np.dstack([premultiplied, ALPHA]), extrasamples=["assocalpha"], **layout)
    assert np.abs(shown(path).astype(int) - (premultiplied + (255 - ALPHA[..., None]))).max() <= 1
    write_tiff(path, rgba, extrasamples=["unspecified"], **layout)
    assert np.array_equal(shown(path), PIC)
    write_tiff(path, np.dstack([rgba, ALPHA]), **layout)
    with pytest.raises(UnreadableSlide, match="5 samples a pixel"):
        shown(path)


def test_transparency_in_pngs(tmp_path: Path) -> None:
    path, flat = tmp_path / "a.png", PIC.copy()
    flat[:100] = (10, 20, 30)
    Image.fromarray(flat).save(path, transparency=(10, 20, 30))
    clear = (flat == (10, 20, 30)).all(axis=-1, keepdims=True)
    assert np.array_equal(shown(path), np.where(clear, 255, flat))
    grey = np.ascontiguousarray(flat[..., 0])
    Image.fromarray(grey).save(path, transparency=10)
    assert np.array_equal(shown(path), np.dstack([np.where(grey == 10, 255, grey)] * 3))
    palette = Image.fromarray(flat).quantize(16)
    opacity = np.full(256, 255, np.uint8)
    opacity[:3] = (0, 128, 64)
    palette.save(path, transparency=opacity[:3].tobytes())
    assert np.array_equal(shown(path), over_white(np.asarray(palette.convert("RGB")), opacity[np.asarray(palette)]))
    Image.fromarray(np.dstack([grey, ALPHA])).save(path)
    assert np.array_equal(shown(path), over_white(np.dstack([grey] * 3), ALPHA))


@LAYOUTS
@pytest.mark.parametrize("metadata", [None, {}])
def test_stacks_are_never_read_as_their_first_page(
    tmp_path: Path, layout: dict[str, object], metadata: dict[str, object] | None
) -> None:
    path = tmp_path / "a.tif"
    for pixels, photometric in ((np.stack([PIC, PIC[::-1]]), "rgb"), (np.moveaxis(PIC, -1, 0), "minisblack")):
        write_tiff(path, np.ascontiguousarray(pixels), photometric, **{**layout, "metadata": metadata})
        with pytest.raises(UnreadableSlide, match="planes of like size"):
            shown(path)
    for config in ("contig", "separate"):
        pixels = PIC if config == "contig" else np.ascontiguousarray(np.moveaxis(PIC, -1, 0))
        write_tiff(path, pixels, "minisblack", planarconfig=config, **layout)
        with pytest.raises(UnreadableSlide, match=r"3 samples a pixel|not known to be red"):
            shown(path)


@pytest.mark.parametrize(("axes", "what"), [("ZYXS", "3 slices"), ("TYX", "3 frames"), ("CYX", "3 channels")])
@pytest.mark.parametrize("truncate", [False, True])
def test_stacks_of_imagej_are_refused(tmp_path: Path, axes: str, what: str, truncate: bool) -> None:
    pixels = np.stack([PIC] * 3) if axes.endswith("S") else np.ascontiguousarray(np.moveaxis(PIC, -1, 0))
    tifffile.imwrite(tmp_path / "a.tif", pixels, imagej=True, metadata={"axes": axes}, truncate=truncate)
    with pytest.raises(UnreadableSlide, match=what):
        shown(tmp_path / "a.tif")


def test_a_picture_of_imagej_has_its_spacing(tmp_path: Path) -> None:
    how = {"axes": "YXS", "unit": "micron"}
    tifffile.imwrite(tmp_path / "a.tif", PIC, imagej=True, resolution=(4, 4), metadata=how)
    with open_slide(tmp_path / "a.tif") as slide:
        assert slide.spacing_um_per_px == pytest.approx(0.25)
        assert np.array_equal(slide.read_level(0, 0, 0, 400, 300), PIC)


@LAYOUTS
def test_the_largest_page_is_the_slide(tmp_path: Path, layout: dict[str, object]) -> None:
    per_cm = {0: (1000, 1000), 1: (20000, 20000)}
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        for index, pixels in enumerate((PIC[::4, ::4].copy(), PIC)):
            how = {"photometric": "rgb", "metadata": None, "resolution": per_cm[index], "resolutionunit": "CENTIMETER"}
            tiff.write(pixels, **how, **layout)
    with open_slide(tmp_path / "a.tif") as slide:
        assert (slide.size, slide.spacing_um_per_px) == (Size(400, 300), pytest.approx(0.5))
        assert np.array_equal(slide.read_level(0, 0, 0, 400, 300), PIC)


def test_animations_and_pairs_of_views_are_refused_and_previews_are_not(tmp_path: Path) -> None:
    first, second = Image.fromarray(PIC), Image.fromarray(PIC[::-1].copy())
    for default in (False, True):
        first.save(tmp_path / "a.png", save_all=True, append_images=[second], default_image=default)
        with pytest.raises(UnreadableSlide, match="2 pictures of 400 x 300 px in one file"):
            shown(tmp_path / "a.png")
    first.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[second])
    with pytest.raises(UnreadableSlide, match="2 pictures"):
        shown(tmp_path / "a.jpg")
    first.save(tmp_path / "b.jpg", format="MPO", save_all=True, append_images=[second.resize((100, 75))], quality=95)
    first.save(tmp_path / "c.jpg", quality=95)
    assert np.array_equal(shown(tmp_path / "b.jpg"), shown(tmp_path / "c.jpg"))
    first.save(tmp_path / "d.jpg", format="MPO", save_all=True, append_images=[first.convert("L")], quality=95)
    assert np.array_equal(shown(tmp_path / "d.jpg"), shown(tmp_path / "c.jpg"))  # a map of depth or light


@LAYOUTS
@pytest.mark.parametrize("kind", [np.uint16, np.float32])
def test_deep_grey_tiffs_are_refused_tiled_or_not(tmp_path: Path, layout: dict[str, object], kind: type) -> None:
    write_tiff(tmp_path / "a.tif", GREY.astype(kind), "minisblack", **layout)
    with pytest.raises(UnreadableSlide, match=f"pixels of type {np.dtype(kind)}, wanted 8-bit RGB"):
        shown(tmp_path / "a.tif")


def save_with_resolution(path: Path, per_inch: float) -> None:
    if path.suffix == ".tif":
        tile = (128, 128) if path.stem == "tiled" else None
        write_tiff(path, PIC, tile=tile, resolution=(per_inch, per_inch), resolutionunit="INCH")
    else:
        Image.fromarray(PIC).save(path, dpi=(per_inch, per_inch))


@pytest.mark.parametrize("name", ["tiled.tif", "strips.tif", "a.png", "a.jpg"])
def test_resolutions_of_printing_are_no_spacing_and_those_of_a_microscope_are(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    for per_inch in (1, 72, 96, 150, 300, 600, 1200, 2400):
        save_with_resolution(path, per_inch)
        with pytest.raises(MissingSpacing, match="does not state how many"):
            open_slide(path)
    for spacing in (0.5, 1.0, 2.0):
        save_with_resolution(path, 25_400 / spacing)
        with open_slide(path) as slide:
            assert slide.spacing_um_per_px == pytest.approx(spacing, rel=1e-3)
        with open_slide(path, 0.3) as slide:
            assert slide.spacing_um_per_px == 0.3
            assert slide.stated_spacing_um_per_px == pytest.approx(spacing, rel=1e-3)


@LAYOUTS
def test_unequal_resolutions(tmp_path: Path, layout: dict[str, object]) -> None:
    path = tmp_path / "a.tif"
    write_tiff(path, PIC, resolution=(20000, 40000), resolutionunit="CENTIMETER", **layout)
    with pytest.raises(MissingSpacing, match="not square"):
        open_slide(path)
    write_tiff(path, PIC, resolution=(204, 98), resolutionunit="INCH", **layout)  # a fax
    with pytest.raises(MissingSpacing, match="does not state"):
        open_slide(path)
    write_tiff(path, PIC, resolution=(20000, 20000), resolutionunit="NONE", **layout)
    with pytest.raises(MissingSpacing, match="does not state"):
        open_slide(path)
