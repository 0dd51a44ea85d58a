"""What the training of a slide encoder notes of its epochs."""

from __future__ import annotations

from dataclasses import astuple, dataclass

from histoseek.training.loop import Moment
from histoseek.training.recall_at_k import Direction, find_recall
from histoseek.training.slides.distributed import World
from histoseek.training.slides.evaluation import PartScore


@dataclass(frozen=True, slots=True)
class EpochRow:
    """One epoch: mean training losses, validation losses and recalls (answers by group), total seconds so far."""

    epoch: int
    step: int
    learning_rate: float
    logit_scale: float
    train_contrastive: float
    train_diversity: float
    validation_contrastive: float
    validation_diversity: float
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
        return (self.recall, -self.validation_contrastive) > (other.recall, -other.validation_contrastive)


def epoch_row(moment: Moment, logit_scale: float, score: PartScore) -> EpochRow:
    """The row of the epoch that has just been stepped through."""

    def recall(direction: Direction, k: int) -> float:
        return find_recall(score.recalls, direction, "group", k)

    contrastive, diversity = moment.losses
    return EpochRow(
        epoch=moment.epoch,
        step=moment.step,
        learning_rate=moment.learning_rate,
        logit_scale=logit_scale,
        train_contrastive=contrastive,
        train_diversity=diversity,
        validation_contrastive=score.contrastive,
        validation_diversity=score.diversity,
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
    epoch, step, *rest = world.from_first(astuple(row))
    return EpochRow(int(epoch), int(step), *rest)
