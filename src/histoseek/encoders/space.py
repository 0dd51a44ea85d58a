"""Embedding spaces: what must be equal for two vectors to be comparable."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class EmbeddingSpace:
    """Everything that decides what a vector means. An archive has exactly one.

    Weights are given as hashes; tiles as their edge in px at a spacing in um/px; `centre` is the hash of the vector
    that is subtracted from features. `dimension` is that of global and mosaic vectors.
    """

    tile_encoder: str
    tile_encoder_weights: str
    tile_edge_px: int
    spacing_um_per_px: float
    slide_encoder: str
    centre: str
    dimension: int
    text_encoder: str = "none"

    @property
    def fingerprint(self) -> str:
        """A short hash of all parts."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]
