"""Pictures of regions: against plain area averages, at borders, and what is refused."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from histoseek.errors import InputError
from histoseek.geometry import Rect
from histoseek.server.tiles import deepzoom
from histoseek.server.tiles.region import RegionPicture
from histoseek.slides.readers.base import Pixels
from tests.server.tiles.pictures import halves, smooth_noise
from tests.server.tiles.test_deepzoom import in_memory

PICTURE = smooth_noise(600, 450, patch_px=200)
IMAGE = in_memory(halves(PICTURE, 3), 128, overview_px=256)


def average(picture: Pixels, rect: Rect, width: int, height: int) -> np.ndarray:
    """The mean of what each pixel covers of a rectangle; white beyond the picture."""
    padded = np.full((rect.height, rect.width, 3), 255.0)
    lines = slice(max(0, rect.y), min(picture.shape[0], rect.bottom))
    columns = slice(max(0, rect.x), min(picture.shape[1], rect.right))
    target = slice(lines.start - rect.y, lines.stop - rect.y), slice(columns.start - rect.x, columns.stop - rect.x)
    padded[target] = picture[lines, columns]
    sizes = (rect.height, height), (rect.width, width)
    down, across = (np.linspace(0, edge, count + 1).round().astype(int).tolist() for edge, count in sizes)
    rows = np.stack([padded[a : max(a + 1, b)].mean(axis=0) for a, b in pairwise(down)])
    return np.stack([rows[:, a : max(a + 1, b)].mean(axis=1) for a, b in pairwise(across)], axis=1)


@settings(max_examples=80)
@given(st.integers(-60, 560), st.integers(-60, 410), st.integers(40, 500), st.integers(40, 500), st.integers(16, 300))
def test_regions_are_averages_of_what_they_cover(x: int, y: int, width: int, height: int, px: int) -> None:
    rect, coarse_px = Rect(x, y, width, height), max(width, height) / px
    assume(min(rect.right, rect.bottom, 600 - x, 450 - y) > 2 * coarse_px)
    shown = IMAGE.make_region(RegionPicture(rect, px))
    wanted_px = min(px, max(width, height))
    scale = wanted_px / max(width, height)
    assert max(shown.shape[:2]) == wanted_px
    assert shown.shape[:2] == (max(1, round(height * scale)), max(1, round(width * scale)))
    expected = average(PICTURE, rect, shown.shape[1], shown.shape[0])
    # Pixels lie on the grid of the whole slide: a picture is off by up to half of one.
    assert np.median(np.abs(shown - expected)) < 8


def test_what_is_beyond_the_slide_is_white_and_what_is_inside_is_itself() -> None:
    shown = IMAGE.make_region(RegionPicture(Rect(-50, 400, 100, 100), 100))
    assert (shown[:, :50] == 255).all()
    assert (shown[50:] == 255).all()
    np.testing.assert_array_equal(shown[:50, 50:], PICTURE[400:450, :50])


def test_small_regions_are_not_magnified() -> None:
    shown = IMAGE.make_region(RegionPicture(Rect(10, 20, 40, 30), 256))
    np.testing.assert_array_equal(shown, PICTURE[20:50, 10:50])


@pytest.mark.parametrize("rect", [Rect(600, 0, 50, 50), Rect(-50, 0, 50, 50), Rect(0, 10_000, 50, 50)])
def test_regions_outside_are_refused(rect: Rect) -> None:
    with pytest.raises(InputError, match="outside of the slide of 600 x 450 px"):
        IMAGE.make_region(RegionPicture(rect, 64))


def test_what_costs_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    flat = in_memory([smooth_noise(600, 450)], 128, overview_px=64)
    picture = RegionPicture(Rect(0, 0, 300, 300), 100)
    assert flat.make_region(picture).shape == (100, 100, 3)
    monkeypatch.setattr(deepzoom, "MOST_PIXELS_READ", 300 * 300 - 1)
    with pytest.raises(InputError, match="no level near"):
        flat.make_region(picture)
    assert flat.make_region(RegionPicture(Rect(0, 0, 600, 450), 16)).shape == (12, 16, 3)


def test_the_size_of_a_picture_is_given_by_its_edge_or_its_scale() -> None:
    rect = Rect(0, 0, 400, 200)
    assert RegionPicture.create(rect, None).longer_edge_px == 256
    assert RegionPicture.create(rect, 64).longer_edge_px == 64
    assert RegionPicture.create(rect, None, 1.0, 0.25).longer_edge_px == 100
    assert RegionPicture.create(rect, None, 500.0, 0.25).longer_edge_px == 16
    for px, um_per_px, spacing in (
        (64, 1.0, 0.25),
        (None, 1.0, None),
        (None, 1.0, 0.0),
        (None, 0.01, 0.25),
        (9, None, 1),
    ):
        with pytest.raises(InputError):
            RegionPicture.create(rect, px, um_per_px, spacing)
