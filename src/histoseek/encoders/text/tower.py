"""A text encoder as a torch module: what training trains, and what encodes where there is no ONNX file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from histoseek.encoders.text.base import TextCard
from histoseek.encoders.token_rows import TextTokenizer, TokenRows
from histoseek.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Tokens:
    """Token rows: ids [B, L] int64, padded at the end; mask [B, L] bool, true where a token is real."""

    ids: Tensor
    mask: Tensor


class TextTower(nn.Module):
    """Transformer, pooling, projection, L2 normalisation.

    The parameter names are those of open_clip's HFTextEncoder (`transformer.*`, `proj.0.weight`, `proj.2.weight`),
    so that published text towers load straight into it. `weights_hash` is that of the weights as loaded.
    """

    def __init__(
        self,
        card: TextCard,
        weights_hash: str,
        tokenizer: TextTokenizer,
        transformer: nn.Module,
        proj: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.card = card
        self.weights_hash = weights_hash
        self.tokenizer = tokenizer
        self.transformer = transformer
        self.proj = nn.Identity() if proj is None else proj

    def tokens(self, texts: Sequence[str]) -> Tokens:
        """The texts' tokens on the tower's device, cut at the context; raises InputError for an empty text."""
        return self.to_tokens(self.tokenizer.rows(self.tokenizer.first_windows(texts)))

    def to_tokens(self, rows: TokenRows) -> Tokens:
        """Token rows on the tower's device."""
        device = next(self.parameters()).device
        return Tokens(torch.from_numpy(rows.ids).to(device), torch.from_numpy(rows.mask).to(device))

    def count_truncated(self, texts: Sequence[str]) -> int:
        """How many of the texts `tokens` would cut."""
        return self.tokenizer.longer_than_context(texts)

    @property
    def pools_states(self) -> bool:
        """Whether a text's vector is the direction of the mean of its tokens' states."""
        return self.card.pooling == "mean" and isinstance(self.proj, nn.Identity)

    def forward(self, tokens: Tokens) -> Tensor:
        """Vectors [B, dimension] of length one."""
        return self.pool(self.states(tokens), tokens.mask)

    def states(self, tokens: Tokens) -> Tensor:
        """The last layer's states of all tokens, [B, L, width]."""
        states: Tensor = self.transformer(input_ids=tokens.ids, attention_mask=tokens.mask.long()).last_hidden_state
        return states

    def pool(self, states: Tensor, mask: Tensor) -> Tensor:
        """Vectors [B, dimension] of length one, from the states of tokens and which of them are real."""
        pooled = states[:, 0] if self.card.pooling == "cls" else _masked_mean(states, mask)
        return nn.functional.normalize(self.proj(pooled), dim=-1)

    def last_layers(self, count: int) -> list[nn.Parameter]:
        """Parameters of the last `count` transformer layers and of the projection, where there is one.

        Raises ConfigurationError when the transformer has fewer layers.
        """
        layers = _layers(self.transformer)
        if not 0 <= count <= len(layers):
            what = f"{count} layers asked for, {self.card.name} has {len(layers)}"
            raise ConfigurationError("text encoder", what, f"Ask for 0 to {len(layers)}")
        chosen = [*layers[len(layers) - count :], self.proj]
        return [parameter for module in chosen for parameter in module.parameters()]


def _masked_mean(hidden: Tensor, mask: Tensor) -> Tensor:
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * weights).sum(1) / weights.sum(1)


def _layers(transformer: nn.Module) -> Sequence[nn.Module]:
    count = transformer.config.num_hidden_layers
    for module in transformer.modules():
        if isinstance(module, nn.ModuleList) and len(module) == count:
            return list(module)
    return []
