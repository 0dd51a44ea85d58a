"""`histoseek remove`: remove slides from an archive."""

from __future__ import annotations

from typing import Annotated

import typer

from histoseek.cli.options import ArchiveOption


def remove(
    slide_ids: Annotated[list[str], typer.Argument(metavar="ID", help="Ids of the slides.")], archive: ArchiveOption
) -> None:
    """Remove slides and their cached features from an archive; the slide files themselves stay."""
    from histoseek.api import Archive

    Archive.open(archive).remove(slide_ids)
    print(f"{len(slide_ids)} removed")
