"""Uploaded slides in the space of an archive: encoded in the sandbox, once for each way that is asked for."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from weakref import WeakValueDictionary

from histoseek.archive.filters.expression import compare
from histoseek.encoders.bag import Bag, BagOrigin, load_bag, save_bag
from histoseek.encoders.recipe import Recipe
from histoseek.encoders.slide_bags import holds_tiles
from histoseek.encoders.tile.registry import find_tile_card
from histoseek.errors import HistoseekError, InputError, NoTissue
from histoseek.geometry import Rect, Size
from histoseek.search.queries import ArchivedSlide, EncodedSlide, ImageQuery, Region
from histoseek.server.archives.registry import ArchiveEntry
from histoseek.server.errors import NotFound
from histoseek.server.uploads.messages import OnProgress, ignore_progress
from histoseek.server.uploads.sandbox import Sandbox
from histoseek.server.uploads.upload_store import StoredUpload, UploadStore
from histoseek.slides.sources.file import FileSource


@dataclass(frozen=True, slots=True)
class Encodings:
    """Bags of uploads, kept beside them; the same bag is never made twice at a time."""

    sandbox: Sandbox
    _locks: WeakValueDictionary[Path, threading.Lock] = field(default_factory=WeakValueDictionary)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def get_bag(
        self,
        upload: StoredUpload,
        recipe: Recipe,
        regions: Sequence[Rect] = (),
        spacing_um_per_px: float | None = None,
        on_progress: OnProgress = ignore_progress,
    ) -> Bag:
        """The bag of an upload, or of its regions in level-0 px; raises SlideError, SandboxFailure, NotFound."""
        parts = (recipe.fingerprint(None), [str(rect) for rect in regions], spacing_um_per_px)
        key = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]
        path = upload.folder / f"bag-{key}.safetensors"
        with self._lock_path(path), _report_deletion(upload):
            if not path.is_file():
                bag = self.sandbox.encode(upload.path, recipe, spacing_um_per_px, regions, on_progress, upload.name)
                _require_present(upload)
                save_bag(bag, BagOrigin("", key, 0, 0, spacing_um_per_px or 0), path)
            return load_bag(path)

    @contextmanager
    def _lock_path(self, path: Path) -> Iterator[None]:
        with self._guard:
            lock = self._locks.setdefault(path, threading.Lock())
        with lock:
            yield


@dataclass(frozen=True, slots=True)
class UploadQueries:
    """The uploads of one owner, as queries to one archive."""

    store: UploadStore
    encodings: Encodings
    entry: ArchiveEntry
    owner: str

    def encode_slide(self, upload_id: str, patient_id: str | None) -> EncodedSlide | ArchivedSlide:
        """A whole slide; the archive's own where it has this very file. Raises NotFound, SlideError."""
        upload = self.get_upload(upload_id)
        archived_id = self.find_archived(upload)
        if archived_id:
            return ArchivedSlide(archived_id, patient_id)
        spacing = _require_spacing(upload)
        bag, context = self.encode_whole_slide(upload), self._encode_context(upload, (), spacing)
        return EncodedSlide(bag, upload.name, spacing, patient_id, context=context)

    def encode_whole_slide(self, upload: StoredUpload, on_progress: OnProgress = ignore_progress) -> Bag:
        """The bag of a whole slide; raises SlideError, InputError without a spacing, SandboxFailure."""
        return self.encodings.get_bag(upload, self.entry.archive.recipe, (), _require_spacing(upload), on_progress)

    def encode_regions(self, upload_id: str, patient_id: str | None, boxes: Sequence[Rect], unit: str) -> ImageQuery:
        """Regions of a slide, in level-0 px or um; raises NotFound, SlideError."""
        upload = self.get_upload(upload_id)
        archived_id = self.find_archived(upload)
        if archived_id:
            return Region(ArchivedSlide(archived_id, patient_id), tuple(boxes), "um" if unit == "um" else "px")
        spacing = _require_spacing(upload)
        rects = tuple(_to_pixels(box, spacing) if unit == "um" else box for box in boxes)
        bag = self.encodings.get_bag(upload, self.entry.archive.recipe, rects, upload.spacing_um_per_px)
        context = self._encode_context(upload, rects, spacing)
        return EncodedSlide(bag, upload.name, spacing, patient_id, rects, context=context)

    def encode_picture(self, upload_id: str, patient_id: str | None, spacing_um_per_px: float) -> EncodedSlide:
        """A picture of tissue of this spacing; raises NotFound, SlideError."""
        upload = self.get_upload(upload_id)
        bag = self.encodings.get_bag(upload, self.entry.archive.recipe, (), spacing_um_per_px)
        content = _compute_fingerprint(upload)
        context = self._encode_context(upload, (), spacing_um_per_px)
        return EncodedSlide(
            bag, upload.name, spacing_um_per_px, patient_id, picture=True, file_fingerprint=content, context=context
        )

    def _encode_context(self, upload: StoredUpload, regions: tuple[Rect, ...], spacing_um_per_px: float) -> Bag | None:
        """The bag at the archive's coarser spacing, None where it has none, or the slide or a region is too small."""
        recipe, facts = self.entry.archive.recipe.context, upload.facts
        if recipe is None or facts is None:
            return None
        edge_px = find_tile_card(recipe.encoder).tile_px
        if not holds_tiles(Size(facts.width, facts.height), regions, recipe, edge_px, spacing_um_per_px):
            return None
        with suppress(NoTissue):
            return self.encodings.get_bag(upload, recipe, regions, spacing_um_per_px)
        return None

    def get_upload(self, upload_id: str) -> StoredUpload:
        """An upload of the owner's; raises NotFound, and InputError for an archive that takes no slides."""
        if self.entry.archive.recipe.imported:
            what = "was made from feature files: slides can't be encoded for it"
            raise InputError("archive", what, "Search with its own slides, or with text")
        return self.store.get(upload_id, self.owner)

    def find_archived(self, upload: StoredUpload) -> str | None:
        """The id of the archive's slide with this very content."""
        same = compare("file_fingerprint", "=", _compute_fingerprint(upload))
        records = self.entry.archive.records(same, limit=1)
        return records[0].slide_id if records else None


def _require_present(upload: StoredUpload) -> None:
    """Raise NotFound when an upload was deleted meanwhile: nothing more is to be kept of it."""
    if not upload.path.exists():
        raise NotFound("upload", "it was deleted in the meantime", "Upload it again")


def _compute_fingerprint(upload: StoredUpload) -> str:
    with _report_deletion(upload):
        return FileSource(upload.path).fingerprint()


@contextmanager
def _report_deletion(upload: StoredUpload) -> Iterator[None]:
    """Let errors of the block be those of an upload that is there."""
    try:
        yield
    except HistoseekError:
        _require_present(upload)
        raise


def _require_spacing(upload: StoredUpload) -> float:
    if upload.spacing_um_per_px is None:
        advice = "Give the spacing when you upload it, or search with it as a picture of known spacing"
        raise InputError(upload.name, "does not state its spacing (µm/px)", advice)
    return upload.spacing_um_per_px


def _to_pixels(rect: Rect, spacing_um_per_px: float) -> Rect:
    return Rect(*(round(um / spacing_um_per_px) for um in (rect.x, rect.y, rect.width, rect.height)))
