"""Folds of patients, or of whole sites: who is held out together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from histoseek.evaluation.tuning.slides import TuningSlides

Ints = NDArray[np.int64]

FOLDS = 5

FEWEST_SITES = 3
"""With fewer, patients are held out and not sites: what is fitted on one site can't be judged by one other."""


def join_owners(*codes: Ints) -> Ints:
    """Codes [n] that are equal for slides which share any of some codes, [n] each, directly or through others.

    A copy of a file under another patient's name makes one owner of both patients: their slides are held out together.
    """
    joined = codes[0]
    while True:
        before = joined
        for each in codes:
            _, rows = np.unique(each, return_inverse=True)
            least = np.full(int(rows.max(initial=-1)) + 1, np.iinfo(np.int64).max)
            np.minimum.at(least, rows, joined)
            joined = least[rows]
        if np.array_equal(joined, before):
            return np.unique(joined, return_inverse=True)[1].astype(np.int64)


def deal(slides: TuningSlides, seed: int) -> Ints:
    """The fold of each slide, int64 [n]: whole sites are held out where there are enough of them, else patients; with
    other patients of whose files they have copies."""
    owners = join_owners(slides.owners, slides.copies)
    folds = deal_sites(join_owners(*slides.sites), owners, seed) if slides.sites else None
    return deal_folds(owners, seed) if folds is None else folds


def deal_folds(owners: Ints, seed: int, count: int = FOLDS) -> Ints:
    """The fold of each slide, int64 [n], from 0 on: owners are dealt at random, as many to each."""
    codes, rows = np.unique(owners, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(codes))
    fold_of = np.empty(len(codes), np.int64)
    for fold, part in enumerate(np.array_split(order, min(count, len(codes)))):
        fold_of[part] = fold
    return fold_of[rows]


def deal_sites(sites: Ints, owners: Ints, seed: int) -> Ints | None:
    """The same with whole sites held out, the largest dealt first; None where there are too few sites, as patients who
    were at several of them make them one."""
    joined = join_owners(sites, owners)
    codes, rows, counts = np.unique(joined, return_inverse=True, return_counts=True)
    if len(codes) < FEWEST_SITES:
        return None
    sizes = np.zeros(min(FOLDS, len(codes)), np.int64)
    fold_of = np.empty(len(codes), np.int64)
    order = np.random.default_rng(seed).permutation(len(codes))
    for code in order[np.argsort(-counts[order], kind="stable")]:
        fold_of[code] = sizes.argmin()
        sizes[fold_of[code]] += counts[code]
    return fold_of[rows]
