"""Calibrating an archive: its own slides are the queries, and never meet their own patient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.archive_fusion import (
    compare_slides,
    load_block,
    load_distance,
    measure_fusion,
    write_fusion,
)
from histoseek.archive.calibration_file import FORMAT, Calibration, LabelCalibration, write_calibration
from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.fusion_file import DistanceParts
from histoseek.archive.schema import SlideRecord, name_owner, read_value
from histoseek.archive.stores.slides import SlideTable
from histoseek.arguments import settle, settle_count
from histoseek.errors import ArchiveError, ConfigurationError
from histoseek.mosaics.calibration_curves import NeighbourPairs, fit_curve
from histoseek.mosaics.distances import DEFAULT_DISTANCE, Distance, get_distance
from histoseek.mosaics.part_weights import ComparedParts, ShareChoice, choose_share
from histoseek.progress import Reporter, SilentReporter
from histoseek.search.options import DEFAULT_LABEL

DEPTH = 50
"""Neighbours of each query that are looked at: what a search shows."""

MIN_SLIDES, MIN_PATIENTS = 30, 10
"""Labelled slides and their patients; with fewer there is nothing to check a curve on."""

MIN_KNOWN = 20
"""Slides whose nearest distance is known; with fewer no p-value falls below 0.05."""

_MOST_QUERIES, _FEWEST_QUERIES = 1000, 200
_MOST_COMPARISONS = 20_000_000
_BLOCK, _BLOCK_WITH_MOSAICS = 20_000, 2_000
_SHARE_QUERIES, _SHARE_SLIDES = 200, 2_000
_NOBODY = -1

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Slides:
    """Slides with codes of their owners and labels, int64 [n]; label 0 is none."""

    ids: tuple[str, ...]
    owners: Ints
    labels: Ints

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def with_label(self) -> _Slides:
        return self.part(np.flatnonzero(self.labels))

    @property
    def patients(self) -> int:
        return len(np.unique(self.owners))

    @property
    def classes(self) -> int:
        return len(np.unique(self.labels))

    def part(self, rows: Ints) -> _Slides:
        return _Slides(tuple(self.ids[row] for row in rows), self.owners[rows], self.labels[rows])


@dataclass(slots=True)
class _Neighbours:
    """The nearest slides of other patients to each of Q queries, best first: distances float64 [Q, K], inf where there
    are fewer, and places in the database, int64 [Q, K]."""

    distances: Doubles
    places: Ints

    def take_in(self, row: int, distances: Doubles, start: int) -> None:
        """Let a query's distances to the slides from place `start` on compete with what it has."""
        joined = np.concatenate([self.distances[row], distances])
        places = np.concatenate([self.places[row], np.arange(start, start + len(distances))])
        order = np.argsort(joined, kind="stable")[: self.places.shape[1]]
        self.distances[row], self.places[row] = joined[order], places[order]


def calibrate(
    archive: ArchiveFolder,
    label: str | None = DEFAULT_LABEL,
    distance: str = DEFAULT_DISTANCE,
    seed: int = 0,
    reporter: Reporter | None = None,
) -> Calibration:
    """Learn from an archive how to weigh the parts of a distance and what it means, and keep both there.

    label: the column of the labels that a probability is of; None: only what is unlike the archive is learned.
    Raises ArchiveError for too few slides, labelled slides or patients, or a single label; InputError for a column
    that the archive lacks; ConfigurationError for an unknown distance; ArchiveBusy, ArchiveReadOnly.
    """
    get_distance(settle(distance, str, "--distance", kind=ConfigurationError))
    seed = settle_count(seed, "--seed", 0)
    with archive.writing():
        space, store = archive.require_space(), archive.store.snapshot()
        slides = _slides(store.records(None, None, 0), label)
        if label:
            _require_labels(archive, label, slides.with_label)
        fitted = _fit_distance(archive, slides.with_label, label, distance, seed)
        run = _Run(store, fitted, seed, reporter or SilentReporter())
        queries = run.draw(slides)
        neighbours = run.neighbours(queries, slides)
        nearest = _nearest(archive, neighbours)
        calibration = Calibration(
            format=FORMAT,
            space=space.slides_fingerprint,
            distance=distance,
            fusion=fitted.fusion,
            slides=len(slides),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            nearest=nearest,
            label=_fit_label(run, slides, label, (queries, neighbours)) if label else None,
        )
        write_calibration(archive.layout, calibration)
    return calibration


