"""Which reader reads a file."""

from __future__ import annotations

from pathlib import Path

from histoseek.errors import SlideError, SlideTooLarge, UnreadableSlide
from histoseek.geometry import Size
from histoseek.slides.readers.base import PICTURE_SUFFIXES, SCANNER_SUFFIXES, PixelReader
from histoseek.slides.readers.ome import open_ome
from histoseek.slides.readers.ome_zarr import OmeZarrReader
from histoseek.slides.readers.openslide import PLAIN_TIFF, OpenSlideReader
from histoseek.slides.readers.picture import PictureReader
from histoseek.slides.readers.tiff import is_level
from histoseek.slides.readers.tiff_directories import MARKS, MOST_PIXELS, MOST_SIDE_PX, check_directories
from histoseek.slides.readers.tiff_pages import choose_page, open_page
from histoseek.slides.readers.vips import find_fast_reader

_MOST_LEVELS = 64


def open_reader(path: Path) -> PixelReader:
    """The fastest reader that gives a file's true pixels. Raises UnreadableSlide, SlideTooLarge."""
    is_tiff = _is_tiff(path)
    if is_tiff:
        check_directories(path)
    reader = OmeZarrReader(path) if path.is_dir() else _choose_reader(path, is_tiff)
    try:
        _check_levels(path, reader)
    except SlideError:
        reader.close()
        raise
    return reader


def _check_levels(path: Path, reader: PixelReader) -> None:
    if len(reader.levels) > _MOST_LEVELS:
        raise SlideTooLarge(path, f"{len(reader.levels):,} levels", f"{_MOST_LEVELS}")
    for level in reader.levels:
        width, height = level.size.width, level.size.height
        if min(width, height) < 1:
            raise UnreadableSlide(path, f"a level of {width} x {height} px")
        if max(width, height) > MOST_SIDE_PX or width * height > MOST_PIXELS:
            limits = f"{MOST_SIDE_PX:,} px a side and {MOST_PIXELS:,} in all"
            raise SlideTooLarge(path, f"a picture of {width:,} x {height:,} px", limits)


def _choose_reader(path: Path, is_tiff: bool) -> PixelReader:
    suffix = path.suffix.lower()
    if is_tiff and suffix not in SCANNER_SUFFIXES and (ome := open_ome(path)):
        return ome
    if suffix in PICTURE_SUFFIXES and not is_tiff:
        return PictureReader(path)
    try:
        reference = OpenSlideReader(path)
    except UnreadableSlide:
        if suffix in SCANNER_SUFFIXES:
            raise
        page = choose_page(path) if is_tiff else None
        return (open_page(path, page) if page else None) or PictureReader(path, page)
    reader: PixelReader | None = None
    try:
        reader = _find_truer_reader(path, reference)
    finally:
        if reader is not reference:
            reference.close()
    return reader


def _find_truer_reader(path: Path, reference: OpenSlideReader) -> PixelReader:
    """A reader of what OpenSlide opens: OpenSlide itself, a faster one that is equal, or, for a plain TIFF whose
    pixels it takes for something else, one that shows them as they are meant."""
    if reference.vendor != PLAIN_TIFF:
        return find_fast_reader(path, reference) or reference
    if path.suffix.lower() in SCANNER_SUFFIXES and (ome := open_ome(path)):
        return ome
    page = choose_page(path)
    if page is None:
        return find_fast_reader(path, reference) or reference
    reference.spacing_um_per_px = page.spacing_um_per_px
    sizes = [level.size for level in reference.levels]
    alike = sizes[0] == Size(page.width, page.height) and all(is_level(size, sizes[0]) for size in sizes[1:])
    alike = alike and page.orientation == 1 and not page.has_extra_samples
    fast = find_fast_reader(path, reference) if alike else None
    return fast or open_page(path, page) or (reference if alike else PictureReader(path, page))


def _is_tiff(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4) in MARKS
    except OSError:
        return False
