"""`histoseek remove`: take slides out of an archive."""

from __future__ import annotations

from typing import Annotated

import typer

from histoseek.cli.options import ArchiveOption


def remove(slide_ids: Annotated[list[str], typer.Argument(help="Ids of the slides.")], archive: ArchiveOption) -> None:
    """Take slides out, with their cached features; the slide files themselves are not touched."""
    from histoseek.api import Archive

    Archive.open(archive).remove(slide_ids)
    print(f"{len(slide_ids)} removed")
