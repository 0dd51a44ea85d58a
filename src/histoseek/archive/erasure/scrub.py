"""Taking removed slides out of an archive's journal, its lists and what is noted of its reports."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path

from histoseek.archive.erasure.tombstones import Tombstones
from histoseek.archive.filters.expression import HAS_REPORT, one_of
from histoseek.archive.journal import UnmatchedEntries
from histoseek.archive.layout import ArchiveLayout
from histoseek.archive.reading_file import read_reading_state, write_reading_state
from histoseek.archive.stores.slides import SlideTable
from histoseek.errors import DamagedArchive
from histoseek.files import (
    as_archive_errors,
    format_checked_line,
    parse_checked_line,
    read_checked_json,
    write_atomic,
    write_checked_json,
)

_REMOVED = re.compile(r"removed:[0-9a-f]{32}")
_REPORTS_AT_ONCE = 2000
_NAMING = ("path", "reason")
"""What of a refusal says which file or slide it is about."""


def name_removed(tombstones: Tombstones, name: str) -> str:
    """What stands for a name of a removed slide where it must not stand itself."""
    return name if _REMOVED.fullmatch(name) else f"removed:{tombstones.digest('name', name)}"


def scrub_journal(layout: ArchiveLayout, tombstones: Tombstones, present: Collection[str]) -> None:
    """Let the journal name only slides that the archive has; present: their ids."""

    def scrub(line: str) -> str | None:
        if '"slide_ids"' not in line:
            return line
        try:
            entry = parse_checked_line(line.rstrip("\n").encode())
            ids = [one if one in present else name_removed(tombstones, one) for one in entry["slide_ids"]]
        except (ValueError, KeyError, TypeError):
            # A line that is damaged, or the end of one that a power cut tore.
            return None
        return line if ids == entry["slide_ids"] else format_checked_line({**entry, "slide_ids": ids}) + "\n"

    _rewrite_lines(layout, layout.journal, scrub)


def scrub_lists(layout: ArchiveLayout, tombstones: Tombstones, names: Collection[str]) -> None:
    """Take names of slides that are about to be removed out of the lists of what was refused and what did not match."""
    longest_first = sorted(names, key=len, reverse=True)
    pattern = re.compile("|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in longest_first))
    as_written = re.compile("|".join(re.escape(json.dumps(name)[1:-1]) for name in names))

    def scrub(line: str) -> str:
        if not as_written.search(line):
            return line
        try:
            entry = parse_checked_line(line.rstrip("\n").encode())
        except ValueError:
            return pattern.sub("removed", line)
        scrubbed = {
            key: pattern.sub(lambda match: name_removed(tombstones, match[0]), value)
            if key in _NAMING and isinstance(value, str)
            else value
            for key, value in entry.items()
        }
        return line if scrubbed == entry else format_checked_line(scrubbed) + "\n"

    _rewrite_lines(layout, layout.refused, scrub)
    _scrub_unmatched(layout, tombstones, names)


def drop_removed(entries: UnmatchedEntries, tombstones: Tombstones) -> UnmatchedEntries:
    """The lists of what did not join, without what concerns removed slides alone: tables go on having their rows."""

    def keep(names: Sequence[str]) -> tuple[str, ...]:
        return tuple(name for name in names if not tombstones.has_name(name))

    return UnmatchedEntries(
        metadata_rows=keep(entries.metadata_rows),
        report_rows=keep(entries.report_rows),
        files_without_row=keep(entries.files_without_row),
        files_without_report=keep(entries.files_without_report),
    )


def scrub_reading(layout: ArchiveLayout, store: SlideTable, present: Sequence[str]) -> None:
    """Let what is noted of the reading of reports name only slides that are there, and sentences that they have.

    present: the ids of all slides, sorted.
    """
    try:
        state = read_reading_state(layout)
    except DamagedArchive:
        return
    there = set(present)
    upto = max((slide_id for slide_id in present if slide_id <= state.upto), default="")
    boilerplate = _find_present(store, state.boilerplate) if state.boilerplate else state.boilerplate
    outdated = tuple(slide_id for slide_id in state.outdated if slide_id in there)
    write_reading_state(layout, replace(state, boilerplate=boilerplate, outdated=outdated, upto=upto))


def _find_present(store: SlideTable, pieces: Sequence[str]) -> tuple[str, ...]:
    """Those of some pieces that a report of the archive has: as a rule the first few reports have them all."""
    from histoseek.reports.cleaning.furniture import split_pieces

    missing = set(pieces)
    ids = store.slides(HAS_REPORT)
    for start in range(0, len(ids), _REPORTS_AT_ONCE):
        if not missing:
            break
        rows = store.columns(["report"], one_of("slide_id", ids[start : start + _REPORTS_AT_ONCE]))
        for report in rows["report"].to_pylist():
            missing -= {key for _, key in split_pieces(report)}
    return tuple(piece for piece in pieces if piece not in missing)


def _scrub_unmatched(layout: ArchiveLayout, tombstones: Tombstones, names: Collection[str]) -> None:
    try:
        lists = read_checked_json(layout.unmatched)
        kept = {key: [one for one in values if one not in names] for key, values in lists.items()}
    except FileNotFoundError:
        return
    except (OSError, ValueError, AttributeError, TypeError):
        kept = lists = {}
    with as_archive_errors(layout.root):
        if not any(kept.values()):
            layout.unmatched.unlink()
        elif kept != lists:
            write_checked_json(layout.unmatched, kept)


def _rewrite_lines(layout: ArchiveLayout, path: Path, change: Callable[[str], str | None]) -> None:
    """Change lines of a file, or leave some out; it stays as it is where no line changes."""
    try:
        lines = path.read_text("utf-8", errors="replace").splitlines(keepends=True)
    except FileNotFoundError:
        return
    changed = [new for line in lines if (new := change(line)) is not None]
    if changed != lines:
        with as_archive_errors(layout.root):
            write_atomic(path, "".join(changed).encode())
