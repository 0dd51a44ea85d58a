"""A tuned ranking as slides meet it that it was not fitted on: what probabilities of a tuned archive rest on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.tuning_file import Tuning
from histoseek.evaluation.cohort import load_cohort
from histoseek.evaluation.tuning.fitted import fit_ranking, measure_distances
from histoseek.evaluation.tuning.folds import deal_folds, join_owners
from histoseek.evaluation.tuning.slides import MOST_SLIDES, read_slides


def rank_refitted(
    archive: ArchiveFolder, tuning: Tuning, seed: int = 0
) -> Callable[[str], Sequence[tuple[str, float]]] | None:
    """What gives a labelled slide's nearest of other patients with their distances, nearest first, by the tuning's
    settings fitted anew without the slide's fold of patients, which is not among what is found either.

    Slides that a metric was fitted on lie nearer to others of their label than any query will. None in an archive
    of more labelled slides than MOST_SLIDES, where a single fit hardly knows each of them. Raises InputError for a
    column that is gone.
    """
    cohort = load_cohort(archive.snapshot(), tuning.column)
    if len(cohort) > MOST_SLIDES:
        return None
    settings = tuning.settings
    columns = dict.fromkeys(column for column in (settings.erased, settings.centred) if column is not None)
    slides = read_slides(cohort, np.arange(len(cohort), dtype=np.int64), tuple(columns))
    folds = deal_folds(join_owners(slides.owners, slides.copies), seed)
    ids = np.array([record.slide_id for record in cohort.records])
    found: dict[str, tuple[list[str], list[float]]] = {}
    for fold in np.unique(folds):
        held, rest = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        distances = measure_distances(fit_ranking(settings, slides, rest, seed), slides, held, rest)
        for query, row in zip(ids[held].tolist(), distances, strict=True):
            order = np.argsort(row, kind="stable")
            found[query] = ids[rest[order]].tolist(), row[order].tolist()
    return lambda slide_id: list(zip(*found[slide_id], strict=True))
