"""Textures of tissue components as amounts of haematoxylin and eosin; each wraps around at its edges.

Lengths are um, turned into pixels of the slide's spacing, so that nuclei have their size at any magnification.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]

EDGE_PX = 1024


@dataclass(frozen=True, slots=True)
class Texture:
    """Amounts of haematoxylin and eosin, float32 [EDGE_PX, EDGE_PX] each; 1 is a strong stain, 0 is none."""

    haematoxylin: Field
    eosin: Field


@dataclass
class Canvas:
    """A wrapping field being painted, with its own random numbers and scale (px per um)."""

    rng: np.random.Generator
    px_per_um: float

    def noise(self, length_um: float, stretch: float = 1.0) -> Field:
        """Smooth noise of mean 0 and spread 1 with features of about this length; stretched along the diagonal."""
        white = self.rng.standard_normal((EDGE_PX, EDGE_PX))
        along, across = _make_frequencies()
        sigma = length_um * self.px_per_um / 2
        spectrum = np.exp(-2 * (np.pi * sigma) ** 2 * ((along * stretch) ** 2 + across**2))
        field = np.fft.irfft2(np.fft.rfft2(white) * spectrum, s=white.shape)
        return ((field - field.mean()) / field.std()).astype(np.float32)

    def scatter(self, spacing_um: float) -> NDArray[np.float64]:
        """Places [K, 2] in px on a jittered grid of about this spacing."""
        count = max(1, round(EDGE_PX / (spacing_um * self.px_per_um)))
        grid = np.stack(np.meshgrid(np.arange(count), np.arange(count)), -1).reshape(-1, 2)
        return (grid + self.rng.uniform(0, 1, grid.shape)) * EDGE_PX / count

    def nuclei(self, places: NDArray[np.float64], radius_um: float, variation: float, elongation: float = 1.3) -> Field:
        """Nuclei as soft ellipses at places [K, 2]; size and darkness vary by `variation`."""
        field = np.zeros((EDGE_PX, EDGE_PX), np.float32)
        for x, y in places.tolist():  # numbers of Python: NumPy's are slow one by one
            radius = radius_um * self.px_per_um * min(max(1 + variation * self.rng.standard_normal(), 0.5), 2.2)
            axes = (max(1, round(radius * elongation)), max(1, round(radius / elongation)))
            darkness = min(max(0.8 + 0.3 * variation * self.rng.standard_normal(), 0.4), 1.2)
            self._ellipse(field, (x, y), axes, self.rng.uniform(0, 180), darkness)
        return cv2.GaussianBlur(field, (0, 0), 0.4 * self.px_per_um)

    def distances(self, places: NDArray[np.float64]) -> tuple[Field, Field]:
        """Distances in um to the nearest and second nearest place, around the edges too."""
        steps = np.arange(0, EDGE_PX, 2, dtype=np.float32)
        nearest = np.full((len(steps), len(steps)), np.inf, np.float32)
        second = nearest.copy()
        for x, y in places:
            dx, dy = np.abs(steps - np.float32(x)), np.abs(steps - np.float32(y))
            distance = np.hypot(np.minimum(dx, EDGE_PX - dx), np.minimum(dy, EDGE_PX - dy)[:, None])
            np.minimum(second, np.maximum(nearest, distance), out=second)
            np.minimum(nearest, distance, out=nearest)
        return _full(nearest) / self.px_per_um, _full(second) / self.px_per_um

    @staticmethod
    def _ellipse(field: Field, at: tuple[float, float], axes: tuple[int, int], angle: float, value: float) -> None:
        xs, ys = (
            [
                around
                for shift in (0, EDGE_PX, -EDGE_PX)
                if -axes[0] <= (around := round(one + shift)) < EDGE_PX + axes[0]
            ]
            for one in at
        )
        for x, y in product(xs, ys):
            cv2.ellipse(field, (x, y), axes, angle, 0, 360, value, -1, cv2.LINE_AA)


@lru_cache(maxsize=1)
def _make_frequencies() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The frequencies of a field along and across its diagonal."""
    fy, fx = np.meshgrid(np.fft.fftfreq(EDGE_PX), np.fft.rfftfreq(EDGE_PX), indexing="ij")
    return (fx + fy) / np.sqrt(2), (fx - fy) / np.sqrt(2)


def _full(field: Field) -> Field:
    return np.asarray(cv2.resize(field, (EDGE_PX, EDGE_PX), interpolation=cv2.INTER_LINEAR), np.float32)


