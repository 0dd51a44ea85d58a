"""The tables of an evaluation's page: which figures stand where, and which may be marked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from histoseek.evaluation.outcome import Evaluation, SystemResult
from histoseek.evaluation.per_query import SAME_AS_TOP_1
from histoseek.evaluation.report.figure_text import format_p, format_signed, format_signed_interval, format_spread
from histoseek.evaluation.report.glossary import explain_metric
from histoseek.evaluation.report.svg import format_figure
from histoseek.evaluation.scores import MetricEstimate
from histoseek.evaluation.significance import SystemComparison

HEADLINE = ("top-1", "mMV@3", "mMV@5", "recall@5", "MAP@5", "nDCG@5", "balanced accuracy", "macro-F1")
"""Metrics of the first table; all others are in the second."""

CLASS_COLUMNS = ("top-1", "mMV@5", "MAP@5", "precision", "F1")

SIGNIFICANT = 0.05
"""A difference counts when its p, corrected after Holm, is below this."""

Significance = Literal["", "above", "below"]


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure as shown; notes: small lines below it; verdict: significantly above or below the first system."""

    text: str
    notes: tuple[str, ...] = ()
    bold: bool = False
    verdict: Significance = ""


@dataclass(frozen=True, slots=True)
class Heading:
    """A column's heading and what its figures mean."""

    text: str
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A row: what it is of, its figures, and whether it is set apart from the others (chance)."""

    name: str
    cells: tuple[Cell, ...]
    aside: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Headings of the columns after the first, and the rows."""

    headings: tuple[Heading, ...]
    rows: tuple[Row, ...]


def make_headline_table(evaluation: Evaluation) -> Table:
    """Systems by the HEADLINE metrics there are, then how far their votes can be believed; chance in the last row."""
    names = [name for name in HEADLINE if name in _index_by_name(evaluation.results[0].scores.metrics)]
    columns = [_make_metric_cells(evaluation, name) for name in names]
    rows = [
        Row(result.name, (*(column[number] for column in columns), *_make_vote_cells(result)))
        for number, result in enumerate(evaluation.results)
    ]
    first = _index_by_name(evaluation.results[0].scores.metrics)
    chance = Row(
        "chance", (*(Cell(format_figure(first[name].chance)) for name in names), Cell(""), Cell(""), Cell("")), True
    )
    further = (
        Heading("calibration error", "how far the share of the vote lies from how often it is right; 0 is best"),
        Heading("risk-coverage area", "mean error over all shares of queries kept, the surest first; lower is better"),
        Heading("seconds", "to rank all queries, on the machine that ran this"),
    )
    return Table((*_make_headings(names), *further), (*rows, chance))


def make_full_table(evaluation: Evaluation) -> Table:
    """Every metric by systems, with chance in the first column."""
    names = [metric.name for metric in evaluation.results[0].scores.metrics]
    first = _index_by_name(evaluation.results[0].scores.metrics)
    rows = [
        Row(name, (Cell(format_figure(first[name].chance)), *_make_metric_cells(evaluation, name))) for name in names
    ]
    headings = (Heading("chance", "what a random order would give"), *(Heading(r.name) for r in evaluation.results))
    return Table(headings, tuple(rows))


def make_comparison_table(evaluation: Evaluation) -> Table:
    """The first system minus each other one, by the HEADLINE metrics that were compared."""
    metric_names = {each.metric for _, comparisons in evaluation.comparisons for each in comparisons}
    names = [name for name in HEADLINE if name in metric_names]
    rows = []
    for system, comparisons in evaluation.comparisons:
        by_metric = {each.metric: each for each in comparisons}
        rows.append(
            Row(
                system,
                tuple(_make_difference_cell(by_metric[name]) if name in by_metric else Cell("") for name in names),
            )
        )
    return Table(_make_headings(names), tuple(rows))


def make_full_comparison_table(comparisons: Iterable[SystemComparison]) -> Table:
    """All compared metrics of one system, a figure a column."""
    headings = tuple(Heading(name) for name in ("difference", "95 % interval", "p", "p (Holm)"))
    return Table(headings, tuple(_make_comparison_row(each) for each in comparisons))


