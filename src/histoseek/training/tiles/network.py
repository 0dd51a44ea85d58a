"""A tile encoder in two parts: a trunk that stays as it is, and the last blocks, which are trained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from histoseek.encoders.cards.card import Preparation
from histoseek.encoders.devices import import_timm
from histoseek.encoders.tile import lite0
from histoseek.encoders.tile.base import TileCard
from histoseek.encoders.tile.preparation import prepare_pixels
from histoseek.encoders.tile.registry import load_tile_network
from histoseek.errors import ConfigurationError, EncoderError, MissingExtra


class _Reached(Exception):
    """Carries what a network gives to its first trained block."""

    def __init__(self, activations: Tensor) -> None:
        super().__init__()
        self.activations = activations


@dataclass(frozen=True)
class SplitNetwork:
    """An encoder's network, cut before its last blocks. Norms keep the statistics that they have (it stays in eval
    mode), so that weights before and after can be averaged. sha256: of the file of the weights before."""

    card: TileCard
    sha256: str
    network: nn.Module
    blocks: nn.ModuleList | nn.Sequential
    first: int

    @property
    def identity(self) -> str:
        """Name, version and weights of the encoder before."""
        return f"{self.card.name} {self.card.version} {self.sha256}"

    @property
    def trained(self) -> dict[str, nn.Parameter]:
        """The parameters of the last blocks and of what follows them, by name."""
        frozen = {id(parameter) for block in self.blocks[: self.first] for parameter in block.parameters()}
        names = _STEMS if _is_lite0(self.card) else _VIT_STEMS
        return {
            name: parameter
            for name, parameter in self.network.named_parameters()
            if id(parameter) not in frozen and not name.startswith((*names, *_CLASSIFIERS))
        }

    def compute_trunk(self, pixels: NDArray[np.uint8]) -> NDArray[np.float16]:
        """What the first trained block gets of tiles [B, tile_px, tile_px, 3], float16 [B, ...]."""
        device = next(self.network.parameters()).device
        images = _normalise(prepare_pixels(pixels, self.card.preparation), self.card.preparation).to(device)
        handle = self.blocks[self.first].register_forward_pre_hook(_stop)
        try:
            with torch.inference_mode():
                self._run_whole(images)
        except _Reached as reached:
            found: NDArray[np.float16] = reached.activations.half().cpu().numpy()
            return found
        finally:
            handle.remove()
        raise RuntimeError("the network does not come to its last blocks")

    def compute_tail(self, activations: Tensor) -> Tensor:
        """Features [B, D] of what `compute_trunk` gave."""
        network: Any = self.network
        values = activations
        for block in self.blocks[self.first :]:
            values = block(values)
        if _is_lite0(self.card):
            head: Tensor = network._bn1(network._conv_head(values))
            return head.clamp(0, 6).mean((2, 3))
        tokens = network.norm(values)
        if self.card.variant.pooling == "pooled":
            pooled: Tensor = network.forward_head(tokens)
            return pooled
        first, patches = tokens[:, 0], tokens[:, self.card.network.prefix_tokens :].mean(1)
        chosen = {"cls": (first,), "mean": (patches,), "cls+mean": (first, patches)}[self.card.variant.pooling]
        return torch.cat(chosen, dim=-1)

    def _run_whole(self, images: Tensor) -> None:
        network: Any = self.network
        (network.extract_features if _is_lite0(self.card) else network.forward_features)(images)


_STEMS = ("_conv_stem", "_bn0")
_VIT_STEMS = ("cls_token", "reg_token", "pos_embed", "patch_embed", "norm_pre")
_CLASSIFIERS = ("_fc", "head", "fc_norm")


def load_split_network(spec: str, blocks: int) -> SplitNetwork:
    """The network of an encoder, with so many of its blocks to train; all parameters are frozen until asked for.

    Raises EncoderError for one that can't be adapted, ConfigurationError for more blocks than it has, MissingExtra.
    """
    card, module, sha256 = load_tile_network(spec)
    network = getattr(module, "network", None)
    if network is None or not (_is_lite0(card) or _is_plain_transformer(network)):
        what = "can't be adapted: its network is neither lite0's nor a plain vision transformer of timm"
        raise EncoderError(spec, what, "Adapt lite0, or an encoder like uni, virchow or h-optimus-0")
    found = network._blocks if _is_lite0(card) else network.blocks
    if blocks >= len(found):
        raise ConfigurationError(f"blocks={blocks}", f"{card.name} has {len(found)}", "Train fewer, of the last ones")
    network.eval().requires_grad_(False)
    return SplitNetwork(card, sha256, network, found, len(found) - blocks)


def make_views(tile: NDArray[np.uint8], count: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A tile [S, S, 3] as it is, then turned, mirrored and a little otherwise stained, uint8 [count, S, S, 3]."""
    return np.stack([tile, *_draw_views(tile, count - 1, rng)])


def _draw_views(tile: NDArray[np.uint8], count: int, rng: np.random.Generator) -> Iterator[NDArray[np.uint8]]:
    """Optical densities of each colour times .9 to 1.1, plus at most .03: what one stainer does from day to day."""
    for _ in range(count):
        turned = np.rot90(tile, int(rng.integers(4)))
        turned = turned[:, ::-1] if rng.random() < 0.5 else turned
        density = -np.log((turned.astype(np.float32) + 1) / 256)
        factor, offset = rng.uniform(0.9, 1.1, 3), rng.uniform(-0.03, 0.03, 3)
        stained = np.exp(-(density * factor.astype(np.float32) + offset.astype(np.float32))) * 256 - 1
        yield stained.clip(0, 255).astype(np.uint8)


def _stop(_module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
    raise _Reached(arguments[0])


def _normalise(pixels: NDArray[np.uint8], preparation: Preparation) -> Tensor:
    mean, std = (np.array(part, np.float32) for part in (preparation.mean, preparation.std))
    scaled = (pixels.astype(np.float32) / 255 - mean) / std
    return torch.from_numpy(np.ascontiguousarray(scaled.transpose(0, 3, 1, 2)))


def _is_lite0(card: TileCard) -> bool:
    return card.name == lite0.CARD.name


def _is_plain_transformer(network: nn.Module) -> bool:
    try:
        import_timm()
    except MissingExtra:
        return False
    from timm.models.vision_transformer import VisionTransformer

    return type(network) is VisionTransformer
