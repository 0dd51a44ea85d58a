"""The archives of a server: opened once a process, used by many threads."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from histoseek.api import Archive
from histoseek.archive.filters.expression import compare, one_of
from histoseek.archive.schema import SlideRecord
from histoseek.errors import UnknownSlide
from histoseek.rest.archives import ArchiveInfo, FieldInfo
from histoseek.search.regional.opening import has_region_measure
from histoseek.search.scope.public import PRIVATE_COLUMNS
from histoseek.server.errors import NotFound


@dataclass(frozen=True, slots=True)
class ArchiveEntry:
    """An archive under the name that requests use."""

    name: str
    archive: Archive

    def describe(self, writable: bool) -> ArchiveInfo:
        """The archive as a whole."""
        return self.archive.read(lambda view: self._describe(view, writable))

    def _describe(self, archive: Archive, writable: bool) -> ArchiveInfo:
        space = archive.space
        calibration = archive.calibration if space else None
        types = archive.store.metadata_types() if space else {}
        return ArchiveInfo(
            name=self.name,
            slides=len(archive),
            patients=_count_distinct(archive, "patient_id"),
            cases=_count_distinct(archive, "case_id"),
            tile_encoder=archive.recipe.encoder,
            spacing_um_per_px=archive.recipe.spacing_um_per_px,
            calibrated_for=calibration.label.column if calibration and calibration.label else None,
            reads_text=bool(space and space.has_texts),
            aligned=bool(space and space.has_alignment),
            measures_regions=bool(space and has_region_measure(archive, archive.store)),
            has_images=not archive.recipe.imported,
            writable=writable,
            fields=tuple(FieldInfo(name=n, type=str(kind)) for n, kind in types.items() if n not in PRIVATE_COLUMNS),
        )

    def list_missing(self, slide_ids: Collection[str]) -> frozenset[str]:
        """Those of some ids that the archive has no slide of; raises ArchiveError."""
        if not slide_ids or not self.archive.space:
            return frozenset(slide_ids)
        wanted = one_of("slide_id", list(slide_ids))
        return frozenset(slide_ids) - frozenset(self.archive.read(lambda view: view.store.slides(wanted)))

    def get_record(self, slide_id: str) -> SlideRecord:
        """A slide's record; raises UnknownSlide."""
        records = self.archive.records(compare("slide_id", "=", slide_id), limit=1)
        if not records:
            raise UnknownSlide(slide_id)
        return records[0]


def _count_distinct(archive: Archive, column: str) -> int:
    if archive.space is None:
        return 0
    return len(archive.store.columns([column], None)[column].drop_null().unique())


class ArchiveRegistry:
    """All archives of a server, by name."""

    def __init__(self, places: Mapping[str, str | Path]) -> None:
        """Open them; raises ArchiveNotFound, DamagedArchive."""
        self._archives = {name: ArchiveEntry(name, Archive.open(path)) for name, path in places.items()}

    def __iter__(self) -> Iterator[ArchiveEntry]:
        return iter(self._archives.values())

    def get(self, name: str) -> ArchiveEntry:
        """One by its name; raises NotFound."""
        records = self._archives.get(name)
        if records is None:
            raise NotFound("archive", "there is no archive of this name", "GET /api/v1/archives lists them")
        return records
