"""JPEG: encoding and decoding pixels, and making the JPEG tiles of a TIFF into files that every browser reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import imagecodecs
import numpy as np

from histoseek.geometry import Size
from histoseek.slides.readers.base import Pixels

QUALITY = 85

ColourTransform = Literal[0, 1]
"""As in the marker of Adobe: 0 when RGB is stored, 1 when YCbCr is."""

_START, _END, _SCAN = b"\xff\xd8", b"\xff\xd9", 0xDA
_FRAMES = (0xC0, 0xC1)
"""Baseline and extended sequential: one pass over the pixels, Huffman coded."""

_NEEDED = (*_FRAMES, 0xC4, 0xDB, 0xDD)
"""Frame, Huffman tables, quantisation tables, restart interval."""

_SPOKEN = (*range(0xE0, 0xF0), 0xFE)
"""Application data and comments: may hold anything, and are left out."""


def encode(pixels: Pixels) -> bytes:
    """RGB pixels [height, width, 3] as a JPEG file with halved chroma."""
    # Of libjpeg-turbo's bindings at hand this takes RGB as it is, and lets other threads run meanwhile.
    return bytes(imagecodecs.jpeg8_encode(np.ascontiguousarray(pixels), level=QUALITY, subsampling="420"))


def decode(data: bytes) -> Pixels:
    """The RGB pixels of a JPEG file, uint8 [height, width, 3]; raises RuntimeError or ValueError when it is damaged."""
    return np.asarray(imagecodecs.jpeg8_decode(data))


def complete(stored: bytes, tables: bytes, transform: ColourTransform, size: Size) -> bytes:
    """The JPEG tile of a TIFF, with its shared tables (a JPEG without pixels, or nothing), as a file of its own.

    A tile does not say whether it stores RGB or YCbCr, the TIFF around it does; here a marker says it (ITU-T T.872,
    6.5.3). Nothing is decoded: pixels stay as they were stored. Comments and application data are left out. Raises
    ValueError for what is not a sequential JPEG of this size and of three components in one scan.
    """
    frame = bytes([8]) + size.height.to_bytes(2) + size.width.to_bytes(2) + bytes([3])
    shared = [segment for kind, segment, _ in _split_segments(tables) if kind != _SCAN] if tables else []
    segments: list[bytes] = []
    for kind, segment, end in _split_segments(stored):
        if kind in _FRAMES and segment[4:10] != frame:
            raise ValueError("a JPEG of another size or type than the rest")
        if kind != _SCAN:
            segments.append(segment)
            continue
        finish = stored.find(_END, end)
        if segment[4:5] != b"\x03" or finish < 0:
            raise ValueError("a JPEG of several scans, or cut off")
        adobe = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00" + bytes([transform])
        return b"".join((_START, adobe, *shared, *segments, segment, stored[end:finish], _END))
    raise ValueError("a JPEG without pixels")


def _split_segments(data: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Marker, bytes and end of the needed segments of a JPEG, up to the first scan's header."""
    if data[:2] != _START:
        raise ValueError("no JPEG")
    place = 2
    while data[place : place + 2] != _END:
        kind, length = data[place : place + 2], int.from_bytes(data[place + 2 : place + 4])
        end = place + 2 + length
        if length < 2 or end > len(data) or kind[0] != 0xFF or kind[1] not in (*_NEEDED, *_SPOKEN, _SCAN):
            raise ValueError("a JPEG that is damaged or of an unusual kind")
        if kind[1] not in _SPOKEN:
            yield kind[1], data[place:end], end
        if kind[1] == _SCAN:
            return
        place = end
