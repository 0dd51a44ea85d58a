"""An evaluation from beginning to end: rank by every system, score, compare, and check what could mislead."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from histoseek._version import __version__
from histoseek.archive.bags import StoredBag
from histoseek.archive.folder import ArchiveFolder
from histoseek.errors import ArchiveError, InputError
from histoseek.evaluation.cohort import Cohort, load_cohort
from histoseek.evaluation.confounders import (
    SiteCheck,
    check_site,
    measure_label_predictability,
    measure_predictability,
    measure_preference,
    shuffle_values,
)
from histoseek.evaluation.held_out import SeenSlides, describe_seen, find_own_card, find_seen_slides, leave_out_seen
from histoseek.evaluation.leaks import find_leaks, find_twins
from histoseek.evaluation.neighbours import NOBODY, Fold, Neighbours, join_neighbours, rank
from histoseek.evaluation.outcome import ArchiveMap, Evaluation, Subject, SystemResult, VoteCalibration, WorstQuery
from histoseek.evaluation.protocols import PATIENT_EXCLUSIONS, hash_design, make_folds, make_site_codes
from histoseek.evaluation.scores import Scores, score
from histoseek.evaluation.settings import DEFAULT_SYSTEMS, EvaluationSpec
from histoseek.evaluation.significance import SystemComparison, compare, holm
from histoseek.evaluation.systems.base import System
from histoseek.evaluation.systems.registry import BOTH, list_encoders, make_systems
from histoseek.evaluation.systems.tuned import Tuned
from histoseek.progress import Reporter, SilentReporter
from histoseek.statistics.intervals import FEW_PATIENTS
from histoseek.training.alignment.closed_form import measure_held_out_recalls
from histoseek.training.pairs import TrainingPair
from histoseek.training.recall_at_k import RecallAtK, recalls

DEPTH = 10
"""Deepest neighbour that a metric looks at."""

CURVE = 50
"""Points of a risk-coverage curve that are kept."""

Ints = NDArray[np.int64]

Floats = NDArray[np.float64]

Booleans = NDArray[np.bool_]

Vectors = NDArray[np.float32]

BINS = 10


def evaluate(archive: ArchiveFolder, spec: EvaluationSpec, reporter: Reporter | None = None) -> Evaluation:
    """Evaluate the retrieval of an archive; a query never meets its own patient.

    Raises InputError for labels, patients, sites or sets that are missing, ConfigurationError for unknown systems,
    BadFeatureFile for a baseline that needs features which are damaged, MissingExtra for the map.
    """
    reporter = reporter or SilentReporter()
    cohort = load_cohort(archive.snapshot(), spec.label, spec.where, patient_is_slide=spec.patient_is_slide)
    folds, seen = make_folds(cohort, spec.protocol), find_seen_slides(cohort, spec)
    if seen is not None and not spec.all_patients and spec.protocol.name != "fixed":
        folds = leave_out_seen(folds, seen)
    systems = make_systems(_list_wanted(cohort, spec), cohort, spec.seed)
    reporter.expect(len(systems) * sum(len(fold.queries) for fold in folds))
    rankings = [_rank_folds(system, folds, cohort, reporter) for system in systems]
    results = tuple(
        _score_system(system, cohort, ranking, spec.seed) for system, ranking in zip(systems, rankings, strict=True)
    )
    first, neighbours = results[0], rankings[0][0]
    directions, notes = measure_cross_modal(cohort, spec.seed, None if spec.all_patients else seen)
    checks, skip_notes = _check_sites(cohort, systems[0], folds, (neighbours, first.scores), spec)
    return Evaluation(
        subject=_describe_subject(cohort, folds, spec),
        query_ids=tuple(cohort.slide_ids[place] for place in first.scores.queries),
        patients=cohort.patients[first.scores.queries],
        results=results,
        comparisons=_compare_systems(results, cohort, spec.seed),
        site_checks=checks,
        cross_modal=directions.get(BOTH, ()),
        cross_modal_encoders={name: recalls for name, recalls in directions.items() if name != BOTH},
        leaks=(*find_leaks(cohort.records), *find_twins(cohort.records, cohort.global_vectors)),
        worst=_find_worst(cohort, neighbours, spec.worst),
        map=_make_map(cohort, spec),
        warnings=(
            *describe_seen(cohort, folds, seen),
            *_collect_warnings(cohort, first.scores),
            *_name_equals(results),
            *notes,
            *skip_notes,
        ),
    )


def _list_wanted(cohort: Cohort, spec: EvaluationSpec) -> tuple[str, ...]:
    """The systems that are asked for; where none were, that by which a tuned archive ranks comes first, and both
    encoders of an archive that has two come behind the usual way."""
    if spec.systems != DEFAULT_SYSTEMS:
        return spec.systems
    tuning, (usual, *others) = cohort.archive.tuning, DEFAULT_SYSTEMS
    is_tuned = tuning is not None and tuning.column == spec.label
    return (*((Tuned.name,) if is_tuned else ()), usual, *(list_encoders(cohort) or ()), *others)


def _rank_folds(system: System, folds: Sequence[Fold], cohort: Cohort, reporter: Reporter) -> tuple[Neighbours, float]:
    started = time.perf_counter()
    neighbours = join_neighbours([rank(system, fold, cohort.labels, DEPTH, reporter) for fold in folds])
    return neighbours, round(time.perf_counter() - started, 3)


def _score_system(system: System, cohort: Cohort, ranking: tuple[Neighbours, float], seed: int) -> SystemResult:
    neighbours, seconds = ranking
    scores = score(neighbours, cohort.labels, cohort.classes, cohort.patients, seed)
    answerable = scores.answerable
    is_correct = (scores.votes == cohort.labels[scores.queries])[answerable]
    confidence = scores.confidence[answerable]
    coverage, risk, area = risk_coverage(confidence, is_correct)
    points = (
        np.unique(np.linspace(0, len(coverage) - 1, CURVE).astype(np.int64)) if len(coverage) else np.array([], int)
    )
    calibration = VoteCalibration(
        calibration_error(confidence, is_correct), area, tuple(coverage[points].tolist()), tuple(risk[points].tolist())
    )
    return SystemResult(system.name, scores, _compute_cmc(neighbours, cohort.labels), calibration, seconds)


def _compute_cmc(neighbours: Neighbours, labels: Ints) -> tuple[float, ...]:
    """The share of queries, of those with a right answer at all, that have one among the first 1, 2, ... DEPTH."""
    is_answerable = neighbours.relevant > 0
    if not is_answerable.any():
        return ()
    is_correct = (neighbours.slides != NOBODY) & (labels[neighbours.slides] == labels[neighbours.queries][:, None])
    return tuple(np.maximum.accumulate(is_correct[is_answerable], axis=1).mean(0).tolist())


def _check_sites(
    cohort: Cohort, system: System, folds: Sequence[Fold], first: tuple[Neighbours, Scores], spec: EvaluationSpec
) -> tuple[tuple[SiteCheck, ...], tuple[str, ...]]:
    """How far each site column can be predicted, and what is left of the first system without same-site answers.

    A protocol that keeps a query from its own site anyway is opened for the check: patients are left out alone.
    """
    checks, notes = [], []
    patient_folds = [replace(fold, exclusions=fold.exclusions[:PATIENT_EXCLUSIONS]) for fold in folds]
    is_open = all(len(fold.exclusions) == PATIENT_EXCLUSIONS for fold in folds)
    whole: tuple[Neighbours, Scores] | None = None
    for column in spec.site_columns:
        try:
            sites = make_site_codes(cohort, column)
        except InputError as error:
            notes.append(f"no site check for {column!r}: {error.what}")
            continue
        whole = whole or (first if is_open else _score_folds(cohort, system, patient_folds, spec.seed))
        checks.append(_check_column(cohort, system, patient_folds, column, sites, whole, spec.seed))
        if not is_open:
            notes.append(f"the check of {column!r} compares rankings in which patients are left out, with and without")
    return tuple(checks), tuple(notes)


def _check_column(
    cohort: Cohort,
    system: System,
    folds: Sequence[Fold],
    column: str,
    sites: Ints,
    whole: tuple[Neighbours, Scores],
    seed: int,
) -> SiteCheck:
    """One site check; whole: the system's ranking of the folds with all sites."""
    shuffled_sites = shuffle_values(sites, cohort.labels, cohort.patients, seed)
    neighbours, without_same = _score_folds(cohort, system, _bar_values(folds, sites), seed)
    control = None
    if not np.array_equal(sites, shuffled_sites):
        _, control = _score_folds(cohort, system, _bar_values(folds, shuffled_sites), seed)
    names, is_affected = cohort.read_column(column), whole[0].eligible > neighbours.eligible
    preference = (
        measure_preference(whole[0], sites, cohort.labels, cohort.patients, seed) if is_affected.any() else None
    )
    return check_site(
        column,
        measure_predictability(cohort.global_vectors, names, cohort.patients, seed),
        measure_label_predictability(cohort.labels, names, cohort.patients, seed),
        whole[1],
        without_same,
        cohort.patients,
        seed,
        control_scores=control,
        is_affected=is_affected,
        preference=preference,
    )


