"""The recipe of a bag: every choice that decides which tiles of a slide are encoded, and how."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

from histoseek.arguments import settle_fields
from histoseek.errors import ConfigurationError
from histoseek.tissue.settings import MASK_VERSION, TissueSettings


@dataclass(frozen=True, slots=True)
class Recipe:
    """How slides become bags.

    encoder: a registry name, or "features:NAME" for imported feature files; tile_budget: most tiles of a slide,
    None for all; keep_pen: whether what looks like pen is tissue; spacing_tolerance: how much coarser than wanted a
    slide may be, as a share (0.05 is 5 %).
    """

    encoder: str = "lite0"
    spacing_um_per_px: float = 0.5
    tile_budget: int | None = 256
    tissue_threshold: float = TissueSettings().threshold
    spacing_tolerance: float = 0.05
    seed: int = 0
    keep_pen: bool = False

    def __post_init__(self) -> None:
        settle_fields(self, "recipe", kind=ConfigurationError)
        if self.spacing_um_per_px <= 0:
            raise ConfigurationError("--spacing", f"{self.spacing_um_per_px:g} is not positive", "Give um per pixel")
        if self.tile_budget is not None and self.tile_budget < 1:
            raise ConfigurationError("--tiles", f"{self.tile_budget} is too few", "Give a positive number, or 'all'")
        if self.spacing_tolerance < 0:
            raise ConfigurationError("--spacing-tolerance", "must not be negative", "0.05 allows 5 % coarser slides")

    @property
    def imported(self) -> bool:
        """Whether the features come from files rather than from slides."""
        return self.encoder.startswith("features:")

    @property
    def tissue(self) -> TissueSettings:
        """What counts as tissue."""
        return TissueSettings(threshold=self.tissue_threshold, keep_pen=self.keep_pen)

    def fingerprint(self, slide_spacing_um_per_px: float | None, mask_version: int = MASK_VERSION) -> str:
        """Hash of the recipe, of the spacing the user gave for the slide, if any, and of how tissue is found.

        Version 1 gives the hashes of bags that were made before masks had versions; imported features need no mask.
        """
        choices = asdict(self)
        if self.imported or mask_version == 1:
            del choices["keep_pen"]
        else:
            choices["mask_version"] = mask_version
        text = json.dumps([choices, slide_spacing_um_per_px], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]
