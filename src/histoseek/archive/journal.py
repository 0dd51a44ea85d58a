"""The journal: what was done to an archive, and the log of what was refused. Append-only JSON lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from histoseek.archive.layout import ArchiveLayout
from histoseek.errors import HistoseekError, SlideError
from histoseek.files import (
    append_durably,
    as_archive_errors,
    format_checked_json,
    format_checked_line,
    parse_checked_line,
    write_atomic,
)


@dataclass(frozen=True, slots=True)
class SlideRefusal:
    """A file that was not taken: its path or address, the error's class and its one-line reason."""

    path: str
    error: str
    reason: str

    @classmethod
    def from_error(cls, uri: str, error: Exception) -> SlideRefusal:
        """From the error that a file caused."""
        kind = error.kind if isinstance(error, HistoseekError) else type(error).__name__
        reason = " ".join(str(error).split())
        return cls(uri, kind, reason if isinstance(error, SlideError) else f"{uri}: {reason}")


@dataclass(frozen=True, slots=True)
class ReportFileRefusal:
    """A report file, or one row of it, that was not taken; row as a spreadsheet counts, None for the whole file."""

    path: str
    row: int | None
    error: str
    reason: str


@dataclass(frozen=True, slots=True)
class UnmatchedEntries:
    """What did not join: keys of metadata rows, ids of reports, files without a row and without a report."""

    metadata_rows: tuple[str, ...]
    report_rows: tuple[str, ...]
    files_without_row: tuple[str, ...]
    files_without_report: tuple[str, ...]


class Journal:
    """Appends to an archive's journal; every call is durable when it returns."""

    def __init__(self, layout: ArchiveLayout) -> None:
        self._layout = layout
        self._run = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")

    def record_start(self, files: int, passed_over: Mapping[str, int]) -> None:
        """A run began that was asked to index `files` files, and passed over others for these reasons."""
        entry = {"event": "started", "files": files, "passed_over": dict(passed_over)}
        self._append(self._layout.journal, [entry])

    def record_commit(self, slide_ids: Sequence[str]) -> None:
        """Slides are safely in the store."""
        self._append(self._layout.journal, [{"event": "committed", "slide_ids": list(slide_ids)}])

    def record_removal(self, slide_ids: Sequence[str]) -> None:
        """Slides were taken out."""
        self._append(self._layout.journal, [{"event": "removed", "slide_ids": list(slide_ids)}])

    def record_reports(self, slides: int, deidentified: bool, removed: Mapping[str, int]) -> None:
        """Report texts came in: for how many slides, whether identifiers were taken out, and how many of each kind."""
        entry = {"event": "reports", "slides": slides, "deidentified": deidentified, "removed": dict(removed)}
        self._append(self._layout.journal, [entry])

    def record_refusals(self, refusals: Sequence[SlideRefusal | ReportFileRefusal]) -> None:
        """Files were not taken."""
        self._append(self._layout.refused, [asdict(refusal) for refusal in refusals])

    def record_loss(self, slide_ids: Sequence[str]) -> None:
        """Rows of slides could not be read any more, and a repair went on without them."""
        self._append(self._layout.journal, [{"event": "lost", "slide_ids": list(slide_ids)}])

    def record_switch(self, space: str) -> None:
        """The archive went over to another embedding space."""
        self._append(self._layout.journal, [{"event": "switched", "space": space}])

    def record_texts(self, encoder: str, engine: str) -> None:
        """Reports were read with a text encoder, computed by an engine."""
        self._append(self._layout.journal, [{"event": "texts", "encoder": encoder, "engine": engine}])

    def record_repair(self, what: str) -> None:
        """The store was put in order after a crash."""
        self._append(self._layout.journal, [{"event": "repaired", "what": what}])

    def record_end(self) -> None:
        """The run came to its end."""
        self._append(self._layout.journal, [{"event": "finished"}])

    def _append(self, path: Path, entries: Sequence[dict[str, object]]) -> None:
        stamp = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "run": self._run}
        lines = "".join(format_checked_line({**stamp, **entry}) + "\n" for entry in entries)
        with as_archive_errors(self._layout.root):
            append_durably(path, lines.encode())


def list_committed(layout: ArchiveLayout, name_removed: Callable[[str], str]) -> set[str]:
    """The slides that the archive has by its journal, as far as that can be read.

    name_removed: what stands for a removed slide in there instead of its id.
    """
    slide_ids: dict[str, str] = {}
    with suppress(FileNotFoundError), layout.journal.open("rb") as file:
        for line in file:
            with suppress(ValueError, KeyError, TypeError):
                entry = parse_checked_line(line.removesuffix(b"\n"))
                names = {name_removed(one): one for one in entry["slide_ids"]}
                if entry["event"] == "committed":
                    slide_ids.update(names)
                elif entry["event"] in ("removed", "lost"):
                    for name in names:
                        slide_ids.pop(name, None)
    return set(slide_ids.values())


def write_unmatched(layout: ArchiveLayout, unmatched: UnmatchedEntries) -> None:
    """Keep the whole lists of what did not join, of which a run's warnings show the first few; none, no file."""
    lists = asdict(unmatched)
    data = format_checked_json(lists)
    with as_archive_errors(layout.root):
        if not any(lists.values()):
            layout.unmatched.unlink(missing_ok=True)
        elif not (layout.unmatched.is_file() and layout.unmatched.read_bytes() == data):
            write_atomic(layout.unmatched, data)
