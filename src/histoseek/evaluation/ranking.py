"""From distances to ranked neighbours, block by block, with what a query must not meet left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoseek.evaluation.mixing import mixed
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
    barred: tuple[Ints, ...]


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
    allowed: Ints
    relevant: Ints
    counts: Ints | None = None


def rank(system: System, fold: Fold, labels: Ints, depth: int, reporter: Reporter | None = None) -> Neighbours:
    """Rank a fold: memory is bounded by blocks of queries, whatever the size of the database."""
    reporter = reporter or SilentReporter()
    system.fit(fold.database)
    size = max(1, _BLOCK_CELLS // max(1, len(fold.database)))
    parts = []
    for start in range(0, len(fold.queries), size):
        parts.append(_ranked(system, fold, fold.queries[start : start + size], labels, depth))
        reporter.advance(len(parts[-1].queries))
    return join(parts)


def join(parts: Sequence[Neighbours]) -> Neighbours:
    """The neighbours of several sets of queries (blocks or folds) as one, narrower ones padded."""
    depth = max((part.slides.shape[1] for part in parts), default=0)
    return Neighbours(
        np.concatenate([part.queries for part in parts]),
        np.concatenate([_padded(part.slides, depth, NOBODY) for part in parts]),
        np.concatenate([_padded(part.distances, depth, np.inf) for part in parts]),
        np.concatenate([part.allowed for part in parts]),
        np.concatenate([part.relevant for part in parts]),
        _joined([part.counts for part in parts]),
    )


def _ranked(system: System, fold: Fold, queries: Ints, labels: Ints, depth: int) -> Neighbours:
    distances = np.array(system.distances(queries, fold.database), np.float32)
    allowed = queries[:, None] != fold.database
    for shared in fold.barred:
        allowed &= shared[queries][:, None] != shared[fold.database]
    distances[~allowed] = np.inf
    order = _nearest(distances, _tie_breakers(queries, fold.database), min(depth, len(fold.database)))
    kept = np.take_along_axis(distances, order, 1)
    slides = np.where(np.isfinite(kept), fold.database[order], NOBODY)
    kinds = np.eye(int(labels.max(initial=0)) + 1, dtype=np.float32)[labels[fold.database]]
    counts = (allowed.astype(np.float32) @ kinds).astype(np.int64)
    relevant = counts[np.arange(len(queries)), labels[queries]]
    return Neighbours(queries, slides, kept, allowed.sum(1), relevant, counts)


def _nearest(distances: Floats, ties: NDArray[np.uint32], depth: int) -> Ints:
    """Columns of the smallest values of each row, sorted, equal ones by their tie breakers; int64 [Q, depth]."""
    if depth < distances.shape[1]:
        edge = np.partition(distances, depth - 1, axis=1)[:, depth - 1 : depth]
        ties = np.where(distances <= edge, ties, np.iinfo(np.uint32).max)
        distances = np.where(distances <= edge, distances, np.inf)
    return np.lexsort((ties, distances), axis=1)[:, :depth]


def _tie_breakers(queries: Ints, database: Ints) -> NDArray[np.uint32]:
    """A number for each pair, [Q, C], that tells nothing of either slide.

    Places follow slide ids, and these often follow classes or sites: a system of few distinct distances would live
    off them if equal ones went by place.
    """
    own = mixed(queries.astype(np.uint64) + np.uint64(2**40))[:, None]
    pairs = mixed(own + mixed(database.astype(np.uint64)))
    return (pairs >> np.uint64(32)).astype(np.uint32)


def _joined(parts: Sequence[Ints | None]) -> Ints | None:
    known = [part for part in parts if part is not None]
    return np.concatenate(known) if parts and len(known) == len(parts) else None


def _padded(rows: NDArray[np.generic], depth: int, value: float) -> NDArray[np.generic]:
    return np.pad(rows, ((0, 0), (0, depth - rows.shape[1])), constant_values=value)
