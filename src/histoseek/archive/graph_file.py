"""The neighbour graph of an archive, kept with the embedding space where its tuning lets neighbours have a say."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.array_file import UNREADABLE, read_array_file, write_array_file
from histoseek.archive.layout import ArchiveLayout
from histoseek.archive.schema import CHECKSUM, name_owner_of
from histoseek.archive.stores.checksums import find_signature_digest
from histoseek.archive.stores.metric_slides import view_under
from histoseek.archive.stores.slides import SlideTable
from histoseek.archive.tuning_file import Tuning
from histoseek.equality import EqualByContent
from histoseek.errors import DamagedArchive
from histoseek.files import (
    FileState,
    as_archive_errors,
    read_file_state,
    unlink_durably,
)
from histoseek.ranking.graph import NOBODY, SPARE_NEIGHBOURS, NeighbourGraph

FORMAT = 1

MOST_COMPARED = 10**8
"""Pairs of slides that a reader compares, in seconds, to have a graph that nobody has brought up to date."""


Marks = NDArray[np.uint64]


@dataclass(frozen=True, slots=True, eq=False)
class StoredGraph(EqualByContent):
    """A graph and what it is of; tuning, store: marks of the tuning and of the store's version; marks: uint64 [S], of
    each slide's id, owner and vector, by slide id, as the graph's rows are."""

    tuning: str
    store: str
    marks: Marks
    graph: NeighbourGraph


@dataclass(frozen=True, slots=True)
class _Slides:
    """The S slides of a snapshot under a tuning: their marks, and codes of their owners, int64 [S]."""

    view: SlideTable
    tuning: Tuning
    marks: Marks
    owners: NDArray[np.int64]

    @property
    def size(self) -> int:
        """How many neighbours the graph keeps of each."""
        diffusion = self.tuning.settings.diffusion
        return (diffusion.neighbours if diffusion else 0) + SPARE_NEIGHBOURS

    def find_moved(self, known: StoredGraph | None) -> NDArray[np.int64] | None:
        """Where each slide of a graph stands now, NOBODY for one that is gone or changed; None for one of no use."""
        if known is None or known.tuning != self.tuning.mark or known.graph.nearest.shape[1] != self.size:
            return None
        order = np.argsort(self.marks)
        rows = np.searchsorted(self.marks, known.marks, sorter=order)
        places = order[np.minimum(rows, max(len(order) - 1, 0))] if len(order) else np.zeros(len(rows), np.int64)
        there = self.marks[places] == known.marks if len(order) else np.zeros(len(rows), np.bool_)
        return np.where(there, places, NOBODY).astype(np.int64)

    def make_graph(self, known: StoredGraph | None, moved: NDArray[np.int64] | None) -> StoredGraph:
        """The graph of these slides."""
        rows = self.view.ranking_rows()
        vectors = rows.global_vectors if rows.is_sorted else rows.global_vectors[rows.order]
        if known is None or moved is None:
            graph = NeighbourGraph.build(vectors, self.owners, self.size)
        elif np.array_equal(moved, np.arange(len(self.marks))):
            graph = known.graph
        else:
            graph = known.graph.update(moved, vectors, self.owners)
        return StoredGraph(self.tuning.mark, self.view.mark, self.marks, graph)


def keep_graph(layout: ArchiveLayout, store: SlideTable, tuning: Tuning | None) -> None:
    """Bring the graph up to date with a snapshot of the store: made, mended or, where none is needed, removed.

    Cheap where nothing has changed. The write lock must be held. Raises ArchiveReadOnly, DiskFull.
    """
    if tuning is None or tuning.settings.diffusion is None:
        with as_archive_errors(layout.root):
            unlink_durably([layout.graph])
        return
    known = _read_if_sound(layout)
    if known and (known.tuning, known.store) == (tuning.mark, store.mark):
        return
    slides = _look_at(store, tuning)
    write_graph(layout, slides.make_graph(known, slides.find_moved(known)))


def load_graph(layout: ArchiveLayout, store: SlideTable, tuning: Tuning) -> NeighbourGraph | None:
    """The graph of a snapshot's slides, as they stand among its ranking rows; one that is behind is completed here.

    None where that would take long: where many slides of many came or went since it was written, or it was never made.
    """
    known = _read_if_sound(layout)
    is_current = known is not None and (known.tuning, known.store) == (tuning.mark, store.mark)
    graph = known.graph if known and is_current else _complete(layout, store, tuning)
    is_placed = graph is None or view_under(store, tuning.metric, tuning.mark).ranking_rows().is_sorted
    return graph if is_placed else _place(_ByStore(graph, store, tuning))


@dataclass(frozen=True, slots=True)
class _ByStore:
    """A graph of a snapshot under a tuning, which are what tells it from others."""

    graph: NeighbourGraph | None = field(compare=False)
    store: SlideTable
    tuning: Tuning


@lru_cache(maxsize=2)
def _place(known: _ByStore) -> NeighbourGraph | None:
    """A graph of slides by their ids as one of the places where they stand among the ranking rows."""
    graph, tuning = known.graph, known.tuning
    if graph is None:
        return None
    rows = view_under(known.store, tuning.metric, tuning.mark).ranking_rows()
    shape = len(rows), graph.nearest.shape[1]
    nearest, cosines = np.full(shape, NOBODY, np.int32), np.full(shape, -np.inf, np.float32)
    nearest[rows.order] = np.where(graph.nearest == NOBODY, NOBODY, rows.order[graph.nearest])
    cosines[rows.order] = graph.cosines
    return NeighbourGraph(nearest, cosines)


@lru_cache(maxsize=2)
def _complete(layout: ArchiveLayout, store: SlideTable, tuning: Tuning) -> NeighbourGraph | None:
    known, slides = _read_if_sound(layout), _look_at(store, tuning)
    moved = slides.find_moved(known)
    missing = len(slides.marks) - (0 if moved is None else int((moved != NOBODY).sum()))
    lost = 0 if moved is None else int((moved == NOBODY).sum())
    if (missing + slides.size * lost) * len(slides.marks) > MOST_COMPARED:
        return None
    return slides.make_graph(known, moved).graph


def write_graph(layout: ArchiveLayout, stored: StoredGraph) -> None:
    """Put a graph in the place of the last one, in one step; raises ArchiveReadOnly, DiskFull."""
    arrays: dict[str, NDArray[Any]] = {
        "marks": stored.marks,
        "nearest": stored.graph.nearest,
        "cosines": stored.graph.cosines,
    }
    facts = {"format": FORMAT, "tuning": stored.tuning, "store": stored.store}
    with as_archive_errors(layout.root):
        write_array_file(layout.graph, facts, arrays)


def check_graph(layout: ArchiveLayout) -> None:
    """Raise DamagedArchive when there is a graph that can't be read."""
    try:
        _read(layout.graph, read_file_state(layout.graph))
    except FileNotFoundError:
        return
    except UNREADABLE as error:
        reason = "not a readable neighbour graph: the next command that writes makes it anew"
        raise DamagedArchive(layout.graph, reason) from error


