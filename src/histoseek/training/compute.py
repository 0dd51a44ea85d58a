"""Where and in which precision a training computes, and randomness that repeats."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import torch

from histoseek.errors import ConfigurationError
from histoseek.training.settings import TrainingSettings


@dataclass(frozen=True, slots=True)
class Compute:
    """A device, and whether forward passes run in bf16 there."""

    device: torch.device
    bf16: bool

    def autocast(self) -> AbstractContextManager[None]:
        """Mixed precision where it is wanted, nothing elsewhere."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)

    @contextmanager
    def seeded(self, seed: int, step: int, row: int) -> Iterator[None]:
        """Random numbers that depend on these three alone; those of the rest of the program go on as before."""
        cuda = self.device.type == "cuda"
        with torch.random.fork_rng([torch.cuda.current_device()] if cuda else []):
            torch.manual_seed(((seed * 1_000_003 + step) * 1_000_003 + row) % 2**63)
            yield


def choose_compute(settings: TrainingSettings) -> Compute:
    """The device and precision that the settings ask for; raises ConfigurationError where they are not there."""
    cuda = torch.cuda.is_available()
    if settings.device == "cuda" and not cuda:
        raise ConfigurationError("device=cuda", "torch sees no GPU here", "Take device=cpu, or install torch for CUDA")
    device = torch.device("cuda" if cuda and settings.device != "cpu" else "cpu")
    able = device.type == "cuda" and torch.cuda.is_bf16_supported()
    if settings.precision == "bf16" and not able:
        raise ConfigurationError("precision=bf16", f"not available on this {device.type}", "Take precision=fp32")
    return Compute(device, able and settings.precision != "fp32")


def out_of_memory(error: RuntimeError) -> bool:
    """Whether torch says that memory ran out, on a GPU or on the CPU."""
    text = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError) or "not enough memory" in text or "out of memory" in text
