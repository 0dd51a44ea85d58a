"""Files that look like slides and are none, or that cost far more than their size says."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

_TILE_PX = 512


def write_flat_png(path: Path, edge_px: int) -> None:
    """A black square of one bit a pixel: 13,000 px an edge take 20 kB, and 500 MB once decoded to RGB."""
    packer = zlib.compressobj(9)
    row = bytes(edge_px // 8 + 2)
    data = b"".join(packer.compress(row) for _ in range(edge_px)) + packer.flush()
    header = struct.pack("!IIBBBBB", edge_px, edge_px, 1, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in parts))


def write_repeating_tiff(path: Path, edge_px: int) -> None:
    """A tiled TIFF of one level, all of whose tiles are the same few bytes of the file."""
    tile = zlib.compress(bytes(3 * _TILE_PX * _TILE_PX), 9)
    tiles = (-(-edge_px // _TILE_PX)) ** 2
    entries = 11
    bits = 8 + 2 + 12 * entries + 4
    counts = bits + 6
    offsets, data = counts + 4 * tiles, counts + 8 * tiles
    tags = [
        (256, 4, 1, edge_px),
        (257, 4, 1, edge_px),
        (258, 3, 3, bits),
        (259, 3, 1, 8),
        (262, 3, 1, 2),
        (277, 3, 1, 3),
        (284, 3, 1, 1),
        (322, 3, 1, _TILE_PX),
        (323, 3, 1, _TILE_PX),
        (324, 4, tiles, offsets),
        (325, 4, tiles, counts),
    ]
    directory = struct.pack("<H", entries) + b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(4)
    lengths, places = (struct.pack("<I", number) * tiles for number in (len(tile), data))
    path.write_bytes(b"II*\0\x08\0\0\0" + directory + struct.pack("<3H", 8, 8, 8) + lengths + places + tile)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack("!I", len(content)) + kind + content + struct.pack("!I", zlib.crc32(kind + content))
