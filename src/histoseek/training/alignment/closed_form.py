"""The alignment of an archive in closed form: seconds, no training, only the archive's own slide-report pairs."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.reencode import reencode
from histoseek.archive.space_folders import SpaceChange
from histoseek.encoders.alignment import Affine, Alignment, Floats, SharedRecall
from histoseek.errors import ArchiveError, TooFewPairs
from histoseek.progress import Reporter, SilentReporter
from histoseek.statistics.folds import split_patients
from histoseek.training.pairs import TrainingPair, archive_pairs
from histoseek.training.recall_at_k import RecallAtK, recalls
from histoseek.training.split_table import apply_split

MIN_PAIRS, MIN_PATIENTS, MIN_TEXTS = 20, 10, 4
"""With fewer there is nothing to choose a strength by."""

FOLDS = 5
MOST_SCORED = 2000
"""Pairs that recalls are measured on; whole patients are drawn when there are more."""

Ints = NDArray[np.int64]

Doubles = NDArray[np.float64]

STRENGTHS = tuple(float(strength) for strength in 10.0 ** np.arange(-3, 3.1, 0.5))
"""Ridge strengths, as multiples of the mean variance of the slide vectors along their own directions."""


@dataclass(frozen=True, slots=True)
class AlignReport:
    """What was fitted: pairs and patients, the ridge strength, recalls of slides and reports that the map had not
    seen (each fold's strength chosen without it), on how many pairs they were measured.

    pooled: recalls between the same slides by their own vectors, which need no alignment; held_out: which these are.
    """

    pairs: int
    patients: int
    strength: float
    recalls: tuple[RecallAtK, ...]
    scored: int
    seconds: float
    pooled: tuple[RecallAtK, ...] = ()
    held_out: str = ""


@dataclass(frozen=True, slots=True)
class PairVectors:
    """Vectors of n pairs: slides [n, D], texts [n, T]; codes of their patients and texts, int64 [n] each."""

    slides: Floats
    texts: Floats
    patients: Ints
    texts_same: Ints

    @classmethod
    def from_pairs(cls, pairs: Sequence[TrainingPair], slides: Floats, texts: Floats) -> PairVectors:
        """Of pairs whose vectors are at hand."""
        patients, keys = _codes([pair.patient_id for pair in pairs]), _codes([pair.text_key for pair in pairs])
        return cls(slides, texts, patients, keys)

    def part(self, rows: Ints) -> PairVectors:
        """Some of the pairs."""
        return PairVectors(self.slides[rows], self.texts[rows], self.patients[rows], self.texts_same[rows])


@dataclass(frozen=True, slots=True)
class _Fitted:
    """Maps with their strength, and their recalls on pairs that such maps had not seen: which these are, and where."""

    alignment: Alignment
    strength: float
    recalls: tuple[RecallAtK, ...]
    scored: Ints
    held_out: str


def align(
    archive: ArchiveFolder, seed: int = 0, reporter: Reporter | None = None, split: Path | None = None
) -> AlignReport:
    """Fit slides to reports by ridge regression and give the archive the shared space that this makes.

    The strength is chosen by cross-validation over patients; the recalls reported are of an outer cross-validation
    that chooses anew in each fold. split: a table of parts instead, such as a training leaves: maps are fitted on its
    train part, the strength is chosen on the validation part, recalls are of the test part, which the maps never see.
    Raises TooFewPairs, BadTable, ArchiveError for an archive without report vectors or with trained weights, which have
    a shared space of their own.
    """
    started = time.monotonic()
    _require_alignable(archive)
    pairs = archive_pairs(archive)
    _require_enough(archive, pairs)
    data = _data(archive, pairs)
    fitted = _fit_in_folds(data, pairs, seed) if split is None else _fit_parts(data, pairs, split, seed)
    patients = int(data.patients.max()) + 1
    facts = {"pairs": len(pairs), "patients": patients, "strength": fitted.strength, "seed": seed}
    measured = find_shared_recall(fitted.recalls)
    alignment = replace(fitted.alignment, measured=measured, facts={**facts, "held_out": fitted.held_out})
    reencode(archive, SpaceChange(alignment=alignment), reporter or SilentReporter())
    scored_pairs = [pairs[i] for i in fitted.scored]
    return AlignReport(
        pairs=len(pairs),
        patients=patients,
        strength=fitted.strength,
        recalls=fitted.recalls,
        scored=len(fitted.scored),
        seconds=round(time.monotonic() - started, 3),
        pooled=judge_slides(data.slides[fitted.scored], scored_pairs, seed),
        held_out=fitted.held_out,
    )


def judge_slides(vectors: Floats, pairs: Sequence[TrainingPair], seed: int) -> tuple[RecallAtK, ...]:
    """Recalls between slides alone, which need no space that texts share."""
    measured = recalls(vectors, vectors, pairs, seed)
    return tuple(each for each in measured if each.direction == "slide->slide" and each.queries)


def _fit_in_folds(data: PairVectors, pairs: Sequence[TrainingPair], seed: int) -> _Fitted:
    strength, scored = _choose_strength(data, seed), _draw_rows(data.patients, seed)
    alignment = Ridge.fit(data.slides, data.texts).alignment(strength)
    return _Fitted(alignment, strength, _measure_recalls(data, pairs, scored, seed), scored, f"{FOLDS} folds")


def _fit_parts(data: PairVectors, pairs: Sequence[TrainingPair], table: Path, seed: int) -> _Fitted:
    split, place = apply_split(pairs, table), {pair.slide_id: i for i, pair in enumerate(pairs)}
    parts = (split.train, split.validation, split.test)
    train, validation, test = (np.array([place[pair.slide_id] for pair in part], np.int64) for part in parts)
    strength, alignment = fit_on_parts(data, train, validation)
    slides, texts = alignment.slides(data.slides[test]), alignment.texts(data.texts[test])
    measured = tuple(each for each in recalls(slides, texts, split.test, seed) if each.queries)
    return _Fitted(alignment, strength, measured, test, f"the test part of {table.name}")


def measure_held_out_recalls(
    archive: ArchiveFolder, pairs: Sequence[TrainingPair], seed: int, left_out: Collection[str] = ()
) -> tuple[RecallAtK, ...]:
    """What `align` would report for these pairs of an archive, fitted on others of them; raises TooFewPairs.

    left_out: slides whose pairs are fitted on, but not judged.
    """
    _require_enough(archive, pairs)
    data = _data(archive, pairs)
    scored = np.array([i for i in _draw_rows(data.patients, seed) if pairs[i].slide_id not in left_out], np.int64)
    return _measure_recalls(data, pairs, scored, seed) if len(scored) > 1 else ()


def find_shared_recall(measured: Sequence[RecallAtK]) -> SharedRecall | None:
    """How well texts find slides, out of all recalls; None where no text was a query."""
    wanted = ("text->slide", "group", 5)
    recall = next((each for each in measured if (each.direction, each.answer, each.k) == wanted), None)
    return SharedRecall(recall.value, recall.chance) if recall and recall.queries else None


def _measure_recalls(
    data: PairVectors, pairs: Sequence[TrainingPair], scored: Ints, seed: int
) -> tuple[RecallAtK, ...]:
    measured_recalls = recalls(*_project_held_out(data, scored, seed), [pairs[i] for i in scored], seed)
    return tuple(recall for recall in measured_recalls if recall.queries)


def _require_alignable(archive: ArchiveFolder) -> None:
    if archive.language.is_trained:
        what = "its weights were trained with texts, so slides and reports share a space already"
        raise ArchiveError(archive.address, what, "Search by text as it is")
    if not archive.require_space().has_texts:
        advice = "Index reports, or give it a text encoder with `histoseek reencode --text-encoder minilm`"
        raise ArchiveError(archive.address, "it has no report vectors to align to", advice)


def _require_enough(archive: ArchiveFolder, pairs: Sequence[TrainingPair]) -> None:
    patients, texts = len({pair.patient_id for pair in pairs}), len({pair.text_key for pair in pairs})
    if len(pairs) < MIN_PAIRS or patients < MIN_PATIENTS or texts < MIN_TEXTS:
        raise TooFewPairs(archive.address, len(pairs), patients, texts, (MIN_PAIRS, MIN_PATIENTS, MIN_TEXTS))


def _data(archive: ArchiveFolder, pairs: Sequence[TrainingPair]) -> PairVectors:
    ids = [pair.slide_id for pair in pairs]
    slides, texts = (archive.store.vectors(ids, name) for name in ("global_vector", "report_vector"))
    return PairVectors.from_pairs(pairs, slides, texts)


def fit_on_parts(data: PairVectors, train: Ints, validation: Ints) -> tuple[float, Alignment]:
    """The strength that is best on some pairs for maps fitted on others, and the maps of that strength, fitted on the
    others; train, validation: places of the pairs."""
    fitted_on = data.part(train)
    ridge = Ridge.fit(fitted_on.slides, fitted_on.texts)
    ranks = [_reciprocal_rank(ridge.alignment(each), data.part(validation), fitted_on) for each in STRENGTHS]
    strength = _find_strongest(np.array(ranks))
    return strength, ridge.alignment(strength)


def _choose_strength(data: PairVectors, seed: int) -> float:
    """The strength with the best mean reciprocal rank on patients that were left out; the larger of equal ones."""
    ranks = np.zeros(len(STRENGTHS))
    for is_test in split_patients(data.patients, FOLDS, seed):
        train, test = data.part(np.flatnonzero(~is_test)), data.part(np.flatnonzero(is_test))
        ridge = Ridge.fit(train.slides, train.texts)
        for i, strength in enumerate(STRENGTHS):
            ranks[i] += is_test.sum() * _reciprocal_rank(ridge.alignment(strength), test, train)
    return _find_strongest(ranks)


def _find_strongest(ranks: Doubles) -> float:
    """The largest of the strengths with the best rank."""
    return STRENGTHS[int(np.flatnonzero(ranks >= ranks.max() * (1 - 1e-9)).max())]


def _reciprocal_rank(alignment: Alignment, test: PairVectors, train: PairVectors) -> float:
    """Mean of 1 / rank of the right report text among all distinct ones, those trained on included."""
    texts, codes = np.concatenate([test.texts, train.texts]), np.concatenate([test.texts_same, train.texts_same])
    distinct, first = np.unique(codes, return_index=True)
    similarity = alignment.slides(test.slides) @ alignment.texts(texts[first]).T
    right = similarity[np.arange(len(test.slides)), np.searchsorted(distinct, test.texts_same)]
    return float((1 / (1 + (similarity > right[:, None]).sum(1))).mean())


def _project_held_out(data: PairVectors, scored: Ints, seed: int) -> tuple[Floats, Floats]:
    """Slides and reports of the scored pairs in shared spaces that were fitted without their patients."""
    size = data.texts.shape[1]
    slides, texts = np.zeros((len(scored), size), np.float32), np.zeros((len(scored), size), np.float32)
    for is_test in split_patients(data.patients, FOLDS, seed + 1):
        rest = data.part(np.flatnonzero(~is_test))
        alignment = Ridge.fit(rest.slides, rest.texts).alignment(_choose_strength(rest, seed))
        rows = np.flatnonzero(is_test[scored])
        slides[rows] = alignment.slides(data.slides[scored[rows]])
        texts[rows] = alignment.texts(data.texts[scored[rows]])
    return slides, texts


def _draw_rows(patients: Ints, seed: int) -> Ints:
    """Rows of as many whole patients as MOST_SCORED allows, in order."""
    order = np.random.default_rng(seed).permutation(np.unique(patients))
    counts = np.cumsum(np.bincount(patients, minlength=len(order))[order])
    return np.flatnonzero(np.isin(patients, order[counts <= MOST_SCORED]))


def _codes(names: Sequence[str]) -> Ints:
    return np.unique(np.asarray(names), return_inverse=True)[1].astype(np.int64)


@dataclass(frozen=True, slots=True)
class Ridge:
    """A decomposition of centred slide vectors that gives the regression for any strength.

    slide_mean [D], text_mean [T]; axes [D, R], variances [R]: principal directions of the slides and n times their
    variance; covariance [R, T]: of slides along the axes with texts, times n.
    """

    slide_mean: Doubles
    text_mean: Doubles
    axes: Doubles
    variances: Doubles
    covariance: Doubles

    @classmethod
    def fit(cls, slides: Floats, texts: Floats) -> Ridge:
        """Decompose n slide vectors [n, D] and their texts' vectors [n, T]."""
        slide_mean, text_mean = slides.mean(0, dtype=np.float64), texts.mean(0, dtype=np.float64)
        centred, aims = slides - slide_mean, texts - text_mean
        if len(centred) > centred.shape[1]:
            variances, axes = np.linalg.eigh(centred.T @ centred)
        else:
            _, singular, rows = np.linalg.svd(centred, full_matrices=False)
            variances, axes = singular**2, rows.T
        significant = variances > variances.max() * 1e-10
        axes, variances = axes[:, significant], variances[significant]
        return cls(slide_mean, text_mean, axes, variances, axes.T @ (centred.T @ aims))

    def matrix(self, strength: float) -> Doubles:
        """The map of centred slide vectors to centred text vectors, [D, T]."""
        shrunk = self.variances + strength * self.variances.mean()
        return self.axes @ (self.covariance / shrunk[:, None])

    def alignment(self, strength: float) -> Alignment:
        """Both maps into the space of centred text vectors."""
        matrix = self.matrix(strength)
        slide = Affine(matrix.astype(np.float32), (-self.slide_mean @ matrix).astype(np.float32))
        identity = np.eye(len(self.text_mean), dtype=np.float32)
        return Alignment("ridge", slide, Affine(identity, (-self.text_mean).astype(np.float32)))
