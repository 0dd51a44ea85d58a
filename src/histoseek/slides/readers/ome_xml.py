"""What the OME-XML of a TIFF says: its images, their channels and spacing, and which pages hold their planes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from histoseek.slides.readers.spacing import average_edges

_DOCTYPE = re.compile(r"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_OPENING = re.compile(r"<(\w+:)?OME[\s>]")
UM_PER_UNIT = {
    **{"µm": 1.0, "μm": 1.0, "um": 1.0, "micron": 1.0, "microns": 1.0, "micrometer": 1.0, "micrometre": 1.0},
    **{"m": 1e6, "dm": 1e5, "cm": 1e4, "mm": 1e3, "nm": 1e-3, "pm": 1e-6, "\u00c5": 1e-4, "\u212b": 1e-4},
    **{"nanometer": 1e-3, "millimeter": 1e3, "centimeter": 1e4, "meter": 1e6, "angstrom": 1e-4},
    **{"in": 25_400.0, "ft": 304_800.0, "pt": 25_400.0 / 72},
    **{"Âµm": 1.0, "Î¼m": 1.0, "\ufffdm": 1.0, "\ufffd\ufffdm": 1.0},  # µm, written in one encoding and read in another
}
_NO_LENGTHS = ("pixel", "reference frame")
_PRIMARIES = {"red": 0, "r": 0, "green": 1, "g": 1, "blue": 2, "b": 2}
_PRIMARY_COLOURS = {(255, 0, 0): 0, (0, 255, 0): 1, (0, 0, 255): 2}
_NUMBERING = re.compile(r"(channel|ch|c)?\d*")
_NEUTRAL_WORDS = ("channel", "ch", "c", "band", "rgb", "brightfield", "bf", "tl", "colour", "color", "component")
_FLUORESCENCE = re.compile(
    r"fluor|dapi|hoechst|fitc|tritc|rhodamine|\bcy ?[2357]|\b[egr]fp\b|alexa|\baf ?\d{3}|opal", re.IGNORECASE
)
_MARKS = ("Name", "Fluor", "AcquisitionMode", "ContrastMethod", "IlluminationType")


@dataclass(frozen=True, slots=True)
class OmeChannel:
    """A channel: its name, its colour as red, green and blue, its samples in each pixel, and whether it fluoresces."""

    name: str
    colour: tuple[int, int, int] | None
    samples: int | None
    fluoresces: bool

    @classmethod
    def named(cls, name: str, colour: tuple[int, int, int] | None) -> OmeChannel:
        """A channel of which name and colour are all that is known."""
        return cls(name, colour, None, _FLUORESCENCE.search(name) is not None)


@dataclass(frozen=True, slots=True)
class PlaneBlock:
    """Pages that hold planes of an image: from page `ifd` on those from channel `first_channel` on.

    count: how many, None for all; file: (UUID, name) of the file they are in, None for the one that says so.
    """

    ifd: int
    first_channel: int
    count: int | None
    file: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class OmeImage:
    """An Image element: sizes, channels, spacing (None: not given, NaN: of no use), and its blocks of planes."""

    name: str
    width: int
    height: int
    channel_count: int
    depths: int
    times: int
    channels: tuple[OmeChannel, ...]
    spacing_um_per_px: float | None
    blocks: tuple[PlaneBlock, ...]

    @property
    def channel_names(self) -> tuple[str, ...]:
        """The names of channels that have one."""
        return tuple(channel.name for channel in self.channels if channel.name)

    @property
    def fluoresces(self) -> bool:
        """Whether a channel is said to show fluorescence."""
        return any(channel.fluoresces for channel in self.channels)

    def order_primaries(self) -> tuple[int, int, int] | None:
        """Which of three channels are red, green and blue by their names, or without such by their colours."""
        return order_primaries(self.channels)


def order_primaries(channels: Sequence[OmeChannel]) -> tuple[int, int, int] | None:
    """Which of three channels are red, green and blue by their names, or without such by their colours."""
    if len(channels) != 3 or any(channel.fluoresces for channel in channels):
        return None
    names = [channel.name for channel in channels]
    if all(_NUMBERING.fullmatch(re.sub(r"[\W_]", "", name.lower())) for name in names):
        primaries = [_PRIMARY_COLOURS.get(channel.colour or (0, 0, 0)) for channel in channels]
    else:
        primaries = [_read_primary(name) for name in names]
    if {*primaries} != {0, 1, 2}:
        return None
    return primaries.index(0), primaries.index(1), primaries.index(2)


@dataclass(frozen=True, slots=True)
class OmeDescription:
    """All that is needed of an OME-XML; images: those with pixels in TIFF files; uuid: that of the file it is in;
    companion: where the description lies if it is not here."""

    images: tuple[OmeImage, ...]
    uuid: str
    companion: str


def is_ome_xml(description: str) -> bool:
    """Whether an image description is, or was meant to be, OME-XML."""
    return _OPENING.search(description) is not None


def parse_ome_xml(text: str) -> OmeDescription:
    """Read it; raises ValueError for what is no OME-XML, in one line."""
    if _DOCTYPE.search(text):
        raise ValueError("its OME-XML defines entities")
    try:
        root = ElementTree.fromstring(text.strip("\ufeff\0 \t\r\n"))
        return _read_description(root)
    except (ElementTree.ParseError, RecursionError) as error:
        raise ValueError(f"its OME-XML is broken: {error}") from error


def _read_description(root: Element) -> OmeDescription:
    images = tuple(
        _read_image(element, pixels)
        for element in _children(root, "Image")
        for pixels in _children(element, "Pixels")
        if not any(True for part in ("MetadataOnly", "BinData", "BinDataBlock") for _ in _children(pixels, part))
    )
    companion = next((element.get("MetadataFile", "another file") for element in _children(root, "BinaryOnly")), "")
    return OmeDescription(images, root.get("UUID", ""), companion)


def _children(element: Element, name: str) -> Iterator[Element]:
    return (child for child in element if child.tag.rpartition("}")[2] == name)


def _read_image(image: Element, pixels: Element) -> OmeImage:
    try:
        width, height, channels, depths, times = (int(pixels.attrib[f"Size{axis}"]) for axis in "XYCZT")
    except (KeyError, ValueError) as error:
        raise ValueError("its OME-XML does not give the sizes of an image") from error
    return OmeImage(
        name=image.get("Name", ""),
        width=width,
        height=height,
        channel_count=channels,
        depths=depths,
        times=times,
        channels=tuple(map(_read_channel, _children(pixels, "Channel"))),
        spacing_um_per_px=_read_spacing(pixels.attrib),
        blocks=tuple(map(_read_block, _children(pixels, "TiffData"))),
    )


def _read_channel(channel: Element) -> OmeChannel:
    fluoresces = _FLUORESCENCE.search(" ".join(channel.get(mark, "") for mark in _MARKS))
    light = any(channel.get(mark) for mark in ("Fluor", "EmissionWavelength", "ExcitationWavelength"))
    glows = light or fluoresces is not None
    name, colour = channel.get("Name", "").strip(), _read_colour(channel.get("Color"))
    return OmeChannel(name, colour, _read_int(channel.get("SamplesPerPixel")), glows)


def _read_colour(text: str | None) -> tuple[int, int, int] | None:
    """From a signed number of 32 bits: red, green, blue, alpha."""
    value = _read_int(text)
    return None if value is None else ((value >> 24) & 255, (value >> 16) & 255, (value >> 8) & 255)


def _read_primary(name: str) -> int | None:
    """Which of red, green and blue a channel's name says, and nothing else: "Texas Red" is a dye."""
    words = [word for word in re.split(r"[\W_\d]+", name.lower()) if word and word not in _NEUTRAL_WORDS]
    return _PRIMARIES.get(words[0]) if len(words) == 1 else None


