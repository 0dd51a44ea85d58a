"""What the reports of a training say of its prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from histoseek.training.pairs import TrainingPair


@dataclass(frozen=True, slots=True)
class ReportTargets:
    """What reports say of P prompts: a row of STATED, SILENT and UNKNOWN for each text; nothing without prompts."""

    rows: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def find(self, pairs: Sequence[TrainingPair]) -> Tensor:
        """The rows of some pairs, int8 [n, P]."""
        rows = [self.rows.get(pair.text_key, ()) for pair in pairs]
        return torch.tensor(rows, dtype=torch.int8).reshape(len(rows), -1)
