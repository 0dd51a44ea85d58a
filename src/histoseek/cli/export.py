"""`histoseek export`: an archive's tile features as HDF5 files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from histoseek.cli.options import ArchiveOption, WhereOption

_LONGEST_NAME = 240
"""Bytes of a file's name without its ending; disks take 255."""


def export(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder to write one .h5 file per slide to.")],
    archive: ArchiveOption,
    where: WhereOption = None,
) -> None:
    """Export tile features and coordinates as HDF5 files in the layout of TRIDENT, named by slide id."""
    from urllib.parse import quote

    from histoseek.api import Archive
    from histoseek.encoders.bag import load_bag
    from histoseek.encoders.features import write_features
    from histoseek.files import as_archive_errors
    from histoseek.progress import show_progress

    opened = Archive.open(archive)
    records = opened.records(where)
    with as_archive_errors(folder), show_progress("slides", total=len(records)) as reporter:
        folder.mkdir(parents=True, exist_ok=True)
        for record in records:
            bag = opened.layout.bag(record.slide_id)
            name = quote(record.slide_id, safe=" ")
            name = name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 17]}-{bag.stem[:16]}"
            write_features(load_bag(bag), folder / f"{name}.h5")
            reporter.advance()
    print(f"{len(records)} feature files in {folder}")
