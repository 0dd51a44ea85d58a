"""Tile encoders of the user's own: a function, or a network of torch (timm's among them)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from histoseek.encoders.cards.card import Interpolation, Network, Preparation, Publication, Variant
from histoseek.encoders.published_files.identity import identify_own
from histoseek.encoders.tile.base import TileCard, TileEncoder
from histoseek.encoders.tile.preparation import prepare_pixels
from histoseek.errors import ConfigurationError, EncoderError
from histoseek.own_code import require_own_name, running_own_code

if TYPE_CHECKING:
    from torch import nn

_FACTOR = 4
"""How much finer or coarser than its usual spacing it may be used."""

_IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class OwnTileEncoder:
    """A tile encoder made of your own function or network.

    >>> encoder = OwnTileEncoder("mine", lambda tiles: tiles.mean((1, 2)), dimension=3, tile_px=64)
    >>> encoder.encode(np.zeros((2, 64, 64, 3), np.uint8)).shape
    (2, 3)
    """

    def __init__(
        self,
        name: str,
        compute: Callable[[NDArray[np.uint8]], Any] | nn.Module,
        *,
        dimension: int,
        tile_px: int = 224,
        spacing_um_per_px: float = 0.5,
        version: str = "1",
        weights: str | Path = "",
        input_px: int = 0,
        mean: Sequence[float] = (),
        std: Sequence[float] = (),
        interpolation: Interpolation = "bicubic",
    ) -> None:
        """Features are known by name, version and weights: change one of them when the features change.

        compute: gives features [B, dimension] of RGB tiles, uint8 [B, input_px, input_px, 3], resized where that is not
        tile_px; or a network of torch that does so of images [B, 3, input_px, input_px], normalised by mean and std (a
        timm network's own, else those of ImageNet). weights: a file, or its hash in hex digits; without it a network's
        tensors are hashed. Raises ConfigurationError.
        """
        require_own_name(name, taken=False)
        self._compute = compute
        edge, given = input_px or tile_px, weights or (_hash_tensors(compute) if _is_network(compute) else "")
        usual_mean, usual_std = _find_normalisation(compute)
        try:
            preparation = Preparation(
                edge, _three(mean or usual_mean), _three(std or usual_std), tile_px, edge, interpolation
            )
            variant = Variant("own", int(dimension), "pooled")
        except (TypeError, ValueError) as error:
            raise ConfigurationError(f"encoder {name}", str(error), "See docs/own-encoders.md") from error
        if min(variant.dimension, spacing_um_per_px, tile_px, edge) <= 0:
            raise ConfigurationError(f"encoder {name}", "has a size that is not positive", "See docs/own-encoders.md")
        self.weights_hash = identify_own(name, version, given)
        self.card = _make_card(name, version, variant, preparation, float(spacing_um_per_px))

    @property
    def runtime(self) -> str:
        """What computes it."""
        return self._network.runtime if self._network else "own function"

    def encode(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Features [B, dimension] of tiles; raises EncoderError when the code fails, or gives something else."""
        with running_own_code(self.card.name):
            prepared = prepare_pixels(pixels, self.card.preparation)
            given = self._network.encode(prepared) if self._network else self._compute(prepared)
            with np.errstate(over="ignore"):  # said below
                features = np.ascontiguousarray(given, dtype=np.float32)
        wanted = (len(pixels), self.card.dimension)
        if features.shape != wanted:
            what = f"gave features of shape {features.shape}, wanted {wanted}"
            raise EncoderError(self.card.name, what, "Check its dimension")
        if not np.isfinite(features).all():
            raise EncoderError(self.card.name, "gave features that are no finite numbers", "Check its weights")
        return features

    @cached_property
    def _network(self) -> TileEncoder | None:
        """The network in torch, on the device of the settings; None for a function."""
        if not _is_network(self._compute):
            return None
        from histoseek.encoders.tile.runtimes.choice import load_in_torch

        network: Any = self._compute
        return load_in_torch(self.card, self.weights_hash, network.eval())


def _make_card(
    name: str, version: str, variant: Variant, preparation: Preparation, spacing_um_per_px: float
) -> TileCard:
    return TileCard(
        name=name,
        version=version,
        variant=variant,
        network=Network("own", "of the user's own"),
        preparation=preparation,
        publication=Publication("the user's own code", (), "the user's own"),
        spacings_um_per_px=(spacing_um_per_px / _FACTOR, spacing_um_per_px * _FACTOR),
        usual_spacing_um_per_px=spacing_um_per_px,
        precision="float32",
        tile_bytes=16 * 2**20,
        extra="",
        offline="",
    )


def _is_network(compute: object) -> bool:
    """Whether it is a module of torch, which is not imported to find out."""
    return any(kind.__module__ == "torch.nn.modules.module" for kind in type(compute).__mro__)


def _find_normalisation(compute: object) -> tuple[Sequence[float], Sequence[float]]:
    """That of a timm network, else ImageNet's."""
    stated = getattr(compute, "pretrained_cfg", None)
    if isinstance(stated, dict) and stated.get("mean") and stated.get("std"):
        return stated["mean"], stated["std"]
    return _IMAGENET


def _three(values: Sequence[float]) -> tuple[float, float, float]:
    if len(values) != 3:
        raise ValueError("mean and std are three numbers each")
    red, green, blue = map(float, values)
    return red, green, blue


def _hash_tensors(network: Any) -> str:
    """SHA-256 of the names and values of a network's tensors."""
    total = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        values = tensor.detach().cpu().float().numpy()
        total.update(f"{name} {values.shape}".encode() + np.ascontiguousarray(values, "<f4").tobytes())
    return total.hexdigest()
