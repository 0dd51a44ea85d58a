"""The journal: what was done to an archive, and the log of what was refused. Append-only JSON lines."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from histoseek.archive.joining import Joined
from histoseek.archive.layout import ArchiveLayout
from histoseek.errors import HistoseekError
from histoseek.files import as_archive_errors, write_atomic


@dataclass(frozen=True, slots=True)
class Refusal:
    """A file that was not taken: its path, the error's class and its one-line reason."""

    path: str
    error: str
    reason: str

    @classmethod
    def of(cls, path: Path, error: Exception) -> Refusal:
        """From the error that a file caused."""
        kind = error.kind if isinstance(error, HistoseekError) else type(error).__name__
        return cls(str(path), kind, " ".join(str(error).split()))


class Journal:
    """Appends to an archive's journal; every call is durable when it returns."""

    def __init__(self, layout: ArchiveLayout) -> None:
        self._layout = layout
        self._run = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")

    def started(self, files: int) -> None:
        """A run began that was asked to index `files` files."""
        self._append(self._layout.journal, [{"event": "started", "files": files}])

    def committed(self, slide_ids: Sequence[str]) -> None:
        """Slides are safely in the store."""
        self._append(self._layout.journal, [{"event": "committed", "slide_ids": list(slide_ids)}])

    def removed(self, slide_ids: Sequence[str]) -> None:
        """Slides were taken out."""
        self._append(self._layout.journal, [{"event": "removed", "slide_ids": list(slide_ids)}])

    def refused(self, refusals: Sequence[Refusal]) -> None:
        """Files were not taken."""
        self._append(self._layout.refused, [asdict(refusal) for refusal in refusals])

    def switched(self, space: str) -> None:
        """The archive went over to another embedding space."""
        self._append(self._layout.journal, [{"event": "switched", "space": space}])

    def finished(self) -> None:
        """The run came to its end."""
        self._append(self._layout.journal, [{"event": "finished"}])

    def _append(self, path: Path, entries: Sequence[dict[str, object]]) -> None:
        stamp = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "run": self._run}
        lines = "".join(json.dumps({**stamp, **entry}) + "\n" for entry in entries)
        with as_archive_errors(self._layout.root), path.open("a", encoding="utf-8") as file:
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())


def write_unmatched(layout: ArchiveLayout, joined: Joined) -> None:
    """Keep the whole lists of what did not join, of which a run's warnings show the first few; none, no file."""
    lists = {
        "metadata_rows": list(joined.unmatched_rows),
        "report_rows": list(joined.unmatched_reports),
        "files_without_row": [str(path) for path in joined.files_without_row],
    }
    with as_archive_errors(layout.root):
        if any(lists.values()):
            write_atomic(layout.unmatched, json.dumps(lists, indent=1).encode())
        else:
            layout.unmatched.unlink(missing_ok=True)
