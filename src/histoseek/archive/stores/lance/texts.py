"""Searching the reports' tokens with the engine's full-text index."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from histoseek.archive.stores.base import TextHit
from histoseek.archive.stores.lance.engine import ROW_ID, lancedb
from histoseek.archive.stores.lance.indexes import TOKENS

_query = lancedb.query

_MANY = 64
"""Tokens from which on each weight is asked for apart."""

_DEPTH = 2
"""How many times as many rows as are wanted are taken of the weightiest of them."""

_EVERY = 10_000_000

_DECIMALS = 4
"""Of scores: the last bits of those of rows that the index has not taken in differ from run to run."""


def find_ids(table: Any, tokens: Sequence[str], most: int) -> list[str]:
    """The ids of at most so many rows that have any of some tokens."""
    ids: list[str] = _search(table, _match(" ".join(tokens), 1.0), most, None, "slide_id")["slide_id"].to_pylist()
    return ids


def token_hits(
    table: Any, weights: Mapping[str, float], count: int, where: str | None, spelling: bool = False
) -> list[TextHit]:
    """The rows with any of some tokens, best first: BM25, each token times its weight; ties by id.

    where: in the engine's SQL; spelling: a token stands for those at most two letters away that begin like it.

    Many tokens, as of a whole report, are asked for weight by weight (`_sum_lists`): of one list of tokens the engine
    passes over rows that can't be among the best, of lists that it joins itself it reads every row.
    """
    lists: dict[float, list[str]] = defaultdict(list)
    for token, weight in weights.items():
        lists[weight].append(token)
    if not lists:
        return []
    if not spelling and len(lists) > 1 and len(weights) >= _MANY:
        return _sum_lists(table, lists, count, where)
    queries = (
        [_match(token, weight, spelling=True) for token, weight in weights.items()]
        if spelling
        else [_match(" ".join(own), weight) for weight, own in lists.items()]
    )
    joined = _query.BooleanQuery([(_query.Occur.SHOULD, query) for query in queries])
    rows = _search(table, queries[0] if len(queries) == 1 else joined, count, where, "slide_id")
    return _sort_hits(rows["slide_id"].to_pylist(), rows["_score"].to_pylist())


def _sum_lists(table: Any, lists: Mapping[float, Sequence[str]], count: int, where: str | None) -> list[TextHit]:
    """The rows with the largest sums of their scores in some lists of tokens, by weight.

    Of the weightiest list _DEPTH times the wanted rows are taken, of the others, whose tokens are rare, all: a row is
    missed only where the others alone would lift it among the best.
    """
    main = max(lists, key=lambda weight: weight * len(lists[weight]))
    parts = [
        _search(table, _match(" ".join(own), weight), count * _DEPTH if weight == main else _EVERY, where, ROW_ID)
        for weight, own in lists.items()
    ]
    rows, place = np.unique(np.concatenate([part[ROW_ID].to_numpy() for part in parts]), return_inverse=True)
    sums = np.bincount(place, np.concatenate([part["_score"].to_numpy() for part in parts]), len(rows))
    best = np.argsort(-sums, kind="stable")[:count]
    named = table.take_row_ids(rows[best].tolist()).select(["slide_id"]).with_row_id().to_arrow()
    ids = dict(zip(named[ROW_ID].to_pylist(), named["slide_id"].to_pylist(), strict=True))
    return _sort_hits([ids[row] for row in rows[best].tolist()], sums[best].tolist())


def _sort_hits(slide_ids: Sequence[str], scores: Sequence[float]) -> list[TextHit]:
    hits = [TextHit(slide_id, round(score, _DECIMALS)) for slide_id, score in zip(slide_ids, scores, strict=True)]
    return sorted(hits, key=lambda hit: (-hit.score, hit.slide_id))


def _search(table: Any, query: Any, count: int, where: str | None, column: str) -> pa.Table:
    search = table.search(query, query_type="fts")
    search = search.where(where, prefilter=True) if where is not None else search
    # Where nothing is said of row ids, the engine's package looks through the schema three times for each query.
    search = search if column == ROW_ID else search.with_row_id(False)
    return search.limit(count).select([column, "_score"]).to_arrow()


def _match(tokens: str, weight: float, spelling: bool = False) -> Any:
    if not spelling:
        return _query.MatchQuery(tokens, TOKENS, boost=weight)
    letters = 2 if len(tokens) > 5 else 1
    return _query.MatchQuery(tokens, TOKENS, boost=weight, fuzziness=letters, prefix_length=1)
