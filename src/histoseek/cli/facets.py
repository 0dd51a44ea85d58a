"""`histoseek facets`: what an archive's reports and metadata say, counted."""

from __future__ import annotations

import json
from itertools import groupby
from typing import Annotated

import typer

from histoseek.cli.options import ArchiveOption, JsonOption, WhereOption
from histoseek.errors import InputError


def facets(
    archive: ArchiveOption,
    field: Annotated[
        list[str] | None,
        typer.Option("--field", help="Only this field (organ, diagnosis, grade, a column ...); may be repeated."),
    ] = None,
    where: WhereOption = None,
    most: Annotated[int, typer.Option("-n", help="Values to show of each field.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Count the values of metadata columns and of what reports state."""
    from histoseek.api import Archive
    from histoseek.jsonable import plain

    if most < 1:
        raise InputError(f"-n {most}", "shows no value", "Give a number from 1 on")
    found = Archive.open(archive).facets(where, field)
    shown = [list(own)[:most] for _, own in groupby(found, key=lambda facet: (facet.source, facet.field))]
    if as_json:
        print(json.dumps([plain(facet) for own in shown for facet in own], indent=1))
        return
    for own in shown:
        print(f"{own[0].field} ({own[0].source})")
        for facet in own:
            print(f"{facet.count:>8}  {facet.value}")
