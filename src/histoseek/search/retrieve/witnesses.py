"""The say that the neighbours of a query have: what spreads from it along the archive's neighbour graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.ranking_method import RankingMethod
from histoseek.archive.stores.slides import SlideTable
from histoseek.mosaics.distances import Distances
from histoseek.mosaics.signature import Signature
from histoseek.ranking.diffusion import Neighbourhood, blend, spread
from histoseek.ranking.graph import compute_cosines
from histoseek.search.retrieve.candidates import Candidates, candidates
from histoseek.search.scope.exclusion import SearchScope

BEHIND = (
    "neighbours have no say in this ranking: their graph is behind the archive. "
    "The next command that writes to it brings it up to date"
)


@dataclass(frozen=True, slots=True)
class Witnesses:
    """What each of a query's signatures has to say by its neighbours; share: how much that counts in a distance.

    left_out: bool [S], slides of the query's own owner: whatever is asked, they are no witnesses, and nobody speaks of
    them, so that their distances stay what they are.
    """

    share: float
    neighbourhoods: tuple[Neighbourhood, ...]
    left_out: NDArray[np.bool_]

    @classmethod
    def call(
        cls,
        store: SlideTable,
        signatures: Sequence[Signature],
        method: RankingMethod,
        own: SearchScope,
        nearest: Candidates | None = None,
    ) -> Witnesses | None:
        """Those of a query's signatures, as the method maps them, among all slides of a snapshot, whatever the filter.

        own: the scope without the slides of the query's owner; nearest: those of its slides that are nearest to the one
        signature, where they were found before. None where neighbours have no say, or their graph is
        too far behind.
        """
        graph, settings = method.find_graph(store), method.diffusion
        if graph is None or settings is None:
            return None
        view = method.view(store)
        left_out = ~own.exclusions.mask(view.ranking_rows())
        vectors, neighbourhoods = view.ranking_rows().global_vectors, []
        for signature in signatures:
            query = signature.global_vector
            near = nearest or candidates(view, query, settings.neighbours, own.without_filter())
            first = find_nearest(near, query, settings.neighbours)
            neighbourhoods.append(spread(graph, vectors, query, first, left_out, settings))
        return cls(settings.share, tuple(neighbourhoods), left_out)

    def add_candidates(self, slides: Candidates, allowed: NDArray[np.int64]) -> Candidates:
        """Candidates with the slides among the allowed places that neighbours lead to."""
        reached = np.unique(np.concatenate([one.places for one in self.neighbourhoods]))
        return Candidates.at(slides.rows, np.union1d(slides.places, reached[np.isin(reached, allowed)]))

    def testify(self, each: Sequence[Distances], slides: Candidates) -> list[Distances]:
        """The distances of slides to each signature with what the neighbours say of them."""
        own = self.left_out[slides.places]
        said = [
            np.where(own, distances.total, neighbourhood.find_parts(slides.places))
            for distances, neighbourhood in zip(each, self.neighbourhoods, strict=True)
        ]
        return [
            replace(distances, total=blend(distances.total, parts, self.share), neighbours=parts)
            for distances, parts in zip(each, said, strict=True)
        ]


def read_neighbours(distances: Distances, row: int) -> float | None:
    """What neighbours say of one slide, None where they have no say."""
    return None if distances.neighbours is None else float(distances.neighbours[row])


def find_nearest(slides: Candidates, query: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """The places of the `count` slides whose global vectors are nearest to a query's, nearest first."""
    zeros = np.zeros(len(slides), np.int64)
    cosines = compute_cosines(slides.rows.global_vectors, slides.places, query[None], zeros)
    return slides.places[np.lexsort((slides.places, -cosines))][:count]