def _bar_values(folds: Sequence[Fold], values: Ints) -> list[Fold]:
    """The folds with no query meeting a slide of its own value."""
    return [replace(fold, exclusions=(*fold.exclusions, values)) for fold in folds]


def _score_folds(cohort: Cohort, system: System, folds: Sequence[Fold], seed: int) -> tuple[Neighbours, Scores]:
    """The system's ranking of some folds, and its scores."""
    neighbours = join_neighbours([rank(system, fold, cohort.labels, DEPTH) for fold in folds])
    return neighbours, score(neighbours, cohort.labels, cohort.classes, cohort.patients, seed)


def _compare_systems(
    results: Sequence[SystemResult], cohort: Cohort, seed: int
) -> tuple[tuple[str, tuple[SystemComparison, ...]], ...]:
    """Each system against the first, corrected for all metrics of all systems together."""
    first = results[0].scores
    comparisons = [(other.name, compare(first, other.scores, cohort.patients, seed)) for other in results[1:]]
    p_values = iter(
        holm(np.array([comparison.p for _, group in comparisons for comparison in group], np.float64)).tolist()
    )
    return tuple(
        (name, tuple(replace(comparison, p_holm=next(p_values)) for comparison in group)) for name, group in comparisons
    )


def _find_worst(cohort: Cohort, neighbours: Neighbours, count: int) -> tuple[WorstQuery, ...]:
    """Queries with a right answer somewhere and none among the nearest, those that looked surest first."""
    labels = cohort.labels
    is_correct = (neighbours.slides != NOBODY) & (labels[neighbours.slides] == labels[neighbours.queries][:, None])
    misses = np.flatnonzero((neighbours.relevant > 0) & ~is_correct[:, :3].any(1))
    order = misses[np.argsort(neighbours.distances[misses, 0], kind="stable")][:count]
    return tuple(_make_worst_query(cohort, neighbours, int(row)) for row in order)


