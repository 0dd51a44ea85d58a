"""One writer at a time, on a server without locks: whoever makes a collection first has it.

The lock's collections are numbered. The one with the highest number says who holds it and until when, in the server's
own time. Whoever finds it free, or its time over, makes the next one, which succeeds for one process alone.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from histoseek.archive.remote.milvus.connection import AbsentCollection, Database, MilvusAddress
from histoseek.errors import ArchiveBusy, ArchiveError, HistoseekError

_TICKS_OF_MS = 2**18
"""Of the server's time."""

_MARGIN = 0.2
"""The part of a lease that a holder does not use."""


class WriteLock:
    """Of one archive, for one process."""

    def __init__(self, database: Database, address: MilvusAddress, lease_s: float) -> None:
        self._database = database
        self._address = address
        self._lease_s = lease_s
        self._prefix = address.name("lock_")

    @contextmanager
    def held(self) -> Iterator[None]:
        """Raises ArchiveBusy while another process holds it."""
        number, holder = self._take()
        lease = _Lease(self._database, self._name(number), holder, self._lease_s, self._name(number + 1))
        _HELD[_key(self._address)] = lease
        lease.start()
        try:
            yield
        finally:
            lease.stop()
            _HELD.pop(_key(self._address), None)
            # Else it is free once its time is over.
            with suppress(HistoseekError, AbsentCollection):
                self._release(number)

    def _take(self) -> tuple[int, str]:
        numbers = self._list_numbers()
        if numbers and not self._is_free(numbers[-1]):
            raise ArchiveBusy(self._address.redacted)
        number, holder = (numbers[-1] + 1 if numbers else 1), uuid.uuid4().hex
        if not self._make(number, holder) or self._list_numbers()[-1] != number:
            raise ArchiveBusy(self._address.redacted)
        for older in numbers:
            self._database.drop(self._name(older))
        return number, holder

    def _is_free(self, number: int) -> bool:
        try:
            notes = self._database.read_notes(self._name(number))
        except AbsentCollection:
            return False
        return int(notes.get("until", "0")) < self._database.now()

    def _make(self, number: int, holder: str) -> bool:
        from pymilvus import DataType, MilvusClient

        # Its description makes it another collection than that of all others, which the server then refuses.
        schema = MilvusClient.create_schema(auto_id=False, description=holder)
        schema.add_field("key", DataType.INT64, is_primary=True)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=2)
        notes = {"until": str(self._database.now() + int(self._lease_s * 1000) * _TICKS_OF_MS)}

        def make(client: Any, left_s: float) -> None:
            with suppress(Exception):
                client.create_collection(
                    self._name(number), schema=schema, num_shards=1, properties=notes, timeout=left_s
                )

        self._database.call(make)
        with suppress(AbsentCollection):
            return self._database.read_notes(self._name(number))[""] == holder
        return False

    def _release(self, number: int) -> None:
        """The number stays, so that no slower process takes a lower one; gone with the archive where that is gone."""
        self._database.write_notes(self._name(number), {"until": "0"})
        if all(name.startswith(self._prefix) for name in self._database.list_names(self._address.name(""))):
            self._database.drop(self._name(number))

    def _list_numbers(self) -> list[int]:
        names = self._database.list_names(self._prefix)
        return sorted(int(name.removeprefix(self._prefix)) for name in names)

    def _name(self, number: int) -> str:
        return f"{self._prefix}{number}"


class _Lease(threading.Thread):
    """Renews a lock while it is held."""

    def __init__(self, database: Database, name: str, holder: str, lease_s: float, successor: str) -> None:
        super().__init__(name="histoseek-milvus-lease", daemon=True)
        self._database = database
        self._lock_name = name
        self._holder = holder
        self._successor = successor
        self._lease_s = lease_s
        self._ended = threading.Event()
        self._end_s = time.monotonic() + lease_s * (1 - _MARGIN)
        self._is_lost = False

    def run(self) -> None:
        """Until it is released or lost."""
        while not self._ended.wait(self._lease_s / 6):
            with suppress(HistoseekError):
                self._renew()

    def stop(self) -> None:
        """Renew no more."""
        self._ended.set()
        self.join(self._lease_s)

    @property
    def is_valid(self) -> bool:
        """Whether nobody else can hold it."""
        return not self._is_lost and time.monotonic() < self._end_s

    def _renew(self) -> None:
        begun_s = time.monotonic()
        try:
            until = self._database.now() + int(self._lease_s * 1000) * _TICKS_OF_MS
            self._is_lost = self._is_lost or self._database.has(self._successor)
            if not self._is_lost:
                self._database.write_notes(self._lock_name, {"until": str(until)})
                self._end_s = begun_s + self._lease_s * (1 - _MARGIN)
        except AbsentCollection:
            self._is_lost = True


def require_lock(address: MilvusAddress) -> None:
    """Raise ArchiveError where this process holds the archive's lock no longer, though it has not released it."""
    lease = _HELD.get(_key(address))
    if lease is not None and not lease.is_valid:
        what = "the write lock was lost, since the server could not be reached for too long"
        raise ArchiveError(address.redacted, what, "Repeat the command: what was committed is safe")


def _key(address: MilvusAddress) -> tuple[object, ...]:
    return address.host, address.port, address.database, address.archive


_HELD: dict[tuple[object, ...], _Lease] = {}
