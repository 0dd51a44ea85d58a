"""What is written down beside an uploaded file, as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from histoseek.files import write_atomic
from histoseek.server.uploads.slide_facts import SlideFacts

_NAME = "upload.json"


@dataclass(frozen=True, slots=True)
class Part:
    """A file of an upload that comes file by file: its display name, its place below the upload's folder, its size.

    modified_s: when its owner's copy was changed last, in s since 1970; None where that wasn't said.
    """

    name: str
    place: str
    size_bytes: int
    modified_s: float | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """Whose a file is, its display name and suffix; claimed_bytes: set aside for it, its size once it is complete.

    parts: of an upload that comes file by file, in the order in which they were named; none of a single file.
    """

    owner: str
    name: str
    suffix: str
    created_s: float
    claimed_bytes: int
    spacing_um_per_px: float | None
    facts: SlideFacts | None
    parts: tuple[Part, ...] = ()


def write_record(folder: Path, record: Record) -> None:
    """Write the record of an upload's folder, in one step for readers."""
    write_atomic(folder / _NAME, _get_adapter().dump_json(record))


def read_record(folder: Path) -> Record | None:
    """The record of an upload's folder; None when it has none, or not a whole one."""
    try:
        return _get_adapter().validate_json((folder / _NAME).read_bytes())
    except (OSError, ValidationError):
        return None


@lru_cache(maxsize=1)
def _get_adapter() -> TypeAdapter[Record]:
    return TypeAdapter(Record)
