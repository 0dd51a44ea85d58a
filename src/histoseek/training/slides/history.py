"""What a training remembers of its epochs, and where it stands."""

from __future__ import annotations

from dataclasses import astuple, dataclass, field

from torch import Tensor

from histoseek.training.recall import Direction, value_of
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


@dataclass(slots=True)
class Progress:
    """Where a training stands: in `epoch` (from 1), after `step` of its steps, whose losses add up in the sums.

    best_weights: the trained tensors of the best epoch so far, 0 before the first has ended; notes: what the user
    should know in the end.
    """

    micro_batch: int
    epoch: int = 1
    step: int = 0
    contrastive_sum: float = 0.0
    diversity_sum: float = 0.0
    seconds: float = 0.0
    rows: list[EpochRow] = field(default_factory=list)
    best_epoch: int = 0
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def better(self, row: EpochRow) -> bool:
        """Whether a new epoch beats the best so far: by recall, ties by validation loss."""
        if not self.best_epoch:
            return True
        best = self.rows[self.best_epoch - 1]
        return (row.recall, -row.validation_contrastive) > (best.recall, -best.validation_contrastive)

    def close_epoch(self, row: EpochRow) -> None:
        """Go on to the next epoch."""
        self.rows.append(row)
        self.epoch, self.step, self.contrastive_sum, self.diversity_sum = self.epoch + 1, 0, 0.0, 0.0

    @property
    def epochs_without_gain(self) -> int:
        """Epochs since the best one."""
        return len(self.rows) - self.best_epoch


def epoch_row(progress: Progress, step: int, learning_rate: float, logit_scale: float, score: PartScore) -> EpochRow:
    """The row of the epoch that has just been stepped through."""

    def recall(direction: Direction, k: int) -> float:
        return value_of(score.recalls, direction, "group", k)

    return EpochRow(
        epoch=progress.epoch,
        step=step,
        learning_rate=learning_rate,
        logit_scale=logit_scale,
        train_contrastive=progress.contrastive_sum / progress.step,
        train_diversity=progress.diversity_sum / progress.step,
        validation_contrastive=score.contrastive,
        validation_diversity=score.diversity,
        slide_to_slide_r1=recall("slide->slide", 1),
        slide_to_slide_r5=recall("slide->slide", 5),
        slide_to_report_r1=recall("slide->report", 1),
        slide_to_report_r5=recall("slide->report", 5),
        text_to_slide_r1=recall("text->slide", 1),
        text_to_slide_r5=recall("text->slide", 5),
        seconds=progress.seconds,
    )


def agreed_row(row: EpochRow, world: World) -> EpochRow:
    """The first process's row, so that all choose and stop alike."""
    epoch, step, *rest = world.from_first(astuple(row))
    return EpochRow(int(epoch), int(step), *rest)
