"""What `histoseek tune` would find: settings chosen and fitted anew without each fold of patients."""

from __future__ import annotations

import numpy as np

from histoseek.evaluation.cohort import Cohort
from histoseek.evaluation.systems.base import Floats, Ints
from histoseek.evaluation.tuning.candidates import list_stages
from histoseek.evaluation.tuning.fitted import fit_ranking, measure_distances
from histoseek.evaluation.tuning.folds import deal, join_owners
from histoseek.evaluation.tuning.nested import choose_nested
from histoseek.evaluation.tuning.shortage import find_shortage, has_answers_elsewhere, list_erasable
from histoseek.evaluation.tuning.slides import MOST_FITTED, MOST_SLIDES, TuningSlides, draw_slides, read_slides
from histoseek.ranking.settings import PLAIN

_NO_FOLD = -1


class Tuned:
    """The distance of a ranking that neither the query's patient nor any of its fold was chosen or fitted by.

    A query of a patient who is not in the database is ranked by what is chosen and fitted on all of it. Databases that
    are too small to be tuned are ranked plainly.
    """

    name = "tuned"

    def __init__(self, cohort: Cohort, seed: int) -> None:
        """Columns of sites are looked at where the archive's own tuning did so for these labels."""
        self._cohort, self._seed = cohort, seed
        tuning = cohort.archive.tuning
        card = tuning.card if tuning and tuning.column == cohort.label_column else None
        self._sites = card.sites if card else ()
        self._all_slides: TuningSlides | None = None
        self._database: Ints | None = None

    def fit(self, database: Ints) -> None:
        """Choose and fit without each fold of the database's patients, and on all of them."""
        if self._database is not None and np.array_equal(database, self._database):
            return
        slides = self._get_slides()
        own = slides.take(database)
        self._folds = np.full(len(slides), _NO_FOLD, np.int64)
        self._settings = {_NO_FOLD: PLAIN}
        if find_shortage(own, self._cohort.label_column) is None and (not own.columns or has_answers_elsewhere(own)):
            folds = deal(own, self._seed)
            judged = draw_slides(join_owners(own.owners, own.copies), MOST_SLIDES, self._seed)
            drawn = own.take(judged)
            stages = list_stages(self._sites, list_erasable(drawn))
            nested = choose_nested(drawn, folds[judged], stages, self._seed)
            self._settings = {_NO_FOLD: nested.choice.chosen, **dict(enumerate(nested.without_fold))}
            self._folds[database] = folds
        training = {fold: database[self._folds[database] != fold] for fold in self._settings}
        training[_NO_FOLD] = database
        self._fitted = {
            fold: fit_ranking(settings, slides, self._draw(training[fold]), self._seed)
            for fold, settings in self._settings.items()
        }
        self._database = database

    def distances(self, queries: Ints, database: Ints) -> Floats:
        """Fold by fold, as a search of an archive of these slides would have them."""
        slides = self._get_slides()
        folds = self._find_folds(queries)
        rows = np.empty((len(queries), len(database)), np.float32)
        for fold, fitted in self._fitted.items():
            own = np.flatnonzero(folds == fold)
            if len(own):
                rows[own] = measure_distances(fitted, slides, queries[own], database)
        return rows

    def _get_slides(self) -> TuningSlides:
        if self._all_slides is None:
            everyone = np.arange(len(self._cohort), dtype=np.int64)
            self._all_slides = read_slides(self._cohort, everyone, self._sites)
        return self._all_slides

    def _find_folds(self, queries: Ints) -> Ints:
        """The fold that each query's patient, or a copy of its file, is in; none for those who are not in the
        database."""
        slides = self._get_slides()
        owners = join_owners(slides.owners, slides.copies)
        known = np.flatnonzero(self._folds != _NO_FOLD)
        fold_of = dict(zip(owners[known].tolist(), self._folds[known].tolist(), strict=True))
        return np.array([fold_of.get(owner, _NO_FOLD) for owner in owners[queries].tolist()], np.int64)

    def _draw(self, places: Ints) -> Ints:
        slides = self._get_slides()
        owners = join_owners(slides.owners, slides.copies)[places]
        return places[draw_slides(owners, MOST_FITTED, self._seed)]
