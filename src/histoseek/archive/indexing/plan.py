"""What an indexing run has to do, decided before any pixel is read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch

from histoseek.archive.bags import BagStore
from histoseek.archive.indexing.metadata_join import SlideMetadata
from histoseek.archive.indexing.slide_ids import LONGEST_GIVEN_ID, UnnamedSlide, assign_ids
from histoseek.archive.journal import SlideRefusal
from histoseek.archive.layout import ArchiveLayout
from histoseek.archive.schema import SlideRecord, is_storable
from histoseek.arguments import settle
from histoseek.encoders.bag import BagOrigin
from histoseek.encoders.recipe import Recipe
from histoseek.errors import DuplicateSlide, SlideError, UnreadableSlide, UnstorableSlide
from histoseek.progress import Reporter
from histoseek.slides.sources.base import SlideSource
from histoseek.slides.sources.registry import parse_source
from histoseek.unicode import make_printable


@dataclass(frozen=True, slots=True)
class PlannedSlide:
    """One slide as it is before it is opened.

    spacing_um_per_px: as the user gave it, else None; recipe: hash of how its bag is made; record: its record in the
    archive, if it is there; context_recipe: hash of how its bag at the coarser spacing is made, None without one.
    """

    source: SlideSource
    slide_id: str
    file_fingerprint: str
    spacing_um_per_px: float | None
    recipe: str
    metadata: SlideMetadata
    record: SlideRecord | None
    context_recipe: str | None = None


@dataclass(frozen=True, slots=True)
class IndexPlan:
    """Slides to encode, slides whose features are up to date, ids that are left behind, each with the address of the
    slide that goes under another one now, and refusals."""

    encode: tuple[PlannedSlide, ...]
    current: tuple[PlannedSlide, ...]
    superseded: Mapping[str, str]
    refused: tuple[SlideRefusal, ...]


@dataclass(slots=True)
class Planner:
    """Sorts files into what is new, changed and unchanged.

    spacing_of: um/px as the user gave them, by name, path or pattern of paths ("*/scans/*.png");
    stems_are_ids: feature files are named by slide; private: slides whose files' names must not become ids.
    """

    layout: ArchiveLayout
    recipe: Recipe
    records: Sequence[SlideRecord]
    metadata: Mapping[SlideSource, SlideMetadata]
    spacing_of: Mapping[str, float]
    stems_are_ids: bool = False
    private: Collection[SlideSource] = ()
    _encode: list[PlannedSlide] = field(default_factory=list)
    _current: list[PlannedSlide] = field(default_factory=list)
    _refused: list[SlideRefusal] = field(default_factory=list)
    _placed: dict[str, SlideSource] = field(default_factory=dict)
    _origins: Mapping[str, BagOrigin | None] = field(default_factory=dict)

    def plan(self, fingerprints: Mapping[SlideSource, str | SlideError]) -> IndexPlan:
        """Decide about slides by the fingerprints of their content; those that can't be read are refused."""
        contents: dict[SlideSource, str] = {}
        for source, fingerprint in fingerprints.items():
            if isinstance(fingerprint, SlideError):
                self._refused.append(SlideRefusal.from_error(source.uri, fingerprint))
            else:
                contents[source] = fingerprint
        by_id = {record.slide_id: record for record in self.records}
        ids = self._choose_ids(contents)
        in_order = sorted(contents, key=lambda one: (not _is_in_place(one, by_id.get(ids[one])), one.uri))
        by_content = {record.file_fingerprint: record for record in self.records}
        known = {by_content[content].slide_id for content in contents.values() if content in by_content}
        self._origins = BagStore(self.layout).load_origins(sorted(known | (set(ids.values()) & set(by_id))))
        for source in in_order:
            content = contents[source]
            spacing = self._find_spacing(source) or self._recall_spacing(by_content.get(content), content)
            self._place(source, ids[source], content, spacing, by_id.get(ids[source]))
        return IndexPlan(tuple(self._encode), tuple(self._current), self._find_superseded(), tuple(self._refused))

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
        return IndexPlan((), tuple(current), {}, ())

    def _choose_ids(self, contents: Mapping[SlideSource, str]) -> Mapping[SlideSource, str]:
        """The id of each slide: given by a table, else that of the archive's slide of this content, else of its slide
        in this place whose content is nowhere else now (it was scanned anew), else made of the file's name."""
        by_content = {record.file_fingerprint: record.slide_id for record in self.records}
        present = set(contents.values())
        given = {source: metadata.slide_id for source, metadata in self.metadata.items() if metadata.slide_id}
        in_place = {
            record.uri: record.slide_id
            for record in self.records
            if record.file_fingerprint not in present and record.slide_id not in given.values()
        }
        ids = {
            source: given.get(source) or by_content.get(content) or in_place.get(source.uri)
            for source, content in contents.items()
        }
        chosen = {source: slide_id for source, slide_id in ids.items() if slide_id}
        unnamed = [source for source in contents if source not in chosen]
        if self.stems_are_ids:
            return {**chosen, **{source: source.stem for source in unnamed}}
        slides = {s: UnnamedSlide(s.stem, contents[s], s in self.private) for s in unnamed}
        taken = {*chosen.values(), *(record.slide_id for record in self.records)}
        made = assign_ids(set(slides.values()), taken)
        return {**chosen, **{source: made[slide] for source, slide in slides.items()}}

    def _place(
        self,
        source: SlideSource,
        slide_id: str,
        file_fingerprint: str,
        spacing: float | None,
        record: SlideRecord | None,
    ) -> None:
        if not is_storable(slide_id) or len(slide_id) > LONGEST_GIVEN_ID:
            error = UnstorableSlide(source.uri, f"a slide id of {len(slide_id):,} characters, or one that is no text")
            self._refused.append(SlideRefusal.from_error(source.uri, error))
            return
        for key in (file_fingerprint, slide_id):
            if key in self._placed:
                duplicate = DuplicateSlide(source.uri, self._placed[key].uri, key == slide_id)
                self._refused.append(SlideRefusal.from_error(source.uri, duplicate))
                return
        self._placed |= {file_fingerprint: source, slide_id: source}
        recipe = self.recipe.fingerprint(spacing)
        context = self.recipe.context.fingerprint(spacing) if self.recipe.context else None
        metadata = self.metadata[source]
        slide = PlannedSlide(source, slide_id, file_fingerprint, spacing, recipe, metadata, record, context)
        (self._current if self._is_current(slide) else self._encode).append(slide)

    def _is_current(self, slide: PlannedSlide) -> bool:
        if slide.record is None or slide.record.file_fingerprint != slide.file_fingerprint:
            return False
        origin = self._origins.get(slide.slide_id)
        return origin is not None and origin.recipe == slide.recipe and is_context_current(self.layout, slide)

    def _find_spacing(self, source: SlideSource) -> float | None:
        """As given for this very slide, else by a table, else by the first pattern that fits."""
        metadata = self.metadata[source]
        for key in _list_names(source):
            if key in self.spacing_of:
                return self.spacing_of[key]
        if metadata.spacing_um_per_px is not None:
            return metadata.spacing_um_per_px
        fitting = (um_per_px for pattern, um_per_px in self.spacing_of.items() if _fits(source, pattern))
        return next(fitting, None)

    def _recall_spacing(self, record: SlideRecord | None, file_fingerprint: str) -> float | None:
        """As it was given when the archive took these very pixels."""
        origin = self._origins.get(record.slide_id) if record else None
        if origin is None or origin.file_fingerprint != file_fingerprint:
            return None
        if origin.given_spacing_um_per_px is not None:
            return origin.given_spacing_um_per_px
        # Older bags say it by the hash of their recipe alone.
        spacing = origin.slide_spacing_um_per_px
        was_given = origin.recipe in (self.recipe.fingerprint(spacing), self.recipe.fingerprint(spacing, 1))
        return origin.slide_spacing_um_per_px if was_given else None

    def _find_superseded(self) -> Mapping[str, str]:
        """Ids of records whose file now goes under another id, with its address."""
        planned = self._encode + self._current
        places = {slide.source.uri: slide.source.uri for slide in planned}
        contents = {slide.file_fingerprint: slide.source.uri for slide in planned}
        ids = {slide.slide_id for slide in planned}
        successors = {
            record.slide_id: places.get(record.uri) or contents.get(record.file_fingerprint) for record in self.records
        }
        return {slide_id: uri for slide_id, uri in successors.items() if uri and slide_id not in ids}


