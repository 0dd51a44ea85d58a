"""A new folder for what a training made: whole or not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from histoseek.errors import ConfigurationError
from histoseek.files import fsync_path, make_folder


def require_empty(folder: Path) -> None:
    """Raise ConfigurationError unless a folder can be made there: nothing is there, or it is an empty folder."""
    if folder.is_dir() and any(folder.iterdir()):
        raise ConfigurationError(f"--out {folder}", "is not empty", "Choose another name, or move it away")
    if folder.exists() and not folder.is_dir():
        raise ConfigurationError(f"--out {folder}", "is a file", "Choose another name")


@contextmanager
def writing_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder to write to, which takes the place of `folder` at the end, and leaves nothing if that fails.

    Raises ConfigurationError when it is not empty or cannot be written.
    """
    require_empty(folder)
    try:
        make_folder(folder.parent)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as name:
            temporary = Path(name) / folder.name
            temporary.mkdir()
            yield temporary
            if folder.is_dir():
                folder.rmdir()
            temporary.rename(folder)
        fsync_path(folder.parent)
    except OSError as error:
        raise ConfigurationError(f"--out {folder}", error.strerror or "cannot be written", "Choose another") from error
