"""Calibration: what a distance says about sharing a label, and when it is larger than the archive's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Ints = NDArray[np.int64]

MethodName = Literal["isotonic", "logistic"]

FOLDS = 5
BINS = 10

TOP_RANKS = 5
"""Neighbours of each query that figures are of: what a search shows unless more is asked for."""

UNLIKELY = 0.05
"""A query whose novelty is below is said to be unlike anything in the archive."""

_NEWTON_STEPS = 50
_LARGEST_STEP = 2.0
_LOGISTIC_KNOTS = 65
_LEAST_PROBABILITY = 1e-6


@dataclass(frozen=True, slots=True)
class NeighbourPairs:
    """P pairs of a query and one of its neighbours, which is never of the query's patient.

    distances: float64 [P]; same: bool [P], whether both have the same label; ranks: int64 [P], the neighbour's place
    among those of its query, from 1; queries, neighbours: int64 [P], codes of the patients of both.
    """

    distances: Doubles
    same: Booleans
    ranks: Ints
    queries: Ints
    neighbours: Ints

    def __len__(self) -> int:
        return len(self.distances)

    @property
    def weights(self) -> Doubles:
        """What pairs weigh in a fit, float64 [P]: 1 / rank, as first results matter most; 1 in all for each patient."""
        return self._share_by_patient(1.0 / self.ranks)

    @property
    def equal_weights(self) -> Doubles:
        """What pairs weigh in figures, float64 [P]: the same within a patient, 1 in all for each patient."""
        return self._share_by_patient(np.ones(len(self)))

    @property
    def is_top_ranked(self) -> Booleans:
        """Which pairs a search would show, bool [P]."""
        return self.ranks <= TOP_RANKS

    def part(self, rows: Booleans) -> NeighbourPairs:
        """The pairs of these rows, bool [P]."""
        return NeighbourPairs(
            self.distances[rows], self.same[rows], self.ranks[rows], self.queries[rows], self.neighbours[rows]
        )

    def _share_by_patient(self, weights: Doubles) -> Doubles:
        patient = np.unique(self.queries, return_inverse=True)[1]
        shares: Doubles = weights / np.bincount(patient, weights)[patient]
        return shares


@dataclass(frozen=True, slots=True)
class Curve:
    """Probability by distance, falling: straight between K knots of increasing distance, flat beyond the ends."""

    distances: tuple[float, ...]
    probabilities: tuple[float, ...]

    def __call__(self, distances: Doubles) -> Doubles:
        """Probabilities, float64 [P], for distances [P]."""
        return np.interp(distances, self.distances, self.probabilities)

    def limit_certainty(self, patients: int) -> Curve:
        """No surer than so many patients allow: within 1 / (n + 2) of 0 and 1 (Laplace's rule of succession)."""
        least = 1 / (patients + 2)
        return Curve(self.distances, tuple(np.clip(self.probabilities, least, 1 - least).tolist()))


@dataclass(frozen=True, slots=True)
class Reliability:
    """How far probabilities can be believed, over pairs of which each patient's weigh the same.

    log_loss in nats; ece: the gap between probability and frequency in ten bins of equal width (Guo et al. 2017);
    brier: the mean square error.
    """

    log_loss: float
    ece: float
    brier: float


@dataclass(frozen=True, slots=True)
class CalibrationCurve:
    """A curve, its method, and how reliable it is on patients whose pairs, on either side, it was not fitted on.

    Over the first five neighbours of each query: held_out: of the curve; score: of 1 - distance, taken as a
    probability; base_rate: the share of pairs with one label; base: of always saying that of the other patients.
    deep: of the curve over all neighbours.
    """

    curve: Curve
    method: MethodName
    held_out: Reliability
    deep: Reliability
    score: Reliability
    base_rate: float
    base: Reliability


def fit_isotonic(distances: Doubles, values: Doubles, weights: Doubles) -> Curve:
    """The falling step function of least squares (pool adjacent violators; Ayer et al. 1955), as a curve.

    distances, values, weights: [P], weights positive. Runs of neighbours in the wrong order are pooled all at once:
    each is constant in the solution.
    """
    places, group = np.unique(distances, return_inverse=True)
    masses = np.bincount(group, weights)
    sums = np.bincount(group, weights * values)
    starts = np.arange(len(places))
    while True:
        means = sums / masses
        first = np.flatnonzero(np.concatenate([[True], means[1:] < means[:-1]]))
        if len(first) == len(means):
            break
        sums, masses, starts = np.add.reduceat(sums, first), np.add.reduceat(masses, first), starts[first]
    ends = np.append(starts[1:], len(places)) - 1
    several = ends > starts
    knots = np.concatenate([starts, ends[several]])
    heights = np.concatenate([means, means[several]])
    order = np.argsort(knots)
    return Curve(tuple(places[knots[order]].tolist()), tuple(heights[order].tolist()))


def fit_logistic(distances: Doubles, values: Doubles, weights: Doubles) -> Curve:
    """A falling logistic curve by Newton's method (Platt 1999), flat where a rising one would fit better.

    distances, values, weights: [P]. The slope has a standard normal prior, in standard deviations of the distance, so
    that separable pairs give a finite one.
    """
    centre = np.average(distances, weights=weights)
    scale = float(np.sqrt(np.average((distances - centre) ** 2, weights=weights))) or 1.0
    design = np.stack([np.ones_like(distances), (distances - centre) / scale])
    prior = np.array([_LEAST_PROBABILITY, 1.0])
    coefficients = np.zeros(2)
    for _ in range(_NEWTON_STEPS):
        predictions = _sigmoid(coefficients @ design)
        gradient = design @ (weights * (predictions - values)) + prior * coefficients
        hessian = (design * (weights * predictions * (1 - predictions))) @ design.T + np.diag(prior)
        coefficients = coefficients - np.clip(np.linalg.solve(hessian, gradient), -_LARGEST_STEP, _LARGEST_STEP)
    if coefficients[1] >= 0:
        return _make_flat(float(np.average(values, weights=weights)))
    knots = np.linspace(distances.min(), distances.max(), _LOGISTIC_KNOTS)
    heights = _sigmoid(coefficients[0] + coefficients[1] * (knots - centre) / scale)
    return Curve(tuple(knots.tolist()), tuple(heights.tolist()))


def fit_curve(pairs: NeighbourPairs, seed: int = 0) -> CalibrationCurve:
    """The curve whose method has the smaller log loss on patients that were held out; logistic if they are equal.

    The figures are of that same cross-validation, in which two methods were compared and nothing else was chosen.
    """
    weights, top_pairs = pairs.weights, pairs.part(pairs.is_top_ranked)
    said = {method: _predict_held_out(pairs, weights, fitted, seed) for method, fitted in _METHODS.items()}
    method = min(said, key=lambda name: measure_reliability(said[name], pairs.same, weights).log_loss)
    each = top_pairs.equal_weights
    return CalibrationCurve(
        curve=_fit_limited(_METHODS[method], pairs, weights),
        method=method,
        held_out=measure_reliability(said[method][pairs.is_top_ranked], top_pairs.same, each),
        deep=measure_reliability(said[method], pairs.same, pairs.equal_weights),
        score=measure_reliability(np.clip(1 - top_pairs.distances, 0, 1), top_pairs.same, each),
        base_rate=float(np.average(top_pairs.same, weights=each)),
        base=measure_reliability(_predict_held_out(top_pairs, each, _fit_base_rate, seed), top_pairs.same, each),
    )


def measure_reliability(probabilities: Doubles, same: Booleans, weights: Doubles) -> Reliability:
    """Figures of probabilities [P] of what was so or not, bool [P]; weights [P]."""
    shares = weights / weights.sum()
    likely = np.clip(probabilities, _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)
    bins = np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], probabilities)
    gaps = np.bincount(bins, shares * (probabilities - same), BINS)
    return Reliability(
        log_loss=float(-(shares * np.log(np.where(same, likely, 1 - likely))).sum()),
        ece=float(np.abs(gaps).sum()),
        brier=float((shares * (probabilities - same) ** 2).sum()),
    )


