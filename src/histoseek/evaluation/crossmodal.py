"""Recall between slides and reports, on pairs that the shared space was not fitted on."""

from __future__ import annotations

from histoseek.errors import ArchiveError
from histoseek.evaluation.cohort import Cohort
from histoseek.training.alignment.closed_form import measure_held_out_recalls
from histoseek.training.pairs import TrainingPair
from histoseek.training.recall import RecallAtK, recalls


def measure_cross_modal(cohort: Cohort, seed: int) -> tuple[tuple[RecallAtK, ...], tuple[str, ...]]:
    """Recalls in four directions over the cohort's slides that have a report, and what is to be said of them.

    An alignment in closed form was fitted on these very pairs, so it is fitted anew in patient-wise folds. Whether
    trained weights have seen them can't be known here, which is said.
    """
    archive, space = cohort.archive, cohort.archive.require_space()
    pairs = _make_pairs(cohort)
    if not (space.has_alignment and len(pairs) > 1):
        return (), ()
    if space.alignment == "ridge":
        try:
            return measure_held_out_recalls(archive, pairs, seed), ()
        except ArchiveError as error:
            return (), (f"no figures between slides and reports: {error.what}",)
    ids = [pair.slide_id for pair in pairs]
    slides, texts = (archive.store.vectors(ids, name) for name in ("shared_vector", "shared_report_vector"))
    recall_figures = tuple(recall for recall in recalls(slides, texts, pairs, seed) if recall.queries)
    note = "the figures between slides and reports mean little if the weights were trained on these patients"
    return recall_figures, (note,)


def _make_pairs(cohort: Cohort) -> list[TrainingPair]:
    return [
        TrainingPair(
            slide_id=record.slide_id,
            case_id=record.case_id or record.slide_id,
            patient_id=str(cohort.patients[place]),
            report=record.report,
            bag=cohort.archive.layout.bag(record.slide_id),
            diagnosis=cohort.classes[cohort.labels[place]],
        )
        for place, record in enumerate(cohort.records)
        if record.report
    ]
