"""What of removed and replaced slides may still lie in an archive's files, and since when; a small JSON file."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from histoseek.archive.layout import ArchiveLayout
from histoseek.files import as_archive_errors, fsync_path, read_checked_json, write_checked_json
from histoseek.settings import get_settings

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class PendingErasure:
    """Bytes that wait to be erased.

    since: UTC, of the first change that left some; removed: slides that were taken out since; replaced: slides whose
    metadata, report or features were replaced.
    """

    since: datetime
    removed: int = 0
    replaced: int = 0

    @property
    def is_unknown(self) -> bool:
        """Whether the file that says what waits can't be read."""
        return self.since == _LONG_AGO

    @property
    def due(self) -> datetime:
        """From when on the next command erases them: readers may need them until then."""
        return self.since + timedelta(minutes=get_settings().history_minutes)

    @property
    def is_due(self) -> bool:
        """Whether that time has come, or would come later than it ever should: then a clock was set back."""
        now = datetime.now(UTC)
        return now >= self.due or self.since - now > self.due - self.since


def read_pending(layout: ArchiveLayout) -> PendingErasure | None:
    """What waits, None for nothing. A file that can't be read says that something does, since long ago."""
    try:
        data = read_checked_json(layout.erasure)
        return PendingErasure(datetime.fromisoformat(data["since"]), int(data["removed"]), int(data["replaced"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        return PendingErasure(_LONG_AGO)


def note_pending(layout: ArchiveLayout, *, removed: int = 0, replaced: int = 0) -> None:
    """Say that slides are about to be removed or replaced, durably and before it is done; raises ArchiveReadOnly."""
    before = read_pending(layout) or PendingErasure(datetime.now(UTC))
    pending = PendingErasure(before.since, before.removed + removed, before.replaced + replaced)
    data = {**asdict(pending), "since": pending.since.isoformat()}
    with as_archive_errors(layout.root):
        write_checked_json(layout.erasure, data)
    layout.publish()


def clear_pending(layout: ArchiveLayout) -> None:
    """Say that nothing waits any more."""
    with as_archive_errors(layout.root):
        layout.erasure.unlink(missing_ok=True)
        fsync_path(layout.root)
    layout.publish()
