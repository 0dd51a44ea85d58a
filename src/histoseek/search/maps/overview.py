"""A 2-d map of an archive's slides from their global vectors: what lies near looks alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.filters.expression import Where
from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.schema import field_columns
from histoseek.archive.stores.slides import SlideTable
from histoseek.arguments import settle_count
from histoseek.equality import EqualByContent
from histoseek.errors import InputError, MissingExtra
from histoseek.search.maps.map_layout import (
    MOST_SLIDES,
    Floats,
    Places,
    can_be_neighbours,
    lay_out_by_components,
    lay_out_by_neighbours,
)

FEWEST_NEIGHBOURS = 40
"""Of fewer slides, two directions of variance tell as much, and at once."""

Method = Literal["umap", "pca"]
Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Overview(EqualByContent):
    """N slides on a map, sorted by id.

    x and y: float32 [N], without a unit; labels: [N], "" where not known; method: "umap" keeps near what is near,
    "pca", the two directions of most variance, stands in where umap-learn is not installed and for few slides;
    slides: how many satisfy the filter, of which N were drawn; version: of the content that it shows
    (`Archive.content_version`).
    """

    slide_ids: tuple[str, ...]
    x: Floats
    y: Floats
    labels: tuple[str, ...]
    method: Method
    slides: int
    version: str

    @property
    def is_sample(self) -> bool:
        """Whether only some slides are on it."""
        return len(self.slide_ids) < self.slides


def overview(
    archive: ArchiveFolder, label: str | None = None, where: Where = None, most: int = MOST_SLIDES, seed: int = 0
) -> Overview:
    """Lay out the slides of a filter by the cosine between their global vectors.

    label: the metadata column that slides are labelled by; of more than `most` slides so many are drawn, each label's
    share of them as in the archive, but at least one. The same content and seed give the same map. Raises BadFilter,
    InputError for an unknown column, ArchiveError for an empty archive.
    """
    most, seed = settle_count(most, "overview most", 1), settle_count(seed, "overview seed", 0)
    store = archive.store.snapshot()
    rows = store.ranking_rows()
    places = store.ranking_places(where)
    places = places[np.argsort(rows.slide_ids[places], kind="stable")]
    labels = _labels(store, label, where, rows.slide_ids[places])
    sample = _draw_sample(labels, most, seed)
    positions, method = _lay_out(rows.global_vectors[places[sample]], seed)
    return Overview(
        slide_ids=tuple(str(i) for i in rows.slide_ids[places[sample]]),
        x=positions[:, 0].astype(np.float32),
        y=positions[:, 1].astype(np.float32),
        labels=tuple(str(label) for label in labels[sample]),
        method=method,
        slides=len(places),
        version=_version(archive, store),
    )


def content_version(archive: ArchiveFolder) -> str:
    """What identifies an archive's content, cheaply: it changes with each commit, and when the archive is re-encoded.

    Raises ArchiveError for an empty archive.
    """
    return _version(archive, archive.store)


def _version(archive: ArchiveFolder, store: SlideTable) -> str:
    return f"{archive.manifest.number}-{store.version}"


def _labels(store: SlideTable, label: str | None, where: Where, slide_ids: NDArray[np.str_]) -> NDArray[np.str_]:
    """The label of each slide, as `read_value` gives it."""
    if label is None:
        return np.zeros(len(slide_ids), np.str_)
    columns = [name for name in field_columns(store.metadata_types()) if name != "slide_id"]
    if label not in columns:
        raise InputError(f"column {label}", "the archive has no such column", f"The columns are: {', '.join(columns)}")
    rows = store.columns(["slide_id", label], where)
    values = ("" if value is None else str(value) for value in rows[label].to_pylist())
    by_id = dict(zip(rows["slide_id"].to_pylist(), values, strict=True))
    return np.array([by_id[str(i)] for i in slide_ids], np.str_)


def _draw_sample(labels: NDArray[np.str_], most: int, seed: int) -> Indices:
    """Which slides to show, ascending: all, or as many as wanted, drawn within each label."""
    if len(labels) <= most:
        return np.arange(len(labels))
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(labels))
    names, group, counts = np.unique(labels, return_inverse=True, return_counts=True)
    taken: Indices = np.zeros(len(names), np.int64)
    turn = np.empty(len(labels))
    for index in order:
        # The k-th of a label's n slides comes at (k + 1/2) / n of the way; its first one at once.
        label = group[index]
        turn[index] = (taken[label] + 0.5) / counts[label] if taken[label] else 0
        taken[label] += 1
    return np.sort(order[np.argsort(turn[order], kind="stable")][:most])


def _lay_out(vectors: Floats, seed: int) -> tuple[Places, Method]:
    if len(vectors) >= FEWEST_NEIGHBOURS and can_be_neighbours(vectors):
        try:
            return lay_out_by_neighbours(vectors, seed), "umap"
        except MissingExtra:
            return lay_out_by_components(vectors), "pca"
    return lay_out_by_components(vectors), "pca"