def is_context_current(layout: ArchiveLayout, slide: PlannedSlide) -> bool:
    """Whether a slide has the bag that it should have at the coarser spacing, or the note that it has none there."""
    if slide.context_recipe is None:
        return True
    origin = BagStore(layout).load_context_origin(slide.slide_id)
    wanted = slide.file_fingerprint, slide.context_recipe
    return origin is not None and (origin.file_fingerprint, origin.recipe) == wanted


def _is_in_place(source: SlideSource, record: SlideRecord | None) -> bool:
    """Whether a record is of this very file: of several with its content, it stays the one that counts."""
    return record is not None and record.uri == source.uri


def list_unused_spacings(spacing_of: Mapping[str, float], sources: Sequence[SlideSource]) -> tuple[str, ...]:
    """Warnings of given spacings whose name or pattern fits no file: a slide may have another one than was meant."""
    names = {name for source in sources for name in _list_names(source)}
    unused = [key for key in spacing_of if key not in names and not any(_fits(source, key) for source in sources)]
    return tuple(f"--spacing-of {key}: no such file is among the slides" for key in unused)


def _list_names(source: SlideSource) -> tuple[str, ...]:
    return source.uri, source.name, source.stem


def _fits(source: SlideSource, pattern: str) -> bool:
    """Whether a pattern fits a slide's path, or without a folder in it its name."""
    return fnmatch(source.uri, pattern) or ("/" not in pattern and fnmatch(source.name, pattern))


