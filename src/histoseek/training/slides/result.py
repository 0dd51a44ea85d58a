"""What a training gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from histoseek.encoders.slide.base import Architecture
from histoseek.reports.facts.prompts import Prompt
from histoseek.training.slides.evaluation.baselines import Baseline
from histoseek.training.slides.evaluation.evaluator import PartScore
from histoseek.training.slides.settings import TrainingSettings
from histoseek.training.split import Split

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class BeforeAfter:
    """The score of a part with the random weights that training began with, and with the best ones."""

    before: PartScore
    after: PartScore


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """The best weights of a training and all that a card says about them.

    state: the trained tensors on the CPU under the published names: `visual.*`, `text_projection.*`, `logit_scale`,
    and of `text_model.*` only what was trained; text_encoder, text_weights: name and weights hash of the tower that
    these belong to; prompts: that regions were aligned with; epochs: how many were run; truncated_reports: longer than
    the text encoder reads; notes: what the user should know. The test part was scored once, with the final weights,
    and decided nothing. baselines: other encoders, judged on the test part as well; text_spec: what loads the tower.
    """

    state: Mapping[str, Tensor]
    architecture: Architecture
    text_encoder: str
    text_weights: str
    settings: TrainingSettings
    split: Split
    prompts: tuple[Prompt, ...]
    best_epoch: int
    epochs: int
    validation: BeforeAfter
    test: BeforeAfter
    truncated_reports: int
    notes: tuple[str, ...]
    baselines: tuple[Baseline, ...] = ()
    text_spec: str = ""
