"""All that a server does with uploaded slides: keep them, show them, make queries of them, and delete them in time."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import PurePath
from typing import Self

from histoseek.archive.indexing.waiting_slides import WaitingSlide, clean_waiting_slides
from histoseek.errors import HistoseekError
from histoseek.sandbox.confinement import Confinement
from histoseek.server.archives.registry import ArchiveEntry
from histoseek.server.errors import NotFound
from histoseek.server.jobs.job_store import StoredJob
from histoseek.server.jobs.supervisor import JobCancelled, ProgressCallback
from histoseek.server.settings import ServerSettings
from histoseek.server.telemetry import Metrics
from histoseek.server.tiles.cache import ByteCache
from histoseek.server.tiles.region import RegionPicture
from histoseek.server.tiles.tile_grid import ImageInfo
from histoseek.server.uploads.errors import SandboxBusy, SandboxFailure
from histoseek.server.uploads.open_uploads import OpenUploads
from histoseek.server.uploads.sandbox import Sandbox, SandboxLimits
from histoseek.server.uploads.upload_queries import Encodings, UploadQueries
from histoseek.server.uploads.upload_store import IncomingUpload, StoredUpload, UploadStore
from histoseek.viewing.appearance import StainName
from histoseek.viewing.figure import FigureSpec

_FOLDER = "uploads"
_SWEPT_EVERY_S = 300.0
_PICTURES_BYTES = 64 * 2**20

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class UploadedSlides:
    """Uploads of all owners, and the sandbox in which they are opened."""

    store: UploadStore
    opened: OpenUploads
    sandbox: Sandbox
    encodings: Encodings
    metrics: Metrics
    _pictures: ByteCache
    _ending: threading.Event

    @classmethod
    def create(cls, settings: ServerSettings, metrics: Metrics) -> Self:
        """Below the state folder."""
        store = UploadStore(settings.state / _FOLDER, settings.uploads)
        limits = SandboxLimits.from_upload_limits(settings.uploads)
        sandbox = Sandbox(store.folder, limits, settings.require_sandbox)
        opened = OpenUploads(store, time.time)
        return cls(store, opened, sandbox, Encodings(sandbox), metrics, ByteCache(_PICTURES_BYTES), threading.Event())

    def start(self) -> None:
        """Begin to delete what has expired, and make ready to open what comes."""
        threading.Thread(target=self._sweep_regularly, name="uploads", daemon=True).start()

    def close(self) -> None:
        """End the sandbox; uploads stay for the next start."""
        self._ending.set()
        self.sandbox.close()

    def inspect(self, stored: StoredUpload) -> StoredUpload:
        """A new upload with what is in it; one that can't be opened is deleted.

        Raises RefusedSlide, SandboxFailure, and SandboxBusy for one that is to be inspected again.
        """
        try:
            facts = self.sandbox.describe(stored.path, stored.spacing_um_per_px, stored.name)
        except SandboxBusy:
            raise
        except HistoseekError as error:
            self.store.delete(stored.upload_id, stored.owner)
            self.metrics.count_upload("refused")
            self._count_failure(error)
            raise
        self.metrics.count_upload("kept")
        return self.store.keep_facts(stored, facts)

    def complete(self, upload_id: str, owner: str) -> StoredUpload:
        """An upload whose files have all come, inspected; raises as `inspect`, and IncompleteUpload."""
        try:
            stored = self.opened.complete(upload_id, owner)
        except NotFound:
            stored = self.store.get(upload_id, owner)
        return stored if stored.facts else self.inspect(stored)

    def delete(self, upload_id: str, owner: str) -> None:
        """Delete an upload, or give up one in the making; raises NotFound."""
        try:
            self.opened.delete(upload_id, owner)
        except NotFound:
            self.store.delete(upload_id, owner)

    def get(self, upload_id: str, owner: str) -> StoredUpload:
        """An upload that was inspected; raises NotFound."""
        upload = self.store.get(upload_id, owner)
        if upload.facts is None:
            raise NotFound("upload", "it is still being checked", "Try again in some seconds")
        return upload

    def find_name(self, upload_id: str, owner: str) -> str:
        """What an upload is called; its id where it is there no more."""
        try:
            return self.store.get(upload_id, owner).name
        except NotFound:
            return upload_id

    def read_report(self, incoming: IncomingUpload) -> str:
        """The text of a report that has come, without identifiers; raises InputError, SandboxFailure, SandboxBusy."""
        text = self.sandbox.read_text(incoming.path, incoming.name)
        (clean,) = clean_waiting_slides([WaitingSlide(PurePath(incoming.name).stem, {}, text)], choice=True)
        return clean.report or ""

    def make_dzi(self, upload: StoredUpload) -> str:
        """The Deep Zoom description of an upload."""
        facts = upload.facts
        if facts is None:
            raise NotFound("upload", "it is still being checked", "Try again in some seconds")
        spacing = facts.spacing_um_per_px or 0.0
        info = ImageInfo(facts.width, facts.height, spacing, facts.tile_size_px, facts.overlap_px, facts.max_level)
        return info.to_dzi()

    def make_thumbnail(self, upload: StoredUpload, px: int) -> bytes:
        """The whole slide as JPEG, its longer edge in px; raises RefusedSlide, SandboxFailure, SandboxBusy."""
        key = (upload.upload_id, px)
        return self._pictures.get(key) or self._cache(key, self.sandbox.make_thumbnail(upload.path, px, upload.name))

    def make_tile(
        self, upload: StoredUpload, level: int, column: int, row: int, stain: StainName | None = None
    ) -> bytes:
        """A Deep Zoom tile as JPEG; raises NoSuchTile, RefusedSlide, SandboxFailure, SandboxBusy."""
        key = (upload.upload_id, level, column, row, stain or "")
        picture = self._pictures.get(key)
        return picture or self._cache(key, self.sandbox.make_tile(upload.path, level, column, row, upload.name, stain))

    def make_region(self, upload: StoredUpload, picture: RegionPicture) -> bytes:
        """A region as JPEG; raises InputError, RefusedSlide, SandboxFailure, SandboxBusy."""
        key = (upload.upload_id, picture)
        kept = self._pictures.get(key)
        return kept or self._cache(key, self.sandbox.make_region(upload.path, picture, upload.name))

    def draw_figure(self, upload: StoredUpload, spec: FigureSpec) -> bytes:
        """A view of an upload as a PNG file; raises RefusedSlide, SandboxFailure, SandboxBusy."""
        return self.sandbox.draw_figure(upload.path, spec, upload.name)

    def delete_content(self, file_fingerprint: str) -> frozenset[str]:
        """Delete all uploads of one content, whoever owns them, with what was made of them; their ids."""
        deleted = self.store.delete_content(file_fingerprint)
        self._pictures.drop(lambda key: isinstance(key, tuple) and key[0] in deleted)
        return deleted

    def create_queries(self, entry: ArchiveEntry, owner: str) -> UploadQueries:
        """The uploads of one owner as queries to an archive."""
        return UploadQueries(self.store, self.encodings, entry, owner)

    def encode(self, job: StoredJob, entry: ArchiveEntry, report_progress: ProgressCallback) -> None:
        """Encode the upload of a job, unless the archive has the same slide; raises JobCancelled, SlideError."""

        def on_progress(done: int, total: int | None) -> None:
            if not report_progress(done, total):
                raise JobCancelled("job", "was cancelled")

        queries = self.create_queries(entry, job.owner)
        upload = queries.get_upload(job.upload_id or "")
        try:
            if queries.find_archived(upload) is None:
                queries.encode_whole_slide(upload, on_progress)
        except SandboxFailure as error:
            self._count_failure(error)
            raise

    def _is_of_deleted(self, key: Hashable) -> bool:
        """Whether a picture is of an upload that is gone, which another process may have deleted."""
        return isinstance(key, tuple) and not (self.store.folder / str(key[0])).exists()

    def _cache(self, key: tuple[Hashable, ...], picture: bytes) -> bytes:
        self._pictures.put(key, picture)
        return picture

    def _start_sandbox(self) -> None:
        """Start what opens slides, so that the first upload need not wait for it, and note what holds."""
        try:
            self.sandbox.find_confinement()
        except (HistoseekError, OSError) as error:
            log.warning("the sandbox can't be used (%s)", type(error).__name__)
        confinement = self.sandbox.confinement or Confinement()
        self.metrics.set_confinement(confinement)
        if not confinement.is_complete:
            log.warning("the sandbox does not hold: %s", ", ".join(confinement.list_open()))

    def _count_failure(self, error: HistoseekError) -> None:
        if isinstance(error, SandboxFailure):
            self.metrics.count_sandbox_failure(error.what)

    def _sweep_regularly(self) -> None:
        self._start_sandbox()
        while not self._ending.is_set():
            try:
                self.store.sweep()
                self._pictures.drop(self._is_of_deleted)
            except OSError as error:
                log.warning("uploads can't be swept (%s)", type(error).__name__)
            self._ending.wait(_SWEPT_EVERY_S)
