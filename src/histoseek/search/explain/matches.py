"""What two slides have in common, and what a slide has in common with a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.ranking_method import RankingMethod
from histoseek.archive.schema import StoredSlide
from histoseek.encoders.alignment import Alignment
from histoseek.encoders.bag import UNKNOWN_POSITION
from histoseek.geometry import Rect
from histoseek.mosaics.contributions import (
    VectorPairs,
    compute_contributions,
    cosine,
    find_closest_pairs,
    match_one_to_one,
)
from histoseek.mosaics.signature import Signature
from histoseek.search.attention_maps import map_attention
from histoseek.search.explanation import Contribution, Explanation, OtherPairs, TextRegion
from histoseek.search.results import Match, SearchResult

MATCHES_SHOWN = 3
PAIRS_LISTED = 34
"""All of two slides of 16 mosaic vectors; of two slides of 64 regions there are about four times as many."""
MOST_READ = 20
"""First results that are compared with a text in detail: that takes longer than finding them."""


def explain_match(result: SearchResult, query: Signature, slide: Signature, method: RankingMethod) -> SearchResult:
    """The result of comparing two slides with what it has in common with the query; its global_ must be known.

    query, slide: as the method maps them.

    Matches are the pairs of mosaic vectors that gave the score most, each vector used once, so there may be fewer than
    MATCHES_SHOWN; for a distance that does not look at mosaics, the pairs of largest cosine.
    """
    distance = method.distance
    parts = compute_contributions(query, slide, distance, result.global_ or 0.0)
    if method.diffusion and result.neighbours is not None:
        parts = parts.blend(method.diffusion.share, result.neighbours)
    sides = _regions(query), _regions(slide)
    listed, others = _split_pairs(parts.pairs)
    return replace(
        result,
        matches=_matches(query, slide, parts.pairs, sides, compared=distance.fusion.local_weight > 0),
        explanation=Explanation(
            parts.base, parts.global_, _contributions(listed, sides), parts.context, parts.neighbours, others
        ),
        attention=map_attention(query, slide, parts.pairs),
    )


class RegionExplainer(Protocol):
    """Tells where a text is on a slide that was found."""

    def explain(self, result: SearchResult, slide: StoredSlide) -> SearchResult:
        """The result with its regions near the text."""


@dataclass(frozen=True, slots=True)
class TextRegions:
    """Explains of the first results which of their mosaic vectors are nearest to a text in the shared space.

    vector: the text's there, float32 [S]; last_rank: of the results that are looked at; least: the cosine of a vector
    that is near.
    """

    alignment: Alignment
    vector: NDArray[np.float32]
    last_rank: int
    least: float

    @classmethod
    def create(
        cls, alignment: Alignment | None, text: NDArray[np.float32] | None, offset: int, least: float
    ) -> TextRegions | None:
        """For a text's vector as its encoder gives it, and results from rank offset + 1 on; None without a shared
        space or vector."""
        if alignment is None or text is None:
            return None
        return cls(alignment, alignment.texts(text[None])[0], offset + MOST_READ, least)

    def explain(self, result: SearchResult, slide: StoredSlide) -> SearchResult:
        """The result with its regions, nearest first, ties by number."""
        if result.rank > self.last_rank:
            return result
        cosines = self.alignment.mosaics(slide.signature.mosaic.astype(np.float32)) @ self.vector
        nearest = np.argsort(-cosines, kind="stable")[:MATCHES_SHOWN].tolist()
        regions = _regions(slide.signature)
        near = (TextRegion(i, float(cosines[i]), regions[i]) for i in nearest if cosines[i] >= self.least)
        return replace(result, text_regions=tuple(near))


def _matches(
    query: Signature,
    slide: Signature,
    pairs: VectorPairs,
    sides: tuple[Sequence[Rect | None], Sequence[Rect | None]],
    *,
    compared: bool,
) -> tuple[Match, ...]:
    if compared and len(pairs):
        regional = (pairs.queries < len(query.mosaic)) & (pairs.results < len(slide.mosaic))
        matched = match_one_to_one(pairs.queries[regional], pairs.results[regional], MATCHES_SHOWN)
    else:
        matched = find_closest_pairs(query.mosaic, slide.mosaic, MATCHES_SHOWN)
    shares = dict(zip(zip(pairs.queries.tolist(), pairs.results.tolist(), strict=True), pairs.shares, strict=True))
    return tuple(
        Match(
            query_mosaic=i,
            result_mosaic=j,
            similarity=cosine(query.mosaic[i], slide.mosaic[j]),
            query_region=sides[0][i],
            result_region=sides[1][j],
            contribution=float(shares[i, j]) if compared and (i, j) in shares else None,
        )
        for i, j in matched
    )


def _split_pairs(pairs: VectorPairs) -> tuple[VectorPairs, OtherPairs]:
    """Those that weigh most, whatever their sign, in the order that they have, and the others."""
    listed = np.sort(np.argsort(-np.abs(pairs.shares), kind="stable")[:PAIRS_LISTED])
    shares = pairs.shares[listed]
    others = OtherPairs(len(pairs) - len(listed), float(np.delete(pairs.shares, listed).sum()))
    return VectorPairs(pairs.queries[listed], pairs.results[listed], pairs.distances[listed], shares), others


def _contributions(
    pairs: VectorPairs, sides: tuple[Sequence[Rect | None], Sequence[Rect | None]]
) -> tuple[Contribution, ...]:
    queries, results = ((len(regions) - 1, regions) for regions in sides)
    columns = (pairs.queries.tolist(), pairs.results.tolist(), pairs.distances.tolist(), pairs.shares.tolist())
    return tuple(
        Contribution(
            None if i == queries[0] else i,
            None if j == results[0] else j,
            distance,
            share,
            queries[1][i],
            results[1][j],
        )
        for i, j, distance, share in zip(*columns, strict=True)
    )


def _regions(signature: Signature) -> Sequence[Rect | None]:
    """The tile that carries each mosaic vector most, and None behind them for the whole slide."""
    edge = signature.tile_size_level0
    corners = [(int(part.coords[0, 0]), int(part.coords[0, 1])) for part in signature.mosaic_tiles]
    tiles = [None if UNKNOWN_POSITION in corner or not edge else Rect(*corner, edge, edge) for corner in corners]
    return [*tiles, None]
