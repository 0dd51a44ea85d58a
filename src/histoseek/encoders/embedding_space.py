"""Embedding spaces: what must be equal for two vectors to be comparable."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

from histoseek.encoders.side_by_side import SideBySide


@dataclass(frozen=True, slots=True)
class EmbeddingSpace:
    """Everything that decides what a vector means. An archive has exactly one.

    Weights are given as hashes; tiles as their edge in px at a spacing in um/px. `slide_weights` is the hash of the
    trained weights, or of the centre that an untrained encoder subtracts; `dimension` that of global and mosaic
    vectors; `text_dimension` that of text vectors as their encoder gives them; `alignment` names the shared space of
    slides and texts (dimension `shared_dimension`). What an archive does not have yet is "none" and 0.

    Where mosaics are made of the tiles themselves, in a space apart from the global vectors', `mosaic_centre` is the
    hash of what is subtracted from the tiles' features, and `mosaic_dimension` theirs. Where slides are encoded at a
    coarser spacing as well, `context_centre` is the hash of what is subtracted there. Where two slide encoders lie
    side by side, `first_dimension` and `first_share` are those of the first; `slide_weights` is the hash of both.
    """

    tile_encoder: str
    tile_encoder_weights: str
    tile_edge_px: int
    spacing_um_per_px: float
    slide_encoder: str
    slide_weights: str
    dimension: int
    text_encoder: str = "none"
    text_weights: str = "none"
    text_dimension: int = 0
    alignment: str = "none"
    alignment_weights: str = "none"
    shared_dimension: int = 0
    mosaic_centre: str = "none"
    mosaic_dimension: int = 0
    context_spacing_um_per_px: float = 0.0
    context_centre: str = "none"
    first_dimension: int = 0
    first_share: float = 0.0

    @property
    def fingerprint(self) -> str:
        """A short hash of all parts; spaces without mosaics apart, a coarser spacing or two encoders have that which
        they had before there were any."""
        parts = asdict(self)
        if not self.has_tile_mosaics:
            del parts["mosaic_centre"], parts["mosaic_dimension"]
        if not self.has_context:
            del parts["context_spacing_um_per_px"], parts["context_centre"]
        if self.side_by_side is None:
            del parts["first_dimension"], parts["first_share"]
        text = json.dumps(parts, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def slides_fingerprint(self) -> str:
        """A short hash of what decides slides' vectors, which stay as they are when texts or an alignment come."""
        return EmbeddingSpace(
            self.tile_encoder,
            self.tile_encoder_weights,
            self.tile_edge_px,
            self.spacing_um_per_px,
            self.slide_encoder,
            self.slide_weights,
            self.dimension,
            mosaic_centre=self.mosaic_centre,
            mosaic_dimension=self.mosaic_dimension,
            context_spacing_um_per_px=self.context_spacing_um_per_px,
            context_centre=self.context_centre,
            first_dimension=self.first_dimension,
            first_share=self.first_share,
        ).fingerprint

    @property
    def has_tile_mosaics(self) -> bool:
        """Whether mosaics lie in the tiles' space, and global vectors in another."""
        return self.mosaic_dimension > 0

    @property
    def has_context(self) -> bool:
        """Whether slides have vectors at a coarser spacing as well."""
        return self.context_spacing_um_per_px > 0

    @property
    def side_by_side(self) -> SideBySide | None:
        """Where the vectors of two slide encoders lie, None for one encoder."""
        if not self.first_dimension:
            return None
        return SideBySide(self.first_dimension, self.dimension - self.first_dimension, self.first_share)

    @property
    def centre(self) -> str:
        """The hash of the centre that is subtracted from features, whatever it is for."""
        return self.mosaic_centre if self.has_tile_mosaics else self.slide_weights

    @property
    def has_texts(self) -> bool:
        """Whether reports have vectors."""
        return self.text_dimension > 0

    @property
    def has_alignment(self) -> bool:
        """Whether slides and texts have vectors in a shared space."""
        return self.shared_dimension > 0
