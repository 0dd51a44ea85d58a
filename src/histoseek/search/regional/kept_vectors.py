"""The best kept vector of every slide of an archive."""

from __future__ import annotations

import numpy as np

from histoseek.archive.filters.expression import Expression
from histoseek.archive.stores.code_rows import CodeRows
from histoseek.archive.stores.slides import SlideTable
from histoseek.deadline import check_deadline
from histoseek.search.regional.base import Floats, SlideSimilarities

_AT_ONCE = 1 << 14
"""Slides between two looks at the clock."""


def measure_best(store: SlideTable, rows: CodeRows, vectors: Floats, where: Expression | None) -> SlideSimilarities:
    """The best kept vector of the slides of a filter, which is of the store's snapshot as the rows are."""
    similarities = np.empty((len(vectors), len(rows)), np.float32)
    for start in range(0, len(rows), _AT_ONCE):
        check_deadline()
        run = slice(start, start + _AT_ONCE)
        similarities[:, run] = rows.block.take_run(run.start, run.stop).find_best(vectors)
    if where is None:
        return SlideSimilarities(rows.slide_ids, similarities)
    allowed = rows.among(store.find_rows(where))
    return SlideSimilarities(rows.slide_ids[allowed], similarities[:, allowed])
