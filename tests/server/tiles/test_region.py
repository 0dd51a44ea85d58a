"""Pictures of regions: against plain area averages, at borders, and what is refused."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from histoseek.errors import InputError
from histoseek.geometry import Rect
from histoseek.server.tiles import deepzoom
from histoseek.server.tiles.region import RegionPicture
from histoseek.slides.readers.base import Pixels
from histoseek.viewing.figure import FigureSpec, Viewport
from tests.server.tiles.pictures import halves, smooth_noise
from tests.server.tiles.test_deepzoom import in_memory

PICTURE = smooth_noise(600, 450, patch_px=60)
IMAGE = in_memory(halves(PICTURE, 3), 128, overview_px=256)


def _interpolate(places: np.ndarray, line: np.ndarray) -> np.ndarray:
    return np.interp(places, np.arange(len(line)), line)


def average(picture: Pixels, down: np.ndarray, across: np.ndarray) -> np.ndarray:
    """The means of a picture between lines that may lie within pixels, each at least a pixel apart."""
    means = picture.astype(float)
    for axis, edges in enumerate((down, across)):
        sums = np.concatenate([np.zeros_like(means.take([0], axis)), means.cumsum(axis)], axis)
        at_edges = np.apply_along_axis(partial(_interpolate, edges), axis, sums)
        lengths = np.diff(edges).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        means = np.diff(at_edges, axis=axis) / lengths
    return means


@settings(max_examples=80)
@given(st.integers(-60, 560), st.integers(-60, 410), st.integers(40, 500), st.integers(40, 500), st.integers(16, 300))
def test_regions_are_averages_of_what_they_cover(x: int, y: int, width: int, height: int, px: int) -> None:
    picture = RegionPicture(Rect(x, y, width, height), px)
    coarse = picture.downsample
    assume(min(x + width, y + height, 600 - x, 450 - y) > 2 * coarse)
    shown, place = IMAGE.make_region(picture), picture.place
    assert max(shown.shape[:2]) == min(px, max(width, height))
    assert np.abs(np.array([place.x, place.y]) * coarse - [x, y]).max() <= coarse / 2
    sides = (place.y, place.height), (place.x, place.width)
    down, across = ((start + np.arange(count + 1)) * coarse for start, count in sides)
    rows, columns = (np.flatnonzero((edges >= 0) & (edges <= size)) for edges, size in ((down, 450), (across, 600)))
    inside = shown[rows[0] : rows[-1], columns[0] : columns[-1]]
    errors = np.abs(inside - average(PICTURE, down[rows], across[columns]))
    # A step that is no power of two takes parts of pixels that are means already: where the picture is steep, one of
    # them may be off, and of a few pixels alone the mean says no more than that one.
    assert errors.max(initial=0) <= 25
    assert errors.size < 300 or (errors.mean() <= 4 and np.quantile(errors, 0.99) <= 15)


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


def test_a_figure_that_costs_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    flat = in_memory([smooth_noise(600, 450)], 128, overview_px=64)
    detail, whole = FigureSpec(Viewport(300, 225, 300, 200), 100), FigureSpec(Viewport(300, 225, 600, 450), 32)
    assert flat.draw_figure(detail).shape == (67, 100, 3)
    monkeypatch.setattr(deepzoom, "MOST_PIXELS_DRAWN", 300 * 200 - 1)
    with pytest.raises(InputError, match="no level near"):
        flat.draw_figure(detail)
    assert flat.draw_figure(whole).shape == (24, 32, 3)


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
