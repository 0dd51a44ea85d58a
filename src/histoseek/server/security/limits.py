"""How many requests are served: token buckets by caller and kind of request, and by address for failed logins."""

from __future__ import annotations

import ipaddress
import math
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from histoseek.server.clock import Clock
from histoseek.server.errors import TooManyRequests
from histoseek.server.settings import Rates

_MINUTE_S = 60.0
_MAX_BUCKETS = 20_000
_SITE_BITS = 64


class RequestKind(StrEnum):
    """What requests are counted together."""

    SEARCH = "search"
    TILES = "tiles"
    UPLOAD = "upload"
    OTHER = "other"
    FAILED_LOGIN = "failed_login"


@dataclass(slots=True)
class _Bucket:
    level: float
    at: float


class RateLimiter:
    """Counts of one process: with several workers each gives out its share of what the server allows a minute.

    Where servers share a state, that counts for all of them; tiles, which are many, each server counts for itself.

    A bucket holds one minute's worth. One that has been left alone for a minute is full, and forgotten.
    """

    def __init__(
        self,
        rates: Rates,
        workers: int = 1,
        clock: Clock = time.monotonic,
        on_refusal: Callable[[RequestKind], None] = lambda kind: None,
        max_buckets: int = _MAX_BUCKETS,
        take_shared: Callable[[str, str, float], float | None] = lambda kind, caller, per_minute: None,
    ) -> None:
        """on_refusal: called for each refused request; max_buckets: beyond these, the oldest are forgotten.

        take_shared: counts requests but tiles among those of all servers; gives what is short of one, None where each
        server counts for itself.
        """
        per_minute = {
            RequestKind.SEARCH: rates.searches,
            RequestKind.TILES: rates.tiles,
            RequestKind.UPLOAD: rates.uploads,
            RequestKind.OTHER: rates.others,
            RequestKind.FAILED_LOGIN: rates.failed_logins,
        }
        self._rates = {kind: max(1.0, rate) for kind, rate in per_minute.items()}
        self._take_shared = take_shared
        self._sizes = {kind: max(1.0, rate / workers) for kind, rate in per_minute.items()}
        self._clock = clock
        self._on_refusal = on_refusal
        self._max_buckets = max_buckets
        self._buckets: OrderedDict[tuple[RequestKind, str], _Bucket] = OrderedDict()
        self._guard = threading.Lock()

    def __len__(self) -> int:
        return len(self._buckets)

    def count_request(self, kind: RequestKind, token_id: str) -> None:
        """Count a request of a caller; raises TooManyRequests, which says when the next one will do."""
        self._take(kind, token_id)

    def count_failed_login(self, address: str) -> None:
        """Count credentials that were wrong; raises TooManyRequests when that happens too often from there."""
        self._take(RequestKind.FAILED_LOGIN, find_network(address))

    def _take(self, kind: RequestKind, caller: str) -> None:
        shared = None if kind == RequestKind.TILES else self._take_shared(kind, caller, self._rates[kind])
        size = self._sizes[kind] if shared is None else self._rates[kind]
        short = self._take_own(kind, caller) if shared is None else shared
        if short > 0:
            self._on_refusal(kind)
            wait_s = math.ceil(short * _MINUTE_S / size)
            raise TooManyRequests("requests", "too many in a short time", f"Try again in {wait_s} s", wait_s)

    def _take_own(self, kind: RequestKind, caller: str) -> float:
        with self._guard:
            bucket = self._refill(kind, caller)
            short = 1.0 - bucket.level
            if short <= 0:
                bucket.level -= 1.0
        return short

    def _refill(self, kind: RequestKind, caller: str) -> _Bucket:
        """The bucket with what has flowed in since; it becomes the newest."""
        now, size, key = self._clock(), self._sizes[kind], (kind, caller)
        bucket = self._buckets.pop(key, None) or _Bucket(size, now)
        bucket.level = min(size, bucket.level + (now - bucket.at) * size / _MINUTE_S)
        bucket.at = now
        self._forget(now)
        self._buckets[key] = bucket
        return bucket

    def _forget(self, now: float) -> None:
        while self._buckets:
            oldest = next(iter(self._buckets))
            if now - self._buckets[oldest].at < _MINUTE_S and len(self._buckets) < self._max_buckets:
                return
            del self._buckets[oldest]


class ConcurrencyLimit:
    """How many of some kind of long request one caller has under way in this process; for its event loop alone."""

    def __init__(self, what: str, most: int) -> None:
        """what: for messages."""
        self._what = what
        self._most = most
        self._counts: Counter[str] = Counter()

    @contextmanager
    def hold(self, token_id: str) -> Iterator[None]:
        """Count one while the block runs; raises TooManyRequests when a caller has as many as it may."""
        if self._counts[token_id] >= self._most:
            raise TooManyRequests(self._what, "too many at the same time", "Close some of them", 5)
        self._counts[token_id] += 1
        try:
            yield
        finally:
            self._counts[token_id] -= 1
            if not self._counts[token_id]:
                del self._counts[token_id]


def find_network(address: str) -> str:
    """What counts as one client: the address; of IPv6 the network that one site has whole, so that it can't take a new
    address each time."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if ip.version == 4 or ip.is_loopback:
        return str(ip)
    return str(ipaddress.ip_network((ip, _SITE_BITS), strict=False))
