"""What is open of an archive: one state of its manifest with what belongs to it, as it is now or as it was."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from histoseek.archive.calibration_file import Calibration, has_older_calibration, read_calibration
from histoseek.archive.fusion_file import ArchiveFusion, read_fusion
from histoseek.archive.graph_file import keep_graph
from histoseek.archive.layout import ArchiveLayout
from histoseek.archive.manifest import Manifest, read_manifest
from histoseek.archive.novelty_file import ArchiveNovelty, read_novelty
from histoseek.archive.reading_file import read_boilerplate
from histoseek.archive.side_files import list_warnings
from histoseek.archive.space.language import Language
from histoseek.archive.space.signing import Signer, build_signer
from histoseek.archive.space.word_space import WordSpace
from histoseek.archive.stores.registry import has_slides, open_slides
from histoseek.archive.stores.slides import SlideTable
from histoseek.archive.tuning_file import Tuning, read_tuning
from histoseek.encoders.embedding_space import EmbeddingSpace
from histoseek.errors import ArchiveError, ArchiveNotFound, DamagedArchive
from histoseek.files import FileState, read_file_state

T = TypeVar("T")

ArchiveMark = tuple[Hashable, ...]
"""What is equal only while nothing of an archive changes that an answer depends on: its content, its models, the files
beside its store."""


@dataclass(eq=False)
class SpaceModels:
    """What an embedding space is made with, loaded when first asked for: an encoder may take seconds."""

    layout: ArchiveLayout
    manifest: Manifest

    @cached_property
    def signer(self) -> Signer:
        """What makes signatures in this space."""
        return build_signer(self.layout, require_space(self.layout, self.manifest), self.manifest.recipe)

    @cached_property
    def language(self) -> Language:
        """What ties its slides to texts."""
        return Language(self.layout, self.manifest.text_encoder, require_space(self.layout, self.manifest))

    @cached_property
    def words(self) -> WordSpace:
        """What brings its tiles and words into one space."""
        return WordSpace(self.layout, self.manifest.recipe)

    def serves(self, manifest: Manifest) -> bool:
        """Whether another manifest is of the same space."""
        mine, other = self.manifest, manifest
        parts = ((one.created, one.number, one.space, one.text_encoder, one.recipe.imported) for one in (mine, other))
        return next(parts) == next(parts)


@dataclass(eq=False)
class OpenSpace:
    """An archive's embedding space as one state of its manifest has it; the store is opened when first asked for.

    place: of the archive, whatever its space; state: of the manifest's file and the store's folder; stays: it shows one
    version of the store, whose mark may be `pin`, instead of what is newest; kept: what files said that lie beside the
    store, as far as it stays; process: that opened it, since what a parent has open is of no use to its child.
    """

    place: ArchiveLayout
    manifest: Manifest
    state: FileState
    models: SpaceModels
    stays: bool = False
    pin: str | None = None
    kept: dict[str, object] = field(default_factory=dict)
    process: int = field(default_factory=os.getpid)

    @classmethod
    def open(cls, place: ArchiveLayout, before: OpenSpace | None = None) -> OpenSpace:
        """As the manifest is now; models that were loaded before serve on where they are of the same space.

        Raises ArchiveNotFound, DamagedArchive.
        """
        place.refresh()
        state = read_manifest_state(place)
        manifest = read_manifest(place)
        layout = replace(place, number=manifest.number)
        state += read_store_state(layout)
        if before and before.process == os.getpid() and before.models.serves(manifest):
            return cls(place, manifest, state, before.models)
        return cls(place, manifest, state, SpaceModels(layout, manifest))

    @property
    def layout(self) -> ArchiveLayout:
        """Where its files lie."""
        return self.models.layout

    @property
    def space(self) -> EmbeddingSpace:
        """Raises ArchiveError while the archive is empty."""
        return require_space(self.layout, self.manifest)

    @cached_property
    def store(self) -> SlideTable:
        """The slides; raises ArchiveError while the archive is empty, OutdatedSnapshot where a pinned one is gone."""
        _ = self.space
        return open_slides(self.layout, self.pin)

    @property
    def calibration(self) -> Calibration | None:
        """What its distances mean; None also where the file is damaged."""
        return self._read("calibration", lambda: read_calibration(self.layout, self.space), None)

    @property
    def has_older_calibration(self) -> bool:
        """Whether there is one that says nothing of how its distance was fused."""
        return self._read("older calibration", lambda: has_older_calibration(self.layout), False)

    @property
    def fusion(self) -> ArchiveFusion | None:
        """How the parts of its distances are weighed; None also where the file is damaged."""
        return self._read("fusion", lambda: read_fusion(self.layout, self.space), None)

    @property
    def tuning(self) -> Tuning | None:
        """How it ranks slides for a slide; None also where the file is damaged."""
        return self._read("tuning", lambda: read_tuning(self.layout, self.space), None)

    @property
    def novelty(self) -> ArchiveNovelty | None:
        """What its tiles are like; None also where the file is damaged."""
        return self._read("novelty", lambda: read_novelty(self.layout, self.space), None)

    @property
    def boilerplate(self) -> frozenset[str]:
        """Pieces that its reports have in common, which are not read; none where the file is damaged."""
        return self._read("boilerplate", lambda: read_boilerplate(self.layout), frozenset())

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to know of a torn store and of damaged files beside it, one line each; raises DamagedArchive."""
        left_out = self.store.left_out if self.manifest.space else None
        none: tuple[str, ...] = ()
        beside = self._read("warnings", lambda: list_warnings(self.layout), none)
        return (left_out, *beside) if left_out else beside

    def keep_graph(self) -> None:
        """Bring the neighbour graph up to date, where neighbours have a say; the write lock must be held.

        Raises ArchiveReadOnly, DiskFull.
        """
        if self.manifest.space is not None:
            keep_graph(self.layout, self.store.snapshot(), self.tuning)

    def view(self) -> OpenSpace:
        """The same as it is now, staying so: for reads that belong together."""
        view = OpenSpace(self.place, self.manifest, self.state, self.models, stays=True, process=self.process)
        if self.manifest.space is not None:
            view.__dict__["store"] = self.store.snapshot()
        return view

    def keep(self) -> None:
        """Let what stays be on its own, with the files beside the store as they are now."""
        if self.manifest.space is None:
            return
        self.__dict__["store"] = self.store.keep()
        self.pin = self.store.mark
        for part in ("calibration", "has_older_calibration", "fusion", "tuning", "novelty", "boilerplate", "warnings"):
            getattr(self, part)

    def reopen(self) -> OpenSpace:
        """The same for another process, which this one may be by now: nothing is open yet."""
        models = SpaceModels(self.layout, self.manifest)
        return OpenSpace(self.place, self.manifest, self.state, models, self.stays, self.pin, self.kept)

    def read_mark(self) -> ArchiveMark:
        """What tells what is open now from any other state of it; raises ArchiveError."""
        if self.manifest.space is None:
            return self.state
        return *self.state, self.store.version, *_list_files(self.layout.space)

    @property
    def is_current(self) -> bool:
        """Whether manifest and store are as this process opened them; raises ArchiveNotFound, DamagedArchive."""
        self.layout.refresh()
        state = read_manifest_state(self.layout) + read_store_state(self.layout)
        return state == self.state and self.process == os.getpid()

    @property
    def is_gone(self) -> bool:
        """Whether its files are there no longer: the archive was moved, or re-encoded so long ago that they went."""
        try:
            there = read_manifest(self.layout)
        except ArchiveError:
            return True
        return there.created != self.manifest.created or (self.manifest.space is not None and not self._has_store())

    def _has_store(self) -> bool:
        """Whether its store is there, with the pinned version where one is."""
        if self.pin is None:
            return has_slides(self.layout)
        try:
            open_slides(self.layout, self.pin)
        except ArchiveError:
            return False
        return True

    def _read(self, name: str, read: Callable[[], T], without: T) -> T:
        """What a file beside the store says; without: it is damaged, and what it serves is switched off."""
        if self.stays and name in self.kept:
            return self.kept[name]  # type: ignore[return-value]
        try:
            value = read()
        except DamagedArchive:
            value = without
        if self.stays:
            self.kept[name] = value
        return value


