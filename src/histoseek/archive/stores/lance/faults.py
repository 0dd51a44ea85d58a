"""What the engine says of broken files and filters, turned into errors of ours."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from histoseek.errors import BadFilter, DamagedArchive
from histoseek.files import as_archive_errors


@contextmanager
def reading_whole(folder: Path) -> Iterator[None]:
    """Turn files that can't be read into DamagedArchive."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "LanceError(IO)" not in str(error):
            raise
        raise DamagedArchive(folder, _reason(error)) from error


@contextmanager
def filtering(folder: Path, where: str | None, columns: Callable[[], Sequence[str]]) -> Iterator[None]:
    """Turn what the engine says of a filter into BadFilter, which names the columns."""
    try:
        with reading_whole(folder), as_archive_errors(folder.parent):
            yield
    except (ValueError, RuntimeError) as error:
        if where is None:
            raise DamagedArchive(folder, _reason(error)) from error
        raise BadFilter(where, _reason(error), columns()) from error


def _reason(error: Exception) -> str:
    """The engine's message in one line, without its prefixes, its column list and places in its source."""
    text = " ".join(str(error).split())
    text = re.split(r",? ?/\S*\.rs:|\. Valid fields are|; did you mean", text)[0]
    text = re.sub(
        r"^(lance error: )?((Invalid input|Invalid user input|Schema error|LanceError\(\w+\)),? ?:? ?)+", "", text
    )
    if "Arrow error" in text:
        # Comes up while rows are read, and quotes what is in them.
        return "compares values of different types"
    return text.rstrip(". ") or "cannot be used"
