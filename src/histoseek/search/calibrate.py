"""Calibrating an archive: its own slides are the queries, and never meet their own patient."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.archive_fusion import compare_slides, load_distance, measure_fusion, write_fusion
from histoseek.archive.calibration_file import FORMAT, Calibration, LabelCalibration, LabelPatients, write_calibration
from histoseek.archive.filters.expression import compare, not_true
from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.fusion_file import DistanceParts
from histoseek.archive.ranking_method import TUNED, RankingMethod, load_method
from histoseek.archive.schema import MetadataValue, SlideRecord, name_owner, read_value
from histoseek.archive.stores.slides import SlideTable
from histoseek.archive.tuning_file import Tuning
from histoseek.arguments import settle, settle_count
from histoseek.errors import ArchiveError, ConfigurationError
from histoseek.mosaics.part_weights import ComparedParts, ShareChoice, choose_share
from histoseek.progress import Reporter, SilentReporter
from histoseek.ranking.label_posterior import DEPTH, NOBODY
from histoseek.ranking.labelled_queries import LabelledQueries, Surroundings, fit_labels
from histoseek.search.calibration.novelty import learn_novelty
from histoseek.search.calibration.query_labels import MOST_RANKED, LabelledOwner, NearPatient, find_near_patients
from histoseek.search.options import DEFAULT_LABEL, FALSE_ALARMS, SearchOptions
from histoseek.search.retrieve.ranking import rerank
from histoseek.search.retrieve.witnesses import Witnesses
from histoseek.search.scope.exclusion import Owner, SearchScope

MIN_SLIDES, MIN_PATIENTS = 30, 10
"""Labelled slides and their patients; with fewer there is nothing to check probabilities on."""

_MOST_QUERIES, _FEWEST_QUERIES = 1000, 200
_MOST_COMPARISONS = 20_000_000
_SHARE_QUERIES, _SHARE_SLIDES = 200, 2_000

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


Nearest = Callable[[str], Sequence[tuple[str, float]]]
"""Gives a slide's nearest slides with their distances, nearest first."""

Refit = Callable[[ArchiveFolder, Tuning, int], Nearest | None]
"""Ranks slides by a tuning that is fitted without their patients; None where that makes no difference."""


@dataclass(frozen=True, slots=True)
class _Query:
    """Whom a slide of the archive finds around it, and whom once its label is taken out of the archive."""

    near: Sequence[NearPatient]
    beyond: Sequence[NearPatient]


def calibrate(
    archive: ArchiveFolder,
    label: str | None = DEFAULT_LABEL,
    distance: str | None = None,
    seed: int = 0,
    reporter: Reporter | None = None,
    false_alarms: float = FALSE_ALARMS,
    refit: Refit | None = None,
) -> Calibration:
    """Learn from an archive how to weigh the parts of a distance and what it means, and keep both there.

    label: the column of the labels that a probability is of; None: only what is unlike the archive is learned;
    distance: None for the way to rank that searches use; false_alarms: the share of queries of the archive's own kind
    that may be said to be unlike it; refit: for a ranking that was tuned by the same labels. Raises ArchiveError for
    too few slides or labels, InputError for an unknown column, ConfigurationError, ArchiveBusy, ArchiveReadOnly.
    """
    settle(distance, str | None, "--distance", kind=ConfigurationError)
    seed = settle_count(seed, "--seed", 0)
    with archive.writing():
        store = archive.store.snapshot()
        records = store.records(None, None, 0)
        slides = _slides(records, label)
        if label:
            _require_labels(archive, label, slides.with_label)
        learn_novelty(archive, records, false_alarms, seed, reporter)
        method = _fit_method(archive, slides.with_label, label, distance, seed)
        run = _Run(store, method, {one.slide_id: one for one in records}, label or DEFAULT_LABEL, seed)
        nearest = _refit_tuning(archive, method, label, refit, seed)
        calibration = Calibration(
            format=FORMAT,
            space=archive.require_space().slides_fingerprint,
            distance=method.name,
            fusion=method.distance.fusion,
            ranking=method.mark,
            slides=len(slides),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            label=run.learn(slides, nearest, reporter or SilentReporter()) if label else None,
        )
        write_calibration(archive.layout, calibration)
    return calibration


