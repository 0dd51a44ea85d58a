"""Which of a slide's metadata and names have words of a query."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from histoseek.archive.schema import SlideRecord, list_record_fields
from histoseek.reports.index.query_words import QueryWord
from histoseek.reports.index.record_words import list_field_tokens, list_joint_tokens
from histoseek.search.results import SearchResult

_SAYS_IT = 0.9
"""How much of a word a cell must be to be named as one that has it."""


def add_matched_fields(results: Iterable[SearchResult], words: Sequence[QueryWord]) -> list[SearchResult]:
    """The results with the names of the cells that have any of the words."""
    tokens = {token for word in words for token, weight in word.tokens.items() if weight >= _SAYS_IT}
    if not tokens:
        return list(results)
    return [replace(result, matched_fields=_list_matched(result.record, tokens)) for result in results]


def _list_matched(record: SlideRecord, wanted: set[str]) -> tuple[str, ...]:
    cells = {field.name: list_field_tokens(field) for field in list_record_fields(record)}
    matched = [name for name, tokens in cells.items() if not wanted.isdisjoint(tokens)]
    joint = list_joint_tokens(token for tokens in cells.values() for token in tokens)
    if wanted.isdisjoint(joint):
        return tuple(matched)
    telling = [name for name, tokens in cells.items() if any(":" in token for token in tokens)]
    return tuple(name for name in cells if name in (*matched, *telling))
