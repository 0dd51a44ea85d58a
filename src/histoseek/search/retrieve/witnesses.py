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
from histoseek.ranking.settings import DiffusionSettings
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
        cls, store: SlideTable, signatures: Sequence[Signature], method: RankingMethod, own: SearchScope
    ) -> Witnesses | None:
        """Those of a query's signatures, as the method maps them, among all slides of a snapshot, whatever the filter.

        own: the scope without the slides of the query's owner. None where neighbours have no say, or their graph is
        too far behind.
        """
        graph, settings = method.find_graph(store), method.diffusion
        if graph is None or settings is None:
            return None
        view = method.view(store)
        left_out = ~own.exclusions.mask(view.ranking_rows())
        return cls(
            settings.share,
            tuple(
                spread(
                    graph,
                    view.ranking_rows().global_vectors,
                    signature.global_vector,
                    find_nearest(view, signature, own.without_filter(), settings),
                    left_out,
                    settings,
                )
                for signature in signatures
            ),
            left_out,
        )

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


def find_nearest(
    view: SlideTable, signature: Signature, scope: SearchScope, settings: DiffusionSettings
) -> NDArray[np.int64]:
    """The places of the slides of a scope whose global vectors are nearest to a signature's, nearest first."""
    slides = candidates(view, signature.global_vector, settings.neighbours, scope)
    zeros = np.zeros(len(slides), np.int64)
    cosines = compute_cosines(slides.rows.global_vectors, slides.places, signature.global_vector[None], zeros)
    order = np.lexsort((slides.places, -cosines))
    return slides.places[order]
