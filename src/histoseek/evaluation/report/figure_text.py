"""Figures as a reader meets them: short numbers, and the checks in plain words."""

from __future__ import annotations

import math

from histoseek.evaluation.confounders import PREFERENCE_DEPTH, SiteCheck
from histoseek.evaluation.report.svg import DASH, MINUS, format_figure
from histoseek.evaluation.scores import MetricEstimate
from histoseek.statistics.intervals import TOO_FEW_PATIENTS


def format_interval(low: float, high: float) -> str:
    """A 95 % interval of a share or score, "" where there is none."""
    return f"{low:.2f} to {high:.2f}".replace("-", MINUS) if math.isfinite(low) and math.isfinite(high) else ""


def format_signed(value: float) -> str:
    """A difference with its sign, a dash where it is not defined."""
    return f"{value:+.3f}".replace("-", MINUS) if math.isfinite(value) else DASH


def format_signed_interval(low: float, high: float) -> str:
    """A 95 % interval of a difference, "" where there is none."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return ""
    return f"{low:+.3f} to {high:+.3f}".replace("-", MINUS)


def format_p(p: float) -> str:
    """A p-value with three decimals, a dash where it is not defined."""
    if not math.isfinite(p):
        return DASH
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def format_spread(metric: MetricEstimate) -> str:
    """A figure's 95 % interval, or why there is none; "" where there is no figure."""
    if not math.isfinite(metric.value):
        return ""
    return format_interval(metric.low, metric.high) or TOO_FEW_PATIENTS


def format_with_interval(metric: MetricEstimate) -> str:
    """A figure and its interval in one text."""
    interval_text = format_spread(metric)
    return f"{format_figure(metric.value)} ({interval_text})" if interval_text else format_figure(metric.value)


def describe_site_check(check: SiteCheck) -> str:
    """What a site check found, in plain words."""
    verdict = f"{check.verdict[0].upper()}{check.verdict[1:]}."
    parts = (verdict, _describe_predictability(check), _describe_preference(check), _describe_fall(check))
    return " ".join(part for part in parts if part)


def _describe_preference(check: SiteCheck) -> str:
    preference = check.preference
    if preference is None:
        return ""
    return (
        f"Of the first {PREFERENCE_DEPTH} results a share of {format_figure(preference.share)} comes from the query's "
        f"own {check.column}; by their labels alone it would be {format_figure(preference.chance)} "
        f"(p {format_p(preference.p)})."
    )


def _describe_predictability(check: SiteCheck) -> str:
    from_vectors, from_label = check.predictability, check.from_label
    if not math.isfinite(from_vectors.value):
        return (
            f"How well {check.column} can be predicted from the embeddings is unknown: too few patients share a value."
        )
    chance, label_accuracy = format_figure(from_vectors.chance), format_figure(from_label.value)
    text = (
        f"A linear classifier predicts {check.column} from the embeddings of patients it has not seen with a balanced "
        f"accuracy of {format_with_interval(from_vectors)}; chance is {chance}, the label alone gives {label_accuracy}."
    )
    if check.label_tells_all:
        return f"{text} Since the label alone gives the {check.column} away, nobody can tell what the embeddings add."
    if check.vectors_tell:
        return f"{text} So the embeddings carry information about the {check.column} beyond what the label reveals."
    return f"{text} This is not clear evidence that the embeddings carry more of it than the label reveals."


def _describe_fall(check: SiteCheck) -> str:
    before, after = check.with_same, check.without_same
    if not math.isfinite(check.fall):
        return f"The effect of slides of the query's own {check.column} cannot be checked: {check.obstacle}."
    moves = "falls" if check.fall >= 0 else "rises"
    ends = (check.low, check.high) if check.fall >= 0 else (-check.high, -check.low)
    change = format_with_interval(MetricEstimate(before.name, abs(check.fall), *ends, math.nan, before.queries))
    values = f"from {format_figure(before.value)} to {format_figure(after.value)}"
    chances = f"chance {format_figure(before.chance)} and {format_figure(after.chance)}"
    text = f"Without slides of the query's own {check.column}, {before.name} {moves} by {change}, {values} ({chances})"
    if check.control is not None:
        shuffled = format_figure(check.control.shuffled.value)
        text = f"{text}; leaving out as many slides of the same labels regardless of {check.column} gives {shuffled}"
    if check.obstacle:
        return f"{text}. This tells nothing: {check.obstacle}."
    if check.accuracy_depends:
        return f"{text}. So part of the accuracy depends on the {check.column}."
    return f"{text}. This is not clear evidence that the accuracy depends on the {check.column}."
