"""Torch, on the processor or a GPU.

On a GPU, pixels go through pinned buffers and are copied while the pieces before them are computed; networks of
convolutions have channels last; the precision is autocast's: matrix products in 16 bits, norms and sums in 32.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np

from histoseek.encoders.devices import find_torch_device
from histoseek.encoders.tile.runtimes.graphs import add_normalisation
from histoseek.encoders.tile.runtimes.model import Floats, Model, Pixels, Precision, read_resident_bytes
from histoseek.errors import ConfigurationError
from histoseek.settings import Settings

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

_MOST_ON_CPU, _MOST_ON_GPU = 32, 256
_SHARE_OF_GPU = 0.5
"""Of the free memory of a GPU, for the tiles that are computed at once."""

_FEW_CONVOLUTIONS = 3
"""A transformer has one or two, before its blocks."""


class TorchEngine:
    """Torch on one device; its threads share the tiles, and so one run computes at a time."""

    parallel = 1

    def __init__(self, model: Model, precision: Precision, settings: Settings, device: str = "cpu") -> None:
        """Raises ConfigurationError for a GPU that is not there or does not compute in the precision."""
        import torch

        self._device = find_torch_device(device, settings)
        self.name = f"torch {precision}" if self._is_cpu else f"torch {precision} on {device}"
        self._types = {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
        if precision not in self._types:
            raise ConfigurationError(f"--precision {precision}", "is not for torch", "Use float32, bf16 or auto")
        self._type = self._types[precision]
        module = add_normalisation(model.module(), model.card).to(self._device)
        if count_convolutions(module) > _FEW_CONVOLUTIONS:
            module = module.to(memory_format=torch.channels_last)
        self._module = torch.compile(module) if settings.compile else module
        self.most = _MOST_ON_CPU if self._is_cpu else _MOST_ON_GPU
        self.batch_memory_bytes = settings.batch_memory_mb * 2**20
        if not self._is_cpu:
            free, _ = torch.cuda.mem_get_info(self._device)
            self.batch_memory_bytes = int(free * _SHARE_OF_GPU)
        self._pinned: list[Tensor] = []

    @property
    def _is_cpu(self) -> bool:
        return self._device.type == "cpu"

    def run(self, pixels: Pixels) -> Floats:
        """Features [B, D] of pixels [B, S, S, 3]."""
        import torch

        with torch.inference_mode(), self._autocast():
            if self._is_cpu:
                features: Tensor = self._module(torch.from_numpy(np.ascontiguousarray(pixels)))
            else:
                features = self._compute_on_gpu(pixels)
            found: Floats = features.float().cpu().numpy()
        return found

    def _compute_on_gpu(self, pixels: Pixels) -> Tensor:
        """In two halves: while the first is computed, the second goes into the other pinned buffer and on its way."""
        import torch

        parts = np.array_split(pixels, min(2, len(pixels)))
        found = []
        for place, part in enumerate(parts):
            source = self._pin(place, part)
            found.append(self._module(source.to(self._device, non_blocking=True)))
        return torch.cat(found)

    def _pin(self, place: int, part: Pixels) -> Tensor:
        """The pixels in a buffer that the GPU can read by itself; free again when `run` has returned."""
        import torch

        if place == len(self._pinned):
            self._pinned.append(torch.empty(0, dtype=torch.uint8))
        if self._pinned[place].numel() < part.size:
            self._pinned[place] = torch.empty(part.size, dtype=torch.uint8, pin_memory=True)
        buffer = self._pinned[place][: part.size].view(part.shape)
        buffer.copy_(torch.from_numpy(part))
        return buffer

    def _autocast(self) -> AbstractContextManager[Any]:
        import torch

        if self._type == torch.float32:
            return nullcontext()
        return torch.autocast(self._device.type, dtype=self._type)

    def take_memory(self) -> int:
        """Bytes of this process, or the most that were taken of the GPU until now."""
        import torch

        return read_resident_bytes() if self._is_cpu else int(torch.cuda.max_memory_allocated(self._device))


def count_convolutions(module: nn.Module) -> int:
    """How many layers of a network are convolutions."""
    import torch

    return sum(isinstance(layer, torch.nn.Conv2d) for layer in module.modules())


def choose_gpu_precision(declared: str, wanted: str, device: torch.device) -> Precision:
    """What a GPU computes a card in: as wanted, else as the card declares, where the GPU has that.

    Raises ConfigurationError for one that it does not have.
    """
    import torch

    has_bfloat16 = torch.cuda.get_device_capability(device) >= (8, 0)
    if wanted == "int8" or (wanted == "bf16" and not has_bfloat16):
        raise ConfigurationError(
            f"--precision {wanted}", f"is nothing that {device} computes in", "Use float32 or auto"
        )
    if wanted in ("float32", "bf16"):
        return "float32" if wanted == "float32" else "bf16"
    if declared == "float32":
        return "float32"
    return "bf16" if declared == "bfloat16" and has_bfloat16 else "fp16"
