"""Figures: places, scale bars and drawings, measured in the picture's pixels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoseek.annotations.geojson import Annotation
from histoseek.annotations.shapes import parse_shape
from histoseek.geometry import Rect, Size
from histoseek.viewing.appearance import Appearance, Pixels
from histoseek.viewing.figure import FigureSpec, Viewport, compute_matrix, draw_figure, list_in_view
from histoseek.viewing.lettering import choose_font_px
from histoseek.viewing.scale_bar import choose_scale_bar

SLIDE = Size(4000, 3000)


def paint() -> Pixels:
    """A slide whose red tells the column and green the row, with a blue square."""
    picture = np.full((SLIDE.height, SLIDE.width, 3), 200, np.uint8)
    picture[..., 0] = np.arange(SLIDE.width) * 200 // SLIDE.width
    picture[..., 1] = (np.arange(SLIDE.height) * 200 // SLIDE.height)[:, None]
    return picture


PAINTED = paint()


def read(downsample: float, rect: Rect) -> Pixels:
    """The nearest pixels, which is enough for a smooth picture."""
    rows = np.clip(((np.arange(rect.y, rect.bottom) + 0.5) * downsample).astype(int), 0, SLIDE.height - 1)
    columns = np.clip(((np.arange(rect.x, rect.right) + 0.5) * downsample).astype(int), 0, SLIDE.width - 1)
    return PAINTED[rows[:, None], columns]


def longest_run(picture: Pixels) -> int:
    """Of black pixels side by side."""
    longest = 0
    for row in (picture == 0).all(axis=2):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], row.astype(np.int8), [0]])))
        longest = max([longest, *(edges[1::2] - edges[::2])])
    return int(longest)


@given(st.floats(0.05, 200), st.floats(1, 2000))
def test_scale_bars_are_round_and_as_long_as_they_say(um_per_px: float, most_px: float) -> None:
    bar = choose_scale_bar(um_per_px, most_px)
    leading = bar.um / 10 ** math.floor(math.log10(bar.um) + 1e-9)
    assert min(abs(leading - digit) for digit in (1, 2, 5)) < 1e-6
    assert bar.um <= um_per_px * most_px * (1 + 1e-9)
    assert bar.um * 2.5 > um_per_px * most_px * (1 - 1e-9)
    assert abs(bar.px - bar.um / um_per_px) <= 0.5


@pytest.mark.parametrize("um_per_px", [0.25, 0.499, 2.3])
@pytest.mark.parametrize("width_px", [400, 1000, 2222])
@pytest.mark.parametrize("rotation", [0, 37])
def test_the_bar_in_the_picture_has_its_length(um_per_px: float, width_px: int, rotation: float) -> None:
    view = Viewport(2000, 1500, 1600, 1200, rotation)
    picture = draw_figure(FigureSpec(view, width_px, um_per_px), SLIDE, read)
    of_picture = um_per_px * 1600 / width_px
    bar = choose_scale_bar(of_picture, width_px / 4)
    assert longest_run(picture) == round(bar.um / of_picture)


@settings(max_examples=60, deadline=None)
@given(
    st.floats(800, 3200),
    st.floats(600, 2400),
    st.sampled_from([300, 640, 900]),
    st.floats(0, 360),
    st.booleans(),
    st.floats(0.2, 3),
)
def test_every_place_is_shown_where_the_matrix_says(
    x: float, y: float, px: int, rotation: float, is_flipped: bool, zoom: float
) -> None:
    width = px * zoom
    spec = FigureSpec(Viewport(x, y, width, width * 0.75, rotation, is_flipped), px)
    picture, matrix = draw_figure(spec, SLIDE, read), compute_matrix(spec)
    for column in (5, px // 2, px - 6):
        for row in (5, spec.size.height // 2, spec.size.height - 6):
            place = np.linalg.solve(matrix[:, :2], np.array([column + 0.5, row + 0.5]) - matrix[:, 2])
            if 8 < place[0] < SLIDE.width - 8 and 8 < place[1] < SLIDE.height - 8:
                wanted = PAINTED[int(place[1]), int(place[0])]
                assert np.abs(picture[row, column].astype(int) - wanted).max() <= 2


def test_a_view_is_turned_clockwise_and_then_mirrored() -> None:
    turned = compute_matrix(FigureSpec(Viewport(1000, 1000, 400, 400, 90), 400))
    assert turned @ [1100, 1000, 1] == pytest.approx([200, 300])
    flipped = compute_matrix(FigureSpec(Viewport(1000, 1000, 400, 400, 90, True), 400))
    assert flipped @ [1000, 900, 1] == pytest.approx([100, 200])


def test_beyond_the_slide_all_is_white() -> None:
    corner = draw_figure(FigureSpec(Viewport(0, 0, 400, 400), 200), SLIDE, read)
    assert corner[:99].min() == 255
    assert corner[:, :99].min() == 255
    assert corner[101:, 101:].min() < 10
    assert draw_figure(FigureSpec(Viewport(-9000, 0, 400, 400), 200), SLIDE, read).min() == 255


def test_annotations_and_frames_lie_where_they_were_drawn() -> None:
    ring = [[1500, 1400], [1700, 1400], [1700, 1600], [1500, 1600], [1500, 1400]]
    area = Annotation(parse_shape("Polygon", [ring], "test"), colour=(255, 0, 0))
    spec = FigureSpec(Viewport(1600, 1500, 800, 600), 800, annotations=(area,), frames=(Rect(1300, 1300, 100, 100),))
    plain = FigureSpec(spec.viewport, 800)
    changed = (draw_figure(spec, SLIDE, read) != draw_figure(plain, SLIDE, read)).any(axis=2)
    rows, columns = np.nonzero(changed)
    assert (columns.min(), rows.min()) == (pytest.approx(100, abs=4), pytest.approx(100, abs=4))
    assert (columns.max(), rows.max()) == (pytest.approx(500, abs=4), pytest.approx(400, abs=4))
    assert tuple(draw_figure(spec, SLIDE, read)[200, 300]) == (255, 0, 0)
    assert not changed[250:350, 350:450].any()


def test_only_what_may_be_seen_is_listed() -> None:
    near, far = (Annotation(parse_shape("Point", place, "test")) for place in ([100, 100], [900, 900]))
    assert list_in_view(Viewport(120, 120, 60, 60), [near, far]) == [near]


def test_a_caption_is_a_strip_of_its_own() -> None:
    view = Viewport(1600, 1500, 800, 600)
    plain = draw_figure(FigureSpec(view, 600), SLIDE, read)
    named = draw_figure(FigureSpec(view, 600, caption="Größe 0.50 µm/px"), SLIDE, read)
    assert named.shape == (plain.shape[0] + 2 * choose_font_px(600), 600, 3)
    assert (named[: plain.shape[0]] == plain).all()
    assert named[plain.shape[0] :].min() < 50


def test_the_appearance_changes_the_tissue_and_not_what_is_drawn() -> None:
    spec = FigureSpec(Viewport(2000, 1500, 1600, 1200), 800, 0.5, Appearance(brightness=1.0))
    picture = draw_figure(spec, SLIDE, read)
    assert picture[:500].min() == 255
    assert longest_run(picture) > 100
