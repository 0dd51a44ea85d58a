"""An evaluation from beginning to end: rank by every system, score, compare, and check what could mislead."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from histoseek._version import __version__
from histoseek.archive.folder import ArchiveFolder
from histoseek.encoders.slide.registry import find_fitted_family
from histoseek.errors import ConfigurationError, InputError
from histoseek.evaluation.calibration import calibration_error, risk_coverage
from histoseek.evaluation.cohort import Cohort, load_cohort
from histoseek.evaluation.confounders import (
    SiteCheck,
    predictability,
    predictability_from_labels,
    shuffled_values,
    site_check,
)
from histoseek.evaluation.crossmodal import cross_modal
from histoseek.evaluation.intervals import Comparison, compare, holm
from histoseek.evaluation.leaks import find_leaks, find_twins
from histoseek.evaluation.metrics import Scores, score
from histoseek.evaluation.outcome import ArchiveMap, Calibrated, Evaluation, Subject, SystemResult, WorstQuery
from histoseek.evaluation.protocols import ProtocolSpec, design_of, make_folds, site_codes
from histoseek.evaluation.ranking import NOBODY, Fold, Neighbours, join, rank
from histoseek.evaluation.systems.base import System
from histoseek.evaluation.systems.registry import make_systems
from histoseek.progress import Reporter, SilentReporter

DEFAULT_SYSTEMS = ("symmetric", "pathsearch-paper", "global", "maxsim", "mean-pooled", "majority", "random")
DEPTH = 10
"""Deepest neighbour that a metric looks at."""

CURVE = 50
"""Points of a risk-coverage curve that are kept."""

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class EvaluationSpec:
    """What to evaluate.

    label: column of the right answers; systems: the first is the one that others are compared with; site_columns: what
    could give a data set away, checked where the archive has it; map_columns: to colour the 2-d map by, none for no
    map; worst: how many of the first system's worst queries are kept.
    """

    label: str = "diagnosis"
    systems: tuple[str, ...] = DEFAULT_SYSTEMS
    protocol: ProtocolSpec = field(default_factory=ProtocolSpec)
    where: str | None = None
    patient_is_slide: bool = False
    site_columns: tuple[str, ...] = ("site",)
    map_columns: tuple[str, ...] = ()
    worst: int = 6
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.systems:
            raise ConfigurationError("--systems", "names none", "Name at least one")


def evaluate(archive: ArchiveFolder, spec: EvaluationSpec, reporter: Reporter | None = None) -> Evaluation:
    """Evaluate the retrieval of an archive; a query never meets its own patient.

    Raises InputError for labels, patients, sites or sets that are missing, ConfigurationError for unknown systems,
    BadFeatureFile for a baseline that needs features which are damaged, MissingExtra for the map.
    """
    reporter = reporter or SilentReporter()
    cohort = load_cohort(archive, spec.label, spec.where, patient_is_slide=spec.patient_is_slide)
    folds = make_folds(cohort, spec.protocol)
    systems = make_systems(spec.systems, cohort, spec.seed)
    reporter.expect(len(systems) * sum(len(fold.queries) for fold in folds))
    ranked = [_ranked(system, folds, cohort, reporter) for system in systems]
    results = tuple(_result(system, cohort, found, spec.seed) for system, found in zip(systems, ranked, strict=True))
    first, neighbours = results[0], ranked[0][0]
    found_cross_modal, notes = cross_modal(cohort, spec.seed)
    checks, skipped = _site_checks(cohort, systems[0], folds, first.scores, spec)
    return Evaluation(
        subject=_subject(cohort, folds, spec),
        query_ids=tuple(cohort.slide_ids[place] for place in first.scores.queries),
        patients=cohort.patients[first.scores.queries],
        results=results,
        comparisons=_comparisons(results, cohort, spec.seed),
        site_checks=checks,
        cross_modal=found_cross_modal,
        leaks=(*find_leaks(cohort.records), *find_twins(cohort.records, cohort.global_vectors)),
        worst=_worst(cohort, neighbours, spec.worst),
        map=_map(cohort, spec),
        warnings=(*_warnings(cohort, first.scores), *notes, *skipped),
    )


def _ranked(system: System, folds: Sequence[Fold], cohort: Cohort, reporter: Reporter) -> tuple[Neighbours, float]:
    started = time.perf_counter()
    found = join([rank(system, fold, cohort.labels, DEPTH, reporter) for fold in folds])
    return found, round(time.perf_counter() - started, 3)


def _result(system: System, cohort: Cohort, ranked: tuple[Neighbours, float], seed: int) -> SystemResult:
    neighbours, seconds = ranked
    scores = score(neighbours, cohort.labels, cohort.classes, cohort.patients, seed)
    answerable = scores.answerable
    right = (scores.votes == cohort.labels[scores.queries])[answerable]
    confidence = scores.confidence[answerable]
    coverage, risk, area = risk_coverage(confidence, right)
    kept = np.unique(np.linspace(0, len(coverage) - 1, CURVE).astype(np.int64)) if len(coverage) else np.array([], int)
    calibrated = Calibrated(
        calibration_error(confidence, right), area, tuple(coverage[kept].tolist()), tuple(risk[kept].tolist())
    )
    return SystemResult(system.name, scores, _cmc(neighbours, cohort.labels), calibrated, seconds)


def _cmc(neighbours: Neighbours, labels: Ints) -> tuple[float, ...]:
    """The share of queries, of those with a right answer at all, that have one among the first 1, 2, ... DEPTH."""
    asked = neighbours.relevant > 0
    if not asked.any():
        return ()
    right = (neighbours.slides != NOBODY) & (labels[neighbours.slides] == labels[neighbours.queries][:, None])
    return tuple(np.maximum.accumulate(right[asked], axis=1).mean(0).tolist())


def _site_checks(
    cohort: Cohort, system: System, folds: Sequence[Fold], scores: Scores, spec: EvaluationSpec
) -> tuple[tuple[SiteCheck, ...], tuple[str, ...]]:
    """How far each site column can be predicted, and what is left of the first system without same-site answers."""
    checks, notes = [], []
    for column in spec.site_columns:
        try:
            sites = site_codes(cohort, column)
        except InputError as error:
            notes.append(f"no site check by {column!r}: {error.what}")
            continue
        dealt = shuffled_values(sites, cohort.labels, cohort.patients, spec.seed)
        others, control = (_scores_without(cohort, system, folds, values, spec.seed) for values in (sites, dealt))
        names = cohort.column(column)
        told = predictability(cohort.global_vectors, names, cohort.patients, spec.seed)
        alone = predictability_from_labels(cohort.labels, names, cohort.patients, spec.seed)
        checks.append(site_check(column, told, alone, scores, others, cohort.patients, spec.seed, shuffled=control))
    return tuple(checks), tuple(notes)


def _scores_without(cohort: Cohort, system: System, folds: Sequence[Fold], values: Ints, seed: int) -> Scores:
    """The system's scores when a query meets no slide of its own value."""
    barred = [Fold(fold.queries, fold.database, (*fold.barred, values)) for fold in folds]
    found = join([rank(system, fold, cohort.labels, DEPTH) for fold in barred])
    return score(found, cohort.labels, cohort.classes, cohort.patients, seed)


