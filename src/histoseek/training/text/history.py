"""What the adaptation of a text encoder notes of its epochs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AdaptEpoch:
    """One epoch (0: before training): mean training loss (None for 0), validation loss, seconds since the start."""

    epoch: int
    step: int
    train_loss: float | None
    validation_loss: float
    seconds: float

    @property
    def summary(self) -> str:
        """Losses in a line."""
        train = "" if self.train_loss is None else f"loss {self.train_loss:.3f}, "
        return f"epoch {self.epoch}: {train}validation {self.validation_loss:.3f}"

    def better_than(self, other: AdaptEpoch) -> bool:
        """By validation loss."""
        return self.validation_loss < other.validation_loss
