"""What the adaptation of a text encoder gives to the loop: draws, their gradients, validation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from histoseek.encoders.text.tower import TextTower
from histoseek.training.compute import Compute
from histoseek.training.loop import Moment, TrainingTask, require_finite
from histoseek.training.text.draws import Draw, Drawer
from histoseek.training.text.facts import Passage, opposes
from histoseek.training.text.history import AdaptEpoch
from histoseek.training.text.settings import AdaptSettings

_PIECE = 16
"""Texts encoded together: short statements are not padded to the length of reports."""

_VALIDATION_EPOCH = 0
"""The epoch whose draws validation uses, the same every time; training draws are those from 1."""


class AdaptTask(TrainingTask[list[Draw], AdaptEpoch]):
    """Trains the last layers of a tower on the draws of the train part; measures it on those of the validation part."""

    row_type = AdaptEpoch
    measures_start = True

    def __init__(
        self, tower: TextTower, train: Drawer, validation: Drawer, settings: AdaptSettings, compute: Compute
    ) -> None:
        self._tower, self._train, self._validation = tower.to(compute.device), train, validation
        self._settings, self._compute = settings, compute
        self._trained = _freeze_others(tower, settings.layers)

    @property
    def steps(self) -> int:
        """Steps of an epoch, the last of which may have fewer draws."""
        return -(-len(self._train) // self._settings.batch)

    def parameters(self) -> list[nn.Parameter]:
        """Those of the last layers."""
        return list(self._trained.values())

    def state(self) -> dict[str, Tensor]:
        """Copies of the trained parameters on the CPU."""
        return {name: value.detach().cpu().clone() for name, value in self._trained.items()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Put back what `state` gave."""
        self._tower.load_state_dict(dict(state), strict=False)

    def batches(self, epoch: int, begin: int) -> Iterator[list[Draw]]:
        """The draws of an epoch, in an order of its own."""
        order = np.random.default_rng([self._settings.seed, epoch]).permutation(len(self._train))
        size = self._settings.batch
        for at in range(begin, self.steps):
            yield _draw_all(self._train, order[at * size : (at + 1) * size], epoch)

    def backward(self, batch: list[Draw], step: int) -> tuple[float, ...]:
        """The loss; a single draw has nothing to be told apart from, and gives none."""
        self._tower.train()
        self._tower.zero_grad(set_to_none=True)
        if len(batch) < 2:
            return (0.0,)
        with self._compute.seed_random(self._settings.seed, step, 0), self._compute.autocast():
            loss = self._loss(batch)
        loss.backward()
        value = float(loss.detach())
        require_finite((value,))
        return (value,)

    def measure(self, moment: Moment) -> AdaptEpoch:
        """The loss of the validation part."""
        train_loss = moment.losses[0] if moment.losses else None
        return AdaptEpoch(moment.epoch, moment.step, train_loss, self._validation_loss(), moment.seconds)

    def _loss(self, draws: Sequence[Draw]) -> Tensor:
        """The loss of some draws; equal texts are encoded once, and those of like length together."""
        texts = [passage.text for passage in list_passages(draws)]
        distinct = sorted(dict.fromkeys(texts), key=len)
        rows = {text: place for place, text in enumerate(distinct)}
        pieces = [distinct[start : start + _PIECE] for start in range(0, len(distinct), _PIECE)]
        vectors = torch.cat([self._tower(self._tower.tokens(piece)) for piece in pieces])
        return draws_loss(draws, vectors[[rows[text] for text in texts]], self._settings.temperature)

    def _validation_loss(self) -> float:
        """Mean over the draws of the validation part, in batches of the same size as in training."""
        self._tower.eval()
        total, count = 0.0, 0
        with torch.inference_mode():
            for draws in self._validation_batches():
                total += float(self._loss(draws)) * len(draws)
                count += len(draws)
        return total / count if count else 0.0

    def _validation_batches(self) -> Iterator[list[Draw]]:
        order = np.random.default_rng(self._settings.seed).permutation(len(self._validation))
        draws = _draw_all(self._validation, order, _VALIDATION_EPOCH)
        for start in range(0, len(draws), self._settings.batch):
            yield draws[start : start + self._settings.batch]


def _draw_all(drawer: Drawer, places: Sequence[int] | np.ndarray, epoch: int) -> list[Draw]:
    candidates = (drawer.draw(int(place), epoch) for place in places)
    return [draw for draw in candidates if draw is not None]


def _freeze_others(tower: TextTower, layers: int) -> dict[str, nn.Parameter]:
    """The parameters to train by name; all others are frozen."""
    chosen = {id(parameter) for parameter in tower.last_layers(layers)}
    for parameter in tower.parameters():
        parameter.requires_grad_(id(parameter) in chosen)
    return {name: parameter for name, parameter in tower.named_parameters() if parameter.requires_grad}


def find_negatives(anchors: Sequence[Passage], candidates: Sequence[Passage]) -> Tensor:
    """Which candidates may be held apart from which anchors, bool [anchors, candidates]."""
    return torch.tensor([[opposes(anchor, other) for other in candidates] for anchor in anchors], dtype=torch.bool)


def masked_info_nce(anchors: Tensor, candidates: Tensor, negatives: Tensor, temperature: float) -> Tensor:
    """InfoNCE (van den Oord et al. 2018) of B anchors [B, D] and C >= B candidates [C, D], all of length one.

    The right answer of anchor i is candidate i; of the others only those with negatives[i, j], bool [B, C], are in
    its denominator. An anchor without negatives adds nothing.
    """
    diagonal = torch.eye(*negatives.shape, dtype=torch.bool, device=negatives.device)
    logits = (anchors.float() @ candidates.float().T / temperature).masked_fill(~(negatives | diagonal), -torch.inf)
    return functional.cross_entropy(logits, torch.arange(len(logits), device=logits.device))


def draws_loss(draws: Sequence[Draw], vectors: Tensor, temperature: float) -> Tensor:
    """Both directions' mean for B draws; vectors [2 B + N, D] of their `passages`, of length one."""
    count = len(draws)
    anchors, positives, others = vectors[:count], vectors[count : 2 * count], vectors[count:]
    passages = list_passages(draws)
    negatives = find_negatives(passages[:count], passages[count:]).to(vectors.device)
    back = find_negatives(passages[count : 2 * count], passages[:count]).to(vectors.device)
    forth = masked_info_nce(anchors, others, negatives, temperature)
    return (forth + masked_info_nce(positives, anchors, back, temperature)) / 2


def list_passages(draws: Sequence[Draw]) -> list[Passage]:
    """All anchors, then all positives, then all negatives."""
    return [
        *(draw.anchor for draw in draws),
        *(draw.positive for draw in draws),
        *(negative for draw in draws for negative in draw.negatives),
    ]
