"""How an archive adds the parts of its distances: measured on its own slides, kept with the embedding space."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.layout import ArchiveLayout
from histoseek.archive.schema import name_owner
from histoseek.archive.stores.slides import SlideTable
from histoseek.encoders.embedding_space import EmbeddingSpace
from histoseek.errors import DamagedArchive
from histoseek.files import as_archive_errors, write_atomic
from histoseek.mosaics.distances import Distance, Fusion, SignatureBlock, get_distance
from histoseek.mosaics.part_weights import DEFAULT_SHARE, PartStatistics, ShareChoice, fuse_parts, measure_parts

FORMAT = 1

FUSED = ("symmetric", "maxsim")
"""Distances whose parts are weighed by what an archive knows of them; the others' weights are theirs."""

MIN_SLIDES, MIN_OWNERS = 30, 10
"""With fewer slides, or fewer patients behind them, the stated weights stay."""

_QUERIES, _DATABASE = 50, 500
_GROWTH_NOTED = 0.5

Doubles = NDArray[np.float64]


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
        return fuse_parts(self.local, self.global_, self.choice.share if self.choice else DEFAULT_SHARE)


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


def load_distance(archive: ArchiveFolder, name: str) -> Distance:
    """The distance of this name with the archive's weights, else the stated ones.

    Raises ConfigurationError for an unknown name, DamagedArchive.
    """
    distance = get_distance(name)
    if name not in FUSED or archive.space is None:
        return distance
    fusion = read_fusion(archive.layout, archive.space)
    parts = fusion.find(name) if fusion else None
    return distance.with_fusion(parts.fusion) if parts else distance


def update_fusion(archive: ArchiveFolder) -> None:
    """Measure the parts if that was never done or the archive has changed by half; shares that labels chose stay.

    Cheap if not. The write lock must be held. Raises ArchiveReadOnly, DiskFull.
    """
    if archive.space is None:
        return
    slides, last = archive.store.count(None), load_usable_fusion(archive)
    if slides < MIN_SLIDES or (last and not last.is_outgrown(slides)):
        return
    write_fusion(archive, measure_fusion(archive))


def measure_fusion(archive: ArchiveFolder, seed: int = 0) -> ArchiveFusion | None:
    """The parts measured on slides drawn from the archive, with the shares chosen before; None for too few slides."""
    space, store = archive.require_space(), archive.store.snapshot()
    records = store.records(None, None, 0)
    ids = [record.slide_id for record in records]
    owners = np.unique([name_owner(record) for record in records], return_inverse=True)[1]
    last, distances = load_usable_fusion(archive), []
    for name in FUSED:
        statistics = measure_distance_parts(store, get_distance(name), ids, owners, seed)
        if statistics is None:
            return None
        before = (last.find(name) if last else None) or DistanceParts(name, *statistics)
        distances.append(replace(before, local=statistics[0], global_=statistics[1]))
    created = datetime.now(UTC).isoformat(timespec="seconds")
    return ArchiveFusion(FORMAT, space.slides_fingerprint, len(records), created, tuple(distances))


def measure_distance_parts(
    store: SlideTable, distance: Distance, slide_ids: Sequence[str], owners: NDArray[np.int64], seed: int = 0
) -> tuple[PartStatistics, PartStatistics] | None:
    """The local and the global part of a distance on slides drawn from these, of owners int64 [S]; None for too few.

    50 slides against 500, or all there are; only pairs of different owners count.
    """
    if len(slide_ids) < MIN_SLIDES or len(np.unique(owners)) < MIN_OWNERS:
        return None
    sample = np.random.default_rng(seed).permutation(len(slide_ids))
    queries, database = np.sort(sample[:_QUERIES]), np.sort(sample[:_DATABASE])
    allowed = owners[queries][:, None] != owners[database]
    if not allowed.any():
        return None
    parts = compare_slides(store, distance, [slide_ids[i] for i in queries], [slide_ids[i] for i in database])
    return measure_parts(*parts, allowed)


def compare_slides(
    store: SlideTable, distance: Distance, queries: Sequence[str], database: Sequence[str]
) -> tuple[Doubles, Doubles]:
    """The local and the global part of a distance between slides, float64 [Q, C] each; raises UnknownSlide."""
    block = load_block(store, distance, database)
    parts = [distance.parts(stored.signature, block) for stored in store.get(queries)]
    return np.stack([local for local, _ in parts]), np.stack([global_ for _, global_ in parts])


def load_block(store: SlideTable, distance: Distance, slide_ids: Sequence[str]) -> SignatureBlock:
    """What this distance needs of slides, in the order asked; raises UnknownSlide."""
    block = store.ranking_block(slide_ids)
    return replace(block, mosaics=store.mosaics(slide_ids)) if distance.needs_mosaics else block


def write_fusion(archive: ArchiveFolder, fusion: ArchiveFusion | None) -> None:
    """Put what was measured in the place of what was known, in one step; of None, only take away what is damaged.

    The write lock must be held. Raises ArchiveReadOnly, DiskFull.
    """
    with as_archive_errors(archive.path):
        if fusion:
            write_atomic(archive.layout.fusion, json.dumps(asdict(fusion), indent=1).encode())
        elif load_usable_fusion(archive) is None:
            archive.layout.fusion.unlink(missing_ok=True)


def read_fusion(layout: ArchiveLayout, space: EmbeddingSpace) -> ArchiveFusion | None:
    """What is known in a space; None when nothing is, or it is of other vectors or another format.

    Raises DamagedArchive when it can't be read.
    """
    try:
        state = layout.fusion.stat()
        fusion = _read(layout.fusion, state.st_mtime_ns, state.st_size)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = "not readable weights of distances: run `histoseek index` or `histoseek calibrate` to make them anew"
        raise DamagedArchive(layout.fusion, reason) from error
    return fusion if fusion and fusion.space == space.slides_fingerprint else None


def load_usable_fusion(archive: ArchiveFolder) -> ArchiveFusion | None:
    """What is known, None also when it is damaged: for those who make it anew."""
    try:
        return read_fusion(archive.layout, archive.require_space())
    except DamagedArchive:
        return None


@lru_cache(maxsize=4)
def _read(path: Path, _modified: int, _size: int) -> ArchiveFusion | None:
    """Read once for each state of the file."""
    data = json.loads(path.read_text())
    if data["format"] != FORMAT:
        return None
    return ArchiveFusion(**{**data, "distances": tuple(_parse_parts(parts) for parts in data["distances"])})


def _parse_parts(data: dict[str, Any]) -> DistanceParts:
    statistics = {name: PartStatistics(**data[name]) for name in ("local", "global_")}
    choice = ShareChoice(**data["choice"]) if data["choice"] else None
    return DistanceParts(**{**data, **statistics, "choice": choice})
