"""What there is to choose about an archive's ranking."""

from __future__ import annotations

from dataclasses import dataclass

from histoseek.errors import ConfigurationError
from histoseek.mosaics.distances import DEFAULT_DISTANCE, get_distance
from histoseek.mosaics.part_weights import DEFAULT_SHARE


@dataclass(frozen=True, slots=True)
class DiffusionSettings:
    """How far the neighbours of slides have a say (`ranking.diffusion`).

    share: of the score, 0 to 1; neighbours: of each slide in the graph; damping: how much of what a slide has it passes
    on, 0 to 1, the alpha of Zhou et al. 2004 and Iscen et al. 2017.
    """

    share: float
    neighbours: int
    damping: float


@dataclass(frozen=True, slots=True)
class RankingSettings:
    """How slides are ranked for a slide; by default as an archive that was not tuned does.

    distance: that is computed under the metric; local_share: of its local part; shrinkage: of the covariance within
    labels by which vectors are whitened, above 0 to 1, None for none; label_strength: of the ridge of the directions
    that tell labels apart, along which vectors are stretched, above 0, None for none; erased: the column of what
    vectors are freed of, centred: the column of what is centred apart, None for none; diffusion: None for none. Raises
    ConfigurationError for an unknown distance.
    """

    distance: str = DEFAULT_DISTANCE
    local_share: float = DEFAULT_SHARE
    shrinkage: float | None = None
    label_strength: float | None = None
    erased: str | None = None
    centred: str | None = None
    diffusion: DiffusionSettings | None = None

    def __post_init__(self) -> None:
        get_distance(self.distance)
        if not 0 <= self.local_share <= 1:
            raise ConfigurationError("local share", f"{self.local_share} is not from 0 to 1", "Give a share")


PLAIN = RankingSettings()
