"""Who is held out together, so that what is fitted on some patients is tried on others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def split_patients(patients: NDArray[np.int64], folds: int, seed: int) -> list[NDArray[np.bool_]]:
    """For each fold which of n rows are held out, bool [n], of the patients' codes [n]; nobody is in two folds, and of
    fewer patients than folds some folds are empty."""
    shuffled = np.random.default_rng(seed).permutation(np.unique(patients))
    return [np.isin(patients, part) for part in np.array_split(shuffled, folds)]
