"""What processes do in tests: as they are told, whatever that is."""

from __future__ import annotations

import ctypes
import json
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from histoseek.errors import UnreadableSlide
from histoseek.sandbox.error_replies import dump_error
from histoseek.slides.readers.confined_process import SlideHandler

LIES: Mapping[str, list[object]] = {
    "lie-wide": [[2**31, 1, 1.0]],
    "lie-large": [[2**20, 2**20, 1.0]],
    "lie-level": [[100, 100, 1.0], [10**6, 10**6, 2.0]],
    "lie-downsample": [[100, 100, 1.0], [50, 50, 1e-300]],
    "lie-many": [[100, 100, 1.0]] * 1000,
    "lie-none": [],
    "lie-text": ["abc"],
}
"""Levels that no reader of ours says a slide has."""

_meeting = threading.Barrier(2)


def create_handler(arguments: Mapping[str, str | float | None]) -> Callable[[bytes], tuple[bytes, bytes | memoryview]]:
    """Of a slide where there is one, which a file's name lets fail; else what requests say."""
    path = arguments.get("path")
    return (lambda header: _read(Path(str(path)), header)) if path else _obey


def _obey(header: bytes) -> tuple[bytes, bytes]:
    request = json.loads(header)
    kind = request["kind"]
    if kind == "meet":
        _meeting.wait()
    if kind == "open":
        try:
            return b"opened", Path(request["path"]).read_bytes()
        except OSError as error:
            return dump_error(error), b""
    if kind in ("refuse", "raise"):
        error = UnreadableSlide("elsewhere", "a\nb") if kind == "refuse" else ZeroDivisionError("secret")
        return dump_error(error), b""
    _fail(kind)
    return header, bytes(range(10))


_slides: dict[Path, SlideHandler] = {}


def _read(path: Path, header: bytes) -> tuple[bytes, bytes | memoryview]:
    if header == b"{}" and path.stem in LIES:
        return json.dumps({"levels": LIES[path.stem], "spacing_um_per_px": 0.5, "vendor": "x"}).encode(), b""
    if header != b"{}":
        _fail(path.stem.partition("-")[0])
    return _slides.setdefault(path, SlideHandler(path))(header)


def _fail(kind: str) -> None:
    if kind == "crash":
        ctypes.string_at(0)
    if kind == "hog":
        bytearray(2**40)
    if kind == "hang":
        threading.Event().wait()
    if kind == "exit":
        os._exit(0)
