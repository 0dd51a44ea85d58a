"""Which queries a training has seen: weights know their own patients, and are judged on the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from histoseek.encoders.library import weights_path
from histoseek.encoders.slide.registry import UNTRAINED, find_fitted_family
from histoseek.encoders.weights import PartName, PatientParts, WeightsCard, load_card
from histoseek.errors import ConfigurationError, InputError
from histoseek.evaluation.cohort import Cohort
from histoseek.evaluation.neighbours import Fold
from histoseek.evaluation.settings import EvaluationSpec
from histoseek.training.pairs import find_patient_key
from histoseek.training.split_table import read_split
from histoseek.training.tiles.folder import read_parts

Booleans = NDArray[np.bool_]

_TABLES = (".csv", ".tsv", ".txt")


@dataclass(frozen=True, slots=True)
class SeenSlides:
    """The slides of a cohort that are of patients some weights were trained on, or chosen by, bool [n].

    name: of the weights, or of the table of parts; unstated: of weights beside these that don't say on whom they were
    trained.
    """

    name: str
    is_seen: Booleans
    unstated: str = ""


def find_seen_slides(cohort: Cohort, spec: EvaluationSpec) -> SeenSlides | None:
    """By the weights, the adapted tile encoder or the table that the settings name, else by the cards of the archive's
    own weights and tile encoder; None where there are no such, or their card does not say. Raises UnknownWeights,
    WeightsError, EncoderError, BadTable, and ConfigurationError for named weights whose card does not say."""
    named = spec.held_out
    if named is None:
        card, folder = find_own_card(cohort), cohort.archive.recipe.encoder.partition("@")[2]
        slides = _match_card(cohort, card) if card is not None else None
        tiles = _match_adapted(cohort, Path(folder)) if folder else None
        if slides is None or tiles is None:
            return slides or tiles
        return SeenSlides(f"{slides.name} and {tiles.name}", slides.is_seen | tiles.is_seen, slides.unstated)
    if Path(named).is_dir() and (seen := _match_adapted(cohort, Path(named))):
        return seen
    if named.endswith(_TABLES):
        given = read_split(Path(named))
        keys = [(f"slide {record.slide_id}", f"patient {find_patient_key(record)}") for record in cohort.records]
        return SeenSlides(Path(named).name, _mark_seen([given.get(slide) or given.get(own) for slide, own in keys]))
    seen = _match_card(cohort, load_card(weights_path(named)))
    if seen is None:
        what = "does not say which patients it was trained on"
        raise ConfigurationError(f"--held-out {named}", what, "Give the split.csv of its training instead")
    return seen


def find_own_card(cohort: Cohort) -> WeightsCard | None:
    """The card of the archive's trained slide encoder, None for an encoder that was not trained."""
    archive = cohort.archive
    if find_fitted_family(archive.manifest.slide_encoder) is not None or not archive.layout.weights.is_file():
        return None
    return load_card(archive.layout.weights)


def leave_out_seen(folds: Sequence[Fold], seen: SeenSlides) -> tuple[Fold, ...]:
    """The folds without queries that a training has seen; these stay in the database. Raises InputError when none is
    left."""
    kept = [replace(fold, queries=fold.queries[~seen.is_seen[fold.queries]]) for fold in folds]
    if not any(len(fold.queries) for fold in kept):
        what = f"all {int(seen.is_seen.sum())} slides are of patients of its training"
        raise InputError(seen.name, what, "Say --all-patients for figures that are too good, or index other patients")
    return tuple(fold for fold in kept if len(fold.queries))


def describe_seen(cohort: Cohort, folds: Sequence[Fold], seen: SeenSlides | None) -> tuple[str, ...]:
    """What is to be said of the queries of an evaluation."""
    if seen is not None and seen.unstated:
        what = f"the weights {seen.unstated} do not say on whom they were trained"
        further = f"{what}: if they have seen these patients, figures are too good"
        return (*describe_seen(cohort, folds, replace(seen, unstated="")), further)
    if seen is None:
        if find_fitted_family(cohort.archive.manifest.slide_encoder) is UNTRAINED:
            return ()
        what = "the slide encoder was trained, and its weights do not say on whom"
        return (f"{what}: if it has seen these patients, its figures are all too good",)
    queries = np.concatenate([fold.queries for fold in folds])
    count = int(seen.is_seen[queries].sum())
    if count:
        return (
            f"{count} of {len(queries)} queries are of patients that {seen.name} was trained on: too good for these",
        )
    patients = len(np.unique(cohort.patients[queries]))
    if not seen.is_seen.any():
        return (f"none of the {patients} patients was in the training of {seen.name}, by the ids they have here",)
    left_out = f"{int(seen.is_seen.sum())} slides of its training are in the database only"
    text = f"queries are {len(queries)} slides of {patients} patients that {seen.name} was not trained on"
    return (f"{text}; {left_out} (--all-patients asks with them, too)",)


def _match_card(cohort: Cohort, card: WeightsCard) -> SeenSlides | None:
    """The slides that weights, or either part of a pair, have seen; None where none of them says whom."""
    known = [_match_parts(cohort, one.name, one.training.parts) for one in card.trained if one.training is not None]
    if not known:
        return None
    unstated = " and ".join(one.name for one in card.trained if one.training is None)
    is_seen = np.logical_or.reduce([each.is_seen for each in known])
    return SeenSlides(" and ".join(each.name for each in known), is_seen, unstated)


def _match_adapted(cohort: Cohort, folder: Path) -> SeenSlides | None:
    parts = read_parts(folder)
    return _match_parts(cohort, folder.name, parts) if parts is not None else None


def _match_parts(cohort: Cohort, name: str, parts: PatientParts) -> SeenSlides:
    ids = [(find_patient_key(record), record.slide_id) for record in cohort.records]
    return SeenSlides(name, _mark_seen(parts.find_parts(ids)))


def _mark_seen(parts: Sequence[PartName | None]) -> Booleans:
    """The validation part chose the weights, so it counts as seen."""
    return np.array([part in ("train", "validation") for part in parts], np.bool_)
