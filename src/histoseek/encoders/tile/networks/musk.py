"""MUSK (Xiang et al. 2025, Nature 638:769), a BEiT-3 (Wang et al. 2022, arXiv 2208.10442) of torch's layers.

Pictures and texts each have weights of their own in every layer ("A" and "B" in the published names), which see each
other in no use that is made here: both sides are one kind of transformer, with layer norms inside attention and mixing
(Wang et al. 2022, arXiv 2210.06423). Positions begin at the third, as Fairseq counts them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from histoseek.encoders.cards.card import Network
from histoseek.encoders.sentence_pieces import make_tokenizer, read_sentence_pieces
from histoseek.encoders.tile.base import TileCard
from histoseek.encoders.tile.networks.base import (
    NetworkKind,
    Tensors,
    require_exactly,
    shapes_of,
    unwrap_names,
    without_random_values,
)
from histoseek.encoders.tile.networks.prompts import PromptTower, Tokenize, make_words
from histoseek.encoders.tile.words import WordTower
from histoseek.encoders.weight_files import EncoderFiles, read_tensors
from histoseek.errors import EncoderError

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor, nn

ALIGNED, SCALES = "aligned", "ms_aug"
"""Variants: behind the head that is compared with texts; beside the mean over four parts of the picture at twice its
size."""

_IMAGES, _TEXTS = "A", "B"
_SCALE, _HEAD = "logit_scale", "vision_head.weight"
_FIRST_POSITION = 2
_TOKENS = 100
_VOCABULARY = "tokenizer.spm"
_BEGIN, _PAD, _END, _UNKNOWN = range(4)
_OWN_PIECES = 3
"""Those that SentencePiece numbers first (unknown, begin, end), of which XLM-R makes four in another order."""


@dataclass(frozen=True, slots=True)
class _Sizes:
    edge: int = 384
    patch: int = 16
    width: int = 1024
    depth: int = 24
    heads: int = 16
    vocabulary: int = 64010
    positions: int = 1024


def build(card: TileCard) -> nn.Module:
    """The empty image side."""
    import torch

    sizes, variant = _read_sizes(card.network), card.variant.name

    class Images(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            side = sizes.edge // sizes.patch
            self.vision_embed = torch.nn.Module()
            for token in ("mask_token", "cls_token"):
                setattr(self.vision_embed, token, torch.nn.Parameter(torch.empty(1, 1, sizes.width)))
            self.vision_embed.proj = torch.nn.Conv2d(3, sizes.width, sizes.patch, sizes.patch)
            self.encoder = _make_encoder(sizes, side * side + 1 + _FIRST_POSITION)
            self.vision_head = torch.nn.Linear(sizes.width, sizes.width, bias=False)
            texts = _name_as_published(shapes_of(_make_text(sizes).state_dict()), _TEXTS)
            self.shapes = {**_name_as_published(shapes_of(self.state_dict()), _IMAGES), **texts, _SCALE: ()}

        def encode(self, images: Tensor) -> Tensor:
            patches = self.vision_embed.proj(images).flatten(2).transpose(1, 2)
            tokens = torch.cat([self.vision_embed.cls_token.expand(images.shape[0], -1, -1), patches], dim=1)
            states: Tensor = self.encoder(tokens, None)
            return states[:, 0]

        def forward(self, images: Tensor) -> Tensor:
            first = self.encode(images)
            if variant == SCALES:
                return torch.cat([first, self.encode_parts(images)], dim=-1)
            chosen: Tensor = self.vision_head(first) if variant == ALIGNED else first
            return chosen

        def encode_parts(self, images: Tensor) -> Tensor:
            larger = torch.nn.functional.interpolate(images, scale_factor=2, mode="bicubic")
            halves = (part for rows in larger.chunk(2, dim=2) for part in rows.chunk(2, dim=3))
            return torch.stack([self.encode(part) for part in halves]).mean(0)

    with without_random_values():
        return Images()


def fill(module: nn.Module, tensors: Tensors) -> None:
    """Fill the image side; the file must hold the texts' as well."""
    tensors = unwrap_names(tensors)
    require_exactly(module.shapes, tensors)
    _fill_side(module, tensors, _IMAGES)


def load_words(card: TileCard, files: EncoderFiles) -> WordTower:
    """The texts' side; raises EncoderError without its tokenizer, ValueError for other tensors."""
    import torch

    sizes = _read_sizes(card.network)
    tensors = unwrap_names(read_tensors(files.weights))
    with torch.device("meta"):
        shapes = build(card).shapes
    require_exactly(shapes, tensors)
    with without_random_values():
        text = _make_text(sizes)
    _fill_side(text, tensors, _TEXTS)
    tokenize = _read_words(files.require(_VOCABULARY), sizes.vocabulary)
    head = None if card.variant.name == ALIGNED else _make_head(tensors[_HEAD])
    return PromptTower(files.sha256[:16], tokenize, text.eval(), tensors[_SCALE], sizes.width, head)


