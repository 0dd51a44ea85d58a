"""What the engine raises, in our words: it has no classes of its own, and its texts name places in its source."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pyarrow as pa

from histoseek.errors import ArchiveError, BadFilter, DamagedArchive, HistoseekError, OutdatedSnapshot
from histoseek.files import as_archive_errors

ENGINE_ERRORS = (OSError, RuntimeError, ValueError, LookupError, pa.ArrowException)

_LOST = re.compile(r"(lance error: |External error: )*(LanceError\(IO\)|Not found:)")


@contextmanager
def translating(
    store: Path | str,
    is_gone: Callable[[], bool],
    where: str | None = None,
    columns: Callable[[], Sequence[str]] = tuple,
    explain: Callable[[str], ArchiveError | None] | None = None,
) -> Iterator[None]:
    """Turn what the engine raises into errors of ours.

    store: its folder, or the address of the archive; is_gone: whether the version that is read was removed; where: a
    filter, which may be at fault, and then the columns are named; explain: finds what is wrong with a server, where
    there is one, in the engine's text.
    """
    root = store.parent if isinstance(store, Path) else store
    try:
        with as_archive_errors(root) if isinstance(root, Path) else nullcontext():
            yield
    except HistoseekError:
        raise
    except BaseException as error:
        is_panic = type(error).__name__ == "PanicException"
        if not (isinstance(error, ENGINE_ERRORS) or is_panic):
            raise
        known = explain(str(error)) if explain is not None else None
        if known is not None:
            raise known from error
        is_lost = isinstance(error, OSError) or bool(_LOST.match(str(error)))
        if where is not None and isinstance(error, ValueError | RuntimeError) and not is_lost:
            raise BadFilter(where, _reason(error), columns()) from error
        if is_gone():
            raise OutdatedSnapshot(root) from error
        reason = "files of its table are missing or cannot be read" if is_lost or is_panic else _reason(error)
        raise DamagedArchive(store, reason) from error


def _reason(error: BaseException) -> str:
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
