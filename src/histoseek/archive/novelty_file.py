"""What an archive knows of its own tiles, so that it can say what is unlike them; kept with the embedding space."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

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
)
from histoseek.ranking.novelty import NoveltyModel, OwnScores, TileModel

FORMAT = 1

_MODEL = ("mean", "axes", "variances", "rest")


@dataclass(frozen=True, slots=True, eq=False)
class ArchiveNovelty(EqualByContent):
    """A model of an archive's tiles.

    tiles: hash of what decides tiles' features; slides: that it was made of; created: UTC; false_alarms: the share of
    the archive's own kind that may be flagged.
    """

    tiles: str
    slides: int
    created: str
    false_alarms: float
    model: NoveltyModel


def hash_tile_space(space: EmbeddingSpace) -> str:
    """A short hash of what decides tiles' features, which stay as they are when slides are encoded otherwise."""
    parts = space.tile_encoder, space.tile_encoder_weights, space.tile_edge_px, space.spacing_um_per_px
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def write_novelty(layout: ArchiveLayout, novelty: ArchiveNovelty) -> None:
    """Put a model in the place of the last one, in one step; raises ArchiveReadOnly, DiskFull."""
    arrays = _list_arrays(novelty.model)
    facts = {
        "format": FORMAT,
        **{name: getattr(novelty, name) for name in ("tiles", "slides", "created", "false_alarms")},
        "own": [own.tiles for own in novelty.model.own],
    }
    with as_archive_errors(layout.root):
        write_array_file(layout.novelty, facts, arrays)


def read_novelty(layout: ArchiveLayout, space: EmbeddingSpace) -> ArchiveNovelty | None:
    """The model of a space's tiles; None when there is none, or it is of other tiles or another format.

    Raises DamagedArchive when it can't be read.
    """
    novelty = _load(layout)
    return novelty if novelty and novelty.tiles == hash_tile_space(space) else None


def check_novelty(layout: ArchiveLayout) -> None:
    """Raise DamagedArchive when there is a model that can't be read."""
    _load(layout)


def _load(layout: ArchiveLayout) -> ArchiveNovelty | None:
    try:
        return _read(layout.novelty, read_file_state(layout.novelty))
    except FileNotFoundError:
        return None
    except UNREADABLE as error:
        reason = "not a readable model of tiles: run `histoseek calibrate` to make it anew"
        raise DamagedArchive(layout.novelty, reason) from error


@lru_cache(maxsize=4)
def _read(path: Path, _state: FileState) -> ArchiveNovelty | None:
    """Read once for each state of the file."""
    facts, arrays = read_array_file(path)
    if facts["format"] != FORMAT:
        return None
    mean, axes, variances, rest = (arrays[name] for name in _MODEL)
    own = (OwnScores(tiles, tuple(arrays[f"own.{place}"].tolist())) for place, tiles in enumerate(facts["own"]))
    return ArchiveNovelty(
        **{name: facts[name] for name in ("tiles", "slides", "created", "false_alarms")},
        model=NoveltyModel(TileModel(mean, axes, variances, float(rest[0])), tuple(own)),
    )


def _list_arrays(model: NoveltyModel) -> dict[str, NDArray[np.generic]]:
    tiles = model.tiles
    own = {f"own.{place}": np.array(one.scores, np.float64) for place, one in enumerate(model.own)}
    return {
        "mean": np.ascontiguousarray(tiles.mean),
        "axes": np.ascontiguousarray(tiles.axes),
        "variances": np.ascontiguousarray(tiles.variances),
        "rest": np.array([tiles.rest]),
        **own,
    }
