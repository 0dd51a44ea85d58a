"""Protocols: which slides ask, which are found, and whom a query never meets."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from histoseek.errors import BadTable, InputError
from histoseek.evaluation.cohort import Cohort, make_codes
from histoseek.evaluation.neighbours import Fold
from histoseek.evaluation.settings import ProtocolSpec

Ints = NDArray[np.int64]

_ROLES = ("query", "database")

PATIENT_EXCLUSIONS = 2
"""How many of a fold's exclusions, the first, keep a query from its own patient: by id, and by copies of its file."""


def make_folds(cohort: Cohort, spec: ProtocolSpec) -> tuple[Fold, ...]:
    """The folds of a protocol. In all of them a query never meets its own patient, nor a copy of its own file.

    Raises InputError when sites are missing or there are too few patients, BadTable for the sets.
    """
    exclusions = cohort.list_identities()
    all_slides = np.arange(len(cohort), dtype=np.int64)
    if spec.name == "leave-one-patient-out":
        return (Fold(all_slides, all_slides, exclusions),)
    if spec.name == "leave-one-site-out":
        return (Fold(all_slides, all_slides, (*exclusions, make_site_codes(cohort, spec.site_column))),)
    if spec.name == "k-fold":
        return _split_patients(cohort, spec, exclusions)
    queries, database = _read_sets(cohort, spec.sets or Path())
    return (Fold(queries, database, exclusions),)


def hash_design(cohort: Cohort, folds: Sequence[Fold], classes: Sequence[str]) -> str:
    """Hash of who asks, who is found, who is barred from whom and what is right, by slide id; 16 hex digits."""
    ids = cohort.slide_ids
    parts = [
        {
            "queries": [ids[place] for place in fold.queries],
            "database": sorted(ids[place] for place in fold.database),
            "barred": [_find_first_members(groups) for groups in fold.exclusions],
        }
        for fold in folds
    ]
    right = [classes[label] for label in cohort.labels]
    return hashlib.sha256(json.dumps([ids, right, parts]).encode()).hexdigest()[:16]


def _find_first_members(groups: Ints) -> list[int]:
    """For each slide the first of its group: equal for equal groups, however they are named."""
    _, first, back = np.unique(groups, return_index=True, return_inverse=True)
    return [int(place) for place in first[back]]


def make_site_codes(cohort: Cohort, column: str) -> Ints:
    """Codes of sites, int64 [n]; raises InputError when a slide has none, or all have the same."""
    sites = cohort.read_column(column)
    missing = sum(site is None for site in sites)
    if missing:
        what = f"{missing} of {len(cohort)} labelled slides have no value in the column {column!r}"
        raise InputError(cohort.archive.address, what, "Fill it in, or name another column with --site-column")
    if len(set(sites)) < 2:
        raise InputError(cohort.archive.address, f"all slides have the same {column}", "Choose another protocol")
    return make_codes([str(site) for site in sites])


def _split_patients(cohort: Cohort, spec: ProtocolSpec, exclusions: tuple[Ints, ...]) -> tuple[Fold, ...]:
    patients = np.unique(cohort.patients)
    if len(patients) < spec.folds:
        what = f"{len(patients)} patients are too few for {spec.folds} folds"
        raise InputError(cohort.archive.address, what, "Ask for fewer --folds")
    order = np.random.default_rng(spec.seed).permutation(patients)
    is_query = [np.isin(cohort.patients, part) for part in np.array_split(order, spec.folds)]
    return tuple(Fold(np.flatnonzero(part), np.flatnonzero(~part), exclusions) for part in is_query)


def _read_sets(cohort: Cohort, table: Path) -> tuple[Ints, Ints]:
    place_of_id = {slide_id: i for i, slide_id in enumerate(cohort.slide_ids)}
    places_of_role: dict[str, list[int]] = {role: [] for role in _ROLES}
    for line, (slide_id, role) in enumerate(_read_rows(table), start=2):
        if role not in places_of_role:
            raise BadTable(table, f"line {line}: {role!r} is not a role", "The roles are query and database")
        if slide_id not in place_of_id:
            what = f"line {line}: the archive has no labelled slide {slide_id}"
            raise BadTable(table, what, "`histoseek list` shows the ids")
        places_of_role[role].append(place_of_id[slide_id])
    if not all(places_of_role.values()):
        raise BadTable(table, "has no query or no database slide", "Give some of both")
    queries, database = (np.array(sorted(set(places)), np.int64) for places in places_of_role.values())
    return queries, database


def _read_rows(table: Path) -> list[tuple[str, str]]:
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadTable(table, "cannot be read", "Give a CSV with slide_id and role") from error
    if not rows or not {"slide_id", "role"} <= set(rows[0]):
        raise BadTable(table, "has no columns slide_id and role", "Give a CSV with these two")
    return [((row["slide_id"] or "").strip(), (row["role"] or "").strip()) for row in rows]
