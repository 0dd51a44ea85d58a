"""The indexes of the embedded store's table."""

from __future__ import annotations

from typing import Any

from histoseek.archive.stores.lance.engine import lancedb

TOKENS = "report_tokens"
_FACTS = "report_facts"
_COLUMNS = ("slide_id", "patient_id", "case_id")


def index_tokens(table: Any) -> None:
    """Index the tokens as they are, parted at blanks."""
    config = lancedb.index.FTS(
        base_tokenizer="whitespace",
        max_token_length=None,
        lower_case=False,
        stem=False,
        remove_stop_words=False,
        ascii_folding=False,
    )
    table.create_index(TOKENS, config=config)


def index_columns(table: Any, anew: bool = False) -> None:
    """Let the columns that searches look rows up by have an index, where they have none yet; anew: in place of any."""
    indexed = set() if anew else {column for index in table.list_indices() for column in index.columns}
    for column in (*_COLUMNS, _FACTS):
        if column not in indexed:
            table.create_index(column, config=lancedb.index.LabelList() if column == _FACTS else lancedb.index.BTree())
