"""The text encoder of FGCR's reference as a torch module, its parameters named as in state dicts of its class."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from histoseek.encoders.slide.base import Shapes

HEADS = 4
"""Attention heads of the reference's text encoder, which no tensor shows."""


@dataclass(frozen=True, slots=True)
class TextSizes:
    """Words known, values of a word's vector, width, most words of a text, layers, width of their hidden layer."""

    words: int
    word_dimension: int
    dimension: int
    positions: int
    depth: int
    hidden: int

    @classmethod
    def infer(cls, shapes: Shapes) -> TextSizes:
        """The sizes from the shapes of a state dict; raises ValueError, which says why it is not the reference's."""
        try:
            words, word_dimension = shapes["text_embedding.weight"]
            positions, dimension = shapes["text_position_embeddings.weight"]
            hidden = shapes["text_encoder.layers.0.linear1.weight"][0]
        except KeyError as error:
            raise ValueError(f"no FGCR text encoder (no {error.args[0]})") from error
        except (ValueError, IndexError) as error:
            raise ValueError("no FGCR text encoder (tensors of other shapes)") from error
        depth = len({name.split(".")[2] for name in shapes if name.startswith("text_encoder.layers.")})
        if not dimension or dimension % HEADS or min(words, word_dimension, positions, hidden) < 1:
            raise ValueError(f"no FGCR text encoder (width {dimension} does not divide by {HEADS} heads)")
        return cls(words, word_dimension, dimension, positions, depth, hidden)


class ReferenceTextNetwork(nn.Module):
    """Words, their places, a norm, layers with their norms behind (post-norm), and a last norm."""

    def __init__(self, sizes: TextSizes) -> None:
        super().__init__()
        self.text_embedding = nn.Embedding(sizes.words, sizes.word_dimension)
        self.text_linear = nn.Linear(sizes.word_dimension, sizes.dimension)
        self.text_position_embeddings = nn.Embedding(sizes.positions, sizes.dimension)
        self.text_cls_token = nn.Parameter(torch.randn(1, 1, sizes.dimension))
        self.LayerNorm = nn.LayerNorm(sizes.dimension)
        layer = nn.TransformerEncoderLayer(sizes.dimension, HEADS, sizes.hidden, batch_first=True)
        last = nn.LayerNorm(sizes.dimension)
        self.text_encoder = nn.TransformerEncoder(layer, sizes.depth, last, enable_nested_tensor=False)

    def embed_reports(self, rows: Tensor, mask: Tensor) -> Tensor:
        """Class embeddings [B, D], behind the tanh, of texts as rows of words, int64 [B, L], at most `positions` of
        them; mask: bool [B, L], true where there is one. The class token stands before them and has no place."""
        token = self.text_cls_token.expand(len(rows), -1, -1)
        states = self.LayerNorm(torch.cat([token, self._place_words(rows)], dim=1))
        out: Tensor = self.text_encoder(states, src_key_padding_mask=~F.pad(mask, (1, 0), value=True))
        return out[:, 0].tanh()

    def embed_words(self, rows: Tensor, mask: Tensor) -> Tensor:
        """The last states of words [B, L, D] that are read without a class token, as the reference reads its prompts:
        all of them as one text of single words. Arguments as for `embed_reports`, a word in each row."""
        out: Tensor = self.text_encoder(self.LayerNorm(self._place_words(rows)), src_key_padding_mask=~mask)
        return out

    def _place_words(self, rows: Tensor) -> Tensor:
        placed: Tensor = (
            self.text_linear(self.text_embedding(rows)) + self.text_position_embeddings.weight[: rows.shape[1]]
        )
        return placed
