"""The options of `histoseek search` that say what to search with, and the query that they make."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from histoseek.errors import ConfigurationError, InputError

if TYPE_CHECKING:
    from histoseek.search.queries import ImageQuery, Query, Region, SlideQuery

_REGION = re.compile(r"\s*".join([r"(-?[\d.]+)", ",", r"(-?[\d.]+)", ",", r"([\d.]+)", ",", r"([\d.]+)", "(um|px)?"]))
_WEIGHT = 0.5

SlideOption = Annotated[
    list[str] | None,
    typer.Option(metavar="FILE", help="Search with this slide file; repeat it for several slides of a case."),
]
LikeOption = Annotated[
    list[str] | None, typer.Option(metavar="ID", help="Search with this slide of the archive; repeatable like --slide.")
]
CaseOption = Annotated[str | None, typer.Option(metavar="ID", help="Search with all slides of this case.")]
ImageOption = Annotated[
    str | None, typer.Option(metavar="FILE", help="Search with a picture of tissue; needs --spacing.")
]
RegionOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="X,Y,W,H[um]", help="Search with this part of the slide only, in level-0 px or µm. Repeatable."
    ),
]
TextOption = Annotated[
    str | None,
    typer.Option(help='Search with words, alone or together with an image; understands "a phrase", -not and grade:3.'),
]
WithoutOption = Annotated[str | None, typer.Option(help="Words for what you do not want to find.")]
WeightOption = Annotated[
    float | None,
    typer.Option(help="Weight of the words when there is an image, from 0 to 1.", show_default=str(_WEIGHT)),
]
ReportOption = Annotated[Path | None, typer.Option(metavar="FILE", help="Search with the report in this text file.")]
ReportOfOption = Annotated[
    str | None, typer.Option(metavar="ID", help="Search with the report of this slide of the archive.")
]
SpacingOption = Annotated[float | None, typer.Option(help="Spacing of --slide or --image in µm/px.")]
SlideFeatureOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="The vector of --slide, for an archive whose slides' vectors another tool made."),
]
PatientOption = Annotated[
    str | None, typer.Option(metavar="ID", help="The query's patient, whose slides are left out of the results.")
]


@dataclass(frozen=True, slots=True)
class QueryOptions:
    """The values of the options, by their names."""

    slide: Sequence[str] | None = None
    like: Sequence[str] | None = None
    case: str | None = None
    image: str | None = None
    region: Sequence[str] | None = None
    spacing: float | None = None
    text: str | None = None
    without: str | None = None
    weight: float | None = None
    report: Path | None = None
    report_of: str | None = None
    patient: str | None = None
    slide_feature: Path | None = None

    @property
    def image_kinds(self) -> int:
        """In how many ways an image is named, which are not to be mixed."""
        return bool(self.slide or self.like) + (self.case is not None) + (self.image is not None)

    @property
    def has_words(self) -> bool:
        """Whether there is a text of what is wanted or not wanted."""
        return self.text is not None or self.without is not None


def parse_query(options: QueryOptions) -> Query:
    """The query that the options make; raises InputError or ConfigurationError for those that don't fit together."""
    from histoseek.search.queries import ArchivedReport, Composed, ReportFile, TextQuery

    _check_kinds(options)
    _check_image(options)
    image = _parse_image(options)
    if image is not None and options.has_words:
        weight = _WEIGHT if options.weight is None else options.weight
        return Composed(image, options.text, options.without, weight)
    if options.weight is not None:
        raise ConfigurationError("--weight", "only applies to words beside an image", "Leave it out")
    if image is not None:
        return image
    if options.report is not None:
        return ReportFile(options.report, options.patient)
    if options.report_of is not None:
        return ArchivedReport(options.report_of)
    if options.text is None:
        raise InputError("--without", "does not say what you want to find", "Add --text, or an image")
    return TextQuery(options.text, options.patient, options.without)


def _check_kinds(options: QueryOptions) -> None:
    reports = (options.report is not None) + (options.report_of is not None)
    if reports > 1 or (reports and (options.has_words or options.image_kinds)):
        name = "--report" if options.report is not None else "--report-of"
        raise InputError(name, "cannot be combined with another query", "Search with one report, or without it")
    if not (options.image_kinds or options.has_words or reports):
        what = "needs one of --slide, --like, --case, --image, --text, --report and --report-of"
        raise InputError("search", what, "Give a slide file, the id of an archived slide, a sentence, or a report")
    if options.patient is not None and (options.like or options.case is not None or options.report_of is not None):
        raise ConfigurationError("--patient", "the archive knows the patient of its own slides", "Leave it out")


def _check_image(options: QueryOptions) -> None:
    slides, likes = len(options.slide or ()), len(options.like or ())
    if options.image_kinds > 1:
        what = "cannot combine slides, a case and a picture in one query"
        raise InputError("search", what, "Give --slide or --like, or --case, or --image")
    if options.region and slides + likes != 1:
        raise ConfigurationError("--region", "needs exactly one slide", "Give one --slide or --like with it")
    if options.spacing is not None and slides + (options.image is not None) != 1:
        what = "only applies to a single --slide or --image"
        raise ConfigurationError("--spacing", what, "Leave it out, or give one of these")
    if options.slide_feature is not None and slides != 1:
        raise ConfigurationError("--slide-feature", "only applies to a single --slide", "Leave it out, or give one")
    if options.image is not None and options.spacing is None:
        raise ConfigurationError("--image", "a picture does not state its scale", "Add its µm/px, e.g. --spacing 0.5")


def _parse_image(options: QueryOptions) -> ImageQuery | None:
    """The image to search with, None without any."""
    from histoseek.search.queries import ArchivedCase, ArchivedSlide, Case, SlideFile, TileImage

    if options.case is not None:
        return ArchivedCase(options.case)
    if options.image is not None:
        return TileImage(options.image, options.spacing or 0.0, options.patient)
    slides: list[SlideQuery] = [
        SlideFile(path, options.spacing, options.patient, options.slide_feature) for path in options.slide or ()
    ]
    slides += [ArchivedSlide(slide_id) for slide_id in options.like or ()]
    if options.region:
        return _parse_region(slides[0], options.region)
    if len(slides) > 1:
        return Case(tuple(slides))
    return slides[0] if slides else None


def _parse_region(slide: SlideQuery, texts: Sequence[str]) -> Region:
    from histoseek.geometry import Rect
    from histoseek.search.queries import Region

    advice = "Write 100,200,300,300 in level-0 pixels, or 100,200,300,300um"
    rects, units = [], set()
    for text in texts:
        match = _REGION.fullmatch(text.strip())
        if match is None:
            raise InputError("--region", f"{text!r} is not a region", advice)
        rects.append(Rect(*(_parse_whole(number) for number in match.groups()[:4])))
        units.add(match[5] or "px")
    if len(units) > 1:
        raise InputError("--region", "some regions are in px, others in µm", advice)
    return Region(slide, tuple(rects), "um" if units == {"um"} else "px")


def _parse_whole(text: str) -> int:
    try:
        return round(float(text))
    except (ValueError, OverflowError) as error:
        raise InputError("--region", f"{text!r} is not a number", "Write x,y,width,height") from error
