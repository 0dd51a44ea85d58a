"""The options of `histoseek search`."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Annotated, Literal

import typer

from histoseek.search.options import SearchOptions

DEFAULTS = SearchOptions()

SlidesOption = Annotated[
    list[str] | None, typer.Option("--slide", metavar="FILE", help="Ask with this slide file; several are a case.")
]
LikesOption = Annotated[list[str] | None, typer.Option("--like", help="Ask with this slide of the archive.")]
CaseOption = Annotated[str | None, typer.Option(help="Ask with the slides of this case of the archive.")]
ImageOption = Annotated[str | None, typer.Option(metavar="FILE", help="Ask with a picture of tissue; needs --spacing.")]
RegionsOption = Annotated[
    list[str] | None,
    typer.Option("--region", metavar="X,Y,W,H[um]", help="Only this part of the slide; may be repeated."),
]
TextOption = Annotated[
    str | None,
    typer.Option(help='Ask with words, alone or beside an image; also grade:3, "a phrase", -not.'),
]
WithoutOption = Annotated[str | None, typer.Option(help="What is not wanted.")]
WeightOption = Annotated[float | None, typer.Option(help="Of the words beside an image, 0 to 1.  [default: 0.5]")]
ReportOption = Annotated[Path | None, typer.Option(help="Ask with a report in a text file.")]
ReportOfOption = Annotated[
    str | None, typer.Option("--report-of", metavar="ID", help="Ask with the report of this slide of the archive.")
]
ExpandOption = Annotated[
    bool, typer.Option("--expand/--no-expand", help="Also find what --text names in other words, and kinds of it.")
]
ToOption = Annotated[Literal["slides", "reports"], typer.Option(help="What to find.")]
SpacingOption = Annotated[float | None, typer.Option(help="um/px of --slide or --image.")]
PatientOption = Annotated[str | None, typer.Option(help="Patient of the query, to be left out of the results.")]
CountOption = Annotated[int, typer.Option("-k", help="How many results.")]
OffsetOption = Annotated[int, typer.Option(help="How many better results to pass over.")]
SamePatientOption = Annotated[bool, typer.Option("--same-patient", help="Let the query's own patient be found.")]
ByCaseOption = Annotated[bool, typer.Option("--by-case", help="One result a case, its nearest slide.")]
DistanceOption = Annotated[
    str | None, typer.Option(help="Between slides.  [default: symmetric; contained for regions and pictures]")
]
ExactOption = Annotated[bool, typer.Option("--exact", help="Rank every slide, not only the best candidates.")]
ProbabilityOption = Annotated[
    float | None, typer.Option(help="Leave out results that are less likely to share the query's label.")
]
VoteOption = Annotated[str | None, typer.Option(metavar="COLUMN", help="Let the results' patients vote on it.")]
PageOption = Annotated[Path | None, typer.Option("--html", help="Write a page with pictures to this file.")]


def read_options(context: typer.Context) -> SearchOptions:
    """The options of a command whose parameters bear the names of SearchOptions; raises ConfigurationError."""
    names = [field.name for field in fields(SearchOptions)]
    return SearchOptions(**{name: context.params[name] for name in names if name in context.params})
