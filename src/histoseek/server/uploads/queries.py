"""Uploaded slides in the space of an archive: encoded in the sandbox, once for each way that is asked for."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from weakref import WeakValueDictionary

from histoseek.archive.stores.sql import quoted
from histoseek.encoders.bag import Bag, BagOrigin, load_bag, save_bag
from histoseek.encoders.recipe import Recipe
from histoseek.errors import HistoseekError, InputError
from histoseek.geometry import Rect
from histoseek.search.queries import ArchivedSlide, EncodedSlide, ImageQuery, Region
from histoseek.server.archives.served import ServedArchive
from histoseek.server.errors import NotThere
from histoseek.server.uploads.sandbox import Sandbox
from histoseek.server.uploads.store import StoredUpload, UploadStore
from histoseek.slides.sources.file import FileSource

Told = Callable[[int, int | None], None]
"""Is told how many tiles are done, and of how many."""


def untold(done: int, total: int | None) -> None:
    """Nobody wants to know."""


@dataclass(frozen=True, slots=True)
class Encodings:
    """Bags of uploads, kept beside them; the same bag is never made twice at a time."""

    sandbox: Sandbox
    _making: WeakValueDictionary[Path, threading.Lock] = field(default_factory=WeakValueDictionary)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def bag(
        self,
        upload: StoredUpload,
        recipe: Recipe,
        regions: Sequence[Rect] = (),
        spacing_um_per_px: float | None = None,
        told: Told = untold,
    ) -> Bag:
        """The bag of an upload, or of its regions in level-0 px; raises SlideError, SandboxFailure, NotThere."""
        parts = (asdict(recipe), [str(rect) for rect in regions], spacing_um_per_px)
        key = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]
        path = upload.folder / f"bag-{key}.safetensors"
        with self._alone(path), _still_there(upload):
            if not path.is_file():
                bag = self.sandbox.encode(upload.path, recipe, spacing_um_per_px, regions, told, upload.name)
                _require(upload)
                save_bag(bag, BagOrigin("", key, 0, 0, spacing_um_per_px or 0), path)
            return load_bag(path)

    @contextmanager
    def _alone(self, path: Path) -> Iterator[None]:
        with self._guard:
            lock = self._making.setdefault(path, threading.Lock())
        with lock:
            yield


@dataclass(frozen=True, slots=True)
class AskedUploads:
    """The uploads of one owner, as queries to one archive."""

    store: UploadStore
    encodings: Encodings
    served: ServedArchive
    owner: str

    def slide(self, upload_id: str, patient_id: str | None) -> EncodedSlide | ArchivedSlide:
        """A whole slide; the archive's own where it has this very file. Raises NotThere, SlideError."""
        upload = self.upload(upload_id)
        known = self.known(upload)
        if known:
            return ArchivedSlide(known, patient_id)
        return EncodedSlide(self.whole(upload), upload.name, _spacing(upload), patient_id)

    def whole(self, upload: StoredUpload, told: Told = untold) -> Bag:
        """The bag of a whole slide; raises SlideError, InputError without a spacing, SandboxFailure."""
        return self.encodings.bag(upload, self.served.archive.recipe, (), _spacing(upload), told)

    def regions(self, upload_id: str, patient_id: str | None, boxes: Sequence[Rect], unit: str) -> ImageQuery:
        """Regions of a slide, in level-0 px or um; raises NotThere, SlideError."""
        upload = self.upload(upload_id)
        known = self.known(upload)
        if known:
            return Region(ArchivedSlide(known, patient_id), tuple(boxes), "um" if unit == "um" else "px")
        spacing = _spacing(upload)
        rects = tuple(_in_pixels(box, spacing) if unit == "um" else box for box in boxes)
        bag = self.encodings.bag(upload, self.served.archive.recipe, rects, upload.spacing_um_per_px)
        return EncodedSlide(bag, upload.name, spacing, patient_id, rects)

    def picture(self, upload_id: str, patient_id: str | None, spacing_um_per_px: float) -> EncodedSlide:
        """A picture of tissue of this spacing; raises NotThere, SlideError."""
        upload = self.upload(upload_id)
        bag = self.encodings.bag(upload, self.served.archive.recipe, (), spacing_um_per_px)
        content = _content(upload)
        return EncodedSlide(bag, upload.name, spacing_um_per_px, patient_id, picture=True, file_fingerprint=content)

    def upload(self, upload_id: str) -> StoredUpload:
        """An upload of the owner's; raises NotThere, and InputError for an archive that takes no slides."""
        if self.served.archive.recipe.imported:
            what = "was made from feature files, and knows no way from a slide to features"
            raise InputError("archive", what, "Ask with its own slides, or with words")
        return self.store.get(upload_id, self.owner)

    def known(self, upload: StoredUpload) -> str | None:
        """The id of the archive's slide with this very content."""
        found = self.served.archive.records(f"file_fingerprint = {quoted(_content(upload))}", limit=1)
        return found[0].slide_id if found else None


def _require(upload: StoredUpload) -> None:
    """Raise NotThere when an upload was deleted meanwhile: nothing more is to be kept of it."""
    if not upload.path.exists():
        raise NotThere("upload", "it has been deleted meanwhile", "Send it again")


def _content(upload: StoredUpload) -> str:
    with _still_there(upload):
        return FileSource(upload.path).fingerprint()


@contextmanager
def _still_there(upload: StoredUpload) -> Iterator[None]:
    """Let errors of the block be those of an upload that is there."""
    try:
        yield
    except HistoseekError:
        _require(upload)
        raise


def _spacing(upload: StoredUpload) -> float:
    if upload.spacing_um_per_px is None:
        advice = "Give its um/px when you upload it, or ask with it as a picture of known um/px"
        raise InputError(upload.name, "does not say how many um a pixel is", advice)
    return upload.spacing_um_per_px


def _in_pixels(rect: Rect, spacing_um_per_px: float) -> Rect:
    return Rect(*(round(um / spacing_um_per_px) for um in (rect.x, rect.y, rect.width, rect.height)))
