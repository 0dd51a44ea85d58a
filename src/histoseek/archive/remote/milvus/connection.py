"""How a Milvus server is reached: its address, deadlines, repeated calls, and its errors in our words."""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

from histoseek.archive.remote.address import hide_password
from histoseek.archive.remote.retries import Patience
from histoseek.errors import (
    AccessDenied,
    ArchiveError,
    DamagedArchive,
    DiskFull,
    InputError,
    MissingExtra,
    ServerUnreachable,
    ServerUnsuited,
)

T = TypeVar("T")

_CONNECT_S = 5.0
_CHECKED_S = 5.0
"""Of one try of what must not be written once a lock is lost: less than the part of a lease that no holder uses."""

_LEAST_VERSION = (2, 3)
_NAME = re.compile(r"[A-Za-z0-9]+(_[A-Za-z0-9]+)*")
_LONGEST_NAME = 100
_DEFAULT_PORT = 19530
_PAUSES_S = (0.05, 2.0)

_NOT_READY = (1, 2, 3, 5, 7, 8, 101, 103, 106, *range(200, 204), *range(500, 506), *range(900, 905), 1000, 1001, 2200)
"""Codes of a server that is starting, moving data or asked too much: the call may be repeated."""

_DENIED = (1400, 1401, 1800, 1801, 1806, 1807)
_ABSENT = 100


class AbsentCollection(Exception):
    """A collection is not there."""


@dataclass(frozen=True, slots=True)
class MilvusAddress:
    """Parts of milvus://[user:password@]host[:port]/[database/]ARCHIVE[?secure=true]; redacted: without password."""

    redacted: str
    host: str
    port: int
    database: str
    archive: str
    secure: bool
    token: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> MilvusAddress:
        """Raises InputError for an address that lacks a part."""
        redacted = hide_password(text)
        advice = "Give it as milvus://host:port/archive, or milvus://host:port/database/archive"
        try:
            parts = urlsplit(text)
            port = parts.port or _DEFAULT_PORT
        except ValueError:
            raise InputError(redacted, "is no address of an archive", advice) from None
        path = [unquote(one) for one in parts.path.split("/") if one]
        if not parts.hostname or len(path) not in (1, 2):
            raise InputError(redacted, "is no address of an archive", advice)
        if not _NAME.fullmatch(path[-1]) or len(path[-1]) > _LONGEST_NAME:
            rule = "On Milvus it has letters A to Z and digits, and single underscores between them"
            raise InputError(redacted, f"{path[-1]!r} can't be an archive's name", rule)
        options = parse_qs(parts.query)
        if set(options) - {"secure"}:
            raise InputError(
                redacted, f"unknown parameter {min(set(options) - {'secure'})!r}", "The only one is secure=true"
            )
        secure = options.get("secure", ["false"])[-1].lower() in ("true", "1")
        own = ":".join(unquote(one) for one in (parts.username, parts.password) if one)
        database = path[0] if len(path) == 2 else ""
        token = own or os.environ.get("MILVUS_TOKEN", "")
        return cls(redacted, parts.hostname, port, database, path[-1], secure, token)

    def name(self, rest: str) -> str:
        """A collection of this archive; no other archive's names begin so."""
        return f"hs_{self.archive}__{rest}"


