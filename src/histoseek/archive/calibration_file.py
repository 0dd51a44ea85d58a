"""The calibration of an archive: what distances between its slides mean, kept with the embedding space."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from histoseek.archive.layout import ArchiveLayout
from histoseek.encoders.embedding_space import EmbeddingSpace
from histoseek.errors import DamagedArchive
from histoseek.files import FileState, as_archive_errors, read_checked_json, read_file_state, write_checked_json
from histoseek.mosaics.distances import Fusion
from histoseek.ranking.label_posterior import LabelPosterior
from histoseek.ranking.labelled_queries import FittedPosterior
from histoseek.ranking.reliability import Reliability

FORMAT = 3

_CHANGE_NOTED = 0.2
"""An archive that has grown or shrunk by a larger share than this should be calibrated again."""


@dataclass(frozen=True, slots=True)
class LabelPatients:
    """How many patients of an archive have a label."""

    label: str
    patients: int


@dataclass(frozen=True, slots=True)
class LabelCalibration:
    """How probable labels are to be a query's, and what that was fitted on.

    column: of the labels; slides, patients: those there were with a label; labels: those of at least two patients, so
    that none tells of a single one; rare: how many others there were; queries: slides drawn from them.
    """

    column: str
    slides: int
    patients: int
    labels: tuple[LabelPatients, ...]
    rare: int
    queries: int
    fitted: FittedPosterior

    @property
    def classes(self) -> int:
        """How many labels there were."""
        return len(self.labels) + self.rare


@dataclass(frozen=True, slots=True)
class Calibration:
    """What an archive knows of its distances.

    space: hash of what decides slides' vectors; distance: its name; fusion: how its parts were added; ranking: the mark
    of the way to rank; slides: in the archive at the time; created: UTC; label: None where there are no
    labels.
    """

    format: int
    space: str
    distance: str
    fusion: Fusion
    ranking: str
    slides: int
    created: str
    label: LabelCalibration | None

    def is_outgrown(self, slides: int) -> bool:
        """Whether the archive, now of so many slides, has changed too much since."""
        return abs(slides - self.slides) > _CHANGE_NOTED * self.slides


def write_calibration(layout: ArchiveLayout, calibration: Calibration) -> None:
    """Put a calibration in the place of the last one, in one step; raises ArchiveReadOnly, DiskFull."""
    with as_archive_errors(layout.root):
        write_checked_json(layout.calibration, asdict(calibration))


def read_calibration(layout: ArchiveLayout, space: EmbeddingSpace) -> Calibration | None:
    """The calibration of a space; None when there is none, or it is of other vectors or another format.

    Raises DamagedArchive when it can't be read.
    """
    content = _load(layout)
    return content if isinstance(content, Calibration) and content.space == space.slides_fingerprint else None


def has_older_calibration(layout: ArchiveLayout) -> bool:
    """Whether there is a calibration of an older format, which knows probabilities by distance alone.

    Raises DamagedArchive when it can't be read.
    """
    content = _load(layout)
    return isinstance(content, int) and content < FORMAT


def check_calibration(layout: ArchiveLayout) -> None:
    """Raise DamagedArchive when there is a calibration that can't be read."""
    _load(layout)


def _load(layout: ArchiveLayout) -> Calibration | int | None:
    """The calibration in the file, or its format if that is another; None without a file."""
    try:
        return _read(layout.calibration, read_file_state(layout.calibration))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = "not a readable calibration: run `histoseek calibrate` to make it anew"
        raise DamagedArchive(layout.calibration, reason) from error


@lru_cache(maxsize=4)
def _read(path: Path, _state: FileState) -> Calibration | int:
    """Read once for each state of the file."""
    data = read_checked_json(path)
    if data["format"] != FORMAT:
        return int(data["format"])
    label = _parse_label(data["label"]) if data["label"] else None
    return Calibration(**{**data, "fusion": Fusion(**data["fusion"]), "label": label})


def _parse_label(data: dict[str, Any]) -> LabelCalibration:
    fitted = data["fitted"]
    figures = {name: Reliability(**fitted[name]) for name in ("held_out", "base")}
    posterior = FittedPosterior(**{**fitted, "posterior": LabelPosterior(**fitted["posterior"]), **figures})
    labels = tuple(LabelPatients(**label) for label in data["labels"])
    return LabelCalibration(**{**data, "labels": labels, "fitted": posterior})