def make_class_table(result: SystemResult) -> Table:
    """Classes of one system by CLASS_COLUMNS, with how many slides, patients and queries each has."""
    rows = []
    for each in result.scores.classes:
        metrics = _index_by_name(each.metrics)
        queries = next(iter(metrics.values())).queries if metrics else 0
        counts = (Cell(str(each.slides)), Cell(str(each.patients)), Cell(str(queries)))
        figure_cells = (_make_cell(metrics[name]) if name in metrics else Cell("") for name in CLASS_COLUMNS)
        rows.append(Row(each.label, (*counts, *figure_cells)))
    meanings = {"precision": "of the vote of the first five", "F1": "of the vote of the first five"}
    figures = (Heading(name, meanings.get(name) or explain_metric(name)) for name in CLASS_COLUMNS)
    return Table((Heading("slides"), Heading("patients"), Heading("queries"), *figures), tuple(rows))


def find_significances(evaluation: Evaluation, metric: str) -> tuple[Significance, ...]:
    """For each system whether it is significantly above or below the first by this metric, after Holm."""
    tested_metric = "top-1" if metric in SAME_AS_TOP_1 else metric
    comparison_of = {
        system: {each.metric: each for each in comparisons} for system, comparisons in evaluation.comparisons
    }
    return tuple(
        _find_significance(comparison_of.get(result.name, {}).get(tested_metric)) for result in evaluation.results
    )


def find_best(evaluation: Evaluation, metric: str) -> int | None:
    """The place of the system that may be called best, None where none may.

    The first system is best when every other one is significantly below it. Another is best when its figure is the
    highest, of it alone, and significantly above the first.
    """
    significances = find_significances(evaluation, metric)
    values = [_index_by_name(result.scores.metrics)[metric].value for result in evaluation.results]
    figures = [value for value in values if math.isfinite(value)]
    if not figures or values.count(max(figures)) > 1 or len(values) < 2:
        return None
    top = values.index(max(figures))
    is_best = all(verdict == "below" for verdict in significances[1:]) if top == 0 else significances[top] == "above"
    return top if is_best else None


def _find_significance(comparison: SystemComparison | None) -> Significance:
    if comparison is None or not comparison.p_holm < SIGNIFICANT:
        return ""
    return "below" if comparison.difference > 0 else "above"


def _make_metric_cells(evaluation: Evaluation, name: str) -> list[Cell]:
    """The figures of all systems by one metric."""
    significances, top = find_significances(evaluation, name), find_best(evaluation, name)
    cells = (_make_cell(_index_by_name(result.scores.metrics)[name]) for result in evaluation.results)
    return [Cell(cell.text, cell.notes, number == top, significances[number]) for number, cell in enumerate(cells)]


def _make_vote_cells(result: SystemResult) -> tuple[Cell, ...]:
    calibration = result.calibration
    return Cell(format_figure(calibration.error)), Cell(format_figure(calibration.area)), Cell(f"{result.seconds:.1f}")


def _make_difference_cell(comparison: SystemComparison) -> Cell:
    spread = format_signed_interval(comparison.low, comparison.high)
    tests = f"p {format_p(comparison.p)}, Holm {format_p(comparison.p_holm)}"
    return Cell(format_signed(comparison.difference), (spread, tests), bold=comparison.p_holm < SIGNIFICANT)


def _make_comparison_row(comparison: SystemComparison) -> Row:
    spread = format_signed_interval(comparison.low, comparison.high)
    texts = (format_signed(comparison.difference), spread, format_p(comparison.p))
    p_cell = Cell(format_p(comparison.p_holm), bold=comparison.p_holm < SIGNIFICANT)
    return Row(comparison.metric, (*(Cell(text) for text in texts), p_cell))


def _make_cell(metric: MetricEstimate) -> Cell:
    spread = format_spread(metric)
    return Cell(format_figure(metric.value), (spread,) if spread else ())


def _make_headings(names: Iterable[str]) -> tuple[Heading, ...]:
    return tuple(Heading(name, explain_metric(name)) for name in names)


def _index_by_name(metrics: Iterable[MetricEstimate]) -> Mapping[str, MetricEstimate]:
    return {metric.name: metric for metric in metrics}
