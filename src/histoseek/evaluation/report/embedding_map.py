"""A 2-d map of an archive's global vectors, for people to look at: no figure is computed on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from histoseek.errors import InputError
from histoseek.evaluation.cohort import PRIVATE_COLUMNS
from histoseek.evaluation.outcome import ArchiveMap, MapPoint
from histoseek.search.maps.map_layout import can_be_neighbours, lay_out_by_components, lay_out_by_neighbours

Floats = NDArray[np.float32]


def make_archive_map(
    vectors: Floats, slide_ids: Sequence[str], columns: Mapping[str, Sequence[str | None]], seed: int
) -> ArchiveMap:
    """Place slides by the cosine between their global vectors (`search.places`).

    vectors: float32 [n, D], any length; columns: n values each, None where not known, which becomes "". The same
    vectors and seed give the same map. A handful of slides, or slides that are all alike, are placed by their principal
    components. Raises InputError for one of PRIVATE_COLUMNS, MissingExtra without umap-learn.
    """
    private = next((name for name in columns if name in PRIVATE_COLUMNS), None)
    if private is not None:
        raise InputError(
            f"column {private}", "holds data of patients, which no page may show", "Colour the map by another column"
        )
    places = lay_out_by_neighbours(vectors, seed) if can_be_neighbours(vectors) else lay_out_by_components(vectors)
    points = (
        MapPoint(
            slide_id, round(float(x), 4), round(float(y), 4), tuple(values[row] or "" for values in columns.values())
        )
        for row, (slide_id, (x, y)) in enumerate(zip(slide_ids, places, strict=True))
    )
    return ArchiveMap(tuple(columns), tuple(points))
