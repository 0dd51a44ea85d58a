"""What a heap of files is, by their names: slides of one or several files, reports, and what is neither."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import PurePosixPath

from histoseek.errors import InputError
from histoseek.server.uploads.file_names import UPLOAD_SUFFIXES, parse_relative_name
from histoseek.server.uploads.slide_files import DICOM, MIRAX
from histoseek.server.uploads.upload_store import REPORT_SUFFIXES
from histoseek.slides.readers.base import PICTURE_SUFFIXES
from histoseek.slides.sources.folder_walk import SLIDES_NOT_READ, is_system_folder

_OFFICE = frozenset((".doc", ".docx", ".docm", ".rtf", ".odt"))
_SYSTEM_FILES = frozenset(("thumbs.db", "desktop.ini"))
_BORDER = re.compile(r"[\W_]")
"""What may stand between the name of a case and what tells its files apart."""


@dataclass(frozen=True, slots=True)
class OfferedFile:
    """A file by its name with folders; series: the SeriesInstanceUID of a DICOM file, where it is known."""

    name: str
    series: str | None = None


@dataclass(frozen=True, slots=True)
class PlannedSlide:
    """A slide; files, reports: numbers of files; needs_spacing: such files do not say how large a pixel is."""

    name: str
    files: tuple[int, ...]
    needs_spacing: bool
    reports: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A file that is not sent, by its number, and why."""

    file: int
    reason: str


@dataclass(frozen=True, slots=True)
class UploadPlan:
    """Slides in the order of their first files, reports that belong to none of them, and what is passed over."""

    slides: tuple[PlannedSlide, ...]
    reports: tuple[int, ...]
    passed_over: tuple[PassedOver, ...]


@dataclass(slots=True)
class _Sorting:
    files: Sequence[OfferedFile]
    paths: Sequence[PurePosixPath | None]
    groups: dict[object, list[int]] = field(default_factory=dict)
    reports: list[int] = field(default_factory=list)
    passed_over: list[PassedOver] = field(default_factory=list)


def plan_uploads(files: Sequence[OfferedFile]) -> UploadPlan:
    """Which files make which slides: a MIRAX file and its folder, the files of a DICOM series that lie together, other
    files by themselves; which reports go with which slides, by their names."""
    sorting = _Sorting(files, [_parse_name(file.name) for file in files])
    folders = _find_mirax_folders(sorting.paths)
    for number, path in enumerate(sorting.paths):
        _sort_in(sorting, number, path, folders)
    slides = tuple(_list_slides(sorting))
    names = _SlideNames(PurePosixPath(slide.name).stem for slide in slides)
    reports: list[list[int]] = [[] for _ in slides]
    alone = []
    for number in sorting.reports:
        places = names.find(_get_path(sorting, number).stem)
        for place in places:
            reports[place].append(number)
        if not places:
            alone.append(number)
    with_reports = tuple(replace(slide, reports=tuple(own)) for slide, own in zip(slides, reports, strict=True))
    return UploadPlan(with_reports, tuple(alone), tuple(sorting.passed_over))


def _parse_name(name: str) -> PurePosixPath | None:
    try:
        return parse_relative_name(name)
    except InputError:
        return None


def _find_mirax_folders(paths: Sequence[PurePosixPath | None]) -> dict[PurePosixPath, int]:
    """The folders of MIRAX files, with the numbers of these; one that lies in the folder of another is part of that."""
    folders: dict[PurePosixPath, int] = {}
    mirax = [(path, number) for number, path in enumerate(paths) if path is not None and path.suffix.lower() == MIRAX]
    for path, number in sorted(mirax, key=lambda one: len(one[0].parts)):
        if path.parent not in folders and not _is_of_system(path):
            folders[path.with_suffix("")] = number
    return folders


def _is_of_system(path: PurePosixPath) -> bool:
    return path.name.lower() in _SYSTEM_FILES or any(map(is_system_folder, path.parts[:-1]))


def _sort_in(
    sorting: _Sorting, number: int, path: PurePosixPath | None, mirax_folders: dict[PurePosixPath, int]
) -> None:
    suffix = path.suffix.lower() if path is not None else ""
    if path is None:
        reason = "hidden, or not a name that can be sent"
    elif _is_of_system(path):
        reason = "put there by the system"
    elif path.parent in mirax_folders:
        sorting.groups.setdefault(mirax_folders[path.parent], []).append(number)
        return
    elif suffix == DICOM:
        sorting.groups.setdefault((path.parent, sorting.files[number].series), []).append(number)
        return
    elif suffix in UPLOAD_SUFFIXES or suffix == MIRAX:
        sorting.groups.setdefault(number, []).append(number)
        return
    elif suffix in REPORT_SUFFIXES:
        sorting.reports.append(number)
        return
    else:
        reason = _explain_suffix(suffix)
    sorting.passed_over.append(PassedOver(number, reason))


def _explain_suffix(suffix: str) -> str:
    if suffix in SLIDES_NOT_READ:
        return "a slide format that is not read; export it as TIFF or DICOM"
    if suffix in _OFFICE:
        return "save it as PDF or plain text to use it as a report"
    return "neither a slide nor a report"


def _list_slides(sorting: _Sorting) -> Iterator[PlannedSlide]:
    for key, numbers in sorting.groups.items():
        first = key if isinstance(key, int) else min(numbers, key=lambda number: _get_path(sorting, number).parts)
        path = _get_path(sorting, first)
        if path.suffix.lower() == MIRAX and len(numbers) == 1:
            sorting.passed_over.append(PassedOver(first, "drop it together with the folder of its name"))
            continue
        yield PlannedSlide(path.name, tuple(sorted(numbers)), path.suffix.lower() in PICTURE_SUFFIXES)


def _get_path(sorting: _Sorting, number: int) -> PurePosixPath:
    path = sorting.paths[number]
    assert path is not None
    return path


class _SlideNames:
    """The names of slides, whatever their case, in order: thousands of reports find theirs among thousands."""

    def __init__(self, stems: Iterable[str]) -> None:
        self._names = sorted((stem.casefold(), place) for place, stem in enumerate(stems))
        self._places: dict[str, list[int]] = {}
        for name, place in self._names:
            self._places.setdefault(name, []).append(place)

    def find(self, stem: str) -> Sequence[int]:
        """The slides of a report: that of its name, those whose names go on where its own ends, or the longest that it
        goes on from."""
        name = stem.casefold()
        found = self._places.get(name) or [place for longer, place in self._list_longer(name) if longer != name]
        if found:
            return found
        borders = (border.start() for border in _BORDER.finditer(name))
        shorter = [name[:end] for end in borders if name[:end] in self._places]
        return self._places[shorter[-1]][:1] if shorter else ()

    def _list_longer(self, name: str) -> Iterator[tuple[str, int]]:
        for longer, place in islice(self._names, bisect_left(self._names, (name, 0)), None):
            if not longer.startswith(name):
                return
            if _BORDER.match(longer, len(name)):
                yield longer, place
