"""A slide in several files: which of them is its first, and where each is to lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from histoseek.errors import InputError
from histoseek.server.uploads.file_names import parse_relative_name, require_different, require_suffix
from histoseek.server.uploads.folders import STEM

MIRAX, DICOM = ".mrxs", ".dcm"


@dataclass(frozen=True, slots=True)
class SlideFiles:
    """The files of one slide; first: which of them is opened; places: of each, below the upload's folder."""

    first: int
    suffix: str
    places: tuple[str, ...]


def arrange_files(names: Sequence[str]) -> SlideFiles:
    """How the files of these names make one slide: one file, a MIRAX file with its folder, or a DICOM series.

    Of what users call files nothing comes into a path but the names in a MIRAX folder, which its index lists. Raises
    InputError for names that lead elsewhere or are no slide's, UnknownFormat.
    """
    paths = [parse_relative_name(name) for name in names]
    require_different(paths)
    mirax = [number for number, path in enumerate(paths) if path.suffix.lower() == MIRAX]
    if len(mirax) == 1 and len(paths) > 1:
        return _arrange_mirax(paths, mirax[0])
    if len(paths) > 1 and all(path.suffix.lower() == DICOM for path in paths):
        return _arrange_series(paths)
    if len(paths) == 1 and not mirax:
        suffix = require_suffix(paths[0].name)
        return SlideFiles(0, suffix, (f"{STEM}{suffix}",))
    if mirax:
        raise InputError(paths[mirax[0]].name, "needs the folder of its name", "Send it with all files of that folder")
    raise InputError(paths[0].name, "and the other files are not one slide", "Send each slide by itself")


def _arrange_mirax(paths: Sequence[PurePosixPath], first: int) -> SlideFiles:
    folder = paths[first].with_suffix("")
    others = [path for number, path in enumerate(paths) if number != first]
    stranger = next((path for path in others if path.parent != folder), None)
    if stranger is not None:
        what = f"does not lie in the folder {folder.name!r}"
        raise InputError(stranger.name, what, "Send the .mrxs file and the files of its folder")
    places = [f"{STEM}{MIRAX}" if number == first else f"{STEM}/{path.name}" for number, path in enumerate(paths)]
    return SlideFiles(first, MIRAX, tuple(places))


def _arrange_series(paths: Sequence[PurePosixPath]) -> SlideFiles:
    """The first by name is the series' own, as it is of a folder that is indexed."""
    order = sorted(range(len(paths)), key=lambda number: paths[number].parts)
    rank = {number: place for place, number in enumerate(order)}
    places = [f"{STEM}_{rank[number]:04}{DICOM}" if rank[number] else f"{STEM}{DICOM}" for number in range(len(paths))]
    return SlideFiles(order[0], DICOM, tuple(places))