def _read_sizes(network: Network) -> _Sizes:
    return _Sizes(**dict(network.arguments))  # type: ignore[arg-type]


def _make_head(weight: Tensor) -> nn.Module:
    """From features to the space of texts: that of the class token, which comes first in all variants."""
    import torch

    class Head(torch.nn.Module):
        def forward(self, features: Tensor) -> Tensor:
            return features[:, : len(weight)] @ weight.float().T

    return Head()


def _make_text(sizes: _Sizes) -> nn.Module:
    import torch

    class Text(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.text_embed = torch.nn.Embedding(sizes.vocabulary, sizes.width)
            self.encoder = _make_encoder(sizes, sizes.positions)
            self.language_head = torch.nn.Linear(sizes.width, sizes.width, bias=False)

        def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
            vectors: Tensor = self.language_head(self.encoder(self.text_embed(ids), mask)[:, 0])
            return vectors

    return Text()


def _make_encoder(sizes: _Sizes, positions: int) -> nn.Module:
    import torch

    class Encoder(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed_positions = torch.nn.Embedding(positions, sizes.width)
            self.layers = torch.nn.ModuleList(_make_layer(sizes.width, sizes.heads) for _ in range(sizes.depth))
            self.layer_norm = torch.nn.LayerNorm(sizes.width)

        def forward(self, tokens: Tensor, mask: Tensor | None) -> Tensor:
            """mask: true where a token is real, [B, L]."""
            places = self.embed_positions.weight[_FIRST_POSITION : _FIRST_POSITION + tokens.shape[1]]
            states = tokens + places
            seen = None if mask is None else mask[:, None, None, :]
            for layer in self.layers:
                states = layer(states, seen)
            normed: Tensor = self.layer_norm(states)
            return normed

    return Encoder()


def _make_layer(width: int, heads: int) -> nn.Module:
    import torch

    class Attention(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.k_proj, self.v_proj, self.q_proj, self.out_proj = (torch.nn.Linear(width, width) for _ in range(4))
            self.inner_attn_ln = torch.nn.LayerNorm(width)

        def forward(self, states: Tensor, seen: Tensor | None) -> Tensor:
            split = (each(states).unflatten(-1, (heads, -1)).transpose(1, 2) for each in self.inputs())
            mixed = torch.nn.functional.scaled_dot_product_attention(*split, attn_mask=seen)
            attended: Tensor = self.out_proj(self.inner_attn_ln(mixed.transpose(1, 2).flatten(2)))
            return attended

        def inputs(self) -> tuple[nn.Module, ...]:
            return self.q_proj, self.k_proj, self.v_proj

    class Mixing(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc1, self.fc2 = torch.nn.Linear(width, 4 * width), torch.nn.Linear(4 * width, width)
            self.ffn_layernorm = torch.nn.LayerNorm(4 * width)

        def forward(self, states: Tensor) -> Tensor:
            mixed: Tensor = self.fc2(self.ffn_layernorm(torch.nn.functional.gelu(self.fc1(states))))
            return mixed

    class Layer(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.self_attn, self.ffn = Attention(), Mixing()
            self.self_attn_layer_norm, self.final_layer_norm = torch.nn.LayerNorm(width), torch.nn.LayerNorm(width)

        def forward(self, states: Tensor, seen: Tensor | None) -> Tensor:
            states = states + self.self_attn(self.self_attn_layer_norm(states), seen)
            mixed: Tensor = self.ffn(self.final_layer_norm(states))
            return states + mixed

    return Layer()


def _name_as_published(shapes: dict[str, tuple[int, ...]], side: str) -> dict[str, tuple[int, ...]]:
    return {_publish(name, side): value for name, value in shapes.items()}


def _publish(name: str, side: str) -> str:
    """The name in the file of a side's parameter: the side stands behind the layer that there are two of."""
    if name.endswith("_head.weight"):
        return name
    if name.startswith("encoder."):
        layer, _, kind = name.rpartition(".")
        name = name.replace(".ffn.", f".ffn.{side}.") if ".ffn." in name else f"{layer}.{side}.{kind}"
    return f"beit3.{name}"


def _fill_side(module: nn.Module, tensors: Tensors, side: str) -> None:
    module.load_state_dict({name: tensors[_publish(name, side)] for name in module.state_dict()})


def _read_words(path: Path, vocabulary: int) -> Tokenize:
    """XLM-R's tokens of a model of SentencePiece, whose pieces it numbers from the fourth on."""
    model = read_sentence_pieces(path)
    pieces = [(f"\0{number}", 0.0) for number in range(_UNKNOWN + 1)] + list(model.pieces[_OWN_PIECES:])
    if model.unknown or len(pieces) > vocabulary:
        raise EncoderError(str(path), "not the tokenizer of MUSK", "Download the file again")
    tokenizer = make_tokenizer(pieces, _UNKNOWN, model.characters, begins_with=_BEGIN, ends_with=_END)
    return make_words(tokenizer, _TOKENS, _PAD)


KIND = NetworkKind(build, fill, load_words)
