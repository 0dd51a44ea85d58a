"""Brightness, contrast, gamma and stains, against a naive computation."""

from __future__ import annotations

import math
from typing import get_args

import numpy as np
import pytest

from histoseek.viewing.appearance import (
    EOSIN_VECTOR,
    HAEMATOXYLIN_VECTOR,
    Appearance,
    StainName,
    separate_stain,
)

ALL_STAINS = get_args(StainName)


def naive_stain(pixel: tuple[int, int, int], stain: StainName) -> list[float]:
    """Beer and Lambert's law, solved for one pixel."""
    densities = [math.log(255 / max(value, 1)) for value in pixel]
    directions = [np.array(HAEMATOXYLIN_VECTOR), np.array(EOSIN_VECTOR)]
    directions = [direction / math.sqrt(sum(direction**2)) for direction in directions]
    third = np.cross(directions[0], directions[1])
    amounts = np.linalg.solve(np.stack([*directions, third], axis=1), densities)
    place = ALL_STAINS.index(stain)
    return [255 * math.exp(-max(0.0, amounts[place]) * part) for part in directions[place]]


@pytest.mark.parametrize("stain", ALL_STAINS)
def test_a_stain_is_what_the_naive_solution_gives(stain: StainName) -> None:
    pixels = np.random.default_rng(5).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    separated = separate_stain(pixels, stain)
    wanted = [[naive_stain(tuple(map(int, pixel)), stain) for pixel in row] for row in pixels]
    assert np.abs(separated - np.array(wanted)).max() <= 0.51


@pytest.mark.parametrize(("stain", "vector"), [("haematoxylin", HAEMATOXYLIN_VECTOR), ("eosin", EOSIN_VECTOR)])
def test_a_pure_stain_stays_and_leaves_nothing_to_the_other(stain: StainName, vector: tuple[float, ...]) -> None:
    pixel = np.rint(255 * np.exp(-0.9 * np.array(vector))).astype(np.uint8).reshape(1, 1, 3)
    (other,) = set(ALL_STAINS) - {stain}
    assert np.abs(separate_stain(pixel, stain).astype(int) - pixel).max() <= 2
    assert separate_stain(pixel, other).min() >= 250
    assert separate_stain(np.full((2, 2, 3), 255, np.uint8), stain).min() == 255


def test_brightness_contrast_and_gamma_are_what_they_say() -> None:
    pixels = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    appearance = Appearance(brightness=0.1, contrast=1.4, gamma=2.0)
    wanted = [min(255, max(0, round(255 * (((value / 255) ** 0.5 - 0.5) * 1.4 + 0.5 + 0.1)))) for value in range(256)]
    assert np.abs(appearance.apply(pixels)[..., 1].ravel().astype(int) - wanted).max() <= 1
    assert Appearance().apply(pixels) is pixels
