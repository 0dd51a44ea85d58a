"""How an archive adds the parts of its distances: measured on its own slides, kept with the embedding space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.fusion_file import FORMAT, ArchiveFusion, DistanceParts
from histoseek.archive.schema import name_owner
from histoseek.archive.stores.slides import SlideTable
from histoseek.files import as_archive_errors, write_checked_json
from histoseek.mosaics.distances import Distance, SignatureBlock, get_distance
from histoseek.mosaics.part_weights import PartStatistics, measure_parts
from histoseek.mosaics.rarity import Background, draw_background

FUSED = ("symmetric", "maxsim", "closest", "rare")
"""Distances whose parts are weighed by what an archive knows of them; the others' weights are theirs."""

MIN_SLIDES, MIN_OWNERS = 30, 10
"""With fewer slides, or fewer patients behind them, the stated weights stay."""

_QUERIES, _DATABASE = 50, 500

Doubles = NDArray[np.float64]


def load_distance(archive: ArchiveFolder, name: str) -> Distance:
    """The distance of this name with the archive's weights, else the stated ones.

    Raises ConfigurationError for an unknown name.
    """
    if archive.space is None:
        return get_distance(name)
    distance = get_distance(name).side_by_side(archive.space.side_by_side)
    if name not in FUSED:
        return distance
    distance = know_background(distance, archive.store)
    fusion = archive.fusion
    parts = fusion.find(name) if fusion else None
    return distance.with_fusion(parts.fusion) if parts else distance


def know_background(
    distance: Distance, store: SlideTable, slide_ids: Sequence[str] | NDArray[np.str_] | None = None
) -> Distance:
    """The distance with what is common on these slides, or on all of the store, if it looks at that.

    It is read anew when the store changes, so nothing stays of slides that were removed. With fewer than MIN_SLIDES
    nothing is common.
    """
    if not distance.looks_at_rarity:
        return distance
    ids = store.ranking_rows().sorted_ids if slide_ids is None else slide_ids
    return distance.with_background(_read_background(store, ids) if len(ids) >= MIN_SLIDES else None)


def _read_background(store: SlideTable, slide_ids: Sequence[str] | NDArray[np.str_]) -> Background:
    drawn = draw_background([str(slide_id) for slide_id in slide_ids])
    return Background(store.mosaics(drawn), store.shared_mosaics(drawn)[2])


def update_fusion(archive: ArchiveFolder) -> None:
    """Measure the parts if that was never done or the archive has changed by half; shares that labels chose stay.

    Cheap if not. The write lock must be held. Raises ArchiveReadOnly, DiskFull.
    """
    if archive.space is None:
        return
    slides, last = archive.store.count(None), archive.fusion
    known = last is not None and not last.is_outgrown(slides) and all(last.find(name) for name in FUSED)
    if slides < MIN_SLIDES or known:
        return
    write_fusion(archive, measure_fusion(archive))


def measure_fusion(archive: ArchiveFolder, seed: int = 0) -> ArchiveFusion | None:
    """The parts measured on slides drawn from the archive, with the shares chosen before; None for too few slides."""
    space, store = archive.require_space(), archive.store.snapshot()
    records = store.records(None, None, 0)
    ids = [record.slide_id for record in records]
    owners = np.unique([name_owner(record) for record in records], return_inverse=True)[1]
    last, distances = archive.fusion, []
    for name in FUSED:
        distance = know_background(get_distance(name).side_by_side(space.side_by_side), store, ids)
        statistics = measure_distance_parts(store, distance, ids, owners, seed)
        if statistics is None:
            return None
        before = (last.find(name) if last else None) or DistanceParts(name, *statistics)
        distances.append(replace(before, local=statistics[0], global_=statistics[1]))
    created = datetime.now(UTC).isoformat(timespec="seconds")
    return ArchiveFusion(FORMAT, space.slides_fingerprint, len(records), created, tuple(distances))


def measure_distance_parts(
    store: SlideTable, distance: Distance, slide_ids: Sequence[str], owners: NDArray[np.int64], seed: int = 0
) -> tuple[PartStatistics, PartStatistics] | None:
    """The local and the global part of a distance on slides drawn from these, of owners int64 [S]; None for too few."""
    drawn = draw_pairs(owners, seed)
    if drawn is None:
        return None
    queries, database, allowed = drawn
    parts = compare_slides(store, distance, [slide_ids[i] for i in queries], [slide_ids[i] for i in database])
    return measure_parts(*parts, allowed)


def draw_pairs(
    owners: NDArray[np.int64], seed: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]] | None:
    """Places of 50 slides and of 500, or of all there are, of owners int64 [S], and which pairs are of two owners.

    Increasing int64 [Q] and [C], bool [Q, C]; None for too few slides or owners.
    """
    if len(owners) < MIN_SLIDES or len(np.unique(owners)) < MIN_OWNERS:
        return None
    sample = np.random.default_rng(seed).permutation(len(owners))
    queries, database = np.sort(sample[:_QUERIES]), np.sort(sample[:_DATABASE])
    allowed = owners[queries][:, None] != owners[database]
    return (queries, database, allowed) if allowed.any() else None


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
    """Put what was measured in the place of what was known, in one step; None leaves that as it is.

    The write lock must be held. Raises ArchiveReadOnly, DiskFull.
    """
    if fusion:
        with as_archive_errors(archive.path):
            write_checked_json(archive.layout.fusion, asdict(fusion))
