"""`histoseek search`: from a slide, a region, a case, a picture, words, or a mix, to slides or reports."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from histoseek.cli import search_options as opt
from histoseek.cli.ask import Asked, Images
from histoseek.cli.options import DEFAULT_WORKERS, ArchiveOption, JsonOption, WhereOption, WorkersOption
from histoseek.errors import InputError

if TYPE_CHECKING:
    from histoseek.search.options import SearchOptions
    from histoseek.search.queries import Query
    from histoseek.search.results import SearchResults


def search(
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
    expand: opt.ExpandOption = True,
    to: opt.ToOption = "slides",
    spacing: opt.SpacingOption = None,
    patient: opt.PatientOption = None,
    k: opt.CountOption = 5,
    offset: opt.OffsetOption = 0,
    where: WhereOption = None,
    same_patient: opt.SamePatientOption = False,
    by_case: opt.ByCaseOption = False,
    distance: opt.DistanceOption = None,
    exact: opt.ExactOption = False,
    min_probability: opt.ProbabilityOption = None,
    vote: opt.VoteOption = None,
    workers: WorkersOption = DEFAULT_WORKERS,
    as_json: JsonOption = False,
    html: opt.PageOption = None,
) -> None:
    """Find slides or reports; the query's own slides and patient are left out."""
    from histoseek.search.options import SearchOptions

    images = Images(slide or (), like or (), case, image, region or (), spacing)
    asked = Asked(images, text, without, report, report_of, weight, patient)
    options = SearchOptions(
        k=k,
        offset=offset,
        to=to,
        where=where,
        same_patient=same_patient,
        by_case=by_case,
        distance=distance,
        exact=exact,
        workers=workers,
        min_probability=min_probability,
        vote=vote,
        expand=expand,
    )
    results = _results(archive, asked.query(), options)
    _show(results, as_json, html)


def _results(archive: Path, query: Query, options: SearchOptions) -> SearchResults:
    from histoseek.api import Archive
    from histoseek.progress import terminal_progress
    from histoseek.search.search import search as run

    with terminal_progress("query", total=None) as reporter:
        return run(Archive.open(archive), query, options, reporter)


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
