"""An archive's labelled slides as queries of their own archive: what a posterior over labels is fitted and tried on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoseek.equality import EqualByContent
from histoseek.ranking.label_posterior import LabelPosterior, Voices, fit_posterior
from histoseek.ranking.reliability import Reliability, measure_reliability

FOLDS = 5

TOP_RANKS = 5
"""Patients nearest to each query that figures are of: what a search shows unless more is asked for."""

Doubles = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Surroundings(EqualByContent):
    """The patients nearest to each of Q queries, each by its nearest slide, nearest first.

    distances: float64 [Q, N], inf where there are fewer; labels, patients: int64 [Q, N], codes, NOBODY there.
    """

    distances: Doubles
    labels: Ints
    patients: Ints

    def take(self, rows: Booleans) -> Surroundings:
        """Those of some queries."""
        return Surroundings(self.distances[rows], self.labels[rows], self.patients[rows])

    def listen(self, silent: Booleans, prevalence: Doubles) -> Voices:
        """The voices but for some, bool [Q, N]."""
        return Voices(self.distances, self.labels, prevalence).without(silent, prevalence)


@dataclass(frozen=True, slots=True, eq=False)
class LabelledQueries(EqualByContent):
    """Q labelled slides, each with the patients around it, of whom its own is none.

    labels, patients: int64 [Q], codes; around: its surroundings; beyond: those once its label is taken out of the
    archive; members: int64 [M, 2], each patient of the archive with each label of its slides, once; classes: how many
    labels there are.
    """

    labels: Ints
    patients: Ints
    around: Surroundings
    beyond: Surroundings
    members: Ints
    classes: int

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def weights(self) -> Doubles:
        """What queries count, float64 [Q]: 1 in all for each patient."""
        patient = np.unique(self.patients, return_inverse=True)[1]
        shares: Doubles = 1 / np.bincount(patient)[patient]
        return shares

    def take(self, rows: Booleans) -> LabelledQueries:
        """Some queries of the same archive."""
        return LabelledQueries(
            self.labels[rows],
            self.patients[rows],
            self.around.take(rows),
            self.beyond.take(rows),
            self.members,
            self.classes,
        )

    def listen(self, absent: Ints) -> tuple[Voices, Voices]:
        """What is around each query, and beyond its label, in the archive without some patients."""
        counts = self._count_patients(absent)
        taken_out = counts.copy()
        taken_out[np.arange(len(self)), self.labels] = 0
        return (
            self.around.listen(np.isin(self.around.patients, absent), _share(counts)),
            self.beyond.listen(np.isin(self.beyond.patients, absent), _share(taken_out)),
        )

    def fit(self, absent: Ints) -> LabelPosterior:
        """The posterior of these queries in the archive without some patients."""
        known, unknown = self.listen(absent)
        patients = len(np.unique(self.members[~np.isin(self.members[:, 0], absent), 0]))
        return fit_posterior(known, self.labels, unknown, self.weights, patients)

    def _count_patients(self, absent: Ints) -> Doubles:
        """How many other patients have each label, float64 [Q, C]."""
        members = self.members[~np.isin(self.members[:, 0], absent)]
        counts = np.tile(np.bincount(members[:, 1], minlength=self.classes).astype(np.float64), (len(self), 1))
        rows_of = {patient: np.flatnonzero(self.patients == patient) for patient in np.unique(self.patients).tolist()}
        for patient, label in members[np.isin(members[:, 0], self.patients)].tolist():
            counts[rows_of[patient], label] -= 1
        return counts


@dataclass(frozen=True, slots=True)
class FittedPosterior:
    """A posterior over labels, and how far it can be believed, on patients it was fitted without.

    Over the first five patients around each query: held_out: of the probabilities of their labels; base_rate: the share
    that has the query's label; base: of always saying that of the other patients. none: what it says of "none of these"
    on average, as a query's label is in the archive; none_beyond: when it was taken out.
    """

    posterior: LabelPosterior
    held_out: Reliability
    base_rate: float
    base: Reliability
    none: float
    none_beyond: float


def fit_labels(queries: LabelledQueries, seed: int = 0) -> FittedPosterior:
    """Fit a posterior on all queries, and measure it by patients left out: as queries, and as voices of the fit."""
    said, base, same, weights = ([] for _ in range(4))
    none = np.zeros((0, 3))
    for part in np.array_split(np.random.default_rng(seed).permutation(np.unique(queries.patients)), FOLDS):
        held = np.isin(queries.patients, part)
        if not held.any() or held.all():
            continue
        rest, out = queries.take(~held), queries.take(held)
        posterior = rest.fit(part)
        voices = out.listen(np.zeros(0, np.int64))
        probabilities, beyond = posterior(voices[0]), posterior(voices[1])
        none = np.vstack([none, np.column_stack([out.weights, probabilities[:, -1], beyond[:, -1]])])
        rows, places = _pair(voices[0])
        labels = voices[0].labels[rows, places]
        said.append(probabilities[rows, labels])
        same.append(labels == out.labels[rows])
        weights.append(out.weights[rows])
        base.append(np.full(len(rows), _measure_base_rate(rest, part)))
    is_same, each = np.concatenate(same), np.concatenate(weights)
    return FittedPosterior(
        posterior=queries.fit(np.zeros(0, np.int64)),
        held_out=measure_reliability(np.concatenate(said), is_same, each),
        base_rate=float(np.average(is_same, weights=each)),
        base=measure_reliability(np.concatenate(base), is_same, each),
        none=float(np.average(none[:, 1], weights=none[:, 0])),
        none_beyond=float(np.average(none[:, 2], weights=none[:, 0])),
    )


def _pair(voices: Voices) -> tuple[Ints, Ints]:
    """Each query with each of its first voices: rows and places."""
    rows, places = np.nonzero(np.isfinite(voices.distances[:, :TOP_RANKS]))
    return rows, places


def _measure_base_rate(queries: LabelledQueries, absent: Ints) -> float:
    voices = queries.listen(absent)[0]
    rows, places = _pair(voices)
    if not len(rows):
        return 0.5
    return float(np.average(voices.labels[rows, places] == queries.labels[rows], weights=queries.weights[rows]))


def _share(counts: Doubles) -> Doubles:
    totals = counts.sum(axis=1, keepdims=True)
    return np.where(totals > 0, counts / np.maximum(totals, 1), 0.0)
