"""What becomes of the names that users give files: a suffix we know, and a text to show."""

from __future__ import annotations

import unicodedata
from pathlib import PurePosixPath

from histoseek.server.uploads.errors import UnknownFormat
from histoseek.slides.readers.formats import SUFFIXES

_MULTI_FILE_SUFFIXES = frozenset((".mrxs", ".vms", ".vmu"))
UPLOAD_SUFFIXES = SUFFIXES - _MULTI_FILE_SUFFIXES
"""Formats that keep a slide in one file."""

_MAX_LENGTH = 120
_HIDDEN_CATEGORIES = ("C", "Zl", "Zp")
"""Unicode categories: control and format characters (such as those that turn a text's direction), line ends."""


def require_suffix(filename: str) -> str:
    """The ending of a file's name, in small letters; raises UnknownFormat for none of UPLOAD_SUFFIXES."""
    suffix = PurePosixPath(make_display_name(filename)).suffix.lower()
    if suffix not in UPLOAD_SUFFIXES:
        raise UnknownFormat(tuple(sorted(UPLOAD_SUFFIXES)))
    return suffix


def make_display_name(filename: str) -> str:
    """A file's name as it may be shown: its last part, no control characters, at most 120 characters."""
    last = filename.replace("\\", "/").rpartition("/")[2]
    name = "".join(letter for letter in last if not unicodedata.category(letter).startswith(_HIDDEN_CATEGORIES)).strip()
    if len(name) > _MAX_LENGTH:
        stem, dot, suffix = name.rpartition(".")
        ending = f"{dot}{suffix}" if stem and len(suffix) < _MAX_LENGTH // 2 else ""
        name = name[: _MAX_LENGTH - len(ending)] + ending
    return name or "slide"
