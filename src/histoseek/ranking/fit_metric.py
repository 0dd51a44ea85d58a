"""The metric of some slides by settings: centred by groups, freed of a column, whitened and stretched by labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoseek.ranking.column_erasure import fit_erasure
from histoseek.ranking.group_centring import fit_group_offsets, measure_reach
from histoseek.ranking.label_directions import fit_label_directions
from histoseek.ranking.metric import NO_GROUP, LinearMap, Metric
from histoseek.ranking.settings import RankingSettings
from histoseek.ranking.within_class import fit_within_class

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Values = Sequence[str | None]


@dataclass(frozen=True, slots=True)
class MetricSample:
    """n labelled slides that a metric is fitted on.

    vectors: global ones, float32 [n, D]; mosaic_means: the means of each slide's mosaic vectors by their shares, not
    scaled to length one, float32 [n, D']; labels, owners: codes, int64 [n]; erased, centred: the values of these
    columns, n each, None for a slide without one; not needed where settings name no such column.
    """

    vectors: Floats
    mosaic_means: Floats
    labels: Ints
    owners: Ints
    erased: Values = ()
    centred: Values = ()


def fit_metric(settings: RankingSettings, slides: MetricSample) -> Metric:
    """The metric by these settings; what their columns and labels cannot teach is left out of it.

    Global and mosaic vectors share the map of the global ones where they are of one dimension; offsets of groups are
    their own, as mosaic vectors are spread otherwise.
    """
    names = tuple(sorted({value for value in slides.centred if value})) if settings.centred else ()
    groups = _find_places(slides.centred, names) if names else np.full(len(slides.labels), NO_GROUP, np.int64)
    starts = [
        LinearMap(offsets=fit_group_offsets(rows, groups, slides.owners, len(names), slides.labels))
        if names
        else LinearMap()
        for rows in (slides.vectors, slides.mosaic_means)
    ]
    update = _fit_update(settings, slides, starts[0](slides.vectors, groups))
    global_map = starts[0].then(update)
    one_space = slides.vectors.shape[1] == slides.mosaic_means.shape[1]
    if one_space and not names:
        return Metric(global_map, global_map)
    own = update if one_space else _fit_update(settings, slides, starts[1](slides.mosaic_means, groups))
    if not names:
        return Metric(global_map, own)
    reach = measure_reach(slides.vectors, groups, slides.owners, len(names))
    return Metric(global_map, starts[1].then(own), settings.centred, names, reach.centres, reach.radii)


def _fit_update(settings: RankingSettings, slides: MetricSample, rows: Floats) -> LinearMap:
    """Erasure, whitening and stretching, each fitted on what the one before it leaves of rows [n, D]."""
    nobody = np.full(len(rows), NO_GROUP, np.int64)
    update = LinearMap()
    if settings.erased is not None:
        known = np.flatnonzero([bool(value) for value in slides.erased])
        values = [str(slides.erased[place]) for place in known.tolist()]
        codes = np.unique(values, return_inverse=True)[1]
        update = fit_erasure(rows[known], codes, slides.owners[known], slides.labels[known])
    if settings.shrinkage is not None:
        update = update.then(fit_within_class(update(rows, nobody), slides.labels, slides.owners, settings.shrinkage))
    if settings.label_strength is not None:
        rows = update(rows, nobody)
        update = update.then(fit_label_directions(rows, slides.labels, slides.owners, settings.label_strength))
    return update


def _find_places(values: Values, names: Sequence[str]) -> Ints:
    places = {name: place for place, name in enumerate(names)}
    return np.array([places.get(value or "", NO_GROUP) for value in values], np.int64)
