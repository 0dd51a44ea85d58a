"""Novelty: how unlike an archive's tiles those of a query are, and how seldom its own slides are so unlike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoseek.equality import EqualByContent

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]

SHRINKAGE = 0.9
"""How far variances are drawn to their mean; from 0.8 to 0.98 is all the same on real tiles, 0.1 and 1 are worse."""

PATCHES = (1, 2, 4, 8, 16)
"""Sizes of the patches of neighbouring tiles that regions, pictures and small slides are compared with."""

TILES_OF_SLIDE = 16
"""Tiles that are drawn from all over a slide; a query of as many is compared with whole slides."""

MIN_KNOWN = 20
"""Slides whose scores are known; with fewer no p-value is as small as 0.05."""

FOLDS = 5

_MOST_AXES = 64
_LEAST_VARIANCE = 1e-6
"""As a share of the squared length of the mean: tiles that are all the same are not known to be exactly so."""


@dataclass(frozen=True, slots=True, eq=False)
class TileModel(EqualByContent):
    """Where an archive's tiles lie: a normal distribution of their features, of damped length.

    mean: float32 [D]; axes: float32 [K, D], orthonormal, of the largest variances; variances: float64 [K] along them;
    rest: in every other direction.
    """

    mean: Floats
    axes: Floats
    variances: Doubles
    rest: float

    def __call__(self, features: NDArray[np.floating]) -> Doubles:
        """Squared Mahalanobis distances by dimension, float64 [n], of the features [n, D] of tiles."""
        centred = damp_lengths(features) - self.mean
        along = (centred @ self.axes.T).astype(np.float64) ** 2
        across = np.maximum(np.einsum("nd,nd->n", centred, centred, dtype=np.float64) - along.sum(axis=1), 0)
        distances: Doubles = (along @ (1 / self.variances) + across / self.rest) / len(self.mean)
        return distances


@dataclass(frozen=True, slots=True, eq=False)
class TileSample(EqualByContent):
    """What is drawn of a slide of the archive.

    owner: code of its patient; features: float32 [n, D] of its tiles; spread: int64 [N], rows of those from all over
    it; patch: int64 [P], rows of neighbours, nearest to the first one first.
    """

    owner: int
    features: Floats
    spread: Ints
    patch: Ints


@dataclass(frozen=True, slots=True)
class Novelty:
    """How unlike an archive a query is.

    p_value: the share of the archive's slides that are as unlike the others; false_alarms: the share of queries of its
    own kind that may be flagged.
    """

    p_value: float
    false_alarms: float

    @property
    def is_flagged(self) -> bool:
        """Whether the query is said to be unlike anything in the archive."""
        return self.p_value <= self.false_alarms


@dataclass(frozen=True, slots=True)
class OwnScores:
    """Scores of the archive's own slides, increasing, each by a model that its patient had no part in.

    tiles: neighbouring ones that each score is the mean of; None for those of whole slides.
    """

    tiles: int | None
    scores: tuple[float, ...]

    def find_p_value(self, score: float) -> float:
        """The share that scores as high, the query counted in (Vovk, Gammerman and Shafer 2005)."""
        at_least = len(self.scores) - int(np.searchsorted(self.scores, score, side="left"))
        return (1 + at_least) / (1 + len(self.scores))


@dataclass(frozen=True, slots=True)
class NoveltyModel:
    """What an archive knows of its own tiles; own: scores of its slides, by the number of tiles, whole slides last."""

    tiles: TileModel
    own: tuple[OwnScores, ...]

    def measure(self, features: NDArray[np.floating], *, is_whole: bool) -> float:
        """The p-value of a query with these tiles [n, D], n >= 1: small where the archive's slides are less unlike it.

        is_whole: a slide, not a part of one; a slide of few tiles is compared with as few.
        """
        return self.find_own(len(features), is_whole=is_whole).find_p_value(aggregate(self.tiles(features)))

    def find_own(self, tiles: int, *, is_whole: bool) -> OwnScores:
        """What a query of so many tiles is compared with: no more tiles than it has, as fewer scatter more."""
        if is_whole and tiles >= TILES_OF_SLIDE:
            return self.own[-1]
        fitting = [own for own in self.own if own.tiles is not None and own.tiles <= tiles]
        return fitting[-1]


def damp_lengths(features: NDArray[np.floating]) -> Floats:
    """Features [n, D] in their direction, as long as the root of their length, float32 [n, D].

    A length tells glass and blur from tissue, but varies within tissue too; in full or not at all it told less.
    """
    rows = np.asarray(features, np.float32)
    lengths = np.sqrt(np.einsum("nd,nd->n", rows, rows, dtype=np.float64))
    return rows / np.sqrt(np.where(lengths > 0, lengths, 1)).astype(np.float32)[:, None]


def aggregate(scores: Doubles) -> float:
    """The score of a query from its tiles' [n]."""
    return float(scores.mean())


