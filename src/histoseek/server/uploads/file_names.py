"""Names of files that come from a network: how they may be shown, and which may be part of a path."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from pathlib import PurePosixPath

from histoseek.errors import InputError
from histoseek.server.uploads.errors import UnknownFormat
from histoseek.slides.readers.base import SUFFIXES

_MULTI_FILE_SUFFIXES = frozenset((".mrxs", ".vms", ".vmu"))

UPLOAD_SUFFIXES = SUFFIXES - _MULTI_FILE_SUFFIXES
"""Formats that keep a slide in one file."""

_MAX_LENGTH = 120
_MAX_NAME_BYTES = 200
"""Of one part of a path: file systems know 255."""

_HIDDEN_CATEGORIES = ("C", "Zl", "Zp")
"""Unicode categories: control and format characters (such as those that turn a text's direction), line ends."""

_WINDOWS_FORBIDS = frozenset('<>:"|?*')


def require_suffix(filename: str) -> str:
    """The ending of a file's name, in small letters; raises UnknownFormat for none of UPLOAD_SUFFIXES."""
    suffix = PurePosixPath(make_display_name(filename)).suffix.lower()
    if suffix not in UPLOAD_SUFFIXES:
        raise UnknownFormat(tuple(sorted(UPLOAD_SUFFIXES)))
    return suffix


def make_display_name(filename: str) -> str:
    """A file's name as it may be shown: its last part, no control characters, at most 120 characters."""
    last = filename.replace("\\", "/").rpartition("/")[2]
    name = "".join(letter for letter in last if not _is_hidden(letter)).strip()
    if len(name) > _MAX_LENGTH:
        stem, dot, suffix = name.rpartition(".")
        ending = f"{dot}{suffix}" if stem and len(suffix) < _MAX_LENGTH // 2 else ""
        name = name[: _MAX_LENGTH - len(ending)] + ending
    return name or "slide"


def parse_relative_name(name: str) -> PurePosixPath:
    """A name with folders, as a path that leads nowhere else; raises InputError for what could, or be no file's."""
    path = unicodedata.normalize("NFC", name).replace("\\", "/")
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise _refuse(name, "is no name of a file within a folder")
    if any(_is_hidden(letter) or letter in _WINDOWS_FORBIDS for letter in path):
        raise _refuse(name, "has characters that names of files should not have")
    if any(part.startswith(".") or part != part.strip() or part.endswith(".") for part in parts):
        raise _refuse(name, "is hidden, or begins or ends oddly")
    if any(len(part.encode(errors="replace")) > _MAX_NAME_BYTES for part in parts):
        raise _refuse(name, f"is longer than {_MAX_NAME_BYTES} bytes")
    return PurePosixPath(path)


def require_different(paths: Iterable[PurePosixPath]) -> None:
    """Raise InputError for two names that some file system takes for one."""
    seen = set()
    for path in paths:
        key = unicodedata.normalize("NFKC", str(path)).casefold()
        if key in seen:
            raise _refuse(str(path), "comes twice, maybe in other letters")
        seen.add(key)


def _is_hidden(letter: str) -> bool:
    return unicodedata.category(letter).startswith(_HIDDEN_CATEGORIES)


def _refuse(name: str, what: str) -> InputError:
    return InputError(make_display_name(name), what, "Rename the file")
