"""What is wrong with an archive's files, said by every command about it before it does its work."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def warning_of_damage(command: Callable[..., None]) -> Callable[..., None]:
    """A command about an archive that first says what a crash or the disk did to it."""

    @functools.wraps(command)
    def run(*arguments: Any, **options: Any) -> None:
        archive = options.get("archive")
        if isinstance(archive, Path) and (archive / "archive.json").is_file():
            for warning in _list_warnings(archive):
                print(f"warning: {warning}", file=sys.stderr)
        command(*arguments, **options)

    return run


def _list_warnings(path: Path) -> tuple[str, ...]:
    from histoseek.api import Archive
    from histoseek.errors import HistoseekError

    try:
        return Archive.open(path).warnings
    except HistoseekError:
        # The command meets the same, and says it.
        return ()
