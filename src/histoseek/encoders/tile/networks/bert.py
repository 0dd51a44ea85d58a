"""BERT as a text tower: the first token's state through two linear layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from histoseek.encoders.devices import import_transformers

if TYPE_CHECKING:
    from torch import Tensor, nn

PAD = 0


def make_bert_text(config: Mapping[str, Any], dimension: int) -> nn.Module:
    """An empty tower with the names of open_clip's HFTextEncoder, from token ids [B, L], padded with 0, to vectors
    [B, dimension]; config: what differs from BERT-base, which PubMedBERT has the sizes of."""
    import torch

    transformers = import_transformers()

    class BertText(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.transformer = transformers.BertModel(transformers.BertConfig(**config), add_pooling_layer=False)
            width = self.transformer.config.hidden_size
            hidden = (width + dimension) // 2
            self.proj = torch.nn.Sequential(
                torch.nn.Linear(width, hidden, bias=False),
                torch.nn.GELU(),
                torch.nn.Linear(hidden, dimension, bias=False),
            )

        def forward(self, ids: Tensor) -> Tensor:
            states = self.transformer(input_ids=ids, attention_mask=(ids != PAD).long()).last_hidden_state
            vectors: Tensor = self.proj(states[:, 0])
            return vectors

    return BertText()
