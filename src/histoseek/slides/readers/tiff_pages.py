"""Which page of a TIFF without a scanner's description is the slide, and what its tags say of it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile

from histoseek.errors import UnreadableSlide
from histoseek.slides.readers.base import PixelReader
from histoseek.slides.readers.oriented import orient
from histoseek.slides.readers.spacing import UM_PER_CM, UM_PER_INCH, read_resolution
from histoseek.slides.readers.tiff import TiffReader, find_fault, find_lower_levels, has_rgb, read_orientation

_UM_PER_RESOLUTION_UNIT = {2: UM_PER_INCH, 3: UM_PER_CM}
_UM_PER_IMAGEJ_UNIT = {
    **{"micron": 1.0, "microns": 1.0, "um": 1.0, "µm": 1.0, "μm": 1.0, "\\u00B5m": 1.0},
    **{"nm": 1e-3, "mm": 1e3, "cm": UM_PER_CM, "inch": UM_PER_INCH},
}
_APERIO_SPACING = re.compile(r"\|\s*MPP\s*=\s*(\d*\.?\d+)")
_ALIKE = 2
"""Pages of at least 1/2 of the largest one's pixels may be the slide as well as it."""

_MINISBLACK, _MINISWHITE = 1, 0


@dataclass(frozen=True, slots=True)
class SlidePage:
    """The page that is the slide: its number from 0, its orientation (1 to 8), its spacing if its tags state one, and
    whether its pixels have more than their colours."""

    index: int
    width: int
    height: int
    orientation: int
    spacing_um_per_px: float | None
    has_extra_samples: bool


def choose_page(path: Path) -> SlidePage | None:
    """The largest page of a TIFF; None when its tags cannot be read.

    Raises UnreadableSlide for a stack, a series, channels in pages of their own, and several pictures of like size.
    """
    try:
        with tifffile.TiffFile(path) as tiff:
            pages = [page for page in tiff.pages if not page.is_mask]
            full = [page for page in pages if not page.is_reduced] or pages
            _require_single(tiff, full, path)
            page = max(full, key=_count_pixels)
            _require_colours(page, path)
            size, extra = (page.imagewidth, page.imagelength), bool(page.extrasamples)
            return SlidePage(page.index, *size, read_orientation(page), read_tiff_resolution(page), extra)
    except (MemoryError, UnreadableSlide):
        raise
    except Exception:
        # In damaged headers tifffile meets errors of every kind; the next reader says what is wrong.
        return None


def open_page(path: Path, page: SlidePage) -> PixelReader | None:
    """A reader of a page of 8-bit RGB with its levels; None for other pixels, and where its codec is not at hand.

    For pages that OpenSlide cannot open or shows wrongly: turned ones tile by tile, extra samples as if they were
    transparency, labels as levels, and none of the newer compressions.
    """
    tiff = tifffile.TiffFile(path)
    try:
        full = tiff.pages[page.index]
        if find_fault(full) or not has_rgb(full):
            tiff.close()
            return None
        levels = ((full,), *find_lower_levels((full,), tiff.pages))
        reader = TiffReader(path, tiff, levels, page.spacing_um_per_px, "generic-tiff")
        for level in reader.levels:
            reader.read(level.index, level.size.width // 2, level.size.height // 2, 1, 1)
    except Exception:
        # In damaged tags tifffile meets errors of every kind; the next reader says what is wrong.
        tiff.close()
        return None
    return orient(reader, page.orientation)


def read_tiff_resolution(page: tifffile.TiffPage) -> float | None:
    """The spacing that a page's resolution tags give, also with a unit in the words of ImageJ; that of ImageScope's
    description before it."""
    if (um_per_px := _read_aperio(page.description)) is not None:
        return um_per_px
    ratios = [page.tags.valueof(name) for name in ("XResolution", "YResolution")]
    if not all(isinstance(ratio, tuple) and len(ratio) == 2 and min(ratio) > 0 for ratio in ratios):
        return None
    unit = _UM_PER_RESOLUTION_UNIT.get(int(page.tags.valueof("ResolutionUnit", 2)))
    if page.is_imagej:
        unit = _UM_PER_IMAGEJ_UNIT.get(str(_read_imagej(page.description).get("unit")), unit)
    if unit is None:
        return None
    across, down = (unit * below / above for above, below in ratios)
    return read_resolution(across, down)


def _require_single(tiff: tifffile.TiffFile, pages: list[tifffile.TiffPage], path: Path) -> None:
    """Refuse what holds more than one picture of a size."""
    largest = max(map(_count_pixels, pages))
    alike = [page for page in pages if _count_pixels(page) * _ALIKE >= largest]
    planes = max(len(alike), _count_hidden_planes(tiff, pages[0]))
    if planes == 1:
        return
    imagej = _read_imagej(pages[0].description) if pages[0].is_imagej else {}
    what = [f"{imagej[name]} {name}" for name in ("channels", "slices", "frames") if imagej.get(name, "1") != "1"]
    size = f"{pages[0].imagewidth} x {pages[0].imagelength} px"
    inside = f"{' x '.join(what)} of {size}" if what else f"{planes} planes of like size ({size})"
    raise UnreadableSlide(path, f"{inside}: a stack, a series or channels, wanted one 8-bit RGB picture")


def _count_hidden_planes(tiff: tifffile.TiffFile, page: tifffile.TiffPage) -> int:
    """Planes that lie behind the only page of a file without pages of their own (ImageJ, MetaMorph, tifffile)."""
    if len(tiff.pages) > 1:
        return 1
    return max(page.imagedepth, math.prod(tiff.series[0].shape) // max(1, math.prod(page.shape)))


def _require_colours(page: tifffile.TiffPage, path: Path) -> None:
    colourless = page.photometric in (_MINISBLACK, _MINISWHITE)
    samples = page.samplesperpixel - len(page.extrasamples)
    if colourless and samples > 1:
        reason = f"{samples} channels that are not known to be red, green and blue, wanted one 8-bit RGB picture"
        raise UnreadableSlide(path, reason)
    if colourless and path.stem.lower().endswith(".ome"):
        raise UnreadableSlide(path, "one grey plane of an OME-TIFF without its OME-XML, wanted one 8-bit RGB picture")
    if len(page.extrasamples) > 1:
        raise UnreadableSlide(path, f"{page.samplesperpixel} samples a pixel, wanted one 8-bit RGB picture")
    if page.dtype not in (np.uint8, np.bool_):
        raise UnreadableSlide(path, f"pixels of type {page.dtype}, wanted 8-bit RGB")


def _count_pixels(page: tifffile.TiffPage) -> int:
    return page.imagewidth * page.imagelength


def _read_aperio(description: str) -> float | None:
    """The spacing that Aperio's description gives; none where the picture was made smaller since ("-> 1024x768")."""
    match = _APERIO_SPACING.search(description) if description.startswith("Aperio") else None
    spacing = float(match[1]) if match and "->" not in description else 0.0
    return spacing if spacing > 0 else None


def _read_imagej(description: str) -> dict[str, str]:
    """The lines `name=value` of ImageJ's description."""
    pairs = (line.partition("=") for line in description.splitlines())
    return {name.strip(): value.strip() for name, equals, value in pairs if equals}
