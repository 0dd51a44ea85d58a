"""What an archive remembers of slides that were removed: keyed digests, so that walks of folders pass them over."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Literal

from histoseek.archive.layout import ArchiveLayout
from histoseek.archive.schema import SlideRecord
from histoseek.errors import DamagedArchive
from histoseek.files import as_archive_errors, read_checked_json, write_checked_json
from histoseek.slides.sources.registry import source_name

_DIGEST_HEX = 32
_KEY_BYTES = 32

DigestKind = Literal["content", "address", "id", "name"]


@dataclass(frozen=True, slots=True)
class Tombstone:
    """One removed slide, as digests: of its content's fingerprint, its address, its id, and the names that lists may
    call it by (id, case, file)."""

    content: str
    address: str
    slide_id: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tombstones:
    """All removed slides of an archive; key: of the digests, of this archive alone."""

    key: bytes
    removed: tuple[Tombstone, ...] = ()
    _contents: frozenset[str] = field(init=False)
    _addresses: frozenset[str] = field(init=False)
    _ids: frozenset[str] = field(init=False)
    _names: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_contents", frozenset(one.content for one in self.removed))
        object.__setattr__(self, "_addresses", frozenset(one.address for one in self.removed))
        object.__setattr__(self, "_ids", frozenset(one.slide_id for one in self.removed))
        object.__setattr__(self, "_names", frozenset(name for one in self.removed for name in one.names))

    def __len__(self) -> int:
        return len(self.removed)

    def digest(self, kind: DigestKind, value: str) -> str:
        """A value as it is remembered."""
        return hmac.digest(self.key, f"{kind}\0{value}".encode("utf-8", "surrogatepass"), "sha256").hex()[:_DIGEST_HEX]

    def has_content(self, fingerprint: str) -> bool:
        """Whether a slide of this content was removed."""
        return bool(self.removed) and self.digest("content", fingerprint) in self._contents

    def has_address(self, uri: str) -> bool:
        """Whether a slide of this address was removed."""
        return bool(self.removed) and self.digest("address", uri) in self._addresses

    def has_id(self, slide_id: str) -> bool:
        """Whether a slide of this id was removed."""
        return bool(self.removed) and self.digest("id", slide_id) in self._ids

    def has_name(self, text: str) -> bool:
        """Whether a removed slide may be called so: by its id, its case, its file's name or address."""
        if not self.removed:
            return False
        return self.digest("name", text) in self._names or self.has_address(text)

    def add(self, records: Iterable[SlideRecord]) -> Tombstones:
        """With more removed slides."""
        known = set(self.removed)
        new = dict.fromkeys(one for record in records if (one := self._bury(record)) not in known)
        return replace(self, removed=(*self.removed, *new))

    def without(self, contents: Collection[str], uris: Collection[str], slide_ids: Collection[str]) -> Tombstones:
        """Without the slides of some contents, addresses or ids, which are to be taken in again."""
        gone = {self.digest("content", one) for one in contents} | {self.digest("address", one) for one in uris}
        gone |= {self.digest("id", one) for one in slide_ids}
        left = (one for one in self.removed if not {one.content, one.address, one.slide_id} & gone)
        return replace(self, removed=tuple(left))

    def _bury(self, record: SlideRecord) -> Tombstone:
        name = source_name(record.uri)
        names: Sequence[str | None] = (record.slide_id, record.case_id, name, PurePath(name).stem)
        return Tombstone(
            self.digest("content", record.file_fingerprint),
            self.digest("address", record.uri),
            self.digest("id", record.slide_id),
            tuple(sorted({self.digest("name", one) for one in names if one})),
        )


def read_tombstones(layout: ArchiveLayout) -> Tombstones:
    """What is remembered of removed slides; raises DamagedArchive."""
    try:
        data = read_checked_json(layout.tombstones)
        removed = tuple(
            Tombstone(one["content"], one["address"], one["id"], tuple(one["names"])) for one in data["removed"]
        )
        return Tombstones(bytes.fromhex(data["key"]), removed)
    except FileNotFoundError:
        return Tombstones(secrets.token_bytes(_KEY_BYTES))
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = "it says which slides were removed, and cannot be read: `histoseek verify --repair` puts it aside"
        raise DamagedArchive(layout.tombstones, reason) from error


def read_or_begin_tombstones(layout: ArchiveLayout) -> Tombstones:
    """As `read_tombstones`; none, with a new key, where the file can't be read."""
    try:
        return read_tombstones(layout)
    except DamagedArchive:
        return Tombstones(secrets.token_bytes(_KEY_BYTES))


def mark_erased(layout: ArchiveLayout) -> None:
    """Let the file be another one, so that other machines see that there was something to be erased."""
    with suppress(DamagedArchive):
        write_tombstones(layout, read_tombstones(layout), secrets.token_hex(8))


def write_tombstones(layout: ArchiveLayout, tombstones: Tombstones, erased: str = "") -> None:
    """Put them in the place of the last ones, in one step; erased: what tells the last erasure from others."""
    removed = [
        {"content": one.content, "address": one.address, "id": one.slide_id, "names": one.names}
        for one in tombstones.removed
    ]
    with as_archive_errors(layout.root):
        mark = {"erased": erased} if erased else {}
        write_checked_json(layout.tombstones, {"key": tombstones.key.hex(), "removed": removed, **mark})
    layout.publish()
