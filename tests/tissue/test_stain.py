"""Which stain is detected, from constructed and real pictures."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from histoseek.slides.slide import open_slide
from histoseek.slides.sources.registry import parse_source
from histoseek.tissue.mask import TissueMask, find_tissue, make_tissue_mask
from histoseek.tissue.settings import TissueSettings
from histoseek.tissue.stain import detect_stain

HAEMATOXYLIN, EOSIN, DAB = (0.65, 0.70, 0.29), (0.07, 0.99, 0.11), (0.27, 0.57, 0.78)
METHYL_BLUE, PONCEAU, BLACK = (0.80, 0.59, 0.11), (0.10, 0.74, 0.67), (0.58, 0.58, 0.58)
GLASS = 240


def draw(background: tuple[float, ...], dots: tuple[float, ...], part: float, glass: int = GLASS) -> TissueMask:
    """A piece of tissue of one dye with patches of another, at 8 um/px; dyes as densities of red, green and blue."""
    rng = np.random.default_rng(5)
    noise = cv2.GaussianBlur(rng.normal(size=(300, 400)).astype(np.float32), (0, 0), 2)
    is_dot = (noise > np.quantile(noise, 1 - part))[..., None]
    density = np.where(is_dot, np.array(dots), np.array(background)) * rng.uniform(0.4, 0.7, (300, 400, 1))
    density[:40], density[-40:], density[:, :60], density[:, -60:] = 0, 0, 0, 0
    picture = np.clip(glass * np.exp(-density) + rng.normal(0, 0.5, (300, 400, 1)), 0, 255).astype(np.uint8)
    return make_tissue_mask(picture, 8.0, TissueSettings())


def mix(one: tuple[float, ...], two: tuple[float, ...], part: float) -> tuple[float, ...]:
    return tuple(part * a + (1 - part) * b for a, b in zip(one, two, strict=True))


@pytest.mark.parametrize("glass", [GLASS, 210])
def test_stains_are_told_by_their_dyes(glass: int) -> None:
    pale_nuclei = tuple(0.6 * value for value in HAEMATOXYLIN)
    assert detect_stain(draw(EOSIN, mix(HAEMATOXYLIN, EOSIN, 0.7), 0.3, glass)) == "H&E"
    assert detect_stain(draw(pale_nuclei, DAB, 0.3, glass)) == "IHC"
    assert detect_stain(draw(pale_nuclei, DAB, 0.05, glass)) == "IHC"
    assert detect_stain(draw(PONCEAU, METHYL_BLUE, 0.4, glass)) == "special"
    assert detect_stain(draw((0.2, 0.25, 0.2), tuple(2.5 * value for value in BLACK), 0.5, glass)) == "special"


def test_what_colours_do_not_tell_is_unknown() -> None:
    negative = tuple(0.6 * value for value in HAEMATOXYLIN)
    assert detect_stain(draw(negative, negative, 0.3)) == "unknown", "an immunostain without a positive cell"
    bare = TissueMask(np.zeros((60, 60), bool), np.full((60, 60, 3), GLASS, np.uint8), 8.0, 0.0, 0.0)
    assert detect_stain(bare) == "unknown", "no tissue"


def test_real_slides_and_fields_of_haematoxylin_and_eosin(shared_data: Path) -> None:
    for name in ("CMU-1-Small-Region.svs", "TCGA-5P-A9K0_1.svs"):
        with open_slide(parse_source(shared_data / "slides" / name)) as slide:
            assert detect_stain(find_tissue(slide, TissueSettings())) == "H&E", name
    found = []
    for path in sorted((shared_data / "tiles" / "monuseg").iterdir()):
        field = cv2.resize(cv2.imread(str(path))[..., ::-1], (125, 125), interpolation=cv2.INTER_AREA)
        found.append(detect_stain(make_tissue_mask(field, 2.0, TissueSettings())))
    assert not {"IHC", "special"} & set(found)
    assert found.count("H&E") >= math.ceil(0.8 * len(found))
