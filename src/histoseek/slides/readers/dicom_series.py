"""Which series a DICOM file is of, from its head alone: no library is asked."""

from __future__ import annotations

import re
from pathlib import Path

_HEAD_BYTES = 2**18
_SERIES = re.compile(rb"\x20\x00\x0e\x00UI(..)", re.DOTALL)
"""The tag of SeriesInstanceUID with its type and length, as files of slides have it (explicit, little-endian)."""

_UID = re.compile(rb"[0-9.]{1,64}")


def find_series_uid(path: Path) -> str | None:
    """The SeriesInstanceUID in a file's head; None where there is none."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    match = _SERIES.search(head)
    if not match:
        return None
    value = head[match.end() : match.end() + int.from_bytes(match[1], "little")].rstrip(b"\0 ")
    return value.decode() if _UID.fullmatch(value) else None
