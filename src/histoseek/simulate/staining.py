"""From stain to colour: optical densities of haematoxylin and eosin (Ruifrok and Johnston 2001), shifted by site."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from histoseek.simulate.textures import Texture

_HAEMATOXYLIN = np.array([0.650, 0.704, 0.286])
_EOSIN = np.array([0.072, 0.990, 0.105])


@dataclass(frozen=True, slots=True)
class Staining:
    """How a laboratory stains and scans: densities per unit of each stain for R, G, B; brightness of the glass,
    0..255; blur in px."""

    haematoxylin: tuple[float, float, float]
    eosin: tuple[float, float, float]
    glass: float
    blur_px: float


def make_staining(site_seed: int, patient_seed: int, site_effect: float) -> Staining:
    """The staining of a site, and a little of it by patient; site_effect 0 makes all sites the same."""
    site, patient = np.random.default_rng([site_seed, 1]), np.random.default_rng([patient_seed, 2])
    tilt = 0.10 * site_effect * site.standard_normal((2, 3)) + 0.02 * patient.standard_normal((2, 3))
    strength = np.exp(0.22 * site_effect * site.standard_normal(2) + 0.05 * patient.standard_normal(2))
    vectors = np.clip(np.stack([_HAEMATOXYLIN, _EOSIN]) + tilt, 0.02, None)
    vectors *= (np.array([1.55, 0.95]) * strength)[:, None]
    glass = float(np.clip(244 + 3 * site_effect * site.standard_normal(), 234, 250))
    blur = 0.5 + 0.5 * site_effect * float(site.random())
    haematoxylin, eosin = (tuple(float(v) for v in row) for row in vectors)
    return Staining(haematoxylin, eosin, glass, blur)  # type: ignore[arg-type]


def render_texture(texture: Texture, stain: Staining) -> NDArray[np.uint8]:
    """A texture as RGB, uint8 [h, w, 3], by Beer and Lambert; still wraps around."""
    density = texture.haematoxylin[..., None] * np.array(stain.haematoxylin, np.float32)
    density = density + texture.eosin[..., None] * np.array(stain.eosin, np.float32)
    light = stain.glass * np.exp(-density)
    margin = 8
    wrapped = cv2.copyMakeBorder(light, margin, margin, margin, margin, cv2.BORDER_WRAP)
    blurred = cv2.GaussianBlur(wrapped, (0, 0), stain.blur_px)[margin:-margin, margin:-margin]
    return np.clip(blurred + 0.5, 0, 255).astype(np.uint8)


def render_glass(seed: int, stain: Staining, edge_px: int) -> NDArray[np.uint8]:
    """Empty glass with a little noise, uint8 [edge, edge, 3]."""
    noise = np.random.default_rng([seed, 99]).normal(0, 0.8, (edge_px, edge_px, 1))
    return np.clip(stain.glass + noise + np.zeros(3), 0, 255).astype(np.uint8)
