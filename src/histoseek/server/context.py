"""Everything that one server process holds, made once and closed once."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Self

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from histoseek.errors import HistoseekError
from histoseek.server.answers import AnswerMemory, Question
from histoseek.server.archives.images import SlideImages
from histoseek.server.archives.maps import MapStore
from histoseek.server.archives.registry import ArchiveEntry, ArchiveRegistry
from histoseek.server.jobs.job_store import JobKind, JobStore, StoredJob
from histoseek.server.jobs.supervisor import ProgressCallback, Supervisor, Work, remove_temporary_folders
from histoseek.server.rounds import TilesFirst
from histoseek.server.security.access import Access, Caller, CallerMemory
from histoseek.server.security.audit import AuditLog
from histoseek.server.security.head import RequestHead
from histoseek.server.security.limits import ConcurrencyLimit, RateLimiter, RequestKind
from histoseek.server.security.sessions import Sessions
from histoseek.server.security.tokens import Role, TokenStore
from histoseek.server.settings import ServerSettings
from histoseek.server.slide_removal import SlideRemoval
from histoseek.server.state.annotations import AnnotationStore
from histoseek.server.state.collections import CollectionStore
from histoseek.server.state.database import State
from histoseek.server.state.feedback import FeedbackStore
from histoseek.server.state.saved_searches import SavedSearchStore
from histoseek.server.state.worklists import WorklistStore
from histoseek.server.telemetry import Metrics
from histoseek.server.tiles.service import TileService
from histoseek.server.uploads.kept_slides import KeptSlides
from histoseek.server.uploads.uploaded_slides import UploadedSlides
from histoseek.server.work_queue import WorkQueue
from histoseek.server.worklists import WorklistRunner
from histoseek.slides.sources.base import SlideSource
from histoseek.viewing.appearance import StainName

_OPEN_SLIDES = 64
_TILE_CACHE_MB = 256
_ANSWERS_MB = 64
_MAPS_FOLDER = "maps"
_TEMPORARY_FOLDER = "temporary"
_AUDIT_LINE_BYTES = 512
_TILE_THREADS = 12
_MAX_TILES = 2000
"""Requests for tiles that wait: as many as there are connections, twice."""

_MAX_FIGURES = 50
"""Figures that wait: one is drawn at a time, as a large one takes a core for seconds."""

_MAX_UPLOAD_QUERIES = 8
"""Queries that wait for uploads to be encoded: only the sandbox is at work then."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Context:
    """One of each; `ending` is set when the process is about to stop."""

    settings: ServerSettings
    state: State
    archives: ArchiveRegistry
    search_queue: WorkQueue
    upload_queue: WorkQueue
    tile_queue: WorkQueue
    figure_queue: WorkQueue
    answers: AnswerMemory
    images: SlideImages
    tiles: TileService
    maps: MapStore
    uploads: UploadedSlides
    kept_slides: KeptSlides
    jobs: JobStore
    supervisor: Supervisor
    feedback: FeedbackStore
    collections: CollectionStore
    saved_searches: SavedSearchStore
    worklist_runner: WorklistRunner
    annotations: AnnotationStore
    access: Access
    callers: CallerMemory
    limiter: RateLimiter
    event_streams: ConcurrencyLimit
    metrics: Metrics
    audit: AuditLog
    shutdown: threading.Event
    tiles_first: TilesFirst = field(default_factory=TilesFirst)

    @classmethod
    def from_settings(cls, settings: ServerSettings) -> Self:
        """Open what the settings name; raises ConfigurationError, ArchiveNotFound, DamagedArchive."""
        metrics = Metrics(settings.metrics_folder if settings.workers > 1 else None)
        state = State.from_settings(settings)
        limits, archives = settings.limits, ArchiveRegistry(settings.archives)
        jobs = JobStore(state)
        uploads = UploadedSlides.create(settings, metrics)
        kept_slides = KeptSlides.below(settings.import_folder, state, jobs, archives)
        limiter = _make_limiter(settings, state, metrics)
        search_queue = WorkQueue("search", limits.searches, limits.search_s, limits.search_s)
        worklist_runner = WorklistRunner(WorklistStore(state), archives, uploads, search_queue)
        return cls(
            settings=settings,
            state=state,
            archives=archives,
            search_queue=search_queue,
            upload_queue=WorkQueue("query", _MAX_UPLOAD_QUERIES, limits.search_s),
            tile_queue=WorkQueue("tile", _TILE_THREADS, limits.search_s, limits.search_s, max_waiting=_MAX_TILES),
            figure_queue=WorkQueue("figure", 1, limits.search_s, limits.search_s, max_waiting=_MAX_FIGURES),
            answers=AnswerMemory(_ANSWERS_MB * 2**20),
            images=SlideImages(),
            tiles=TileService(_OPEN_SLIDES, _TILE_CACHE_MB),
            maps=MapStore(settings.state / _MAPS_FOLDER),
            uploads=uploads,
            kept_slides=kept_slides,
            jobs=jobs,
            supervisor=_make_supervisor(settings, jobs, archives, uploads, kept_slides, worklist_runner),
            feedback=FeedbackStore(state),
            collections=CollectionStore(state),
            saved_searches=SavedSearchStore(state),
            worklist_runner=worklist_runner,
            annotations=AnnotationStore(state),
            access=_make_access(settings, state, limiter),
            callers=CallerMemory(state.read_mark),
            limiter=limiter,
            event_streams=ConcurrencyLimit("event streams", limits.event_streams),
            metrics=metrics,
            audit=AuditLog(settings.state, reserve_bytes=limits.connections * settings.workers * _AUDIT_LINE_BYTES),
            shutdown=threading.Event(),
        )

    def start(self) -> None:
        """Begin what runs beside requests; to be called in the event loop that answers them."""
        self.worklist_runner.start()
        self.jobs.clean_specs()
        remove_temporary_folders(self.settings.state / _TEMPORARY_FOLDER, self.jobs.list_running())
        self.supervisor.start()
        self.uploads.start()
        self.removal.start(self.shutdown)

    def close(self) -> None:
        """End it all, without losing anything."""
        self.shutdown.set()
        self.supervisor.close()
        self.maps.close()
        self.uploads.close()
        self.tiles.close()
        self.state.close()

    @property
    def removal(self) -> SlideRemoval:
        """What takes slides out of archives, and of all that this process holds."""
        return SlideRemoval(
            state=self.state,
            archives=self.archives,
            answers=self.answers,
            images=self.images,
            tiles=self.tiles,
            maps=self.maps,
            uploads=self.uploads,
            kept_slides=self.kept_slides,
            jobs=self.jobs,
            feedback=self.feedback,
            collections=self.collections,
            saved_searches=self.saved_searches,
            worklists=self.worklists,
            annotations=self.annotations,
            may_erase=self.settings.write,
        )

    async def answer(
        self, entry: ArchiveEntry, request: str, make: Callable[[], Awaitable[bytes]], remembers: bool = True
    ) -> bytes:
        """What a question about an archive is answered: as before, where nothing has changed since.

        request: the route and all that the answer depends on, who asks not being part of it; remembers: False for
        answers that are somebody's own. Raises what `make` raises.
        """
        mark = await run_in_threadpool(_read_mark, entry) if remembers else None
        return await (make() if mark is None else self.answers.give(Question(entry.name, request, mark), make))

    @property
    def worklists(self) -> WorklistStore:
        """The worklists of all owners."""
        return self.worklist_runner.store

    def read_head(self, request: Request) -> RequestHead:
        """What of a request decides who sends it."""
        return RequestHead.from_scope(request.scope, self.settings.trust_proxy)

    def identify(self, request: Request, kind: RequestKind = RequestKind.OTHER) -> Caller:
        """Who sends a request, counted; raises Unauthorized, Forbidden, TooManyRequests."""
        head, mark = self.read_head(request), self.callers.read_mark()
        caller = self.access.identify(head)
        self.callers.keep(head, caller, mark)
        return self._count(request, caller, kind)

    def recall(self, request: Request, kind: RequestKind) -> Caller | None:
        """Who sends a request, counted, where that takes no time to tell; raises Forbidden, TooManyRequests."""
        caller = self.callers.recall(self.read_head(request))
        return self._count(request, caller, kind) if caller else None

    def _count(self, request: Request, caller: Caller, kind: RequestKind) -> Caller:
        request.state.caller = caller
        self.limiter.count_request(kind, caller.token_id)
        return caller

    def may_write(self, caller: Caller) -> bool:
        """Whether this identity may change archives here."""
        return self.settings.write and caller.role == "write"

    def make_tile(
        self, source: SlideSource, level: int, column: int, row: int, stain: StainName | None = None
    ) -> bytes:
        """A tile of an archive's slide, timed; raises NoSuchTile, SlideError."""
        began = time.perf_counter()
        tile = self.tiles.make_tile(source, level, column, row, stain)
        self.metrics.count_tile(time.perf_counter() - began)
        return tile