class Database:
    """The collections of one database, for all archives in it; calls may be made from several threads."""

    def __init__(self, address: MilvusAddress) -> None:
        """Nothing is asked for yet."""
        self._address = address
        self._lock = threading.Lock()
        self._held: Any = None

    def call(self, ask: Callable[[Any, float], T]) -> T:
        """What the server answers; repeated while it is not ready for HISTOSEEK_SERVER_SECONDS (a restarted one needs
        some 20), so only for what may be done twice.

        ask: is given the client and the seconds that are left.
        """
        patience = Patience(*_PAUSES_S)
        while True:
            try:
                return ask(self._client(), max(1.0, patience.left_s))
            except Exception as error:
                if not is_transient(error):
                    raise self._translate(error) from error
                if patience.is_over:
                    raise ServerUnreachable(self._address.redacted, _reason(error)) from error
            patience.wait()

    def list_names(self, prefix: str) -> list[str]:
        """The collections whose names begin so."""
        names: Sequence[str] = self.call(lambda client, left_s: client.list_collections(timeout=left_s))
        return [name for name in names if name.startswith(prefix)]

    def has(self, name: str) -> bool:
        """Whether a collection is there."""
        return bool(self.call(lambda client, left_s: client.has_collection(name, timeout=left_s)))

    def read_notes(self, name: str) -> Mapping[str, str]:
        """What is noted with a collection: consistent, in about a millisecond; raises AbsentCollection."""

        def ask(client: Any, left_s: float) -> Mapping[str, str]:
            facts = client.describe_collection(name, timeout=left_s)
            return {**facts["properties"], "": facts["description"]}

        return self.call(ask)

    def write_notes(self, name: str, notes: Mapping[str, str], check: Callable[[], None] | None = None) -> None:
        """Note something with a collection, durably and as a whole; check: is asked before each try, and raises where
        it must not be written any more.

        Twice: etcd as a single process, as in a standalone server, answers before a change is on the disk, but begins
        none before the one ahead of it is (measured: killed at once, it had lost the last change, and that alone).
        """

        def ask(client: Any, left_s: float) -> None:
            if check is not None:
                check()
                left_s = min(left_s, _CHECKED_S)
            client.alter_collection_properties(name, dict(notes), timeout=left_s)

        for _ in range(2):
            self.call(ask)

    def drop(self, name: str) -> None:
        """Remove a collection, where there is one."""
        self.call(lambda client, left_s: client.drop_collection(name, timeout=left_s))

    def now(self) -> int:
        """The server's own clock, which never goes back: what was written before is seen by reads at it."""
        return int(self.call(lambda client, left_s: client._get_connection().alloc_timestamp(timeout=left_s)))

    def query(self, name: str, where: str, fields: Sequence[str], at: int | None = None) -> list[dict[str, Any]]:
        """Entities that satisfy an expression; at: a time of `now` that is seen at least, None: all written before."""

        def ask(client: Any, left_s: float) -> list[dict[str, Any]]:
            seen = {"consistency_level": "Strong"} if at is None else _seen_at(at)
            return list(client.query(name, filter=where, output_fields=list(fields), timeout=left_s, **seen))

        return self.call(ask)

    def search(
        self, name: str, vector: Any, count: int, where: str, fields: Sequence[str], ef: int, at: int
    ) -> list[dict[str, Any]]:
        """The entities nearest to a vector by cosine, best first."""

        def ask(client: Any, left_s: float) -> list[dict[str, Any]]:
            found = client.search(
                name,
                data=[vector],
                filter=where,
                limit=count,
                output_fields=list(fields),
                search_params={"metric_type": "COSINE", "params": {"ef": ef}},
                anns_field="vector",
                timeout=left_s,
                **_seen_at(at),
            )
            return [{"distance": one["distance"], **one["entity"]} for one in found[0]]

        return self.call(ask)

    def insert(self, name: str, entities: Sequence[Mapping[str, Any]], check: Callable[[], None] | None = None) -> None:
        """Add entities of new keys; once more only in a way that can't make them twice. check: as of `write_notes`."""
        if not entities:
            return
        tried: list[bool] = []

        def ask(client: Any, left_s: float) -> None:
            if check is not None:
                check()
            handler = client._get_connection()
            write = handler.upsert_rows if tried else handler.insert_rows
            tried.append(True)
            # By its place the deadline is for one attempt: by its name the client would repeat it for as long.
            context = client._generate_call_context()
            write(name, list(entities), "", None, left_s, context=context, retry_times=0)

        self.call(ask)

    def delete(self, name: str, where: str) -> None:
        """Remove the entities that satisfy an expression."""
        self.call(lambda client, left_s: client.delete(name, filter=where, timeout=left_s))

    def flush(self, name: str) -> None:
        """Have the server write what it holds of a collection into files, which then get an index."""
        self.call(lambda client, left_s: client.flush(name, timeout=left_s))

    def compact(self, name: str) -> None:
        """Have the server join a collection's files without what was removed, in its own time."""
        self.call(lambda client, left_s: client.compact(name, timeout=left_s))

    def _client(self) -> Any:
        with self._lock:
            if self._held is None:
                self._held = self._connect()
            return self._held

    def _connect(self) -> Any:
        try:
            from pymilvus import MilvusClient
        except ImportError as error:
            raise MissingExtra("pymilvus", "milvus") from error
        # It writes whole tracebacks of what is said in one line here.
        logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
        address = self._address
        uri = f"{'https' if address.secure else 'http'}://{address.host}:{address.port}"
        options: dict[str, Any] = {"secure": True} if address.secure else {}
        if address.secure and os.environ.get("MILVUS_CA"):
            options["ca_pem_path"] = os.environ["MILVUS_CA"]
        client = MilvusClient(uri, token=address.token, db_name=address.database, timeout=_CONNECT_S, **options)
        version = str(client.get_server_version(timeout=_CONNECT_S))
        found = re.match(r"v?(\d+)\.(\d+)", version)
        if found and (int(found[1]), int(found[2])) < _LEAST_VERSION:
            raise ServerUnsuited(address.redacted, f"Milvus {version} is too old", "Use Milvus 2.3 or newer")
        if address.database and address.database not in client.list_databases(timeout=_CONNECT_S):
            advice = "Have it created, or leave it out of the address for the default one"
            raise ServerUnsuited(address.redacted, f"there is no database {address.database!r}", advice)
        return client

    def _translate(self, error: Exception) -> Exception:
        if isinstance(error, ArchiveError | MissingExtra | AbsentCollection):
            return error
        code, text, address = _code(error), _reason(error), self._address
        if code == _ABSENT or "collection not found" in text or "can't find collection" in text:
            return AbsentCollection(text)
        if _is_denied(error):
            advice = "Give user:password, or a key, in the variable MILVUS_TOKEN"
            return AccessDenied(address.redacted, "wrong or missing token, or no rights", advice)
        if "no space left" in text or "disk quota" in text or "memory quota" in text:
            return DiskFull(address.redacted)
        return DamagedArchive(address.redacted, text)


