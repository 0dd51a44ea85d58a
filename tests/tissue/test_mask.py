"""What counts as tissue, on real and drawn pictures."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from histoseek.errors import NoTissue
from histoseek.slides.slide import open_slide
from histoseek.tissue.mask import find_tissue, make_tissue_mask
from histoseek.tissue.mask_picture import draw_mask
from histoseek.tissue.settings import TissueSettings

PINK, GLASS, PEN = (215, 130, 190), (243, 243, 243), (30, 60, 170)


def glass_with(shapes: list[tuple[tuple[int, int], int, tuple[int, int, int]]]) -> np.ndarray:
    picture = np.full((400, 600, 3), GLASS, np.uint8)
    for centre, radius, colour in shapes:
        cv2.circle(picture, centre, radius, colour, -1)
    noise = np.random.default_rng(0).integers(-3, 4, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def test_tissue_is_kept_and_pen_specks_and_glass_are_not() -> None:
    picture = glass_with([((150, 200), 100, PINK), ((420, 120), 60, PEN), ((500, 330), 4, PINK)])
    found = make_tissue_mask(picture, 8.0, TissueSettings())
    assert found.mask[200, 150]
    assert not found.mask[120, 420], "the pen mark"
    assert not found.mask[330, 500], "the speck"
    assert not found.mask[20, 300], "the glass"
    assert found.pen_share > 0.02
    assert found.share == pytest.approx(np.pi * 100**2 / picture[..., 0].size, rel=0.1)


def test_small_holes_are_closed_and_large_ones_stay() -> None:
    picture = glass_with([((200, 200), 150, PINK), ((140, 200), 5, GLASS), ((260, 200), 60, GLASS)])
    found = make_tissue_mask(picture, 8.0, TissueSettings())
    assert found.mask[200, 140]
    assert not found.mask[200, 260]


def test_threshold_decides_about_faint_tissue() -> None:
    picture = glass_with([((300, 200), 120, (236, 224, 236))])
    assert make_tissue_mask(picture, 8.0, TissueSettings(threshold=0.02)).mask[200, 300]
    assert not make_tissue_mask(picture, 8.0, TissueSettings(threshold=0.2)).mask.any()


def test_empty_glass_and_dark_pictures_are_reported(tmp_path: Path) -> None:
    Image.fromarray(glass_with([])).save(tmp_path / "glass.png")
    with open_slide(tmp_path / "glass.png", 2.0) as slide, pytest.raises(NoTissue, match="mask is empty"):
        find_tissue(slide, TissueSettings())
    dark = np.zeros((300, 300, 3), np.uint8)
    dark[100:140, 100:140] = (20, 30, 240)
    Image.fromarray(dark).save(tmp_path / "dark.png")
    with open_slide(tmp_path / "dark.png", 2.0) as slide, pytest.raises(NoTissue, match="fluorescence"):
        find_tissue(slide, TissueSettings())


def test_the_picture_shows_the_mask() -> None:
    found = make_tissue_mask(glass_with([((150, 200), 100, PINK)]), 8.0, TissueSettings())
    picture = draw_mask(found)
    assert picture.shape == found.thumbnail.shape
    assert np.array_equal(picture[200, 150], found.thumbnail[200, 150])
    assert (np.abs(picture.astype(int) - (0, 170, 80)).sum(-1) == 0).sum() > 300, "the outline"


def test_real_tiles_have_tissue_except_background(shared_data: Path) -> None:
    """Every tenth of those that there are many of, and all others: the larger ones, and the only background."""
    with (shared_data / "manifest.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if not row["file"].startswith("tiles/lc25000_lung/")]
    alike = Counter((row["source_dataset"], row["class_label"]) for row in rows)
    many = [row for row in rows if alike[row["source_dataset"], row["class_label"]] > 20]
    few = [row for row in rows if alike[row["source_dataset"], row["class_label"]] <= 20]
    assert len(many) > 900 and len(few) > 90
    empty = []
    for row in [*many[::10], *few]:
        with open_slide(shared_data / row["file"], float(row["mpp"] or 0.5)) as slide:
            try:
                found = find_tissue(slide, TissueSettings())
                if row["file"].startswith("tiles/monuseg"):
                    assert found.share > 0.95, row["file"]
            except NoTissue:
                empty.append(row["class_label"])
    assert empty == ["BACK"]


def test_real_slides(shared_data: Path) -> None:
    with open_slide(shared_data / "slides" / "CMU-1-Small-Region.svs") as slide:
        assert 0.3 < find_tissue(slide, TissueSettings()).share < 0.6
    with open_slide(shared_data / "slides" / "test3-DAPI-2-387.ndpi") as slide, pytest.raises(NoTissue, match="dark"):
        find_tissue(slide, TissueSettings())
