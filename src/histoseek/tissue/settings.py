"""What counts as tissue, apart from how it is found: recipes are read where no slide is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TissueSettings:
    """What counts as tissue.

    threshold: mean optical density above the glass (0.05 is faint fat, 0.3 solid tumour); min_speck_um2 and
    min_hole_um2: smaller specks are dropped, smaller holes closed.
    """

    threshold: float = 0.06
    min_speck_um2: float = 20_000.0
    min_hole_um2: float = 40_000.0
