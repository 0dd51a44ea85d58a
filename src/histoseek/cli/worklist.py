"""`histoseek worklist`: many slides in, one table out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from histoseek.cli.options import ArchiveOption, WhereOption
from histoseek.search.options import DEFAULT_LABEL

SlidesArgument = Annotated[list[str], typer.Argument(metavar="SLIDE...", help="Slide files, or ids of the archive.")]
OutOption = Annotated[Path, typer.Option("--out", metavar="FILE", help="The table to write: .csv or .json.")]
CountOption = Annotated[int, typer.Option("-k", help="Nearest slides to name for each.")]
LabelOption = Annotated[str, typer.Option(metavar="COLUMN", help="The metadata column that says what slides are.")]
PhrasesOption = Annotated[int, typer.Option(help="What a report would say: phrases to name for each.")]


def worklist(
    slides: SlidesArgument,
    archive: ArchiveOption,
    out: OutOption,
    k: CountOption = 5,
    label: LabelOption = DEFAULT_LABEL,
    phrases: PhrasesOption = 3,
    where: WhereOption = None,
) -> None:
    """Search with many slides, and write one table of what is nearest to each and how probable its label is."""
    from histoseek.api import Archive
    from histoseek.errors import InputError
    from histoseek.files import as_archive_errors
    from histoseek.progress import show_progress
    from histoseek.search.queries import ArchivedSlide, SlideFile
    from histoseek.search.worklist import WorklistOptions, list_columns, to_cells
    from histoseek.tables import to_csv, to_json

    if out.suffix.lower() not in (".csv", ".json"):
        raise InputError(str(out), "is neither .csv nor .json", "Name such a file")
    opened, options = Archive.open(archive), WorklistOptions(k, label, phrases, where)
    queries = [SlideFile(slide) if Path(slide).exists() else ArchivedSlide(slide) for slide in slides]
    rows = []
    with show_progress("slides", total=len(queries)) as reporter:
        for row in opened.worklist(queries, options):
            rows.append(to_cells(row, options))
            reporter.advance()
    write = to_json if out.suffix.lower() == ".json" else to_csv
    with as_archive_errors(out):
        out.write_text(write(list_columns(options), rows), encoding="utf-8", newline="")
    print(f"{len(rows)} slides in {out}")
