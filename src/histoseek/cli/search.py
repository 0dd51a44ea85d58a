"""`histoseek search`: from a slide, a region, a case, a picture, words, or a mix, to slides, reports or phrases."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

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
from histoseek.errors import ConfigurationError, InputError
from histoseek.search.options import PhraseOptions, SearchOptions

if TYPE_CHECKING:
    from histoseek.search.phrases.results import PhraseResults
    from histoseek.search.queries import Query
    from histoseek.search.results import SearchResults

DEFAULTS, PHRASES = SearchOptions(), PhraseOptions()

_OF_SLIDES_ALONE = ("offset", "by_case", "distance", "exact", "min_probability", "vote", "html")
"""Options that do not apply to phrases."""

ExpandOption = Annotated[
    bool, typer.Option("--expand/--no-expand", help="Also find synonyms and subtypes of what --text names.")
]
VerbatimOption = Annotated[
    bool, typer.Option("--verbatim", help="Search for the words of --text as they are spelled, without corrections.")
]
ToOption = Annotated[
    Literal["slides", "reports", "regions", "cases", "phrases"],
    typer.Option(help="What to find; phrases: what a report would say of a region, a picture or a slide."),
]
CountOption = Annotated[
    int, typer.Option("-k", help="Number of results.", show_default=f"{DEFAULTS.k}; {PHRASES.k} phrases")
]
OffsetOption = Annotated[int, typer.Option(help="Number of top results to skip.")]
ByCaseOption = Annotated[bool, typer.Option("--by-case", help="Return one result per case: its most similar slide.")]
DistanceOption = Annotated[
    str | None,
    typer.Option(
        help="How slides are compared: symmetric, maxsim, closest, rare, global, contained, pathsearch-paper, or "
        "module:attribute.",
        show_default="symmetric; contained for regions and pictures",
    ),
]
ExactOption = Annotated[bool, typer.Option("--exact", help="Rank every slide, not only the best candidates.")]
ProbabilityOption = Annotated[
    float | None,
    typer.Option(metavar="0-1", help="Leave out results that are less likely to share the query's label."),
]
VoteOption = Annotated[
    str | None,
    typer.Option(metavar="COLUMN", help="Let the patients of the results vote on this metadata column."),
]
PageOption = Annotated[
    Path | None, typer.Option("--html", metavar="FILE", help="Also write the results to a page with pictures.")
]


def search(
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
    expand: ExpandOption = DEFAULTS.expand,
    verbatim: VerbatimOption = DEFAULTS.verbatim,
    to: ToOption = DEFAULTS.to,
    spacing: query.SpacingOption = None,
    patient: query.PatientOption = None,
    slide_feature: query.SlideFeatureOption = None,
    k: CountOption = DEFAULTS.k,
    offset: OffsetOption = DEFAULTS.offset,
    where: WhereOption = None,
    same_patient: SamePatientOption = DEFAULTS.same_patient,
    by_case: ByCaseOption = DEFAULTS.by_case,
    distance: DistanceOption = None,
    exact: ExactOption = DEFAULTS.exact,
    min_probability: ProbabilityOption = None,
    vote: VoteOption = None,
    workers: WorkersOption = DEFAULT_WORKERS,
    as_json: JsonOption = False,
    html: PageOption = None,
) -> None:
    """Find similar slides or reports; the query's own slides and patient are left out."""
    parsed = query.parse_query(read_settings(context, query.QueryOptions))
    if to == "phrases":
        phrases = _find_phrases(archive, parsed, _read_phrase_options(context))
        print(phrases.to_json() if as_json else phrases)
        return
    options = read_settings(context, SearchOptions)
    print_results(_run(archive, parsed, options), as_json, html)


def _run(archive: str, query: Query, options: SearchOptions) -> SearchResults:
    """Search, with a distance of the user's own where the option names one."""
    from histoseek.api import Archive
    from histoseek.own_code import allow_own_code
    from histoseek.progress import show_progress

    allow_own_code(options.distance)
    with show_progress("query", total=None) as reporter:
        return Archive.open(archive).search(query, options, reporter=reporter)


def _read_phrase_options(context: typer.Context) -> PhraseOptions:
    """The options of phrases; raises ConfigurationError for those that apply to slides alone."""
    given = [name for name in context.params if _is_given(context, name)]
    wrong = next((name for name in given if name in _OF_SLIDES_ALONE), None)
    if wrong is not None:
        option = f"--{wrong.replace('_', '-')}"
        raise ConfigurationError(option, "applies to slides, not to phrases", "Leave it out, or ask for slides")
    return read_settings(context, PhraseOptions, **({} if "k" in given else {"k": PHRASES.k}))


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name not in {"DEFAULT", "DEFAULT_MAP"}


def _find_phrases(archive: str, query: Query, options: PhraseOptions) -> PhraseResults:
    from histoseek.api import Archive
    from histoseek.progress import show_progress

    with show_progress("query", total=None) as reporter:
        return Archive.open(archive).phrases(query, options, reporter=reporter)


def print_results(results: SearchResults, as_json: bool, html: Path | None) -> None:
    """Print results, after writing them to a page where one is wanted."""
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
        raise InputError(str(path), error.strerror or "cannot be written", "Choose another file for --html") from error
