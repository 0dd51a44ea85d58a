"""FGCR's slide encoder of our own mode: anchors that cover the tissue, and a network that is what it says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from histoseek.encoders.slide.batches import BagBatch, SlideVectors
from histoseek.encoders.slide.fgcr.anchors import place_anchors
from histoseek.encoders.slide.fgcr.architecture import FgcrArchitecture
from histoseek.encoders.slide.fgcr.blocks import NEGLIGIBLE
from histoseek.encoders.slide.fgcr.network import AnchoredNetwork
from tests.encoders import naive_fgcr as naive
from tests.encoders.naive_published_slides import Part

SMALL = FgcrArchitecture(
    input_dimension=12,
    dimension=16,
    mosaic_size=12,
    depth=2,
    heads=2,
    head_dimension=8,
    mlp_dimension=24,
    scales=(6, 20, 60),
)


def make_network(architecture: FgcrArchitecture = SMALL, dtype: torch.dtype = torch.float64) -> AnchoredNetwork:
    """Random weights, far enough from their initial values for every part to matter."""
    torch.manual_seed(3)
    network = AnchoredNetwork(architecture).eval()
    with torch.no_grad():
        for value in network.state_dict().values():
            value.mul_(1.5).add_(torch.randn_like(value), alpha=0.3)
    return network.to(dtype)


@pytest.fixture(scope="module")
def network() -> AnchoredNetwork:
    return make_network()


def tissue(count: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Tiles of two pieces of tissue, some in the same cell, in no order: features [N, 12], cells [N, 2]."""
    generator = torch.Generator().manual_seed(1000 * seed + count)
    cells = torch.randint(0, max(2, int(count**0.5)), (count, 2), generator=generator)
    cells[: count // 3, 0] += 25
    return torch.randn(count, 12, generator=generator, dtype=torch.float64), cells


def alone(features: Tensor, cells: Tensor) -> BagBatch:
    return BagBatch(features[None], cells[None], torch.ones(1, len(features), dtype=torch.bool))


def compute_naively(network: AnchoredNetwork, features: Tensor, cells: Tensor) -> naive.NaiveVectors:
    sizes = network.architecture
    part = Part({name: value.numpy() for name, value in network.state_dict().items()})
    anchors = place_anchors(cells.numpy(), sizes)
    geometry = naive.Geometry(anchors.positions, anchors.sides, anchors.scales, anchors.members)
    mask = naive.soft_mask(cells.numpy(), geometry, sizes.mask_width, NEGLIGIBLE)
    return naive.embed(part, features.numpy(), geometry, mask, sizes.heads, sizes.depth)


def assert_close(vectors: SlideVectors, wanted: naive.NaiveVectors, atol: float = 1e-5) -> None:
    pairs = (
        (vectors.global_vectors, wanted.global_vector),
        (vectors.mosaics, wanted.mosaic),
        (vectors.tile_weights, wanted.tile_weights),
        (vectors.shares, wanted.shares),
    )
    for actual, expected in pairs:
        np.testing.assert_allclose(actual[0].numpy(), expected, rtol=0, atol=atol)


@torch.no_grad()
@pytest.mark.parametrize("count", [1, 2, 5, 40, 300])
def test_network_is_what_its_description_says(network: AnchoredNetwork, count: int) -> None:
    features, cells = tissue(count)
    assert_close(network(alone(features, cells)), compute_naively(network, features, cells))


@torch.no_grad()
def test_each_layer_is_what_its_description_says(network: AnchoredNetwork) -> None:
    features, cells = tissue(40)
    for depth in (1, 2):
        shallow = AnchoredNetwork(replace(SMALL, depth=depth)).double().eval()
        own = {name: value for name, value in network.state_dict().items() if name in shallow.state_dict()}
        shallow.load_state_dict(own)
        assert_close(shallow(alone(features, cells)), compute_naively(shallow, features, cells))
