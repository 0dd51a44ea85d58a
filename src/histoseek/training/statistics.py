"""Batch normalisation whose numbers do not depend on how a batch is cut."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from histoseek.training.distributed import World


class BatchStatistics:
    """Lets the batch norm layers of a network normalise by running statistics, in training as in use.

    The usual layer would normalise every micro-batch by itself: numbers would hang on memory, and slides would see
    their neighbours. Here the running statistics are constants in a step, and are moved once after it, by the
    statistics of the whole batch over all micro-batches and processes; in the first steps by the mean of all batches
    so far, then by a moving average. What is lost is the gradient through the batch's own mean and variance.
    """

    def __init__(self, network: nn.Module) -> None:
        self._norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm1d)]
        self._sums: dict[nn.Module, Tensor] = {}

    @contextmanager
    def observed(self) -> Iterator[None]:
        """Keep the layers from updating themselves, and note what goes into them."""
        self._sums = {}
        hooks = [norm.eval().register_forward_pre_hook(self._note) for norm in self._norms]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    @torch.no_grad()
    def update(self, world: World) -> None:
        """Move the running statistics towards those of the batch last observed."""
        for norm in self._norms:
            count, total, squares = world.sum(self._sums[norm]).split([1, norm.num_features, norm.num_features])
            mean = total / count
            variance = (squares / count - mean.square()).clamp(min=0) * count / (count - 1).clamp(min=1)
            norm.num_batches_tracked += 1
            weight = max(norm.momentum, 1 / int(norm.num_batches_tracked))
            norm.running_mean.lerp_(mean.to(norm.running_mean), weight)
            norm.running_var.lerp_(variance.to(norm.running_var), weight)

    @torch.no_grad()
    def _note(self, norm: nn.Module, inputs: tuple[Tensor]) -> None:
        rows = inputs[0].double()
        sums = torch.cat([rows.new_tensor([len(rows)]), rows.sum(0), rows.square().sum(0)])
        self._sums[norm] = self._sums[norm] + sums if norm in self._sums else sums
