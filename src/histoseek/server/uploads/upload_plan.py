"""What a heap of files is, by their names: slides of one or several files, reports, and what is neither."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
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
    paths: list[PurePosixPath | None] = field(default_factory=list)
    groups: dict[object, list[int]] = field(default_factory=dict)
    reports: list[int] = field(default_factory=list)
    passed_over: list[PassedOver] = field(default_factory=list)


def plan_uploads(files: Sequence[OfferedFile]) -> UploadPlan:
    """Which files make which slides: a MIRAX file and its folder, the files of a DICOM series that lie together, other
    files by themselves; which reports go with which slides, by their names."""
    sorting = _Sorting(files)
    folders = {}
    for number, file in enumerate(files):
        path = _parse_name(file.name)
        sorting.paths.append(path)
        if path is not None and path.suffix.lower() == MIRAX:
            folders[path.with_suffix("")] = number
    for number, path in enumerate(sorting.paths):
        _sort_in(sorting, number, path, folders)
    slides = tuple(_list_slides(sorting))
    stems = [PurePosixPath(slide.name).stem for slide in slides]
    pairs = {number: _match_report(_get_path(sorting, number).stem, stems) for number in sorting.reports}
    with_reports = tuple(
        PlannedSlide(
            slide.name, slide.files, slide.needs_spacing, tuple(report for report, of in pairs.items() if place in of)
        )
        for place, slide in enumerate(slides)
    )
    alone = tuple(number for number, of in pairs.items() if not of)
    return UploadPlan(with_reports, alone, tuple(sorting.passed_over))


def _parse_name(name: str) -> PurePosixPath | None:
    try:
        return parse_relative_name(name)
    except InputError:
        return None


def _sort_in(
    sorting: _Sorting, number: int, path: PurePosixPath | None, mirax_folders: dict[PurePosixPath, int]
) -> None:
    suffix = path.suffix.lower() if path is not None else ""
    if path is None:
        reason = "hidden, or not a name that can be sent"
    elif path.parent in mirax_folders:
        sorting.groups.setdefault(mirax_folders[path.parent], []).append(number)
        return
    elif path.name.lower() in _SYSTEM_FILES or any(map(is_system_folder, path.parts[:-1])):
        reason = "put there by the system"
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


def _match_report(stem: str, slides: Sequence[str]) -> frozenset[int]:
    """The slides of a report: that of its name, those whose names go on where its own ends, or the longest that it goes
    on from."""
    same = frozenset(place for place, slide in enumerate(slides) if slide.casefold() == stem.casefold())
    longer = frozenset(place for place, slide in enumerate(slides) if _goes_on(slide, stem))
    shorter = [place for place, slide in enumerate(slides) if _goes_on(stem, slide)]
    if same or longer:
        return same or longer
    if shorter:
        return frozenset((max(shorter, key=lambda place: len(slides[place])),))
    return frozenset()


def _goes_on(name: str, beginning: str) -> bool:
    rest = name[len(beginning) :]
    return name.casefold().startswith(beginning.casefold()) and bool(_BORDER.match(rest))
