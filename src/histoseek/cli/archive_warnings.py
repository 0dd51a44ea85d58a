"""What is wrong with an archive's files, said by every command about it before it does its work."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any


def warning_of_damage(command: Callable[..., None]) -> Callable[..., None]:
    """A command about an archive that first says what a crash or the disk did to it."""

    @functools.wraps(command)
    def run(*arguments: Any, **options: Any) -> None:
        archive = options.get("archive")
        if isinstance(archive, str):
            for warning in _list_warnings(archive):
                print(f"warning: {warning}", file=sys.stderr)
        command(*arguments, **options)

    return run


def _list_warnings(address: str) -> tuple[str, ...]:
    from histoseek.archive.remote.address import ArchiveAddress
    from histoseek.errors import AccessDenied, HistoseekError, ServerUnreachable

    try:
        parsed = ArchiveAddress.parse(address)
        if not (parsed.is_remote or (parsed.folder / "archive.json").is_file()):
            return ()
        from histoseek.api import Archive

        return Archive.open(address).warnings
    except (ServerUnreachable, AccessDenied):
        # Not to be waited for once more.
        raise
    except HistoseekError:
        # The command meets the same, and says it.
        return ()
