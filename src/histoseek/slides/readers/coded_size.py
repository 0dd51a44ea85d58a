"""The size that a coded picture states in its own header: decoders allocate by it, whatever the file around it says."""

from __future__ import annotations

from histoseek.geometry import Size

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8"
_CODESTREAM = b"\xff\x4f\xff\x51"
_NO_FRAMES = (0xC4, 0xC8, 0xCC)
"""Markers among those of frames that are of tables."""

_STANDALONE = (0x01, *range(0xD0, 0xDA))
_START_OF_SCAN = 0xDA
_MOST_HEADER_BYTES = 2**20


def read_coded_size(data: bytes) -> Size | None:
    """The largest size that the header of a JPEG, a JPEG 2000 or a PNG states; None for other pictures."""
    if data.startswith(_JPEG):
        return _read_jpeg(data)
    if data.startswith(_PNG):
        return Size(_number(data, 16, 4), _number(data, 20, 4))
    start = data.find(_CODESTREAM, 0, _MOST_HEADER_BYTES)
    # Behind the marker: its length, capabilities, then the far corner of the picture.
    return Size(_number(data, start + 8, 4), _number(data, start + 12, 4)) if start >= 0 else None


def _read_jpeg(data: bytes) -> Size | None:
    """The frame's size; where several are given, as none of a scanner are, the larger edges."""
    place, width, height = 2, 0, 0
    while place + 4 <= len(data):
        if data[place] != 0xFF:
            place += 1
            continue
        marker = data[place + 1]
        if marker == 0xFF or marker in _STANDALONE:
            place += 1 if marker == 0xFF else 2
            continue
        if marker == _START_OF_SCAN:
            break
        if 0xC0 <= marker <= 0xCF and marker not in _NO_FRAMES:
            height, width = max(height, _number(data, place + 5, 2)), max(width, _number(data, place + 7, 2))
        place += 2 + max(2, _number(data, place + 2, 2))
    return Size(width, height) if width and height else None


def _number(data: bytes, place: int, length: int) -> int:
    return int.from_bytes(data[place : place + length], "big")
