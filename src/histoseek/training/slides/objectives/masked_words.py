"""Hidden words of a report, to be told from the rest of it."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from histoseek.encoders.text.tower import TextTower, Tokens


class MaskedWordsLoss(nn.Module):
    """Masked language modelling (BERT, Devlin et al. 2019, arXiv 1810.04805): what stood at hidden places?

    All hidden tokens become the mask token: to leave or exchange some gains nothing (Wettig et al. 2023, arXiv
    2202.08005). The head is BERT's, its last matrix the tower's own table of words, scaled so that logits start with
    variance 1. Raises ValueError for a tower of which `why_not_masked` says something.
    """

    def __init__(self, tower: TextTower) -> None:
        super().__init__()
        table, mask_id = find_word_table(tower), tower.tokenizer.mask_id
        if table is None or mask_id is None:
            raise ValueError(why_not_masked(tower))
        with torch.no_grad():
            state_width = tower.states(tower.tokens(["tissue"])).shape[-1]
            self._scale = 1 / (float(table.std()) * math.sqrt(table.shape[1]))
        self._mask_id = mask_id
        self.head = nn.Sequential(nn.Linear(state_width, table.shape[1]), nn.GELU(), nn.LayerNorm(table.shape[1]))
        self.bias = nn.Parameter(torch.zeros(len(table)))

    def forward(self, tower: TextTower, tokens: Tokens, places: Tensor) -> Tensor:
        """The mean over each report's hidden places, bool [b, L], summed over the reports; 0 for one without any."""
        hidden = Tokens(tokens.ids.masked_fill(places, self._mask_id), tokens.mask)
        states = tower.states(hidden)[places]
        table = find_word_table(tower)
        logits = functional.linear(self._scale * self.head(states), table, self.bias).float()
        losses = functional.cross_entropy(logits, tokens.ids[places], reduction="none")
        shares = (places / places.sum(1, keepdim=True).clamp(min=1))[places]
        return (losses * shares).sum()


def find_word_table(tower: TextTower) -> Tensor | None:
    """The vectors of a tower's tokens, [tokens, width], as transformers' models name them; None for others."""
    find = getattr(tower.transformer, "get_input_embeddings", None)
    return find().weight if callable(find) else None


def why_not_masked(tower: TextTower) -> str:
    """Why a tower learns nothing from hidden words; empty where it does."""
    if tower.tokenizer.mask_id is None:
        return f"the tokenizer of {tower.card.name} has no mask token"
    if find_word_table(tower) is None:
        return f"{tower.card.name} does not give its table of words"
    if not any(parameter.requires_grad for parameter in tower.transformer.parameters()):
        return "no layer of the text encoder is trained"
    return ""
