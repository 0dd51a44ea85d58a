"""The archive: slides with their signatures and metadata, in one embedding space, safe to kill at any moment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from histoseek.archive.journal import Journal
from histoseek.archive.layout import ArchiveLayout
from histoseek.archive.lock import writer_lock
from histoseek.archive.manifest import (
    Manifest,
    centre_hash,
    new_manifest,
    read_centre,
    read_manifest,
    write_centre,
    write_manifest,
)
from histoseek.archive.schema import MetadataValue, SlideRecord, StoredSlide
from histoseek.archive.signing import BagMean, Signer, fit_centre, space_of
from histoseek.archive.stores.base import Store, StoreStats
from histoseek.encoders.bag import sidecar_path
from histoseek.encoders.recipe import Recipe
from histoseek.encoders.registry import encoder_card
from histoseek.encoders.space import EmbeddingSpace
from histoseek.errors import ArchiveError, ArchiveNotFound, SpaceMismatch, UnknownSlide
from histoseek.files import as_archive_errors


@dataclass(frozen=True, slots=True)
class ArchiveStats:
    """How large an archive is; bytes are those on disk."""

    slides: int
    patients: int
    cases: int
    tiles: int
    store: StoreStats | None
    bag_bytes: int


class Archive:
    """One folder that holds an archive. Readers need no lock; writers take turns.

    Open with `Archive.open` or `Archive.create`; both take the folder.
    """

    def __init__(self, layout: ArchiveLayout, manifest: Manifest) -> None:
        self.layout = layout
        self.manifest = manifest

    @classmethod
    def create(cls, path: Path | str, recipe: Recipe | None = None) -> Archive:
        """Make a new, empty archive; raises ArchiveError when there is one already, or other files."""
        layout, recipe = ArchiveLayout(Path(path)), recipe or Recipe()
        if not recipe.imported:
            encoder_card(recipe.encoder).check_spacing(recipe.spacing_um_per_px)
        if not _empty(layout):
            raise ArchiveError(str(path), "exists already and is not empty", "Choose another folder")
        with as_archive_errors(layout.root):
            layout.root.mkdir(parents=True, exist_ok=True)
        manifest = new_manifest(recipe)
        write_manifest(layout, manifest)
        return cls(layout, manifest)

    @classmethod
    def open(cls, path: Path | str) -> Archive:
        """Open an archive; raises ArchiveNotFound or DamagedArchive."""
        layout = ArchiveLayout(Path(path))
        if not layout.root.is_dir():
            raise ArchiveNotFound(path)
        return cls(layout, read_manifest(layout))

    @property
    def path(self) -> Path:
        """Its folder."""
        return self.layout.root

    @property
    def recipe(self) -> Recipe:
        """How its slides become bags."""
        return self.manifest.recipe

    @property
    def space(self) -> EmbeddingSpace | None:
        """Its embedding space; None before the first slide is in."""
        return self.manifest.space

    def __len__(self) -> int:
        return self.store.count(None) if self.space else 0

    @cached_property
    def store(self) -> Store:
        """The store; raises ArchiveError while the archive is empty."""
        from histoseek.archive.stores.lance import LanceStore

        if self.space is None:
            raise ArchiveError(str(self.path), "the archive is empty", "Index some slides first")
        return LanceStore.open(self.layout.store, self.space.dimension)

    @cached_property
    def signer(self) -> Signer:
        """What makes signatures in this archive's space."""
        if self.space is None:
            raise ArchiveError(str(self.path), "the archive is empty", "Index some slides first")
        weights = "" if self.recipe.imported else f"-{self.space.tile_encoder_weights}"
        return Signer(self.space.tile_encoder + weights, read_centre(self.layout, self.space.centre))

    def records(self, where: str | None = None, limit: int | None = None, offset: int = 0) -> list[SlideRecord]:
        """Records that satisfy an SQL filter, by slide id; raises BadFilter."""
        return self.store.records(where, limit, offset) if self.space else []

    def get(self, slide_id: str) -> StoredSlide:
        """One slide with its signature; raises UnknownSlide."""
        if self.space is None:
            raise UnknownSlide(slide_id)
        return self.store.get([slide_id])[0]

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the write lock, with what another writer did since the archive was opened taken in.

        Raises ArchiveBusy, ArchiveReadOnly.
        """
        with writer_lock(self.layout):
            self.manifest = read_manifest(self.layout)
            for cached in ("store", "signer"):
                self.__dict__.pop(cached, None)
            yield

    def update(self, slide_id: str, changes: Mapping[str, MetadataValue]) -> SlideRecord:
        """Change metadata of a slide; raises UnknownSlide, or BadTable for columns that can't be set."""
        with self.writing():
            self.get(slide_id)
            self.store.update_metadata(slide_id, changes)
            return self.get(slide_id).record

    def remove(self, slide_ids: Sequence[str]) -> None:
        """Take slides out with their cached features; raises UnknownSlide before anything is changed."""
        with self.writing():
            for slide_id in slide_ids:
                self.get(slide_id)
            self.drop(slide_ids)

    def stats(self) -> ArchiveStats:
        """Counts and sizes."""
        records = self.records()
        files = [path for path in self.layout.bags.rglob("*") if path.is_file()]
        return ArchiveStats(
            slides=len(records),
            patients=len({r.patient_id for r in records if r.patient_id}),
            cases=len({r.case_id for r in records if r.case_id}),
            tiles=sum(r.tile_count for r in records),
            store=self.store.stats() if self.space else None,
            bag_bytes=sum(path.stat().st_size for path in files),
        )

    def drop(self, slide_ids: Sequence[str]) -> None:
        """Take slides out while the write lock is held."""
        self.store.delete(slide_ids)
        for slide_id in slide_ids:
            bag = self.layout.bag(slide_id)
            sidecar_path(bag).unlink(missing_ok=True)
            bag.unlink(missing_ok=True)
        Journal(self.layout).removed(slide_ids)

    def use_recipe(self, recipe: Recipe) -> None:
        """Make bags differently from now on; the embedding space must stay the same.

        Raises SpaceMismatch for another encoder or spacing.
        """
        if not recipe.imported:
            encoder_card(recipe.encoder).check_spacing(recipe.spacing_um_per_px)
        for name, part in (("encoder", "tile encoder"), ("spacing_um_per_px", "spacing um per px")):
            mine, given = getattr(self.recipe, name), getattr(recipe, name)
            if mine != given:
                raise SpaceMismatch(str(self.path), part, str(mine), str(given))
        if recipe != self.recipe:
            with self.writing():
                self.manifest = replace(self.manifest, recipe=recipe)
                write_manifest(self.layout, self.manifest)

    def settle_space(self, means: Sequence[BagMean]) -> None:
        """Fix the embedding space from the first bags: the centre, then the empty store, then the manifest."""
        from histoseek.archive.stores.lance import LanceStore

        centre = fit_centre(means)
        edge_px = 0 if self.recipe.imported else encoder_card(self.recipe.encoder).input_px
        space = space_of(means[0].encoder, self.recipe, edge_px, len(centre), centre_hash(centre))
        write_centre(self.layout, centre)
        with as_archive_errors(self.path):
            self.store = LanceStore.create(self.layout.store, space.dimension)
        self.manifest = replace(self.manifest, space=space)
        write_manifest(self.layout, self.manifest)


def _empty(layout: ArchiveLayout) -> bool:
    """Whether an archive can be made here: nothing there, but for what a killed creation may have left."""
    if not layout.root.exists():
        return True
    leftover = f".{layout.manifest.name}."
    return layout.root.is_dir() and all(path.name.startswith(leftover) for path in layout.root.iterdir())
