"""What tuning as a whole is worth: settings chosen and fitted anew without each fold, judged by that fold's queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.tuning_file import MetricGain
from histoseek.evaluation.per_query import NAMES
from histoseek.evaluation.significance import bootstrap, permutation_test
from histoseek.evaluation.tuning.candidates import Stage, count_most
from histoseek.evaluation.tuning.choice import Choice, choose_settings
from histoseek.evaluation.tuning.cross_validation import CrossValidation
from histoseek.evaluation.tuning.slides import TuningSlides
from histoseek.progress import Reporter, SilentReporter
from histoseek.ranking.settings import PLAIN, RankingSettings

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

SHOWN = ("MAP@5", "mMV@5", "top-1")
"""The metrics of a query that gains are told of; the first decides."""


@dataclass(frozen=True, slots=True)
class NestedChoice:
    """The settings that all folds choose, those that are chosen without each fold, and what the latter gain over plain
    ranking on the fold that was left out."""

    choice: Choice
    without_fold: tuple[RankingSettings, ...]
    gains: tuple[MetricGain, ...]


def choose_nested(
    slides: TuningSlides,
    folds: Ints,
    stages: Sequence[Stage],
    seed: int = 0,
    reporter: Reporter | None = None,
) -> NestedChoice:
    """Choose on all folds, and without each of them.

    folds: of each slide, int64 [n]; stages: what is tried.
    """
    reporter = reporter or SilentReporter()
    validation = CrossValidation(slides, folds, seed)
    reporter.expect((validation.count + 1) * count_most(stages))
    without = [
        choose_settings(validation, slides.owners, stages, reporter, outer).chosen for outer in range(validation.count)
    ]
    choice = choose_settings(validation, slides.owners, stages, reporter)
    plain, tuned = (
        np.concatenate([validation.measure_fold(settings, fold) for fold, settings in enumerate(each)])
        for each in ([PLAIN] * validation.count, without)
    )
    owners = slides.owners[validation.get_queries()]
    return NestedChoice(choice, tuple(without), compare_values(plain, tuned, owners, seed))


def compare_values(plain: Floats, tuned: Floats, owners: Ints, seed: int) -> tuple[MetricGain, ...]:
    """What one way of ranking gains over another on the same queries: values [Q, M] by NAMES of queries of owners
    [Q]."""
    columns = [NAMES.index(name) for name in SHOWN]
    differences = (tuned - plain)[:, columns]
    low, high = bootstrap(differences, owners, seed, least=-1)
    p = permutation_test(differences, owners, seed)
    means = [np.nanmean(values[:, columns], axis=0) for values in (plain, tuned)]
    rows = np.stack([*means, low, high, p], axis=1).tolist()
    return tuple(MetricGain(name, *row) for name, row in zip(SHOWN, rows, strict=True))
