"""What reports say of prompts as an array, and how much each of these labels counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoseek.reports.facts.prompts import ConceptStatements, Prompt
from histoseek.training.slides.objective import SILENT, STATED, UNKNOWN


@dataclass(frozen=True, slots=True, eq=False)
class LabelWeights:
    """How much a label counts, float32 [P] each: that a prompt is stated, and that a report is silent on it."""

    stated: NDArray[np.float32]
    silent: NDArray[np.float32]


def make_targets(prompts: Sequence[Prompt], reports: Sequence[ConceptStatements]) -> NDArray[np.int8]:
    """What each of n reports says of P prompts, int8 [n, P]: STATED, SILENT or UNKNOWN."""
    targets = np.full((len(reports), len(prompts)), UNKNOWN, np.int8)
    for row, report in zip(targets, reports, strict=True):
        for place, prompt in enumerate(prompts):
            if prompt.concept_id in report.stated:
                row[place] = STATED
            elif report.is_silent(prompt.concept_id):
                row[place] = SILENT
    return targets


def weigh_labels(targets: NDArray[np.int8]) -> LabelWeights:
    """Weights that balance each prompt's labels; targets: int8 [n, P] of the train part.

    With s reports that state a prompt and u that are silent on it, a stated label counts (s + u) / (sqrt(s) (sqrt(s) +
    sqrt(u))), a silent one the same with s and u exchanged: inverse square roots of the frequencies (Mahajan et al.,
    ECCV 2018, after Mikolov et al., NIPS 2013), scaled so that the labels of a prompt count 1 in the mean. So a prompt
    that 1 % state has 9 % of its weight in them, neither 1 % nor, with the noise of few, half. A prompt whose labels
    are all alike has weights of 1.
    """
    stated, silent = (np.sqrt((targets == value).sum(0, dtype=np.float64)) for value in (STATED, SILENT))
    is_divided = (stated > 0) & (silent > 0)
    known = stated**2 + silent**2
    weights = (
        np.divide(known, side * (stated + silent), out=np.ones_like(side), where=is_divided)
        for side in (stated, silent)
    )
    return LabelWeights(*(one.astype(np.float32) for one in weights))
