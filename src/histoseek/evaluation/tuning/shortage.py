"""Whether there is enough to tune by: slides whose label other patients have, and at other sites."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from histoseek.evaluation.tuning.slides import TuningSlides
from histoseek.ranking.column_erasure import find_column_fault

Ints = NDArray[np.int64]

MIN_SLIDES, MIN_PATIENTS = 20, 10
"""Slides whose label another patient has as well, and their patients; with fewer nothing can be held out."""

_ROWS_AT_ONCE = 256


def find_shortage(slides: TuningSlides, column: str) -> str | None:
    """Why slides can't be tuned by the labels of a column, None where they can."""
    if len(np.unique(slides.labels)) < 2:
        return f"all slides with a value in the column {column!r} have the same one"
    is_answerable = _find_answerable(slides.labels, (slides.owners, slides.copies))
    count, patients = int(is_answerable.sum()), len(np.unique(slides.owners[is_answerable]))
    if count >= MIN_SLIDES and patients >= MIN_PATIENTS:
        return None
    shared = f"{count} slides of {patients} patients share their {column} with another patient"
    return f"too few to tune by: {shared}, and {MIN_SLIDES} of {MIN_PATIENTS} are needed"


def has_answers_elsewhere(slides: TuningSlides) -> bool:
    """Whether enough slides have one of their label at another site."""
    return int(_find_answerable(slides.labels, slides.exclusions).sum()) >= MIN_SLIDES


def list_erasable(slides: TuningSlides) -> tuple[str, ...]:
    """The columns of sites that vectors can be freed of: those of enough patients, not told by the labels."""
    owners, labels = slides.owners.tolist(), [str(label) for label in slides.labels]
    return tuple(name for name, values in slides.columns.items() if find_column_fault(values, owners, labels) is None)


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
