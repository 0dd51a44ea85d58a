"""Full-text search of the embedded store: BM25 over the tokens of reports."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from histoseek.archive.stores.base import TextHit
from histoseek.archive.stores.lance.engine import lancedb
from histoseek.archive.stores.lance.indexes import TOKENS

_query = lancedb.query


def token_hits(
    table: Any, weights: Mapping[str, float], count: int, where: str | None, spelling: bool = False
) -> list[TextHit]:
    """The rows with any of some tokens, best first: BM25, each token times its weight; ties by id.

    where: in the engine's SQL; spelling: a token stands for those at most two letters away that begin like it.
    """
    by_weight: dict[float, list[str]] = defaultdict(list)
    for token, weight in weights.items():
        by_weight[weight].append(token)
    if not by_weight:
        return []
    queries = (
        [_match(token, weight, spelling=True) for token, weight in weights.items()]
        if spelling
        else [_match(" ".join(own), weight) for weight, own in by_weight.items()]
    )
    search = table.search(_query.BooleanQuery([(_query.Occur.SHOULD, query) for query in queries]), query_type="fts")
    search = search.where(where, prefilter=True) if where is not None else search
    rows = search.limit(count).select(["slide_id", "_score"]).to_arrow()
    found = [TextHit(*pair) for pair in zip(rows["slide_id"].to_pylist(), rows["_score"].to_pylist(), strict=True)]
    return sorted(found, key=lambda hit: (-hit.score, hit.slide_id))


def _match(tokens: str, weight: float, spelling: bool = False) -> Any:
    if not spelling:
        return _query.MatchQuery(tokens, TOKENS, boost=weight)
    letters = 2 if len(tokens) > 5 else 1
    return _query.MatchQuery(tokens, TOKENS, boost=weight, fuzziness=letters, prefix_length=1)
