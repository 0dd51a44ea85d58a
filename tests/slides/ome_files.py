"""OME-TIFFs made by hand: what their XML says is written out, so that it can be anything."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tifffile

UUID = "urn:uuid:00000000-0000-0000-0000-00000000000{}"


def picture(height: int = 300, width: int = 400, seed: int = 0) -> np.ndarray:
    """Noise: every byte matters."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def channels(names: Sequence[str] = (), extra: Sequence[str] = (), samples: int = 1) -> str:
    """Channel elements of these names, with further attributes of each."""
    extra = extra or [""] * len(names)
    return "".join(
        f'<Channel ID="Channel:0:{index}" SamplesPerPixel="{samples}" {f"Name={name!r}" if name else ""} {more}/>'
        for index, (name, more) in enumerate(zip(names, extra, strict=True))
    )


def tiff_data(ifd: int, channel: int = 0, file: tuple[str, str] | None = None) -> str:
    """A TiffData element for one plane; file: the UUID and name of the file that has it."""
    uuid = f'<UUID FileName="{file[1]}">{file[0]}</UUID>' if file else ""
    return f'<TiffData FirstC="{channel}" FirstT="0" FirstZ="0" IFD="{ifd}" PlaneCount="1">{uuid}</TiffData>'


def image(size: tuple[int, int], inside: str, *, name: str = "", spacing: str = "", **sizes: int) -> str:
    """An Image element; size: width and height; inside: its channels and data; sizes: SizeC, SizeZ, SizeT, Type."""
    numbers = {"SizeC": 3, "SizeZ": 1, "SizeT": 1} | sizes
    attributes = " ".join(f'{key}="{value}"' for key, value in numbers.items())
    pixels = f'<Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint8" SizeX="{size[0]}" SizeY="{size[1]}"'
    return f'<Image ID="Image:0" Name="{name}">{pixels} {attributes} {spacing}>{inside}</Pixels></Image>'


def ome(*images: str, uuid: str = "") -> str:
    """An OME-XML."""
    attribute = f' UUID="{uuid}"' if uuid else ""
    return f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"{attribute}>{"".join(images)}</OME>'


def microns(across: float, down: float | None = None, unit: str = "µm") -> str:
    """The attributes of a physical size."""
    edges = {"X": across, "Y": across if down is None else down}
    return " ".join(f'PhysicalSize{axis}="{edge}" PhysicalSize{axis}Unit="{unit}"' for axis, edge in edges.items())


def write_pages(path: Path, xml: str, pages: Sequence[np.ndarray], **options: object) -> None:
    """A TIFF of these pages, of which the first carries the XML."""
    with tifffile.TiffWriter(path) as tiff:
        for index, page in enumerate(pages):
            photometric = "rgb" if page.ndim == 3 and 3 in (page.shape[0], page.shape[-1]) else "minisblack"
            how = {"photometric": photometric, "tile": (128, 128), "metadata": None, **options}
            tiff.write(page, description=xml.encode() if index == 0 else None, **how)
