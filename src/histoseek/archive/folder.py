"""The archive: slides with their signatures and metadata, in one embedding space, safe to kill at any moment."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self, TypeVar

from histoseek.archive.bags import BagStore
from histoseek.archive.calibration_file import Calibration
from histoseek.archive.erasure.erase import bury, drop, erase
from histoseek.archive.erasure.pending import PendingErasure, read_pending
from histoseek.archive.filters.expression import Where, one_of
from histoseek.archive.fusion_file import ArchiveFusion
from histoseek.archive.journal import Journal
from histoseek.archive.layout import ArchiveLayout, hold_write_lock
from histoseek.archive.manifest import Manifest, create_manifest, write_manifest
from histoseek.archive.new_archive import require_spacings, settle_new_archive
from histoseek.archive.novelty_file import ArchiveNovelty
from histoseek.archive.opened import ArchiveMark, OpenSpace, SpaceModels
from histoseek.archive.remote.address import ArchiveAddress
from histoseek.archive.schema import (
    CONTEXT,
    SlideRecord,
    StoredSlide,
    is_storable,
    require_slide_id,
    require_slide_ids,
)
from histoseek.archive.side_files import mend_side_files
from histoseek.archive.space.centre import BagMean, settle_context_centre
from histoseek.archive.space.language import Language
from histoseek.archive.space.new_space import make_space
from histoseek.archive.space.signing import Signer
from histoseek.archive.space.word_space import WordSpace
from histoseek.archive.stores.base import StoreStats
from histoseek.archive.stores.registry import create_slides, repair_slides
from histoseek.archive.stores.slides import SlideTable
from histoseek.archive.tuning_file import Tuning
from histoseek.arguments import settle_count
from histoseek.encoders.embedding_space import EmbeddingSpace
from histoseek.encoders.recipe import Recipe
from histoseek.encoders.slide.own import OwnSlideEncoder
from histoseek.encoders.text.own import OwnTextEncoder
from histoseek.encoders.tile.own import OwnTileEncoder
from histoseek.encoders.weights import Weights, load_card, save_weights
from histoseek.errors import (
    ArchiveError,
    ArchiveNotFound,
    DamagedArchive,
    HistoseekError,
    InputError,
    OutdatedSnapshot,
    SpaceMismatch,
    UnknownSlide,
)
from histoseek.files import as_archive_errors, make_folder
from histoseek.reports.privacy.person_names import make_patient_key

_TRIES = 3
"""How often a read begins anew when what it reads is removed in its midst."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ArchiveStats:
    """How large an archive is; bytes are those on disk; pending_erasure: of slides that were removed or replaced."""

    slides: int
    patients: int
    cases: int
    tiles: int
    store: StoreStats | None
    bag_bytes: int
    pending_erasure: PendingErasure | None = None


