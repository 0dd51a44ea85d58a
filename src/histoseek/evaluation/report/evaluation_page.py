"""The page of an evaluation: one HTML file that loads nothing from elsewhere, with no patient's id or report on it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, select_autoescape
from markupsafe import Markup

from histoseek.archive.folder import ArchiveFolder
from histoseek.errors import InputError
from histoseek.evaluation.outcome import ArchiveMap, Evaluation, SystemResult, WorstQuery, save_evaluation
from histoseek.evaluation.report.charts import (
    Estimate,
    Series,
    draw_bar_chart,
    draw_cmc_chart,
    draw_confusion_chart,
    draw_dot_chart,
    draw_risk_coverage_chart,
)
from histoseek.evaluation.report.figure_tables import (
    make_class_table,
    make_comparison_table,
    make_full_comparison_table,
    make_full_table,
    make_headline_table,
)
from histoseek.evaluation.report.figure_text import describe_site_check, format_with_interval
from histoseek.evaluation.report.glossary import list_glossary
from histoseek.evaluation.report.scatter import draw_map
from histoseek.evaluation.report.svg import format_figure
from histoseek.evaluation.scores import MetricEstimate
from histoseek.files import write_atomic
from histoseek.search.pictures import draw_slide

MOST_WORST_QUERIES = 12
"""So many of the worst queries are on the page."""

MOST_LEAKS = 8
"""So many leaks are in sight at once; the others unfold."""

MOST_NEAREST = 5
"""So many of the nearest slides of each."""

DOTS = ("mMV@5", "MAP@5")
"""Metrics with a dot chart of all systems."""

BARS = ("mMV@5", "MAP@5")
"""Metrics with a bar chart of the first system's classes."""

NO_NEIGHBOUR = "none"
"""Column of the confusion for queries to which the system gave no neighbour."""


@dataclass(frozen=True, slots=True)
class PageSlide:
    """A slide among the worst queries' as shown.

    picture: a data URI, None when the file can't be read; distance: to the query; right: has the query's label.
    """

    slide_id: str
    label: str
    picture: str | None
    distance: float | None = None
    right: bool = False


@dataclass(frozen=True, slots=True)
class PageQuery:
    """One of the worst queries with its nearest slides, the nearest first."""

    query: PageSlide
    nearest: tuple[PageSlide, ...]


