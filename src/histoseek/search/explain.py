"""Where two slides match."""

from __future__ import annotations

from histoseek.encoders.bag import UNKNOWN_POSITION
from histoseek.geometry import Rect
from histoseek.mosaics.matches import match_mosaics
from histoseek.mosaics.signature import Signature
from histoseek.search.results import Match

MATCHES_SHOWN = 3


def explain(query: Signature, result: Signature, limit: int = MATCHES_SHOWN) -> tuple[Match, ...]:
    """The regions of two slides that match best, each mosaic vector used once."""
    return tuple(
        Match(
            query_mosaic=pair.query_index,
            result_mosaic=pair.result_index,
            similarity=pair.similarity,
            query_region=_region(query, pair.query_index),
            result_region=_region(result, pair.result_index),
        )
        for pair in match_mosaics(query.mosaic, result.mosaic, limit)
    )


def _region(signature: Signature, mosaic: int) -> Rect | None:
    x, y = (int(v) for v in signature.mosaic_tiles[mosaic].coords[0])
    edge = signature.tile_size_level0
    return None if UNKNOWN_POSITION in (x, y) or not edge else Rect(x, y, edge, edge)
