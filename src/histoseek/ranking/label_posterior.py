"""Which label a query has, by the patients nearest to it: a probability for each label, and for none of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoseek.equality import EqualByContent

Doubles = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Ints = NDArray[np.int64]

DEPTH = 50
"""Patients around a query that are listened to."""

UNKNOWN_SHARE = 0.02
"""How often a query has a label that the archive lacks, as is assumed: one in fifty."""

NOBODY = -1
"""Where there is no further patient."""

_MEANS = np.array([-0.5, 0.3, -1.0, -4.0, 0.0])
_PRECISIONS = np.array([1.0, 1.0, 0.5, 0.1, 1.0])
"""A normal prior of the parameters, which a few patients do not move far: the logarithms of temperature (in spreads)
and sharpness, the logit of smoothing, the offset of "none", the logarithm of its slope."""

_STEPS, _TRIES = 40, 12
_LARGEST_STEP, _LEAST_GAIN = 1.0, 1e-4
_DIFFERENCE = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class Voices(EqualByContent):
    """The patients nearest to each of Q queries, each by its nearest labelled slide, nearest first.

    distances: float64 [Q, N], inf where there are fewer; labels: int64 [Q, N], NOBODY there; prevalence: float64
    [Q, C], the share that each label has of the archive's patients, in all 1 for each query; 0 for what it lacks.
    """

    distances: Doubles
    labels: Ints
    prevalence: Doubles

    def __len__(self) -> int:
        return len(self.distances)

    def take(self, rows: Ints | Booleans) -> Voices:
        """Those of some queries."""
        return Voices(self.distances[rows], self.labels[rows], self.prevalence[rows])

    def without(self, silent: Booleans, prevalence: Doubles) -> Voices:
        """Without some voices, bool [Q, N]; those behind move up."""
        distances = np.where(silent, np.inf, self.distances)
        order = np.argsort(distances, axis=1, kind="stable")
        labels = np.take_along_axis(np.where(silent, NOBODY, self.labels), order, axis=1)
        return Voices(np.take_along_axis(distances, order, axis=1), labels, prevalence)


@dataclass(frozen=True, slots=True)
class LabelPosterior:
    """A conditional logit over labels and "none of these" (McFadden 1974).

    The evidence for a label is its share of the voices, each weighing exp(-(its distance - the nearest's) /
    temperature), mixed with its prevalence, which has a share of `smoothing`. Its utility is sharpness * log(evidence);
    that of "none" is none_offset + none_slope * (the nearest distance - typical) / spread. Of the outcome a share of
    `doubt` is what prevalence alone says. Parameters but none_offset are at least 0, so that a voice that comes nearer
    never lowers its own label.
    """

    temperature: float
    sharpness: float
    smoothing: float
    none_offset: float
    none_slope: float
    typical: float
    spread: float
    doubt: float

    def __call__(self, voices: Voices) -> Doubles:
        """Probabilities, float64 [Q, C + 1], the last that of none; in all 1 for each query."""
        utilities = np.column_stack([self._weigh_labels(voices), self._weigh_none(voices)])
        odds = np.exp(utilities - utilities.max(axis=1, keepdims=True))
        shares = odds / odds.sum(axis=1, keepdims=True)
        known = voices.prevalence.any(axis=1, keepdims=True)
        before = np.column_stack([voices.prevalence * (1 - UNKNOWN_SHARE), np.where(known, UNKNOWN_SHARE, 1.0)])
        mixed: Doubles = (1 - self.doubt) * shares + self.doubt * before
        return mixed / mixed.sum(axis=1, keepdims=True)

    def _weigh_labels(self, voices: Voices) -> Doubles:
        queries, classes = voices.prevalence.shape
        heard = np.isfinite(voices.distances)
        gaps = np.where(heard, voices.distances, 0.0) - np.where(heard[:, :1], voices.distances[:, :1], 0.0)
        weights = np.where(heard, np.exp(-np.maximum(gaps, 0.0) / self.temperature), 0.0)
        cells = np.arange(queries)[:, None] * classes + np.where(heard, voices.labels, 0)
        sums = np.bincount(cells.ravel(), weights.ravel(), queries * classes).reshape(queries, classes)
        total = sums.sum(axis=1, keepdims=True)
        shares = np.where(total > 0, sums / np.where(total > 0, total, 1.0), voices.prevalence)
        evidence = (1 - self.smoothing) * shares + self.smoothing * voices.prevalence
        there = evidence > 0
        return np.where(there, self.sharpness * np.log(np.where(there, evidence, 1.0)), -np.inf)

    def _weigh_none(self, voices: Voices) -> Doubles:
        nearest = np.where(np.isfinite(voices.distances[:, 0]), voices.distances[:, 0], self.typical)
        return self.none_offset + self.none_slope * (nearest - self.typical) / self.spread


def fit_posterior(known: Voices, labels: Ints, unknown: Voices, weights: Doubles, patients: int) -> LabelPosterior:
    """The posterior under which the labels of Q queries are likeliest, given what parameters are usually like.

    known: the voices around each query, labels: its own, int64 [Q]; unknown: the voices once its label is taken out of
    the archive, when "none" is right: that counts UNKNOWN_SHARE of the case; weights: of the queries, float64 [Q];
    patients: how many there are: nothing is surer than within 1 / (n + 2) (Laplace's rule of succession).
    Steps of Levenberg and Marquardt on the outer product of gradients (Berndt, Hall, Hall and Hausman 1974).
    """
    nearest = known.distances[:, 0][np.isfinite(known.distances[:, 0])]
    low, typical, high = np.quantile(nearest, [0.25, 0.5, 0.75])
    spread = float(high - low) or float(typical) or 1.0
    queries = np.arange(len(known))
    present = known.prevalence[queries, labels] > 0
    truth = np.where(present, labels, known.prevalence.shape[1])
    whole = np.concatenate([(1 - UNKNOWN_SHARE) * weights, UNKNOWN_SHARE * weights])

    def make(parameters: Doubles) -> LabelPosterior:
        temperature, sharpness, odds, slope = np.exp(parameters[[0, 1, 2, 4]]).tolist()
        return LabelPosterior(
            temperature=temperature * spread,
            sharpness=sharpness,
            smoothing=odds / (1 + odds),
            none_offset=float(parameters[3]),
            none_slope=slope,
            typical=float(typical),
            spread=spread,
            doubt=1 / (patients + 2),
        )

    def measure(parameters: Doubles) -> Doubles:
        posterior = make(parameters)
        return np.log(np.concatenate([posterior(known)[queries, truth], posterior(unknown)[:, -1]]))

    return make(_maximise(measure, whole))


def _maximise(measure: Callable[[Doubles], Doubles], weights: Doubles) -> Doubles:
    """The parameters of the largest weighted sum of log likelihoods and prior."""
    axes = np.eye(len(_MEANS)) * _DIFFERENCE

    def loss(parameters: Doubles) -> float:
        return float(0.5 * (_PRECISIONS * (parameters - _MEANS) ** 2).sum() - weights @ measure(parameters))

    place, damping = _MEANS.copy(), 1.0
    least = loss(place)
    for _ in range(_STEPS):
        slopes = np.stack([(measure(place + axis) - measure(place - axis)) / (2 * _DIFFERENCE) for axis in axes], 1)
        gradient = _PRECISIONS * (place - _MEANS) - weights @ slopes
        curvature = (slopes * weights[:, None]).T @ slopes + np.diag(_PRECISIONS)
        for _ in range(_TRIES):
            step = np.linalg.solve(curvature + damping * np.diag(np.diag(curvature)), -gradient)
            next_place = place + np.clip(step, -_LARGEST_STEP, _LARGEST_STEP)
            found = loss(next_place)
            if found < least:
                break
            damping *= 4
        else:
            return place
        place, gain, least, damping = next_place, least - found, found, damping / 4
        if gain < _LEAST_GAIN:
            return place
    return place
