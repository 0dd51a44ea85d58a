"""One training step: the gradient of a whole batch's loss, in as many passes and processes as memory asks for."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from histoseek.encoders.slide.batches import BagBatch
from histoseek.errors import ConfigurationError
from histoseek.training.compute import Compute, out_of_memory
from histoseek.training.loop import require_finite
from histoseek.training.slides.batch_norm import BatchStatistics
from histoseek.training.slides.distributed import World
from histoseek.training.slides.loader import cut_bags, move_bags
from histoseek.training.slides.losses import alike_pairs, contrastive_loss, mosaic_similarity
from histoseek.training.slides.model import SlideTextModel

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch of B pairs: bags and reports of this process's share of it, case and text codes, int64 [B], of all."""

    bags: BagBatch
    reports: tuple[str, ...]
    cases: Tensor
    texts: Tensor


@dataclass(frozen=True, slots=True)
class StepLoss:
    """The losses of one batch, unweighted."""

    contrastive: float
    diversity: float


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some rows of a batch; `row`: the place of the first in the whole batch."""

    bags: BagBatch
    reports: tuple[str, ...]
    row: int


@dataclass(frozen=True, slots=True)
class _Embedded:
    slides: Tensor
    texts: Tensor
    mosaics: Tensor

    def backward(self, gradients: Sequence[Tensor]) -> None:
        torch.autograd.backward((self.slides, self.texts, self.mosaics), gradients)


class _MemoryShort(Exception):
    """Memory ran out in one of the processes."""


class ContrastiveStep:
    """Leaves the gradient of a batch's loss in a model's parameters.

    All pairs of a batch are each other's negatives, however it is cut: the first pass embeds piece by piece without
    keeping graphs, the loss gives its gradient by embedding, the second pass carries that on to the parameters, piece
    by piece with the same dropout (GradCache, Gao et al. 2021). When one piece is enough, so is one pass. The
    result equals that of a single pass up to rounding, but for dropout, which is drawn by piece.
    """

    def __init__(
        self, model: SlideTextModel, world: World, compute: Compute, diversity: float, seed: int, micro_batch: int
    ) -> None:
        self._model = model
        self._world = world
        self._compute = compute
        self._diversity = diversity
        self._seed = seed
        self._statistics = BatchStatistics(model.visual)
        self._shared = [p for p in model.list_trained_parameters() if p is not model.logit_scale]
        self.micro_batch = micro_batch

    def gradients(self, batch: Batch, step: int) -> StepLoss:
        """Set all gradients; halves the micro-batch as often as memory runs out.

        Raises ConfigurationError when a single slide does not fit, EncoderError when the loss is not finite.
        """
        while True:
            try:
                return self._attempt(batch, step)
            except _MemoryShort:
                self._halve()

    def update_statistics(self) -> None:
        """Move the running statistics of normalisation layers towards those of the batch last seen."""
        self._statistics.update(self._world)

    def _attempt(self, batch: Batch, step: int) -> StepLoss:
        self._model.train()
        self._model.zero_grad(set_to_none=True)
        pieces = self._pieces(batch)
        once = len(pieces) == 1
        with self._statistics.observe(), torch.set_grad_enabled(once):
            embedded = self._together(lambda: [self._embed(piece, step) for piece in pieces])
        loss, gradients = self._loss(batch, embedded)
        self._together(lambda: self._backward(pieces, embedded if once else [], gradients, step))
        self._world.sum_gradients(self._shared)
        return loss

    def _pieces(self, batch: Batch) -> list[_Piece]:
        begin, count = self._world.share(len(batch.cases)).start, len(batch.reports)
        cuts = [slice(at, min(at + self.micro_batch, count)) for at in range(0, count, self.micro_batch)]
        return [_Piece(cut_bags(batch.bags, rows), batch.reports[rows], begin + rows.start) for rows in cuts]

    def _embed(self, piece: _Piece, step: int) -> _Embedded:
        distinct = list(dict.fromkeys(piece.reports))
        places = [distinct.index(report) for report in piece.reports]
        with self._compute.seed_random(self._seed, step, piece.row), self._compute.autocast():
            slides = self._model.slides(move_bags(piece.bags, self._compute.device))
            texts = self._model.texts(self._model.text_model.tokens(distinct))[places]
        return _Embedded(slides.global_vectors.float(), texts.float(), slides.mosaics.float())

    def _loss(self, batch: Batch, embedded: Sequence[_Embedded]) -> tuple[StepLoss, list[Tensor]]:
        """The loss of the whole batch, and its gradient by this process's slides, texts and mosaics."""
        count, share = len(batch.cases), self._world.share(len(batch.cases))
        own = [torch.cat([getattr(e, name).detach() for e in embedded]) for name in ("slides", "texts", "mosaics")]
        slides, texts = (self._world.gather(rows).requires_grad_() for rows in own[:2])
        mosaics = own[2].requires_grad_()
        alike = alike_pairs(batch.cases, batch.texts).to(self._compute.device)
        contrastive = contrastive_loss(slides, texts, self._model.logit_scale, alike)
        diversity = mosaic_similarity(mosaics).sum() / count
        (contrastive + self._diversity * diversity).backward()
        loss = StepLoss(float(contrastive.detach()), float(self._world.sum(diversity)))
        require_finite((loss.contrastive, loss.diversity))
        return loss, [slides.grad[share], texts.grad[share], mosaics.grad]

    def _backward(
        self, pieces: Sequence[_Piece], embedded: Sequence[_Embedded], gradients: Sequence[Tensor], step: int
    ) -> None:
        done = 0
        for number, piece in enumerate(pieces):
            again = embedded[number] if embedded else self._embed(piece, step)
            rows = slice(done, done + len(piece.reports))
            again.backward([gradient[rows] for gradient in gradients])
            done = rows.stop

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
