"""Tuning an archive: the best ranking that its own labels can tell, adopted where it beats the plain one."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.tuning_file import Tuning, TuningCard, remove_tuning, write_tuning
from histoseek.arguments import settle, settle_count
from histoseek.errors import ConfigurationError, InputError
from histoseek.evaluation.cohort import Cohort, load_cohort, make_codes
from histoseek.evaluation.protocols import make_site_codes
from histoseek.evaluation.tuning.candidates import list_stages
from histoseek.evaluation.tuning.fitted import fit_ranking
from histoseek.evaluation.tuning.folds import deal_folds, deal_sites, join_owners
from histoseek.evaluation.tuning.nested import NestedChoice, choose_nested
from histoseek.evaluation.tuning.slides import MOST_SLIDES, TuningSlides, draw_slides, read_slides
from histoseek.progress import Reporter
from histoseek.ranking.settings import PLAIN, RankingSettings
from histoseek.search.options import DEFAULT_LABEL

Ints = NDArray[np.int64]

MIN_SLIDES, MIN_PATIENTS = 20, 10
"""Slides whose label another patient has as well, and their patients; with fewer nothing can be held out."""

MOST_FITTED = 10_000
"""Slides that the chosen ranking is fitted on; of a larger archive whole patients are drawn."""

SIGNIFICANT = 0.05

_ROWS_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class TuningSpec:
    """What to tune by.

    label: the column of what should be found; sites: columns of sites, scanners or preparations, of which ranking may
    be freed: queries then look for slides of other sites alone; patient_is_slide: every slide counts as its own
    patient. Raises ConfigurationError for values of another type.
    """

    label: str = DEFAULT_LABEL
    sites: tuple[str, ...] = ()
    patient_is_slide: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        settle(self.label, str, "--label", kind=ConfigurationError)
        sites = settle(self.sites, tuple[str, ...], "--site", kind=ConfigurationError)
        object.__setattr__(self, "sites", tuple(dict.fromkeys(sites)))
        settle_count(self.seed, "--seed", 0)
        if self.label in self.sites:
            raise ConfigurationError("--site", f"{self.label!r} is the label", "Name another column, or leave it out")


@dataclass(frozen=True, slots=True)
class TuningOutcome:
    """What tuning found.

    tuning: the ranking that was chosen; card: what was tried, and what it is worth; is_adopted: whether it beats plain
    ranking on patients whom neither choice nor fit has seen; is_stored: whether the archive ranks by it from now on;
    has_replaced: whether it was tuned before.
    """

    tuning: Tuning
    card: TuningCard
    is_adopted: bool
    is_stored: bool
    has_replaced: bool

    @property
    def verdict(self) -> str:
        """What is done, and why."""
        if self.is_stored:
            again = "; probabilities need `histoseek calibrate` again"
            return f"adopted: slides are ranked by it from now on (`--distance tuned`){again}"
        if self.is_adopted:
            return "it would be adopted: run without --dry-run"
        chosen_plain = self.tuning.settings == PLAIN
        why = "nothing is better than plain ranking" if chosen_plain else "it does not beat plain ranking (p < .05)"
        before = "; the tuning that was there is removed" if self.has_replaced else ""
        return f"not adopted: {why} on patients held out{before}"

    @property
    def facts(self) -> dict[str, object]:
        """All but the arrays, for JSON."""
        tuning = self.tuning
        return {
            "adopted": self.is_adopted,
            "stored": self.is_stored,
            "verdict": self.verdict,
            "column": tuning.column,
            "slides": tuning.slides,
            "created": tuning.created,
            "settings": tuning.settings,
            "card": self.card,
        }


def tune(
    archive: ArchiveFolder, spec: TuningSpec, *, dry_run: bool = False, reporter: Reporter | None = None
) -> TuningOutcome:
    """Choose the ranking of an archive by its labels, and keep it there if it beats the plain one on patients held out.

    Else the archive ranks plainly, also where it was tuned before. dry_run: nothing is changed. Raises InputError for
    columns that can't be tuned by, or too few patients; ArchiveBusy, ArchiveReadOnly.
    """
    with nullcontext() if dry_run else archive.writing():
        cohort = load_cohort(archive.snapshot(), spec.label, patient_is_slide=spec.patient_is_slide)
        sites = [make_site_codes(cohort, column) for column in spec.sites]
        require_answers(cohort, sites)
        judged = draw_slides(join_owners(*_list_identities(cohort)), MOST_SLIDES, spec.seed)
        nested, folds = choose_for(read_slides(cohort, judged, spec.sites), spec.seed, reporter)
        card = _write_card(cohort, spec, nested, len(judged), folds)
        tuning = _fit(cohort, spec, nested.choice.chosen, card)
        gain = nested.gains[0]
        is_adopted = tuning.settings != PLAIN and gain.tuned > gain.plain and gain.p < SIGNIFICANT
        had_one = archive.layout.tuning.is_file()
        if is_adopted and not dry_run:
            write_tuning(archive.layout, tuning)
        elif not dry_run:
            remove_tuning(archive.layout)
    return TuningOutcome(tuning, card, is_adopted, is_adopted and not dry_run, had_one)


def choose_for(slides: TuningSlides, seed: int, reporter: Reporter | None = None) -> tuple[NestedChoice, Ints]:
    """Choose settings on slides, with the fold of each, int64 [n]: whole sites are held out where there are enough of
    them, and queries look for slides of other sites alone."""
    owners = join_owners(*slides.exclusions)
    sites = [make_codes([str(value) for value in values]) for values in slides.columns.values()]
    folds = deal_sites(join_owners(*sites), owners, seed) if sites else None
    if folds is None:
        folds = deal_folds(owners, seed)
    nested = choose_nested(
        slides, folds, (*slides.exclusions, *sites), list_stages(tuple(slides.columns)), seed, reporter
    )
    return nested, folds


def require_answers(cohort: Cohort, sites: Sequence[Ints]) -> None:
    """Raise InputError where too few slides have one of their label at another patient, and at another site."""
    where = str(cohort.archive.path)
    if len(cohort.classes) < 2:
        what = f"all slides with a value in the column {cohort.label_column!r} have the same one"
        raise InputError(where, what, "Name a column of several labels with --label")
    exclusions = _list_identities(cohort)
    is_answerable = _find_answerable(cohort.labels, exclusions)
    slides, patients = int(is_answerable.sum()), len(np.unique(cohort.patients[is_answerable]))
    if slides < MIN_SLIDES or patients < MIN_PATIENTS:
        what = (
            f"too few to tune by: {slides} slides of {patients} patients share their {cohort.label_column} with "
            f"another patient, and {MIN_SLIDES} of {MIN_PATIENTS} are needed"
        )
        raise InputError(where, what, "Label more slides, or name another column with --label")
    if sites and _find_answerable(cohort.labels, (*exclusions, *sites)).sum() < MIN_SLIDES:
        what = f"no site shares its values of {cohort.label_column!r} with enough slides of other sites"
        advice = "What is of the site can't be told from what is of the label: leave --site out"
        raise InputError(where, what, advice)


def _list_identities(cohort: Cohort) -> tuple[Ints, Ints]:
    """Codes of patients and of files, int64 [n] each."""
    return cohort.patients, make_codes([record.file_fingerprint for record in cohort.records])


def _find_answerable(labels: Ints, exclusions: Sequence[Ints]) -> NDArray[np.bool_]:
    """Which slides have another one of their label with which they share none of some codes, bool [n]."""
    answerable = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        places = np.flatnonzero(labels == label)
        for start in range(0, len(places), _ROWS_AT_ONCE):
            rows = places[start : start + _ROWS_AT_ONCE]
            others = np.ones((len(rows), len(places)), bool)
            for codes in exclusions:
                others &= codes[rows][:, None] != codes[places]
            answerable[rows] = others.any(axis=1)
    return answerable


def _write_card(cohort: Cohort, spec: TuningSpec, nested: NestedChoice, judged: int, folds: Ints) -> TuningCard:
    return TuningCard(
        slides=judged,
        patients=len(np.unique(cohort.patients)),
        classes=len(cohort.classes),
        sites=spec.sites,
        folds=int(folds.max()) + 1,
        seed=spec.seed,
        tried=nested.choice.tried,
        gains=nested.gains,
    )


def _fit(cohort: Cohort, spec: TuningSpec, chosen: RankingSettings, card: TuningCard) -> Tuning:
    """The chosen settings fitted on all slides, or on as many as there is room for."""
    places = draw_slides(join_owners(*_list_identities(cohort)), MOST_FITTED, spec.seed)
    slides = read_slides(cohort, places, spec.sites)
    fitted = fit_ranking(chosen, slides, np.arange(len(slides), dtype=np.int64), spec.seed)
    return Tuning(
        space=cohort.archive.require_space().slides_fingerprint,
        slides=cohort.archive.store.count(None),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        column=spec.label,
        settings=chosen,
        metric=fitted.metric,
        fusion=fitted.fusion,
        card=card,
    )
