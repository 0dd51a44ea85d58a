"""What of two slides made their score: the pairs of vectors that met, with parts that add up to it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from histoseek.mosaics.barcodes import Words
from histoseek.mosaics.distances import (
    CONTEXT_SHARE,
    DISTANCES,
    Distance,
    Fusion,
    PairedParts,
    RareParts,
    SignatureBlock,
)
from histoseek.mosaics.late_interaction import count_closest
from histoseek.mosaics.signature import Signature

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]

_LEAST_LENGTH = 1e-12


@dataclass(frozen=True, slots=True)
class VectorPairs:
    """P pairs of vectors of two slides that met, largest share first.

    queries, results: int64 [P], which vectors; a slide's number of mosaic vectors stands for its global vector.
    distances: float64 [P], in the unit of the distance's local part; shares: float64 [P], of the score.
    """

    queries: Ints
    results: Ints
    distances: Doubles
    shares: Doubles

    def __len__(self) -> int:
        return len(self.shares)


@dataclass(frozen=True, slots=True)
class Contributions:
    """A score in parts: base + global_ + context + neighbours + the sum of the pairs' shares = 1 - total distance.

    global_: what the global part gives beside the pairs; context: the same at the archive's coarser spacing, 0 where
    the two are not compared there; neighbours: what a query's neighbours give.
    """

    base: float
    global_: float
    pairs: VectorPairs
    context: float = 0.0
    neighbours: float = 0.0

    @property
    def score(self) -> float:
        """The sum of all parts."""
        return self.base + self.global_ + self.context + self.neighbours + float(self.pairs.shares.sum())

    def blend(self, share: float, neighbours: float) -> Contributions:
        """The parts of the score in which neighbours have this share; neighbours: their part of the distance, 0 to 1,
        as `ranking.diffusion` gives it."""
        rest = 1 - share
        pairs = replace(self.pairs, shares=rest * self.pairs.shares)
        agreed = share * (1 - neighbours)
        return Contributions(rest * self.base, rest * self.global_, pairs, rest * self.context, agreed)


@dataclass(frozen=True, slots=True)
class _Pairing:
    """How a distance's local part comes from pairs.

    between: local distances of all pairs, float64 [Q, R]; both_ways: whether the result's vectors seek their nearest as
    well; average: a direction's value of its nearest distances.
    """

    between: Callable[[Signature, Signature], Doubles]
    both_ways: bool
    average: Callable[[Doubles], _Terms]


@dataclass(frozen=True, slots=True)
class _Terms:
    """An average in its terms: which of the numbers count, int64 [n], and what each of them adds, float64 [n]."""

    places: Ints
    values: Doubles


def compute_contributions(query: Signature, result: Signature, distance: Distance, global_part: float) -> Contributions:
    """The parts of the score that `distance` gives two slides; global_part: the unweighted global part, as measured.

    Where typical parts have the total 1, which holds for an archive's own weights, each part counts by how much nearer
    it is than between unrelated slides: weight * (typical - value), and the base is 0. Where they have not, nothing is
    known of typical slides, the base is 1, and each part says what it takes from it.

    The pairs are each vector of the query with its nearest of the result and, for distances that look from both
    sides, the other way round; ties go to the lowest index, a pair that is met from both sides is one. A mean falls
    into its terms. A median does not: the n distances d of a direction with the mean m and the median M get
    (d + M - m) / n each, which grows with d and sums to M exactly. Where only the closest count, the others are no
    pairs. In a space of two encoders the pairs are those of each, which count by its share.
    """
    if isinstance(distance.parts, PairedParts):
        return _join_contributions(query, result, distance, distance.parts, global_part)
    typical_local, typical_global = _find_reference(distance.fusion)
    local_weight, global_weight = distance.fusion.local_weight, distance.fusion.global_weight
    pairing = _find_pairing(distance)
    pairs = _make_pairs(pairing, query, result, local_weight, typical_local) if pairing else _NO_PAIRS
    typical = global_weight * typical_global + (local_weight * typical_local if pairing else 0)
    context = _compare_contexts(query, result, distance)
    coarse = 0.0 if context is None else global_weight * CONTEXT_SHARE * (typical_global - context)
    whole = global_weight * (typical_global - global_part)
    unpaired = 0.0 if pairing else local_weight * _measure_local_part(query, result, distance)
    return Contributions(round(1 - typical - unpaired, 12), whole - coarse, pairs, coarse)


def _join_contributions(
    query: Signature, result: Signature, distance: Distance, parts: PairedParts, global_part: float
) -> Contributions:
    """Of both encoders of a space of two, each times its share; what the global part gives is that of the whole."""
    own, others = query.split(parts.layout), result.split(parts.layout)
    each = [
        compute_contributions(own[i], others[i], replace(distance, parts=part), global_part)
        for i, part in enumerate((parts.first, parts.second))
    ]
    columns, rows = len(result.mosaic) + 1, []
    for i, one in enumerate(each):
        numbers = (_renumber(one.pairs.queries, own, i), _renumber(one.pairs.results, others, i))
        rows.append(numbers[0] * columns + numbers[1])
    met, place = np.unique(np.concatenate(rows), return_inverse=True)
    weights = np.repeat(parts.shares, [len(one.pairs) for one in each])
    shares, distances = (np.concatenate([getattr(one.pairs, name) for one in each]) for name in ("shares", "distances"))
    total: Doubles = np.asarray(np.bincount(place, weights * shares, len(met)), np.float64)
    mean = np.bincount(place, weights * distances, len(met)) / np.bincount(place, weights, len(met))
    order = np.argsort(-total, kind="stable")
    queries, results = np.divmod(met[order], columns)
    base, global_, context = (
        sum(share * getattr(one, name) for share, one in zip(parts.shares, each, strict=True))
        for name in ("base", "global_", "context")
    )
    return Contributions(round(base, 12), global_, VectorPairs(queries, results, mean[order], total[order]), context)


def _renumber(numbers: Ints, both: tuple[Signature, Signature], part: int) -> Ints:
    """Vectors of one of two encoders by their numbers among those of both; the global vector is that of both."""
    counts = [len(each.mosaic) for each in both]
    return np.where(numbers == counts[part], sum(counts), numbers + (counts[0] if part else 0))


def _find_pairing(distance: Distance) -> _Pairing | None:
    """How the local part comes from pairs, None where there is none, or nobody knows."""
    if isinstance(distance.parts, RareParts):
        compare = distance.parts.matches.compare
        return _Pairing(
            lambda query, result: compare(query.mosaic, result.mosaic), both_ways=False, average=_split_mean
        )
    return _PAIRINGS.get(distance.name)


def _compare_contexts(query: Signature, result: Signature, distance: Distance) -> float | None:
    """The cosine distance of the contexts, None where the distance does not compare them."""
    compares = distance.name in DISTANCES and distance.name != "pathsearch-paper"
    if not compares or query.context is None or result.context is None:
        return None
    return float(np.clip(1 - cosine(query.context, result.context), 0, 2))


def _measure_local_part(query: Signature, result: Signature, distance: Distance) -> float:
    """That of a distance of which nobody knows what pairs it is made of."""
    if not distance.fusion.local_weight:
        return 0.0
    return float(distance.parts(query, SignatureBlock.from_signatures([result]))[0][0])


def find_closest_pairs(query: NDArray[np.float16], result: NDArray[np.float16], limit: int) -> list[tuple[int, int]]:
    """The `limit` pairs of mosaics [Mq, D] and [Mr, D] of largest cosine, each vector used once, best first.

    Ties go to the lower query index, then the lower result index. Vectors that have nothing in common, as those of two
    encoders in one space, are no pair.
    """
    cosines = _compute_cosines(query, result)
    queries, results = np.divmod(np.argsort(-cosines, axis=None, kind="stable"), cosines.shape[1])
    is_pair = cosines[queries, results] != 0
    queries, results = queries[is_pair], results[is_pair]
    return match_one_to_one(queries, results, limit)


def match_one_to_one(queries: Ints, results: Ints, limit: int) -> list[tuple[int, int]]:
    """Of pairs in order the first `limit` that use each vector once."""
    pairs: dict[int, int] = {}
    used_results: set[int] = set()
    for query, result in zip(queries.tolist(), results.tolist(), strict=True):
        if len(pairs) == limit:
            break
        if query not in pairs and result not in used_results:
            pairs[query] = result
            used_results.add(result)
    return list(pairs.items())


def cosine(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """The cosine between two vectors."""
    wide = first.astype(np.float64), second.astype(np.float64)
    lengths = [max(float(np.sqrt(np.einsum("d,d->", vector, vector))), _LEAST_LENGTH) for vector in wide]
    return float(wide[0] @ wide[1] / (lengths[0] * lengths[1]))


def _find_reference(fusion: Fusion) -> tuple[float, float]:
    """The parts that count as neither near nor far."""
    typical = fusion.local_weight * fusion.typical_local + fusion.global_weight * fusion.typical_global
    return (fusion.typical_local, fusion.typical_global) if math.isclose(typical, 1, rel_tol=1e-9) else (0.0, 0.0)


def _make_pairs(pairing: _Pairing, query: Signature, result: Signature, weight: float, typical: float) -> VectorPairs:
    between = pairing.between(query, result)
    rows, columns = between.shape
    nearest = between.argmin(axis=1)
    terms = pairing.average(between[np.arange(rows), nearest])
    places = terms.places * columns + nearest[terms.places]
    shares = weight * (typical / len(terms.places) - terms.values)
    if pairing.both_ways:
        nearest = between.argmin(axis=0)
        terms = pairing.average(between[nearest, np.arange(columns)])
        places = np.concatenate([places, nearest[terms.places] * columns + terms.places])
        shares = 0.5 * np.concatenate([shares, weight * (typical / len(terms.places) - terms.values)])
    met, place = np.unique(places, return_inverse=True)
    merged: Doubles = np.asarray(np.bincount(place, shares), np.float64)
    order = np.argsort(-merged, kind="stable")
    queries, results = np.divmod(met[order], columns)
    return VectorPairs(queries, results, between[queries, results], merged[order])


def _split_mean(distances: Doubles) -> _Terms:
    return _Terms(np.arange(len(distances)), distances / len(distances))


def _split_median(distances: Doubles) -> _Terms:
    """What all lack of the median is shared equally."""
    correction = _find_median(distances) - distances.mean()
    return _Terms(np.arange(len(distances)), np.asarray((distances + correction) / len(distances), np.float64))


def _find_median(numbers: Doubles) -> float:
    """That of a few numbers, for which NumPy's own takes ten times as long."""
    ordered = sorted(numbers.tolist())
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _split_mean_of_closest(distances: Doubles) -> _Terms:
    closest = np.argsort(distances, kind="stable")[: count_closest(len(distances))]
    return _Terms(closest, distances[closest] / len(closest))


