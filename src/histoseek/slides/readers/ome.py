"""OME-TIFF: the one picture of a file that is the slide, with everything about it from its own Image element."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import tifffile

from histoseek.errors import UnreadableSlide
from histoseek.slides.readers.base import PixelReader
from histoseek.slides.readers.ome_xml import OmeDescription, OmeImage, PlaneBlock, is_ome_xml, parse_ome_xml
from histoseek.slides.readers.oriented import orient
from histoseek.slides.readers.tiff import (
    PlanePages,
    TiffReader,
    describe_damage,
    find_fault,
    find_lower_levels,
    has_rgb,
    has_three_samples,
    read_orientation,
)
from histoseek.slides.readers.tiff_pages import read_tiff_resolution

_BESIDE = re.compile(
    r"(?:^|[^a-z])(?:label|macro|thumb(?:nail)?|overview|preview|barcode)(?:[ _-]*image)?[^a-z]*(?:\.[a-z]+)*$", re.I
)
"""Names of images that lie beside the slide: "label image", "Slide 1 - macro"."""

_BESIDE_OTHERS = re.compile(r"(?:label|macro|thumb(?:nail)?|barcode)(?:[ _-]*image)?(?:[^a-z]|$)", re.I)
"""Names that begin so ("Macro_12.scn", "label of 12.svs"): another image of the file is the slide, if it has one."""

_ALIKE = 2
"""Pictures of at least 1/2 of the largest one's pixels may be the slide as well as it; levels of a pyramid are
smaller."""

_PREVIEW = 4
"""A picture of less than 1/4 of the pixels of an image that cannot be read is not the slide."""

_Image = TypeVar("_Image")

_WANTED = "wanted one 8-bit RGB picture"


@dataclass(frozen=True, slots=True)
class _Candidate:
    """An image with the pages of its levels, or the reason why it cannot be read as a picture."""

    image: OmeImage
    levels: tuple[PlanePages, ...]
    objection: str

    @property
    def pixels(self) -> int:
        return self.image.width * self.image.height

    @property
    def text(self) -> str:
        name = f"'{self.image.name}', " if self.image.name else ""
        return f"{name}{self.image.width} x {self.image.height} px"


class _Unusable(Exception):
    """Why an image cannot be read as a picture."""


def open_ome(path: Path) -> PixelReader | None:
    """A reader of an OME-TIFF's slide; None for a TIFF without OME-XML.

    Raises UnreadableSlide for every OME-TIFF that is not plainly one 8-bit RGB picture: stacks, series, fluorescence,
    parts of a set of files.
    """
    try:
        tiff = tifffile.TiffFile(path)
    except Exception:
        # In damaged headers tifffile meets errors of every kind; the next reader says what is wrong.
        return None
    try:
        description = tiff.pages[0].description if len(tiff.pages) else ""
        if is_ome_xml(description):
            return _open(path, tiff, parse_ome_xml(description))
    except UnreadableSlide:
        tiff.close()
        raise
    except ValueError as error:
        tiff.close()
        raise UnreadableSlide(path, str(error).splitlines()[0]) from error
    except Exception as error:
        tiff.close()
        raise UnreadableSlide(path, describe_damage(error)) from error
    tiff.close()
    return None


def _open(path: Path, tiff: tifffile.TiffFile, description: OmeDescription) -> PixelReader:
    if description.companion:
        raise UnreadableSlide(
            path, f"a part of a set of files that {description.companion} describes; export the slide into one file"
        )
    files = _OwnFile(path, description)
    chosen = _choose([_examine(image, tiff, files) for image in description.images], path)
    page = chosen.levels[0][0]
    spacing = chosen.image.spacing_um_per_px
    if spacing is None:
        spacing = read_tiff_resolution(page)
    reader = TiffReader(path, tiff, chosen.levels, spacing, "ome-tiff")
    return orient(reader, read_orientation(page))


def drop_images_beside(images: Iterable[_Image], name_of: Callable[[_Image], str]) -> list[_Image]:
    """The images that may be the slide, by their names: neither label nor macro image, nor any of their kind.

    Privacy rests on it: it is the one rule for all formats that name their images.
    """
    slides = [image for image in images if not _BESIDE.search(name_of(image))]
    return [image for image in slides if not _BESIDE_OTHERS.match(name_of(image))] or slides


def _choose(candidates: list[_Candidate], path: Path) -> _Candidate:
    """The largest picture; what is named label, macro and the like never is."""
    slides = drop_images_beside(candidates, lambda candidate: candidate.image.name)
    if not slides:
        what = "label or macro images only" if candidates else "OME-XML without an image"
        raise UnreadableSlide(path, f"{what}, {_WANTED}")
    largest = max(slides, key=lambda candidate: candidate.pixels)
    readable = [candidate for candidate in slides if not candidate.objection]
    best = max(readable, key=lambda candidate: candidate.pixels, default=largest)
    if best.pixels * _PREVIEW <= largest.pixels or best.objection:
        raise UnreadableSlide(path, f"{largest.objection}, {_WANTED}")
    alike = [candidate.text for candidate in readable if candidate.pixels * _ALIKE >= best.pixels]
    if len(alike) > 1:
        several = f"{len(alike)} pictures of like size ({'; '.join(alike[:3])}{'; ...' if len(alike) > 3 else ''})"
        raise UnreadableSlide(path, f"{several}, of which each may be the slide; wanted one slide in a file")
    return best


class _OwnFile:
    """Tells blocks of planes that lie in this file from those in others of a set."""

    def __init__(self, path: Path, description: OmeDescription) -> None:
        self._name = path.name
        self._uuid = description.uuid
        self.has_one_image = len(description.images) == 1
        named = {block.file for image in description.images for block in image.blocks if block.file}
        self._alone = len(named) == 1 and self._is_renamed(*next(iter(named)), path.parent)

    def _is_renamed(self, uuid: str, name: str, folder: Path) -> bool:
        """Whether the only file that a description names is this one: it may have been given another name since."""
        contradicted = uuid and self._uuid and uuid != self._uuid
        return not contradicted and not (name and (folder / name).exists())

    def holds(self, block: PlaneBlock) -> bool:
        """Whether the pages of a block are pages of this file."""
        if block.file is None or self._alone:
            return True
        uuid, name = block.file
        return uuid == self._uuid if uuid and self._uuid else name.lower() == self._name.lower()


def _examine(image: OmeImage, tiff: tifffile.TiffFile, files: _OwnFile) -> _Candidate:
    try:
        _require_flat(image)
        pages = _find_pages(image, tiff, files)
        planes = _order_planes(image, pages)
    except _Unusable as error:
        return _Candidate(image, (), str(error))
    # Levels in pages of their own (libvips) may be those of any image.
    others = tiff.pages if files.has_one_image else ()
    return _Candidate(image, (planes, *find_lower_levels(planes, others)), "")


def _require_flat(image: OmeImage) -> None:
    if image.depths > 1:
        raise _Unusable(f"a stack of {image.depths} planes in depth")
    if image.times > 1:
        raise _Unusable(f"a series of {image.times} times")


def _find_pages(image: OmeImage, tiff: tifffile.TiffFile, files: _OwnFile) -> PlanePages:
    """The pages of the image's planes, by channel, all of this file."""
    elsewhere = sorted({block.file[1] for block in image.blocks if block.file and not files.holds(block)})
    if elsewhere:
        others = f"{', '.join(elsewhere[:3])}{', ...' if len(elsewhere) > 3 else ''}"
        raise _Unusable(f"a picture whose planes lie in other files of a set ({others})")
    if not (image.blocks or files.has_one_image):
        raise _Unusable("OME-XML that does not say which pages are those of an image")
    samples = image.channels[0].samples or 1 if image.channels else 1
    blocks = image.blocks or (PlaneBlock(0, 0, None, None),)
    first = _get_page(tiff, blocks[0].ifd)
    if samples == 1 and image.channel_count == first.samplesperpixel:
        samples = first.samplesperpixel  # three channels by name, in one page
    count = max(1, image.channel_count // samples)
    if count not in (1, 3):
        raise _Unusable(f"{count} channels{_list_names(image)}")
    indices = {
        block.first_channel + step: block.ifd + step
        for block in blocks
        for step in range(count if block.count is None else min(block.count, count))
    }
    if any(channel not in indices for channel in range(count)):
        raise _Unusable(f"a picture of {count} planes, of which some are missing")
    ifds = [indices[channel] for channel in range(count)]
    if len({*ifds}) < len(ifds):
        raise _Unusable("OME-XML that names one page for several channels")
    return tuple(_get_page(tiff, ifd) for ifd in ifds)


def _get_page(tiff: tifffile.TiffFile, index: int) -> tifffile.TiffPage:
    try:
        return tiff.pages[max(0, index)]
    except IndexError:
        raise _Unusable(f"OME-XML that names page {index + 1} of {len(tiff.pages)}") from None


def _order_planes(image: OmeImage, pages: PlanePages) -> PlanePages:
    """The page of red, green and blue, or three pages of one each, in this order."""
    for page in pages:
        if fault := find_fault(page):
            raise _Unusable(fault)
        if (page.imagewidth, page.imagelength) != (image.width, image.height):
            sizes = f"{image.width} x {image.height} px for a page of {page.imagewidth} x {page.imagelength} px"
            raise _Unusable(f"OME-XML that says {sizes}")
    names = _list_names(image)
    primaries = image.order_primaries()
    if len(pages) == 1 and has_three_samples(pages[0]):
        apart = len(image.channels) == 3 and image.channel_names and primaries is None
        one_of_three = len(image.channels) == 1 and image.channels[0].samples == pages[0].samplesperpixel
        declared = has_rgb(pages[0]) or primaries == (0, 1, 2) or one_of_three
        if not image.fluoresces and not apart and declared and primaries in (None, (0, 1, 2)):
            return pages
        raise _Unusable(f"three channels that are not red, green and blue{names}")
    if len(pages) == 3 and primaries and all(page.samplesperpixel == 1 for page in pages):
        return tuple(pages[index] for index in primaries)
    if len(pages) == 1:
        samples = pages[0].samplesperpixel
        raise _Unusable(f"one channel{names}" if samples == 1 else f"{samples} samples a pixel{names}")
    raise _Unusable(f"{len(pages)} channels that are not known to be red, green and blue{names}")


def _list_names(image: OmeImage) -> str:
    names = image.channel_names
    return f" ({', '.join(names[:5])}{', ...' if len(names) > 5 else ''})" if names else ""
