"""What an archive knows of the parts of its distances, kept with the embedding space; a small JSON file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from histoseek.archive.layout import ArchiveLayout
from histoseek.encoders.embedding_space import EmbeddingSpace
from histoseek.errors import DamagedArchive
from histoseek.files import FileState, read_checked_json, read_file_state
from histoseek.mosaics.distances import Fusion, get_distance
from histoseek.mosaics.part_weights import PartStatistics, ShareChoice, fuse_parts

FORMAT = 1

_GROWTH_NOTED = 0.5


@dataclass(frozen=True, slots=True)
class DistanceParts:
    """What an archive knows of one distance: its parts between slides of different patients, and the local share that
    the labels of a column chose, None and None where nothing but the stated share is known."""

    distance: str
    local: PartStatistics
    global_: PartStatistics
    column: str | None = None
    choice: ShareChoice | None = None

    @property
    def fusion(self) -> Fusion:
        """How the parts are added."""
        return fuse_parts(
            self.local, self.global_, self.choice.share if self.choice else get_distance(self.distance).stated_share
        )


@dataclass(frozen=True, slots=True)
class ArchiveFusion:
    """What an archive knows of the parts of its distances.

    space: hash of what decides slides' vectors; slides: in the archive at the time; created: UTC.
    """

    format: int
    space: str
    slides: int
    created: str
    distances: tuple[DistanceParts, ...]

    def find(self, distance: str) -> DistanceParts | None:
        """What is known of a distance."""
        return next((parts for parts in self.distances if parts.distance == distance), None)

    def with_choice(self, distance: str, column: str, choice: ShareChoice) -> ArchiveFusion:
        """The same with another share for a distance."""
        distances = (
            replace(parts, column=column, choice=choice) if parts.distance == distance else parts
            for parts in self.distances
        )
        return replace(self, distances=tuple(distances))

    def is_outgrown(self, slides: int) -> bool:
        """Whether the archive, now of so many slides, has changed by half since."""
        return abs(slides - self.slides) > _GROWTH_NOTED * self.slides


def read_fusion(layout: ArchiveLayout, space: EmbeddingSpace) -> ArchiveFusion | None:
    """What is known in a space; None when nothing is, or it is of other vectors or another format.

    Raises DamagedArchive when it can't be read.
    """
    fusion = _load(layout)
    return fusion if fusion and fusion.space == space.slides_fingerprint else None


def check_fusion(layout: ArchiveLayout) -> None:
    """Raise DamagedArchive when something is kept that can't be read."""
    _load(layout)


def _load(layout: ArchiveLayout) -> ArchiveFusion | None:
    try:
        return _read(layout.fusion, read_file_state(layout.fusion))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = "not readable weights of distances: run `histoseek index` or `histoseek calibrate` to make them anew"
        raise DamagedArchive(layout.fusion, reason) from error


@lru_cache(maxsize=4)
def _read(path: Path, _state: FileState) -> ArchiveFusion | None:
    """Read once for each state of the file."""
    data = read_checked_json(path)
    if data["format"] != FORMAT:
        return None
    return ArchiveFusion(**{**data, "distances": tuple(_parse_parts(parts) for parts in data["distances"])})


def _parse_parts(data: dict[str, Any]) -> DistanceParts:
    statistics = {name: PartStatistics(**data[name]) for name in ("local", "global_")}
    choice = ShareChoice(**data["choice"]) if data["choice"] else None
    return DistanceParts(**{**data, **statistics, "choice": choice})
