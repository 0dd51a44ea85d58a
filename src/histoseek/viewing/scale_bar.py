"""Scale bars: a round length, and as many pixels as it takes in a picture."""

from __future__ import annotations

import math
from dataclasses import dataclass

_ROUND = (5, 2, 1)


@dataclass(frozen=True, slots=True)
class ScaleBar:
    """A length on the tissue in um, and in px of a picture."""

    um: float
    px: int

    @property
    def text(self) -> str:
        """Such as "200 um" with the sign of micro, or "2 mm"."""
        value, unit = (self.um / 1000, "mm") if self.um >= 1000 else (self.um, "\u00b5m")
        return f"{value:g} {unit}"


def choose_scale_bar(um_per_px: float, most_px: float) -> ScaleBar:
    """The longest bar of 1, 2 or 5 times a power of ten of at most `most_px`, which is at least 1."""
    most_um = um_per_px * most_px
    power = 10.0 ** math.floor(math.log10(most_um))
    # Rounding may have put the power just above the length, so that the one below is tried as well.
    lengths = [times * unit for unit in (power, power / 10) for times in _ROUND]
    um = next(length for length in lengths if length <= most_um)
    return ScaleBar(um, round(um / um_per_px))