def _make_worst_query(cohort: Cohort, neighbours: Neighbours, row: int, depth: int = 4) -> WorstQuery:
    places = [int(place) for place in neighbours.slides[row, :depth] if place != NOBODY]
    query = int(neighbours.queries[row])
    return WorstQuery(
        slide_id=cohort.slide_ids[query],
        label=cohort.classes[cohort.labels[query]],
        nearest=tuple(cohort.slide_ids[place] for place in places),
        nearest_labels=tuple(cohort.classes[cohort.labels[place]] for place in places),
        distances=tuple(float(distance) for distance in neighbours.distances[row, : len(places)]),
    )


def _make_map(cohort: Cohort, spec: EvaluationSpec) -> ArchiveMap | None:
    if not spec.map_columns:
        return None
    from histoseek.evaluation.report.embedding_map import make_archive_map

    columns = {name: cohort.read_column(name) for name in spec.map_columns}
    return make_archive_map(cohort.global_vectors, cohort.slide_ids, columns, spec.seed)


def _describe_subject(cohort: Cohort, folds: Sequence[Fold], spec: EvaluationSpec) -> Subject:
    return Subject(
        archive=cohort.archive.short_name,
        space=cohort.archive.require_space().fingerprint,
        label=spec.label,
        classes=cohort.classes,
        slides=len(cohort),
        patients=int(cohort.patients.max()) + 1,
        without_label=cohort.without_label,
        where=spec.where,
        protocol=spec.protocol.name,
        design=hash_design(cohort, folds, cohort.classes),
        seed=spec.seed,
        version=__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        encoder=_name_encoder(cohort),
    )


def _name_encoder(cohort: Cohort) -> str:
    """The slide encoder, with the name of its weights."""
    card = find_own_card(cohort)
    encoder = cohort.archive.manifest.slide_encoder
    return encoder if card is None else f"{encoder}, weights {card.name}"


def _collect_warnings(cohort: Cohort, scores: Scores) -> tuple[str, ...]:
    warnings = []
    if scores.without_answer:
        what = "queries have no other slide of their label to find and are left out of the figures"
        warnings.append(f"{scores.without_answer} of {len(scores.queries)} {what}")
    if len(cohort.classes) == 1:
        warnings.append("there is only one label, so any system is right")
    if cohort.without_label:
        warnings.append(f"{cohort.without_label} slides have no label and are left out")
    if cohort.patient_is_slide:
        warnings.append("every slide counts as its own patient: other slides of a patient may be among the answers")
        if shared := cohort.count_shared_patients():
            what = "slides share a patient id with another one, and meet it as a stranger: leave out --patient-is-slide"
            warnings.append(f"{shared} {what}")
    if (patients := len(np.unique(cohort.patients[scores.queries[scores.answerable]]))) < FEW_PATIENTS:
        what = f"patients have queries with an answer, and {FEW_PATIENTS} are needed: figures have no intervals"
        warnings.append(f"{patients} {what}")
    return tuple(warnings)


