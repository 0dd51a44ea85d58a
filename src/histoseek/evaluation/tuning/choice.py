"""Choosing settings: the simplest that are not worse than the best by more than one standard error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.tuning_file import TriedSettings
from histoseek.evaluation.tuning.candidates import Stage, count_learned
from histoseek.evaluation.tuning.cross_validation import JUDGED, CrossValidation
from histoseek.progress import Reporter
from histoseek.ranking.settings import PLAIN, RankingSettings
from histoseek.statistics.paired_tests import estimate_standard_error

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_ROUNDING = 9


@dataclass(frozen=True, slots=True)
class Choice:
    """Settings that were tried, in order, and the chosen ones."""

    tried: tuple[TriedSettings, ...]
    chosen: RankingSettings


def choose_settings(
    validation: CrossValidation, owners: Ints, stages: Sequence[Stage], reporter: Reporter, outer: int | None = None
) -> Choice:
    """Go through the stages, each from the best before it, on all folds but one.

    owners: of the slides, int64 [n]; outer: the fold that is left out.
    """
    values = {PLAIN: validation.measure(PLAIN, outer)[:, JUDGED]}
    for stage in stages:
        for settings in stage(_find_best(values)):
            if settings not in values:
                values[settings] = validation.measure(settings, outer)[:, JUDGED]
            reporter.advance()
    queries = owners[validation.get_queries(outer)]
    tried = [
        TriedSettings(settings, _average(each), estimate_standard_error(each, queries))
        for settings, each in values.items()
    ]
    return Choice(tuple(tried), _choose_simplest(values, queries))


def _find_best(values: dict[RankingSettings, Floats]) -> RankingSettings:
    return min(values, key=lambda settings: (-_average(values[settings]), count_learned(settings)))


def _choose_simplest(values: dict[RankingSettings, Floats], owners: Ints) -> RankingSettings:
    """Of the settings within one standard error of the best, the simplest, and of equally simple ones the best.

    The error is of the difference from the best, query by query: what both find hard does not count.
    """
    best = values[_find_best(values)]
    near = [
        settings
        for settings, each in values.items()
        if _average(best - each) <= estimate_standard_error(best - each, owners)
    ]
    return min(near, key=lambda settings: (count_learned(settings), -_average(values[settings])))


def _average(values: Floats) -> float:
    return round(float(np.nanmean(values)), _ROUNDING) if not np.isnan(values).all() else 0.0
