"""Taking removed slides out of an archive's journal, its lists and what is noted of its reports."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path

from histoseek.archive.erasure.tombstones import Tombstones
from histoseek.archive.filters.expression import HAS_REPORT
from histoseek.archive.journal import UnmatchedEntries
from histoseek.archive.layout import ArchiveLayout
from histoseek.archive.reading_file import read_reading_state, write_reading_state
from histoseek.archive.schema import SlideRecord
from histoseek.archive.stores.slides import SlideTable
from histoseek.errors import DamagedArchive
from histoseek.files import as_archive_errors, write_atomic
from histoseek.reports.cleaning.furniture import split_pieces
from histoseek.slides.sources.registry import source_name

_REMOVED = re.compile(r"removed:[0-9a-f]{32}")
_REPORTS_AT_ONCE = 2000


def name_removed(tombstones: Tombstones, name: str) -> str:
    """What stands for a name of a removed slide where it must not stand itself."""
    return name if _REMOVED.fullmatch(name) else f"removed:{tombstones.digest('name', name)}"


def scrub_journal(layout: ArchiveLayout, tombstones: Tombstones, present: Collection[str]) -> None:
    """Let the journal name only slides that the archive has; present: their ids."""

    def scrub(line: str) -> str | None:
        if '"slide_ids"' not in line:
            return line
        try:
            entry = json.loads(line)
        except ValueError:
            # The end of a line that a power cut tore.
            return None
        ids = [one if one in present else name_removed(tombstones, one) for one in entry["slide_ids"]]
        return line if ids == entry["slide_ids"] else json.dumps({**entry, "slide_ids": ids}) + "\n"

    _rewrite_lines(layout, layout.journal, scrub)


def scrub_lists(layout: ArchiveLayout, tombstones: Tombstones, records: Sequence[SlideRecord]) -> None:
    """Take slides that are about to be removed out of the lists of what was refused and what matched nothing."""
    names = {
        name for record in records for name in (record.uri, record.slide_id, record.patient_id, source_name(record.uri))
    }
    wanted = sorted((name for name in names if name), key=len, reverse=True)
    if not wanted:
        return
    pattern = re.compile("|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in wanted))

    def scrub(line: str) -> str:
        try:
            entry = json.loads(line)
        except ValueError:
            return line
        scrubbed = _replace_texts(entry, lambda text: pattern.sub(lambda m: name_removed(tombstones, m[0]), text))
        return line if scrubbed == entry else json.dumps(scrubbed) + "\n"

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
    missing = set(pieces)
    ids = store.slides(HAS_REPORT)
    for start in range(0, len(ids), _REPORTS_AT_ONCE):
        if not missing:
            break
        for report in store.list_reports(ids[start : start + _REPORTS_AT_ONCE]):
            missing -= {key for _, key in split_pieces(report)}
    return tuple(piece for piece in pieces if piece not in missing)


def _scrub_unmatched(layout: ArchiveLayout, tombstones: Tombstones, names: Collection[str | None]) -> None:
    try:
        lists = json.loads(layout.unmatched.read_text("utf-8"))
        kept = {key: [one for one in values if one not in names] for key, values in lists.items()}
    except FileNotFoundError:
        return
    except (OSError, ValueError, AttributeError, TypeError):
        kept = lists = {}
    with as_archive_errors(layout.root):
        if not any(kept.values()):
            layout.unmatched.unlink()
        elif kept != lists:
            write_atomic(layout.unmatched, json.dumps(kept, indent=1).encode())


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


def _replace_texts(value: object, change: Callable[[str], str]) -> object:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: _replace_texts(one, change) for key, one in value.items()}
    return [_replace_texts(one, change) for one in value] if isinstance(value, list) else value
