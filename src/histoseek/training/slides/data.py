"""What a training learns from: parts of slide-report pairs, the prompts, and what reports say of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from histoseek.reports.facts.prompts import Prompt, choose_prompts, read_reports
from histoseek.training.pairs import TrainingPair
from histoseek.training.slides.prompt_targets import make_targets, weigh_labels
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
        statements = read_reports(reports)
        patients = [pair.patient_id for pair in split.train]
        prompts = choose_prompts(statements[: len(patients)], patients, most=settings.prompts)
        targets = make_targets(prompts, statements)
        weights = weigh_labels(targets[: len(patients)])
        return cls(prompts, dict(zip(reports, targets, strict=True)), np.stack([weights.silent, weights.stated]))

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