class ArchiveFolder:
    """One folder that holds an archive. Readers need no lock; writers take turns.

    Open with `open` or `create`; both take the folder. Each read sees the archive as it is at that moment, whatever
    other processes have done to it; reads that belong together go through `read`, or through a `snapshot`.
    """

    place: ArchiveLayout
    _opened: OpenSpace | None
    repaired: str | None = None

    def __init__(self, *arguments: object, **_: object) -> None:
        name, path = type(self).__name__, repr(str(arguments[0])) if arguments else "PATH"
        raise InputError(name, "is not made by calling it", f"Use {name}.open({path}), or {name}.create for a new one")

    @classmethod
    def _make(cls, place: ArchiveLayout, opened: OpenSpace | None) -> Self:
        """opened: None where it is to be opened when it is first read."""
        archive = cls.__new__(cls)
        archive.place = place
        archive._opened = opened
        return archive

    @classmethod
    def create(
        cls,
        path: Path | str,
        recipe: Recipe | None = None,
        *,
        weights: Weights | None = None,
        text_encoder: str | OwnTextEncoder | None = None,
        encoder: str | OwnTileEncoder | None = None,
        slide_encoder: str | OwnSlideEncoder | None = None,
    ) -> Self:
        """Make a new, empty archive, with trained weights or without.

        text_encoder: for reports, or "none"; by default the weights', or else `minilm`; encoder: of tiles, in place of
        the recipe's; slide_encoder: one's own, or of vectors that another tool made, not with weights. Raises
        ArchiveError when there is one already, or other files; UnknownEncoder; ConfigurationError; SpaceMismatch for
        weights that were trained on other features.
        """
        address = ArchiveAddress.parse(path)
        new = settle_new_archive(recipe, weights, encoder, slide_encoder, text_encoder)
        layout = ArchiveLayout.of(address)
        with layout.copy.writing() if layout.copy else nullcontext():
            if not layout.is_free:
                raise ArchiveError(layout.name, "exists already and is not empty", "Choose another folder")
            with as_archive_errors(layout.root):
                make_folder(layout.root)
                if new.weights:
                    save_weights(new.weights, layout.weights)
            write_manifest(layout, create_manifest(new.recipe, new.slide_encoder, new.text_encoder))
        return cls._make(layout, OpenSpace.open(layout))

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Open an archive; raises ArchiveNotFound, DamagedArchive, ConfigurationError for an address of no store."""
        layout = ArchiveLayout.of(ArchiveAddress.parse(path))
        if not (layout.exists if layout.copy else layout.root.is_dir()):
            raise ArchiveNotFound(layout.name)
        return cls._make(layout, OpenSpace.open(layout))

    @property
    def path(self) -> Path:
        """The folder where its files are worked with on this machine: of an archive in a folder that itself."""
        return self.place.root

    @property
    def short_name(self) -> str:
        """The last part of its address."""
        return self.place.short_name

    @property
    def address(self) -> str:
        """Where it lies, as it may be shown: its folder, or its address on a server without a password."""
        return self.place.name

    @property
    def is_snapshot(self) -> bool:
        """Whether it stays as it was, and can only be read."""
        return self._opened is not None and self._opened.stays

    def snapshot(self) -> Self:
        """The archive as it is now, which stays so: for reads that belong together, however long they take.

        What it shows is kept for at least HISTOSEEK_HISTORY_MINUTES after others have changed the archive; once it is
        gone, reads raise OutdatedSnapshot. Other processes can be given it.
        """
        return self if self.is_snapshot else self.read(lambda view: view._keep())

    def _keep(self) -> Self:
        self._now().keep()
        return self

    def read(self, do: Callable[[Self], T]) -> T:
        """Do reads that belong together on one state of the archive; anew where that goes while they last.

        Raises ArchiveNotFound where the archive is no longer there, OutdatedSnapshot where a snapshot's state is not.
        """
        tries = 1 if self.is_snapshot else _TRIES
        while True:
            opened = self._now()
            try:
                return do(self if opened.stays else self._make(self.place, opened.view()))
            except (HistoseekError, OSError) as error:
                is_outdated = isinstance(error, OutdatedSnapshot) or (
                    not isinstance(error, InputError) and opened.is_gone
                )
                # Its store may have been replaced from a backup, of which its manifest says nothing.
                is_replaced = isinstance(error, DamagedArchive) and tries == _TRIES
                if not (is_outdated or is_replaced):
                    raise
                tries -= 1
                if not tries:
                    raise OutdatedSnapshot(self.address) from error
            self._opened = OpenSpace.open(self.place, None if is_replaced else opened)

    def _now(self) -> OpenSpace:
        """What is open of the archive, opened anew where others have changed it as a whole."""
        opened = self._opened
        if opened is not None and opened.stays:
            return opened if opened.process == os.getpid() else self._reopen(opened)
        if opened is None or not opened.is_current:
            opened = self._opened = OpenSpace.open(self.place, opened)
        return opened

    def _reopen(self, opened: OpenSpace) -> OpenSpace:
        reopened = self._opened = opened.reopen()
        return reopened

    @property
    def manifest(self) -> Manifest:
        """What it is: format, recipe, embedding space."""
        return self._now().manifest

    @property
    def layout(self) -> ArchiveLayout:
        """Where its files lie."""
        return self._now().layout

    @property
    def bags(self) -> BagStore:
        """The tile features of its slides."""
        return BagStore(self.layout)

    @property
    def recipe(self) -> Recipe:
        """How its slides become bags."""
        return self._now().manifest.recipe

    @property
    def space(self) -> EmbeddingSpace | None:
        """Its embedding space; None before the first slide is in."""
        return self._now().manifest.space

    @property
    def store(self) -> SlideTable:
        """The store; raises ArchiveError while the archive is empty."""
        return self._now().store

    @property
    def signer(self) -> Signer:
        """What makes signatures in this archive's space; raises DamagedArchive, OutdatedSnapshot."""
        return self._load(lambda models: models.signer)

    @property
    def language(self) -> Language:
        """What ties its slides to texts."""
        return self._load(lambda models: models.language)

    @property
    def words(self) -> WordSpace:
        """What brings its tiles and words into one space, where its tile encoder has words."""
        return self._load(lambda models: models.words)

    def _load(self, load: Callable[[SpaceModels], T]) -> T:
        opened = self._now()
        try:
            return load(opened.models)
        except (HistoseekError, OSError) as error:
            if opened.stays and opened.is_gone:
                raise OutdatedSnapshot(self.address) from error
            raise

    @property
    def calibration(self) -> Calibration | None:
        """What its distances mean; None where that was not learned in this space, or the file is damaged."""
        return self._now().calibration

    @property
    def has_older_calibration(self) -> bool:
        """Whether there is one of an older histoseek, which is no longer used."""
        return self._now().has_older_calibration

    @property
    def fusion(self) -> ArchiveFusion | None:
        """How the parts of its distances are weighed; None for the stated weights, or where the file is damaged."""
        return self._now().fusion

    @property
    def tuning(self) -> Tuning | None:
        """How it ranks slides for a slide, as `histoseek tune` found best; None where that was not done in this space,
        or the file is damaged."""
        return self._now().tuning

    @property
    def novelty(self) -> ArchiveNovelty | None:
        """What its tiles are like; None where that was not learned for them, or the file is damaged."""
        return self._now().novelty

    @property
    def boilerplate(self) -> frozenset[str]:
        """Pieces that its reports have in common, which are not read; none where the file is damaged."""
        return self._now().boilerplate

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to know of its files, one line each: those that are damaged, what is switched off, what to do."""
        return (*([self.repaired] if self.repaired else []), *self._now().warnings)

    def require_space(self) -> EmbeddingSpace:
        """Its embedding space; raises ArchiveError while the archive is empty."""
        return self._now().space

    def read_mark(self) -> ArchiveMark:
        """What is equal only while nothing changes that answers depend on; raises ArchiveError, OSError."""
        return self._now().read_mark()

    def __len__(self) -> int:
        return self.read(lambda view: view.store.count(None) if view.space else 0)

    def __iter__(self) -> Iterator[SlideRecord]:
        """The records of all slides, by slide id, as they are when the iteration begins."""
        return iter(self.records())

    def __contains__(self, slide_id: object) -> bool:
        """Whether the archive has a slide of this id."""
        if not isinstance(slide_id, str) or not is_storable(slide_id):
            return False
        return self.read(lambda view: bool(view.space and view.store.count(one_of("slide_id", [slide_id]))))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing needs to be closed."""

    def __repr__(self) -> str:
        name = f"{type(self).__name__} {self.address!r}"
        try:
            space = self.space
            what = f"{len(self)} slides in {space.slide_encoder}" if space else "empty"
        except HistoseekError as error:
            what = error.what
        return f"<{'snapshot of ' if self.is_snapshot else ''}{name}: {what}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """It is opened anew where it is unpickled, once it is read there; a snapshot keeps to its version."""
        return _restore, (type(self), self.place, self._now().reopen() if self.is_snapshot else None)

    def records(self, where: Where = None, limit: int | None = None, offset: int = 0) -> list[SlideRecord]:
        """Records that satisfy a filter, by slide id; raises BadFilter."""
        limit = None if limit is None else settle_count(limit, "records limit", 0)
        offset = settle_count(offset, "records offset", 0)
        return self.read(lambda view: view.store.records(where, limit, offset) if view.space else [])

    def get(self, slide_id: str) -> StoredSlide:
        """One slide with its signature; raises UnknownSlide."""
        return self.read(lambda view: view._get(slide_id))

    def _get(self, slide_id: str) -> StoredSlide:
        require_slide_id(slide_id)
        if self.space is None:
            raise UnknownSlide(slide_id)
        return self.store.get([slide_id], checked=False)[0]

    @contextmanager
    def writing(self, *, erase_now: bool = False) -> Iterator[None]:
        """Hold the write lock, with damaged files beside the store put aside; at the end, what was removed or replaced
        is erased if it is due, or with erase_now.

        Raises ArchiveBusy, ArchiveReadOnly, and ArchiveError for a snapshot.
        """
        self.require_writable()
        with hold_write_lock(self.layout):
            mend_side_files(self.layout)
            self._repair()
            yield
            self._now().keep_graph()
            pending = self.pending_erasure
            if erase_now or (pending and pending.is_due):
                # What is merely due must not fail a command that did its own work: it goes on to wait.
                with nullcontext() if erase_now else suppress(ArchiveError, OSError):
                    erase(self.layout, self.store if self.space else None)

    def _repair(self) -> None:
        """Put the store in order where a crash left it torn; `warnings` says so from then on."""
        repaired = repair_slides(self.layout) if self.space else None
        if repaired:
            self.repaired, self._opened = repaired, OpenSpace.open(self.place, self._opened)
            Journal(self.layout).record_repair(repaired)

    def require_writable(self) -> None:
        """Raise ArchiveError for a snapshot."""
        if self.is_snapshot:
            raise ArchiveError(self.address, "a snapshot can only be read", "Change the archive that it was taken of")

    def refresh(self) -> None:
        """See that it is still there; raises ArchiveNotFound, DamagedArchive. Reads do so by themselves."""
        self._now()

    def remove(self, slide_ids: Sequence[str], *, now: bool = False) -> None:
        """Take slides out with their cached features; folders that are indexed later pass their files over.

        Their bytes are erased by the first command after HISTOSEEK_HISTORY_MINUTES, or with now=True before this
        returns, as `erase` does. Raises UnknownSlide before anything is changed.
        """
        ids = require_slide_ids(slide_ids)
        with self.writing(erase_now=now):
            records = [self.get(slide_id).record for slide_id in ids]
            if ids:
                bury(self.layout, records)
                drop(self.layout, self.store, ids)

    def stats(self) -> ArchiveStats:
        """Counts and sizes."""
        return self.read(lambda view: view._count())

    def _count(self) -> ArchiveStats:
        records = self.records()
        return ArchiveStats(
            slides=len(records),
            patients=len({make_patient_key(r.patient_id) for r in records if r.patient_id}),
            cases=len({r.case_id for r in records if r.case_id}),
            tiles=sum(r.tile_count for r in records),
            store=self.store.stats() if self.space else None,
            bag_bytes=self.bags.count_bytes(),
            pending_erasure=self.pending_erasure,
        )

    @property
    def pending_erasure(self) -> PendingErasure | None:
        """What of removed and replaced slides its files may still hold, None for nothing."""
        return read_pending(self.layout)

    def erase(self) -> None:
        """Leave no byte of removed and replaced slides in the folder; snapshots taken before become outdated.

        Raises ArchiveBusy, ArchiveReadOnly, DiskFull.
        """
        with self.writing(erase_now=True):
            pass

    def erase_due(self) -> None:
        """Erase what has waited for HISTOSEEK_HISTORY_MINUTES, unless another process writes or the disk refuses."""
        pending = self.pending_erasure
        if pending and pending.is_due and not self.is_snapshot:
            with suppress(ArchiveError, OSError), self.writing():
                pass

    def use_recipe(self, recipe: Recipe) -> None:
        """Make bags differently from now on, in the same embedding space; raises SpaceMismatch for another encoder or
        spacing, ArchiveError for a snapshot."""
        self.require_writable()
        require_spacings(recipe)
        for part, mine, other in self.recipe.list_other_spaces(recipe):
            raise SpaceMismatch(self.address, part, mine, other)
        if recipe != self.recipe:
            with self.writing():
                write_manifest(self.layout, replace(self.manifest, recipe=recipe))

    def require_encoders(self, weights: Weights | None, text_encoder: str | None) -> None:
        """Raise SpaceMismatch when the archive was made with other weights or another text encoder than are given."""
        trained = self.layout.weights.is_file()
        mine = load_card(self.layout.weights).fingerprint if trained else "none"
        if weights and weights.card.fingerprint != mine:
            raise SpaceMismatch(self.address, "slide encoder", self.manifest.slide_encoder, weights.card.name)
        if text_encoder not in (None, self.manifest.text_encoder):
            raise SpaceMismatch(self.address, "text encoder", self.manifest.text_encoder, str(text_encoder))

    def settle_space(self, means: Sequence[BagMean], contexts: Sequence[BagMean] = ()) -> None:
        """Fix the embedding space from the first bags: what its encoder needs, then the empty store, then the manifest.

        contexts: of the bags at the coarser spacing. Raises SpaceMismatch when the archive's weights take features of
        another dimension.
        """
        space = make_space(self.recipe, self.layout, self.manifest.slide_encoder, means)
        if self.recipe.context:
            weights = settle_context_centre(self.layout, means, contexts)
            spacing = self.recipe.context.spacing_um_per_px
            space = replace(space, context_spacing_um_per_px=spacing, context_centre=weights)
        with as_archive_errors(self.path):
            store = create_slides(self.layout, space.dimension, space.mosaic_dimension)
            if space.has_context:
                store.ensure_vectors({CONTEXT: len(means[0].vector)})
        write_manifest(self.layout, replace(self.manifest, space=space))

    def complete(self, slides: Sequence[StoredSlide]) -> list[StoredSlide]:
        """The slides with all vectors that tie them to language; the first report settles with what it is read, the
        first tiles which tower projects them.

        Raises EncoderError when the text encoder can't be loaded.
        """
        needs_texts = self.language.is_trained or any(slide.record.report for slide in slides)
        if needs_texts and not self.require_space().has_texts and self.manifest.text_encoder != "none":
            self._settle_texts()
        return self.words.complete(self.language.complete(slides), self.store)

    def _settle_texts(self) -> None:
        """Let reports have vectors from now on: columns first, then the manifest."""
        space = self.language.with_texts()
        self.store.ensure_vectors(replace(self.language, space=space).dimensions)
        write_manifest(self.layout, replace(self.manifest, space=space))


def _restore(kind: type[ArchiveFolder], place: ArchiveLayout, opened: OpenSpace | None) -> ArchiveFolder:
    """An archive that was pickled."""
    return kind._make(place, opened)