def _stroma(canvas: Canvas) -> Texture:
    fibres = canvas.noise(4, stretch=8)
    nuclei = canvas.nuclei(canvas.scatter(28), 2.6, 0.2, elongation=2.2)
    return Texture(0.9 * nuclei + 0.05, 0.45 + 0.16 * fibres + 0.08 * canvas.noise(60))


def _sheets(canvas: Canvas) -> Texture:
    nuclei = canvas.nuclei(canvas.scatter(13), 4.6, 0.35)
    return Texture(
        0.95 * nuclei + 0.18 + 0.04 * canvas.noise(5), 0.5 + 0.08 * canvas.noise(12) + 0.05 * canvas.noise(80)
    )


def _glands(canvas: Canvas) -> Texture:
    nearest, second = canvas.distances(canvas.scatter(95))
    wall = second - nearest + 6 * canvas.noise(25)
    lumen, epithelium = wall > 62, (wall > 18) & (wall <= 62)
    places = canvas.scatter(8.5)
    basal = np.abs(wall - 30) < 13
    chosen = places[basal[places[:, 1].astype(int) % EDGE_PX, places[:, 0].astype(int) % EDGE_PX]]
    nuclei = canvas.nuclei(chosen, 3.6, 0.2, elongation=1.6)
    around = _stroma(canvas)
    haematoxylin = np.where(epithelium, 0.22 + nuclei, np.where(lumen, 0.02, around.haematoxylin))
    eosin = np.where(epithelium, 0.38 + 0.05 * canvas.noise(6), np.where(lumen, 0.03, around.eosin))
    return Texture(haematoxylin.astype(np.float32), eosin.astype(np.float32))


def _papillae(canvas: Canvas) -> Texture:
    fronds = canvas.noise(75, stretch=2.5)
    tissue, core = fronds > -0.1, fronds > 0.75
    places = canvas.scatter(8)
    rim = tissue & (fronds < 0.6)
    chosen = places[rim[places[:, 1].astype(int) % EDGE_PX, places[:, 0].astype(int) % EDGE_PX]]
    nuclei = canvas.nuclei(chosen, 3.4, 0.2)
    haematoxylin = np.where(tissue, np.where(core, 0.06, 0.16 + 0.85 * nuclei), 0.01)
    eosin = np.where(tissue, np.where(core, 0.5, 0.34) + 0.05 * canvas.noise(8), 0.02)
    return Texture(haematoxylin.astype(np.float32), eosin.astype(np.float32))


def _fat(canvas: Canvas) -> Texture:
    nearest, second = canvas.distances(canvas.scatter(62))
    membrane = np.exp(-(((second - nearest) / 3.0) ** 2))
    nuclei = canvas.nuclei(canvas.scatter(110), 2.4, 0.2, elongation=2.0)
    return Texture(
        (0.08 * membrane + 0.5 * nuclei * (membrane > 0.2)).astype(np.float32), (0.32 * membrane).astype(np.float32)
    )


def _necrosis(canvas: Canvas) -> Texture:
    debris = canvas.nuclei(canvas.scatter(24), 1.2, 0.5)
    grain = canvas.noise(2.5)
    return Texture(0.1 + 0.5 * debris + 0.03 * grain, 0.62 + 0.12 * grain + 0.1 * canvas.noise(40))


def _lymphocytes(canvas: Canvas) -> Texture:
    nuclei = canvas.nuclei(canvas.scatter(7.5), 2.9, 0.1, elongation=1.05)
    return Texture(1.05 * nuclei + 0.12, 0.22 + 0.04 * canvas.noise(10))


COMPONENTS: Mapping[str, Callable[[Canvas], Texture]] = MappingProxyType(
    {
        "glands": _glands,
        "sheets": _sheets,
        "papillae": _papillae,
        "stroma": _stroma,
        "fat": _fat,
        "necrosis": _necrosis,
        "lymphocytes": _lymphocytes,
    }
)


def make_texture(component: str, seed: int, spacing_um_per_px: float) -> Texture:
    """The texture of a component; the same for the same seed and spacing."""
    number = list(COMPONENTS).index(component)
    made = COMPONENTS[component](Canvas(np.random.default_rng([seed, number]), 1 / spacing_um_per_px))
    return Texture(np.clip(made.haematoxylin, 0, 1.4), np.clip(made.eosin, 0, 1.4))
