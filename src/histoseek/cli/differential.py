"""`histoseek differential`: diagnoses side by side for a slide, a region, a case, a picture, words, or a mix."""

from __future__ import annotations

from typing import Annotated

import typer

from histoseek.cli import query_options as query
from histoseek.cli.options import (
    DEFAULT_WORKERS,
    ArchiveOption,
    JsonOption,
    SamePatientOption,
    WhereOption,
    WorkersOption,
    read_settings,
)
from histoseek.search.options import DifferentialOptions

_DEFAULTS = DifferentialOptions()

LabelOption = Annotated[
    list[str] | None,
    typer.Option("--label", metavar="NAME", help="A diagnosis to weigh, two to four; by default the nearest ones."),
]
ColumnOption = Annotated[str | None, typer.Option(metavar="NAME", help="The metadata column that has the diagnoses.")]


def differential(
    context: typer.Context,
    archive: ArchiveOption,
    slide: query.SlideOption = None,
    like: query.LikeOption = None,
    case: query.CaseOption = None,
    image: query.ImageOption = None,
    region: query.RegionOption = None,
    text: query.TextOption = None,
    without: query.WithoutOption = None,
    weight: query.WeightOption = None,
    report: query.ReportOption = None,
    report_of: query.ReportOfOption = None,
    spacing: query.SpacingOption = None,
    patient: query.PatientOption = None,
    slide_feature: query.SlideFeatureOption = None,
    label: LabelOption = None,
    column: ColumnOption = None,
    cases: Annotated[int, typer.Option(help="Nearest cases to show of each diagnosis.")] = _DEFAULTS.cases,
    patients: Annotated[
        int, typer.Option(help="Nearest patients of each diagnosis whose reports are compared.")
    ] = _DEFAULTS.patients,
    terms: Annotated[int, typer.Option(help="Terms of reports to show of each diagnosis.")] = _DEFAULTS.terms,
    where: WhereOption = None,
    same_patient: SamePatientOption = _DEFAULTS.same_patient,
    workers: WorkersOption = DEFAULT_WORKERS,
    as_json: JsonOption = False,
) -> None:
    """Weigh two to four diagnoses: nearest cases, look-alikes of another diagnosis, and what reports tell apart."""
    from histoseek.api import Archive
    from histoseek.progress import show_progress

    asked = query.parse_query(read_settings(context, query.QueryOptions))
    options = read_settings(context, DifferentialOptions, labels=tuple(label or ()))
    with show_progress("query", total=None) as reporter:
        found = Archive.open(archive).differential(asked, options, reporter=reporter)
    print(found.to_json() if as_json else found)
