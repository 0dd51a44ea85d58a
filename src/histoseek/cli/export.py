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
    """Export tile features and coordinates as HDF5 files in the layout of TRIDENT, named by slide id.

    Those at the coarser spacing of an archive that has one are put into its folder `context`.
    """
    from urllib.parse import quote

    from histoseek.api import Archive
    from histoseek.encoders.features.feature_files import write_features
    from histoseek.files import as_archive_errors, make_folder
    from histoseek.progress import show_progress

    opened = Archive.open(archive)
    records = opened.records(where)
    with as_archive_errors(folder), show_progress("slides", total=len(records)) as reporter:
        folder.mkdir(parents=True, exist_ok=True)
        for record in records:
            stem = opened.layout.bag(record.slide_id).stem
            name = quote(record.slide_id, safe=" ")
            name = name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 17]}-{stem[:16]}"
            write_features(opened.bags.load(record.slide_id), folder / f"{name}.h5")
            context = opened.bags.load_context(record.slide_id) if opened.recipe.context else None
            if context is not None:
                make_folder(folder / "context")
                write_features(context, folder / "context" / f"{name}.h5")
            reporter.advance()
    print(f"{len(records)} feature files in {folder}")
