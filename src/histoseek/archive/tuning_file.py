"""The tuning of an archive: how it ranks slides for a slide, as `histoseek tune` found best, kept with its space."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.array_file import UNREADABLE, read_array_file, write_array_file
from histoseek.archive.layout import ArchiveLayout
from histoseek.encoders.embedding_space import EmbeddingSpace
from histoseek.equality import EqualByContent
from histoseek.errors import DamagedArchive
from histoseek.files import (
    FileState,
    as_archive_errors,
    read_file_state,
    unlink_durably,
)
from histoseek.mosaics.distances import Fusion
from histoseek.ranking.metric import LinearMap, Metric
from histoseek.ranking.settings import DiffusionSettings, RankingSettings

FORMAT = 1

_CHANGE_NOTED = 0.2
"""An archive that has grown or shrunk by a larger share than this should be tuned again."""

_MAPS = ("global_map", "mosaic_map")
_PARTS = ("offsets", "inward", "outward")
_REACH = ("centres", "radii")

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TriedSettings:
    """Settings that were tried: the MAP@5 they had on patients held out, and its standard error over patients."""

    settings: RankingSettings
    map5: float
    error: float


@dataclass(frozen=True, slots=True)
class MetricGain:
    """What a figure was without and with the tuning on patients whom neither choice nor fit has seen, and the 95 %
    interval over patients of the difference; p: of the paired permutation test."""

    metric: str
    plain: float
    tuned: float
    low: float
    high: float
    p: float


@dataclass(frozen=True, slots=True)
class TuningCard:
    """Where a tuning comes from: what was tried on how many slides and patients, and what it was worth.

    sites: columns of sites that were looked at; folds: of patients; seed: what they were drawn with; left_out: slides
    of patients whom the archive's encoders were trained on.
    """

    slides: int
    patients: int
    classes: int
    sites: tuple[str, ...]
    folds: int
    seed: int
    tried: tuple[TriedSettings, ...]
    gains: tuple[MetricGain, ...]
    left_out: int = 0


@dataclass(frozen=True, eq=False)
class Tuning(EqualByContent):
    """How an archive ranks slides for a slide.

    space: hash of what decides slides' vectors; slides: in the archive at the time; created: UTC; column: of the
    labels; fusion: how the distance's parts are added under the metric; card: None of what was not measured.
    """

    space: str
    slides: int
    created: str
    column: str
    settings: RankingSettings
    metric: Metric
    fusion: Fusion
    card: TuningCard | None = None

    @cached_property
    def mark(self) -> str:
        """A short hash of all that decides the ranking."""
        metric = self.metric
        parts = (self.space, self.settings, self.fusion, metric.column, metric.groups, metric.has_one_map)
        digest = hashlib.sha256(repr(parts).encode())
        for name, array in sorted(_list_arrays(self.metric).items()):
            digest.update(name.encode() + np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:16]

    def is_outgrown(self, slides: int) -> bool:
        """Whether the archive, now of so many slides, has changed too much since."""
        return abs(slides - self.slides) > _CHANGE_NOTED * self.slides


def write_tuning(layout: ArchiveLayout, tuning: Tuning) -> None:
    """Put a tuning in the place of the last one, in one step; raises ArchiveReadOnly, DiskFull."""
    arrays = _list_arrays(tuning.metric)
    facts = {
        "format": FORMAT,
        **{name: getattr(tuning, name) for name in ("space", "slides", "created", "column")},
        **{name: asdict(getattr(tuning, name)) for name in ("settings", "fusion")},
        "card": asdict(tuning.card) if tuning.card else None,
        "groups": {"column": tuning.metric.column, "names": tuning.metric.groups},
        "one_map": tuning.metric.has_one_map,
    }
    with as_archive_errors(layout.root):
        write_array_file(layout.tuning, facts, arrays)


def remove_tuning(layout: ArchiveLayout) -> bool:
    """Let an archive rank as one that was not tuned; whether it was. Raises ArchiveReadOnly."""
    there = layout.tuning.is_file()
    with as_archive_errors(layout.root):
        unlink_durably([layout.tuning])
    return there


def read_tuning(layout: ArchiveLayout, space: EmbeddingSpace) -> Tuning | None:
    """The tuning of a space; None when there is none, or it is of other vectors or another format.

    Raises DamagedArchive when it can't be read.
    """
    tuning = _load(layout)
    return tuning if tuning and tuning.space == space.slides_fingerprint else None


def has_foreign_tuning(layout: ArchiveLayout, space: EmbeddingSpace) -> bool:
    """Whether there is one of vectors that are gone, or of another format; raises DamagedArchive."""
    return layout.tuning.is_file() and read_tuning(layout, space) is None


def check_tuning(layout: ArchiveLayout) -> None:
    """Raise DamagedArchive when there is a tuning that can't be read."""
    _load(layout)


def _load(layout: ArchiveLayout) -> Tuning | None:
    try:
        return _read(layout.tuning, read_file_state(layout.tuning))
    except FileNotFoundError:
        return None
    except UNREADABLE as error:
        reason = "not a readable tuning: run `histoseek tune` to make it anew"
        raise DamagedArchive(layout.tuning, reason) from error


@lru_cache(maxsize=4)
def _read(path: Path, _state: FileState) -> Tuning | None:
    """Read once for each state of the file."""
    facts, arrays = read_array_file(path)
    if facts["format"] != FORMAT:
        return None
    return Tuning(
        **{name: facts[name] for name in ("space", "slides", "created", "column")},
        settings=_parse_settings(facts["settings"]),
        metric=_parse_metric(facts, arrays),
        fusion=Fusion(**facts["fusion"]),
        card=_parse_card(facts["card"]) if facts["card"] else None,
    )


def _list_arrays(metric: Metric) -> dict[str, Floats]:
    """The arrays of a metric by name; maps that are one are kept once."""
    maps = _MAPS[:1] if metric.has_one_map else _MAPS
    parts = [(f"{name}.{part}", getattr(getattr(metric, name), part)) for name in maps for part in _PARTS]
    parts += [(f"groups.{part}", getattr(metric, part)) for part in _REACH]
    return {name: np.ascontiguousarray(array, np.float32) for name, array in parts if array is not None}


def _parse_metric(facts: Mapping[str, Any], arrays: Mapping[str, Floats]) -> Metric:
    maps = [LinearMap(*(arrays.get(f"{name}.{part}") for part in _PARTS)) for name in _MAPS]
    groups, reach = facts["groups"], [arrays.get(f"groups.{part}") for part in _REACH]
    return Metric(maps[0], maps[0] if facts["one_map"] else maps[1], groups["column"], tuple(groups["names"]), *reach)


def _parse_settings(data: Mapping[str, Any]) -> RankingSettings:
    settings = RankingSettings(**{**data, "diffusion": None})
    return replace(settings, diffusion=DiffusionSettings(**data["diffusion"]) if data["diffusion"] else None)


def _parse_card(data: Mapping[str, Any]) -> TuningCard:
    tried = tuple(TriedSettings(**{**one, "settings": _parse_settings(one["settings"])}) for one in data["tried"])
    gains = tuple(MetricGain(**one) for one in data["gains"])
    return TuningCard(**{**data, "sites": tuple(data["sites"]), "tried": tried, "gains": gains})
