"""`histoseek reports`: check report files before they go into an archive."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from histoseek.cli.options import JsonOption, RenameOption, ReportColumnsOption, parse_pair_lists, parse_pairs
from histoseek.errors import InputError

if TYPE_CHECKING:
    from histoseek.archive.indexing.report_check import ReportCheck

_MOST_POOR, _LONGEST_QUOTE = 10, 60

MendsOption = Annotated[
    bool, typer.Option("--mends", help="List each mend with the words that were mended: words of the reports.")
]

reports = typer.Typer(no_args_is_help=True, help="Check report files before you index them.")


@reports.callback()
def root() -> None:
    """Check report files before you index them."""


@reports.command()
def check(
    paths: Annotated[list[str], typer.Argument(help="Report files and folders.", metavar="PATH")],
    report_columns: ReportColumnsOption = None,
    rename: RenameOption = None,
    mends: MendsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show how report files would be read and what they contain; store nothing, and print none of their text."""
    from histoseek.archive.indexing.report_check import check_reports
    from histoseek.archive.indexing.report_intake import make_report_columns
    from histoseek.jsonable import plain
    from histoseek.progress import show_progress

    if not all(map(str.strip, paths)):
        raise InputError("PATH", "is empty", "Give report files or folders; the current folder is '.'")
    columns = make_report_columns(parse_pair_lists(report_columns, "--report-columns"), parse_pairs(rename, "--rename"))
    with show_progress("reports", total=None) as reporter:
        summary = check_reports([Path(path) for path in paths], columns, reporter)
    summary = summary if mends else replace(summary, mends=())
    print(json.dumps(plain(summary), indent=1) if as_json else "\n".join(_format_lines(summary)))


def _format_lines(summary: ReportCheck) -> Iterator[str]:
    from histoseek.archive.indexing.index_warnings import list_patient_warnings
    from histoseek.cli.report_lines import describe_files, describe_ids, format_counts

    yield from (f"warning: {warning}" for warning in list_patient_warnings(summary.files))
    yield from describe_files(summary.files)
    yield from describe_ids(summary.folded, summary.differing)
    yield from (f"refused: {refusal.reason}" for refusal in summary.refused)
    yield f"{summary.reports} reports, {summary.specimens} of them with labelled specimens"
    yield f"sections: {', '.join(f'{section.name} in {section.reports}' for section in summary.sections) or 'none'}"
    yield f"sentences: {summary.sentences}, of which a slide can show {summary.visible_sentences}"
    yield f"fields: {', '.join(f'{field.name} in {field.reports}' for field in summary.terms) or 'none'}"
    yield f"identifiers that would be replaced: {format_counts(summary.identifiers)}"
    mended = ", ".join(f"{kind.name} in {kind.reports}" for kind in summary.mend_counts)
    yield f"mended before reading: {mended or 'none'}"
    yield f"of poor quality: {len(summary.poor)} of {summary.reports} reports"
    yield from (f"poor: {report.report_id} ({', '.join(report.flaws)})" for report in summary.poor[:_MOST_POOR])
    if len(summary.poor) > _MOST_POOR:
        yield f"poor: {len(summary.poor) - _MOST_POOR} more, all of them with --json"
    yield from (
        f"{mend.report_id}: {mend.reason}: {_quote(mend.original)} -> {_quote(mend.mended)}" for mend in summary.mends
    )


def _quote(text: str) -> str:
    """A stretch on one line, of bounded length; "nothing" where it went."""
    line = " ".join(text.split())
    return repr(line if len(line) <= _LONGEST_QUOTE else f"{line[:_LONGEST_QUOTE]}...") if text else "nothing"
