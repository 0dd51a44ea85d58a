"""Results as a table for a terminal and for a notebook."""

from __future__ import annotations

import html
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from histoseek.search.results import SearchResult, SearchResults


@dataclass(frozen=True, slots=True)
class _Sheet:
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]


def as_text(results: SearchResults) -> str:
    """A table as wide as the terminal, with the vote and the warnings below."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    sheet = _sheet(results)
    table = Table(box=None, pad_edge=False)
    for heading in sheet.headings:
        table.add_column(heading, overflow="fold", no_wrap=heading == "slide")
    for row in sheet.rows:
        # As they are: rich would take brackets in them for its own markup.
        table.add_row(*(Text(cell) for cell in row))
    out = StringIO()
    console = Console(file=out, width=shutil.get_terminal_size().columns)
    console.print(table)
    for line in sheet.notes:
        console.print(line, highlight=False, markup=False, emoji=False)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def as_html(results: SearchResults) -> str:
    """A plain HTML table, with the vote and the warnings below."""
    sheet = _sheet(results)
    head = "".join(f"<th>{html.escape(heading)}</th>" for heading in sheet.headings)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in sheet.rows)
    notes = "".join(f"<p>{html.escape(note)}</p>" for note in sheet.notes)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{notes}"


def _sheet(results: SearchResults) -> _Sheet:
    last = "report" if results.query.to == "reports" else "file"
    likely = f"same {results.calibrated_for}" if results.calibrated_for else "probability"
    return _Sheet(
        headings=("rank", "slide", "score", likely, "how", "case", "diagnosis", last),
        rows=tuple(_row(result, results.query.to == "reports") for result in results),
        notes=(*_votes(results), *(f"note: {warning}" for warning in results.warnings)),
    )


def _row(result: SearchResult, to_reports: bool) -> tuple[str, ...]:
    record = result.record
    slide = f"{result.slide_id} (+{len(result.also)})" if result.also else result.slide_id
    probability = "" if result.probability is None else f"{result.probability:.2f}"
    last = (record.report or "") if to_reports else Path(record.uri).name
    facts = (probability, _how(result), record.case_id or "", record.diagnosis or "", last)
    return (str(result.rank), slide, f"{result.score:.3f}", *facts)


def _how(result: SearchResult) -> str:
    """The distance's parts between slides, else the ways with the rank on each."""
    if len(result.ways) == 1 and result.local is not None and result.global_ is not None:
        return f"local {result.local:.3f}, global {result.global_:.3f}"
    return ", ".join(f"{'not ' if way.weight < 0 else ''}{way.name} {way.rank}" for way in result.ways)


def _votes(results: SearchResults) -> Sequence[str]:
    vote = results.vote_
    if vote is None:
        return ()
    return [f"vote of {vote.patients} patients on {vote.label_column}, {name}: {tally}" for name, tally in vote.tallies]