def _read_mark(entry: ArchiveEntry) -> Hashable | None:
    """The archive's state; None where it can't be told, so that the question itself says why."""
    try:
        return entry.archive.read_mark()
    except (HistoseekError, OSError):
        return None


def _make_access(settings: ServerSettings, state: State, limiter: RateLimiter) -> Access:
    tokens = TokenStore(state)
    anonymous: Role | None = ("write" if settings.write else "read") if settings.allow_anonymous else None
    return Access(tokens, Sessions(state, tokens, settings.port), limiter, anonymous)


def _make_limiter(settings: ServerSettings, state: State, metrics: Metrics) -> RateLimiter:
    refused = metrics.count_rate_limit
    return RateLimiter(settings.limits.rates, settings.workers, on_refusal=refused, take_shared=state.take_turn)


def _make_supervisor(
    settings: ServerSettings,
    jobs: JobStore,
    archives: ArchiveRegistry,
    uploads: UploadedSlides,
    kept_slides: KeptSlides,
    worklist_runner: WorklistRunner,
) -> Supervisor:
    def encode(job: StoredJob, on_progress: ProgressCallback) -> None:
        uploads.encode(job, archives.get(job.archive), on_progress)

    works: dict[JobKind, Work] = {"encode": encode, "worklist": worklist_runner.run}
    return Supervisor(jobs, works, kept_slides.release_job, settings.state / _TEMPORARY_FOLDER)
