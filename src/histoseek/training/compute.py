"""Where and in which precision a training computes, and randomness that repeats."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from histoseek.errors import ConfigurationError

if TYPE_CHECKING:
    import torch

Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["auto", "fp32", "bf16"]
"""auto: bf16 on a GPU that has it; fp32 on a CPU, where bf16 is slower."""


@dataclass(frozen=True, slots=True)
class Compute:
    """A device, and whether forward passes run in bf16 there."""

    device: torch.device
    bf16: bool

    def autocast(self) -> AbstractContextManager[None]:
        """Mixed precision where it is wanted, nothing elsewhere."""
        import torch

        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)

    @contextmanager
    def seed_random(self, seed: int, step: int, row: int) -> Iterator[None]:
        """Random numbers that depend on these three alone; those of the rest of the program go on as before."""
        import torch

        cuda = self.device.type == "cuda"
        with torch.random.fork_rng([torch.cuda.current_device()] if cuda else []):
            torch.manual_seed(mix_seed(seed, step, row))
            yield


def mix_seed(seed: int, step: int, row: int = 0) -> int:
    """One seed out of these three."""
    return ((seed * 1_000_003 + step) * 1_000_003 + row) % 2**63


def choose_compute(device: Device, precision: Precision = "auto") -> Compute:
    """The device and precision that are wanted; raises ConfigurationError where they are not there."""
    import torch

    cuda = torch.cuda.is_available()
    if device == "cuda" and not cuda:
        raise ConfigurationError("device=cuda", "torch sees no GPU here", "Take device=cpu, or install torch for CUDA")
    chosen = torch.device("cuda" if cuda and device != "cpu" else "cpu")
    able = chosen.type == "cuda" and torch.cuda.is_bf16_supported()
    if precision == "bf16" and not able:
        raise ConfigurationError("precision=bf16", f"not available on this {chosen.type}", "Take precision=fp32")
    return Compute(chosen, able and precision != "fp32")


def out_of_memory(error: RuntimeError) -> bool:
    """Whether torch says that memory ran out, on a GPU or on the CPU."""
    import torch

    text = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError) or "not enough memory" in text or "out of memory" in text
