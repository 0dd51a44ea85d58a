"""Tissue that touches what it isn't: ink of its colour, gaps between fields, the picture's edge."""

from __future__ import annotations

import numpy as np
import pytest

from histoseek.tissue.mask import make_tissue_mask
from histoseek.tissue.settings import TissueSettings
from tests.tissue.pictures import (
    GLASS,
    compare,
    draw_disc,
    draw_line,
    paint_glass,
    paint_section,
    paint_tissue,
)

RING = [(80, 80), (620, 80), (620, 420), (80, 420), (80, 80)]


def find(picture: np.ndarray, spacing: float = 8.0) -> np.ndarray:
    return make_tissue_mask(picture, spacing, TissueSettings()).mask


def test_a_piece_that_the_edge_cuts_off_is_no_speck() -> None:
    truth = draw_disc(900, 1200, (600, 450), 300) | draw_disc(900, 1200, (0, 60), 60)
    mask = find(paint_section(truth), 1.0)
    assert (mask & truth)[:130, :70].sum() > 0.9 * truth[:130, :70].sum()


@pytest.mark.parametrize("colour", [(85, 85, 92)], ids=["washed black"])
def test_ink_of_the_tissues_colour_does_not_take_it_along(colour: tuple[int, int, int]) -> None:
    tissue = draw_disc(500, 700, (350, 300), 140)
    pen = draw_line(500, 700, RING, 30)
    stain = paint_tissue(500, 700, (115, 70, 135) if colour[0] > colour[1] else (110, 95, 115), 22)
    picture = np.where(tissue[..., None], stain, paint_glass(500, 700))
    picture[pen] = colour
    mask = find(picture)
    assert (mask & tissue & ~pen).sum() > 0.95 * (tissue & ~pen).sum()
    assert mask[pen].mean() < 0.3


@pytest.mark.parametrize("colour", [(200, 70, 100), (120, 160, 205), (185, 60, 60)], ids=["eosin", "Luxol", "blood"])
def test_a_field_of_one_smooth_stain_is_full(colour: tuple[int, int, int]) -> None:
    assert find(paint_tissue(300, 300, colour, 2), 0.5).mean() > 0.95


@pytest.mark.parametrize("colour", [(185, 60, 60), (120, 160, 205), (220, 60, 110)], ids=["blood", "Luxol", "colloid"])
def test_small_pieces_of_a_smooth_stain_stay_beside_large_ones(colour: tuple[int, int, int]) -> None:
    truth = draw_disc(500, 700, (250, 250), 170) | draw_disc(500, 700, (580, 250), 40)
    picture = np.where(truth[..., None], paint_tissue(500, 700, colour, 1.2), paint_glass(500, 700))
    assert compare(find(picture), truth) > 0.95


@pytest.mark.parametrize("gap", [(255, 255, 255), (0, 0, 0), (200, 200, 200)], ids=["white", "black", "grey"])
def test_fields_that_were_not_scanned_are_neither_glass_nor_tissue(gap: tuple[int, int, int]) -> None:
    truth = draw_disc(560, 760, (380, 280), 200)
    picture = paint_section(truth, glass=(240, 230, 215))
    missing = np.zeros(truth.shape, bool)
    for y, x in [(184, 250), (276, 250), (92, 490), (368, 370)]:
        missing[y : y + 92, x : x + 120] = True
    picture[missing] = gap
    assert compare(find(picture), truth & ~missing) > 0.95


def test_even_tissue_beside_padding_stays() -> None:
    truth = np.zeros((500, 700), bool)
    truth[150:420, 200:560] = True
    picture = np.where(truth[..., None], paint_tissue(500, 700, (225, 170, 195), 1.2), paint_glass(500, 700))
    picture[:, :200] = (160, 160, 160)
    picture[420:] = (160, 160, 160)
    assert compare(find(picture), truth) > 0.95
    assert not find(paint_glass(500, 700, GLASS)).any()
