"""What an indexing run has to do, decided before any pixel is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from histoseek.archive.indexing.joining import SlideMetadata
from histoseek.archive.journal import Refusal
from histoseek.archive.layout import ArchiveLayout
from histoseek.archive.schema import SlideRecord
from histoseek.encoders.bag import load_origin
from histoseek.encoders.recipe import Recipe
from histoseek.errors import DuplicateSlide, SlideError
from histoseek.progress import Reporter
from histoseek.slides.fingerprint import fingerprint


@dataclass(frozen=True, slots=True)
class PlannedSlide:
    """One file with all that is known of it before it is opened.

    spacing_um_per_px: as the user gave it, else None; recipe: hash of how its bag is made; known: its record in the
    archive, if it is there.
    """

    path: Path
    slide_id: str
    file_fingerprint: str
    spacing_um_per_px: float | None
    recipe: str
    metadata: SlideMetadata
    known: SlideRecord | None


@dataclass(frozen=True, slots=True)
class IndexPlan:
    """Slides to encode, slides whose features are up to date, ids that a changed file leaves behind, and refusals."""

    encode: tuple[PlannedSlide, ...]
    current: tuple[PlannedSlide, ...]
    superseded: tuple[str, ...]
    refused: tuple[Refusal, ...]


@dataclass(slots=True)
class Planner:
    """Sorts files into what is new, changed and unchanged.

    spacing_of: um/px as the user gave them, by file name, path or pattern of paths ("*/scans/*.png");
    stems_are_ids: feature files are named by slide.
    """

    layout: ArchiveLayout
    recipe: Recipe
    records: Sequence[SlideRecord]
    metadata: Mapping[Path, SlideMetadata]
    spacing_of: Mapping[str, float]
    stems_are_ids: bool = False
    _encode: list[PlannedSlide] = field(default_factory=list)
    _current: list[PlannedSlide] = field(default_factory=list)
    _refused: list[Refusal] = field(default_factory=list)
    _taken: dict[str, Path] = field(default_factory=dict)

    def plan(self, files: Sequence[Path], workers: int, reporter: Reporter) -> IndexPlan:
        """Fingerprint the files and decide; files that can't be read are refused."""
        by_id = {record.slide_id: record for record in self.records}
        by_fingerprint = {record.file_fingerprint: record for record in self.records}
        for path, found in zip(files, _fingerprints(files, workers, reporter), strict=True):
            if isinstance(found, SlideError):
                self._refused.append(Refusal.of(path, found))
            else:
                self._place(path, found, by_id, by_fingerprint)
        superseded = self._superseded()
        return IndexPlan(tuple(self._encode), tuple(self._current), superseded, tuple(self._refused))

    def _place(
        self, path: Path, file_fingerprint: str, by_id: Mapping[str, SlideRecord], by_print: Mapping[str, SlideRecord]
    ) -> None:
        metadata = self.metadata[path]
        same_content = by_print.get(file_fingerprint)
        slide_id = metadata.slide_id or (same_content.slide_id if same_content else None)
        slide_id = slide_id or (path.stem if self.stems_are_ids else derived_id(file_fingerprint))
        for key in (slide_id, file_fingerprint):
            if key in self._taken:
                self._refused.append(Refusal.of(path, DuplicateSlide(path, self._taken[key], key == slide_id)))
                return
            self._taken[key] = path
        spacing = self._given_spacing(path, metadata)
        recipe = self.recipe.fingerprint(spacing)
        known = by_id.get(slide_id)
        slide = PlannedSlide(path, slide_id, file_fingerprint, spacing, recipe, metadata, known)
        (self._current if self._is_current(slide) else self._encode).append(slide)

    def _is_current(self, slide: PlannedSlide) -> bool:
        if slide.known is None or slide.known.file_fingerprint != slide.file_fingerprint:
            return False
        origin = load_origin(self.layout.bag(slide.slide_id))
        return origin is not None and origin.recipe == slide.recipe

    def _given_spacing(self, path: Path, metadata: SlideMetadata) -> float | None:
        """As given for this very file, else by a table, else by the first pattern that fits."""
        for key in (str(path), path.name, path.stem):
            if key in self.spacing_of:
                return self.spacing_of[key]
        if metadata.spacing_um_per_px is not None:
            return metadata.spacing_um_per_px
        fitting = (um_per_px for pattern, um_per_px in self.spacing_of.items() if fnmatch(str(path), pattern))
        return next(fitting, None)

    def _superseded(self) -> tuple[str, ...]:
        """Ids of records whose file now goes under another id."""
        planned = self._encode + self._current
        places = {str(slide.path) for slide in planned}
        contents = {slide.file_fingerprint for slide in planned}
        ids = {slide.slide_id for slide in planned}
        return tuple(
            record.slide_id
            for record in self.records
            if record.slide_id not in ids and (record.uri in places or record.file_fingerprint in contents)
        )


def derived_id(file_fingerprint: str) -> str:
    """The id of a slide that was given none: the first 16 hex digits of its content's fingerprint."""
    return file_fingerprint.rpartition("-")[2][:16]


def _fingerprints(files: Sequence[Path], workers: int, reporter: Reporter) -> list[str | SlideError]:
    def take(path: Path) -> str | SlideError:
        try:
            return fingerprint(path)
        except SlideError as error:
            return error
        finally:
            part.advance()

    with reporter.part("looking at files", len(files)) as part, ThreadPoolExecutor(workers) as pool:
        return list(pool.map(take, files))