def _list_files(folder: Path) -> Iterator[tuple[str, int, int, int]]:
    """The files in a folder, by name, as they are now; raises OSError."""
    with os.scandir(folder) as entries:
        files = sorted((entry.name, entry.stat()) for entry in entries if entry.is_file(follow_symlinks=False))
    yield from ((name, state.st_ino, state.st_size, state.st_mtime_ns) for name, state in files)


def require_space(layout: ArchiveLayout, manifest: Manifest) -> EmbeddingSpace:
    """The space of an archive; raises ArchiveError while it is empty."""
    if manifest.space is None:
        raise ArchiveError(layout.name, "the archive is empty", "Index some slides first")
    return manifest.space


def read_manifest_state(layout: ArchiveLayout) -> FileState:
    """What tells one manifest from the next without reading it; raises ArchiveNotFound, DamagedArchive."""
    try:
        return read_file_state(layout.manifest)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ArchiveNotFound(layout.name) from error
    except OSError as error:
        raise DamagedArchive(layout.manifest, "not a readable manifest") from error


def read_store_state(layout: ArchiveLayout) -> FileState:
    """What tells a store from one that took its place: commits leave the folder itself as it is. () where none is, and
    of servers, which tell by themselves."""
    if layout.address:
        return ()
    try:
        return read_file_state(layout.store)
    except OSError:
        return ()
