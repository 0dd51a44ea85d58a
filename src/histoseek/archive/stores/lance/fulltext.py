"""Full-text search of the embedded store: BM25 over the tokens of reports."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from histoseek.archive.stores.base import TextHit
from histoseek.archive.stores.lance.engine import lancedb
from histoseek.archive.stores.lance.indexes import TOKENS

_query = lancedb.query


def token_hits(table: Any, weights: Mapping[str, float], count: int, where: str | None) -> list[TextHit]:
    """The rows with any of some tokens, best first: BM25, each token times its weight; ties by id."""
    by_weight: dict[float, list[str]] = defaultdict(list)
    for token, weight in weights.items():
        by_weight[weight].append(token)
    if not by_weight:
        return []
    parts = [
        (_query.Occur.SHOULD, _query.MatchQuery(" ".join(own), TOKENS, boost=weight))
        for weight, own in by_weight.items()
    ]
    search = table.search(_query.BooleanQuery(parts), query_type="fts")
    search = search.where(f"({where})", prefilter=True) if where is not None else search
    rows = search.limit(count).select(["slide_id", "_score"]).to_arrow()
    found = [TextHit(*pair) for pair in zip(rows["slide_id"].to_pylist(), rows["_score"].to_pylist(), strict=True)]
    return sorted(found, key=lambda hit: (-hit.score, hit.slide_id))


def like_tokens(table: Any, token: str, count: int) -> list[str]:
    """Reports of a few rows that have a token at most two letters away from this one, beginning like it."""
    query = _query.MatchQuery(token, TOKENS, fuzziness=2 if len(token) > 5 else 1, prefix_length=1)
    rows = table.search(query, query_type="fts").limit(count).select(["report"]).to_arrow()
    return rows["report"].to_pylist()
