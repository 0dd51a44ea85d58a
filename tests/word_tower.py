"""A tile encoder that knows colours, with words for them: small enough to be checked by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from histoseek.encoders.cards.card import Variant
from histoseek.encoders.tile import lite0, registry
from histoseek.errors import MissingExtra

Floats = NDArray[np.float32]

COLOURS = {
    "pink": (215, 140, 190),
    "violet": (120, 60, 160),
    "crimson": (200, 40, 60),
    "teal": (60, 150, 70),
    "cobalt": (50, 80, 190),
}
"""Of tissue; pink is what all slides are made of."""

CONCEPTS = {"necrosis": "teal", "haemorrhage": "crimson", "hemorrhage": "crimson", "mucin": "cobalt"}
"""Words of pathology that stand for a colour here."""

NAME = "colours"
CARD = replace(
    lite0.CARD, name=NAME, variant=Variant("pooled", len(COLOURS) + 1, "pooled"), has_words=True, tile_bytes=2**20
)
EDGE = CARD.tile_px


def compute_features(pixels: NDArray[np.uint8]) -> Floats:
    """How much of each colour tiles [B, S, S, 3] have, and 1: float32 [B, 6]."""
    means = pixels.reshape(len(pixels), -1, 3).astype(np.float32)
    palette = np.array([*COLOURS.values()], np.float32)
    nearest = ((means[:, ::16, None] - palette) ** 2).sum(-1).argmin(-1)
    counts = np.stack([(nearest == place).mean(1) for place in range(len(palette))], axis=1)
    return np.concatenate([counts, np.ones((len(pixels), 1))], axis=1).astype(np.float32)


@dataclass
class ColourEncoder:
    """Encodes tiles by their colours."""

    card = CARD
    weights_hash = "c0" * 8
    runtime = "onnx"

    def encode(self, pixels: NDArray[np.uint8]) -> Floats:
        return compute_features(pixels)


@dataclass
class ColourWords:
    """Words are near to tiles of the colour that they name; all others are near to nothing."""

    dimension: int = len(COLOURS) + 2
    weights_hash: str = "d1" * 8
    logit_scale: float = 10.0
    asked: int = 0

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        self.asked += len(texts)
        rows = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in zip(rows, texts, strict=True):
            row[-1] = 0.5
            words = text.lower().replace(",", " ").replace(".", " ").split()
            for word in words:
                colour = CONCEPTS.get(word, word)
                if colour in COLOURS:
                    row[[*COLOURS].index(colour)] = 1
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def project_tiles(self, features: Floats) -> Floats:
        if features.shape[1] != CARD.dimension:
            raise ValueError("other features")
        rows = np.concatenate([features, np.zeros((len(features), 1), np.float32)], axis=1)
        rows[:, -2] *= 0.2
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


@dataclass
class Installed:
    """The encoder as installed for a test; available: whether its words are; words: the tower."""

    words: ColourWords
    available: bool = True

    def load_words(self, path: Path | None) -> ColourWords:
        if not self.available:
            raise MissingExtra("colour-words", "models")
        return self.words


def install(monkeypatch: pytest.MonkeyPatch) -> Installed:
    """Make the encoder known under its name for one test."""
    installed = Installed(ColourWords())
    family = registry.TileEncoderFamily(CARD, lambda path: ColourEncoder(), installed.load_words)
    monkeypatch.setattr(registry, "FAMILIES", (*registry.FAMILIES, family))
    return installed


def write_picture(path: Path, patches: Sequence[tuple[str, int, int]] = (), size: int = 6) -> None:
    """A slide of pink tissue, `size` tiles wide and high, with patches of another colour at places of tiles."""
    rng = np.random.default_rng(len(path.name))
    pixels = np.empty((size * EDGE, size * EDGE, 3), np.int16)
    pixels[:] = COLOURS["pink"]
    for colour, column, row in patches:
        pixels[row * EDGE : (row + 1) * EDGE, column * EDGE : (column + 1) * EDGE] = COLOURS[colour]
    pixels += rng.integers(-12, 13, pixels.shape, dtype=np.int16)
    cv2.imwrite(str(path), np.clip(pixels, 0, 255).astype(np.uint8)[..., ::-1])


def make_features(patches: Sequence[tuple[str, int, int]], size: int = 12) -> tuple[Floats, NDArray[np.int64]]:
    """Features and corners of the tiles of such a slide, without its pixels."""
    palette = [*COLOURS]
    corners = np.array([(x * EDGE, y * EDGE) for y in range(size) for x in range(size)])
    features = np.zeros((len(corners), CARD.dimension), np.float32)
    features[:, palette.index("pink")] = 1
    features[:, -1] = 1
    rng = np.random.default_rng(len(patches))
    features[:, :-1] += rng.uniform(0, 0.02, (len(corners), len(palette)))
    for colour, column, row in patches:
        features[row * size + column, : len(palette)] = 0.01
        features[row * size + column, palette.index(colour)] = 1
    return features, corners


def write_features(path: Path, patches: Sequence[tuple[str, int, int]] = (), size: int = 12) -> None:
    """A feature file of such a slide."""
    features, corners = make_features(patches, size)
    with h5py.File(path, "w") as file:
        file["features"], file["coords"] = features, corners
        file["coords"].attrs["patch_size_level0"] = EDGE
