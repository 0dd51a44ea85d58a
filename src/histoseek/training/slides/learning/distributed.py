"""Several processes, started by torchrun, that train as one."""

from __future__ import annotations

import atexit
import os
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn

from histoseek.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class World:
    """The processes that train together; `size` 1 means this one alone, and nothing is sent."""

    rank: int
    size: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this is the one process that writes files and tells of progress."""
        return self.rank == 0

    def share(self, count: int) -> slice:
        """The rows of a batch of `count` that are this process's; shares differ by one row at most."""
        return slice(self.rank * count // self.size, (self.rank + 1) * count // self.size)

    def gather(self, rows: Tensor) -> Tensor:
        """The rows of all processes in order, without gradient; their numbers may differ."""
        rows = rows.detach()
        if self.size == 1:
            return rows
        counts = [torch.zeros(1, dtype=torch.int64, device=self.device) for _ in range(self.size)]
        distributed.all_gather(counts, torch.tensor([len(rows)], device=self.device))
        most = max(int(count) for count in counts)
        padded = rows.new_zeros(most, *rows.shape[1:])
        padded[: len(rows)] = rows
        gathered = [torch.empty_like(padded) for _ in range(self.size)]
        distributed.all_gather(gathered, padded)
        return torch.cat([part[: int(count)] for part, count in zip(gathered, counts, strict=True)])

    def sum(self, values: Tensor) -> Tensor:
        """The sum over all processes, without gradient."""
        values = values.detach().clone()
        if self.size > 1:
            distributed.all_reduce(values)
        return values

    def any(self, flag: bool) -> bool:
        """Whether it is so in any of the processes."""
        return bool(self.sum(torch.tensor(float(flag), device=self.device)) > 0)

    def from_first(self, values: Sequence[float]) -> list[float]:
        """Numbers of the first process, so that all decide the same."""
        shared = torch.tensor(values, dtype=torch.float64, device=self.device)
        if self.size > 1:
            distributed.broadcast(shared, 0)
        return [float(value) for value in shared]

    def sum_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Add up the gradients of all processes, in one message."""
        if self.size == 1:
            return
        flat = self.sum(torch.cat([_gradient(parameter).flatten() for parameter in parameters]))
        sizes = [parameter.numel() for parameter in parameters]
        for parameter, part in zip(parameters, flat.split(sizes), strict=True):
            parameter.grad = part.view_as(parameter)


def join_world(device: torch.device) -> World:
    """The world that torchrun set up in the environment, or this process alone; gloo on a CPU, nccl on GPUs.

    A process joins once, and leaves at its end: processes that met, parted and meet again may wait for ever.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return World(0, 1, device)
    if device.type == "cuda":
        device = _choose_gpu(int(os.environ["LOCAL_RANK"]))
    if not distributed.is_initialized():
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
        atexit.register(distributed.destroy_process_group)
    return World(distributed.get_rank(), size, device)


def _choose_gpu(number: int) -> torch.device:
    if number >= torch.cuda.device_count():
        what = f"process {number + 1} of this machine has no GPU, there are {torch.cuda.device_count()}"
        raise ConfigurationError("torchrun", what, "Start one process a GPU: --nproc-per-node gpu")
    torch.cuda.set_device(number)
    return torch.device("cuda", number)


def _gradient(parameter: nn.Parameter) -> Tensor:
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