def _name_equals(results: Sequence[SystemResult]) -> tuple[str, ...]:
    """Systems that no test could tell from the first, since they give every query the same neighbours' labels."""
    first = results[0]
    return tuple(
        f"{other.name} has the figures of {first.name} for every query: the two are one system here"
        for other in results[1:]
        if np.array_equal(first.scores.per_query, other.scores.per_query, equal_nan=True)
    )


def measure_cross_modal(
    cohort: Cohort, seed: int, seen: SeenSlides | None = None
) -> tuple[Mapping[str, tuple[RecallAtK, ...]], tuple[str, ...]]:
    """Recalls in four directions over the cohort's slides that have a report, and what is to be said of them.

    Under BOTH those of the archive, and in an archive of two encoders those of each under its name. An alignment in
    closed form was fitted on these very pairs, so it is fitted anew in patient-wise folds. Of trained weights only the
    pairs count that their training has not seen; where it is not known who that is, it is said.
    """
    archive, space = cohort.archive, cohort.archive.require_space()
    pairs = _make_pairs(cohort)
    if not (space.has_alignment and len(pairs) > 1):
        return {}, ()
    left_out = set() if seen is None else {cohort.slide_ids[place] for place in np.flatnonzero(seen.is_seen)}
    judged = [pair for pair in pairs if pair.slide_id not in left_out]
    note = f"the figures between slides and reports are of the {len(judged)} held-out slides alone"
    if space.alignment == "ridge":
        try:
            held_out = measure_held_out_recalls(archive, pairs, seed, left_out)
        except ArchiveError as error:
            return {}, (f"no figures between slides and reports: {error.what}",)
        return {BOTH: held_out}, ((note,) if left_out else ())
    if not left_out:
        note = "the figures between slides and reports mean little if the weights were trained on these patients"
    if len(judged) < 2:
        return {}, (f"no figures between slides and reports: {len(judged)} slides with a report were held out",)
    vectors = _read_shared_vectors(cohort, [pair.slide_id for pair in judged])
    measured = {name: recalls(*own, judged, seed) for name, own in vectors.items()}
    return {name: tuple(each for each in own if each.queries) for name, own in measured.items()}, (note,)


def _read_shared_vectors(cohort: Cohort, slide_ids: Sequence[str]) -> Mapping[str, tuple[Vectors, Vectors]]:
    """Vectors of slides and of their reports in the shared space, under BOTH, and in that of either of two encoders."""
    archive, encoders = cohort.archive, list_encoders(cohort)
    slides, texts = (archive.store.vectors(slide_ids, name) for name in ("shared_vector", "shared_report_vector"))
    pair = archive.language.alignment.pair if archive.language.alignment else None
    if pair is None or encoders is None:
        return {BOTH: (slides, texts)}
    own = zip(pair.split(slides), pair.split(texts), strict=True)
    return {BOTH: (slides, texts), **dict(zip(encoders, own, strict=True))}


def _make_pairs(cohort: Cohort) -> list[TrainingPair]:
    return [
        TrainingPair(
            slide_id=record.slide_id,
            case_id=record.case_id or record.slide_id,
            patient_id=str(cohort.patients[place]),
            report=record.report,
            bag=StoredBag(cohort.archive.layout, record.slide_id),
            diagnosis=cohort.classes[cohort.labels[place]],
        )
        for place, record in enumerate(cohort.records)
        if record.report
    ]


def calibration_error(confidence: Floats, correct: Booleans) -> float:
    """The expected calibration error: the mean gap between confidence and accuracy in ten bins of equal width.

    confidence [Q] in 0 to 1, correct [Q]; bins count by their queries; nan without queries. Bins are open below, the
    first is closed (Guo et al. 2017, "On calibration of modern neural networks"). Of equal width, because shares of a
    vote take few values, and bins of equal mass would cut through them.
    """
    if not len(confidence):
        return math.nan
    rows = np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], confidence)
    gaps = np.bincount(rows, confidence - correct, BINS)
    return float(np.abs(gaps).sum() / len(confidence))


def risk_coverage(confidence: Floats, correct: Booleans) -> tuple[Floats, Floats, float]:
    """The error rate among the surest queries as more are kept (Geifman and El-Yaniv 2017, "Selective classification").

    confidence [Q], correct [Q]. Returns coverage [Q], the share of queries kept; risk [Q], the share of errors among
    these; and the area under the curve, the mean risk over all coverages (smaller is better), nan without queries.
    Equally sure queries count as in the mean over their orders, so that their places don't matter.
    """
    count = len(confidence)
    _, group, sizes = np.unique(-confidence, return_inverse=True, return_counts=True)
    rate = np.bincount(group, ~correct, len(sizes)) / sizes
    counts = np.arange(1, count + 1)
    risk = np.repeat(rate, sizes).cumsum() / counts
    return counts / max(1, count), risk, float(risk.mean()) if count else math.nan