def measure_novelty(nearest: float, known: Sequence[float]) -> float:
    """The conformal p-value of a query's nearest distance: small when the archive's own slides are nearer to it.

    known: nearest distances of the archive's slides to other patients' slides, increasing. The share of these that
    are at least as large, the query counted in (Vovk, Gammerman and Shafer 2005).
    """
    at_least = len(known) - int(np.searchsorted(known, nearest, side="left"))
    return (1 + at_least) / (1 + len(known))


def is_novel(p_value: float | None) -> bool:
    """Whether a novelty, where it is known, says that the query is unlike anything in the archive."""
    return p_value is not None and p_value < UNLIKELY


Method = Callable[[Doubles, Doubles, Doubles], Curve]


def _fit_base_rate(_: Doubles, values: Doubles, weights: Doubles) -> Curve:
    return _make_flat(float(np.average(values, weights=weights)))


_METHODS: dict[MethodName, Method] = {"logistic": fit_logistic, "isotonic": fit_isotonic}


def _fit_limited(method: Method, pairs: NeighbourPairs, weights: Doubles) -> Curve:
    curve = method(pairs.distances, pairs.same.astype(np.float64), weights)
    return curve.limit_certainty(len(np.unique(pairs.queries)))


def _predict_held_out(pairs: NeighbourPairs, weights: Doubles, method: Method, seed: int) -> Doubles:
    """The probability of each pair by a curve that saw the query's patient neither as query nor as neighbour."""
    patients = np.random.default_rng(seed).permutation(np.unique(pairs.queries))
    probabilities = np.empty(len(pairs))
    for part in np.array_split(patients, min(FOLDS, len(patients))):
        is_held_out = np.isin(pairs.queries, part)
        rest = ~is_held_out & ~np.isin(pairs.neighbours, part)
        # A patient with most of the slides may be everyone's neighbour.
        rest = rest if rest.any() else ~is_held_out
        probabilities[is_held_out] = _fit_limited(method, pairs.part(rest), weights[rest])(pairs.distances[is_held_out])
    return probabilities


def _make_flat(height: float) -> Curve:
    return Curve((0.0,), (height,))


def _sigmoid(values: Doubles) -> Doubles:
    expected: Doubles = 0.5 * (1 + np.tanh(0.5 * values))
    return expected
