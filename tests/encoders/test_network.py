"""The slide network against plain numpy, and the properties of its masked form."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from histoseek.encoders.slide.batches import BagBatch, SlideVectors
from histoseek.encoders.slide.pathsearch.architecture import PathSearchArchitecture
from histoseek.encoders.slide.pathsearch.attention import EXACT_TILES
from histoseek.encoders.slide.pathsearch.network import GatedScores, PathSearchNetwork
from histoseek.encoders.slide.pathsearch.positions import compact
from histoseek.errors import InputError
from tests.encoders import naive_slide as naive
from tests.encoders.slide_vectors import alone, assert_close, assert_order_does_not_matter, scatter_tiles

SMALL = PathSearchArchitecture(input_dimension=20, dimension=32, mosaic_size=3, heads=4, gate_dimension=8)
COUNTS = (1, 2, 15, 16, 17, 530, 2000)


def network_of(
    architecture: PathSearchArchitecture, dtype: torch.dtype = torch.float64, sharpness: float = 2
) -> PathSearchNetwork:
    """Random weights, far enough from their initial values for every part to matter."""
    torch.manual_seed(3)
    network = PathSearchNetwork(architecture).eval()
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if name.endswith("running_var"):
                value.uniform_(0.5, 2)
            elif value.dtype.is_floating_point:
                value.mul_(sharpness).add_(torch.randn_like(value), alpha=0.6 * architecture.dimension**-0.5)
    return network.to(dtype)


@pytest.fixture(scope="module")
def small() -> PathSearchNetwork:
    return network_of(SMALL)


def weights_of(network: PathSearchNetwork) -> dict[str, naive.Array]:
    return {name: value.double().numpy().copy() for name, value in network.state_dict().items()}


def tokens_of(count: int, dimension: int = 32) -> Tensor:
    return torch.randn(count, dimension, dtype=torch.float64, generator=torch.Generator().manual_seed(count))


def disc_cells(count: int) -> Tensor:
    """Cells of a round piece of tissue in raster order."""
    side = 2 * int(count**0.5) + 3
    grid = torch.cartesian_prod(torch.arange(side), torch.arange(side)).flip(1)
    nearest = (grid - side // 2).square().sum(dim=1).argsort(stable=True)[:count]
    return grid[nearest.sort().values]


def assert_same(one: SlideVectors, two: SlideVectors, atol: float = 1e-5) -> None:
    for part in ("global_vectors", "mosaics", "tile_weights", "shares"):
        torch.testing.assert_close(getattr(one, part), getattr(two, part), rtol=0, atol=atol)


def test_parameters_are_named_as_in_the_published_checkpoint() -> None:
    gate = ("attention_V.0.weight", "attention_V.0.bias", "attention_U.0.weight", "attention_U.0.bias")
    gate += ("attention_weights.weight", "attention_weights.bias")
    layer = ("norm.weight", "norm.bias", "attn.to_qkv.weight", "attn.to_out.0.weight", "attn.to_out.0.bias")
    layer += ("attn.res_conv.weight",)
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    wanted = ["cls_token", "proj.0.weight", "proj.0.bias", "abmil.dim_reduction.fc1.weight"]
    wanted += [f"trans_layer{n}.{part}" for n in (1, 2) for part in layer]
    wanted += [f"pos_layer.{conv}.{part}" for conv in ("proj", "proj1", "proj2") for part in ("weight", "bias")]
    wanted += [f"abmil.dim_reduction.norm_act.1.{part}" for part in norm]
    wanted += [f"abmil.attention.{m}.{part}" for m in range(16) for part in gate]
    wanted += [f"abmil.attention_2.{part}" for part in gate]
    state = PathSearchNetwork(PathSearchArchitecture()).state_dict()
    assert sorted(state) == sorted(wanted)
    assert state["trans_layer1.attn.to_qkv.weight"].shape == (2304, 768)
    assert state["trans_layer2.attn.res_conv.weight"].shape == (8, 1, 33, 1)
    assert state["pos_layer.proj.weight"].shape == (768, 1, 7, 7)
    assert state["abmil.attention.15.attention_weights.weight"].shape == (1, 128)


@torch.no_grad()
@pytest.mark.parametrize("count", COUNTS)
def test_attention_layer_is_the_librarys(small: PathSearchNetwork, count: int) -> None:
    tokens = tokens_of(count)
    wanted = naive.library_layer(tokens.numpy(), weights_of(small), "trans_layer1", heads=4, landmarks=16)
    layer = small.trans_layer1
    np.testing.assert_allclose(layer.reference(tokens, slice(None)).numpy(), wanted, rtol=1e-5, atol=1e-5)
    plain = tokens + layer.attn(layer.norm(tokens)[None])[0]
    np.testing.assert_allclose(plain.numpy(), wanted, rtol=1e-5, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("count", COUNTS)
def test_positional_block(small: PathSearchNetwork, count: int) -> None:
    side = int(np.ceil(np.sqrt(count)))
    rows = tokens_of(side * side)
    square = np.array([(n % side, n // side) for n in range(side * side)])
    wanted = naive.around(rows.numpy(), square, weights_of(small))
    np.testing.assert_allclose(small.pos_layer.on_square(rows, side).numpy(), wanted, rtol=0, atol=1e-5)
    on_cells = small.pos_layer.on_cells(rows, torch.from_numpy(square))
    np.testing.assert_allclose(on_cells.numpy(), wanted, rtol=0, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("spread", [1, 9, 40, 100_000])
def test_positional_block_on_scattered_cells(small: PathSearchNetwork, spread: int) -> None:
    generator = torch.Generator().manual_seed(spread)
    cells = torch.randint(0, 12, (60, 2), generator=generator) * spread // 3
    rows = tokens_of(60)
    wanted = naive.around(rows.numpy(), cells.numpy(), weights_of(small))
    np.testing.assert_allclose(small.pos_layer.on_cells(rows, cells).numpy(), wanted, rtol=0, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("count", COUNTS)
def test_gated_attentions(small: PathSearchNetwork, count: int) -> None:
    rows = tokens_of(count)
    wanted = [naive.gate(rows.numpy(), weights_of(small), f"abmil.attention.{m}") for m in range(3)]
    found = GatedScores(small.abmil.attention).of(rows)
    np.testing.assert_allclose(found.numpy(), np.stack(wanted, axis=1), rtol=0, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("count", COUNTS)
def test_reference_mode(small: PathSearchNetwork, count: int) -> None:
    features = tokens_of(count, 20)
    wanted = naive.reference(features.numpy(), weights_of(small), mosaic_size=3, heads=4)
    assert_close(small.reference(features), wanted, 1e-5)


@torch.no_grad()
@pytest.mark.parametrize("count", [17, 400])
def test_reference_mode_at_full_size_in_single_precision(count: int) -> None:
    network = network_of(PathSearchArchitecture(), torch.float32, sharpness=1)
    features = tokens_of(count, 768).float()
    wanted = naive.reference(features.double().numpy(), weights_of(network), mosaic_size=16, heads=8)
    assert_close(network.reference(features), wanted, 1e-5)


@torch.no_grad()
@pytest.mark.parametrize("count", [1, 2, 17, 300])
def test_masked_mode_is_exact_attention_on_the_real_grid(small: PathSearchNetwork, count: int) -> None:
    features, cells, w = tokens_of(count, 20), disc_cells(count), weights_of(small)
    rows = naive.masked_rows(features.numpy(), cells.numpy(), w, heads=4)
    assert_close(small(alone(features, cells)), naive.pool(rows, w, 3), 1e-5)


@torch.no_grad()
def test_masked_mode_of_large_bags_has_landmarks(small: PathSearchNetwork) -> None:
    count = EXACT_TILES + 13
    features, cells, w = tokens_of(count, 20), disc_cells(count), weights_of(small)
    rows = naive.masked_rows(features.numpy(), cells.numpy(), w, heads=4, landmarks=16)
    assert_close(small(alone(features, cells)), naive.pool(rows, w, 3), 1e-5)


@torch.no_grad()
def test_landmarks_come_close_to_exact_attention() -> None:
    count = EXACT_TILES + 1
    layer = network_of(PathSearchArchitecture(dimension=256), torch.float32, sharpness=1).trans_layer1
    rows = tokens_of(count, 256).float()
    w = {f"trans_layer1.{name}": value.double().numpy() for name, value in layer.state_dict().items()}
    exact = torch.from_numpy(naive.masked_layer(rows.double().numpy(), w, "trans_layer1", heads=8))
    found = layer.masked(rows, (count,))
    assert (found - exact).norm() < 0.1 * (exact - rows).norm()


@torch.no_grad()
def test_bags_of_a_batch_do_not_see_each_other_or_the_padding() -> None:
    network = network_of(SMALL, torch.float32)
    counts = (1, 40, 7, 90)
    bags = [(tokens_of(count, 20).float(), disc_cells(count) * 3) for count in counts]
    features = torch.full((len(counts), 100, 20), float("nan"))
    cells = torch.full((len(counts), 100, 2), -(10**12))
    mask = torch.zeros(len(counts), 100, dtype=torch.bool)
    for b, (own, places) in enumerate(bags):
        features[b, 5 : 5 + len(own)], cells[b, 5 : 5 + len(own)], mask[b, 5 : 5 + len(own)] = own, places, True
    together = network(BagBatch(features, cells, mask))
    for b, (own, places) in enumerate(bags):
        single, inside = network(alone(own, places)), slice(5, 5 + len(own))
        torch.testing.assert_close(together.mosaics[b], single.mosaics[0], rtol=0, atol=1e-5)
        torch.testing.assert_close(together.global_vectors[b], single.global_vectors[0], rtol=0, atol=1e-5)
        torch.testing.assert_close(together.tile_weights[b][:, inside], single.tile_weights[0], rtol=0, atol=1e-5)
    assert (together.tile_weights.masked_select(~mask[:, None].expand_as(together.tile_weights)) == 0).all()
    torch.testing.assert_close(together.tile_weights.sum(dim=2), torch.ones(len(counts), 3))
    torch.testing.assert_close(together.shares.sum(dim=1), torch.ones(len(counts)))


@torch.no_grad()
@settings(max_examples=40)
@given(count=st.integers(1, 60), spread=st.sampled_from([1, 2, 8, 1000, 10**6]), seed=st.integers(0, 2**16))
def test_order_of_tiles_does_not_matter(count: int, spread: int, seed: int) -> None:
    network = network_of(SMALL, torch.float32)
    features, cells, generator = scatter_tiles(count, 20, spread, seed)
    assert_order_does_not_matter(network, features, cells, generator)


@torch.no_grad()
def test_place_of_the_slide_on_the_glass_does_not_matter_but_the_layout_does(small: PathSearchNetwork) -> None:
    features, cells = tokens_of(30, 20), disc_cells(30)
    here = small(alone(features, cells))
    assert_same(here, small(alone(features, cells + torch.tensor([70_000, -4]))))
    elsewhere = small(alone(features, cells * torch.tensor([1, 2])))
    assert (here.global_vectors - elsewhere.global_vectors).abs().max() > 1e-3


def test_far_cells_move_together_without_becoming_neighbours() -> None:
    cells = torch.tensor([[10**12, 5], [10**12 + 3, 5], [-7, 5], [-7, 9], [-6, 10**9]])
    assert compact(cells).tolist() == [[5, 0], [8, 0], [0, 0], [0, 4], [1, 8]]


def test_gradients_agree_with_double_precision() -> None:
    gradients = []
    for dtype in (torch.float32, torch.float64):
        network = network_of(SMALL, dtype, sharpness=1)
        features = torch.stack([tokens_of(50, 20), tokens_of(51, 20)[:50]]).to(dtype)
        cells = torch.stack([disc_cells(50), disc_cells(50) * 9])
        mask = torch.ones(2, 50, dtype=torch.bool)
        mask[1, 30:] = False
        vectors = network(BagBatch(features, cells, mask))
        (vectors.global_vectors[:, 0].sum() + vectors.mosaics[:, :, 1].sum()).backward()
        gradients.append({name: value.grad for name, value in network.named_parameters()})
    single, double = gradients
    unused = {name for name, gradient in single.items() if gradient is None}
    assert unused == {"cls_token"}
    for name in single.keys() - unused:
        assert single[name].isfinite().all()
        torch.testing.assert_close(single[name].double(), double[name], rtol=1e-3, atol=1e-5)


def test_batch_statistics_are_those_of_real_tiles() -> None:
    network = network_of(SMALL, sharpness=1)
    w = weights_of(network)
    network.train()
    for layer in (network.trans_layer1, network.trans_layer2):
        layer.attn.to_out[1].p = 0.0
    counts = (12, 25)
    features = torch.full((2, 64, 20), 1e6, dtype=torch.float64)
    cells = torch.zeros((2, 64, 2), dtype=torch.int64)
    mask = torch.arange(64) < torch.tensor(counts)[:, None]
    for b, count in enumerate(counts):
        features[b, :count], cells[b, :count] = tokens_of(count, 20), disc_cells(count)
    network(BagBatch(features, cells, mask))
    rows = [naive.masked_rows(tokens_of(count, 20).numpy(), disc_cells(count).numpy(), w, heads=4) for count in counts]
    reduced = np.concatenate(rows) @ w["abmil.dim_reduction.fc1.weight"].T
    norm = network.abmil.dim_reduction.norm_act[1]
    before = w["abmil.dim_reduction.norm_act.1.running_mean"], w["abmil.dim_reduction.norm_act.1.running_var"]
    np.testing.assert_allclose(norm.running_mean.numpy(), 0.9 * before[0] + 0.1 * reduced.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(norm.running_var.numpy(), 0.9 * before[1] + 0.1 * reduced.var(axis=0, ddof=1), atol=1e-6)


@torch.no_grad()
def test_training_drops_out_where_the_library_does(small: PathSearchNetwork) -> None:
    tokens = tokens_of(40)
    layer = network_of(SMALL).trans_layer1.train()
    torch.manual_seed(1)
    twice = [layer.reference(tokens, slice(None)) for _ in range(2)]
    assert not torch.equal(*twice)
    dropped = (twice[0] == tokens).double().mean()
    assert 0.05 < dropped < 0.15


def test_an_empty_bag_is_refused(small: PathSearchNetwork) -> None:
    bags = BagBatch(
        torch.zeros(2, 3, 20, dtype=torch.float64),
        torch.zeros(2, 3, 2, dtype=torch.int64),
        torch.tensor([[True, False, False], [False, False, False]]),
    )
    with pytest.raises(InputError, match="without tiles"):
        small(bags)
