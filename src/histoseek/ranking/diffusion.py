"""What the neighbours of a query say of other slides: similarity that spreads along a neighbour graph.

Two slides are joined where each is among the k nearest of the other (k-reciprocal neighbours: Jégou et al. 2007, Zhong
et al. 2017), by their cosine to the fourth. What the query has spreads along the joints until it settles (Zhou et al.
2004; for retrieval Donoser and Bischof 2013, Iscen et al. 2017): f = (I - a S)^-1 e, with S = D^-1/2 W D^-1/2 and e of
the query alone. It is solved on the query's neighbourhood.

W, and with it S and (I - a S)^-1, are symmetric, and whether and how strongly a query is joined to a slide is the same
from both sides. The part is not: it is relative to what spreads from each query furthest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoseek.ranking.graph import NOBODY, Floats, Ints, NeighbourGraph, compute_cosines
from histoseek.ranking.settings import DiffusionSettings

Booleans = NDArray[np.bool_]
Doubles = NDArray[np.float64]

MOST_NODES = 400
"""Slides of a neighbourhood: a system of as many equations is solved for each query."""

_POWER = 4


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """The n slides to which a query's neighbours lead: places, int64 [n], ascending; parts, float64 [n], from 0 for the
    slide on which they agree most to nearly 1. All other slides have the part 1."""

    places: Ints
    parts: Doubles

    def find_parts(self, places: Ints) -> Doubles:
        """The parts of slides at some places, float64 [P]."""
        parts = np.ones(len(places))
        if len(self.places):
            rows = np.minimum(np.searchsorted(self.places, places), len(self.places) - 1)
            there = self.places[rows] == places
            parts[there] = self.parts[rows[there]]
        return parts


@dataclass(frozen=True, slots=True)
class QueryGraph:
    """The graph as a query sees it: without the slides of its owner, bool [S], cut to so many neighbours of each."""

    graph: NeighbourGraph
    left_out: Booleans
    neighbours: int

    def list_nearest(self, places: Ints) -> tuple[NDArray[np.int32], Floats]:
        """The nearest of some slides, int32 and float32 [n, K]: NOBODY and minus infinity where they do not count."""
        nearest, cosines = self.graph.nearest[places], self.graph.cosines[places]
        counts = (nearest != NOBODY) & ~self.left_out[nearest]
        counts &= np.cumsum(counts, axis=1) <= self.neighbours
        return np.where(counts, nearest, NOBODY), np.where(counts, cosines, -np.inf)

    def list_joined(self, places: Ints) -> tuple[Ints, Ints, Floats]:
        """The joints of some slides: rows of the slides, places of those that they are joined to, and cosines, [J]."""
        nearest, cosines = self.list_nearest(places)
        rows, ranks = np.nonzero(nearest != NOBODY)
        targets, target_rows = np.unique(nearest[rows, ranks], return_inverse=True)
        back = self.list_nearest(targets.astype(np.int64))[0]
        is_joint = (back[target_rows] == places[rows][:, None]).any(axis=1)
        rows, ranks = rows[is_joint], ranks[is_joint]
        return rows, nearest[rows, ranks].astype(np.int64), cosines[rows, ranks]

    def join_query(self, nearest: Ints, cosines: Floats) -> tuple[Ints, Floats]:
        """Of a query's nearest slides, nearest first, those that it is joined to: it is nearer to them than the last of
        their own; with the cosines."""
        first = nearest[: self.neighbours], cosines[: self.neighbours]
        listed, values = self.list_nearest(first[0])
        is_full = (listed != NOBODY).sum(axis=1) == self.neighbours
        least = np.where(np.isneginf(values), np.inf, values).min(axis=1, initial=np.inf)
        is_joint = (~is_full | (first[1] > least)) & (first[1] > 0)
        return first[0][is_joint], first[1][is_joint]


def spread(
    graph: NeighbourGraph,
    vectors: Floats,
    query: Floats,
    nearest: Ints,
    left_out: Booleans,
    settings: DiffusionSettings,
    most_nodes: int = MOST_NODES,
) -> Neighbourhood:
    """What the neighbours of a query [D] say of the slides of a graph, whose vectors are [S, D], of length one.

    nearest: places of the slides nearest to the query, nearest first, at least `settings.neighbours` of them or all
    there are, without those left out, bool [S]: the slides of the query's own patient and of the query itself.
    """
    seen = QueryGraph(graph, left_out, settings.neighbours)
    nearest = nearest[: settings.neighbours]
    cosines = compute_cosines(vectors, nearest, query[None], np.zeros(len(nearest), np.int64))
    joined, strengths = seen.join_query(nearest, cosines)
    places = _find_neighbourhood(seen, joined, most_nodes)
    if not len(places):
        return Neighbourhood(places, np.empty(0))
    affinities = np.zeros((len(places) + 1, len(places) + 1))
    rows, others, values = seen.list_joined(places)
    columns = np.minimum(np.searchsorted(places, others), len(places) - 1)
    inside = places[columns] == others
    affinities[rows[inside], columns[inside]] = _weigh(values[inside])
    affinities[-1, np.searchsorted(places, joined)] = _weigh(strengths)
    affinities[:, -1] = affinities[-1]
    settled = solve(affinities, settings.damping)[:-1]
    return Neighbourhood(places, 1 - settled / settled.max())


def solve(affinities: Doubles, damping: float) -> Doubles:
    """What has spread from the last of n nodes to each when it has settled, [n], by symmetric affinities [n, n]."""
    degrees = affinities.sum(axis=1)
    scales = np.where(degrees > 0, 1 / np.sqrt(np.where(degrees > 0, degrees, 1)), 0)
    source = np.zeros(len(affinities))
    source[-1] = 1
    system = np.eye(len(affinities)) - damping * scales[:, None] * affinities * scales
    return np.asarray(np.linalg.solve(system, source), np.float64)


def blend(direct: Doubles, parts: Doubles, share: float) -> Doubles:
    """Distances of slides, of which unrelated ones have about 1, with the say that neighbours have, float64 [S]."""
    return (1 - share) * direct + share * parts


def _weigh(cosines: Floats) -> Doubles:
    return np.asarray(np.maximum(cosines, 0), np.float64) ** _POWER


def _find_neighbourhood(seen: QueryGraph, joined: Ints, most: int) -> Ints:
    """The places that joints lead to from those the query is joined to, ascending: the fewest joints away first, and
    of the last that there is room for those with the strongest joints."""
    places = frontier = np.sort(joined)
    while len(frontier) and len(places) < most:
        _, targets, cosines = seen.list_joined(frontier)
        is_new = ~np.isin(targets, places)
        found, rows = np.unique(targets[is_new], return_inverse=True)
        strongest = np.full(len(found), -np.inf)
        np.maximum.at(strongest, rows, cosines[is_new])
        frontier = np.sort(found[np.lexsort((found, -strongest))[: most - len(places)]])
        places = np.union1d(places, frontier)
    return places
