"""How an archive's reports are read: its boilerplate, and how far a reading anew has come; a small JSON file."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache

from histoseek.archive.layout import ArchiveLayout
from histoseek.errors import DamagedArchive
from histoseek.files import FileState, as_archive_errors, read_checked_json, read_file_state, write_checked_json


@dataclass(frozen=True, slots=True)
class ReadingState:
    """boilerplate: pieces that the reports have in common (`find_boilerplate`), which are not read.

    outdated: slides whose reports hold a piece that has become boilerplate, or is none any more, since they were read;
    analyser: that of a reading anew under way; upto: the last slide that it has done, "" where none is.
    """

    boilerplate: tuple[str, ...] = ()
    outdated: tuple[str, ...] = ()
    analyser: str = ""
    upto: str = ""


def read_reading_state(layout: ArchiveLayout) -> ReadingState:
    """The state of an archive; of one without the file, nothing is boilerplate. Raises DamagedArchive."""
    try:
        data = read_checked_json(layout.reading)
        return ReadingState(
            boilerplate=tuple(map(str, data["boilerplate"])),
            outdated=tuple(map(str, data["outdated"])),
            analyser=str(data["analyser"]),
            upto=str(data["upto"]),
        )
    except FileNotFoundError:
        return ReadingState()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedArchive(layout.reading, "not readable; without it the next index run makes it anew") from error


def read_boilerplate(layout: ArchiveLayout) -> frozenset[str]:
    """Pieces that the archive's reports have in common, which are not read; raises DamagedArchive."""
    try:
        return _read_boilerplate(layout, read_file_state(layout.reading))
    except OSError:
        return frozenset(read_reading_state(layout).boilerplate)


@lru_cache(maxsize=4)
def _read_boilerplate(layout: ArchiveLayout, _state: FileState) -> frozenset[str]:
    """Read once for each state of the file."""
    return frozenset(read_reading_state(layout).boilerplate)


def write_reading_state(layout: ArchiveLayout, state: ReadingState) -> None:
    """Replace the file in one step, unless it says so already."""
    if state != read_reading_state(layout):
        with as_archive_errors(layout.root):
            write_checked_json(layout.reading, asdict(state))