def _refit_tuning(
    archive: ArchiveFolder, method: RankingMethod, label: str | None, refit: Refit | None, seed: int
) -> Nearest | None:
    """What ranks slides without their patients in what was tuned, where that was tuned by the label."""
    if refit is None or method.tuning is None or method.tuning.column != label:
        return None
    return refit(archive, method.tuning, seed)


@dataclass(frozen=True)
class _Run:
    store: SlideTable
    method: RankingMethod
    records: Mapping[str, SlideRecord]
    column: str
    seed: int

    def learn(self, slides: _Slides, nearest: Nearest | None, reporter: Reporter) -> LabelCalibration:
        """What labels tell; nearest: in place of what a search finds."""
        labelled = slides.with_label
        voters, queries = self.draw(labelled), []
        with reporter.part("comparing slides", len(voters)) as part:
            for slide_id in voters.ids:
                queries.append(self.find(slide_id, nearest(slide_id)) if nearest else self.ask(slide_id))
                part.advance()
        return self._fit(labelled, voters, queries)

    def draw(self, slides: _Slides) -> _Slides:
        """As many queries as the time allows."""
        count = int(np.clip(_MOST_COMPARISONS // max(1, len(slides)), _FEWEST_QUERIES, _MOST_QUERIES))
        rows = np.random.default_rng(self.seed).permutation(len(slides))[:count]
        return slides.part(np.sort(rows))

    def ask(self, slide_id: str) -> _Query:
        """What a search with a slide looks at: neither it nor another of its patient."""
        record = self.records[slide_id]
        [slide] = self.store.get_without_language([slide_id])
        signature = self.method.map_stored(slide)
        scope = SearchScope.from_options(self.store, SearchOptions(), Owner.from_query(None, record), (slide_id,))
        witnesses = Witnesses.call(self.store, [signature], self.method, scope)
        ranked = rerank(self.view, [signature], self.method, MOST_RANKED, scope, witnesses)
        query = self.find(slide_id, ranked.list_nearest(MOST_RANKED))
        if len(query.beyond) == DEPTH or len(ranked) < MOST_RANKED:
            return query
        others = scope.narrow(not_true(compare(self.column, "=", _read_raw(record, self.column))))
        further = rerank(self.view, [signature], self.method, MOST_RANKED, others, witnesses)
        return replace(query, beyond=self.find(slide_id, further.list_nearest(MOST_RANKED)).beyond)

    def find(self, slide_id: str, nearest: Sequence[tuple[str, float]]) -> _Query:
        """The patients of the nearest slides."""
        own = self.owners[slide_id]
        others = [one for one in nearest if self.owners[one[0]].owner != own.owner]
        near, beyond = (find_near_patients(others, self._read, without) for without in (None, own.label))
        return _Query(near, beyond)

    def _read(self, slide_ids: Sequence[str]) -> Sequence[LabelledOwner]:
        return [self.owners[slide_id] for slide_id in slide_ids]

    @cached_property
    def view(self) -> SlideTable:
        return self.method.view(self.store)

    @cached_property
    def owners(self) -> Mapping[str, LabelledOwner]:
        return {i: LabelledOwner(name_owner(one), read_value(one, self.column)) for i, one in self.records.items()}

    def _fit(self, labelled: _Slides, voters: _Slides, queries: Sequence[_Query]) -> LabelCalibration:
        each = sorted({(one.owner, one.label) for one in self.owners.values() if one.label})
        patients = {owner: code for code, owner in enumerate(dict.fromkeys(owner for owner, _ in each))}
        counts = Counter(label for _, label in each)
        labels = {label: code for code, label in enumerate(sorted(counts))}
        own = [self.owners[slide_id] for slide_id in voters.ids]
        labelled_queries = LabelledQueries(
            labels=np.array([labels[one.label] for one in own]),
            patients=np.array([patients[one.owner] for one in own]),
            around=_gather([one.near for one in queries], labels, patients),
            beyond=_gather([one.beyond for one in queries], labels, patients),
            members=np.array([(patients[owner], labels[label]) for owner, label in each]),
            classes=len(labels),
        )
        return LabelCalibration(
            column=self.column,
            slides=len(labelled),
            patients=len(patients),
            labels=tuple(LabelPatients(name, count) for name, count in sorted(counts.items()) if count > 1),
            rare=sum(count == 1 for count in counts.values()),
            queries=len(labelled_queries),
            fitted=fit_labels(labelled_queries, self.seed),
        )


def _gather(
    near_patients: Sequence[Sequence[NearPatient]], labels: Mapping[str, int], patients: Mapping[str, int]
) -> Surroundings:
    shape = len(near_patients), DEPTH
    distances, codes, owners = np.full(shape, np.inf), np.full(shape, NOBODY), np.full(shape, NOBODY)
    for row, near in enumerate(near_patients):
        some = slice(0, len(near))
        distances[row, some] = [one.distance for one in near]
        codes[row, some] = [labels[one.label] for one in near]
        owners[row, some] = [patients[one.owner] for one in near]
    return Surroundings(distances, codes, owners)


def _fit_method(
    archive: ArchiveFolder, labelled: _Slides, column: str | None, name: str | None, seed: int
) -> RankingMethod:
    """The way to rank; a distance with its parts measured anew, and weighed by labels where there are some; kept with
    the archive."""
    method = load_method(archive, name)
    if method.name == TUNED:
        return method
    fusion = measure_fusion(archive, seed)
    if fusion and column:
        choice = _choose_share(archive, labelled, fusion.find(method.name), seed)
        fusion = fusion.with_choice(method.name, column, choice) if choice else fusion
    write_fusion(archive, fusion)
    return load_method(archive, method.name)


def _choose_share(
    archive: ArchiveFolder, labelled: _Slides, parts: DistanceParts | None, seed: int
) -> ShareChoice | None:
    """The local share that labels choose; None for a distance of fixed weights, or without a query to be answered."""
    if parts is None:
        return None
    order = np.random.default_rng(seed).permutation(len(labelled))
    queries = labelled.part(np.sort(order[:_SHARE_QUERIES]))
    database = labelled.part(np.sort(order[:_SHARE_SLIDES]))
    distance = load_distance(archive, parts.distance)
    local, global_ = compare_slides(archive.store, distance, queries.ids, database.ids)
    compared = ComparedParts(local, global_, queries.owners, database.owners, queries.labels, database.labels)
    return choose_share(compared, (parts.local, parts.global_), seed, distance.stated_share)


def _read_raw(record: SlideRecord, column: str) -> MetadataValue:
    """A metadata value as it is."""
    value: MetadataValue = record.extra[column] if column in record.extra else getattr(record, column)
    return value


def _slides(records: Sequence[SlideRecord], label: str | None) -> _Slides:
    owners = np.unique([name_owner(record) for record in records], return_inverse=True)[1]
    names = ["", *(read_value(record, label) if label else "" for record in records)]
    labels = np.unique(names, return_inverse=True)[1][1:]
    return _Slides(tuple(record.slide_id for record in records), owners.astype(np.int64), labels.astype(np.int64))


def _require_labels(archive: ArchiveFolder, column: str, labelled: _Slides) -> None:
    slides, patients, classes = len(labelled), labelled.patients, labelled.classes
    if slides >= MIN_SLIDES and patients >= MIN_PATIENTS and classes > 1:
        return
    what = f"too few labels to calibrate: {slides} slides of {patients} patients with {classes} different {column}"
    advice = f"At least {MIN_SLIDES} slides of {MIN_PATIENTS} patients with 2 are needed; see also --without-labels"
    raise ArchiveError(archive.address, what, advice)
