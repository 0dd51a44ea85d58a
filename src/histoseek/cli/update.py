"""`histoseek update`: change a slide's metadata."""

from __future__ import annotations

from typing import Annotated

import typer

from histoseek.cli.options import (
    ArchiveOption,
    DeidentifyOption,
    KeepIdentifiersOption,
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
) -> None:
    """Change the metadata of a slide; names, dates and numbers of people in a new report are replaced."""
    from histoseek.api import Archive

    values = {key: value or None for key, value in parse_pairs(changes, "update").items()}
    choice = choose_deidentification(keep_identifiers, deidentify)
    record = Archive.open(archive).update(slide_id, values, deidentify=choice)
    print(f"{record.slide_id}: {', '.join(values)} updated")
