"""What a training learns from: parts of slide-report pairs, the prompts, and what reports say of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from histoseek.reports.facts.prompts import SILENT, STATED, Prompt, choose_prompts, make_targets, read_corpus
from histoseek.training.pairs import TrainingPair
from histoseek.training.slides.recipes import find_recipe
from histoseek.training.slides.settings import TrainingSettings
from histoseek.training.split import Split

_NO_TARGETS = np.zeros(0, np.int8)


@dataclass(frozen=True, slots=True, eq=False)
class ReportTargets:
    """What reports say of P prompts, chosen on the train part alone; without prompts nothing.

    rows: int8 [P] by report, of STATED, SILENT and UNKNOWN; balance: float32 [2, P], how much it counts in the train
    part that a report is silent on a prompt, and that it states it.
    """

    prompts: tuple[Prompt, ...] = ()
    rows: Mapping[str, NDArray[np.int8]] = field(default_factory=dict)
    balance: NDArray[np.float32] = field(default_factory=lambda: np.zeros((2, 0), np.float32))

    @classmethod
    def from_split(cls, split: Split, settings: TrainingSettings) -> ReportTargets:
        """For the losses of settings that learn from prompts; raises NoPrompts where no term divides the reports."""
        if not any(settings.losses[name] for name in find_recipe(settings.model).prompt_losses):
            return cls()
        reports = [pair.report for pair in (*split.train, *split.validation, *split.test)]
        statements = read_corpus(reports)
        patients = [pair.patient_id for pair in split.train]
        prompts = choose_prompts(statements[: len(patients)], patients, most=settings.prompts)
        targets = make_targets(prompts, statements)
        return cls(prompts, dict(zip(reports, targets, strict=True)), weigh_labels(targets[: len(patients)]))

    def find(self, pairs: Sequence[TrainingPair]) -> Tensor:
        """The rows of n pairs, int8 [n, P]."""
        rows = [self.rows.get(pair.report, _NO_TARGETS) for pair in pairs]
        return torch.from_numpy(np.stack(rows))


@dataclass(frozen=True, slots=True, eq=False)
class TrainingData:
    """The parts of a training, and what their reports say of its prompts."""

    split: Split
    targets: ReportTargets

    @property
    def pairs(self) -> tuple[TrainingPair, ...]:
        """All pairs: the train part, the validation part, the test part."""
        return (*self.split.train, *self.split.validation, *self.split.test)


def weigh_labels(targets: NDArray[np.int8]) -> NDArray[np.float32]:
    """How much each label counts, so that a prompt's are balanced, float32 [2, P], at SILENT and STATED.

    targets: int8 [n, P] of the train part. With s reports that state a prompt and u that are silent on it, a stated
    label counts (s + u) / (sqrt(s) (sqrt(s) + sqrt(u))), a silent one the same with s and u exchanged: inverse square
    roots of the frequencies (Mahajan et al., ECCV 2018, after Mikolov et al., NIPS 2013), scaled so that the labels of
    a prompt count 1 in the mean. So a prompt that 1 % state has 9 % of its weight in them, neither 1 % nor, with the
    noise of few, half. A prompt whose labels are all alike has weights of 1.
    """
    roots = np.sqrt([(targets == value).sum(0, dtype=np.float64) for value in sorted((SILENT, STATED))])
    total, known = roots.sum(0), (roots**2).sum(0)
    weights = np.divide(known, roots * total, out=np.ones_like(roots), where=roots.all(0))
    return weights.astype(np.float32)
