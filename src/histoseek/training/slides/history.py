"""What the training of a slide encoder notes of its epochs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from histoseek.training.loop import Moment
from histoseek.training.recall_at_k import Direction, find_recall
from histoseek.training.slides.evaluation.evaluator import PartScore
from histoseek.training.slides.learning.distributed import World
from histoseek.training.slides.recipes import CONTRASTIVE


@dataclass(frozen=True, slots=True)
class EpochRow:
    """One epoch: mean training losses and validation losses by name, validation recalls (answers by group), total
    seconds so far."""

    epoch: int
    step: int
    learning_rate: float
    logit_scale: float
    train: Mapping[str, float]
    validation: Mapping[str, float]
    slide_to_slide_r1: float
    slide_to_slide_r5: float
    slide_to_report_r1: float
    slide_to_report_r5: float
    text_to_slide_r1: float
    text_to_slide_r5: float
    seconds: float

    @property
    def recall(self) -> float:
        """What the best epoch is chosen by: recall at 5, mean of both directions between slides and reports."""
        return (self.slide_to_report_r5 + self.text_to_slide_r5) / 2

    def better_than(self, other: EpochRow) -> bool:
        """By recall, ties by validation loss."""
        return (self.recall, -self.validation[CONTRASTIVE]) > (other.recall, -other.validation[CONTRASTIVE])

    @property
    def summary(self) -> str:
        """Losses and recalls in a line."""
        loss = f"contrastive loss {self.train[CONTRASTIVE]:.3f}, validation {self.validation[CONTRASTIVE]:.3f}"
        recall = f"slide to report {self.slide_to_report_r5:.3f}, text to slide {self.text_to_slide_r5:.3f}"
        return f"epoch {self.epoch}: {loss}; recall at 5: {recall}"


def epoch_row(moment: Moment, logit_scale: float, score: PartScore) -> EpochRow:
    """The row of the epoch that has just been stepped through."""

    def recall(direction: Direction, k: int) -> float:
        return find_recall(score.recalls, direction, "group", k)

    return EpochRow(
        epoch=moment.epoch,
        step=moment.step,
        learning_rate=moment.learning_rate,
        logit_scale=logit_scale,
        train=dict(zip(score.losses, moment.losses, strict=True)),
        validation=dict(score.losses),
        slide_to_slide_r1=recall("slide->slide", 1),
        slide_to_slide_r5=recall("slide->slide", 5),
        slide_to_report_r1=recall("slide->report", 1),
        slide_to_report_r5=recall("slide->report", 5),
        text_to_slide_r1=recall("text->slide", 1),
        text_to_slide_r5=recall("text->slide", 5),
        seconds=moment.seconds,
    )


def agree_on_row(row: EpochRow, world: World) -> EpochRow:
    """The first process's row, so that all choose and stop alike."""
    own = {name: value for name, value in asdict(row).items() if isinstance(value, float)}
    parts = [own, row.train, row.validation]
    agreed = iter(world.from_first([value for part in parts for value in part.values()]))
    numbers, train, validation = ({name: next(agreed) for name in part} for part in parts)
    changed: dict[str, Any] = {**numbers, "train": train, "validation": validation}
    return replace(row, **changed)
