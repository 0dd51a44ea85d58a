"""Slides leave an archive, and the server with all that it keeps of them itself: files, pictures, maps, notes."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from pathlib import PurePath

from histoseek.archive.erasure.tombstones import read_tombstones
from histoseek.archive.filters.expression import compare
from histoseek.archive.schema import SlideRecord
from histoseek.errors import ArchiveError
from histoseek.server.answers import AnswerMemory
from histoseek.server.archives.images import SlideImages
from histoseek.server.archives.maps import MapStore
from histoseek.server.archives.registry import ArchiveEntry, ArchiveRegistry
from histoseek.server.jobs.job_store import JobStore, StoredJob
from histoseek.server.state.annotations import OF_UPLOADS, AnnotationStore
from histoseek.server.state.collections import CollectionStore
from histoseek.server.state.database import State
from histoseek.server.state.feedback import FeedbackStore
from histoseek.server.state.saved_searches import SavedSearchStore
from histoseek.server.state.slide_traces import SlideTraces
from histoseek.server.state.worklists import WorklistStore
from histoseek.server.tiles.service import TileService
from histoseek.server.uploads.kept_slides import KeptSlides, find_upload_id
from histoseek.server.uploads.uploaded_slides import UploadedSlides
from histoseek.slides.sources.registry import source_name

_SWEPT_EVERY_S = 300.0
_MAX_ERASED_AT_ONCE = 5000
"""Slides of an archive that is written anew within a request."""

_NOBODY = ""
"""Owns the jobs that nobody asked for."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SlideRemoval:
    """Reaches every copy that one server process has, and those that all have in common.

    may_erase: whether the server may change archives, and so erases what waits in them.
    """

    state: State
    archives: ArchiveRegistry
    answers: AnswerMemory
    images: SlideImages
    tiles: TileService
    maps: MapStore
    uploads: UploadedSlides
    kept_slides: KeptSlides
    jobs: JobStore
    feedback: FeedbackStore
    collections: CollectionStore
    saved_searches: SavedSearchStore
    worklists: WorklistStore
    annotations: AnnotationStore
    may_erase: bool

    def start(self, shutdown: threading.Event) -> None:
        """Begin to look for what other programs removed: at once, and every few minutes until the shutdown."""
        threading.Thread(target=self._sweep_regularly, args=(shutdown,), name="removal", daemon=True).start()

    def remove(self, entry: ArchiveEntry, slide_id: str) -> None:
        """Take a slide out of an archive, and delete what the server has of it; raises UnknownSlide, ArchiveError.

        Files of the import folder that the server did not put there stay: they are not its own. The archive's own bytes
        wait for `erase`.
        """
        record = entry.get_record(slide_id)
        entry.archive.remove([slide_id])
        self.answers.forget(entry.name)
        self._forget(entry, record)

    def erase(self, entry: ArchiveEntry, owner: str) -> StoredJob | None:
        """Leave no byte of what was removed or replaced in an archive: at once where that is soon done, else by a job.

        Gives the job, None when it is done.
        """
        archive = entry.archive
        if archive.pending_erasure is None:
            return None
        if len(archive) <= _MAX_ERASED_AT_ONCE:
            try:
                archive.erase()
            except ArchiveError as error:
                log.warning("archive %s: removed slides wait to be erased (%s)", entry.name, error.kind)
            else:
                return None
        return self.jobs.add_erasure(entry.name, owner)

    def sweep(self) -> None:
        """Delete what is kept of slides that are in no archive any more; raises ArchiveError, OSError."""
        for entry in self.archives:
            self.answers.forget_outdated(entry.name, entry.archive.read_mark())
            for source in self.images.forget_removed(entry):
                self.tiles.forget(source)
            if self.may_erase:
                self._erase_due(entry)
            self._forget_removed(entry)
        self.maps.remove_outdated(self.archives)
        self.kept_slides.sweep()
        self.annotations.forget_expired()
        if self.state.holds_traces:
            self.state.erase_deleted()

    def _forget(self, entry: ArchiveEntry, record: SlideRecord) -> None:
        """Delete all copies of a removed slide; those of its file in the import folder only where nobody needs them."""
        for upload_id in self.uploads.delete_content(record.file_fingerprint):
            self.annotations.forget_slide(OF_UPLOADS, upload_id)
            self.worklists.forget_upload(upload_id)
        self.kept_slides.release([upload_id for upload_id in [find_upload_id(record.uri)] if upload_id])
        for source in self.images.forget_removed(entry):
            self.tiles.forget(source)
        self.maps.remove_outdated([entry])
        self._forget_in_stores(entry.name, _find_traces(entry, record))
        self.jobs.forget_slide(entry.name, _list_names(record))
        self.state.erase_deleted()

    def _erase_due(self, entry: ArchiveEntry) -> None:
        pending = entry.archive.pending_erasure
        if pending and pending.is_due:
            self.erase(entry, _NOBODY)

    def _forget_removed(self, entry: ArchiveEntry) -> None:
        """Forget slides that other programs removed, which the archive remembers by digests alone."""
        tombstones = read_tombstones(entry.archive.layout)
        if not len(tombstones):
            return
        stores = (self.collections, self.annotations, self.feedback, self.saved_searches, self.worklists)
        named = {slide_id for store in stores for slide_id in store.list_slides(entry.name)}
        removed = entry.list_missing([slide_id for slide_id in named if tombstones.has_name(slide_id)])
        for slide_id in removed:
            self._forget_in_stores(entry.name, SlideTraces(slide_id))
            self.jobs.forget_slide(entry.name, {slide_id})
        if removed:
            self.state.erase_deleted()

    def _forget_in_stores(self, archive: str, traces: SlideTraces) -> None:
        for lists in (self.collections, self.annotations):
            lists.forget_slide(archive, traces.slide_id)
        for questions in (self.feedback, self.saved_searches, self.worklists):
            questions.forget_slide(archive, traces)

    def _sweep_regularly(self, shutdown: threading.Event) -> None:
        while not shutdown.is_set():
            try:
                self.sweep()
            except Exception as error:
                # What can't be read now, or is closed as the server ends, stays until the next time.
                log.warning("copies of removed slides can't be looked for (%s)", type(error).__name__)
            shutdown.wait(_SWEPT_EVERY_S)


def _find_traces(entry: ArchiveEntry, record: SlideRecord) -> SlideTraces:
    """What tells of a slide that the archive has no longer."""
    groups = [(column, getattr(record, column)) for column in ("case_id", "patient_id")]
    gone = (name for column, name in groups if name and not entry.archive.records(compare(column, "=", name), limit=1))
    files = _list_names(record) - {record.slide_id}
    return SlideTraces(record.slide_id, record.report or "", files, frozenset(gone))


def _list_names(record: SlideRecord) -> frozenset[str]:
    """What jobs may call a slide."""
    name = source_name(record.uri)
    return frozenset({record.slide_id, name, PurePath(name).stem})
