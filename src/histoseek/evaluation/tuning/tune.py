"""Tuning an archive: the best ranking that its own labels can tell, adopted where it beats the plain one."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.tuning_file import Tuning, TuningCard, remove_tuning, write_tuning
from histoseek.arguments import settle, settle_count
from histoseek.errors import ArchiveError, ConfigurationError, InputError
from histoseek.evaluation.cohort import Cohort, load_cohort
from histoseek.evaluation.held_out import find_seen_slides
from histoseek.evaluation.protocols import make_site_codes
from histoseek.evaluation.settings import EvaluationSpec
from histoseek.evaluation.tuning.candidates import list_stages
from histoseek.evaluation.tuning.fitted import fit_ranking
from histoseek.evaluation.tuning.folds import deal, join_owners
from histoseek.evaluation.tuning.nested import NestedChoice, choose_nested
from histoseek.evaluation.tuning.shortage import find_shortage, has_answers_elsewhere, list_erasable
from histoseek.evaluation.tuning.slides import MOST_FITTED, MOST_SLIDES, TuningSlides, draw_slides, read_slides
from histoseek.progress import Reporter
from histoseek.ranking.settings import PLAIN, RankingSettings
from histoseek.search.calibration.novelty import learn_novelty
from histoseek.search.options import DEFAULT_LABEL

Ints = NDArray[np.int64]

SIGNIFICANT = 0.05


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
        cohort, left_out = _load_unseen(archive, spec)
        for column in spec.sites:
            make_site_codes(cohort, column)
        owners = join_owners(*cohort.list_identities())
        judged = read_slides(cohort, draw_slides(owners, MOST_SLIDES, spec.seed), spec.sites)
        _require_answers(judged, cohort)
        folds = deal(judged, spec.seed)
        nested = choose_nested(judged, folds, list_stages(spec.sites, list_erasable(judged)), spec.seed, reporter)
        card = replace(_write_card(judged, folds, spec, nested), left_out=left_out)
        fitted_on = read_slides(cohort, draw_slides(owners, MOST_FITTED, spec.seed), spec.sites)
        tuning = _fit(fitted_on, cohort, nested.choice.chosen, card)
        gain = nested.gains[0]
        is_adopted = tuning.settings != PLAIN and gain.tuned > gain.plain and gain.p < SIGNIFICANT
        had_one = archive.layout.tuning.is_file()
        if is_adopted and not dry_run:
            _learn_own_kind(archive, spec.seed, reporter)
            write_tuning(archive.layout, tuning)
        elif not dry_run:
            remove_tuning(archive.layout)
    return TuningOutcome(tuning, card, is_adopted, is_adopted and not dry_run, had_one)


def _load_unseen(archive: ArchiveFolder, spec: TuningSpec) -> tuple[Cohort, int]:
    """The labelled slides of patients whom the archive's encoders were not trained on, and how many others there are:
    an encoder that knows a patient's labels would make any ranking of its slides look good."""
    cohort = load_cohort(archive.snapshot(), spec.label, patient_is_slide=spec.patient_is_slide)
    seen = find_seen_slides(cohort, EvaluationSpec(label=spec.label))
    if seen is None or not seen.is_seen.any():
        return cohort, 0
    unseen = tuple(cohort.records[place] for place in np.flatnonzero(~seen.is_seen))
    if not unseen:
        what = f"all labelled slides are of patients that {seen.name} was trained on"
        raise InputError(archive.address, what, "Index slides of other patients")
    return replace(cohort, records=unseen), int(seen.is_seen.sum())


def _learn_own_kind(archive: ArchiveFolder, seed: int, reporter: Reporter | None) -> None:
    """Let searches tell slides unlike the archive's, for which a tuning promises nothing, if they can't yet.

    Without features of its tiles, or of too few slides, an archive is tuned all the same.
    """
    if archive.novelty is None:
        with suppress(ArchiveError):
            learn_novelty(archive, archive.records(), seed=seed, reporter=reporter)


def _require_answers(slides: TuningSlides, cohort: Cohort) -> None:
    shortage = find_shortage(slides, cohort.label_column)
    if shortage is not None:
        raise InputError(cohort.archive.address, shortage, "Name another column with --label, or label more slides")
    if slides.columns and not has_answers_elsewhere(slides):
        what = f"slides that share their {cohort.label_column} are of one {' or '.join(slides.columns)}"
        raise InputError(cohort.archive.address, what, "What is of the site can't be told apart: leave --site out")


def _write_card(judged: TuningSlides, folds: Ints, spec: TuningSpec, nested: NestedChoice) -> TuningCard:
    return TuningCard(
        slides=len(judged),
        patients=len(np.unique(judged.owners)),
        classes=len(np.unique(judged.labels)),
        sites=spec.sites,
        folds=int(folds.max()) + 1,
        seed=spec.seed,
        tried=nested.choice.tried,
        gains=nested.gains,
    )


def _fit(slides: TuningSlides, cohort: Cohort, chosen: RankingSettings, card: TuningCard) -> Tuning:
    """The chosen settings fitted on all slides, or on as many as there is room for."""
    fitted = fit_ranking(chosen, slides, np.arange(len(slides), dtype=np.int64), card.seed)
    return Tuning(
        space=cohort.archive.require_space().slides_fingerprint,
        slides=cohort.archive.store.count(None),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        column=cohort.label_column,
        settings=chosen,
        metric=fitted.metric,
        fusion=fitted.fusion,
        card=card,
    )
