"""The checked files beside the store: which are damaged, what is switched off for it, and putting them aside."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from histoseek.archive.calibration_file import check_calibration
from histoseek.archive.fusion_file import check_fusion
from histoseek.archive.graph_file import check_graph
from histoseek.archive.layout import ArchiveLayout
from histoseek.archive.manifest import list_manifest_faults, mend_manifest
from histoseek.archive.novelty_file import check_novelty
from histoseek.archive.reading_file import read_reading_state
from histoseek.archive.tuning_file import check_tuning
from histoseek.errors import DamagedArchive
from histoseek.files import FileState, as_archive_errors, fsync_path, read_checked_json, read_file_state

SET_ASIDE = ".damaged"
"""The end of the name of a damaged file that was put aside."""


@dataclass(frozen=True, slots=True)
class DamagedFile:
    """A side file that is not what was written, what is switched off while it is, and what makes it anew."""

    path: Path
    lost: str
    remedy: str

    def describe(self) -> str:
        """In one line, without the archive's place."""
        return f"{self.path.name} is damaged and left out: {self.lost}. {self.remedy}"


def list_damaged_files(layout: ArchiveLayout) -> tuple[DamagedFile, ...]:
    """The damaged ones that an archive does without: not the manifest, nor what is remembered of removals."""
    return (*_list_features_lost(layout), *_list_unneeded(layout))


def _list_features_lost(layout: ArchiveLayout) -> Iterator[DamagedFile]:
    for path, check, lost, remedy in _list_checks(layout):
        try:
            check(layout)
        except DamagedArchive:
            yield DamagedFile(path, lost, remedy)


def _list_checks(layout: ArchiveLayout) -> Sequence[tuple[Path, Callable[[ArchiveLayout], object], str, str]]:
    """Each file that can be left out, what tells damage, what is lost with it, and what makes it anew."""
    return (
        (
            layout.calibration,
            check_calibration,
            "there are no probabilities",
            "Run `histoseek calibrate` to learn them anew",
        ),
        (
            layout.fusion,
            check_fusion,
            "the parts of distances have their stated weights",
            "`histoseek index` or `histoseek calibrate` measures them anew",
        ),
        (
            layout.tuning,
            check_tuning,
            "slides are ranked as in an archive that was not tuned",
            "Run `histoseek tune` to find the best ranking anew",
        ),
        (
            layout.novelty,
            check_novelty,
            "nothing is said to be unlike the archive",
            "Run `histoseek calibrate` to learn it anew",
        ),
        (
            layout.graph,
            check_graph,
            "searches put the neighbours of slides together themselves, or do without",
            "The next command that writes makes it anew",
        ),
        (
            layout.reading,
            read_reading_state,
            "sentences that reports have in common are read",
            "The next `histoseek index` with new reports finds them anew",
        ),
    )


def _list_unneeded(layout: ArchiveLayout) -> Iterator[DamagedFile]:
    """Those that are made anew when they can't be read."""
    return _list_unreadable(
        (
            (layout.chance, "what words find by chance is measured anew", "The next search with words writes it anew"),
            (layout.target, "a re-encoding begins anew", "Repeat `histoseek reencode` or `align`"),
            (layout.unmatched, "the list of what did not match is lost", "The next `histoseek index` writes it anew"),
        )
    )


def _list_unreadable(files: Iterable[tuple[Path, str, str]]) -> Iterator[DamagedFile]:
    for path, lost, remedy in files:
        try:
            read_checked_json(path)
        except FileNotFoundError:
            continue
        except (OSError, ValueError):
            yield DamagedFile(path, lost, remedy)


def list_warnings(layout: ArchiveLayout) -> tuple[str, ...]:
    """What users of an archive should know of its side files, one line each."""
    learned = layout.calibration, layout.fusion, layout.tuning, layout.graph, layout.novelty, layout.reading
    return _list_warnings(layout, tuple(map(_read_state, (layout.manifest, layout.manifest_copy, *learned))))


@lru_cache(maxsize=4)
def _list_warnings(layout: ArchiveLayout, _states: tuple[FileState, ...]) -> tuple[str, ...]:
    """Read once for each state of the files."""
    return (*list_manifest_faults(layout), *(file.describe() for file in _list_features_lost(layout)))


def _read_state(path: Path) -> FileState:
    try:
        return read_file_state(path)
    except OSError:
        return ()


def mend_side_files(layout: ArchiveLayout) -> None:
    """Put damaged side files aside and make the manifest and its copy whole; the write lock must be held.

    Raises ArchiveReadOnly, DiskFull.
    """
    mend_manifest(layout)
    for file in list_damaged_files(layout):
        set_aside(layout, file)


def set_aside(layout: ArchiveLayout, file: DamagedFile) -> None:
    """Give a damaged file another name, so that it is made anew; raises ArchiveReadOnly, DiskFull."""
    with as_archive_errors(layout.root):
        file.path.replace(file.path.with_name(file.path.name + SET_ASIDE))
        fsync_path(file.path.parent)
