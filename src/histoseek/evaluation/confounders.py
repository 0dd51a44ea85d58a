"""Does retrieval depend on where slides come from? How well vectors predict a site, and what excluding it costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoseek.errors import ConfigurationError
from histoseek.evaluation.averages import average_classes, average_unanimous_edge, sum_by_class, weigh_sums
from histoseek.evaluation.cohort import make_codes
from histoseek.evaluation.neighbours import NOBODY, Neighbours
from histoseek.evaluation.scores import MetricEstimate, Scores
from histoseek.evaluation.significance import bootstrap
from histoseek.statistics.intervals import FEW_PATIENTS, divide, percentile_interval

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

FOLDS = 5

PREFERENCE_DEPTH = 5
"""Of so many first results it is counted how many come from the query's own site."""

DEALS = 999
"""How often the values of a column are dealt out anew for the chance of that."""

CLEAR_P = 0.01
"""A preference of the own site is called clear up to this p."""

_RIDGE = 0.1
"""Strength, as a multiple of the mean variance of the vectors along their dimensions."""

_LEAST_VARIANCE = 1e-12

_ROUNDING = 1e-9

_WIDENING = math.sqrt(2)
"""Patients in each other's training are right and wrong together, so that a bootstrap of the predictions is too narrow
(Bengio and Grandvalet 2004). Without any effect each pair of patients counts twice, which doubles the variance; in
simulated cohorts with and without effects the widened interval covers in 94 to 97 of 100, the plain one in 86 to 89."""


@dataclass(frozen=True, slots=True)
class Control:
    """What leaving out as many slides of the same labels costs, whatever their value.

    shuffled: retrieval without slides of a value that was dealt out anew, see `shuffle_values`. own: the part of the
    fall that the value itself has to answer for, shuffled minus without_same; low, high: its 95 % interval, too narrow
    where the exclusion leaves few slides of a label, which then answer every query.
    """

    shuffled: MetricEstimate
    own: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Preference:
    """How much of the first results comes from the query's own value.

    share: of the first PREFERENCE_DEPTH results, mean over queries; chance: the same where the values are dealt out
    anew among the patients of each label, see `shuffle_values`; p: one-sided, how often such a deal reaches the share.
    """

    share: float
    chance: float
    p: float

    @property
    def is_clear(self) -> bool:
        """Whether results come from the query's own value more often than their labels explain."""
        return self.p <= CLEAR_P