def _cosine_distances(query: Signature, result: Signature) -> Doubles:
    return 1 - _compute_cosines(query.mosaic, result.mosaic)


def _count_different_bits(query: Words, result: Words) -> Doubles:
    """Hamming distances between barcodes [Q, W] and [R, W]."""
    return np.bitwise_count(query[:, None] ^ result).sum(axis=2, dtype=np.float64)


def _count_half_bits(signature: Signature) -> float:
    return 0.5 * (signature.mosaic.shape[1] - 1)


def _compute_cosines(first: NDArray[np.floating], second: NDArray[np.floating]) -> Doubles:
    """Cosines between rows [Q, D] and [R, D], float64 [Q, R]."""
    wide = first.astype(np.float64), second.astype(np.float64)
    lengths = [np.maximum(np.sqrt(np.einsum("rd,rd->r", rows, rows)), _LEAST_LENGTH) for rows in wide]
    return np.asarray(wide[0] @ wide[1].T / np.outer(*lengths), np.float64)


def _stack_barcodes(query: Signature, result: Signature) -> Doubles:
    return _count_different_bits(query.barcodes, result.barcodes) / _count_half_bits(query)


def _stack_mosaic_barcodes(query: Signature, result: Signature) -> Doubles:
    return _count_different_bits(query.barcodes[:-1], result.barcodes[:-1]) / _count_half_bits(query)


_PAIRINGS: Mapping[str, _Pairing] = MappingProxyType(
    {
        "symmetric": _Pairing(_stack_barcodes, both_ways=True, average=_split_median),
        "maxsim": _Pairing(_cosine_distances, both_ways=True, average=_split_mean),
        "closest": _Pairing(_cosine_distances, both_ways=True, average=_split_mean_of_closest),
        "contained": _Pairing(_stack_mosaic_barcodes, both_ways=False, average=_split_median),
        "pathsearch-paper": _Pairing(
            lambda query, result: _count_different_bits(query.barcodes, result.barcodes),
            both_ways=False,
            average=_split_median,
        ),
    }
)
_NO_PAIRS = VectorPairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
