"""What is kept of each request when it has ended: a line of the audit log, and counts."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Collection, Hashable

from starlette.types import Scope

from histoseek.server.clock import Clock, to_datetime
from histoseek.server.security.access import Caller
from histoseek.server.security.audit import AuditEntry, AuditLog, digest_slide_id
from histoseek.server.telemetry import Metrics, normalise_method

UNMATCHED = "unmatched"
_API = "/api/"
_SILENT = ("/api/v1/health", "/api/v1/ready")
_TILES = "_files/"
_ONCE_IN_S = 60.0
_MAX_REMEMBERED = 10_000
_FAULTY = 400


class Recorder:
    """Records requests; called by Guard.

    Routes put the caller into `request.state.caller`. What comes in numbers is audited once a minute and process: tiles
    of the same slide for the same token, and requests of the same kind without any token. Slides stand in the log, as
    digests of their ids, only when the request was answered, archives only when they are served here: anything else is
    what somebody typed.
    """

    def __init__(self, audit: AuditLog, metrics: Metrics, archives: Collection[str], clock: Clock = time.time) -> None:
        self._audit = audit
        self._metrics = metrics
        self._archives = frozenset(archives)
        self._clock = clock
        self._repeat_filter = _RepeatFilter()

    def __call__(self, scope: Scope, status: int, seconds: float) -> None:
        """Record one request."""
        route = find_route_template(scope)
        self._metrics.count_request(route, scope["method"], status, seconds)
        if not _is_audited(scope) or route in _SILENT:
            return
        entry = self._make_entry(scope, route, status, seconds)
        often = entry.token is None or _TILES in route
        same = (entry.token, route, entry.archive, entry.slide, status)
        if not often or self._repeat_filter.is_new(same, self._clock()):
            self._audit.write(entry)

    def reserve(self, scope: Scope) -> None:
        """See that a request can be recorded, before anything is done for it; raises AuditUnavailable."""
        if _is_audited(scope) and scope["path"] not in _SILENT:
            self._audit.reserve()

    def _make_entry(self, scope: Scope, route: str, status: int, seconds: float) -> AuditEntry:
        state, parameters = scope.get("state", {}), scope.get("path_params", {})
        caller: Caller | None = state.get("caller")
        archive, slide_id = parameters.get("archive"), parameters.get("slide_id")
        return AuditEntry(
            time=to_datetime(self._clock()),
            request_id=state.get("request_id", ""),
            token=caller.name if caller else None,
            role=caller.role if caller else None,
            method=normalise_method(scope["method"]),
            route=route,
            archive=archive if archive in self._archives else None,
            slide=digest_slide_id(slide_id) if slide_id and status < _FAULTY else None,
            status=status,
            milliseconds=round(seconds * 1000, 1),
        )


def _is_audited(scope: Scope) -> bool:
    path: str = scope["path"]
    return path.startswith(_API)


class _RepeatFilter:
    """Which of equal events in a minute is the first."""

    def __init__(self) -> None:
        self._last_times: OrderedDict[Hashable, float] = OrderedDict()
        self._guard = threading.Lock()

    def is_new(self, event: Hashable, now: float) -> bool:
        with self._guard:
            before = self._last_times.get(event)
            if before is not None and now - before < _ONCE_IN_S:
                return False
            self._last_times[event] = now
            self._last_times.move_to_end(event)
            if len(self._last_times) > _MAX_REMEMBERED:
                self._last_times.popitem(last=False)
            return True


def find_route_template(scope: Scope) -> str:
    """The path of the route that served a request, with names in place of values; "unmatched" for none."""
    # FastAPI keeps the whole path of routes of included routers here; the route alone has no prefix.
    effective = scope.get("fastapi", {}).get("effective_route_context")
    path = getattr(effective or scope.get("route"), "path", None)
    return path.replace(":path}", "}") if isinstance(path, str) and path else UNMATCHED
