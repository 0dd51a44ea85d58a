"""`histoseek list`: the slides of an archive."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from histoseek.cli.options import ArchiveOption, JsonOption, WhereOption
from histoseek.terminal import TableColumn, format_table, get_terminal_width

_FACTS = (
    TableColumn("case", "name", drop=4),
    TableColumn("patient", "name", drop=3),
    TableColumn("organ", "text", drop=5),
    TableColumn("diagnosis", "text"),
    TableColumn("tiles", drop=2),
)


def list_slides(
    archive: ArchiveOption,
    where: WhereOption = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Maximum number of slides.")] = None,
    offset: Annotated[int, typer.Option(min=0, help="Number of slides to skip.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """List the slides of an archive, sorted by id."""
    from histoseek.api import Archive
    from histoseek.jsonable import plain
    from histoseek.slides.sources.registry import is_named_by_file, source_name

    records = Archive.open(archive).records(where, limit, offset)
    if as_json:
        print(json.dumps(plain(records), indent=1))
        return
    rows = []
    for record in records:
        facts = (record.case_id, record.patient_id, record.organ, record.diagnosis)
        rows.append((source_name(record.uri), record.slide_id, *(fact or "" for fact in facts), str(record.tile_count)))
    says_no_more = all(is_named_by_file(record.slide_id, record.uri) for record in records)
    columns = (TableColumn("file", "name"), TableColumn("slide", "name", drop=int(says_no_more)), *_FACTS)
    print(format_table(columns, rows, get_terminal_width()))
