"""Published models made small: the card of one, with other sizes, and weights as the published file holds them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from histoseek.encoders.cards.card import Argument, Preparation, TileModelCard
from histoseek.encoders.cards.catalogue import list_tile_models
from histoseek.encoders.tile import registry
from histoseek.encoders.tile.base import TileCard
from histoseek.encoders.tile.networks.base import NetworkKind, shapes_of
from histoseek.settings import get_settings

HARD_TEXTS = (
    "H&E image of tumor",
    "Ein Gewebe mit größeren Zellen, µm, naïve  café\t\n",
    "日本語 \u200d🧬 🧪 — “quoted” ½",
    "a" * 300 + " " + "word, " * 400,
    "<b>&lt;html&gt;</b> don't 's 've 123456",
    "x",
)
"""What tokenizers differ in: case, accents, scripts, signs, entities, and far more words than a context takes."""


def require_packages() -> None:
    """Skip a module where the libraries of networks are not installed."""
    for package in ("torch", "timm", "open_clip", "transformers"):
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed", allow_module_level=True)


def find_model(name: str) -> TileModelCard:
    return next(model for model in list_tile_models() if model.name == name)


def shrink(
    model: TileModelCard, arguments: dict[str, Argument], edge: int, dimensions: dict[str, int] | int
) -> TileModelCard:
    """The card with these arguments beside or instead of its own, an input of `edge` px, and these dimensions."""
    own = model.preparation
    preparation = Preparation(edge, own.mean, own.std, interpolation=own.interpolation)
    network = replace(model.network, arguments=tuple({**dict(model.network.arguments), **arguments}.items()))
    sizes = dimensions if isinstance(dimensions, dict) else {each.name: dimensions for each in model.variants}
    variants = tuple(replace(each, dimension=sizes[each.name]) for each in model.variants)
    return replace(model, network=network, preparation=preparation, variants=variants)


def publish(monkeypatch: pytest.MonkeyPatch, *models: TileModelCard) -> None:
    """Let the registry know these alone."""
    monkeypatch.setattr(registry, "list_tile_models", lambda: models)


@pytest.fixture(name="in_torch")
def fixture_in_torch(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Encoders are computed by torch, in float32."""
    monkeypatch.setenv("HISTOSEEK_RUNTIME", "torch")
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


def draw_tensors(shapes: dict[str, tuple[int, ...]], seed: int = 0) -> dict[str, Any]:
    """Random tensors of these names and shapes, of such sizes that every part counts in what a network gives."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    tensors = {name: torch.randn(shape, generator=generator) * 0.1 for name, shape in shapes.items()}
    return {name: tensor + (1 if _is_gain(name) else 0) for name, tensor in tensors.items()}


def _is_gain(name: str) -> bool:
    part, _, kind = name.rpartition(".")
    is_norm = "norm" in part or "ln" in part.rpartition(".")[2] or "LayerNorm" in part
    return kind == "weight" and is_norm


def draw_weights(network: Any, seed: int = 0) -> dict[str, Any]:
    """Random tensors for all of a network, which is filled with them."""
    tensors = draw_tensors(shapes_of(network.state_dict()), seed)
    network.load_state_dict(tensors)
    network.eval()
    return tensors


def draw_tiles(edge: int, count: int = 3) -> NDArray[np.uint8]:
    return np.random.default_rng(edge).integers(0, 256, (count, edge, edge, 3), dtype=np.uint8)


def normalise(tiles: NDArray[np.uint8], card: TileModelCard) -> Any:
    """As networks take tiles that have their edge."""
    import torch

    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (card.preparation.mean, card.preparation.std))
    return (torch.from_numpy(tiles).permute(0, 3, 1, 2).float() / 255 - mean) / std


def count_published(name: str) -> tuple[int, dict[str, tuple[int, ...]]]:
    """Parameters of the file that a card's network takes, at full size, and the shapes by name; no memory is used."""
    import torch

    model = find_model(name)
    card = registry.make_tile_card(model, model.variants[0])
    kind = find_kind(card)
    with torch.device("meta"):
        shapes = dict(kind.build(card).shapes)
    return sum(int(np.prod(shape)) for shape in shapes.values()), shapes


def export_for_any_batch(model: TileModelCard) -> None:
    """Export the card's networks as their runtimes do, which fails where one is bound to a number of tiles."""
    import torch

    edge = model.preparation.input_px
    for variant in model.variants:
        card = registry.make_tile_card(model, variant)
        network = find_kind(card).build(card).eval()
        tiles = {0: torch.export.Dim("tiles")}
        torch.export.export(network, (torch.zeros(2, 3, edge, edge),), dynamic_shapes=(tiles,), strict=False)


def find_kind(card: TileCard) -> NetworkKind:
    kind = registry._find_kind(card)
    assert kind is not None
    return kind


def unit(vectors: Any) -> NDArray[np.float32]:
    """Rows of length one."""
    array = np.asarray(vectors, np.float32)
    scaled: NDArray[np.float32] = array / np.linalg.norm(array, axis=1, keepdims=True)
    return scaled


def write(tensors: dict[str, Any], path: Path) -> Path:
    import torch
    from safetensors.torch import save_file

    if path.suffix == ".safetensors":
        save_file(tensors, path)
    else:
        torch.save(tensors, path)
    return path
