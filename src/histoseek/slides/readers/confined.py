"""Pixels of a file that another process reads, which may do little else (docs/decisions/0049)."""

from __future__ import annotations

import json
import math
import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from histoseek.errors import UnreadableSlide
from histoseek.geometry import Level, Size
from histoseek.sandbox.error_replies import parse_error
from histoseek.sandbox.failures import ChildError
from histoseek.sandbox.forks import ForkedProcess, get_fork_server
from histoseek.sandbox.readings import fork, get_reading_limits
from histoseek.slides.readers.base import Pixels
from histoseek.slides.readers.tiff_directories import MOST_PIXELS, MOST_SIDE_PX

_HANDLER = "histoseek.slides.readers.confined_process"
_CHANNELS = 8
"""Threads that read one slide at the same time; further ones wait."""

_FOLDERS = {".mrxs", ".vms", ".vmu", ".dcm", ".ndpis"}
"""Formats that keep a slide in several files."""

_DICOM_MARK_AT = 128

_MOST_LEVELS = 64
_LONGEST_VENDOR = 100
_LONGEST_UID = 64
_LEAST_DOWNSAMPLE = 0.999
_MOST_PIXELS = 2**28
"""Of one request, so that a process can't be made to take any memory."""

PIXELS = b"pixels"
"""The header of a reply with pixels behind it."""

_Facts = tuple[tuple[Level, ...], float | None, str]

_reopening = threading.Lock()


def _forget_lock() -> None:
    global _reopening  # noqa: PLW0603
    _reopening = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_lock)


class ConfinedReader:
    """A PixelReader over another process, which has opened the file; raises UnreadableSlide for what ends it."""

    def __init__(self, path: Path, uri: str) -> None:
        """uri: what the slide is called in errors."""
        self._uri = uri
        self._path = path.absolute()
        self._process, facts = self._open()
        self.levels, self.spacing_um_per_px, self.vendor = facts

    def read(self, level: int, x: int, y: int, width: int, height: int) -> Pixels:
        """A region in the level's own pixels."""
        out = np.empty((height, width, 3), np.uint8)
        rows = max(1, _MOST_PIXELS // max(1, width))
        for top in range(0, height, rows):
            part = out[top : top + rows]
            self._read_into(part, level, x, y + top)
        return out

    def close(self) -> None:
        """End the process."""
        self._process.close()

    def _read_into(self, out: Pixels, level: int, x: int, y: int) -> None:
        height, width = out.shape[:2]
        place = {"level": level, "x": x, "y": y, "width": width, "height": height}
        try:
            header, _ = self._get_process().ask(place, out.reshape(-1).data)
        except ChildError as error:
            raise UnreadableSlide(self._uri, error.reason) from error
        if header != PIXELS:
            raise parse_error(header, self._uri, self._blame)

    def _get_process(self) -> ForkedProcess:
        """That of this very process: a worker that was copied from the one that opened the slide opens it anew."""
        if not self._process.is_ours:
            with _reopening:
                if not self._process.is_ours:
                    process, facts = self._open()
                    if facts != (self.levels, self.spacing_um_per_px, self.vendor):
                        process.close()
                        raise self._blame("the file was replaced")
                    self._process = process
        return self._process

    def _open(self) -> tuple[ForkedProcess, _Facts]:
        process = fork_reader(self._path)
        try:
            return process, self._ask_facts(process)
        except BaseException:
            process.close()
            raise

    def _ask_facts(self, process: ForkedProcess) -> _Facts:
        try:
            header, _ = process.ask({})
        except ChildError as error:
            raise UnreadableSlide(self._uri, error.reason) from error
        try:
            parts = json.loads(header)
            if "error" not in parts:
                return _parse_facts(parts)
        except (ValueError, KeyError, TypeError, RecursionError):
            pass
        raise parse_error(header, self._uri, self._blame)

    def _blame(self, reason: str) -> UnreadableSlide:
        return UnreadableSlide(self._uri, reason)


def load_series_uid(path: Path) -> str | None:
    """The DICOM series a file belongs to, if it is of one; raises UnreadableSlide."""
    process = fork_reader(path)
    try:
        header, _ = process.ask({"kind": "series"})
        parts = json.loads(header)
        if isinstance(parts, dict):
            raise parse_error(header, str(path), lambda reason: UnreadableSlide(path, reason))
        return str(parts)[:_LONGEST_UID] if parts is not None else None
    except (ChildError, ValueError, RecursionError) as error:
        raise UnreadableSlide(
            path, error.reason if isinstance(error, ChildError) else "it could not be read"
        ) from error
    finally:
        process.close()


def fork_reader(path: Path) -> ForkedProcess:
    """A process that may read a slide's files; raises ConfigurationError where none can be started."""
    path = path.absolute()
    limits = get_reading_limits(_CHANNELS)
    return fork(get_fork_server(_HANDLER), tuple(_list_files(path)), limits, {"path": str(path)}, _CHANNELS)


def _list_files(path: Path) -> Iterator[str]:
    """The file, and for formats of several files those around it, wherever links lead."""
    yield str(path)
    if path.suffix.lower() not in _FOLDERS and not _is_dicom(path):
        return
    for folder in (path.parent, path.with_suffix("")):
        if folder.is_dir():
            yield str(folder)
            with suppress(OSError):  # whoever may not list a folder can still read what is named
                yield from (str(one) for one in folder.iterdir() if one.is_symlink())


def _is_dicom(path: Path) -> bool:
    """By its content: archives of pictures name their files without endings."""
    try:
        with path.open("rb") as file:
            file.seek(_DICOM_MARK_AT)
            return file.read(4) == b"DICM"
    except OSError:
        return False


def _parse_facts(parts: dict[str, object]) -> _Facts:
    """What a process says of a slide; raises ValueError, KeyError, TypeError for what can't be."""
    levels, spacing, vendor = parts["levels"], parts["spacing_um_per_px"], parts["vendor"]
    if not isinstance(levels, list) or not 0 < len(levels) <= _MOST_LEVELS or not isinstance(vendor, str):
        raise TypeError
    if spacing is not None and not isinstance(spacing, float):
        raise TypeError
    if len(vendor) > _LONGEST_VENDOR or not vendor.isprintable():
        raise ValueError
    parsed = tuple(_parse_level(index, *level) for index, level in enumerate(levels))
    if any(not _lies_within(level, parsed[0]) for level in parsed):
        raise ValueError
    return parsed, spacing, vendor


def _parse_level(index: int, width: object, height: object, downsample: object) -> Level:
    if not (isinstance(width, int) and isinstance(height, int) and isinstance(downsample, float)):
        raise TypeError
    if not (0 < width <= MOST_SIDE_PX and 0 < height <= MOST_SIDE_PX and width * height <= MOST_PIXELS):
        raise ValueError
    return Level(index, Size(width, height), downsample)


def _lies_within(level: Level, finest: Level) -> bool:
    """Whether a level is no larger than the slide: how much is read for a picture of it is reckoned from these."""
    fits = level.size.width <= finest.size.width and level.size.height <= finest.size.height
    return fits and _LEAST_DOWNSAMPLE <= level.downsample < math.inf
