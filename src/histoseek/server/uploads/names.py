"""What becomes of the names that users give files: a suffix we know, and a text to show."""

from __future__ import annotations

import unicodedata
from pathlib import PurePosixPath

from histoseek.server.uploads.errors import UnknownFormat
from histoseek.slides.readers.formats import SUFFIXES

_OF_SEVERAL_FILES = frozenset((".mrxs", ".vms", ".vmu"))
UPLOAD_SUFFIXES = SUFFIXES - _OF_SEVERAL_FILES
"""Formats that keep a slide in one file."""

_LONGEST = 120
_NOT_SHOWN = ("C", "Zl", "Zp")
"""Unicode categories: control and format characters (such as those that turn a text's direction), line ends."""


def known_suffix(filename: str) -> str:
    """The ending of a file's name, in small letters; raises UnknownFormat for none of UPLOAD_SUFFIXES."""
    suffix = PurePosixPath(display_name(filename)).suffix.lower()
    if suffix not in UPLOAD_SUFFIXES:
        raise UnknownFormat(tuple(sorted(UPLOAD_SUFFIXES)))
    return suffix


def display_name(filename: str) -> str:
    """A file's name as it may be shown: its last part, no control characters, at most 120 characters."""
    last = filename.replace("\\", "/").rpartition("/")[2]
    shown = "".join(letter for letter in last if not unicodedata.category(letter).startswith(_NOT_SHOWN)).strip()
    if len(shown) > _LONGEST:
        stem, dot, suffix = shown.rpartition(".")
        ending = f"{dot}{suffix}" if stem and len(suffix) < _LONGEST // 2 else ""
        shown = shown[: _LONGEST - len(ending)] + ending
    return shown or "slide"
