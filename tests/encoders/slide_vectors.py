"""What a slide network makes of bags, beside what it should."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from histoseek.encoders.slide.batches import BagBatch, SlideVectors
from tests.encoders.naive_slide import NaiveVectors


def alone(features: Tensor, cells: Tensor) -> BagBatch:
    """A bag as a batch by itself."""
    return BagBatch(features[None], cells[None], torch.ones(1, len(features), dtype=torch.bool))


def assert_close(vectors: SlideVectors, wanted: NaiveVectors, atol: float = 1e-5, bag: int = 0) -> None:
    np.testing.assert_allclose(vectors.global_vectors[bag].numpy(), wanted.global_vector, rtol=0, atol=atol)
    np.testing.assert_allclose(vectors.mosaics[bag].numpy(), wanted.mosaic, rtol=0, atol=atol)
    np.testing.assert_allclose(vectors.tile_weights[bag].numpy(), wanted.tile_weights, rtol=0, atol=atol)
    np.testing.assert_allclose(vectors.shares[bag].numpy(), wanted.shares, rtol=0, atol=atol)


def scatter_tiles(count: int, dimension: int, spread: int, seed: int) -> tuple[Tensor, Tensor, torch.Generator]:
    """Tiles anywhere within `spread` cells of the origin, and the generator that drew them."""
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(count, dimension, generator=generator)
    return features, torch.randint(-spread, spread, (count, 2), generator=generator), generator


def assert_order_does_not_matter(
    network: Callable[[BagBatch], SlideVectors], features: Tensor, cells: Tensor, generator: torch.Generator
) -> SlideVectors:
    """Shuffle the tiles of a bag: nothing but the order of their weights may change; the vectors as they were."""
    shuffle = torch.randperm(len(features), generator=generator)
    one, two = network(alone(features, cells)), network(alone(features[shuffle], cells[shuffle]))
    torch.testing.assert_close(one.global_vectors, two.global_vectors, rtol=0, atol=1e-5)
    torch.testing.assert_close(one.mosaics, two.mosaics, rtol=0, atol=1e-5)
    torch.testing.assert_close(one.tile_weights[:, :, shuffle], two.tile_weights, rtol=0, atol=1e-5)
    return one
