"""How probable it is that a report states a phrase, by how well the best region of its slide fits the phrase."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from histoseek.equality import EqualByContent
from histoseek.statistics.folds import split_patients

Doubles = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Ints = NDArray[np.int64]

FEWEST_PATIENTS = 20
"""With reports; of fewer nobody can tell what a similarity means."""

_OF_BOTH = 2
"""Patients that a phrase needs, of those who have it and of those who have not; with fewer it has its base rate."""

_FARTHEST = 5.0
"""Spreads from its centre beyond which a similarity says nothing more."""

_SLOPE_PRECISION, _OFFSET_PRECISION = 1.0, 0.1
"""Of the normal priors around 0 that single phrases are fitted with."""

_LEAST_VARIANCE = 0.01
"""Of the slopes of phrases: they are never held to be all the same."""

_LEAST_SPREAD = 0.005
"""Of cosines: what archives keep of regions tells no finer differences."""

_LEAST_INFORMATION = 1e-6
_STEPS, _TRIES, _LEAST_STEP, _ROUNDING = 40, 12, 1e-5, 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class StatedPhrases(EqualByContent):
    """What the reports of S slides state of P phrases, and how well their slides fit them.

    similarities: float64 [P, S], of each slide's best region; is_stated, is_known: bool [P, S], neither where a report
    neither states a phrase nor is held not to; patients: int64 [S], codes of whose the slides are.
    """

    similarities: Doubles
    is_stated: Booleans
    is_known: Booleans
    patients: Ints

    def take(self, slides: Booleans) -> StatedPhrases:
        """Those of some slides, bool [S]."""
        stated, known = self.is_stated[:, slides], self.is_known[:, slides]
        return StatedPhrases(self.similarities[:, slides], stated, known, self.patients[slides])

    def weigh(self) -> Doubles:
        """The weight of each slide for each phrase, float64 [P, S]: every patient of whom something is known has 1."""
        if not self.is_known.size:
            return self.is_known.astype(np.float64)
        codes = np.unique(self.patients, return_inverse=True)[1]
        sizes = np.stack([np.bincount(codes, row, codes.max() + 1) for row in self.is_known])[:, codes]
        return np.where(self.is_known, 1 / np.maximum(sizes, 1), 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class PhrasePosterior(EqualByContent):
    """Log odds that a report states each of P phrases: those of its prior + offset + slope * z.

    A similarity is measured from `centres`, the mean of slides whose reports do not state the phrase, in `spreads`, and
    counts as no more than the largest (`highs`) and no less than the smallest (`lows`) that the archive has, nor as
    farther than _FARTHEST spreads, so that offset + slope * z is the weight of evidence for the phrase. Of the outcome
    a share of 1 / (patients + 2) is the prior (Laplace's rule of succession): nothing is surer than that.
    All float64 [P].
    """

    priors: Doubles
    centres: Doubles
    spreads: Doubles
    lows: Doubles
    highs: Doubles
    slopes: Doubles
    offsets: Doubles
    patients: Doubles

    def __call__(self, similarities: Doubles) -> Doubles:
        """Probabilities of similarities, float64 [P] or [P, N]."""
        column = (slice(None), *(None,) * (similarities.ndim - 1))
        priors, slopes, offsets = self.priors[column], self.slopes[column], self.offsets[column]
        evidence = offsets + slopes * self.standardise(similarities)
        doubt = (1 / (self.patients + 2))[column]
        mixed: Doubles = (1 - doubt) * _squash(_log_odds(priors) + evidence) + doubt * priors
        return mixed

    def standardise(self, similarities: Doubles) -> Doubles:
        """Similarities [P] or [P, N] in spreads from the centres, within what the archive has."""
        column = (slice(None), *(None,) * (similarities.ndim - 1))
        within = np.clip(similarities, self.lows[column], self.highs[column])
        return np.clip((within - self.centres[column]) / self.spreads[column], -_FARTHEST, _FARTHEST)


def fit_phrases(known: StatedPhrases) -> PhrasePosterior:
    """The posterior under which what the reports state is likeliest.

    Logistic regression of each phrase on the similarity, beside the log odds of its prior (Platt 1999). Then its slope
    is fitted anew with a normal prior whose mean and variance are those of all phrases' slopes (DerSimonian and Laird
    1986), so that a phrase of few patients has what phrases have in common. A slope is never negative: a better fit
    never speaks against a phrase, and without a slope there is no evidence. Priors are Jeffreys' estimate of the share
    of patients; phrases that hardly anybody or almost everybody has keep them.
    """
    weights = known.weigh()
    stated = np.where(known.is_stated, weights, 0.0).sum(axis=1)
    patients = weights.sum(axis=1)
    blank = _standardise(known, weights, (stated + 0.5) / (patients + 1), patients)
    usable = np.minimum(stated, patients - stated) >= _OF_BOTH
    if not usable.any():
        return blank
    data = _Regressions(
        z=np.where(weights > 0, blank.standardise(known.similarities), 0.0)[usable],
        truth=known.is_stated[usable],
        weights=weights[usable],
        base=_log_odds(blank.priors)[usable],
    )
    fitted = data.fit(0.0, _SLOPE_PRECISION)
    mean, variance = _pool(fitted.slopes, fitted.information)
    fitted = data.fit(mean, 1 / max(variance, _LEAST_VARIANCE))
    slopes, offsets = np.zeros(len(usable)), np.zeros(len(usable))
    slopes[usable] = np.maximum(fitted.slopes, 0.0)
    offsets[usable] = np.where(fitted.slopes > 0, fitted.offsets, 0.0)
    return replace(blank, slopes=slopes, offsets=offsets)


def predict_held_out(known: StatedPhrases, folds: int, seed: int = 0) -> Doubles:
    """Probabilities of what the reports state by posteriors of other patients' slides, float64 [P, S]."""
    predicted = np.zeros(known.is_known.shape)
    for held_out in split_patients(known.patients, folds, seed):
        if held_out.any() and not held_out.all():
            predicted[:, held_out] = fit_phrases(known.take(~held_out))(known.similarities[:, held_out])
    return predicted


