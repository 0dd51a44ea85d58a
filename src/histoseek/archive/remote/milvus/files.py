"""The files of an archive in a collection, in pieces: nothing is changed in place, a newer entry takes over."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

from histoseek.archive.remote.base import LEASE_S, FileStamp
from histoseek.archive.remote.milvus.collections import FILLER, create_collection, join, pack, quote, split
from histoseek.archive.remote.milvus.connection import AbsentCollection, Database, MilvusAddress, connect
from histoseek.archive.remote.milvus.lock import WriteLock, require_lock

_BAGS = "bags/"
_PIECES_AT_ONCE = 64
_ENTRIES_AT_ONCE = 4096
_NAMES_AT_ONCE = 100
_ATTEMPTS = 20


class MilvusFiles:
    """RemoteFiles in Milvus.

    An entry of a file has a key that is larger the later it was made; the last one of a name counts. Its pieces are
    there before it, and are removed after a newer entry has come.
    """

    def __init__(self, address: str, lease_s: float = LEASE_S) -> None:
        """Nothing is asked for yet; lease_s: for how long a lock outlives a process that died."""
        self._database: Database
        self._address: MilvusAddress
        self._database, self._address = connect(address)
        self._name = self._address.name("files")
        self._lease_s = lease_s
        self._is_made = False

    def exists(self) -> bool:
        """Whether it has any file."""
        return bool(self.list_files())

    def list_files(self, prefix: str = "") -> Mapping[str, FileStamp]:
        """By their names."""
        entries = self._list_entries(prefix)
        return {name: one.stamp for name, one in entries.items() if one.stamp is not None}

    def read(self, name: str) -> bytes:
        """The content; raises FileNotFoundError."""
        for _ in range(_ATTEMPTS):
            entry = self._find(name)
            if entry is None:
                break
            data = self._read_pieces(entry)
            # Else another content has taken its place meanwhile.
            if data is not None:
                return data
        raise FileNotFoundError(name)

    def write(self, name: str, data: bytes) -> FileStamp:
        """Pieces first, then the entry."""
        require_lock(self._address)
        if not self._is_made:
            make_files_collection(self._database, self._address)
            self._is_made = True
        content = uuid.uuid4().hex
        pieces = [_entity(f"p{content}{part:06d}", "", text) for part, text in enumerate(split(data))]
        for some in pack(pieces, [len(piece["data"]) for piece in pieces]):
            self._database.insert(self._name, some)
        stamp = FileStamp(content, len(data))
        self._put_entries({name: (stamp, len(pieces))})
        return stamp

    def delete(self, names: Iterable[str]) -> None:
        """By entries that say so."""
        require_lock(self._address)
        chosen = sorted(set(names))
        with suppress(AbsentCollection):
            for start in range(0, len(chosen), _NAMES_AT_ONCE):
                known = self._find_all(chosen[start : start + _NAMES_AT_ONCE])
                if known:
                    self._put_entries(dict.fromkeys(known))

    def revision(self) -> str:
        """Noted with the collection."""
        try:
            return self._database.read_notes(self._name).get("revision", "")
        except AbsentCollection:
            return ""

    def locked(self) -> AbstractContextManager[None]:
        """By a collection."""
        return self._hold()

    def drop(self) -> None:
        """All its collections but those of the lock, which go when it is released."""
        self._is_made = False
        for name in self._list_own():
            self._database.drop(name)

    @contextmanager
    def _hold(self) -> Iterator[None]:
        with WriteLock(self._database, self._address, self._lease_s).held():
            yield
            # What lies in its log alone, a server of one process may lose that is ended while it puts things away.
            with ThreadPoolExecutor() as pool:
                list(pool.map(self._flush, self._list_own()))

    def _flush(self, name: str) -> None:
        with suppress(AbsentCollection):
            self._database.flush(name)

    def _list_own(self) -> list[str]:
        """The archive's collections but those of the lock."""
        lock = self._address.name("lock_")
        return [name for name in self._database.list_names(self._address.name("")) if not name.startswith(lock)]

    def _put_entries(self, entries: Mapping[str, tuple[FileStamp, int] | None]) -> None:
        """Let states of files count, None for one that is no more; then what they replace goes."""
        time = self._database.now()
        require_lock(self._address)
        made = []
        for number, (name, entry) in enumerate(entries.items()):
            stamp, pieces = entry or (FileStamp("", 0), 0)
            facts = {"revision": stamp.revision, "bytes": stamp.bytes, "pieces": pieces}
            made.append(_entity(f"e{time:020d}{number:06d}", name, json.dumps(facts)))
        self._database.insert(self._name, made)
        if not all(name.startswith(_BAGS) for name in entries):
            self._database.write_notes(self._name, {"revision": str(time)}, lambda: require_lock(self._address))
        self._remove_older(list(entries), time)
        gone = [row["key"] for row, entry in zip(made, entries.values(), strict=True) if entry is None]
        if gone:
            self._database.delete(self._name, f"key in [{', '.join(map(quote, gone))}]")

    def _remove_older(self, names: Sequence[str], time: int) -> None:
        where = f'name in [{", ".join(map(quote, names))}] and key < "e{time:020d}"'
        rows = self._database.query(self._name, where, ["key", "data"], time)
        contents = [json.loads(row["data"])["revision"] for row in rows]
        parts = [f'(key >= "p{content}" and key <= "p{content}999999")' for content in contents if content]
        if rows:
            older = f"key in [{', '.join(quote(row['key']) for row in rows)}]"
            self._database.delete(self._name, " or ".join([older, *parts]))

    def _find(self, name: str) -> _Entry | None:
        with suppress(AbsentCollection):
            return self._find_all([name]).get(name)
        return None

    def _find_all(self, names: Sequence[str]) -> dict[str, _Entry]:
        """Those of some files that are there, by their names."""
        where = f"name in [{', '.join(map(quote, names))}]"
        last = _keep_last(self._database.query(self._name, where, ["key", "name", "data"]))
        return {name: entry for name, entry in last.items() if entry.stamp is not None}

    def _list_entries(self, prefix: str) -> dict[str, _Entry]:
        """The last entry of each name, page by page."""
        begins = f" and name >= {quote(prefix)} and name < {quote(prefix + chr(0x10FFFF))}" if prefix else ""
        with suppress(AbsentCollection):
            return _keep_last(self._page(begins))
        return {}

    def _page(self, begins: str) -> Iterator[dict[str, Any]]:
        at = self._database.now()
        where = f'key >= "e" and key < "f"{begins}'
        keys = sorted(row["key"] for row in self._database.query(self._name, where, ["key"], at))
        for start in range(0, len(keys), _ENTRIES_AT_ONCE):
            some = keys[start : start + _ENTRIES_AT_ONCE]
            between = f'key >= "{some[0]}" and key <= "{some[-1]}"{begins}'
            yield from self._database.query(self._name, between, ["key", "name", "data"], at)

    def _read_pieces(self, entry: _Entry) -> bytes | None:
        keys = [f"p{entry.content}{part:06d}" for part in range(entry.pieces)]
        texts: dict[str, str] = {}
        for start in range(0, len(keys), _PIECES_AT_ONCE):
            some = keys[start : start + _PIECES_AT_ONCE]
            where = f"key in [{', '.join(map(quote, some))}]"
            rows = self._database.query(self._name, where, ["key", "data"], entry.time)
            texts |= {row["key"]: row["data"] for row in rows}
        return join([texts[key] for key in keys]) if len(texts) == len(keys) else None


def make_files_collection(database: Database, address: MilvusAddress) -> None:
    """Where an archive's files go, unless it is there."""
    create_collection(database, address.name("files"), "text", texts=("name", "data"))


class _Entry:
    """What is known of a file; stamp: None once it was deleted."""

    def __init__(self, row: Mapping[str, Any]) -> None:
        facts = json.loads(row["data"])
        self.key = row["key"]
        self.time = int(self.key[1:21])
        self.content = facts["revision"]
        self.pieces = facts["pieces"]
        self.stamp = FileStamp(self.content, facts["bytes"]) if self.content else None


def _keep_last(rows: Iterable[Mapping[str, Any]]) -> dict[str, _Entry]:
    """The last entry of each name."""
    last: dict[str, _Entry] = {}
    for row in rows:
        name, entry = row["name"], _Entry(row)
        if name not in last or entry.key > last[name].key:
            last[name] = entry
    return last


def _entity(key: str, name: str, data: str) -> dict[str, Any]:
    return {"key": key, "name": name, "data": data, "vector": FILLER}
