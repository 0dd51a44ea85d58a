"""Figures as a reader meets them: short numbers, and the checks in plain words."""

from __future__ import annotations

import math

from histoseek.evaluation.confounders import SiteCheck
from histoseek.evaluation.metrics import Metric
from histoseek.evaluation.report.svg import DASH, MINUS, figure


def interval(low: float, high: float) -> str:
    """A 95 % interval of a share or score, "" where there is none."""
    return f"{low:.2f} to {high:.2f}".replace("-", MINUS) if math.isfinite(low) and math.isfinite(high) else ""


def signed(value: float) -> str:
    """A difference with its sign, a dash where it is not defined."""
    return f"{value:+.3f}".replace("-", MINUS) if math.isfinite(value) else DASH


def signed_interval(low: float, high: float) -> str:
    """A 95 % interval of a difference, "" where there is none."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return ""
    return f"{low:+.3f} to {high:+.3f}".replace("-", MINUS)


def p_value(p: float) -> str:
    """A p-value with three decimals, a dash where it is not defined."""
    if not math.isfinite(p):
        return DASH
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def with_interval(metric: Metric) -> str:
    """A figure and its interval in one text."""
    said = interval(metric.low, metric.high)
    return f"{figure(metric.value)} ({said})" if said else figure(metric.value)


def site_sentence(check: SiteCheck) -> str:
    """What a site check found, in plain words."""
    return f"{_told(check)} {_fell(check)}"


def _told(check: SiteCheck) -> str:
    found, alone = check.predictability, check.from_label
    if not math.isfinite(found.value):
        return f"How well {check.column} can be told from the embeddings is not known: too few patients share a value."
    said = (
        f"A linear classifier tells {check.column} from the embeddings of patients it has not "
        f"seen with a balanced accuracy of {with_interval(found)}; guessing gives {figure(found.chance)}, knowing the "
        f"label alone {figure(alone.value)}."
    )
    if found.low > max(found.chance, alone.value if math.isfinite(alone.value) else 0.0):
        return f"{said} So the embeddings carry the {check.column}, beyond what the label gives away."
    return f"{said} That is no clear sign that the embeddings carry more of it than the label gives away."


def _fell(check: SiteCheck) -> str:
    before, after = check.with_same, check.without_same
    if not math.isfinite(check.fall):
        return f"The effect of slides of the query's own {check.column} is not known: no query is left with an answer."
    moves = "falls" if check.fall >= 0 else "rises"
    ends = (check.low, check.high) if check.fall >= 0 else (-check.high, -check.low)
    by = with_interval(Metric(before.name, abs(check.fall), *ends, math.nan, before.queries))
    said = (
        f"Without slides of the query's own {check.column}, {before.name} {moves} by {by}, from {figure(before.value)} "
        f"to {figure(after.value)} (chance {figure(before.chance)} and {figure(after.chance)})"
    )
    if check.control is None:
        return f"{said}."
    control, own = check.control, check.column
    said = (
        f"{said}; leaving out as many slides of the same labels from anywhere leaves {figure(control.shuffled.value)}"
    )
    if control.low > 0:
        return f"{said}. So part of the accuracy comes with the {own}."
    return f"{said}. That is no clear sign that the accuracy comes with the {own}."
