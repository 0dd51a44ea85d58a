"""A hypergraph over the slides of a database: an edge is a slide with those most like it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoseek.evaluation.systems.base import Floats, Ints

_EDGE_SIZE = 11
_ROUNDING = np.float32(1e-6)


@dataclass(frozen=True, slots=True)
class Hypergraph:
    """C slides and as many edges, each of up to 11 slides that belong to it by their likeness to the edge's own slide.

    members: int64 [C, K], as places in the database; memberships: float32 [C, K], falling; lengths: float64 [C], of
    the slides' rows of memberships in all edges, squared.
    """

    members: Ints
    memberships: Floats
    lengths: NDArray[np.float64]

    @classmethod
    def from_likeness(cls, likeness: Iterable[Floats], slides: int) -> Hypergraph:
        """From the likeness of each slide to all, row by row, [C] each: positive, largest to itself."""
        size = min(_EDGE_SIZE, slides)
        nearest = [_find_nearest(row, size) for row in likeness]
        members = np.array([edge for edge, _ in nearest])
        memberships = np.array([values for _, values in nearest])
        return cls(members, memberships, _sum_members(members, memberships * memberships, slides))

    def compute_cosines(self, likeness: Floats, *, inside: bool) -> NDArray[np.float64]:
        """Cosines [C] between the memberships of one slide and those of all, from its likeness [C] to all.

        It belongs to each edge of which it is as like as the least like member. One that is not inside adds an edge
        of its own, as those inside have.
        """
        membership = np.where(likeness >= self.memberships[:, -1] - _ROUNDING, likeness, 0)
        edges = np.flatnonzero(membership)
        weights = membership[edges, None] * self.memberships[edges]
        products = _sum_members(self.members[edges], weights, len(likeness))
        length, lengths = np.square(membership, dtype=np.float64).sum(), self.lengths
        if not inside:
            extra = np.zeros(len(likeness))
            members, memberships = _find_nearest(likeness, self.members.shape[1] - 1)
            extra[members] = memberships
            products, length, lengths = products + extra, length + 1, lengths + extra**2
        return products / np.sqrt(length * lengths)


def _find_nearest(likeness: Floats, count: int) -> tuple[Ints, Floats]:
    """The `count` largest, ties by place, and their values."""
    members = np.argsort(-likeness, kind="stable")[:count]
    return members, likeness[members]


def _sum_members(members: Ints, values: Floats, slides: int) -> NDArray[np.float64]:
    """For each slide the sum of the values at the places where it is a member, [C]."""
    return np.asarray(np.bincount(members.ravel(), values.ravel(), slides), np.float64)
