"""JPEG 2000 tiles, as one family of scanners stores them."""

from __future__ import annotations

import imagecodecs
import numpy as np

from histoseek.geometry import Size
from histoseek.slides.readers.base import Pixels

_START = b"\xff\x4f\xff\x51"
"""Start of a codestream, and of the segment with its size, which comes first (ITU-T T.800, A.5.1)."""

_THREE_OF_8_BITS = b"\x00\x03" + 3 * b"\x07\x01\x01"


def decode(data: bytes, size: Size) -> Pixels:
    """The RGB pixels of a codestream of this size, uint8 [height, width, 3].

    Raises ValueError for another size or type, before anything is decoded, or RuntimeError for damage.
    """
    extent = b"".join(number.to_bytes(4) for number in (size.width, size.height, 0, 0))
    if data[:4] != _START or data[8:24] != extent or data[40:51] != _THREE_OF_8_BITS:
        raise ValueError("a JPEG 2000 of another size or type than the rest")
    return np.asarray(imagecodecs.jpeg2k_decode(data))