def _standardise(known: StatedPhrases, weights: Doubles, priors: Doubles, patients: Doubles) -> PhrasePosterior:
    """The posterior without any evidence: similarities from those of slides that do not have the phrase, in spreads of
    those that have it or not."""
    centres = [_mean(known.similarities, np.where(known.is_stated == value, weights, 0.0)) for value in (False, True)]
    everywhere = _mean(known.similarities, weights)
    centres = [np.where(np.isnan(own), everywhere, own) for own in centres]
    gaps = known.similarities - np.where(known.is_stated, centres[1][:, None], centres[0][:, None])
    spreads = np.sqrt(np.nan_to_num(_mean(gaps**2, weights)))
    any_known = (weights > 0).any(axis=1)
    lows = np.min(known.similarities, axis=1, initial=np.inf, where=weights > 0)
    highs = np.max(known.similarities, axis=1, initial=-np.inf, where=weights > 0)
    none = np.zeros(len(priors))
    return PhrasePosterior(
        priors=priors,
        centres=np.nan_to_num(centres[0]),
        spreads=np.maximum(spreads, _LEAST_SPREAD),
        lows=np.where(any_known, lows, 0.0),
        highs=np.where(any_known, highs, 0.0),
        slopes=none,
        offsets=none,
        patients=patients,
    )


def _pool(slopes: Doubles, information: Doubles) -> tuple[float, float]:
    """Mean and variance of the true slopes of phrases, by their estimates [P] and the information in each [P]."""
    whole = information.sum()
    mean = float((information * slopes).sum() / whole)
    scatter = float((information * (slopes - mean) ** 2).sum()) - (len(slopes) - 1)
    freedom = float(whole - (information**2).sum() / whole)
    return mean, max(0.0, scatter / freedom) if freedom > 0 else 0.0


@dataclass(frozen=True, slots=True)
class _Fitted:
    """Slopes and offsets of P phrases, and the information that reports have about each slope; float64 [P]."""

    slopes: Doubles
    offsets: Doubles
    information: Doubles


@dataclass(frozen=True, slots=True)
class _Regressions:
    """One regression a phrase on N slides: z, truth and weights [P, N]; base: log odds without evidence, [P]."""

    z: Doubles
    truth: Booleans
    weights: Doubles
    base: Doubles

    def fit(self, mean: float, precision: float) -> _Fitted:
        """The slopes and offsets of the largest posterior, slopes with a normal prior.

        Newton's steps, halved where one goes too far: the function is concave.
        """
        means, precisions = np.array([mean, 0.0]), np.diag([precision, _OFFSET_PRECISION])
        places = np.repeat(means[None], len(self.z), axis=0)
        least = self._lose(places, means, precisions)
        for _ in range(_STEPS):
            gradient, curvature = self._differentiate(places)
            pull = (places - means) @ precisions
            step = np.linalg.solve(curvature + precisions, (gradient + pull)[..., None])[..., 0]
            for _ in range(_TRIES):
                tried = self._lose(places - step, means, precisions)
                worse = tried > least + _ROUNDING
                if not worse.any():
                    break
                step = np.where(worse[:, None], step / 2, step)
            places, least = places - step, tried
            if np.abs(step).max() < _LEAST_STEP:
                break
        curvature = self._differentiate(places)[1]
        # What is left about the slope once the offset is not known either.
        lost = curvature[:, 0, 1] ** 2 / (curvature[:, 1, 1] + _OFFSET_PRECISION)
        return _Fitted(places[:, 0], places[:, 1], np.maximum(curvature[:, 0, 0] - lost, _LEAST_INFORMATION))

    def _odds(self, places: Doubles) -> Doubles:
        odds: Doubles = self.base[:, None] + places[:, :1] * self.z + places[:, 1:]
        return odds

    def _lose(self, places: Doubles, means: Doubles, precisions: Doubles) -> Doubles:
        odds, moved = self._odds(places), places - means
        misfit = (self.weights * np.logaddexp(0.0, np.where(self.truth, -odds, odds))).sum(axis=1)
        lost: Doubles = misfit + 0.5 * ((moved @ precisions) * moved).sum(axis=1)
        return lost

    def _differentiate(self, places: Doubles) -> tuple[Doubles, Doubles]:
        """Gradient [P, 2] and curvature [P, 2, 2] of the misfit."""
        likely, z = _squash(self._odds(places)), self.z
        errors, steepness = self.weights * (likely - self.truth), self.weights * likely * (1 - likely)
        gradient = np.stack([(errors * z).sum(axis=1), errors.sum(axis=1)], axis=1)
        mixed = (steepness * z).sum(axis=1)
        curvature = np.stack([(steepness * z * z).sum(axis=1), mixed, mixed, steepness.sum(axis=1)], axis=1)
        return gradient, curvature.reshape(-1, 2, 2)


def _mean(values: Doubles, weights: Doubles) -> Doubles:
    """Weighted means of rows, NaN of one without weight."""
    whole = weights.sum(axis=1)
    return np.where(whole > 0, (weights * values).sum(axis=1) / np.where(whole > 0, whole, 1.0), np.nan)


def _log_odds(shares: Doubles) -> Doubles:
    return np.log(shares) - np.log1p(-shares)


def _squash(odds: Doubles) -> Doubles:
    """The logistic function."""
    return 1 / (1 + np.exp(-np.clip(odds, -500, 500)))
