"""An archive's write lock in a bucket: one object that is only ever replaced on the condition that nobody else was
quicker, and that its holder replaces again and again to show that it lives.

No clock is compared with another: whoever waits sees by its own whether the object stays the same for LEASE_S.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from histoseek.archive.remote import base
from histoseek.archive.remote.objects.bucket import Bucket
from histoseek.archive.remote.objects.faults import make_unconditional_error
from histoseek.errors import ArchiveBusy, ArchiveError

LOCK = "state/lock"

_BEATS = 6
"""How often a holder shows in LEASE_S that it lives."""

_LOOKS = 24
"""How often whoever waits looks in that time."""


@dataclass(frozen=True, slots=True)
class LockState:
    """What the lock's object says; number: of this state among those of its owner, so that no two are alike;
    is_clean: whether its last holder ended all that it began; lease_s: for how long its holder may be silent."""

    owner: str
    number: int = 0
    is_held: bool = True
    is_clean: bool = True
    lease_s: float = field(default_factory=lambda: base.LEASE_S)

    def write(self) -> bytes:
        """As the object has it."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def parse(cls, data: bytes) -> LockState:
        """One that can't be read counts as that of a dead holder."""
        with suppress(ValueError, KeyError, TypeError):
            content: dict[str, Any] = json.loads(data)
            one = cls(str(content["owner"]), int(content["number"]), bool(content["is_held"]))
            return replace(one, is_clean=bool(content["is_clean"]), lease_s=float(content["lease_s"]))
        return cls("", is_clean=False)


class WriteLock:
    """The lock as one process holds it, renewed by a thread until it is freed."""

    def __init__(self, bucket: Bucket) -> None:
        """Take it, which takes as long as it needs to see whether another holder lives; raises ArchiveBusy."""
        self._bucket = bucket
        self._guard = threading.Lock()
        self._state = LockState(secrets.token_hex(12))
        self._lease_s = self._state.lease_s
        self._is_lost = False
        self._is_dropped = False
        self.is_dirty = False
        self._sent_s = time.monotonic()
        self._tag = self._take()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew_often, name="histoseek-lock", daemon=True)
        self._thread.start()

    def require(self) -> None:
        """See that it is held still; one that ran out, but that nobody else took, is taken again.

        Raises ArchiveError where another process took it, ServerUnreachable while that can't be told.
        """
        if time.monotonic() - self._sent_s > self._lease_s * 2 / 3 or self._is_lost:
            self._renew()

    def free(self) -> None:
        """Let others have it."""
        self._ended.set()
        self._thread.join()
        with self._guard, suppress(ArchiveError):
            if self._is_dropped:
                self._bucket.delete([LOCK])
            elif not self._is_lost:
                state = replace(self._next(), is_held=False, is_clean=not self.is_dirty)
                self._bucket.replace(LOCK, state.write(), self._tag)

    def mark_dropped(self) -> None:
        """Remove its object as well once it is freed, as all others of the archive are."""
        self._is_dropped = True

    def _take(self) -> str:
        known: tuple[str, float] | None = None
        while True:
            found = self._look()
            if found is None:
                self._sent_s = time.monotonic()
                tag = self._bucket.create(LOCK, self._state.write())
            else:
                state, before = found
                if known is not None and known[0] != before and state.is_held:
                    raise ArchiveBusy(self._bucket.address)
                if known is None or known[0] != before:
                    known = before, time.monotonic()
                if state.is_held and time.monotonic() - known[1] < state.lease_s:
                    time.sleep(state.lease_s / _LOOKS)
                    continue
                self.is_dirty = state.is_held or not state.is_clean
                self._sent_s = time.monotonic()
                tag = self._bucket.replace(LOCK, self._state.write(), before)
            # A try that was repeated because its answer was lost fails on its own first success.
            tag = tag or self._find_own()
            if tag is not None:
                self._require_conditions(tag)
                return tag

    def _look(self) -> tuple[LockState, str] | None:
        try:
            data, tag = self._bucket.read_state(LOCK)
        except FileNotFoundError:
            return None
        return LockState.parse(data), tag

    def _find_own(self) -> str | None:
        found = self._look()
        return found[1] if found is not None and found[0] == self._state else None

    def _require_conditions(self, tag: str) -> None:
        """See that the server keeps to conditions; raises ServerUnsuited."""
        content = self._state.write()
        if self._bucket.create(LOCK, content) or self._bucket.replace(LOCK, content, f'"{"0" * 32}"'):
            raise make_unconditional_error(self._bucket.address)

    def _next(self) -> LockState:
        self._state = replace(self._state, number=self._state.number + 1)
        return self._state

    def _renew_often(self) -> None:
        while not self._ended.wait(self._lease_s / _BEATS):
            with suppress(ArchiveError):
                self._renew()

    def _renew(self) -> None:
        with self._guard:
            if self._is_lost:
                raise self._make_lost_error()
            sent_s = time.monotonic()
            before = self._state
            tag = self._bucket.replace(LOCK, self._next().write(), self._tag)
            if tag is None:
                found = self._look()
                if found is None or found[0] not in (before, self._state):
                    self._is_lost = True
                    raise self._make_lost_error()
                tag = found[1]
                if found[0] == before:
                    tag = self._bucket.replace(LOCK, self._state.write(), tag) or tag
            self._tag, self._sent_s = tag, sent_s

    def _make_lost_error(self) -> ArchiveError:
        what = "another process writes to this archive since the object storage was out of reach"
        return ArchiveError(self._bucket.address, what, "Repeat the command: what was committed is safe")


_HELD: dict[str, WriteLock] = {}
"""The locks that this process holds, by the archives' addresses."""


def find_held(address: str) -> WriteLock | None:
    """The lock of an archive, where this process holds it."""
    return _HELD.get(address)


def is_held_elsewhere(bucket: Bucket) -> bool:
    """Whether another process holds an archive's lock, as far as its object says."""
    if bucket.address in _HELD:
        return False
    with suppress(FileNotFoundError):
        return LockState.parse(bucket.read(LOCK)).is_held
    return False


def take(bucket: Bucket) -> WriteLock:
    """Take an archive's lock; raises ArchiveBusy, also where this process holds it."""
    if bucket.address in _HELD:
        raise ArchiveBusy(bucket.address)
    lock = WriteLock(bucket)
    _HELD[bucket.address] = lock
    return lock


def free(bucket: Bucket, lock: WriteLock) -> None:
    """Give it back."""
    _HELD.pop(bucket.address, None)
    lock.free()
