"""`histoseek remove`: remove slides from an archive."""

from __future__ import annotations

from typing import Annotated

import typer

from histoseek.cli.options import ArchiveOption, NowOption


def remove(
    slide_ids: Annotated[list[str], typer.Argument(metavar="ID", help="Ids of the slides.")],
    archive: ArchiveOption,
    now: NowOption = False,
) -> None:
    """Remove slides and their cached features from an archive; the slide files themselves stay.

    Folders that are indexed later pass the files over; name a file itself to take it in again.
    """
    from histoseek.api import Archive
    from histoseek.cli.erasing import describe_pending

    opened = Archive.open(archive)
    opened.remove(slide_ids, now=now)
    print(f"{len(slide_ids)} removed{describe_pending(opened.pending_erasure)}")
