"""`histoseek search`: from a slide, a region, a case, a picture, words, or a mix, to slides or reports."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from histoseek.cli import search_options as opt
from histoseek.cli.ask import Asked, Images
from histoseek.cli.options import DEFAULT_WORKERS, ArchiveOption, JsonOption, WhereOption, WorkersOption
from histoseek.errors import InputError

if TYPE_CHECKING:
    from histoseek.search.options import SearchOptions
    from histoseek.search.queries import Query
    from histoseek.search.results import SearchResults


def search(
    context: typer.Context,
    archive: ArchiveOption,
    slide: opt.SlidesOption = None,
    like: opt.LikesOption = None,
    case: opt.CaseOption = None,
    image: opt.ImageOption = None,
    region: opt.RegionsOption = None,
    text: opt.TextOption = None,
    without: opt.WithoutOption = None,
    weight: opt.WeightOption = None,
    report: opt.ReportOption = None,
    report_of: opt.ReportOfOption = None,
    expand: opt.ExpandOption = opt.DEFAULTS.expand,
    to: opt.ToOption = opt.DEFAULTS.to,
    spacing: opt.SpacingOption = None,
    patient: opt.PatientOption = None,
    k: opt.CountOption = opt.DEFAULTS.k,
    offset: opt.OffsetOption = opt.DEFAULTS.offset,
    where: WhereOption = None,
    same_patient: opt.SamePatientOption = opt.DEFAULTS.same_patient,
    by_case: opt.ByCaseOption = opt.DEFAULTS.by_case,
    distance: opt.DistanceOption = None,
    exact: opt.ExactOption = opt.DEFAULTS.exact,
    min_probability: opt.ProbabilityOption = None,
    vote: opt.VoteOption = None,
    workers: WorkersOption = DEFAULT_WORKERS,
    as_json: JsonOption = False,
    html: opt.PageOption = None,
) -> None:
    """Find slides or reports; the query's own slides and patient are left out."""
    images = Images(slide or (), like or (), case, image, region or (), spacing)
    query = Asked(images, text, without, report, report_of, weight, patient).query()
    results = _search(archive, query, opt.read_options(context))
    _show(results, as_json, html)


def _search(archive: Path, query: Query, options: SearchOptions) -> SearchResults:
    from histoseek.api import Archive
    from histoseek.progress import terminal_progress

    with terminal_progress("query", total=None) as reporter:
        return Archive.open(archive).search(query, options, reporter=reporter)


def _show(results: SearchResults, as_json: bool, html: Path | None) -> None:
    if html:
        _write_page(results, html)
    print(results.to_json() if as_json else results)
    if html:
        print(f"page: {html}", file=sys.stderr)


def _write_page(results: SearchResults, path: Path) -> None:
    from histoseek.search.present.page import render_page

    try:
        path.write_text(render_page(results, "histoseek results"), encoding="utf-8")
    except OSError as error:
        raise InputError(str(path), error.strerror or "cannot be written", "Choose another place for --html") from error