def count_outdated(layout: ArchiveLayout, recipe: Recipe, records: Sequence[SlideRecord]) -> int:
    """How many slides have features that the recipe would not make today, so that `index` would encode them again."""

    origins = BagStore(layout).load_origins([record.slide_id for record in records])

    def is_outdated(record: SlideRecord) -> bool:
        origin = origins[record.slide_id]
        spacings = (None, record.spacing_um_per_px, origin.given_spacing_um_per_px if origin else None)
        return origin is None or origin.recipe not in {recipe.fingerprint(spacing) for spacing in spacings}

    return sum(map(is_outdated, records))


def take_fingerprints(
    sources: Sequence[SlideSource], workers: int, reporter: Reporter
) -> dict[SlideSource, str | SlideError]:
    """What identifies the content of each slide, or why it can't be read."""

    def take(source: SlideSource) -> str | SlideError:
        try:
            return source.fingerprint()
        except SlideError as error:
            return error
        except Exception as error:
            return UnreadableSlide(source.uri, f"unexpected {type(error).__name__}")
        finally:
            part.advance()

    with reporter.part("reading fingerprints", len(sources)) as part, ThreadPoolExecutor(workers) as pool:
        return dict(zip(sources, pool.map(take, sources), strict=True))


def name_spacings(spacing_of: Mapping[str, float]) -> dict[str, float]:
    """Spacings by names as slides are called, whatever bytes those of their files are."""
    return {
        make_printable(settle(name, str, "spacing_of")): settle(spacing, float, f"spacing of {name}")
        for name, spacing in spacing_of.items()
    }
