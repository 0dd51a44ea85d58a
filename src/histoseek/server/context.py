"""Everything that one server process holds, made once and closed once."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Self

from fastapi import Request

from histoseek.server.archives.images import SlideImages
from histoseek.server.archives.maps import Overviews
from histoseek.server.archives.served import ServedArchives
from histoseek.server.jobs.store import JobStore
from histoseek.server.jobs.supervisor import Supervisor
from histoseek.server.metrics import Metrics
from histoseek.server.security.access import Access, Identity
from histoseek.server.security.audit import AuditLog
from histoseek.server.security.head import RequestHead
from histoseek.server.security.limits import RateLimiter, RequestKind
from histoseek.server.security.sessions import Sessions
from histoseek.server.security.tokens import Role, TokenStore
from histoseek.server.settings import ServerSettings
from histoseek.server.state.collections import CollectionStore
from histoseek.server.state.database import State
from histoseek.server.state.feedback import FeedbackStore
from histoseek.server.tiles.service import TileService
from histoseek.server.turns import Turns
from histoseek.server.uploads.service import UploadedSlides
from histoseek.server.warming import warm
from histoseek.slides.sources.base import SlideSource

_OPEN_SLIDES = 64
_TILE_CACHE_MB = 256
_MAPS = "maps"
_READINGS_AT_ONCE = 8
"""Queries that wait for uploads to be encoded: only the sandbox is at work then."""


@dataclass(frozen=True, slots=True)
class Context:
    """One of each; `ending` is set when the process is about to stop."""

    settings: ServerSettings
    state: State
    archives: ServedArchives
    searches: Turns
    readings: Turns
    images: SlideImages
    tiles: TileService
    overviews: Overviews
    uploads: UploadedSlides
    jobs: JobStore
    supervisor: Supervisor
    feedback: FeedbackStore
    collections: CollectionStore
    access: Access
    limiter: RateLimiter
    metrics: Metrics
    audit: AuditLog
    ending: threading.Event

    @classmethod
    def of(cls, settings: ServerSettings) -> Self:
        """Open what the settings name; raises ConfigurationError, ArchiveNotFound, DamagedArchive."""
        metrics = Metrics(settings.metrics_folder if settings.workers > 1 else None)
        state = State(settings.state)
        limits = settings.limits
        archives = ServedArchives(settings.archives)
        jobs = JobStore(state)
        uploads = UploadedSlides.of(settings, metrics)
        limiter = RateLimiter(limits.rates, settings.workers, refused=metrics.rate_limited)
        tokens = TokenStore(state)
        anonymous: Role | None = ("write" if settings.write else "read") if settings.allow_anonymous else None
        return cls(
            settings=settings,
            state=state,
            archives=archives,
            searches=Turns("search", limits.searches, limits.search_s),
            readings=Turns("query", _READINGS_AT_ONCE, limits.search_s),
            images=SlideImages(),
            tiles=TileService(_OPEN_SLIDES, _TILE_CACHE_MB),
            overviews=Overviews(settings.state / _MAPS),
            uploads=uploads,
            jobs=jobs,
            supervisor=Supervisor(jobs, lambda job, told: uploads.encode(job, archives.get(job.archive), told)),
            feedback=FeedbackStore(state),
            collections=CollectionStore(state),
            access=Access(tokens, Sessions(state, tokens, settings.port), limiter, anonymous),
            limiter=limiter,
            metrics=metrics,
            audit=AuditLog(settings.state),
            ending=threading.Event(),
        )

    def start(self) -> None:
        """Begin what runs beside requests."""
        self.supervisor.start()
        self.uploads.start()
        warm(self.archives, self.overviews)

    def close(self) -> None:
        """End it all, without losing anything."""
        self.ending.set()
        self.supervisor.close()
        self.overviews.close()
        self.uploads.close()
        self.tiles.close()
        self.state.close()

    def head(self, request: Request) -> RequestHead:
        """What of a request decides who asks."""
        return RequestHead.of_scope(request.scope, self.settings.trust_proxy)

    def identify(self, request: Request, kind: RequestKind = RequestKind.OTHER) -> Identity:
        """Who asks, counted; raises Unauthorized, Forbidden, TooManyRequests."""
        identity = self.access.identify(self.head(request))
        request.state.identity = identity
        self.limiter.request(kind, identity.token_id)
        return identity

    def may_write(self, identity: Identity) -> bool:
        """Whether this identity may change archives here."""
        return self.settings.write and identity.role == "write"

    def tile(self, source: SlideSource, level: int, column: int, row: int) -> bytes:
        """A tile of an archive's slide, timed; raises NoSuchTile, SlideError."""
        began = time.perf_counter()
        made = self.tiles.tile(source, level, column, row)
        self.metrics.tile(time.perf_counter() - began)
        return made
