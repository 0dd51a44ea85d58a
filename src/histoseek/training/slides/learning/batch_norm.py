"""Batch normalisation whose numbers do not depend on how a batch is cut."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional

from histoseek.training.slides.learning.distributed import World


class SteadyNorm(nn.BatchNorm1d):
    """Batch norm over rows [R, C] that normalises by its running statistics, in training as in use.

    The usual layer would normalise every micro-batch by itself: numbers would hang on memory, and slides would see
    their neighbours. Here the running statistics are constants in a step, and are moved once after it by those of the
    whole batch (see BatchStatistics). What is lost is the gradient through the batch's own mean and variance.
    """

    sums: Tensor | None = None
    """Row count, sums and sums of squares of what went in since it was set to zeros, float64 [1 + 2 C]."""

    def forward(self, rows: Tensor) -> Tensor:
        """Normalised rows."""
        if self.sums is not None:
            plain, exact = rows.detach().float(), torch.float64
            self.sums[0] += len(plain)
            self.sums[1:] += torch.cat([plain.sum(0, dtype=exact), plain.square().sum(0, dtype=exact)])
        return functional.batch_norm(
            rows, self.running_mean, self.running_var, self.weight, self.bias, training=False, eps=self.eps
        )


def install_steady_norms(network: nn.Module) -> None:
    """Put a SteadyNorm in the place of every batch norm of a network, with its values."""
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm1d):
                steady = SteadyNorm(child.num_features, child.eps, child.momentum)
                steady.load_state_dict(child.state_dict())
                setattr(module, name, steady)


class BatchStatistics:
    """Moves the running statistics of a network's SteadyNorms by those of whole batches.

    These add up over all micro-batches and processes. In the first steps the running statistics are the mean of all
    batches so far, then a moving average.
    """

    def __init__(self, network: nn.Module) -> None:
        self._norms = [module for module in network.modules() if isinstance(module, SteadyNorm)]
        self._batch: list[Tensor] = []

    @contextmanager
    def observe(self) -> Iterator[None]:
        """Note what goes into the layers."""
        for norm in self._norms:
            norm.sums = torch.zeros(1 + 2 * norm.num_features, dtype=torch.float64, device=norm.weight.device)
        try:
            yield
        finally:
            self._batch = [norm.sums for norm in self._norms]
            for norm in self._norms:
                norm.sums = None

    @torch.no_grad()
    def update(self, world: World) -> None:
        """Move the running statistics towards those of the batch last observed."""
        for norm, sums in zip(self._norms, self._batch, strict=True):
            count, total, squares = world.sum(sums).split([1, norm.num_features, norm.num_features])
            mean = total / count
            variance = (squares / count - mean.square()).clamp(min=0) * count / (count - 1).clamp(min=1)
            norm.num_batches_tracked += 1
            weight = max(norm.momentum, 1 / int(norm.num_batches_tracked))
            norm.running_mean.lerp_(mean.to(norm.running_mean), weight)
            norm.running_var.lerp_(variance.to(norm.running_var), weight)