def write_evaluation(evaluation: Evaluation, archive: ArchiveFolder, folder: Path) -> None:
    """Write evaluation.json and evaluation.html into a folder, which is made; raises InputError when it can't be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(str(folder), error.strerror or "cannot be made", "Choose another place") from error
    save_evaluation(evaluation, folder / "evaluation.json")
    page = folder / "evaluation.html"
    try:
        write_atomic(
            page, render_evaluation(evaluation, load_worst_pictures(archive, evaluation)).encode(errors="replace")
        )
    except OSError as error:
        raise InputError(str(page), error.strerror or "cannot be written", "Choose another place") from error


def load_worst_pictures(archive: ArchiveFolder, evaluation: Evaluation) -> dict[str, str]:
    """Thumbnails, as data URIs by slide id, of the slides that the page shows among its worst queries.

    Slides whose file is not at hand are left out. Raises UnknownSlide when the archive no longer has one.
    """
    queries = evaluation.worst[:MOST_WORST_QUERIES]
    ids = list(dict.fromkeys(name for each in queries for name in (each.slide_id, *each.nearest[:MOST_NEAREST])))
    thumbnails = {}
    for stored in archive.store.get(ids) if ids else []:
        record = stored.record
        if pictures := draw_slide(record.uri, record.spacing_um_per_px, ()):
            thumbnails[record.slide_id] = pictures.thumbnail
    return thumbnails


def render_evaluation(evaluation: Evaluation, worst_pictures: Mapping[str, str] | None = None) -> str:
    """The page as HTML; worst_pictures: data URIs by slide id, a placeholder stands for those that are missing."""
    environment = Environment(
        loader=PackageLoader("histoseek.evaluation.report", "templates"),
        autoescape=select_autoescape(("html", "j2")),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"figure": format_figure, "with_interval": format_with_interval}
    first = evaluation.results[0]
    names = [metric.name for metric in first.scores.metrics]
    encoders = {"both": evaluation.cross_modal, **evaluation.cross_modal_encoders}
    return environment.get_template("evaluation.html.j2").render(
        evaluation=evaluation,
        subject=evaluation.subject,
        created=evaluation.subject.created.replace("T", " ").replace("+00:00", " UTC"),
        first=first,
        leaks_shown=MOST_LEAKS,
        headline=make_headline_table(evaluation),
        full=make_full_table(evaluation),
        comparisons=make_comparison_table(evaluation),
        all_comparisons=[(name, make_full_comparison_table(each)) for name, each in evaluation.comparisons],
        classes=make_class_table(first),
        sites=[(check, describe_site_check(check)) for check in evaluation.site_checks],
        directions=[(encoder, recall) for encoder, recalls in encoders.items() for recall in recalls],
        system_charts=_draw_system_charts(evaluation),
        class_charts=_draw_class_charts(first),
        confusion=_draw_confusion(evaluation),
        maps=_draw_maps(evaluation.map) if evaluation.map else [],
        worst=[_make_page_query(each, worst_pictures or {}) for each in evaluation.worst[:MOST_WORST_QUERIES]],
        glossary=list_glossary(names),
    )


def _draw_system_charts(evaluation: Evaluation) -> list[tuple[str, Markup]]:
    """Captions and charts that show all systems."""
    results = evaluation.results
    dots = [(name, draw_dot_chart(f"{name} of all systems", _make_estimates(evaluation, name))) for name in DOTS]
    curves = [Series(each.name, each.calibration.coverage, each.calibration.risk) for each in results]
    return [
        *((f"{name}, with 95 % interval; the tick is chance", Markup(chart)) for name, chart in dots),
        (
            "Cumulative match: right answer among the first k",
            Markup(draw_cmc_chart([(r.name, r.cmc) for r in results])),
        ),
        ("Risk-coverage: error of the vote among the surest queries", Markup(draw_risk_coverage_chart(curves))),
    ]


def _make_estimates(evaluation: Evaluation, name: str) -> list[Estimate]:
    return [_make_estimate(each.name, each.scores.metrics, name) for each in evaluation.results]


def _draw_class_charts(result: SystemResult) -> list[tuple[str, Markup]]:
    """Captions and charts of the classes of one system."""
    return [
        (
            f"{name} by class, with 95 % interval; the tick is chance",
            Markup(
                draw_bar_chart(
                    f"{name} of {result.name} by class",
                    [_make_estimate(each.label, each.metrics, name) for each in result.scores.classes],
                )
            ),
        )
        for name in BARS
    ]


def _make_estimate(row_name: str, metrics: tuple[MetricEstimate, ...], name: str) -> Estimate:
    metric = next((metric for metric in metrics if metric.name == name), None)
    if metric is None:
        return Estimate(row_name, *[math.nan] * 4)
    return Estimate(row_name, metric.value, metric.low, metric.high, metric.chance)


def _draw_confusion(evaluation: Evaluation) -> Markup:
    """The first system's confusion; the column of queries without neighbours only where there are any."""
    classes, counts = evaluation.subject.classes, evaluation.results[0].scores.confusion
    columns = (*classes, NO_NEIGHBOUR)[: counts.shape[1]]
    if counts.shape[1] > len(classes) and not counts[:, len(classes) :].any():
        columns, counts = classes, counts[:, : len(classes)]
    return Markup(draw_confusion_chart(classes, columns, counts.tolist()))


def _draw_maps(archive_map: ArchiveMap) -> list[tuple[str, Markup]]:
    ids = [point.slide_id for point in archive_map.points]
    places = [(point.x, point.y) for point in archive_map.points]
    return [
        (column, Markup(draw_map(column, ids, places, [point.values[number] for point in archive_map.points])))
        for number, column in enumerate(archive_map.columns)
    ]


def _make_page_query(worst: WorstQuery, pictures: Mapping[str, str]) -> PageQuery:
    nearest = zip(worst.nearest, worst.nearest_labels, worst.distances, strict=True)
    return PageQuery(
        PageSlide(worst.slide_id, worst.label, pictures.get(worst.slide_id)),
        tuple(
            PageSlide(slide_id, label, pictures.get(slide_id), distance, label == worst.label)
            for slide_id, label, distance in list(nearest)[:MOST_NEAREST]
        ),
    )
