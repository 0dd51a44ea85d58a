"""What is kept of each request when it has ended: a line of the audit log, and counts."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Collection, Hashable

from starlette.types import Scope

from histoseek.server.clock import Clock, moment
from histoseek.server.metrics import Metrics, known_method
from histoseek.server.security.access import Identity
from histoseek.server.security.audit import AuditEntry, AuditLog

UNMATCHED = "unmatched"
_API = "/api/"
_SILENT = ("/api/v1/health", "/api/v1/ready")
_TILES = "_files/"
_ONCE_IN_S = 60.0
_MOST_REMEMBERED = 10_000
_FAULTY = 400


class Recorder:
    """Records requests; called by Guard.

    Routes put who asks into `request.state.identity`. What comes in numbers is audited once a minute and process: tiles
    of the same slide for the same token, and requests of the same kind without any token. Slide ids stand in the log
    only when the request was answered, archives only when they are served here: anything else is what somebody typed.
    """

    def __init__(self, audit: AuditLog, metrics: Metrics, archives: Collection[str], clock: Clock = time.time) -> None:
        self._audit = audit
        self._metrics = metrics
        self._archives = frozenset(archives)
        self._clock = clock
        self._repeats = _Repeats()

    def __call__(self, scope: Scope, status: int, seconds: float) -> None:
        """Record one request."""
        route = route_template(scope)
        self._metrics.request(route, scope["method"], status, seconds)
        if not scope["path"].startswith(_API) or route in _SILENT:
            return
        entry = self._entry(scope, route, status, seconds)
        often = entry.token is None or _TILES in route
        same = (entry.token, route, entry.archive, entry.slide_id, status)
        if not often or self._repeats.is_new(same, self._clock()):
            self._audit.write(entry)

    def _entry(self, scope: Scope, route: str, status: int, seconds: float) -> AuditEntry:
        state, given = scope.get("state", {}), scope.get("path_params", {})
        identity: Identity | None = state.get("identity")
        archive = given.get("archive")
        return AuditEntry(
            time=moment(self._clock()),
            request_id=state.get("request_id", ""),
            token=identity.name if identity else None,
            role=identity.role if identity else None,
            method=known_method(scope["method"]),
            route=route,
            archive=archive if archive in self._archives else None,
            slide_id=given.get("slide_id") if status < _FAULTY else None,
            status=status,
            milliseconds=round(seconds * 1000, 1),
        )


class _Repeats:
    """Which of equal events in a minute is the first."""

    def __init__(self) -> None:
        self._seen: OrderedDict[Hashable, float] = OrderedDict()
        self._guard = threading.Lock()

    def is_new(self, event: Hashable, now: float) -> bool:
        with self._guard:
            before = self._seen.get(event)
            if before is not None and now - before < _ONCE_IN_S:
                return False
            self._seen[event] = now
            self._seen.move_to_end(event)
            if len(self._seen) > _MOST_REMEMBERED:
                self._seen.popitem(last=False)
            return True


def route_template(scope: Scope) -> str:
    """The path of the route that served a request, with names in place of values; "unmatched" for none."""
    # FastAPI keeps the whole path of routes of included routers here; the route alone has no prefix.
    effective = scope.get("fastapi", {}).get("effective_route_context")
    path = getattr(effective or scope.get("route"), "path", None)
    return path.replace(":path}", "}") if isinstance(path, str) and path else UNMATCHED