def _read_block(data: Element) -> PlaneBlock:
    uuid = next(_children(data, "UUID"), None)
    count = _read_int(data.get("PlaneCount", data.get("NumPlanes")))
    if count is None and "IFD" in data.attrib:
        count = 1
    return PlaneBlock(
        ifd=_read_int(data.get("IFD")) or 0,
        first_channel=_read_int(data.get("FirstC")) or 0,
        count=count,
        file=None if uuid is None else ((uuid.text or "").strip(), uuid.get("FileName", "")),
    )


def _read_spacing(pixels: Mapping[str, str]) -> float | None:
    """The edge of a pixel in µm; where only one edge is given, the other is the same."""
    edges = [_read_edge(pixels, axis) for axis in "XY" if f"PhysicalSize{axis}" in pixels]
    given = [edge for edge in edges if edge is not None]
    return average_edges(given[0], given[-1]) if given and len(given) == len(edges) else None


def _read_edge(pixels: Mapping[str, str], axis: str) -> float | None:
    """None when it is no length, NaN when its unit is not known."""
    unit = pixels.get(f"PhysicalSize{axis}Unit", "µm").strip()
    try:
        value = float(pixels[f"PhysicalSize{axis}"])
    except ValueError:
        return None
    if unit.lower() in _NO_LENGTHS or not (math.isfinite(value) and value > 0):
        return None
    return value * UM_PER_UNIT.get(unit, float("nan"))


def _read_int(text: str | None) -> int | None:
    try:
        return int(text) if text is not None else None
    except ValueError:
        return None
