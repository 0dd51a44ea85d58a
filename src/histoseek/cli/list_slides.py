"""`histoseek list`: the slides of an archive."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from histoseek.cli.options import ArchiveOption, JsonOption, WhereOption, cells


def list_slides(
    archive: ArchiveOption,
    where: WhereOption = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many.")] = None,
    offset: Annotated[int, typer.Option(min=0, help="Pass over so many first.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """List slides, sorted by id."""
    from rich.console import Console
    from rich.table import Table

    from histoseek.api import Archive
    from histoseek.jsonable import plain

    records = Archive.open(archive).records(where, limit, offset)
    if as_json:
        print(json.dumps(plain(records), indent=1))
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("slide", "case", "patient", "organ", "diagnosis", "tiles", "file"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "slide")
    for record in records:
        texts = (record.case_id, record.patient_id, record.organ, record.diagnosis, str(record.tile_count))
        table.add_row(*cells(record.slide_id, *texts, Path(record.uri).name))
    Console().print(table)
