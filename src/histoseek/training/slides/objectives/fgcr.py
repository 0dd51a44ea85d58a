"""What FGCR is trained for beside the contrast of slides and reports (doi 10.1016/j.media.2024.103163)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from histoseek.training.slides.learning.model import SlideTextModel
from histoseek.training.slides.learning.objective import EmbeddedPairs, Objective, PairBatch
from histoseek.training.slides.objectives.masked_words import MaskedWordsLoss, why_not_masked
from histoseek.training.slides.objectives.prompt_losses import AnchorPromptLoss, PromptClassLoss
from histoseek.training.slides.objectives.token_alignment import TokenAlignmentLoss
from histoseek.training.slides.recipes import ANCHOR_PROMPTS, MASKED_WORDS, PROMPT_CLASSES, TOKEN_ALIGNMENT

MOST_WORDS = 64
"""Tokens of a report that are aligned with regions in one step; of a longer one, others in each step."""

MASKED_SHARE = 0.3
"""Of a report's tokens are hidden. FGCR hides .4; smaller models do best with less (Wettig et al. 2023)."""

MOST_MASKED = 32
"""Tokens of a report that are hidden in one step: each costs logits over the whole vocabulary."""

_FOR_WORDS, _FOR_MASKS = 0, 1
"""What is drawn."""


class FgcrObjective(Objective):
    """Four losses: regions against prompts, regions against words, prompts from whole vectors, hidden words.

    Losses are float32, also under autocast. Those switched off have no parameters. The others' are drawn at random:
    make it where randomness is seeded.
    """

    names = (ANCHOR_PROMPTS, TOKEN_ALIGNMENT, PROMPT_CLASSES, MASKED_WORDS)
    _balance: Tensor
    _special_ids: Tensor

    def __init__(
        self, model: SlideTextModel, prompts: Sequence[str], balance: Tensor, losses: Mapping[str, float]
    ) -> None:
        """prompts: P texts; balance: [2, P], how much it counts that a report is silent on a prompt (first row), and
        that it states it; losses: weights by name, 0 for those left out. Masked words are switched off, with a note,
        where the text tower learns nothing from them."""
        super().__init__()
        tower, dimension = model.text_model, model.architecture.dimension
        weights = {name: float(losses.get(name, 0)) for name in self.names}
        reason = why_not_masked(tower) if weights[MASKED_WORDS] else ""
        if reason:
            weights[MASKED_WORDS] = 0.0
            self.notes = (f"{MASKED_WORDS} is switched off: {reason}",)
        self.weights = tuple(weights.values())
        makers: dict[str, Callable[[], nn.Module]] = {
            ANCHOR_PROMPTS: AnchorPromptLoss,
            TOKEN_ALIGNMENT: lambda: TokenAlignmentLoss(dimension),
            PROMPT_CLASSES: lambda: PromptClassLoss(dimension, len(prompts)),
            MASKED_WORDS: lambda: MaskedWordsLoss(tower),
        }
        self.losses = nn.ModuleDict({name: make() for name, make in makers.items() if weights[name]})
        self._prompts = tuple(prompts)
        self.register_buffer("_balance", balance.float(), persistent=False)
        special_ids = torch.tensor(tower.tokenizer.special_ids, dtype=torch.int64)
        self.register_buffer("_special_ids", special_ids, persistent=False)

    def forward(self, model: SlideTextModel, pairs: PairBatch, embedded: EmbeddedPairs) -> Tensor:
        """The losses, float32 [4], each summed over the pairs."""
        computed = (self._align_prompts, self._align_words, self._classify, self._guess_words)
        nothing = embedded.texts.new_zeros((), dtype=torch.float32)
        return torch.stack(
            [
                compute(self.losses[name], model, pairs, embedded) if name in self.losses else nothing
                for name, compute in zip(self.names, computed, strict=True)
            ]
        )

    def _align_prompts(
        self, loss: nn.Module, model: SlideTextModel, pairs: PairBatch, embedded: EmbeddedPairs
    ) -> Tensor:
        prompts = model.texts(model.text_model.tokens(self._prompts)).float()
        anchors, mask = _find_anchors(embedded)
        with _full_precision(prompts):
            total: Tensor = loss(anchors, mask, prompts, pairs.targets, self._balance)
        return total

    def _align_words(self, loss: nn.Module, model: SlideTextModel, pairs: PairBatch, embedded: EmbeddedPairs) -> Tensor:
        places = draw_places(self._plain(pairs), 1.0, MOST_WORDS, (pairs.seed, _FOR_WORDS), pairs.row)
        # The chosen tokens come first, in the order of the text.
        order = (~places).int().argsort(dim=1, stable=True)[:, : int(places.sum(1).max())]
        rows = torch.arange(len(order), device=order.device)[:, None]
        words = project_states(model, embedded.token_states[rows, order]).float()
        anchors, mask = _find_anchors(embedded)
        with _full_precision(words):
            total: Tensor = loss(anchors, mask, words, places[rows, order], pairs.tokens.ids[rows, order])
        return total

    def _classify(self, loss: nn.Module, model: SlideTextModel, pairs: PairBatch, embedded: EmbeddedPairs) -> Tensor:
        slides, texts = embedded.slides.global_vectors.float(), embedded.texts.float()
        with _full_precision(slides):
            total: Tensor = loss(slides, texts, pairs.targets, self._balance)
        return total

    def _guess_words(self, loss: nn.Module, model: SlideTextModel, pairs: PairBatch, embedded: EmbeddedPairs) -> Tensor:
        places = draw_places(self._plain(pairs), MASKED_SHARE, MOST_MASKED, (pairs.seed, _FOR_MASKS), pairs.row)
        total: Tensor = loss(model.text_model, pairs.tokens, places)
        return total

    def _plain(self, pairs: PairBatch) -> Tensor:
        """Which tokens are of the text itself, bool [b, L]."""
        return pairs.tokens.mask & ~torch.isin(pairs.tokens.ids, self._special_ids)


def project_states(model: SlideTextModel, states: Tensor) -> Tensor:
    """Token states [b, L, W] on the way that whole reports go, into the space of slides: [b, L, D] of length one."""
    directions = functional.normalize(model.text_model.proj(states), dim=-1)
    return functional.normalize(model.text_projection(directions), dim=-1)


def draw_places(eligible: Tensor, share: float, most: int, seed: tuple[int, ...], row: int) -> Tensor:
    """Some of each report's eligible places, bool [b, L]: a share of them, but at least 1 and at most `most`.

    row: the place of the first report in the whole batch; a report's draw depends on the seed, on its own place and on
    which of its places are eligible. Numbers of the seed and row must not be negative.
    """
    places = eligible.cpu().numpy()
    chosen = np.zeros_like(places)
    for report, candidates in enumerate(map(np.flatnonzero, places)):
        count = min(most, max(1, round(share * len(candidates))), len(candidates))
        random = np.random.default_rng([*seed, row + report])
        chosen[report, random.choice(candidates, count, replace=False)] = True
    return torch.from_numpy(chosen).to(eligible.device)


def _find_anchors(embedded: EmbeddedPairs) -> tuple[Tensor, Tensor]:
    """Mosaic vectors in float32, and which of them there are."""
    anchors, mask = embedded.slides.mosaics.float(), embedded.slides.mosaic_mask
    return anchors, anchors.new_ones(anchors.shape[:2], dtype=torch.bool) if mask is None else mask


def _full_precision(tensor: Tensor) -> torch.autocast:
    return torch.autocast(tensor.device.type, enabled=False)
