"""The recipe of a bag: every choice that decides which tiles of a slide are encoded, and how."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass, replace

from histoseek.arguments import settle_fields
from histoseek.errors import ConfigurationError
from histoseek.tissue.settings import MASK_VERSION, TissueSettings


class UsualSpacing(float):
    """A spacing in um/px that nobody chose: a new archive takes its tile encoder's usual one in its place."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How slides become bags.

    encoder: a registry name, or "features:NAME" for imported feature files; spacing_um_per_px: where it is not given,
    archives are made with that of the encoder's card; tile_budget: most tiles of a slide,
    None for all; keep_pen: whether what looks like pen is tissue; spacing_tolerance: how much coarser than wanted a
    slide may be, as a share (0.05 is 5 %); context_spacing_um_per_px: a coarser spacing at which slides are encoded as
    well, None for one spacing alone.
    """

    encoder: str = "lite0"
    spacing_um_per_px: float = UsualSpacing(0.5)
    tile_budget: int | None = 256
    tissue_threshold: float = TissueSettings().threshold
    spacing_tolerance: float = 0.05
    seed: int = 0
    keep_pen: bool = False
    context_spacing_um_per_px: float | None = None

    def __post_init__(self) -> None:
        chosen = {"spacing_um_per_px"} if isinstance(self.spacing_um_per_px, UsualSpacing) else set()
        settle_fields(self, "recipe", but=chosen, kind=ConfigurationError)
        if self.spacing_um_per_px <= 0:
            raise ConfigurationError("--spacing", f"{self.spacing_um_per_px:g} is not positive", "Give um per pixel")
        if self.context_spacing_um_per_px is not None:
            self._require_context(self.context_spacing_um_per_px)
        if self.tile_budget is not None and self.tile_budget < 1:
            raise ConfigurationError("--tiles", f"{self.tile_budget} is too few", "Give a positive number, or 'all'")
        if self.spacing_tolerance < 0:
            raise ConfigurationError("--spacing-tolerance", "must not be negative", "0.05 allows 5 % coarser slides")

    def _require_context(self, spacing_um_per_px: float) -> None:
        if self.imported:
            what = "needs slides, and the archive is made of feature files"
            raise ConfigurationError("--context-spacing", what, "Leave it out")
        if not (math.isfinite(spacing_um_per_px) and spacing_um_per_px > self.spacing_um_per_px):
            what = f"{spacing_um_per_px:g} is not coarser than --spacing {self.spacing_um_per_px:g}"
            raise ConfigurationError("--context-spacing", what, "Give a larger number of um per pixel, such as 2")

    @property
    def context(self) -> Recipe | None:
        """How slides become bags at the coarser spacing, None without one."""
        if self.context_spacing_um_per_px is None:
            return None
        return replace(self, spacing_um_per_px=self.context_spacing_um_per_px, context_spacing_um_per_px=None)

    def list_other_spaces(self, other: Recipe) -> list[tuple[str, str, str]]:
        """What of another recipe would make vectors of another space: what it is called, and what it is in each."""
        names = {
            "encoder": "tile encoder",
            "spacing_um_per_px": "spacing um per px",
            "context_spacing_um_per_px": "context spacing um per px",
        }
        pairs = [(part, getattr(self, name), getattr(other, name)) for name, part in names.items()]
        return [(part, str(mine), str(theirs)) for part, mine, theirs in pairs if mine != theirs]

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
        # A bag is of one spacing: that there is another one changes nothing in it.
        del choices["context_spacing_um_per_px"]
        if self.imported or mask_version == 1:
            del choices["keep_pen"]
        else:
            choices["mask_version"] = mask_version
        text = json.dumps([choices, slide_spacing_um_per_px], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]
