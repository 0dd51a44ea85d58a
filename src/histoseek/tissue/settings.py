"""What counts as tissue, apart from how it is found: recipes are read where no slide is."""

from __future__ import annotations

from dataclasses import dataclass

from histoseek.errors import ConfigurationError

MASK_VERSION = 3
"""Raised whenever other tiles are chosen of the same slide, so that features made before are not taken for new ones."""

_HIGHEST_THRESHOLD = 10.0


@dataclass(frozen=True, slots=True)
class TissueSettings:
    """What counts as tissue.

    threshold: mean optical density above the glass (0.05 is faint fat, 0.3 solid tumour); min_speck_um2: smaller
    specks beside larger tissue are dropped; min_hole_um2: smaller holes are closed; keep_pen: whether what looks like
    pen is tissue as well, for stains that are taken for ink.
    """

    threshold: float = 0.06
    min_speck_um2: float = 20_000.0
    min_hole_um2: float = 40_000.0
    keep_pen: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= _HIGHEST_THRESHOLD:
            what = f"{self.threshold:g} is no optical density of tissue"
            raise ConfigurationError("--tissue-threshold", what, f"Give a number from 0 to {_HIGHEST_THRESHOLD:g}")
