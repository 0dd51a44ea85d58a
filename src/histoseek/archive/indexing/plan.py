"""What an indexing run has to do, decided before any pixel is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch

from histoseek.archive.indexing.metadata_join import SlideMetadata
from histoseek.archive.journal import SlideRefusal
from histoseek.archive.layout import ArchiveLayout
from histoseek.archive.schema import SlideRecord
from histoseek.encoders.bag import load_origin
from histoseek.encoders.recipe import Recipe
from histoseek.errors import DuplicateSlide, SlideError
from histoseek.progress import Reporter
from histoseek.slides.sources.base import SlideSource
from histoseek.slides.sources.registry import parse_source


@dataclass(frozen=True, slots=True)
class PlannedSlide:
    """One slide as it is before it is opened.

    spacing_um_per_px: as the user gave it, else None; recipe: hash of how its bag is made; record: its record in the
    archive, if it is there.
    """

    source: SlideSource
    slide_id: str
    file_fingerprint: str
    spacing_um_per_px: float | None
    recipe: str
    metadata: SlideMetadata
    record: SlideRecord | None


@dataclass(frozen=True, slots=True)
class IndexPlan:
    """Slides to encode, slides whose features are up to date, ids that a changed file leaves behind, and refusals."""

    encode: tuple[PlannedSlide, ...]
    current: tuple[PlannedSlide, ...]
    superseded: tuple[str, ...]
    refused: tuple[SlideRefusal, ...]


@dataclass(slots=True)
class Planner:
    """Sorts files into what is new, changed and unchanged.

    spacing_of: um/px as the user gave them, by name, path or pattern of paths ("*/scans/*.png");
    stems_are_ids: feature files are named by slide.
    """

    layout: ArchiveLayout
    recipe: Recipe
    records: Sequence[SlideRecord]
    metadata: Mapping[SlideSource, SlideMetadata]
    spacing_of: Mapping[str, float]
    stems_are_ids: bool = False
    _encode: list[PlannedSlide] = field(default_factory=list)
    _current: list[PlannedSlide] = field(default_factory=list)
    _refused: list[SlideRefusal] = field(default_factory=list)
    _placed: dict[str, SlideSource] = field(default_factory=dict)

    def plan(self, sources: Sequence[SlideSource], workers: int, reporter: Reporter) -> IndexPlan:
        """Fingerprint the slides and decide; those that can't be read are refused."""
        by_id = {record.slide_id: record for record in self.records}
        by_fingerprint = {record.file_fingerprint: record for record in self.records}
        for source, fingerprint in zip(sources, _take_fingerprints(sources, workers, reporter), strict=True):
            if isinstance(fingerprint, SlideError):
                self._refused.append(SlideRefusal.from_error(source.uri, fingerprint))
            else:
                self._place(source, fingerprint, by_id, by_fingerprint)
        superseded = self._list_superseded()
        return IndexPlan(tuple(self._encode), tuple(self._current), superseded, tuple(self._refused))

    def plan_tables(self) -> IndexPlan:
        """The archive's own slides with what tables say of them: nothing is opened, and ids stay."""
        current = []
        for record in self.records:
            source = parse_source(record.uri)
            metadata = replace(self.metadata[source], slide_id=None)
            spacing = record.spacing_um_per_px or None
            current.append(
                PlannedSlide(source, record.slide_id, record.file_fingerprint, spacing, "", metadata, record)
            )
        return IndexPlan((), tuple(current), (), ())

    def _place(
        self,
        source: SlideSource,
        file_fingerprint: str,
        by_id: Mapping[str, SlideRecord],
        by_print: Mapping[str, SlideRecord],
    ) -> None:
        metadata = self.metadata[source]
        same_content = by_print.get(file_fingerprint)
        slide_id = metadata.slide_id or (same_content.slide_id if same_content else None)
        slide_id = slide_id or (source.stem if self.stems_are_ids else derive_id(file_fingerprint))
        for key in (slide_id, file_fingerprint):
            if key in self._placed:
                error = DuplicateSlide(source.uri, self._placed[key].uri, key == slide_id)
                self._refused.append(SlideRefusal.from_error(source.uri, error))
                return
            self._placed[key] = source
        record = by_id.get(slide_id)
        spacing = self._find_spacing(source, metadata) or self._recall_spacing(record or same_content, file_fingerprint)
        recipe = self.recipe.fingerprint(spacing)
        slide = PlannedSlide(source, slide_id, file_fingerprint, spacing, recipe, metadata, record)
        (self._current if self._is_current(slide) else self._encode).append(slide)

    def _is_current(self, slide: PlannedSlide) -> bool:
        if slide.record is None or slide.record.file_fingerprint != slide.file_fingerprint:
            return False
        origin = load_origin(self.layout.bag(slide.slide_id))
        return origin is not None and origin.recipe == slide.recipe

    def _find_spacing(self, source: SlideSource, metadata: SlideMetadata) -> float | None:
        """As given for this very slide, else by a table, else by the first pattern that fits."""
        for key in (source.uri, source.name, source.stem):
            if key in self.spacing_of:
                return self.spacing_of[key]
        if metadata.spacing_um_per_px is not None:
            return metadata.spacing_um_per_px
        fitting = (um_per_px for pattern, um_per_px in self.spacing_of.items() if fnmatch(source.uri, pattern))
        return next(fitting, None)

    def _recall_spacing(self, record: SlideRecord | None, file_fingerprint: str) -> float | None:
        """As it was given when the archive took these very pixels."""
        origin = load_origin(self.layout.bag(record.slide_id)) if record else None
        if origin is None or origin.file_fingerprint != file_fingerprint:
            return None
        if origin.given_spacing_um_per_px is not None:
            return origin.given_spacing_um_per_px
        # Older bags say it by the hash of their recipe alone.
        was_given = origin.recipe == self.recipe.fingerprint(origin.slide_spacing_um_per_px)
        return origin.slide_spacing_um_per_px if was_given else None

    def _list_superseded(self) -> tuple[str, ...]:
        """Ids of records whose file now goes under another id."""
        planned = self._encode + self._current
        places = {slide.source.uri for slide in planned}
        contents = {slide.file_fingerprint for slide in planned}
        ids = {slide.slide_id for slide in planned}
        return tuple(
            record.slide_id
            for record in self.records
            if record.slide_id not in ids and (record.uri in places or record.file_fingerprint in contents)
        )


def derive_id(file_fingerprint: str) -> str:
    """The id of a slide that was given none: the first 16 hex digits of its content's fingerprint."""
    return file_fingerprint.rpartition("-")[2][:16]


def _take_fingerprints(sources: Sequence[SlideSource], workers: int, reporter: Reporter) -> list[str | SlideError]:
    def take(source: SlideSource) -> str | SlideError:
        try:
            return source.fingerprint()
        except SlideError as error:
            return error
        finally:
            part.advance()

    with reporter.part("reading fingerprints", len(sources)) as part, ThreadPoolExecutor(workers) as pool:
        return list(pool.map(take, sources))
