"""`histoseek search`: the archived slides most like one slide."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from histoseek.cli.options import DEFAULT_WORKERS, ArchiveOption, JsonOption, WhereOption, WorkersOption
from histoseek.errors import InputError

if TYPE_CHECKING:
    from histoseek.search.query import Query
    from histoseek.search.results import SearchResults


def search(
    archive: ArchiveOption,
    slide: Annotated[Path | None, typer.Option(help="Ask with this slide file.")] = None,
    like: Annotated[str | None, typer.Option(help="Ask with this slide of the archive.")] = None,
    spacing: Annotated[float | None, typer.Option(help="um/px of --slide, if its file does not say.")] = None,
    patient: Annotated[str | None, typer.Option(help="Patient of --slide, to be left out of the results.")] = None,
    k: Annotated[int, typer.Option("-k", help="How many results.")] = 5,
    where: WhereOption = None,
    same_patient: Annotated[bool, typer.Option("--same-patient", help="Let the query's own patient be found.")] = False,
    distance: Annotated[str, typer.Option(help="symmetric or pathsearch-paper.")] = "symmetric",
    exact: Annotated[bool, typer.Option("--exact", help="Rank every slide, not only the best candidates.")] = False,
    workers: WorkersOption = DEFAULT_WORKERS,
    as_json: JsonOption = False,
    html: Annotated[Path | None, typer.Option(help="Write a page with pictures to this file.")] = None,
) -> None:
    """Find the archived slides most like a slide; the slide itself and its patient are left out."""
    from histoseek.api import Archive
    from histoseek.progress import terminal_progress
    from histoseek.search.search import SearchOptions
    from histoseek.search.search import search as run

    options = SearchOptions(
        k=k, where=where, same_patient=same_patient, distance=distance, exact=exact, workers=workers
    )
    with terminal_progress("query", total=None) as reporter:
        results = run(Archive.open(archive), _query(slide, like, spacing, patient), options, reporter)
    if html:
        _write_page(results, html)
    if as_json:
        print(results.to_json())
    else:
        _print_table(results)
    if html:
        print(f"page: {html}", file=sys.stderr)


def _query(slide: Path | None, like: str | None, spacing: float | None, patient: str | None) -> Query:
    from histoseek.search.query import ArchivedSlide, SlideFile

    if (slide is None) == (like is None):
        raise InputError(
            "search", "needs either --slide or --like", "Give a slide file, or the id of an archived slide"
        )
    return SlideFile(slide, spacing, patient) if slide is not None else ArchivedSlide(str(like))


def _write_page(results: SearchResults, path: Path) -> None:
    from histoseek.search.page import render_page

    try:
        path.write_text(render_page(results, "histoseek results"), encoding="utf-8")
    except OSError as error:
        raise InputError(str(path), error.strerror or "cannot be written", "Choose another place for --html") from error


def _print_table(results: SearchResults) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("rank", "slide", "score", "local", "global", "case", "diagnosis", "file"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "slide")
    for result in results:
        record = result.record
        numbers = (f"{value:.3f}" for value in (result.score, result.local, result.global_))
        table.add_row(
            str(result.rank), result.slide_id, *numbers, record.case_id, record.diagnosis, Path(record.uri).name
        )
    console = Console()
    console.print(table)
    for warning in results.warnings:
        console.print(f"note: {warning}", highlight=False)
