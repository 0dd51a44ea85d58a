"""`histoseek reports`: look into report files before they go into an archive."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from histoseek.cli.options import JsonOption, ReportColumnsOption, listed_pairs, pairs
from histoseek.errors import InputError

if TYPE_CHECKING:
    from histoseek.archive.indexing.report_check import ReportsCheck

reports = typer.Typer(no_args_is_help=True, help="Look into report files.")


@reports.callback()
def root() -> None:
    """Look into report files."""


@reports.command()
def check(
    paths: Annotated[list[str], typer.Argument(help="Report files and folders.", metavar="PATHS...")],
    report_columns: ReportColumnsOption = None,
    rename: Annotated[list[str] | None, typer.Option(help="OLD=NEW column name; repeatable.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Say how reports would be read, and what is found in them; nothing is stored, and no word of them is shown."""
    from histoseek.archive.indexing.report_check import check_reports
    from histoseek.archive.indexing.report_intake import named_columns
    from histoseek.jsonable import plain
    from histoseek.progress import terminal_progress

    if not all(map(str.strip, paths)):
        raise InputError("PATHS", "an empty path", "Give report files or folders; the current one is '.'")
    columns = named_columns(listed_pairs(report_columns, "--report-columns"), pairs(rename, "--rename"))
    with terminal_progress("reports", total=None) as reporter:
        found = check_reports([Path(path) for path in paths], columns, reporter)
    print(json.dumps(plain(found), indent=1) if as_json else "\n".join(_lines(found)))


def _lines(found: ReportsCheck) -> Iterator[str]:
    from histoseek.archive.indexing.notices import of_patients
    from histoseek.cli.report_lines import counts, file_lines, id_lines

    yield from (f"warning: {said}" for said in of_patients(found.files))
    yield from file_lines(found.files)
    yield from id_lines(found.folded, found.differing)
    yield from (f"refused: {refusal.reason}" for refusal in found.refused)
    yield f"{found.reports} reports, {found.specimens} of them with labelled specimens"
    yield f"sections: {', '.join(f'{one.name} in {one.reports}' for one in found.sections) or 'none'}"
    yield f"sentences: {found.sentences}, of which a slide can show {found.visible_sentences}"
    yield f"fields: {', '.join(f'{one.name} in {one.reports}' for one in found.terms) or 'none'}"
    yield f"identifiers that would be replaced: {counts(found.identifiers)}"