def draw_tiles(coords: NDArray[np.integer], generator: np.random.Generator) -> tuple[Ints, Ints, Ints]:
    """Tiles of a slide, at these places [N, 2]: their rows, then `spread` and `patch` of a TileSample of those rows."""
    spread = generator.permutation(len(coords))[:TILES_OF_SLIDE]
    apart = ((coords - coords[spread[0]]).astype(np.float64) ** 2).sum(axis=1)
    patch = np.argsort(apart, kind="stable")[: PATCHES[-1]]
    rows = np.unique(np.concatenate([spread, patch]))
    return rows, np.searchsorted(rows, spread), np.searchsorted(rows, patch)


def fit_tile_model(samples: Sequence[TileSample]) -> TileModel:
    """The distribution of the samples' spread tiles, each slide with the same weight."""
    return _Moments.gather(samples).fit()


def fit_novelty(samples: Sequence[TileSample], seed: int = 0) -> NoveltyModel:
    """A model of all samples, at least MIN_KNOWN of two patients or more; own scores by models of other patients."""
    parts = list(_split(samples, seed))
    moments = [_Moments.gather([samples[place] for place in part]) for part in parts]
    whole = _Moments.add(moments)
    scores: list[Doubles] = [np.empty(0)] * len(samples)
    for number, part in enumerate(parts):
        model = _Moments.add([other for place, other in enumerate(moments) if place != number]).fit()
        for place in part:
            scores[place] = model(samples[place].features)
    return NoveltyModel(whole.fit(), tuple(_gather_scores(samples, scores)))


def _split(samples: Sequence[TileSample], seed: int) -> Iterator[Ints]:
    """Places of the samples in folds of patients."""
    owners = np.array([sample.owner for sample in samples])
    drawn = np.random.default_rng(seed).permutation(np.unique(owners))
    for part in np.array_split(drawn, min(FOLDS, len(drawn))):
        yield np.flatnonzero(np.isin(owners, part))


def _gather_scores(samples: Sequence[TileSample], scores: Sequence[Doubles]) -> Iterator[OwnScores]:
    """By patches as far as enough slides have so many tiles, then of whole slides."""
    for size in PATCHES:
        pairs = zip(samples, scores, strict=True)
        found = [aggregate(one[sample.patch[:size]]) for sample, one in pairs if len(sample.patch) >= size]
        if size == 1 or len(found) >= MIN_KNOWN:
            yield OwnScores(size, tuple(sorted(found)))
    whole = [aggregate(one[sample.spread]) for sample, one in zip(samples, scores, strict=True)]
    yield OwnScores(None, tuple(sorted(whole)))


@dataclass(frozen=True, slots=True)
class _Moments:
    """Sums over slides of their tiles' features: weight, float64 [D] and [D, D]."""

    weight: float
    sums: Doubles
    products: Doubles

    @classmethod
    def gather(cls, samples: Sequence[TileSample]) -> _Moments:
        rows = damp_lengths(np.concatenate([sample.features[sample.spread] for sample in samples]))
        weights = np.concatenate([np.full(len(sample.spread), 1 / len(sample.spread)) for sample in samples])
        scaled = rows * np.sqrt(weights).astype(np.float32)[:, None]
        return cls(float(weights.sum()), weights @ rows.astype(np.float64), (scaled.T @ scaled).astype(np.float64))

    @classmethod
    def add(cls, parts: Sequence[_Moments]) -> _Moments:
        return cls(
            sum(part.weight for part in parts),
            np.sum([part.sums for part in parts], axis=0),
            np.sum([part.products for part in parts], axis=0),
        )

    def fit(self) -> TileModel:
        mean = self.sums / self.weight
        variances, axes = _find_largest(self.products / self.weight - np.outer(mean, mean))
        dimension, total = len(mean), float(np.trace(self.products) / self.weight - mean @ mean)
        average = (SHRINKAGE * max(total, 0) + _LEAST_VARIANCE * (1 + float(mean @ mean))) / dimension
        left = max(total - float(variances.sum()), 0) / max(dimension - len(variances), 1)
        return TileModel(
            mean.astype(np.float32),
            axes.astype(np.float32),
            (1 - SHRINKAGE) * np.maximum(variances, 0) + average,
            (1 - SHRINKAGE) * left + average,
        )


def _find_largest(covariance: Doubles) -> tuple[Doubles, Doubles]:
    """The largest eigenvalues [K] of a covariance [D, D], and their axes [K, D]."""
    values, vectors = np.linalg.eigh(covariance)
    return values[::-1][:_MOST_AXES], vectors.T[::-1][:_MOST_AXES]
