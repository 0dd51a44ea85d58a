"""From distances to ranked neighbours, block by block, with what a query must not meet left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoseek.evaluation.mixing import mix_bits
from histoseek.evaluation.systems.base import System
from histoseek.progress import Reporter, SilentReporter

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]

NOBODY = -1
"""Stands where a query has fewer neighbours than asked for."""

_BLOCK_CELLS = 8_000_000


@dataclass(frozen=True, slots=True)
class Fold:
    """Queries and database, int64 places in the cohort; barred: codes, int64 [n] each (patients, perhaps sites): a
    query never meets a slide with which it shares any of them, nor itself."""

    queries: Ints
    database: Ints
    exclusions: tuple[Ints, ...]


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The K nearest allowed slides of Q queries, best first; equal distances in an order that is fixed but random.

    queries: int64 [Q]; slides: int64 [Q, K], NOBODY where there is none; distances: float32 [Q, K], inf there;
    allowed, relevant: int64 [Q], how many slides of the database a query may meet, and how many of those share its
    label; counts: int64 [Q, L], how many a query may meet of each label, None if that is not known. All slides as
    places in the cohort.
    """

    queries: Ints
    slides: Ints
    distances: Floats
    eligible: Ints
    relevant: Ints
    counts: Ints | None = None


def rank(system: System, fold: Fold, labels: Ints, depth: int, reporter: Reporter | None = None) -> Neighbours:
    """Rank a fold: memory is bounded by blocks of queries, whatever the size of the database."""
    reporter = reporter or SilentReporter()
    system.fit(fold.database)
    size = max(1, _BLOCK_CELLS // max(1, len(fold.database)))
    parts = []
    for start in range(0, len(fold.queries), size):
        parts.append(_rank_block(system, fold, fold.queries[start : start + size], labels, depth))
        reporter.advance(len(parts[-1].queries))
    return join_neighbours(parts)


def join_neighbours(parts: Sequence[Neighbours]) -> Neighbours:
    """The neighbours of several sets of queries (blocks or folds) as one, narrower ones padded."""
    depth = max((part.slides.shape[1] for part in parts), default=0)
    return Neighbours(
        np.concatenate([part.queries for part in parts]),
        np.concatenate([_pad(part.slides, depth, NOBODY) for part in parts]),
        np.concatenate([_pad(part.distances, depth, np.inf) for part in parts]),
        np.concatenate([part.eligible for part in parts]),
        np.concatenate([part.relevant for part in parts]),
        _join_counts([part.counts for part in parts]),
    )


def _rank_block(system: System, fold: Fold, queries: Ints, labels: Ints, depth: int) -> Neighbours:
    distances = np.array(system.distances(queries, fold.database), np.float32)
    is_eligible = queries[:, None] != fold.database
    for codes in fold.exclusions:
        is_eligible &= codes[queries][:, None] != codes[fold.database]
    distances[~is_eligible] = np.inf
    order = _find_nearest(distances, _make_tie_breakers(queries, fold.database), min(depth, len(fold.database)))
    nearest_distances = np.take_along_axis(distances, order, 1)
    slides = np.where(np.isfinite(nearest_distances), fold.database[order], NOBODY)
    kinds = np.eye(int(labels.max(initial=0)) + 1, dtype=np.float32)[labels[fold.database]]
    counts = (is_eligible.astype(np.float32) @ kinds).astype(np.int64)
    relevant = counts[np.arange(len(queries)), labels[queries]]
    return Neighbours(queries, slides, nearest_distances, is_eligible.sum(1), relevant, counts)


def _find_nearest(distances: Floats, ties: NDArray[np.uint32], depth: int) -> Ints:
    """Columns of the smallest values of each row, sorted, equal ones by their tie breakers; int64 [Q, depth]."""
    if depth < distances.shape[1]:
        limit = np.partition(distances, depth - 1, axis=1)[:, depth - 1 : depth]
        ties = np.where(distances <= limit, ties, np.iinfo(np.uint32).max)
        distances = np.where(distances <= limit, distances, np.inf)
    return np.lexsort((ties, distances), axis=1)[:, :depth]


def _make_tie_breakers(queries: Ints, database: Ints) -> NDArray[np.uint32]:
    """A number for each pair, [Q, C], that tells nothing of either slide.

    Places follow slide ids, and these often follow classes or sites: a system of few distinct distances would live
    off them if equal ones went by place.
    """
    query_bits = mix_bits(queries.astype(np.uint64) + np.uint64(2**40))[:, None]
    pairs = mix_bits(query_bits + mix_bits(database.astype(np.uint64)))
    return (pairs >> np.uint64(32)).astype(np.uint32)


def _join_counts(parts: Sequence[Ints | None]) -> Ints | None:
    counts = [part for part in parts if part is not None]
    return np.concatenate(counts) if parts and len(counts) == len(parts) else None


def _pad(rows: NDArray[np.generic], depth: int, value: float) -> NDArray[np.generic]:
    return np.pad(rows, ((0, 0), (0, depth - rows.shape[1])), constant_values=value)
