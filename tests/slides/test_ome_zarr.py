"""OME-Zarr: what is read is the picture that was written, with its spacing; everything else is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from histoseek.errors import MissingSpacing, UnreadableSlide
from histoseek.geometry import Rect, Size
from histoseek.slides.readers.ome_zarr import OmeZarrReader
from histoseek.slides.slide import open_slide
from histoseek.slides.sources.file import FileSource
from histoseek.slides.sources.registry import discover
from tests.slides.ome_files import picture

zarr = pytest.importorskip("zarr")

PIC = picture()
RGB = [{"label": name, "color": colour} for name, colour in (("R", "FF0000"), ("G", "00FF00"), ("B", "0000FF"))]
DYES = [
    {"label": name, "color": colour} for name, colour in (("DAPI", "0000FF"), ("FITC", "00FF00"), ("CY3", "FF0000"))
]


def write_picture(
    folder: Path,
    pixels: np.ndarray = PIC,
    *,
    version: str = "0.4",
    axes: str = "tczyx",
    levels: int = 3,
    spacing: float = 0.5,
    unit: str | None = "micrometer",
    channels: list[dict[str, str]] | None = RGB,
) -> None:
    """A multiscale image as writers of OME-Zarr lay it out."""
    group = zarr.open_group(str(folder), mode="w", zarr_format=2 if version == "0.4" else 3)
    datasets = []
    for level in range(levels):
        step = 2**level
        array = np.moveaxis(pixels[::step, ::step], -1, 0)
        order = [("czyx".replace("z", "")).index(axis) for axis in axes if axis in "cyx"]
        array = array.transpose(order)
        array = array.reshape(
            [array.shape["".join(a for a in axes if a in "cyx").index(x)] if x in "cyx" else 1 for x in axes]
        )
        chunks = tuple(min(size, 64) if axis in "yx" else 1 for size, axis in zip(array.shape, axes, strict=True))
        group.create_array(str(level), shape=array.shape, chunks=chunks, dtype=array.dtype)[:] = array
        scale = [spacing * step if axis in "yx" else 1.0 for axis in axes]
        datasets.append({"path": str(level), "coordinateTransformations": [{"type": "scale", "scale": scale}]})
    described: list[dict[str, str]] = [
        {"name": axis, "type": "space"} | ({"unit": unit} if unit and axis in "yx" else {}) for axis in axes
    ]
    ome: dict[str, Any] = {"multiscales": [{"version": version, "axes": described, "datasets": datasets}]}
    if channels:
        ome["omero"] = {"channels": channels}
    group.attrs.update(ome if version == "0.4" else {"ome": ome | {"version": version}})


def refusal(path: Path) -> str:
    with pytest.raises(UnreadableSlide) as caught:
        open_slide(FileSource(path), 0.5)
    assert "\n" not in str(caught.value)
    return caught.value.reason


@pytest.mark.parametrize("trust", [True, False])
@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("axes", ["tczyx", "cyx", "yxc"])
def test_pixels_levels_and_spacing_are_those_that_were_written(
    tmp_path: Path, version: str, axes: str, trust: bool
) -> None:
    folder = tmp_path / "slide.ome.zarr"
    write_picture(folder, version=version, axes=axes)
    with open_slide(FileSource(folder), trust=trust) as slide:
        height, width = PIC.shape[:2]
        assert slide.size == Size(width, height)
        assert slide.spacing_um_per_px == 0.5
        assert [round(level.downsample) for level in slide.levels] == [1, 2, 4]
        assert np.array_equal(slide.read_level(0, 0, 0, width, height), PIC)
        assert np.array_equal(slide.read_level(1, 10, 20, 50, 70), PIC[::2, ::2][20:90, 10:60])
        beyond = slide.read_level(0, width - 5, -3, 9, 9)
        assert (beyond[:3] == 255).all() and (beyond[:, 5:] == 255).all()
        assert np.array_equal(beyond[3:, :5], PIC[:6, -5:])


def test_channels_in_another_order_become_red_green_and_blue(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.zarr", PIC[..., ::-1], channels=RGB[::-1])
    with open_slide(FileSource(tmp_path / "a.zarr")) as slide:
        assert np.array_equal(slide.read_at(0.5, Rect(0, 0, 64, 64), Size(64, 64)), PIC[:64, :64])


@pytest.mark.parametrize(("unit", "scale"), [("nanometer", 500.0), ("millimeter", 0.0005), ("micrometer", 0.5)])
def test_units_of_spacing(tmp_path: Path, unit: str, scale: float) -> None:
    write_picture(tmp_path / "a.zarr", spacing=scale, unit=unit)
    with open_slide(FileSource(tmp_path / "a.zarr")) as slide:
        assert slide.spacing_um_per_px == pytest.approx(0.5)


def test_a_picture_without_a_unit_has_no_spacing(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.zarr", unit=None)
    with pytest.raises(MissingSpacing):
        open_slide(FileSource(tmp_path / "a.zarr"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": DYES}, "not known to be red, green and blue (DAPI, FITC, CY3)"),
        ({"channels": None}, "not known to be red, green and blue (no omero metadata)"),
        ({"pixels": PIC[..., :1]}, "1 channels"),
        ({"pixels": PIC.astype(np.uint16)}, "pixels of type uint16"),
    ],
)
def test_what_is_no_rgb_picture_is_refused(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    write_picture(tmp_path / "a.zarr", **options)
    assert message in refusal(tmp_path / "a.zarr")


def convert(folder: Path, pictures: dict[str, np.ndarray]) -> None:
    """Several images in one folder, as bioformats2raw lays them out."""
    zarr.open_group(str(folder), mode="w", zarr_format=2).attrs["bioformats2raw.layout"] = 3
    for index, pixels in enumerate(pictures.values()):
        write_picture(folder / str(index), pixels)
    (folder / "OME").mkdir()
    images = "".join(f'<Image ID="Image:{i}" Name="{name}"/>' for i, name in enumerate(pictures))
    xmlns = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
    (folder / "OME" / "METADATA.ome.xml").write_text(f'<OME xmlns="{xmlns}">{images}</OME>')


def test_of_a_conversion_the_slide_is_read_and_never_label_or_macro(tmp_path: Path) -> None:
    convert(tmp_path / "a.zarr", {"macro image": PIC, "slide": PIC[:200], "label image": PIC[::-1]})
    with open_slide(FileSource(tmp_path / "a.zarr")) as slide:
        assert np.array_equal(slide.read_level(0, 0, 0, PIC.shape[1], 200), PIC[:200])


def test_the_only_picture_is_the_slide_and_pictures_may_name_themselves(tmp_path: Path) -> None:
    convert(tmp_path / "a.zarr", {"label of 12": PIC})
    with open_slide(FileSource(tmp_path / "a.zarr")) as slide:
        assert slide.levels[0].size == Size(PIC.shape[1], PIC.shape[0])
    convert(tmp_path / "b.zarr", {"": PIC, " ": PIC[:200]})
    (tmp_path / "b.zarr" / "OME" / "METADATA.ome.xml").unlink()
    described = json.loads((tmp_path / "b.zarr" / "0" / ".zattrs").read_text())
    described["multiscales"][0]["name"] = "label image"
    (tmp_path / "b.zarr" / "0" / ".zattrs").write_text(json.dumps(described))
    with open_slide(FileSource(tmp_path / "b.zarr")) as slide:
        assert slide.levels[0].size == Size(PIC.shape[1], 200)


def test_two_slides_in_one_folder_are_refused(tmp_path: Path) -> None:
    convert(tmp_path / "a.zarr", {"first": PIC, "second": PIC})
    assert "several pictures of like size" in refusal(tmp_path / "a.zarr")


def test_slides_are_found_among_others_and_known_again(tmp_path: Path) -> None:
    write_picture(tmp_path / "below" / "a.ome.zarr")
    zarr.open_group(str(tmp_path / "below" / "a.embeddings.zarr"), mode="w")
    found = discover([str(tmp_path)])
    assert [source.name for source in found.slides] == ["a.ome.zarr"]
    assert found.passed_over == {".zarr folders (no slides)": 1}
    first = found.slides[0].fingerprint()
    (tmp_path / "below").rename(tmp_path / "elsewhere")
    source = FileSource(tmp_path / "elsewhere" / "a.ome.zarr")
    assert source.fingerprint() == first
    assert discover([str(source.path)]).slides == (source,)
    write_picture(source.path, PIC[::-1])
    assert source.fingerprint() != first


def test_damaged_folders_are_refused_in_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "a.zarr"
    write_picture(folder)
    description = json.loads((folder / ".zattrs").read_text())
    for part, value in (("datasets", []), ("datasets", [{"path": "../b"}]), ("axes", 3), ("datasets", [{"path": "9"}])):
        broken = json.loads(json.dumps(description))
        broken["multiscales"][0][part] = value
        (folder / ".zattrs").write_text(json.dumps(broken))
        assert refusal(folder)
    for scale in ([1, "x"], ["x"] * 5, [[1]], "half"):
        broken = json.loads(json.dumps(description))
        broken["multiscales"][0]["datasets"][0]["coordinateTransformations"][0]["scale"] = scale
        (folder / ".zattrs").write_text(json.dumps(broken))
        with pytest.raises(UnreadableSlide, match="description of the picture that is damaged"):
            OmeZarrReader(folder)
    (folder / ".zattrs").write_text("{")
    assert refusal(folder)
