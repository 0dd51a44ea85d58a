"""Which files are slides, and which reader reads them."""

from __future__ import annotations

from pathlib import Path

from histoseek.errors import UnreadableSlide
from histoseek.slides.readers.base import PixelReader
from histoseek.slides.readers.ome import OmeTiffReader, is_ome_tiff
from histoseek.slides.readers.openslide import OpenSlideReader
from histoseek.slides.readers.picture import PictureReader
from histoseek.slides.readers.vips import find_fast_reader

_TIFF_SUFFIXES = (".tif", ".tiff", ".btf")
_PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")
_WSI_SUFFIXES = (".svs", ".svslide", ".ndpi", ".vms", ".vmu", ".mrxs", ".scn", ".bif", ".dcm")
SUFFIXES = frozenset((*_WSI_SUFFIXES, *_TIFF_SUFFIXES, *_PICTURE_SUFFIXES))


def open_reader(path: Path) -> PixelReader:
    """The fastest reader that gives a file's true pixels. Raises UnreadableSlide."""
    suffix = path.suffix.lower()
    if suffix in _TIFF_SUFFIXES and is_ome_tiff(path):
        return OmeTiffReader(path)
    if suffix in _PICTURE_SUFFIXES:
        return PictureReader(path)
    try:
        reference = OpenSlideReader(path)
    except UnreadableSlide:
        if suffix in _TIFF_SUFFIXES:
            return PictureReader(path)
        raise
    fast = find_fast_reader(path, reference)
    if fast is None:
        return reference
    reference.close()
    return fast
