"""The objects of one archive in a bucket: read, written on conditions, listed, deleted."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from histoseek.archive.remote.objects.faults import translating
from histoseek.archive.remote.objects.place import CONNECT_S, SILENCE_S, ObjectPlace, read_environment
from histoseek.archive.remote.retries import Patience
from histoseek.errors import MissingExtra, ServerUnreachable
from histoseek.settings import get_settings

if TYPE_CHECKING:
    from obstore import UpdateVersion
    from obstore.store import S3Store

_MOST_RETRIES = 1000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ObjectState:
    """One state of an object; modified: by the server's clock."""

    tag: str
    bytes: int
    modified: datetime


class Bucket:
    """The objects whose keys begin with an archive's prefix, by the rest of their keys.

    A write is durable, and seen by all, when it returns. Raises ServerUnreachable once HISTOSEEK_SERVER_SECONDS are
    over, AccessDenied, ServerUnsuited, DiskFull, DamagedArchive.
    """

    def __init__(self, address: str, store: S3Store) -> None:
        self.address = address
        self._store = store

    @classmethod
    def open(cls, address: str) -> Bucket:
        """That of an archive's address; asks nothing. Raises ConfigurationError, MissingExtra."""
        place = ObjectPlace.parse(address)
        return _open(place, tuple(sorted(read_environment().items())), get_settings().server_seconds, os.getpid())

    def read(self, name: str) -> bytes:
        """The content of an object; raises FileNotFoundError."""
        return self.read_state(name)[0]

    def read_state(self, name: str) -> tuple[bytes, str]:
        """An object's content with its tag; raises FileNotFoundError."""
        import obstore

        def get() -> tuple[bytes, str]:
            found = obstore.get(self._store, name)
            return bytes(found.bytes()), found.meta["e_tag"] or ""

        return self._ask(get)

    def find(self, name: str) -> ObjectState | None:
        """What an object is now; None where there is none."""
        import obstore

        with suppress(FileNotFoundError):
            return self._ask(lambda: _read(obstore.head(self._store, name)))
        return None

    def write(self, name: str, data: bytes) -> str:
        """Make an object, or replace it; the tag that it then has."""
        return self._put(name, data, None)

    def create(self, name: str, data: bytes) -> str | None:
        """Make an object; None where there is one, be it that a try made it whose answer was lost."""
        from obstore.exceptions import AlreadyExistsError

        with suppress(AlreadyExistsError):
            return self._put(name, data, "create")
        return None

    def replace(self, name: str, data: bytes, tag: str) -> str | None:
        """Replace the state of an object that has a tag; None where it has gone on, as by a try whose answer was lost,
        or is gone."""
        from obstore.exceptions import PreconditionError

        with suppress(PreconditionError, FileNotFoundError):
            return self._put(name, data, {"e_tag": tag})
        return None

    def _ask(self, do: Callable[[], T]) -> T:
        """Do what may be done twice: the client repeats no request whose answer was cut off."""
        patience = Patience()
        while True:
            try:
                with translating(self.address):
                    return do()
            except ServerUnreachable:
                if patience.is_over:
                    raise
            patience.wait()

    def _put(self, name: str, data: bytes, mode: Any | UpdateVersion) -> str:
        import obstore

        # What is sent in parts leaves parts behind where a sender dies, which no list shows.
        made = self._ask(lambda: obstore.put(self._store, name, data, mode=mode, use_multipart=False))
        return made["e_tag"] or ""

    def list(self, folder: str) -> Mapping[str, ObjectState]:
        """The objects below a folder, which ends with a slash or is "" for all."""
        import obstore

        pages = self._ask(lambda: [*obstore.list(self._store, folder.rstrip("/") or None)])
        return {one["path"]: _read(one) for page in pages for one in page}

    def has(self, folder: str) -> bool:
        """Whether there is any object below a folder."""
        import obstore

        return self._ask(lambda: any(page for page in obstore.list(self._store, folder.rstrip("/"), chunk_size=1)))

    def delete(self, names: Iterable[str]) -> None:
        """Remove objects; unknown ones are ignored."""
        import obstore

        chosen = sorted(set(names))
        if chosen:
            with suppress(FileNotFoundError):
                self._ask(lambda: obstore.delete(self._store, chosen))


def _read(meta: Any) -> ObjectState:
    return ObjectState(meta["e_tag"] or "", int(meta["size"]), meta["last_modified"])


@lru_cache(maxsize=64)
def _open(place: ObjectPlace, environment: tuple[tuple[str, str], ...], patience_s: float, _process: int) -> Bucket:
    """environment: what the store reads by itself, so that another one makes another store."""
    try:
        from obstore.store import S3Store
    except ImportError as error:
        raise MissingExtra("obstore", "s3") from error
    with translating(place.address):
        store = S3Store(
            place.bucket,
            prefix=place.prefix,
            client_options={
                # Whether it may be is checked when the environment is read.
                "allow_http": True,
                "connect_timeout": timedelta(seconds=CONNECT_S),
                "read_timeout": timedelta(seconds=SILENCE_S),
                "timeout": timedelta(minutes=10),
            },
            retry_config={
                "max_retries": _MOST_RETRIES,
                "retry_timeout": timedelta(seconds=patience_s),
                "backoff": {
                    "init_backoff": timedelta(milliseconds=100),
                    "max_backoff": timedelta(seconds=2),
                    "base": 2,
                },
            },
        )
    return Bucket(place.address, store)