def connect(address: str) -> tuple[Database, MilvusAddress]:
    """The database of an archive's address, one for each in a process; nothing is asked for yet."""
    parts = MilvusAddress.parse(address)
    key = (os.getpid(), parts.host, parts.port, parts.database, parts.secure, parts.token)
    with _LOCK:
        return _OPEN.setdefault(key, Database(parts)), parts


_OPEN: dict[tuple[object, ...], Database] = {}
_LOCK = threading.Lock()


def _seen_at(at: int) -> dict[str, Any]:
    return {"consistency_level": "Customized", "guarantee_timestamp": at}


def is_transient(error: Exception) -> bool:
    """Whether a call may succeed when it is made again."""
    if isinstance(error, ArchiveError | AbsentCollection | MissingExtra) or _is_denied(error):
        return False
    if _status(error) in ("UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "RESOURCE_EXHAUSTED", "UNKNOWN"):
        return True
    text = _reason(error)
    if any(part in text for part in ("database not found", "collection not found")):
        return False
    return _code(error) in _NOT_READY or type(error).__name__ in ("ConnectError", "MilvusUnavailableException")


def _is_denied(error: BaseException | None) -> bool:
    """Whether it, or what the client made it of, says so: of connections that are refused it tells nothing itself."""
    seen: set[int] = set()
    # The client names errors as causes of themselves.
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        is_status = _status(error) in ("UNAUTHENTICATED", "PERMISSION_DENIED")
        if is_status or _code(error) in _DENIED or "auth check fail" in _reason(error):
            return True
        cause = error.__cause__
        error = error.__context__ if cause is None or cause is error else cause
    return False


def _code(error: BaseException) -> int:
    code = getattr(error, "code", None)
    return code if isinstance(code, int) else -1


def _status(error: BaseException) -> str:
    """Of the connection, by its name: the client raises its classes in two guises."""
    code = getattr(error, "code", None)
    code = code() if callable(code) else code
    return str(getattr(code, "name", ""))


def _reason(error: BaseException) -> str:
    """In one short line."""
    details = getattr(error, "details", None)
    text = str(getattr(error, "message", "") or (details() if callable(details) else "") or error)
    return " ".join(text.split())[:200]