@dataclass(frozen=True, slots=True)
class _Run:
    store: SlideTable
    distance: Distance
    seed: int
    reporter: Reporter

    def draw(self, slides: _Slides) -> _Slides:
        """As many queries as the time allows."""
        count = int(np.clip(_MOST_COMPARISONS // max(1, len(slides)), _FEWEST_QUERIES, _MOST_QUERIES))
        rows = np.random.default_rng(self.seed).permutation(len(slides))[:count]
        return slides.part(np.sort(rows))

    def neighbours(self, queries: _Slides, database: _Slides) -> _Neighbours:
        """The nearest of other patients, database by blocks."""
        signatures = [stored.signature for stored in self.store.get(queries.ids)] if len(queries) else []
        shape = len(queries), DEPTH
        best = _Neighbours(np.full(shape, np.inf), np.full(shape, _NOBODY))
        size = _BLOCK_WITH_MOSAICS if self.distance.needs_mosaics else _BLOCK
        starts = range(0, len(database), size)
        with self.reporter.part("comparing slides", len(queries) * len(starts)) as part:
            for start in starts:
                block = load_block(self.store, self.distance, database.ids[start : start + size])
                owners = database.owners[start : start + size]
                for row, signature in enumerate(signatures):
                    total = np.where(owners == queries.owners[row], np.inf, self.distance(signature, block).total)
                    best.take_in(row, total, start)
                    part.advance()
        return best


def _fit_distance(archive: ArchiveFolder, labelled: _Slides, column: str | None, name: str, seed: int) -> Distance:
    """The distance with its parts measured anew, and weighed by labels where there are some; kept with the archive."""
    fusion = measure_fusion(archive, seed)
    if fusion and column:
        choice = _choose_share(archive.store, labelled, fusion.find(name), seed)
        fusion = fusion.with_choice(name, column, choice) if choice else fusion
    write_fusion(archive, fusion)
    return load_distance(archive, name)


def _choose_share(store: SlideTable, labelled: _Slides, parts: DistanceParts | None, seed: int) -> ShareChoice | None:
    """The local share that labels choose; None for a distance of fixed weights, or without a query to be answered."""
    if parts is None:
        return None
    order = np.random.default_rng(seed).permutation(len(labelled))
    queries = labelled.part(np.sort(order[:_SHARE_QUERIES]))
    database = labelled.part(np.sort(order[:_SHARE_SLIDES]))
    local, global_ = compare_slides(store, get_distance(parts.distance), queries.ids, database.ids)
    compared = ComparedParts(local, global_, queries.owners, database.owners, queries.labels, database.labels)
    return choose_share(compared, (parts.local, parts.global_), seed)


def _fit_label(run: _Run, slides: _Slides, column: str, all_slides: tuple[_Slides, _Neighbours]) -> LabelCalibration:
    """Fit the probability of sharing a label on pairs of labelled slides.

    all_slides: queries and their neighbours among all slides.
    """
    labelled = slides.with_label
    queries, neighbours = all_slides
    if len(labelled) < len(slides):
        queries = run.draw(labelled)
        neighbours = run.neighbours(queries, labelled)
    pairs = _pairs(queries, labelled, neighbours)
    return LabelCalibration(
        column=column,
        slides=len(labelled),
        patients=labelled.patients,
        classes=labelled.classes,
        queries=len(queries),
        pairs=len(pairs),
        fitted=fit_curve(pairs, run.seed),
    )


def _nearest(archive: ArchiveFolder, neighbours: _Neighbours) -> tuple[float, ...]:
    """Distances of slides to the nearest of another patient, increasing."""
    nearest = neighbours.distances[:, 0]
    finite = np.sort(nearest[np.isfinite(nearest)])
    if len(finite) < MIN_KNOWN:
        what = f"too few to calibrate: {len(finite)} slides have one of another patient to be compared with"
        raise ArchiveError(str(archive.path), what, f"At least {MIN_KNOWN} are needed")
    return tuple(finite.tolist())


def _slides(records: Sequence[SlideRecord], label: str | None) -> _Slides:
    owners = np.unique([name_owner(record) for record in records], return_inverse=True)[1]
    names = ["", *(read_value(record, label) if label else "" for record in records)]
    labels = np.unique(names, return_inverse=True)[1][1:]
    return _Slides(tuple(record.slide_id for record in records), owners.astype(np.int64), labels.astype(np.int64))


def _pairs(queries: _Slides, database: _Slides, neighbours: _Neighbours) -> NeighbourPairs:
    rows, columns = np.nonzero(np.isfinite(neighbours.distances))
    places = neighbours.places[rows, columns]
    return NeighbourPairs(
        distances=neighbours.distances[rows, columns],
        same=queries.labels[rows] == database.labels[places],
        ranks=columns + 1,
        queries=queries.owners[rows],
        neighbours=database.owners[places],
    )


def _require_labels(archive: ArchiveFolder, column: str, labelled: _Slides) -> None:
    slides, patients, classes = len(labelled), labelled.patients, labelled.classes
    if slides >= MIN_SLIDES and patients >= MIN_PATIENTS and classes > 1:
        return
    what = f"too few labels to calibrate: {slides} slides of {patients} patients with {classes} different {column}"
    advice = f"At least {MIN_SLIDES} slides of {MIN_PATIENTS} patients with 2 are needed; see also --without-labels"
    raise ArchiveError(str(archive.path), what, advice)
