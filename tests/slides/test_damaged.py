"""Damaged files end in one kind of error, whatever is wrong with them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from histoseek.errors import SlideError, UnreadableSlide
from histoseek.slides.slide import open_slide


@pytest.fixture(scope="module")
def ome_tiff(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("ome") / "slide.ome.tif"
    pixels = np.random.default_rng(0).integers(0, 255, (96, 128, 3), np.uint8)
    metadata = {"axes": "YXS", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    with tifffile.TiffWriter(path, ome=True) as writer:
        writer.write(pixels, tile=(64, 64), photometric="rgb", metadata=metadata, subifds=1)
        writer.write(pixels[::2, ::2], tile=(64, 64), photometric="rgb", subfiletype=1)
    with open_slide(path) as slide:
        assert (slide.vendor, len(slide.levels)) == ("ome-tiff", 2)
    return path.read_bytes()


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=12), st.floats(0.02, 1))
@example([(0.0, 0)], 1.0)
def test_altered_ome_tiffs_are_read_or_refused(ome_tiff: bytes, changes: list[tuple[float, int]], kept: float) -> None:
    data = bytearray(ome_tiff)
    head = min(len(data) - 1, 4096)  # where the tags are
    for place, value in changes:
        data[int(place * head)] = value
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "slide.ome.tif"
        path.write_bytes(data[: max(8, int(kept * len(data)))])
        try:
            with open_slide(path, 0.5) as slide:
                if slide.size.width * slide.size.height < 10**6:
                    slide.thumbnail(32)
        except SlideError:
            pass


def test_a_picture_is_what_its_name_says(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n")
    with pytest.raises(UnreadableSlide, match="unknown format"):
        open_slide(path, 0.5)
