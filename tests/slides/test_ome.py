"""OME-TIFF: what is read is the picture that was written, with its own spacing; everything else is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from histoseek.errors import MissingSpacing, UnreadableSlide
from histoseek.geometry import Size
from histoseek.slides.slide import open_slide
from tests.slides.ome_files import UUID, channels, image, microns, ome, picture, tiff_data, write_pages

RED, GREEN, BLUE = (f'Color="{value}"' for value in (-16776961, 16711935, 65535))
ONE_RGB = channels([""], samples=3)
PIC = picture()
SIZE = (400, 300)


def opened(path: Path, spacing: float | None = None) -> tuple[np.ndarray, float]:
    with open_slide(path, spacing) as slide:
        size = slide.size
        return slide.read_level(0, 0, 0, size.width, size.height), slide.spacing_um_per_px


def refusal(path: Path) -> str:
    with pytest.raises(UnreadableSlide) as caught:
        open_slide(path, 0.5)
    assert "\n" not in str(caught.value)
    return caught.value.reason


def planes(pic: np.ndarray = PIC) -> list[np.ndarray]:
    return [np.ascontiguousarray(pic[..., channel]) for channel in range(3)]


def write_planes(path: Path, inside: str, pages: list[np.ndarray] | None = None, **options: object) -> None:
    data = "".join(tiff_data(index, index) for index in range(3))
    write_pages(path, ome(image(SIZE, inside + data, spacing=microns(0.5))), pages or planes(), **options)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_pixels_and_spacing_are_those_of_the_largest_image(tmp_path: Path, order: tuple[int, int]) -> None:
    path = tmp_path / "macro.ome.tif"
    images = [(PIC[::8, ::8].copy(), 0.25), (PIC, 0.5)]
    with tifffile.TiffWriter(path, ome=True) as tiff:
        for pixels, size in (images[index] for index in order):
            metadata = {"axes": "YXS", "PhysicalSizeX": size, "PhysicalSizeY": size}
            tiff.write(pixels, photometric="rgb", metadata=metadata)
    pixels, spacing = opened(path)
    assert np.array_equal(pixels, PIC)
    assert spacing == 0.5


def test_images_in_another_order_than_their_pages(tmp_path: Path) -> None:
    path = tmp_path / "crossed.ome.tif"
    small = picture(40, 50, 1)
    xml = ome(
        image((50, 40), ONE_RGB + tiff_data(1), spacing=microns(8.0)),
        image(SIZE, ONE_RGB + tiff_data(0), spacing=microns(0.25)),
    )
    write_pages(path, xml, [PIC, small, picture(500, 600, 2)])  # the last page is of no image
    pixels, spacing = opened(path)
    assert np.array_equal(pixels, PIC)
    assert spacing == 0.25


@pytest.mark.parametrize(
    "name", ["label image", "Slide 3 - Macro", "Thumbnail", "macro_image.tif", "LABEL", "Overview 2"]
)
def test_label_and_macro_are_never_the_slide(tmp_path: Path, name: str) -> None:
    large = picture(600, 700, 3)
    xml = ome(
        image((700, 600), ONE_RGB + tiff_data(0), name=name, spacing=microns(10)),
        image(SIZE, ONE_RGB + tiff_data(1), name="macrodissected tissue", spacing=microns(0.5)),
    )
    write_pages(tmp_path / "a.ome.tif", xml, [large, PIC])
    assert np.array_equal(opened(tmp_path / "a.ome.tif")[0], PIC)
    alone = ome(image((700, 600), ONE_RGB + tiff_data(0), name=name, spacing=microns(10)))
    write_pages(tmp_path / "b.ome.tif", alone, [large])
    assert "label or macro images only" in refusal(tmp_path / "b.ome.tif")


def test_several_pictures_of_like_size_are_refused_and_levels_are_not(tmp_path: Path) -> None:
    def write(path: Path, other: np.ndarray) -> None:
        size = (other.shape[1], other.shape[0])
        xml = ome(
            image(SIZE, ONE_RGB + tiff_data(0), name="Scene 1", spacing=microns(0.5)),
            image(size, ONE_RGB + tiff_data(1), name="Scene 2", spacing=microns(0.5)),
        )
        write_pages(path, xml, [PIC, other])

    write(tmp_path / "a.ome.tif", picture(290, 380, 1))
    reason = refusal(tmp_path / "a.ome.tif")
    assert "'Scene 1', 400 x 300 px; 'Scene 2', 380 x 290 px" in reason
    write(tmp_path / "b.ome.tif", PIC[::2, ::2].copy())
    assert np.array_equal(opened(tmp_path / "b.ome.tif")[0], PIC)


def test_a_small_picture_beside_large_fluorescence_is_not_the_slide(tmp_path: Path) -> None:
    stained = channels(["DAPI", "FITC", "Cy5"]) + "".join(tiff_data(index, index) for index in range(3))
    xml = ome(image(SIZE, stained), image((50, 40), ONE_RGB + tiff_data(3)))
    write_pages(tmp_path / "a.ome.tif", xml, [*planes(), picture(40, 50)])
    assert "red, green and blue (DAPI, FITC, Cy5)" in refusal(tmp_path / "a.ome.tif")


@pytest.mark.parametrize(
    ("names", "order"),
    [
        (["Red", "Green", "Blue"], (0, 1, 2)),
        (["R", "G", "B"], (0, 1, 2)),
        (["blue", "green", "red"], (2, 1, 0)),
        (["Channel 2: G", "Channel 3: B", "Channel 1: R"], (1, 2, 0)),
        (["Brightfield - red", "Brightfield - green", "Brightfield - blue"], (0, 1, 2)),
    ],
)
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_three_planes_named_as_colours_are_a_picture(
    tmp_path: Path, names: list[str], order: tuple[int, int, int], compression: str | None
) -> None:
    pages = [planes()[index] for index in order]
    write_planes(tmp_path / "a.ome.tif", channels(names), pages, compression=compression)
    pixels, spacing = opened(tmp_path / "a.ome.tif")
    assert np.array_equal(pixels, PIC)
    assert spacing == 0.5


@pytest.mark.parametrize("names", [["", "", ""], ["Channel 0", "Channel 1", "Channel 2"], ["C1", "C2", "C3"]])
def test_three_planes_without_names_are_a_picture_by_their_colours(tmp_path: Path, names: list[str]) -> None:
    write_planes(tmp_path / "a.ome.tif", channels(names, [RED, GREEN, BLUE]))
    assert np.array_equal(opened(tmp_path / "a.ome.tif")[0], PIC)
    write_planes(tmp_path / "b.ome.tif", channels(names))
    assert "not known to be red, green and blue" in refusal(tmp_path / "b.ome.tif")
    write_planes(tmp_path / "c.ome.tif", channels(names, [BLUE] * 3))
    assert "not known to be red, green and blue" in refusal(tmp_path / "c.ome.tif")


@pytest.mark.parametrize(
    ("names", "extra"),
    [
        (["DAPI", "FITC", "Cy5"], [BLUE, GREEN, RED]),
        (["DAPI", "FITC", "Texas Red"], [BLUE, GREEN, RED]),
        (["Texas Red", "GFP green", "Hoechst blue"], [RED, GREEN, BLUE]),
        (["CD3", "CD8", "PanCK"], [RED, GREEN, BLUE]),
        (["Red", "Green", "Far red"], [RED, GREEN, BLUE]),
        (["Red", "Red", "Blue"], [RED, GREEN, BLUE]),
        (["", "", ""], [f'{RED} EmissionWavelength="600"', GREEN, BLUE]),
        (["R", "G", "B"], ['ExcitationWavelength="561"', "", ""]),
        (["Red", "Green", "Blue"], ['Fluor="Cy5"', 'Fluor="FITC"', 'Fluor="DAPI"']),
        (["", "", ""], [f'{c} ContrastMethod="Fluorescence"' for c in (RED, GREEN, BLUE)]),
    ],
)
def test_fluorescence_never_becomes_a_picture(tmp_path: Path, names: list[str], extra: list[str]) -> None:
    write_planes(tmp_path / "a.ome.tif", channels(names, extra))
    assert "not known to be red, green and blue" in refusal(tmp_path / "a.ome.tif")
    xml = ome(image(SIZE, channels(names, extra) + tiff_data(0)))
    write_pages(tmp_path / "b.ome.tif", xml, [PIC])  # interleaved, under the same names
    assert "not red, green and blue" in refusal(tmp_path / "b.ome.tif")


def test_samples_without_colours_are_a_picture_only_if_they_are_one_channel(tmp_path: Path) -> None:
    for name, inside, is_picture in (
        ("one", ONE_RGB, True),
        ("primaries", channels(["R", "G", "B"]), True),
        ("unsaid", '<Channel ID="Channel:0:0"/>', False),
        ("none", "", False),
        ("three", channels(["", "", ""]), False),
    ):
        path = tmp_path / f"{name}.ome.tif"
        write_pages(
            path, ome(image(SIZE, inside + tiff_data(0))), [PIC], photometric="minisblack", planarconfig="contig"
        )
        if is_picture:
            assert np.array_equal(opened(path, 0.5)[0], PIC), name
        else:
            assert "not red, green and blue" in refusal(path), name


@pytest.mark.parametrize(
    ("axes", "reason"),
    [("ZYXS", "3 planes in depth"), ("TYXS", "3 times"), ("ZYX", "planes in depth"), ("TYX", "times"), ("CYX", "3 ch")],
)
def test_stacks_series_and_unnamed_channels_are_refused(tmp_path: Path, axes: str, reason: str) -> None:
    stack = np.stack([PIC] * 3) if axes.endswith("S") else np.stack(planes())
    photometric = "rgb" if axes.endswith("S") else "minisblack"
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as tiff:
        tiff.write(stack, photometric=photometric, tile=(128, 128), metadata={"axes": axes})
    assert reason in refusal(tmp_path / "a.ome.tif")


@pytest.mark.parametrize(
    "options",
    [
        {"planarconfig": "separate"},
        {"planarconfig": "separate", "compression": "zlib", "predictor": True},
        {"planarconfig": "separate", "tile": None, "rowsperstrip": 7},
        {"tile": None, "rowsperstrip": 64, "compression": "lzw"},
        {"tile": None},
        {"compression": "zstd"},
        {"byteorder": ">"},
        {"compression": "jpeg2000", "compressionargs": {"level": 0}},
        {"compression": "png"},
    ],
)
def test_every_lossless_layout_is_read_to_the_byte(tmp_path: Path, options: dict[str, object]) -> None:
    byteorder = options.pop("byteorder", None)
    separate = options.get("planarconfig") == "separate"
    page = np.ascontiguousarray(np.moveaxis(PIC, -1, 0)) if separate else PIC
    xml = ome(image(SIZE, ONE_RGB + tiff_data(0), spacing=microns(0.5)))
    path = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path, byteorder=byteorder) as tiff:
        how = {"photometric": "rgb", "tile": (128, 128), "metadata": None, **options}
        tiff.write(page, description=xml.encode(), **how)
    with open_slide(path) as slide:
        assert slide.vendor == "ome-tiff"
        assert np.array_equal(slide.read_level(0, 0, 0, 400, 300), PIC)
        assert np.array_equal(slide.read_level(0, 130, 90, 140, 50), PIC[90:140, 130:270])
    options["byteorder"] = byteorder


def test_jpeg_planes_are_near_what_was_written(tmp_path: Path) -> None:
    smooth = np.full((256, 384, 3), (200, 120, 170), np.uint8)
    xml = ome(image((384, 256), ONE_RGB + tiff_data(0)))
    for name, options in (("rgb", {}), ("subsampled", {"subsampling": (2, 2)})):
        path = tmp_path / f"{name}.ome.tif"
        write_pages(path, xml, [smooth], compression="jpeg", **options)
        assert np.abs(opened(path, 0.5)[0].astype(int) - smooth).max() <= 3


@pytest.mark.parametrize("kind", ["interleaved", "planes"])
def test_levels_lie_in_the_subifds_of_the_chosen_image(tmp_path: Path, kind: str) -> None:
    half, stray = PIC[::2, ::2].copy(), picture(40, 200, 9)
    path = tmp_path / "a.ome.tif"
    if kind == "interleaved":
        full, lower, inside = [PIC], [[half, stray]], ONE_RGB + tiff_data(0)
    else:
        full, lower = planes(), [[each, other] for each, other in zip(planes(half), planes(stray), strict=True)]
        inside = channels(["R", "G", "B"]) + "".join(tiff_data(index, index) for index in range(3))
    photometric = "rgb" if kind == "interleaved" else "minisblack"
    with tifffile.TiffWriter(path) as tiff:
        for index, (page, levels) in enumerate(zip(full, lower, strict=True)):
            description = ome(image(SIZE, inside, spacing=microns(0.5))).encode() if index == 0 else None
            how = {"photometric": photometric, "metadata": None, "tile": (128, 128)}
            tiff.write(page, description=description, subifds=len(levels), **how)
            for level in levels:
                tiff.write(level, subfiletype=1, **how)
    with open_slide(path) as slide:
        assert [level.size for level in slide.levels] == [Size(400, 300), Size(200, 150)]
        assert np.array_equal(slide.read_level(0, 0, 0, 400, 300), PIC)
        assert np.array_equal(slide.read_level(1, 0, 0, 200, 150), half)


def test_sets_of_files_are_refused_whatever_is_there(tmp_path: Path) -> None:
    files = [(UUID.format(index), f"c{index}.ome.tif") for index in range(3)]
    data = "".join(tiff_data(0, index, file) for index, file in enumerate(files))
    for index, (uuid, name) in enumerate(files):
        xml = ome(image(SIZE, channels(["R", "G", "B"]) + data), uuid=uuid)
        write_pages(tmp_path / name, xml, [planes()[index]])
    assert "other files of a set (c1.ome.tif, c2.ome.tif)" in refusal(tmp_path / "c0.ome.tif")
    (tmp_path / "c1.ome.tif").unlink()
    (tmp_path / "c2.ome.tif").unlink()
    assert "other files of a set" in refusal(tmp_path / "c0.ome.tif")
    (tmp_path / "c0.ome.tif").rename(tmp_path / "c1.ome.tif")
    assert "other files of a set" in refusal(tmp_path / "c1.ome.tif")


def test_a_plane_of_a_set_that_has_no_description_is_no_picture(tmp_path: Path) -> None:
    for tile in (None, (128, 128)):
        how = {"photometric": "minisblack", "metadata": None, "tile": tile}
        tifffile.imwrite(tmp_path / "c1.ome.tif", planes()[1], ome=False, **how)
        assert "without its OME-XML" in refusal(tmp_path / "c1.ome.tif")


def test_an_image_of_a_set_that_lies_wholly_in_a_file_is_read_from_it(tmp_path: Path) -> None:
    files = [(UUID.format(index), f"s{index}.ome.tif") for index in range(2)]
    pictures = [picture(seed=index) for index in range(2)]
    images = [
        image(SIZE, ONE_RGB + tiff_data(0, 0, file), spacing=microns(0.25 * (index + 1)))
        for index, file in enumerate(files)
    ]
    for pixels, (uuid, name) in zip(pictures, files, strict=True):
        write_pages(tmp_path / name, ome(*images, uuid=uuid), [pixels])
    for index, (_, name) in enumerate(files):
        pixels, spacing = opened(tmp_path / name)
        assert np.array_equal(pixels, pictures[index])
        assert spacing == 0.25 * (index + 1)


@pytest.mark.parametrize("uuid", [UUID.format(1), ""])
def test_a_single_file_may_have_been_given_another_name(tmp_path: Path, uuid: str) -> None:
    xml = ome(image(SIZE, ONE_RGB + tiff_data(0, 0, (UUID.format(1), "before.ome.tif"))), uuid=uuid)
    write_pages(tmp_path / "after.ome.tif", xml, [PIC])
    assert np.array_equal(opened(tmp_path / "after.ome.tif", 0.5)[0], PIC)


def test_descriptions_that_are_elsewhere_or_broken_are_refused(tmp_path: Path) -> None:
    companion = ome('<BinaryOnly MetadataFile="set.companion.ome" UUID="urn:uuid:1"/>')
    good = ome(image(SIZE, ONE_RGB + tiff_data(0), spacing=microns(0.5)))
    wrong_size = ome(image((800, 600), ONE_RGB + tiff_data(0)))
    for name, xml, reason in (
        ("a", companion, "set.companion.ome describes"),
        ("b", good[:-20], "OME-XML is broken"),
        ("c", good.replace('SizeX="400"', ""), "does not give the sizes"),
        ("d", good.replace('SizeX="400"', 'SizeX="many"'), "does not give the sizes"),
        ("e", ome(), "without an image"),
        ("f", wrong_size, "says 800 x 600 px for a page of 400 x 300 px"),
        ("g", ome(image(SIZE, ONE_RGB + tiff_data(4))), "names page 5 of 1"),
        ("h", ome(image(SIZE, ONE_RGB + tiff_data(0), SizeC=6)), "2 channels"),
    ):
        write_pages(tmp_path / f"{name}.ome.tif", xml, [PIC])
        assert reason in refusal(tmp_path / f"{name}.ome.tif"), name
    data = "".join(tiff_data(0, index) for index in range(3))
    write_pages(tmp_path / "same.ome.tif", ome(image(SIZE, channels(["R", "G", "B"]) + data)), planes())
    assert "one page for several channels" in refusal(tmp_path / "same.ome.tif")


@pytest.mark.parametrize("kind", [np.uint16, np.int8, np.float32, np.uint32])
def test_other_types_of_pixels_are_named(tmp_path: Path, kind: type) -> None:
    write_pages(tmp_path / "a.ome.tif", ome(image(SIZE, ONE_RGB + tiff_data(0))), [PIC.astype(kind)])
    assert refusal(tmp_path / "a.ome.tif") == f"pixels of type {np.dtype(kind)}, wanted one 8-bit RGB picture"


@pytest.mark.parametrize(
    ("attributes", "spacing"),
    [
        (microns(0.25), 0.25),
        (microns(250, unit="nm"), 0.25),
        (microns(0.00025, unit="mm"), 0.25),
        (microns(2500, unit="Å"), 0.25),
        (microns(0.25).replace(' PhysicalSizeXUnit="µm"', ""), 0.25),
        ('PhysicalSizeX="0.25"', 0.25),
        ('PhysicalSizeY="0.25"', 0.25),
        (microns(0.25, 0.255), 0.2525),
        (microns(0.25, 0.5), "not square"),
        (microns(0.25, unit="furlong"), "unit is unknown"),
        (microns(1, unit="pixel"), "does not state"),
        (microns(1, unit="reference frame"), "does not state"),
        ("", "does not state"),
        (microns(0), "does not state"),
        (microns(float("nan")), "does not state"),
    ],
)
def test_physical_sizes(tmp_path: Path, attributes: str, spacing: float | str) -> None:
    decoy = image((20, 10), ONE_RGB + tiff_data(1), spacing=microns(7.0))
    xml = ome(decoy, image(SIZE, ONE_RGB + tiff_data(0), spacing=attributes), decoy)
    write_pages(tmp_path / "a.ome.tif", xml, [PIC, picture(10, 20)])
    if isinstance(spacing, float):
        assert opened(tmp_path / "a.ome.tif")[1] == pytest.approx(spacing)
    else:
        with pytest.raises(MissingSpacing, match=spacing):
            opened(tmp_path / "a.ome.tif")


def test_the_resolution_of_the_page_serves_where_the_xml_gives_no_size(tmp_path: Path) -> None:
    xml = ome(image(SIZE, ONE_RGB + tiff_data(0)))
    write_pages(tmp_path / "a.ome.tif", xml, [PIC], resolution=(40000, 40000), resolutionunit="CENTIMETER")
    assert opened(tmp_path / "a.ome.tif")[1] == pytest.approx(0.25)
    write_pages(tmp_path / "b.ome.tif", xml, [PIC], resolution=(300, 300), resolutionunit="INCH")
    with pytest.raises(MissingSpacing, match="does not state"):
        opened(tmp_path / "b.ome.tif")


def test_marks_around_the_xml_and_odd_spellings_of_micrometres_are_read_through(tmp_path: Path) -> None:
    body = image(SIZE, ONE_RGB + tiff_data(0), spacing=microns(0.5, unit="Âµm"))
    prefixed = ome(body).replace("<", "<o:").replace("<o:/", "</o:").replace("xmlns=", "xmlns:o=")
    declared = f'<?xml version="1.0" encoding="UTF-8"?>{ome(body)}'
    for index, xml in enumerate((f"\ufeff{ome(body)}\n", f"\n{declared}", declared, prefixed)):
        path = tmp_path / f"{index}.ome.tif"
        write_pages(path, xml, [PIC])
        pixels, spacing = opened(path)
        assert np.array_equal(pixels, PIC)
        assert spacing == 0.5


def test_images_without_pages_are_no_candidates(tmp_path: Path) -> None:
    elsewhere = image((800, 600), channels([""], samples=3) + "<MetadataOnly/>", spacing=microns(0.1))
    inside = image(SIZE, ONE_RGB + tiff_data(0), spacing=microns(0.5))
    write_pages(tmp_path / "a.ome.tif", ome(elsewhere, inside), [PIC])
    assert opened(tmp_path / "a.ome.tif")[1] == 0.5
    write_pages(tmp_path / "b.ome.tif", ome(image(SIZE, ONE_RGB, spacing=microns(0.5))), [PIC])
    assert np.array_equal(opened(tmp_path / "b.ome.tif")[0], PIC)
    write_pages(tmp_path / "c.ome.tif", ome(image(SIZE, ONE_RGB), image(SIZE, ONE_RGB)), [PIC, PIC])
    assert "does not say which pages" in refusal(tmp_path / "c.ome.tif")


def test_an_ome_tiff_under_another_ending_is_read_as_one(tmp_path: Path) -> None:
    stack = "".join(tiff_data(index, index) for index in range(3))
    write_pages(tmp_path / "a.svs", ome(image(SIZE, channels(["DAPI", "FITC", "Cy5"]) + stack)), planes())
    assert "DAPI" in refusal(tmp_path / "a.svs")
    write_pages(tmp_path / "b.png", ome(image(SIZE, ONE_RGB + tiff_data(0), spacing=microns(0.5))), [PIC])
    assert np.array_equal(opened(tmp_path / "b.png")[0], PIC)


def test_levels_may_be_stored_in_any_order_and_layout(tmp_path: Path) -> None:
    half, quarter = PIC[::2, ::2].copy(), PIC[::4, ::4].copy()
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as tiff:
        xml = ome(image(SIZE, ONE_RGB + tiff_data(0), spacing=microns(0.5))).encode()
        how = {"photometric": "rgb", "metadata": None}
        separate = np.ascontiguousarray(np.moveaxis(PIC, -1, 0))
        tiff.write(separate, description=xml, subifds=2, planarconfig="separate", tile=(128, 128), **how)
        tiff.write(quarter, subfiletype=1, **how)
        tiff.write(half, subfiletype=1, tile=(64, 64), compression="zlib", **how)
    with open_slide(tmp_path / "a.ome.tif") as slide:
        assert [level.size.width for level in slide.levels] == [400, 200, 100]
        for level, pixels in enumerate((PIC, half, quarter)):
            assert np.array_equal(slide.read_level(level, 0, 0, pixels.shape[1], pixels.shape[0]), pixels)


@given(st.lists(st.tuples(st.integers(20, 120), st.integers(20, 120)), min_size=1, max_size=4), st.randoms())
def test_whatever_is_read_is_one_of_the_images_with_its_own_spacing(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[tuple[int, int]], random: object
) -> None:
    path = tmp_path_factory.mktemp("any") / "a.ome.tif"
    pictures = [picture(height, width, seed) for seed, (width, height) in enumerate(sizes)]
    pages = list(range(len(sizes)))
    random.shuffle(pages)  # type: ignore[attr-defined]
    images = [
        image(sizes[page], ONE_RGB + tiff_data(page), spacing=microns((page + 1) / 8))
        for page in sorted(pages, key=pages.index)
    ]
    write_pages(path, ome(*images), pictures, tile=(32, 32))
    areas = sorted((width * height for width, height in sizes), reverse=True)
    if len(areas) > 1 and areas[1] * 2 >= areas[0]:
        assert "pictures of like size" in refusal(path)
        return
    pixels, spacing = opened(path)
    chosen = max(range(len(sizes)), key=lambda index: sizes[index][0] * sizes[index][1])
    assert np.array_equal(pixels, pictures[chosen])
    assert spacing == (chosen + 1) / 8
