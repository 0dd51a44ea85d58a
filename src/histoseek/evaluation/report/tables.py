"""The tables of an evaluation's page: which figures stand where, and which may be marked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from histoseek.evaluation.intervals import Comparison
from histoseek.evaluation.metrics import Metric
from histoseek.evaluation.outcome import Evaluation, SystemResult
from histoseek.evaluation.per_query import SAME_AS_TOP_1
from histoseek.evaluation.report.glossary import meaning
from histoseek.evaluation.report.svg import figure
from histoseek.evaluation.report.words import interval, p_value, signed, signed_interval

HEADLINE = ("top-1", "mMV@3", "mMV@5", "recall@5", "MAP@5", "nDCG@5", "balanced accuracy", "macro-F1")
"""Metrics of the first table; all others are in the second."""

CLASS_COLUMNS = ("top-1", "mMV@5", "MAP@5", "precision", "F1")

SIGNIFICANT = 0.05
"""A difference counts when its p, corrected after Holm, is below this."""

Verdict = Literal["", "above", "below"]


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure as shown; notes: small lines below it; verdict: significantly above or below the first system."""

    text: str
    notes: tuple[str, ...] = ()
    bold: bool = False
    verdict: Verdict = ""


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


def headline_table(evaluation: Evaluation) -> Table:
    """Systems by the HEADLINE metrics there are, then how far their votes can be believed; chance in the last row."""
    names = [name for name in HEADLINE if name in _named(evaluation.results[0].scores.metrics)]
    columns = [_metric_cells(evaluation, name) for name in names]
    rows = [
        Row(result.name, (*(column[number] for column in columns), *_vote_cells(result)))
        for number, result in enumerate(evaluation.results)
    ]
    first = _named(evaluation.results[0].scores.metrics)
    chance = Row("chance", (*(Cell(figure(first[name].chance)) for name in names), Cell(""), Cell(""), Cell("")), True)
    further = (
        Heading("calibration error", "how far the share of the vote lies from how often it is right; 0 is best"),
        Heading("risk-coverage area", "mean error over all shares of queries kept, the surest first; lower is better"),
        Heading("seconds", "to rank all queries, on the machine that ran this"),
    )
    return Table((*_headings(names), *further), (*rows, chance))


def full_table(evaluation: Evaluation) -> Table:
    """Every metric by systems, with chance in the first column."""
    names = [metric.name for metric in evaluation.results[0].scores.metrics]
    first = _named(evaluation.results[0].scores.metrics)
    rows = [Row(name, (Cell(figure(first[name].chance)), *_metric_cells(evaluation, name))) for name in names]
    headings = (Heading("chance", "what a random order would give"), *(Heading(r.name) for r in evaluation.results))
    return Table(headings, tuple(rows))


def comparison_table(evaluation: Evaluation) -> Table:
    """The first system minus each other one, by the HEADLINE metrics that were compared."""
    compared = {each.metric for _, comparisons in evaluation.comparisons for each in comparisons}
    names = [name for name in HEADLINE if name in compared]
    rows = []
    for system, comparisons in evaluation.comparisons:
        found = {each.metric: each for each in comparisons}
        rows.append(Row(system, tuple(_difference(found[name]) if name in found else Cell("") for name in names)))
    return Table(_headings(names), tuple(rows))


def full_comparison(comparisons: Iterable[Comparison]) -> Table:
    """All compared metrics of one system, a figure a column."""
    headings = tuple(Heading(name) for name in ("difference", "95 % interval", "p", "p (Holm)"))
    return Table(headings, tuple(_comparison_row(each) for each in comparisons))


def class_table(result: SystemResult) -> Table:
    """Classes of one system by CLASS_COLUMNS, with how many slides, patients and queries each has."""
    rows = []
    for each in result.scores.classes:
        metrics = _named(each.metrics)
        queries = next(iter(metrics.values())).queries if metrics else 0
        counts = (Cell(str(each.slides)), Cell(str(each.patients)), Cell(str(queries)))
        found = (_cell(metrics[name]) if name in metrics else Cell("") for name in CLASS_COLUMNS)
        rows.append(Row(each.label, (*counts, *found)))
    own = {"precision": "of the vote of the first five", "F1": "of the vote of the first five"}
    figures = (Heading(name, own.get(name) or meaning(name)) for name in CLASS_COLUMNS)
    return Table((Heading("slides"), Heading("patients"), Heading("queries"), *figures), tuple(rows))


def verdicts(evaluation: Evaluation, metric: str) -> tuple[Verdict, ...]:
    """For each system whether it is significantly above or below the first by this metric, after Holm."""
    compared = "top-1" if metric in SAME_AS_TOP_1 else metric
    found = {system: {each.metric: each for each in all_} for system, all_ in evaluation.comparisons}
    return tuple(_verdict(found.get(result.name, {}).get(compared)) for result in evaluation.results)


def best(evaluation: Evaluation, metric: str) -> int | None:
    """The place of the system that may be called best, None where none may.

    The first system is best when every other one is significantly below it. Another is best when its figure is the
    highest, of it alone, and significantly above the first.
    """
    found = verdicts(evaluation, metric)
    values = [_named(result.scores.metrics)[metric].value for result in evaluation.results]
    known = [value for value in values if math.isfinite(value)]
    if not known or values.count(max(known)) > 1 or len(values) < 2:
        return None
    top = values.index(max(known))
    deserved = all(verdict == "below" for verdict in found[1:]) if top == 0 else found[top] == "above"
    return top if deserved else None


def _verdict(comparison: Comparison | None) -> Verdict:
    if comparison is None or not comparison.p_holm < SIGNIFICANT:
        return ""
    return "below" if comparison.difference > 0 else "above"


def _metric_cells(evaluation: Evaluation, name: str) -> list[Cell]:
    """The figures of all systems by one metric."""
    said, top = verdicts(evaluation, name), best(evaluation, name)
    cells = (_cell(_named(result.scores.metrics)[name]) for result in evaluation.results)
    return [Cell(cell.text, cell.notes, number == top, said[number]) for number, cell in enumerate(cells)]


def _vote_cells(result: SystemResult) -> tuple[Cell, ...]:
    calibration = result.calibration
    return Cell(figure(calibration.error)), Cell(figure(calibration.area)), Cell(f"{result.seconds:.1f}")


def _difference(comparison: Comparison) -> Cell:
    spread = signed_interval(comparison.low, comparison.high)
    tests = f"p {p_value(comparison.p)}, Holm {p_value(comparison.p_holm)}"
    return Cell(signed(comparison.difference), (spread, tests), bold=comparison.p_holm < SIGNIFICANT)


def _comparison_row(comparison: Comparison) -> Row:
    spread = signed_interval(comparison.low, comparison.high)
    texts = (signed(comparison.difference), spread, p_value(comparison.p))
    corrected = Cell(p_value(comparison.p_holm), bold=comparison.p_holm < SIGNIFICANT)
    return Row(comparison.metric, (*(Cell(text) for text in texts), corrected))


def _cell(metric: Metric) -> Cell:
    spread = interval(metric.low, metric.high)
    return Cell(figure(metric.value), (spread,) if spread else ())


def _headings(names: Iterable[str]) -> tuple[Heading, ...]:
    return tuple(Heading(name, meaning(name)) for name in names)


def _named(metrics: Iterable[Metric]) -> Mapping[str, Metric]:
    return {metric.name: metric for metric in metrics}