@dataclass(frozen=True, slots=True)
class SiteCheck:
    """How a column (site, scanner, data set) influences the figures.

    predictability: of the column from the vectors; from_label: from the label alone. Only what the first has beyond
    the second do the vectors know of the column by themselves. with_same, without_same: retrieval with and without
    slides of the query's own value, over the same queries: those that may meet such slides at all, and that have an
    answer in all rankings. fall: first minus second, low and high its 95 % interval over patients. Where a value goes
    with a label, leaving it out takes right answers away: chance falls as well, and retrieval with it even if vectors
    know nothing of the value. control tells the two apart; None where it was not ranked, or would leave out the same
    slides. obstacle: why the fall says nothing, "" where it does. preference: needs no right answers and so holds where
    the fall says nothing; None where no query may meet its own value.
    """

    column: str
    predictability: MetricEstimate
    from_label: MetricEstimate
    with_same: MetricEstimate
    without_same: MetricEstimate
    fall: float
    low: float
    high: float
    control: Control | None = None
    obstacle: str = ""
    preference: Preference | None = None

    @property
    def label_tells_all(self) -> bool:
        """Whether the label alone gives the value away, so that vectors cannot be seen to know more."""
        return self.from_label.value > 1 - _ROUNDING

    @property
    def vectors_tell(self) -> bool:
        """Whether vectors know more of the column than the label reveals."""
        least = max(self.predictability.chance, self.from_label.value if math.isfinite(self.from_label.value) else 0.0)
        return not self.label_tells_all and self.predictability.low > least

    @property
    def accuracy_depends(self) -> bool:
        """Whether part of the accuracy depends on the column, beyond what fewer slides of a label explain."""
        return not self.obstacle and self.control is not None and self.control.low > 0

    @property
    def is_clear(self) -> bool:
        """Whether retrieval depends on the column."""
        return self.accuracy_depends or (self.preference is not None and self.preference.is_clear)

    @property
    def is_unknown(self) -> bool:
        """Whether this protocol and these slides tell nothing of how retrieval depends on the column."""
        return bool(self.obstacle) and (self.preference is None or (self.preference.p == 1 and self.label_tells_all))

    @property
    def verdict(self) -> str:
        """What the check comes to, in a few words."""
        if self.is_clear:
            return f"retrieval depends on the {self.column}"
        if self.is_unknown:
            known = f"the vectors know the {self.column}, but " if self.vectors_tell else ""
            return f"{known}whether retrieval depends on {'it' if known else f'the {self.column}'} cannot be told here"
        if self.vectors_tell:
            return f"the vectors know the {self.column}, but there is no clear sign that retrieval depends on it"
        return f"no clear sign that retrieval depends on the {self.column}"

    @property
    def sentence(self) -> str:
        """The check in one line."""
        parts = (self._predictability_text, self._preference_text, f"{self._fall_text}{self._control_text}")
        return f"{self.column}: {self.verdict} ({'; '.join(part for part in parts if part)})"

    @property
    def _predictability_text(self) -> str:
        metric = self.predictability
        if math.isnan(metric.value):
            return "fewer than two values have two patients each, so the vectors cannot be checked"
        accuracy = _format_interval(metric.value, metric.low, metric.high)
        text = (
            f"predicted from the vectors with a balanced accuracy of {accuracy}, "
            f"from the label alone with {self.from_label.value:.2f}, chance is {metric.chance:.2f}"
        )
        return f"{text}, so that the label gives it away" if self.label_tells_all else text

    @property
    def _preference_text(self) -> str:
        if self.preference is None:
            return ""
        share, chance = self.preference.share, self.preference.chance
        return (
            f"{share:.2f} of the first {PREFERENCE_DEPTH} results are of the query's own {self.column}, "
            f"{chance:.2f} by their labels (p {self.preference.p:.3f})"
        )

    @property
    def _fall_text(self) -> str:
        first, second = self.with_same, self.without_same
        if not first.queries:
            return f"the accuracy cannot be compared: {self.obstacle}"
        fall = _format_interval(self.fall, self.low, self.high)
        text = (
            f"{first.name} is {first.value:.2f} with slides of the same {self.column} and {second.value:.2f} without "
            f"(chance {first.chance:.2f} and {second.chance:.2f}), a fall of {fall} over {first.queries} queries"
        )
        return f"{text}, which tells nothing: {self.obstacle}" if self.obstacle else text

    @property
    def _control_text(self) -> str:
        if self.control is None or self.obstacle:
            return ""
        amount = _format_interval(self.control.own, self.control.low, self.control.high)
        return f", of which {amount} is due to the {self.column} itself and not to fewer slides of the label"


def measure_predictability(
    vectors: NDArray[np.float32], names: Sequence[str | None], patients: Ints, seed: int
) -> MetricEstimate:
    """How well a linear classifier predicts a column's values from vectors [n, D] of patients it has not seen.

    Balanced accuracy of ridge regression to one-hot values (each value of equal weight in all), cross-validated in
    five folds of whole patients, drawn value by value with the seed. The interval is over patients, widened for what
    cross-validation adds. chance: one over the number of values. Slides without a value (None) and values with fewer
    than two patients are left out; nan when fewer than two values are left.
    """
    rows, targets = _select_usable(names, patients)
    count = int(targets.max(initial=-1)) + 1
    if count < 2:
        return MetricEstimate("balanced accuracy", math.nan, math.nan, math.nan, math.nan, 0)
    owners = np.unique(patients[rows], return_inverse=True)[1]
    is_correct = _cross_validate(vectors[rows].astype(np.float64), targets, owners, count, seed) == targets
    by_value = sum_by_class(is_correct[:, None] * 1.0, targets, owners, count)

    def average_accuracy(weights: Floats) -> Floats:
        sums, slides = weigh_sums(weights, by_value)
        return average_classes(divide(sums, slides[:, :, None]))

    patient_count = int(owners.max()) + 1
    value = float(average_accuracy(np.ones((1, patient_count)))[0, 0])
    ends = np.concatenate(percentile_interval(average_accuracy, patient_count, seed))
    low, high = np.clip(value + _WIDENING * (ends - value), 0, 1).tolist()
    low = average_unanimous_edge(by_value) if value == 1 else low
    return MetricEstimate("balanced accuracy", value, low, high, 1 / count, len(targets))


