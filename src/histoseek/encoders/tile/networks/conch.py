"""CONCH (Lu et al. 2024, Nat Med 30:863) and CONCH v1.5 (Ding et al. 2024, arXiv 2411.19666), built of timm and torch.

Both pool the tokens of a vision transformer by one query that attends to them. CONCH's vectors before its projection
are what most tools keep; texts are compared with them behind it. Parameters have the names of the published files.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from histoseek.encoders.cards.card import Network
from histoseek.encoders.devices import import_timm
from histoseek.encoders.tile.base import TileCard
from histoseek.encoders.tile.networks.base import (
    NetworkKind,
    Tensors,
    fill_exactly,
    require_exactly,
    select,
    shapes_of,
    strip,
    unwrap_names,
    without_random_values,
)
from histoseek.encoders.tile.networks.conch_text import PAD, make_text
from histoseek.encoders.tile.networks.prompts import PromptTower, read_words
from histoseek.encoders.tile.words import WordTower
from histoseek.encoders.weight_files import EncoderFiles, read_tensors
from histoseek.errors import EncoderError

if TYPE_CHECKING:
    from torch import Tensor, nn

ALIGNED = "aligned"
"""The variant whose vectors are behind the projection."""

_IMAGES, _TEXT, _SCALE = "visual.", "text.", "logit_scale"
_CAPTIONS = ("text_decoder.", "visual.attn_pool_caption.", "visual.ln_caption.")
"""What writes captions: no vector depends on it, and published files hold only some of it."""

_PROJECTION = "visual.proj_contrast"
_POSITIONS = "trunk.pos_embed"
_VOCABULARY = "conch_byte_level_bpe_uncased.json"


@dataclass(frozen=True, slots=True)
class _Sizes:
    """Those of CONCH, of which cards name what differs. vocabulary: tokens; context: with the class token."""

    edge: int = 448
    width: int = 768
    depth: int = 12
    heads: int = 12
    dimension: int = 512
    pooler_heads: int = 8
    layer_scale: float = 0.0
    text_width: int = 768
    text_depth: int = 12
    text_heads: int = 12
    vocabulary: int = 32007
    context: int = 128


def build(card: TileCard) -> nn.Module:
    """CONCH's empty image tower, with its projection in the variant that is behind it."""
    import torch

    sizes = _read_sizes(card.network)
    aligned = card.variant.name == ALIGNED

    class Images(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.trunk = _make_trunk(sizes)
            self.attn_pool_contrast = _make_pooler(sizes)
            self.ln_contrast = torch.nn.LayerNorm(sizes.dimension)
            self.proj_contrast = torch.nn.Parameter(torch.empty(sizes.dimension, sizes.dimension))
            images = {_IMAGES + name: shape for name, shape in shapes_of(self.state_dict()).items()}
            texts = {_TEXT + name: shape for name, shape in shapes_of(_make_text(sizes).state_dict()).items()}
            self.shapes = {**images, **texts, _SCALE: ()}

        def forward(self, images: Tensor) -> Tensor:
            pooled: Tensor = self.ln_contrast(self.attn_pool_contrast(self.trunk.forward_features(images)))
            return pooled @ self.proj_contrast if aligned else pooled

    with without_random_values():
        return Images()


def fill(module: nn.Module, tensors: Tensors) -> None:
    """Fill the image tower; the file must hold the text tower as well."""
    tensors = _drop_captions(tensors)
    own = {_IMAGES + _POSITIONS: _resize_positions(tensors, module)} if _IMAGES + _POSITIONS in tensors else {}
    tensors = {**tensors, **own}
    require_exactly(module.shapes, tensors)
    module.load_state_dict(strip(tensors, _IMAGES))


def load_words(card: TileCard, files: EncoderFiles) -> WordTower:
    """The text tower; raises EncoderError without its tokenizer, ValueError for other tensors."""
    import torch

    sizes = _read_sizes(card.network)
    tensors = _drop_captions(read_tensors(files.weights))
    text = _make_text(sizes)
    fill_exactly(text, strip(tensors, _TEXT))
    square = (sizes.dimension, sizes.dimension)
    require_exactly({_PROJECTION: square, _SCALE: ()}, select(tensors, _PROJECTION, _SCALE))
    head = None
    if card.variant.name != ALIGNED:
        head = torch.nn.Linear(*square, bias=False)
        head.load_state_dict({"weight": tensors[_PROJECTION].T})
    tokenize = read_words(_find_vocabulary(files), sizes.context - 1, sizes.vocabulary, PAD)
    return PromptTower(files.sha256[:16], tokenize, text.eval(), tensors[_SCALE], sizes.dimension, head)


def build_v1_5(card: TileCard) -> nn.Module:
    """CONCH v1.5's empty image tower."""
    import torch

    sizes = _read_sizes(card.network)

    class Images(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.trunk = _make_trunk(sizes)
            self.attn_pool_contrast = _make_plain_pooler(sizes)
            self.ln_contrast = torch.nn.LayerNorm(sizes.dimension)

        def forward(self, images: Tensor) -> Tensor:
            pooled: Tensor = self.ln_contrast(self.attn_pool_contrast(self.trunk.forward_features(images)))
            return pooled

    with without_random_values():
        return Images()


def fill_v1_5(module: nn.Module, tensors: Tensors) -> None:
    """Fill the image tower; positions of a smaller picture are stretched as its authors' code does for each tile."""
    tensors = unwrap_names(tensors)
    if _POSITIONS in tensors:
        tensors[_POSITIONS] = _stretch_positions(tensors[_POSITIONS], module.get_parameter(_POSITIONS))
    fill_exactly(module, tensors)


def _read_sizes(network: Network) -> _Sizes:
    return _Sizes(**dict(network.arguments))  # type: ignore[arg-type]


def _make_trunk(sizes: _Sizes) -> Any:
    return import_timm().create_model(
        "vit_base_patch16_224",
        img_size=sizes.edge,
        embed_dim=sizes.width,
        depth=sizes.depth,
        num_heads=sizes.heads,
        init_values=sizes.layer_scale or None,
        num_classes=0,
    )


def _make_pooler(sizes: _Sizes) -> nn.Module:
    """One query that attends to the tokens, by torch's attention."""
    import torch

    class Pooler(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            width, dimension = sizes.width, sizes.dimension
            self.query = torch.nn.Parameter(torch.empty(1, dimension))
            self.attn = torch.nn.MultiheadAttention(
                dimension, sizes.pooler_heads, kdim=width, vdim=width, batch_first=True
            )
            self.ln_q = torch.nn.LayerNorm(dimension)
            self.ln_k = torch.nn.LayerNorm(width)

        def forward(self, tokens: Tensor) -> Tensor:
            keys = self.ln_k(tokens)
            queries = self.ln_q(self.query).expand(tokens.shape[0], 1, -1)
            pooled: Tensor = self.attn(queries, keys, keys, need_weights=False)[0]
            return pooled[:, 0]

    return Pooler()


def _make_plain_pooler(sizes: _Sizes) -> nn.Module:
    """One query that attends to the tokens, by linear layers without offsets."""
    import torch

    class Pooler(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            width, dimension = sizes.width, sizes.dimension
            self.query = torch.nn.Parameter(torch.empty(1, dimension))
            self.ln_k = torch.nn.LayerNorm(width)
            self.ln_q = torch.nn.LayerNorm(dimension)
            self.to_q = torch.nn.Linear(dimension, dimension, bias=False)
            self.to_kv = torch.nn.Linear(width, 2 * dimension, bias=False)
            self.to_out = torch.nn.Linear(dimension, dimension, bias=False)

        def forward(self, tokens: Tensor) -> Tensor:
            heads, query = sizes.pooler_heads, self.to_q(self.ln_q(self.query))
            keys, values = self.to_kv(self.ln_k(tokens)).unflatten(-1, (2, heads, -1)).permute(2, 0, 3, 1, 4)
            queries = query.unflatten(-1, (heads, -1)).transpose(0, 1).expand(tokens.shape[0], -1, -1, -1)
            pooled = torch.nn.functional.scaled_dot_product_attention(queries, keys, values)
            vectors: Tensor = self.to_out(pooled.transpose(1, 2).flatten(1))
            return vectors

    return Pooler()


def _make_text(sizes: _Sizes) -> nn.Module:
    return make_text(
        sizes.text_width, sizes.text_depth, sizes.text_heads, sizes.vocabulary, sizes.context, sizes.dimension
    )


def _drop_captions(tensors: Tensors) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in unwrap_names(tensors).items() if not name.startswith(_CAPTIONS)}


def _resize_positions(tensors: Tensors, module: nn.Module) -> Tensor:
    """Positions for the edge at hand, resized as CONCH's own loader does."""
    from timm.layers import resample_abs_pos_embed

    positions, wanted = tensors[_IMAGES + _POSITIONS], module.get_parameter(_POSITIONS)
    if positions.shape == wanted.shape or positions.dim() != wanted.dim():
        return positions
    side = math.isqrt(wanted.shape[1] - 1)
    resized: Tensor = resample_abs_pos_embed(
        positions, new_size=[side, side], num_prefix_tokens=1, interpolation="bilinear", antialias=False
    )
    return resized


def _stretch_positions(positions: Tensor, wanted: Tensor) -> Tensor:
    """Bicubic, with a tenth of a patch more than the sides' ratio, by which pixels are looked up as well."""
    import torch

    if positions.shape == wanted.shape or positions.dim() != wanted.dim():
        return positions
    had, side = math.isqrt(positions.shape[1] - 1), math.isqrt(wanted.shape[1] - 1)
    grid = positions[:, 1:].float().reshape(1, had, had, -1).permute(0, 3, 1, 2)
    factor = (side + 0.1) / had
    stretched = torch.nn.functional.interpolate(grid, scale_factor=(factor, factor), mode="bicubic")
    return torch.cat([positions[:, :1].float(), stretched.flatten(2).transpose(1, 2)], dim=1)


def _find_vocabulary(files: EncoderFiles) -> Path:
    """The tokenizer beside the weights, or in the package `conch` where that is installed: the repository of the
    weights does not hold it."""
    package = find_spec("conch")
    places = package.submodule_search_locations or () if package else ()
    inside = (Path(place, "open_clip_custom", "tokenizers", _VOCABULARY) for place in places)
    found = next((path for path in (files.folder / _VOCABULARY, *inside) if path.is_file()), None)
    if found is None:
        advice = "Copy it from github.com/mahmoodlab/CONCH (conch/open_clip_custom/tokenizers)"
        raise EncoderError(str(files.weights), f"there is no {_VOCABULARY} beside it", advice)
    return found


KIND = NetworkKind(build, fill, load_words)
V1_5 = NetworkKind(build_v1_5, fill_v1_5)
