"""What removed and replaced slides left behind, in commands: said where it waits, erased where it is due."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from histoseek.errors import AccessDenied, ArchiveBusy, ArchiveReadOnly, HistoseekError, ServerUnreachable

if TYPE_CHECKING:
    from histoseek.archive.erasure.pending import PendingErasure


def describe_pending(pending: PendingErasure | None) -> str:
    """What follows the line that tells of a removal or a change: "; ..." where bytes wait, else nothing."""
    if pending is None:
        return ""
    due = pending.due.astimezone().strftime("%H:%M")
    return f"; the bytes left behind are erased by the first command after {due} (with --now at once)"


def erasing_what_is_due(command: Callable[..., None]) -> Callable[..., None]:
    """A command about an archive that in the end erases what has waited there for long enough."""

    @functools.wraps(command)
    def run(*arguments: Any, **options: Any) -> None:
        try:
            command(*arguments, **options)
        except (ServerUnreachable, AccessDenied):
            raise
        except Exception:
            # What it was given was wrong, or slides were refused: what waits has nothing to do with that.
            _erase_due(options.get("archive"))
            raise
        _erase_due(options.get("archive"))

    return run


def _erase_due(address: object) -> None:
    if not isinstance(address, str):
        return
    from histoseek.archive.erasure.pending import read_pending
    from histoseek.archive.layout import ArchiveLayout
    from histoseek.archive.remote.address import ArchiveAddress

    try:
        layout = ArchiveLayout.of(ArchiveAddress.parse(address))
        if not layout.manifest.is_file():
            return
        layout.refresh()
    except HistoseekError:
        # What the command was given is no archive, and it said so.
        return
    pending = read_pending(layout)
    if pending and pending.is_due:
        from histoseek.api import Archive

        print("erasing what removed and replaced slides left behind", file=sys.stderr)
        try:
            Archive.open(address).erase()
        except (ArchiveBusy, ArchiveReadOnly):
            # Whoever writes, or may write, does it.
            return
        except (HistoseekError, OSError) as error:
            print(f"warning: it goes on to wait: {error}", file=sys.stderr)
