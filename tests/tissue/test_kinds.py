"""What is tissue on pictures of every kind: small pieces, frames, padding, stains, pens, uneven glass."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from histoseek.errors import NoTissue, TooLittleTissue
from histoseek.slides.slide import open_slide
from histoseek.tissue.mask import TissueMask, find_tissue, make_tissue_mask
from histoseek.tissue.settings import TissueSettings
from tests.tissue.pictures import (
    compare,
    compress,
    draw_disc,
    draw_line,
    paint_glass,
    paint_section,
    paint_tissue,
)

DISC = draw_disc(500, 700, (360, 240), 120)
DARK = (24, 12, 22)
FEW = settings(max_examples=12)
STAINS = {
    "aniline blue": (100, 135, 190),
    "Alcian blue": (90, 165, 195),
    "Prussian blue": (70, 105, 165),
    "methyl green": (110, 175, 165),
    "fast green": (80, 150, 120),
    "Giemsa": (120, 110, 180),
    "periodic acid-Schiff": (190, 70, 135),
    "DAB": (150, 105, 65),
    "oil red O": (205, 75, 80),
    "silver": (95, 92, 90),
    "melanin": (55, 38, 30),
    "dense haematoxylin": (72, 42, 110),
}
PENS = {
    "blue": (30, 60, 170),
    "green": (20, 140, 70),
    "red": (200, 30, 45),
    "black": (28, 26, 30),
    "violet": (95, 35, 150),
    "yellow": (245, 235, 70),
    "light blue": (80, 165, 225),
}


def look(picture: np.ndarray, spacing: float = 8.0, **choices: object) -> TissueMask:
    return make_tissue_mask(picture, spacing, TissueSettings(**choices))  # type: ignore[arg-type]


@FEW
@given(st.integers(0, 699), st.integers(0, 499), st.integers(8, 40), st.sampled_from([4.0, 8.0, 18.0]))
def test_a_lone_small_piece_stays_wherever_it_lies(x: int, y: int, radius: int, spacing: float) -> None:
    truth = draw_disc(500, 700, (x, y), radius)
    assert compare(look(paint_section(truth), spacing).mask, truth) > 0.85


def test_a_fragment_in_a_large_scan_stays(tmp_path: Path) -> None:
    truth = draw_disc(2500, 3750, (1700, 1200), 46)
    Image.fromarray(paint_section(truth)).save(tmp_path / "biopsy.png", compress_level=1)
    with open_slide(tmp_path / "biopsy.png", 8.0) as slide:
        assert compare(find_tissue(slide, TissueSettings()).mask, truth) > 0.9


@pytest.mark.parametrize(("radius", "step"), [(2, 24), (4, 30), (6, 40)])
def test_thousands_of_islands_stay(radius: int, step: int) -> None:
    truth = np.zeros((900, 1200), bool)
    for y in range(20, 880, step):
        for x in range(20, 1180, step):
            truth[y - radius : y + radius + 1, x - radius : x + radius + 1] = True
    assert compare(look(paint_section(truth)).mask, truth) > 0.8


def test_specks_go_only_beside_larger_tissue() -> None:
    specks = draw_disc(500, 700, (60, 60), 5) | draw_disc(500, 700, (640, 430), 6)
    assert compare(look(paint_section(specks)).mask, specks) > 0.8
    assert compare(look(paint_section(specks | DISC)).mask, DISC) > 0.97


def test_none_and_too_little_are_told_apart(tmp_path: Path) -> None:
    Image.fromarray(paint_glass(300, 400)).save(tmp_path / "glass.png")
    with open_slide(tmp_path / "glass.png", 8.0) as slide, pytest.raises(NoTissue, match="no tissue found") as none:
        find_tissue(slide, TissueSettings())
    assert not isinstance(none.value, TooLittleTissue)
    Image.fromarray(paint_section(draw_disc(300, 400, (200, 150), 4))).save(tmp_path / "cell.png")
    with open_slide(tmp_path / "cell.png", 2.0) as slide, pytest.raises(TooLittleTissue, match="too little tissue"):
        find_tissue(slide, TissueSettings())


def surround(picture: np.ndarray, colour: tuple[int, int, int], sides: tuple[int, int, int, int]) -> np.ndarray:
    """The picture in a frame: widths at the top, bottom, left and right."""
    top, bottom, left, right = sides
    frame = np.empty((picture.shape[0] + top + bottom, picture.shape[1] + left + right, 3), np.uint8)
    frame[:] = colour
    frame[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return frame


@cache
def look_at_greyish(spacing: float) -> tuple[np.ndarray, np.ndarray]:
    """A picture without a frame, and its mask."""
    picture = paint_section(DISC | draw_disc(500, 700, (0, 400), 60), glass=(223, 215, 213))
    return picture, look(picture, spacing).mask


@settings(max_examples=20)
@given(
    st.sampled_from(
        [(255, 255, 255), (240, 240, 240), (128, 128, 128), (0, 0, 0), DARK, (235, 180, 205), (40, 80, 160)]
    ),
    st.tuples(*[st.sampled_from([0, 5, 60, 300])] * 4),
    st.sampled_from([0.5, 8.0, 18.0]),
)
def test_a_frame_does_not_change_the_mask_inside(
    colour: tuple[int, int, int], sides: tuple[int, int, int, int], spacing: float
) -> None:
    picture, bare = look_at_greyish(spacing)
    framed = look(surround(picture, colour, sides), spacing).mask
    top, left = sides[0], sides[2]
    inside = framed[top : top + 500, left : left + 700]
    assert compare(inside, bare) > 0.985
    assert framed.sum() - inside.sum() == 0, "the frame is no tissue"


@FEW
@given(st.sampled_from(["flat", "noise", "coarse noise", "gradient", "bluish"]), st.sampled_from([2.0, 8.0, 18.0]))
def test_dark_padding_is_never_tissue(kind: str, spacing: float) -> None:
    padding = {
        "flat": np.full((500, 300, 3), DARK),
        "noise": np.random.default_rng(2).normal(DARK, 2, (500, 300, 3)),
        "coarse noise": np.random.default_rng(2).normal(30, 10, (500, 300, 3)),
        "gradient": np.broadcast_to(np.linspace(4, 70, 300)[None, :, None], (500, 300, 3)),
        "bluish": np.full((500, 300, 3), (10, 20, 60)),
    }[kind]
    picture = np.concatenate([np.clip(padding, 0, 255).astype(np.uint8), paint_section(DISC)], axis=1)
    found = look(picture, spacing).mask
    assert compare(found[:, 300:], DISC) > 0.97
    assert not found[:, :298].any()


def test_mostly_padding_is_no_fluorescence(tmp_path: Path) -> None:
    picture = surround(paint_section(DISC), DARK, (600, 600, 500, 500))
    Image.fromarray(picture).save(tmp_path / "padded.png")
    with open_slide(tmp_path / "padded.png", 8.0) as slide:
        assert compare(find_tissue(slide, TissueSettings()).mask[600:1100, 500:1200], DISC) > 0.97


@pytest.mark.parametrize("colour", STAINS.values(), ids=STAINS.keys())
def test_stains_of_any_colour_stay(colour: tuple[int, int, int]) -> None:
    picture = paint_section(DISC, colour=colour, spread=12)
    assert compare(look(picture).mask, DISC) > 0.97
    assert compare(look(compress(picture, 70)).mask, DISC) > 0.95
    assert compare(look(np.ascontiguousarray(picture[200:, 330:])).mask, DISC[200:, 330:]) > 0.97, "cut by the scan"
    assert look(paint_tissue(400, 500, colour, 12)).share > 0.97 or colour == STAINS["melanin"]


@pytest.mark.parametrize("colour", PENS.values(), ids=PENS.keys())
@pytest.mark.parametrize("thickness", [14, 40])
def test_pen_goes_over_glass_and_beside_tissue(colour: tuple[int, int, int], thickness: int) -> None:
    stroke = draw_line(500, 700, [(30, 470), (300, 300), (500, 60), (680, 20)], thickness)
    picture = paint_section(DISC)
    ink = np.clip(np.random.default_rng(3).normal(colour, 2, picture.shape), 0, 255).astype(np.uint8)
    picture[stroke] = ink[stroke]
    found = look(picture)
    assert compare(found.mask, DISC & ~stroke) > 0.92
    assert (found.mask & stroke).sum() < 0.05 * stroke.sum()
    assert found.pen_share > 0.01
    kept = look(picture, keep_pen=True)
    assert kept.pen_share == 0
    assert (kept.mask & stroke).sum() > 0.9 * stroke.sum()


def test_uneven_glass_is_no_tissue() -> None:
    y, x = np.mgrid[:500, :700]
    picture = paint_section(DISC)
    lights = [1 - 0.35 * x / 700, 1 - 0.4 * np.hypot(x - 350, y - 250) / 430, 1 - 0.06 * (x // 90 % 2)]
    for light in lights:
        assert compare(look((picture * light[..., None]).astype(np.uint8)).mask, DISC) > 0.97
    other = paint_section(DISC, glass=(222, 214, 212))
    assert compare(look(np.where(x[..., None] < 330, picture, other)).mask, DISC) > 0.97
    for glass in ((242, 236, 214), (214, 226, 240), (188, 187, 189)):
        assert compare(look(compress(paint_section(DISC, glass=glass, noise=2), 60)).mask, DISC) > 0.95


@FEW
@given(st.floats(0.5, 20))
def test_the_spacing_changes_nothing_about_large_pieces(spacing: float) -> None:
    assert compare(look(paint_section(DISC), spacing).mask, DISC) > 0.93


def test_dust_and_hairs_are_no_tissue() -> None:
    rng = np.random.default_rng(4)
    dust = draw_line(500, 700, [(20, 40), (200, 90)], 2)
    for x, y in rng.integers(0, 500, (40, 2)):
        dust |= draw_disc(500, 700, (int(x), int(y)), 2)
    picture = paint_section(np.zeros((500, 700), bool))
    picture[dust] = (105, 102, 100)
    assert not look(picture).mask.any()
