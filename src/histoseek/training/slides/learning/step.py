"""One training step: the gradient of a whole batch's loss, in as many passes and processes as memory asks for."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor

from histoseek.encoders.slide.batches import BagBatch
from histoseek.errors import ConfigurationError
from histoseek.training.compute import Compute, mix_seed, out_of_memory
from histoseek.training.loop import require_finite
from histoseek.training.slides.data.loader import cut_bags, move_bags
from histoseek.training.slides.learning.batch_norm import BatchStatistics
from histoseek.training.slides.learning.distributed import World
from histoseek.training.slides.learning.learner import Learner, LearntPairs, UnreadPairs
from histoseek.training.slides.learning.losses import alike_pairs, contrastive_loss

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch of B pairs: bags, reports and targets (int8 [b, P]) of this process's share of it, case and text codes,
    int64 [B], of all."""

    bags: BagBatch
    reports: tuple[str, ...]
    targets: Tensor
    cases: Tensor
    texts: Tensor


class _MemoryShort(Exception):
    """Memory ran out in one of the processes."""


class LearningStep:
    """Leaves the gradient of a batch's losses in what learns.

    All pairs of a batch are each other's negatives, however it is cut: the first pass embeds piece by piece without
    keeping graphs, the contrastive loss gives its gradient by embedding, the second pass carries that on to the
    parameters, piece by piece with the same dropout (GradCache, Gao et al. 2021). The objective's losses are of single
    pairs: each piece adds its own in the second pass. When one piece is enough, so is one pass. The result equals that
    of a single pass up to rounding, but for dropout and other draws, which are made by piece.
    """

    def __init__(self, learner: Learner, world: World, compute: Compute, seed: int, micro_batch: int) -> None:
        self._learner = learner
        self._world = world
        self._compute = compute
        self._seed = seed
        self._statistics = BatchStatistics(learner.model.visual)
        self._parameters = learner.list_trained_parameters()
        self.micro_batch = micro_batch

    def gradients(self, batch: Batch, step: int) -> tuple[float, ...]:
        """Set all gradients and give the losses, unweighted means over the pairs, in the order of the learner's names.

        Halves the micro-batch as often as memory runs out. Raises ConfigurationError when a single slide does not fit,
        EncoderError when a loss is not finite.
        """
        while True:
            try:
                return self._attempt(batch, step)
            except _MemoryShort:
                self._halve()

    def update_statistics(self) -> None:
        """Move the running statistics of normalisation layers towards those of the batch last seen."""
        self._statistics.update(self._world)

    def _attempt(self, batch: Batch, step: int) -> tuple[float, ...]:
        self._learner.train()
        self._learner.zero_gradients()
        pieces = self._pieces(batch)
        kept: list[LearntPairs] = []
        with self._statistics.observe(), torch.set_grad_enabled(len(pieces) == 1):
            vectors = self._together(lambda: self._embed_all(pieces, step, kept))
        contrastive, gradients = self._contrast(batch, vectors)
        count = len(batch.cases)
        sums = self._together(lambda: self._backward(pieces, kept, gradients, step, count))
        self._world.sum_gradients(self._parameters)
        losses = (contrastive, *(float(loss) for loss in self._world.sum(sums) / count))
        require_finite(losses)
        return losses

    def _pieces(self, batch: Batch) -> list[UnreadPairs]:
        begin, count = self._world.share(len(batch.cases)).start, len(batch.reports)
        cuts = [slice(at, min(at + self.micro_batch, count)) for at in range(0, count, self.micro_batch)]
        return [
            UnreadPairs(cut_bags(batch.bags, rows), batch.reports[rows], batch.targets[rows], begin + rows.start)
            for rows in cuts
        ]

    def _embed_all(
        self, pieces: Sequence[UnreadPairs], step: int, kept: list[LearntPairs]
    ) -> list[tuple[Tensor, Tensor]]:
        """The vectors of all pieces; all that was made of a single piece goes into `kept`."""
        vectors = []
        for piece in pieces:
            made = self._embed(piece, step)
            vectors.append(made.vectors)
            if len(pieces) == 1:
                kept.append(made)
        return vectors

    def _embed(self, piece: UnreadPairs, step: int) -> LearntPairs:
        with self._compute.seed_random(self._seed, step, piece.row), self._compute.autocast():
            bags = move_bags(piece.bags, self._compute.device)
            return self._learner.embed(replace(piece, bags=bags), mix_seed(self._seed, step))

    def _contrast(self, batch: Batch, vectors: Sequence[tuple[Tensor, Tensor]]) -> tuple[float, tuple[Tensor, Tensor]]:
        """The contrastive loss of the whole batch, and its weighted gradient by this process's slides and texts."""
        share = self._world.share(len(batch.cases))
        slides, texts = (
            self._world.gather(torch.cat([each.detach() for each in rows])).requires_grad_()
            for rows in zip(*vectors, strict=True)
        )
        alike = alike_pairs(batch.cases, batch.texts).to(self._compute.device)
        scale = self._learner.model.logit_scale
        loss = contrastive_loss(slides, texts, scale, alike)
        (self._learner.contrast * loss).backward()
        if not self._world.first:
            scale.grad = None  # the same in all processes, and gradients are summed over them
        return float(loss.detach()), (slides.grad[share], texts.grad[share])

    def _backward(
        self,
        pieces: Sequence[UnreadPairs],
        kept: Sequence[LearntPairs],
        gradients: tuple[Tensor, Tensor],
        step: int,
        count: int,
    ) -> Tensor:
        """Carry gradients on to the parameters; the sums of the objective's losses, float32 [K]."""
        sums = torch.zeros(len(self._learner.objective.names), device=self._compute.device)
        done = 0
        for number, piece in enumerate(pieces):
            made = kept[number] if kept else self._embed(piece, step)
            with self._compute.seed_random(self._seed, step, count + piece.row), self._compute.autocast():
                losses = self._learner.measure(made)
            rows = slice(done, done + len(piece.reports))
            outputs = [*made.vectors, self._learner.weigh(losses.float()) / count]
            wanted = [gradients[0][rows], gradients[1][rows], None]
            learnt = [(o, g) for o, g in zip(outputs, wanted, strict=True) if o.requires_grad]
            torch.autograd.backward([output for output, _ in learnt], [gradient for _, gradient in learnt])
            sums += losses.detach()
            done = rows.stop
        return sums

    def _together(self, work: Callable[[], T]) -> T:
        """Do it in every process; raises _MemoryShort in all of them when memory runs out in any."""
        done: list[T] = []
        try:
            done.append(work())
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
        if self._world.any(not done):
            raise _MemoryShort
        return done[0]

    def _halve(self) -> None:
        if self.micro_batch == 1:
            advice = "Lower the tiles a slide, the dimension or the trained text layers, or take a larger machine"
            raise ConfigurationError("micro_batch=1", "a single slide does not fit into memory", advice)
        self.micro_batch = self.micro_batch // 2
        if self._compute.device.type == "cuda":
            torch.cuda.empty_cache()
        log.warning("out of memory: going on with micro-batches of %d", self.micro_batch)
