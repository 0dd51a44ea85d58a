"""The tokens of all records of a version of the store, kept in memory, and what share of a query's words they cover."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from histoseek.archive.stores.base import TextHit

_DECIMALS = 9
"""Scores are rounded so that slides with the same words come out the same."""


@dataclass(frozen=True, slots=True)
class RecordWords:
    """S slides and the tokens of their records: codes [T] by token, and of each occurrence the row and the code."""

    slide_ids: NDArray[np.str_]
    row_ids: NDArray[np.uint64]
    code_of: Mapping[str, int]
    rows: NDArray[np.int32]
    codes: NDArray[np.int32]

    @classmethod
    def read(cls, table: pa.Table, column: str, row: str) -> RecordWords:
        """From a table with the numbers of its rows, their slides and tokens."""
        table = table.combine_chunks()
        tokens = pc.ascii_split_whitespace(pc.ascii_trim_whitespace(pc.fill_null(table[column], "")))
        tokens = tokens.combine_chunks()
        encoded = pc.dictionary_encode(tokens.flatten())
        return cls(
            np.array(table["slide_id"].to_pylist(), np.str_),
            table[row].to_numpy(),
            {token: code for code, token in enumerate(encoded.dictionary.to_pylist()) if token},
            pc.list_parent_indices(tokens).to_numpy().astype(np.int32),
            encoded.indices.to_numpy(),
        )

    def knows(self, tokens: Sequence[str]) -> bool:
        """Whether any record has any of some tokens."""
        return any(token in self.code_of for token in tokens)

    def list_having(self, tokens: Sequence[str]) -> list[str]:
        """The slides whose records have all of some tokens, by id."""
        if not all(token in self.code_of for token in tokens):
            return []
        counts = np.zeros(len(self.slide_ids), np.int64)
        for token in tokens:
            counts[self.rows[self.codes == self.code_of[token]]] += 1
        having: list[str] = sorted(self.slide_ids[counts == len(tokens)].tolist())
        return having

    def search(
        self, words: Sequence[Mapping[str, float]], count: int, among: NDArray[np.uint64] | None
    ) -> list[TextHit]:
        """The slides with any of some words, best first, ties by id, with the share of the words that they have.

        words: of each the tokens that it is found by, and how much of the word each is (0 to 1). A word weighs the more
        the fewer slides have it: log(1 + S / slides); among: the numbers of rows, None for all.
        """
        places, cover = self._cover(words)
        if not len(places):
            return []
        having = (cover >= 1).sum(axis=0)
        information = np.log1p(len(self.slide_ids) / np.maximum(having, 0.5))
        scores = np.round(cover @ (information / information.sum()), _DECIMALS)
        if among is not None:
            allowed = np.isin(self.row_ids[places], among)
            places, scores = places[allowed], scores[allowed]
        order = np.arange(len(places))
        if count < len(places):
            order = np.flatnonzero(scores >= -np.partition(-scores, count - 1)[count - 1])
        order = order[np.lexsort((self.slide_ids[places[order]], -scores[order]))][:count]
        ids = self.slide_ids[places[order]].tolist()
        return [TextHit(*pair) for pair in zip(ids, scores[order].tolist(), strict=True)]

    def _cover(self, words: Sequence[Mapping[str, float]]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The rows with any token, [n], and how much of each word they have, [n, W]."""
        wanted = dict.fromkeys(token for word in words for token in word if token in self.code_of)
        column_of = {token: column for column, token in enumerate(wanted)}
        sought = np.full(len(self.code_of) + 1, -1, np.int32)
        for token, column in column_of.items():
            sought[self.code_of[token]] = column
        columns = sought[self.codes]
        hits = np.flatnonzero(columns >= 0)
        places, row = np.unique(self.rows[hits], return_inverse=True)
        has = np.zeros((len(places), len(column_of)), np.bool_)
        has[row, columns[hits]] = True
        cover = np.zeros((len(places), len(words)))
        for number, word in enumerate(words):
            for token, weight in word.items():
                if token in column_of:
                    np.maximum(cover[:, number], has[:, column_of[token]] * weight, out=cover[:, number])
        return places.astype(np.int64), cover
