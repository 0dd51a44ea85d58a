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
        typer.Option(
            "--field", metavar="NAME", help="Only this field: organ, diagnosis, grade, a column ... Repeatable."
        ),
    ] = None,
    where: WhereOption = None,
    most: Annotated[int, typer.Option("-n", help="Maximum number of values per field.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Count the values of metadata columns and of the fields that reports state."""
    from histoseek.api import Archive
    from histoseek.jsonable import plain

    if most < 1:
        raise InputError(f"-n {most}", "would show no values", "Give at least 1")
    counts = Archive.open(archive).facets(where, field)
    fields = [list(group)[:most] for _, group in groupby(counts, key=lambda facet: (facet.source, facet.field))]
    if as_json:
        print(json.dumps([plain(facet) for group in fields for facet in group], indent=1))
        return
    for group in fields:
        print(f"{group[0].field} ({group[0].source})")
        for facet in group:
            print(f"{facet.count:>8}  {facet.value}")
