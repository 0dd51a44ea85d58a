"""`histoseek update`: change a slide's metadata."""

from __future__ import annotations

from typing import Annotated

import typer

from histoseek.cli.options import (
    ArchiveOption,
    DeidentifyOption,
    KeepIdentifiersOption,
    NowOption,
    choose_deidentification,
    parse_pairs,
)


def update(
    slide_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the slide.")],
    changes: Annotated[
        list[str], typer.Argument(metavar="KEY=VALUE", help="Column and new value; leave the value empty to delete it.")
    ],
    archive: ArchiveOption,
    keep_identifiers: KeepIdentifiersOption = False,
    deidentify: DeidentifyOption = "rules",
    now: NowOption = False,
) -> None:
    """Change the metadata of a slide; names, dates and numbers of people in a new report are replaced."""
    from histoseek.api import Archive
    from histoseek.cli.erasing import describe_pending

    values = {key: value or None for key, value in parse_pairs(changes, "update").items()}
    choice = choose_deidentification(keep_identifiers, deidentify)
    opened = Archive.open(archive)
    record = opened.update(slide_id, values, deidentify=choice, now=now)
    print(f"{record.slide_id}: {', '.join(values)} updated{describe_pending(opened.pending_erasure)}")