def _read_if_sound(layout: ArchiveLayout) -> StoredGraph | None:
    try:
        return _read(layout.graph, read_file_state(layout.graph))
    except UNREADABLE:
        return None


@lru_cache(maxsize=2)
def _read(path: Path, _state: FileState) -> StoredGraph | None:
    """Read once for each state of the file; None for another format."""
    facts, arrays = read_array_file(path)
    if facts["format"] != FORMAT:
        return None
    graph = NeighbourGraph(arrays["nearest"], arrays["cosines"])
    return StoredGraph(facts["tuning"], facts["store"], arrays["marks"], graph)


def _look_at(store: SlideTable, tuning: Tuning) -> _Slides:
    """What the graph needs to know of a snapshot's slides, by slide id.

    Vectors are told apart by the checksums of their rows, or by the time of their last change in rows of older
    versions: what a metric makes of them may differ in its last bits.
    """
    kinds = store.metadata_types()
    column = tuning.metric.column if tuning.metric.column in kinds else None
    names = ["slide_id", "patient_id", "case_id", "updated", *([column] if column else []), *store.list_checksum()]
    rows = sorted(store.columns(list(dict.fromkeys(names)), None).to_pylist(), key=lambda row: row["slide_id"])
    owners = [name_owner_of(row["patient_id"], row["case_id"], row["slide_id"]) for row in rows]
    marks = np.zeros(len(rows), np.uint64)
    for place, (row, owner) in enumerate(zip(rows, owners, strict=True)):
        content = find_signature_digest(row.get(CHECKSUM)) or row["updated"]
        text = repr((row["slide_id"], owner, content, row[column] if column else None))
        marks[place] = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")
    codes = np.unique(np.array(owners, np.str_), return_inverse=True)[1].astype(np.int64)
    return _Slides(view_under(store, tuning.metric, tuning.mark), tuning, marks, codes)