def measure_label_predictability(
    labels: Ints, names: Sequence[str | None], patients: Ints, seed: int
) -> MetricEstimate:
    """The same from nothing but the label of each slide [n]: what a column shares with the diagnosis anyway."""
    return measure_predictability(np.eye(int(labels.max()) + 1, dtype=np.float32)[labels], names, patients, seed)


def shuffle_values(values: Ints, labels: Ints, patients: Ints, seed: int) -> Ints:
    """Values of a column [n] dealt out anew among the patients of each label, for the control of a site check.

    Slides of one patient, label and value stay together. Whoever leaves out a query's own shuffled value leaves out
    about as many slides of each label as with the true one, but of no place in particular.
    """
    return _Deck.from_values(values, labels, patients).deal(np.random.default_rng(seed))


@dataclass(frozen=True, slots=True)
class _Deck:
    """What is dealt out: units of one label, patient and value [U], the units of each label, the unit of each slide."""

    values: Ints
    members: tuple[Ints, ...]
    unit: Ints

    @classmethod
    def from_values(cls, values: Ints, labels: Ints, patients: Ints) -> _Deck:
        units, rows = np.unique(np.stack([labels, patients, values]), axis=1, return_inverse=True)
        members = tuple(np.flatnonzero(units[0] == label) for label in np.unique(units[0]))
        return cls(units[2], members, rows.ravel())

    def deal(self, rng: np.random.Generator) -> Ints:
        """The values anew, [n]."""
        dealt = self.values.copy()
        for members in self.members:
            dealt[members] = rng.permutation(dealt[members])
        return dealt[self.unit]


def measure_preference(neighbours: Neighbours, values: Ints, labels: Ints, patients: Ints, seed: int) -> Preference:
    """How much more of the first results comes from the query's own value than their labels explain.

    neighbours: of a ranking in which only patients were left out; values, labels, patients: codes of all slides [n].
    """
    slides = neighbours.slides[:, :PREFERENCE_DEPTH]
    is_there = slides != NOBODY
    counts = is_there.sum(1)
    rows = counts > 0

    def compute_share(codes: Ints) -> float:
        is_same = (codes[slides] == codes[neighbours.queries][:, None]) & is_there
        return float((is_same.sum(1)[rows] / counts[rows]).mean()) if rows.any() else math.nan

    share, deck, rng = compute_share(values), _Deck.from_values(values, labels, patients), np.random.default_rng(seed)
    deals = np.array([compute_share(deck.deal(rng)) for _ in range(DEALS)])
    return Preference(share, float(deals.mean()), float((1 + (deals >= share - _ROUNDING).sum()) / (1 + DEALS)))


def check_site(
    column: str,
    from_vectors: MetricEstimate,
    from_label: MetricEstimate,
    with_same: Scores,
    without_same: Scores,
    patients: Ints,
    seed: int,
    metric: str = "mMV@5",
    control_scores: Scores | None = None,
    is_affected: Booleans | None = None,
    preference: Preference | None = None,
) -> SiteCheck:
    """Compare how well a column is predicted with what retrieval loses without the query's own value.

    from_vectors, from_label: of `measure_predictability` and `measure_label_predictability`. with_same, without_same: a
    system's scores of the same queries, with slides of the query's own value in the database and without;
    control_scores: without those of `shuffle_values`, None where these are the same. patients: codes of all slides [n].
    metric: one of `Scores.names`. is_affected: which queries may meet a slide of their own value, bool [Q]; for others
    both rankings are one. Raises ConfigurationError when the queries differ.
    """
    rankings = (with_same, without_same, *(() if control_scores is None else (control_scores,)))
    _require_same_queries(column, rankings)
    is_affected = np.ones(len(with_same.queries), np.bool_) if is_affected is None else is_affected
    is_answerable = np.all([is_affected, *(each.answerable for each in rankings)], axis=0)
    metric_column = with_same.names.index(metric)
    owners = patients[with_same.queries][is_answerable]
    values_of_rankings = [each.per_query[is_answerable, metric_column] for each in rankings]
    chances = [_average(each.chances[is_answerable, metric_column]) for each in rankings]
    figures = [
        MetricEstimate(metric, *_estimate_mean(values, owners, seed), chance, len(values))
        for values, chance in zip(values_of_rankings, chances, strict=True)
    ]
    control = None
    if control_scores is not None:
        cost = values_of_rankings[2] - values_of_rankings[1]
        control = Control(figures[2], *_estimate_mean(cost, owners, seed, -1))
    fall = _estimate_mean(values_of_rankings[0] - values_of_rankings[1], owners, seed, -1)
    obstacle = _find_obstacle(column, is_affected, owners, control)
    return SiteCheck(column, from_vectors, from_label, figures[0], figures[1], *fall, control, obstacle, preference)