def _comparisons(
    results: Sequence[SystemResult], cohort: Cohort, seed: int
) -> tuple[tuple[str, tuple[Comparison, ...]], ...]:
    """Each system against the first, corrected for all metrics of all systems together."""
    first = results[0].scores
    found = [(other.name, compare(first, other.scores, cohort.patients, seed)) for other in results[1:]]
    corrected = iter(holm(np.array([one.p for _, ones in found for one in ones], np.float64)).tolist())
    return tuple((name, tuple(replace(one, p_holm=next(corrected)) for one in ones)) for name, ones in found)


def _worst(cohort: Cohort, neighbours: Neighbours, count: int) -> tuple[WorstQuery, ...]:
    """Queries with a right answer somewhere and none among the nearest, those that looked surest first."""
    labels = cohort.labels
    right = (neighbours.slides != NOBODY) & (labels[neighbours.slides] == labels[neighbours.queries][:, None])
    missed = np.flatnonzero((neighbours.relevant > 0) & ~right[:, :3].any(1))
    order = missed[np.argsort(neighbours.distances[missed, 0], kind="stable")][:count]
    return tuple(_worst_query(cohort, neighbours, int(row)) for row in order)


def _worst_query(cohort: Cohort, neighbours: Neighbours, row: int, shown: int = 4) -> WorstQuery:
    places = [int(place) for place in neighbours.slides[row, :shown] if place != NOBODY]
    query = int(neighbours.queries[row])
    return WorstQuery(
        slide_id=cohort.slide_ids[query],
        label=cohort.classes[cohort.labels[query]],
        nearest=tuple(cohort.slide_ids[place] for place in places),
        nearest_labels=tuple(cohort.classes[cohort.labels[place]] for place in places),
        distances=tuple(float(distance) for distance in neighbours.distances[row, : len(places)]),
    )


def _map(cohort: Cohort, spec: EvaluationSpec) -> ArchiveMap | None:
    if not spec.map_columns:
        return None
    from histoseek.evaluation.report.embedding_map import archive_map

    columns = {name: cohort.column(name) for name in spec.map_columns}
    return archive_map(cohort.global_vectors, cohort.slide_ids, columns, spec.seed)


def _subject(cohort: Cohort, folds: Sequence[Fold], spec: EvaluationSpec) -> Subject:
    return Subject(
        archive=cohort.archive.path.name,
        space=cohort.archive.settled_space.fingerprint,
        label=spec.label,
        classes=cohort.classes,
        slides=len(cohort),
        patients=int(cohort.patients.max()) + 1,
        without_label=cohort.without_label,
        where=spec.where,
        protocol=spec.protocol.name,
        design=design_of(cohort, folds, cohort.classes),
        seed=spec.seed,
        version=__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _warnings(cohort: Cohort, scores: Scores) -> tuple[str, ...]:
    said = []
    if scores.without_answer:
        what = "queries may meet no other slide of their label and are left out of the figures"
        said.append(f"{scores.without_answer} of {len(scores.queries)} {what}")
    if len(cohort.classes) == 1:
        said.append("there is one label only: any system is right")
    if cohort.without_label:
        said.append(f"{cohort.without_label} slides have no label and take no part")
    if find_fitted_family(cohort.archive.manifest.slide_encoder) is None:
        said.append("the slide encoder was trained: if it has seen these patients, all its figures are too good")
    if cohort.patient_is_slide:
        said.append("every slide counts as its own patient: other slides of a patient may be among the answers")
    return tuple(said)
