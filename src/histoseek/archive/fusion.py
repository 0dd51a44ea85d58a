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
from histoseek.archive.schema import owner_of
from histoseek.archive.stores.slides import SlideTable
from histoseek.encoders.space import EmbeddingSpace
from histoseek.errors import DamagedArchive
from histoseek.files import as_archive_errors, write_atomic
from histoseek.mosaics.distances import Distance, Fusion, SignatureBlock, get_distance
from histoseek.mosaics.fusion import DEFAULT_SHARE, PartStatistics, ShareChoice, fuse_parts, measure_parts

FORMAT = 1

FUSED = ("symmetric", "maxsim")
"""Distances whose parts are weighed by what an archive knows of them; the others' weights are theirs."""

MIN_SLIDES, MIN_OWNERS = 30, 10
"""With fewer slides, or fewer patients behind them, the stated weights stay."""

_QUERIES, _DATABASE = 50, 500
_GROWTH_NOTED = 0.5

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PartsOfDistance:
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
    distances: tuple[PartsOfDistance, ...]

    def of(self, distance: str) -> PartsOfDistance | None:
        """What is known of a distance."""
        return next((one for one in self.distances if one.distance == distance), None)

    def with_choice(self, distance: str, column: str, choice: ShareChoice) -> ArchiveFusion:
        """The same with another share for a distance."""
        known = (
            replace(one, column=column, choice=choice) if one.distance == distance else one for one in self.distances
        )
        return replace(self, distances=tuple(known))

    def outgrown(self, slides: int) -> bool:
        """Whether the archive, now of so many slides, has changed by half since."""
        return abs(slides - self.slides) > _GROWTH_NOTED * self.slides


def distance_of(archive: ArchiveFolder, name: str) -> Distance:
    """The distance of this name with the archive's weights, else the stated ones.

    Raises ConfigurationError for an unknown name, DamagedArchive.
    """
    distance = get_distance(name)
    if name not in FUSED or archive.space is None:
        return distance
    known = read_fusion(archive.layout, archive.space)
    found = known.of(name) if known else None
    return distance.with_fusion(found.fusion) if found else distance


def update_fusion(archive: ArchiveFolder) -> None:
    """Measure the parts if that was never done or the archive has changed by half; shares that labels chose stay.

    Cheap if not. The write lock must be held. Raises ArchiveReadOnly, DiskFull.
    """
    if archive.space is None:
        return
    slides, known = archive.store.count(None), last_fusion(archive)
    if slides < MIN_SLIDES or (known and not known.outgrown(slides)):
        return
    keep_fusion(archive, measured(archive))


def measured(archive: ArchiveFolder, seed: int = 0) -> ArchiveFusion | None:
    """The parts measured on slides drawn from the archive, with the shares chosen before; None for too few slides."""
    space, store = archive.settled_space, archive.store.snapshot()
    records = store.records(None, None, 0)
    ids = [record.slide_id for record in records]
    owners = np.unique([owner_of(record) for record in records], return_inverse=True)[1]
    known, found = last_fusion(archive), []
    for name in FUSED:
        statistics = measure(store, get_distance(name), ids, owners, seed)
        if statistics is None:
            return None
        before = (known.of(name) if known else None) or PartsOfDistance(name, *statistics)
        found.append(replace(before, local=statistics[0], global_=statistics[1]))
    created = datetime.now(UTC).isoformat(timespec="seconds")
    return ArchiveFusion(FORMAT, space.slides_fingerprint, len(records), created, tuple(found))


def measure(
    store: SlideTable, distance: Distance, slide_ids: Sequence[str], owners: NDArray[np.int64], seed: int = 0
) -> tuple[PartStatistics, PartStatistics] | None:
    """The local and the global part of a distance on slides drawn from these, of owners int64 [S]; None for too few.

    50 slides against 500, or all there are; only pairs of different owners count.
    """
    if len(slide_ids) < MIN_SLIDES or len(np.unique(owners)) < MIN_OWNERS:
        return None
    drawn = np.random.default_rng(seed).permutation(len(slide_ids))
    queries, database = np.sort(drawn[:_QUERIES]), np.sort(drawn[:_DATABASE])
    allowed = owners[queries][:, None] != owners[database]
    if not allowed.any():
        return None
    parts = compare_slides(store, distance, [slide_ids[i] for i in queries], [slide_ids[i] for i in database])
    return measure_parts(*parts, allowed)


def compare_slides(
    store: SlideTable, distance: Distance, queries: Sequence[str], database: Sequence[str]
) -> tuple[Doubles, Doubles]:
    """The local and the global part of a distance between slides, float64 [Q, C] each; raises UnknownSlide."""
    block = block_for(store, distance, database)
    parts = [distance.parts(stored.signature, block) for stored in store.get(queries)]
    return np.stack([local for local, _ in parts]), np.stack([global_ for _, global_ in parts])


def block_for(store: SlideTable, distance: Distance, slide_ids: Sequence[str]) -> SignatureBlock:
    """What this distance needs of slides, in the order asked; raises UnknownSlide."""
    block = store.ranking_block(slide_ids)
    return replace(block, mosaics=store.mosaics(slide_ids)) if distance.needs_mosaics else block


def keep_fusion(archive: ArchiveFolder, made: ArchiveFusion | None) -> None:
    """Put what was measured in the place of what was known, in one step; of None, only take away what is damaged.

    The write lock must be held. Raises ArchiveReadOnly, DiskFull.
    """
    with as_archive_errors(archive.path):
        if made:
            write_atomic(archive.layout.fusion, json.dumps(asdict(made), indent=1).encode())
        elif last_fusion(archive) is None:
            archive.layout.fusion.unlink(missing_ok=True)


def read_fusion(layout: ArchiveLayout, space: EmbeddingSpace) -> ArchiveFusion | None:
    """What is known in a space; None when nothing is, or it is of other vectors or another format.

    Raises DamagedArchive when it can't be read.
    """
    try:
        state = layout.fusion.stat()
        found = _read(layout.fusion, state.st_mtime_ns, state.st_size)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = "not readable weights of distances: run `histoseek index` or `histoseek calibrate` to make them anew"
        raise DamagedArchive(layout.fusion, reason) from error
    return found if found and found.space == space.slides_fingerprint else None


def last_fusion(archive: ArchiveFolder) -> ArchiveFusion | None:
    """What is known, None also when it is damaged: for those who make it anew."""
    try:
        return read_fusion(archive.layout, archive.settled_space)
    except DamagedArchive:
        return None


@lru_cache(maxsize=4)
def _read(path: Path, _modified: int, _size: int) -> ArchiveFusion | None:
    """Read once for each state of the file."""
    data = json.loads(path.read_text())
    if data["format"] != FORMAT:
        return None
    return ArchiveFusion(**{**data, "distances": tuple(_parts(one) for one in data["distances"])})


def _parts(data: dict[str, Any]) -> PartsOfDistance:
    statistics = {name: PartStatistics(**data[name]) for name in ("local", "global_")}
    choice = ShareChoice(**data["choice"]) if data["choice"] else None
    return PartsOfDistance(**{**data, **statistics, "choice": choice})
