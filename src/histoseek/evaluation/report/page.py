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
from histoseek.evaluation.metrics import Metric
from histoseek.evaluation.outcome import ArchiveMap, Evaluation, SystemResult, WorstQuery, save_evaluation
from histoseek.evaluation.report.charts import (
    Estimate,
    Series,
    bar_chart,
    cmc_chart,
    confusion_chart,
    dot_chart,
    risk_coverage_chart,
)
from histoseek.evaluation.report.glossary import glossary
from histoseek.evaluation.report.scatter import map_chart
from histoseek.evaluation.report.svg import figure
from histoseek.evaluation.report.tables import (
    class_table,
    comparison_table,
    full_comparison,
    full_table,
    headline_table,
)
from histoseek.evaluation.report.words import site_sentence, with_interval
from histoseek.files import write_atomic
from histoseek.search.present.pictures import slide_pictures

WORST_SHOWN = 12
"""So many of the worst queries are on the page."""

LEAKS_SHOWN = 8
"""So many leaks are in sight at once; the others unfold."""

NEAREST_SHOWN = 5
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
        write_atomic(page, render_evaluation(evaluation, worst_pictures(archive, evaluation)).encode(errors="replace"))
    except OSError as error:
        raise InputError(str(page), error.strerror or "cannot be written", "Choose another place") from error


def worst_pictures(archive: ArchiveFolder, evaluation: Evaluation) -> dict[str, str]:
    """Thumbnails, as data URIs by slide id, of the slides that the page shows among its worst queries.

    Slides whose file is not at hand are left out. Raises UnknownSlide when the archive no longer has one.
    """
    shown = evaluation.worst[:WORST_SHOWN]
    ids = list(dict.fromkeys(name for each in shown for name in (each.slide_id, *each.nearest[:NEAREST_SHOWN])))
    found = {}
    for stored in archive.store.get(ids) if ids else []:
        record = stored.record
        if pictures := slide_pictures(record.uri, record.spacing_um_per_px, ()):
            found[record.slide_id] = pictures.thumbnail
    return found


def render_evaluation(evaluation: Evaluation, worst_pictures: Mapping[str, str] | None = None) -> str:
    """The page as HTML; worst_pictures: data URIs by slide id, a placeholder stands for those that are missing."""
    environment = Environment(
        loader=PackageLoader("histoseek.evaluation.report", "templates"),
        autoescape=select_autoescape(("html", "j2")),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"figure": figure, "with_interval": with_interval}
    first = evaluation.results[0]
    names = [metric.name for metric in first.scores.metrics]
    return environment.get_template("evaluation.html.j2").render(
        evaluation=evaluation,
        subject=evaluation.subject,
        created=evaluation.subject.created.replace("T", " ").replace("+00:00", " UTC"),
        first=first,
        leaks_shown=LEAKS_SHOWN,
        headline=headline_table(evaluation),
        full=full_table(evaluation),
        comparisons=comparison_table(evaluation),
        all_comparisons=[(name, full_comparison(each)) for name, each in evaluation.comparisons],
        classes=class_table(first),
        sites=[(check, site_sentence(check)) for check in evaluation.site_checks],
        system_charts=_system_charts(evaluation),
        class_charts=_class_charts(first),
        confusion=_confusion(evaluation),
        maps=_maps(evaluation.map) if evaluation.map else [],
        worst=[_worst(each, worst_pictures or {}) for each in evaluation.worst[:WORST_SHOWN]],
        glossary=glossary(names),
    )


def _system_charts(evaluation: Evaluation) -> list[tuple[str, Markup]]:
    """Captions and charts that show all systems."""
    results = evaluation.results
    dots = [(name, dot_chart(f"{name} of all systems", _by_system(evaluation, name))) for name in DOTS]
    curves = [Series(each.name, each.calibration.coverage, each.calibration.risk) for each in results]
    return [
        *((f"{name}, with 95 % interval; the tick is chance", Markup(chart)) for name, chart in dots),
        ("Cumulative match: right answer among the first k", Markup(cmc_chart([(r.name, r.cmc) for r in results]))),
        ("Risk-coverage: error of the vote among the surest queries", Markup(risk_coverage_chart(curves))),
    ]


def _by_system(evaluation: Evaluation, name: str) -> list[Estimate]:
    return [_estimate(each.name, each.scores.metrics, name) for each in evaluation.results]


def _class_charts(result: SystemResult) -> list[tuple[str, Markup]]:
    """Captions and charts of the classes of one system."""
    return [
        (
            f"{name} by class, with 95 % interval; the tick is chance",
            Markup(
                bar_chart(
                    f"{name} of {result.name} by class",
                    [_estimate(each.label, each.metrics, name) for each in result.scores.classes],
                )
            ),
        )
        for name in BARS
    ]


def _estimate(of: str, metrics: tuple[Metric, ...], name: str) -> Estimate:
    found = next((metric for metric in metrics if metric.name == name), None)
    if found is None:
        return Estimate(of, *[math.nan] * 4)
    return Estimate(of, found.value, found.low, found.high, found.chance)


def _confusion(evaluation: Evaluation) -> Markup:
    """The first system's confusion; the column of queries without neighbours only where there are any."""
    classes, counts = evaluation.subject.classes, evaluation.results[0].scores.confusion
    columns = (*classes, NO_NEIGHBOUR)[: counts.shape[1]]
    if counts.shape[1] > len(classes) and not counts[:, len(classes) :].any():
        columns, counts = classes, counts[:, : len(classes)]
    return Markup(confusion_chart(classes, columns, counts.tolist()))


def _maps(found: ArchiveMap) -> list[tuple[str, Markup]]:
    ids = [point.slide_id for point in found.points]
    places = [(point.x, point.y) for point in found.points]
    return [
        (column, Markup(map_chart(column, ids, places, [point.values[number] for point in found.points])))
        for number, column in enumerate(found.columns)
    ]


def _worst(worst: WorstQuery, pictures: Mapping[str, str]) -> PageQuery:
    nearest = zip(worst.nearest, worst.nearest_labels, worst.distances, strict=True)
    return PageQuery(
        PageSlide(worst.slide_id, worst.label, pictures.get(worst.slide_id)),
        tuple(
            PageSlide(slide_id, label, pictures.get(slide_id), distance, label == worst.label)
            for slide_id, label, distance in list(nearest)[:NEAREST_SHOWN]
        ),
    )
