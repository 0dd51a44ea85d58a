"""`histoseek update`: change a slide's metadata."""

from __future__ import annotations

from typing import Annotated

import typer

from histoseek.cli.options import ArchiveOption, KeepIdentifiersOption, pairs


def update(
    slide_id: Annotated[str, typer.Argument(help="The slide's id.")],
    changes: Annotated[list[str], typer.Argument(help="KEY=VALUE; an empty value removes it.")],
    archive: ArchiveOption,
    keep_identifiers: KeepIdentifiersOption = False,
) -> None:
    """Change metadata of one slide; a new report loses names, dates and numbers of persons."""
    from histoseek.api import Archive

    values = {key: value or None for key, value in pairs(changes, "update").items()}
    record = Archive.open(archive).update(slide_id, values, deidentify=not keep_identifiers)
    print(f"{record.slide_id}: {', '.join(values)} updated")
