"""All that a server does with uploaded slides: keep them, show them, ask with them, and delete them in time."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import Self

from histoseek.errors import HistoseekError
from histoseek.server.archives.served import ServedArchive
from histoseek.server.errors import NotThere
from histoseek.server.jobs.store import StoredJob
from histoseek.server.jobs.supervisor import NotWanted, StillWanted
from histoseek.server.metrics import Metrics
from histoseek.server.settings import ServerSettings
from histoseek.server.tiles.cache import ByteCache
from histoseek.server.tiles.geometry import ImageInfo
from histoseek.server.uploads.errors import SandboxFailure
from histoseek.server.uploads.queries import AskedUploads, Encodings
from histoseek.server.uploads.sandbox import Sandbox, SandboxLimits
from histoseek.server.uploads.store import StoredUpload, UploadStore

_FOLDER = "uploads"
_SWEPT_EVERY_S = 300.0
_PICTURES_BYTES = 64 * 2**20

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class UploadedSlides:
    """Uploads of all owners, and the sandbox in which they are opened."""

    store: UploadStore
    sandbox: Sandbox
    encodings: Encodings
    metrics: Metrics
    _pictures: ByteCache
    _ending: threading.Event

    @classmethod
    def of(cls, settings: ServerSettings, metrics: Metrics) -> Self:
        """Below the state folder."""
        store = UploadStore(settings.state / _FOLDER, settings.uploads)
        sandbox = Sandbox(store.folder, SandboxLimits.of(settings.uploads))
        return cls(store, sandbox, Encodings(sandbox), metrics, ByteCache(_PICTURES_BYTES), threading.Event())

    def start(self) -> None:
        """Begin to delete what has expired, and make ready to open what comes."""
        threading.Thread(target=self._keep_order, name="uploads", daemon=True).start()

    def close(self) -> None:
        """End the sandbox; uploads stay for the next start."""
        self._ending.set()
        self.sandbox.close()

    def looked_at(self, stored: StoredUpload) -> StoredUpload:
        """A new upload with what is in it; one that can't be opened is deleted. Raises RefusedSlide, SandboxFailure."""
        try:
            facts = self.sandbox.describe(stored.path, stored.spacing_um_per_px, stored.name)
        except HistoseekError as error:
            self.store.delete(stored.upload_id, stored.owner)
            self.metrics.upload("refused")
            self._note(error)
            raise
        self.metrics.upload("kept")
        return self.store.keep_facts(stored, facts)

    def get(self, upload_id: str, owner: str) -> StoredUpload:
        """An upload that was looked at; raises NotThere."""
        found = self.store.get(upload_id, owner)
        if found.facts is None:
            raise NotThere("upload", "it is being looked at", "Ask again in some seconds")
        return found

    def dzi(self, upload: StoredUpload) -> str:
        """The Deep Zoom description of an upload."""
        facts = upload.facts
        if facts is None:
            raise NotThere("upload", "it is being looked at", "Ask again in some seconds")
        spacing = facts.spacing_um_per_px or 0.0
        shown = ImageInfo(facts.width, facts.height, spacing, facts.tile_size_px, facts.overlap_px, facts.max_level)
        return shown.dzi()

    def thumbnail(self, upload: StoredUpload, px: int) -> bytes:
        """The whole slide as JPEG, its longer edge in px; raises RefusedSlide, SandboxFailure, SandboxBusy."""
        key = (upload.upload_id, px)
        return self._pictures.get(key) or self._kept(key, self.sandbox.thumbnail(upload.path, px, upload.name))

    def tile(self, upload: StoredUpload, level: int, column: int, row: int) -> bytes:
        """A Deep Zoom tile as JPEG; raises NoSuchTile, RefusedSlide, SandboxFailure, SandboxBusy."""
        key = (upload.upload_id, level, column, row)
        found = self._pictures.get(key)
        return found or self._kept(key, self.sandbox.tile(upload.path, level, column, row, upload.name))

    def asked(self, served: ServedArchive, owner: str) -> AskedUploads:
        """The uploads of one owner as queries to an archive."""
        return AskedUploads(self.store, self.encodings, served, owner)

    def encode(self, job: StoredJob, served: ServedArchive, still_wanted: StillWanted) -> None:
        """Encode the upload of a job, unless the archive has the very same slide; raises NotWanted, SlideError."""

        def told(done: int, total: int | None) -> None:
            if not still_wanted(done, total):
                raise NotWanted("job", "was cancelled")

        asked = self.asked(served, job.owner)
        upload = asked.upload(job.upload_id or "")
        try:
            if asked.known(upload) is None:
                asked.whole(upload, told)
        except SandboxFailure as error:
            self._note(error)
            raise

    def _kept(self, key: tuple[str | int, ...], picture: bytes) -> bytes:
        self._pictures.put(key, picture)
        return picture

    def _make_ready(self) -> None:
        """Start what opens slides, so that the first upload need not wait for it."""
        try:
            self.sandbox.start()
        except (HistoseekError, OSError) as error:
            log.warning("the sandbox can't be started (%s)", type(error).__name__)

    def _note(self, error: HistoseekError) -> None:
        if isinstance(error, SandboxFailure):
            self.metrics.sandbox_failure(error.what)

    def _keep_order(self) -> None:
        self._make_ready()
        while not self._ending.is_set():
            try:
                self.store.sweep()
            except OSError as error:
                log.warning("uploads can't be swept (%s)", type(error).__name__)
            self._ending.wait(_SWEPT_EVERY_S)
