"""What a result has in common with the image that led to it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from histoseek.mosaics.distances import Distance
from histoseek.mosaics.signature import Signature
from histoseek.search.explain import TextRegions, explained
from histoseek.search.prepare import PreparedImage
from histoseek.search.ranked import Ranked
from histoseek.search.results import SearchResult


@dataclass(frozen=True, slots=True)
class Compared:
    """Says of results what the image has in common with them, where it led to them, and where they fit the words."""

    prepared: PreparedImage
    ranked: Ranked
    distance: Distance
    regions: TextRegions | None = None

    def __call__(self, result: SearchResult, signature: Signature) -> SearchResult:
        """The result with its parts, its explanation, and its regions near the words."""
        result = self.regions(result, signature) if self.regions else result
        if "similar slides" not in {way.name for way in result.ways}:
            return result
        row = self.ranked.place(result.slide_id)
        own = int(self.ranked.nearest[row])
        compared = replace(
            result,
            local=float(self.ranked.distances.local[row]),
            global_=float(self.ranked.distances.global_[row]),
            query_slide=own,
        )
        return explained(compared, self.prepared.signatures[own], signature, self.distance)