def _require_same_queries(column: str, rankings: Sequence[Scores]) -> None:
    if not all(np.array_equal(rankings[0].queries, each.queries) for each in rankings):
        what = "the rankings have different queries"
        raise ConfigurationError(f"check of {column}", what, "Rank the same queries with and without")


def _find_obstacle(column: str, is_affected: Booleans, owners: Ints, control: Control | None) -> str:
    """Why rankings with and without slides of the own value cannot be compared; owners: patients of the queries."""
    if not is_affected.any():
        return f"no query may meet a slide of its own {column} at another patient, so that none can be left out"
    if not len(owners):
        return f"without slides of its own {column} no query has a right answer left"
    patients = len(np.unique(owners))
    if patients < FEW_PATIENTS:
        return f"only {patients} patients have queries that can be compared, and {FEW_PATIENTS} are needed"
    if control is None:
        return f"each label comes from one {column} only"
    return ""


def _select_usable(names: Sequence[str | None], patients: Ints) -> tuple[Ints, Ints]:
    """Places of slides whose value two patients have or more, and codes of these values."""
    owners: dict[str, set[int]] = {}
    for name, patient in zip(names, patients.tolist(), strict=True):
        if name is not None:
            owners.setdefault(name, set()).add(patient)
    rows = [i for i, name in enumerate(names) if name is not None and len(owners[name]) > 1]
    if not rows:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    return np.array(rows, np.int64), make_codes([str(names[i]) for i in rows])


def _cross_validate(vectors: Floats, targets: Ints, owners: Ints, count: int, seed: int) -> Ints:
    """Predicted codes, each from a classifier that has seen no slide of the patient."""
    folds = _assign_folds(targets, owners, seed)[owners]
    predictions = np.empty(len(targets), np.int64)
    for fold in np.unique(folds):
        is_test = folds == fold
        predictions[is_test] = _predict_ridge(vectors[~is_test], targets[~is_test], vectors[is_test], count)
    return predictions


def _assign_folds(targets: Ints, owners: Ints, seed: int) -> Ints:
    """A fold for each patient: patients of one value (that of their first slide) are dealt out in turn, at random."""
    first = targets[np.unique(owners, return_index=True)[1]]
    order = np.random.default_rng(seed).permutation(len(first))
    order = order[np.argsort(first[order], kind="stable")]
    folds = np.empty(len(first), np.int64)
    folds[order] = np.arange(len(first)) % FOLDS
    return folds


def _predict_ridge(train: Floats, targets: Ints, test_vectors: Floats, count: int) -> Ints:
    """Codes that ridge regression, with values weighted to equal mass, gives to held vectors [h, D]."""
    sizes = np.bincount(targets, minlength=count)
    weights = 1 / (np.maximum(sizes, 1)[targets] * (sizes > 0).sum())
    mean = weights @ train
    root = np.sqrt(weights)[:, None]
    centred = (train - mean) * root
    base = weights @ np.eye(count)[targets]
    aims = (np.eye(count)[targets] - base) * root
    gram = centred.T @ centred
    strength = _RIDGE * max(float(np.trace(gram)) / len(gram), _LEAST_VARIANCE)
    slopes = np.linalg.solve(gram + strength * np.eye(len(gram)), centred.T @ aims)
    return ((test_vectors - mean) @ slopes + base).argmax(1)


def _estimate_mean(values: Floats, owners: Ints, seed: int, least: float = 0.0) -> tuple[float, float, float]:
    """Mean, low and high over patients."""
    low, high = bootstrap(values[:, None], owners, seed, least=least)
    return _average(values), float(low[0]), float(high[0])


def _average(values: Floats) -> float:
    return float(values.mean()) if len(values) else math.nan


def _format_interval(value: float, low: float, high: float) -> str:
    return f"{value:.2f} ({low:.2f} to {high:.2f})" if math.isfinite(low) else f"{value:.2f}"
