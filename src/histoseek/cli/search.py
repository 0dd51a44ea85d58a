"""`histoseek search`: from a slide or a text to slides or reports."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from histoseek.cli.options import DEFAULT_WORKERS, ArchiveOption, JsonOption, WhereOption, WorkersOption, cells
from histoseek.errors import ConfigurationError, InputError

if TYPE_CHECKING:
    from histoseek.search.query import Query
    from histoseek.search.results import SearchResult, SearchResults


def search(
    archive: ArchiveOption,
    slide: Annotated[Path | None, typer.Option(help="Ask with this slide file.")] = None,
    like: Annotated[str | None, typer.Option(help="Ask with this slide of the archive.")] = None,
    text: Annotated[str | None, typer.Option(help="Ask with a sentence.")] = None,
    report: Annotated[Path | None, typer.Option(help="Ask with a report in a text file.")] = None,
    to: Annotated[Literal["slides", "reports"], typer.Option(help="What to find.")] = "slides",
    spacing: Annotated[float | None, typer.Option(help="um/px of --slide, if its file does not say.")] = None,
    patient: Annotated[str | None, typer.Option(help="Patient of the query, to be left out of the results.")] = None,
    k: Annotated[int, typer.Option("-k", help="How many results.")] = 5,
    where: WhereOption = None,
    same_patient: Annotated[bool, typer.Option("--same-patient", help="Let the query's own patient be found.")] = False,
    distance: Annotated[str, typer.Option(help="symmetric or pathsearch-paper.")] = "symmetric",
    exact: Annotated[bool, typer.Option("--exact", help="Rank every slide, not only the best candidates.")] = False,
    min_probability: Annotated[
        float | None, typer.Option(help="Leave out results that are less likely to share the query's label.")
    ] = None,
    vote: Annotated[str | None, typer.Option(metavar="COLUMN", help="Let the results' patients vote on it.")] = None,
    workers: WorkersOption = DEFAULT_WORKERS,
    as_json: JsonOption = False,
    html: Annotated[Path | None, typer.Option(help="Write a page with pictures to this file.")] = None,
) -> None:
    """Find slides or reports by a slide or a text; the query's own slide and patient are left out."""
    from histoseek.api import Archive
    from histoseek.progress import terminal_progress
    from histoseek.search.search import SearchOptions
    from histoseek.search.search import search as run

    query = _query(slide, like, text, report, spacing, patient)
    options = SearchOptions(
        k=k,
        to=to,
        where=where,
        same_patient=same_patient,
        distance=distance,
        exact=exact,
        workers=workers,
        min_probability=min_probability,
        vote=vote,
    )
    with terminal_progress("query", total=None) as reporter:
        results = run(Archive.open(archive), query, options, reporter)
    if html:
        _write_page(results, html)
    if as_json:
        print(results.to_json())
    else:
        _print_table(results)
    if html:
        print(f"page: {html}", file=sys.stderr)


def _query(
    slide: Path | None,
    like: str | None,
    text: str | None,
    report: Path | None,
    spacing: float | None,
    patient: str | None,
) -> Query:
    from histoseek.search.query import ArchivedSlide, ReportFile, SlideFile, TextQuery

    if sum(given is not None for given in (slide, like, text, report)) != 1:
        advice = "Give a slide file, the id of an archived slide, a sentence, or a report"
        raise InputError("search", "needs one of --slide, --like, --text and --report", advice)
    if slide is None and spacing is not None:
        raise ConfigurationError("--spacing", "is of --slide, which was not given", "Leave it out")
    if like is not None and patient is not None:
        raise ConfigurationError("--patient", "of an archived slide is known to the archive", "Leave it out")
    if slide is not None:
        return SlideFile(slide, spacing, patient)
    if text is not None:
        return TextQuery(text, patient)
    return ReportFile(report, patient) if report is not None else ArchivedSlide(str(like))


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
    last = "report" if results.query.to == "reports" else "file"
    likely = f"same {results.calibrated_for}" if results.calibrated_for else "probability"
    for heading in ("rank", "slide", "score", likely, "how", "case", "diagnosis", last):
        table.add_column(heading, overflow="fold", no_wrap=heading == "slide")
    for result in results:
        record = result.record
        shown = record.report if results.query.to == "reports" else Path(record.uri).name
        probability = "" if result.probability is None else f"{result.probability:.2f}"
        facts = (f"{result.score:.3f}", probability, _how(result), record.case_id, record.diagnosis, shown)
        table.add_row(*cells(str(result.rank), result.slide_id, *facts))
    console = Console()
    console.print(table)
    for line in (*_vote_lines(results), *(f"note: {warning}" for warning in results.warnings)):
        console.print(line, highlight=False, markup=False, emoji=False)


def _how(result: SearchResult) -> str:
    """The distance's parts between slides, else the ways with the rank on each."""
    if result.local is not None and result.global_ is not None:
        return f"local {result.local:.3f}, global {result.global_:.3f}"
    return ", ".join(f"{way.name} {way.rank}" for way in result.ways)


def _vote_lines(results: SearchResults) -> list[str]:
    vote = results.vote_
    if vote is None:
        return []
    return [f"vote of {vote.patients} patients on {vote.label_column}, {name}: {tally}" for name, tally in vote.tallies]
