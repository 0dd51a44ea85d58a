"""How slides are ranked for a slide: by a distance as it is, or as the archive was tuned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from histoseek.archive.archive_fusion import know_background, load_distance
from histoseek.archive.filters.expression import one_of
from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.graph_file import load_graph
from histoseek.archive.layout import ArchiveLayout
from histoseek.archive.schema import StoredSlide, read_value
from histoseek.archive.stores.metric_slides import view_under
from histoseek.archive.stores.slides import SlideTable
from histoseek.archive.tuning_file import Tuning, has_foreign_tuning
from histoseek.errors import ConfigurationError, DamagedArchive
from histoseek.mosaics.distances import DEFAULT_DISTANCE, Distance, get_distance
from histoseek.mosaics.signature import Signature
from histoseek.ranking.graph import NeighbourGraph
from histoseek.ranking.settings import DiffusionSettings

TUNED = "tuned"
"""What stands in a distance's place for the ranking that an archive was tuned to."""


@dataclass(frozen=True, slots=True)
class RankingMethod:
    """A way to rank slides; name: of the distance, or TUNED; tuning: None for a distance as it is; layout: of the
    archive that was tuned."""

    name: str
    distance: Distance
    tuning: Tuning | None = None
    layout: ArchiveLayout | None = None

    @property
    def diffusion(self) -> DiffusionSettings | None:
        """What say neighbours have, None for none."""
        return self.tuning.settings.diffusion if self.tuning else None

    def find_graph(self, store: SlideTable) -> NeighbourGraph | None:
        """Which slides of a snapshot are near which, as they stand in its ranking rows; None where neighbours have no
        say, and where their graph is too far behind the archive."""
        if self.tuning is None or self.layout is None or self.diffusion is None:
            return None
        return load_graph(self.layout, store, self.tuning)

    @property
    def mark(self) -> str:
        """What tells this way of ranking an archive's slides from any other."""
        fusion = self.distance.fusion
        return f"{self.name} {self.tuning.mark if self.tuning else (fusion.local_weight, fusion.global_weight)}"

    def view(self, store: SlideTable) -> SlideTable:
        """The slides of a snapshot as they are ranked: under the tuning's metric."""
        return view_under(store, self.tuning.metric, self.tuning.mark) if self.tuning else store

    def map_query(
        self, store: SlideTable, signatures: Sequence[Signature], slide_ids: Sequence[str | None]
    ) -> tuple[Signature, ...]:
        """A query's signatures as they are compared; slide_ids: of those that the archive has, None for others."""
        if self.tuning is None:
            return tuple(signatures)
        metric = self.tuning.metric
        values = _read_column(store, metric.column, [slide_id for slide_id in slide_ids if slide_id is not None])
        vectors = np.stack([signature.global_vector for signature in signatures])
        groups = metric.find_groups([values.get(slide_id or "") for slide_id in slide_ids], vectors).tolist()
        return tuple(metric.map_signature(*one) for one in zip(signatures, groups, strict=True))

    def map_stored(self, slide: StoredSlide) -> Signature:
        """The signature of a slide of the archive as it is compared."""
        if self.tuning is None:
            return slide.signature
        metric = self.tuning.metric
        value = read_value(slide.record, metric.column) if metric.column else None
        [group] = metric.find_groups([value], slide.signature.global_vector[None]).tolist()
        return metric.map_signature(slide.signature, group)


def _read_column(store: SlideTable, column: str | None, slide_ids: Sequence[str]) -> Mapping[str, object]:
    """The values that some slides have in a column, by their ids."""
    if column is None or column not in store.metadata_types() or not slide_ids:
        return {}
    rows = store.columns(["slide_id", column], one_of("slide_id", slide_ids)).to_pylist()
    return {row["slide_id"]: row[column] for row in rows}


def load_method(archive: ArchiveFolder, name: str | None, default: str | None = None) -> RankingMethod:
    """The way to rank of this name; None: `default`, and without one as the archive was tuned, or else by the usual
    distance.

    Raises ConfigurationError for an unknown name, and for TUNED where the archive was not tuned.
    """
    tuning = archive.tuning
    chosen = name or default or (TUNED if tuning else DEFAULT_DISTANCE)
    if chosen != TUNED:
        return RankingMethod(chosen, load_distance(archive, chosen))
    if tuning is None:
        raise ConfigurationError(f"--distance {TUNED}", "the archive is not tuned", "Run `histoseek tune` first")
    distance = get_distance(tuning.settings.distance).with_fusion(tuning.fusion)
    view = view_under(archive.store.snapshot(), tuning.metric, tuning.mark)
    return RankingMethod(TUNED, know_background(distance, view), tuning, archive.layout)


def list_tuning_warnings(archive: ArchiveFolder) -> tuple[str, ...]:
    """What to know of how an archive was tuned, one line each."""
    tuning, space = archive.tuning, archive.require_space()
    if tuning is not None:
        slides = archive.store.count(None)
        changed = f"the archive had {tuning.slides} slides when it was tuned and has {slides} now"
        return (f"{changed}: run `histoseek tune` again",) if tuning.is_outgrown(slides) else ()
    try:
        is_foreign = has_foreign_tuning(archive.layout, space)
    except DamagedArchive:  # of which the archive's own warnings tell
        return ()
    what = "the archive was tuned for vectors that it no longer has, so slides are ranked plainly"
    return (f"{what}: run `histoseek tune` again, or `tune --reset`",) if is_foreign else ()
