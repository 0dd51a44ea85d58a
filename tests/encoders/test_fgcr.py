"""FGCR's slide encoder of our own mode: anchors that cover the tissue, and a network that is what it says."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from histoseek.api import Archive
from histoseek.archive.reencode import reencode
from histoseek.archive.space_folders import SpaceChange
from histoseek.encoders.bag import UNKNOWN_POSITION, Bag
from histoseek.encoders.slide.base import RegionalEncoder, SlideModel
from histoseek.encoders.slide.batches import BagBatch
from histoseek.encoders.slide.fgcr import blocks
from histoseek.encoders.slide.fgcr.anchors import count_regions, place_anchors
from histoseek.encoders.slide.fgcr.architecture import REFERENCE_SCALES, FgcrArchitecture
from histoseek.encoders.slide.fgcr.encoder import AnchoredEncoder
from histoseek.encoders.slide.fgcr.family import FgcrFamily
from histoseek.encoders.slide.fgcr.network import AnchoredNetwork
from histoseek.encoders.weights import load_weights, save_weights
from histoseek.errors import ConfigurationError, EncoderError, InputError, WeightsError
from histoseek.evaluation.evaluate import evaluate
from histoseek.evaluation.settings import EvaluationSpec
from histoseek.mosaics.distances import DISTANCES
from tests.encoders import naive_fgcr as naive
from tests.encoders.naive_published_slides import Part
from tests.encoders.naive_slide import NaiveVectors
from tests.encoders.slide_vectors import alone, assert_close, assert_order_does_not_matter, scatter_tiles
from tests.encoders.test_pathsearch import make_bag
from tests.evaluation.archives import labelled_archive
from tests.weights import SMALL_FGCR, small_weights

SMALL = replace(SMALL_FGCR, input_dimension=12, scales=(6, 20, 60))


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


def compute_naively(network: AnchoredNetwork, features: Tensor, cells: Tensor) -> NaiveVectors:
    sizes = network.architecture
    part = Part({name: value.numpy() for name, value in network.state_dict().items()})
    anchors = place_anchors(cells.numpy(), sizes)
    geometry = naive.Geometry(anchors.positions, anchors.sides, anchors.scales, anchors.members)
    mask = naive.soft_mask(cells.numpy(), geometry, sizes.mask_width, negligible=0.001)
    return naive.embed(part, features.numpy(), geometry, mask, sizes.heads, sizes.depth)


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


@torch.no_grad()
def test_blocks_of_tiles_change_nothing(network: AnchoredNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    features, cells = tissue(300)
    sharp = AnchoredNetwork(replace(SMALL, mask_width=0.2, mosaic_size=40)).double().eval()
    sharp.load_state_dict(network.state_dict())
    dense = sharp(alone(features, cells))
    monkeypatch.setattr(blocks, "_TILES_OF_A_BLOCK", 16)
    monkeypatch.setattr(blocks, "_BLOCKS_AT_ONCE", 3)
    layout = blocks.lay_out(alone(features, cells), sharp.architecture)
    assert len(layout.blocks) == 7
    seen = max(each.anchors.shape[1] for each in layout.blocks)
    assert seen < 0.6 * dense.mosaics.shape[1]
    sparse = sharp(alone(features, cells))
    for name in ("global_vectors", "mosaics", "tile_weights", "shares"):
        torch.testing.assert_close(getattr(sparse, name), getattr(dense, name), rtol=0, atol=1e-12)


@torch.no_grad()
def test_bags_of_a_batch_do_not_see_each_other_or_the_padding(network: AnchoredNetwork) -> None:
    counts = (1, 40, 7, 90)
    bags = [tissue(count) for count in counts]
    features = torch.full((len(counts), 100, 12), float("nan"), dtype=torch.float64)
    cells = torch.full((len(counts), 100, 2), -(10**12))
    mask = torch.zeros(len(counts), 100, dtype=torch.bool)
    for b, (own, places) in enumerate(bags):
        features[b, 5 : 5 + len(own)], cells[b, 5 : 5 + len(own)], mask[b, 5 : 5 + len(own)] = own, places, True
    together = network(BagBatch(features, cells, mask))
    assert together.mosaic_mask is not None
    for b, (own, places) in enumerate(bags):
        single, inside, there = network(alone(own, places)), slice(5, 5 + len(own)), together.mosaic_mask[b]
        assert int(there.sum()) == single.mosaics.shape[1]
        for one, other in (
            (together.global_vectors[b], single.global_vectors[0]),
            (together.mosaics[b][there], single.mosaics[0]),
            (together.tile_weights[b][there][:, inside], single.tile_weights[0]),
            (together.shares[b][there], single.shares[0]),
        ):
            torch.testing.assert_close(one, other, rtol=0, atol=1e-10)
        assert not together.mosaics[b][~there].any()
        assert not together.shares[b][~there].any()
        assert not together.tile_weights[b][~there].any()
        assert not together.tile_weights[b][:, ~mask[b]].any()
        torch.testing.assert_close(single.tile_weights[0].sum(dim=1), torch.ones_like(single.shares[0]))


@torch.no_grad()
@settings(max_examples=25, deadline=None)
@given(count=st.integers(1, 60), spread=st.sampled_from([1, 2, 8, 1000, 10**6]), seed=st.integers(0, 2**16))
def test_order_of_tiles_does_not_matter(count: int, spread: int, seed: int) -> None:
    network = make_network(dtype=torch.float32)
    features, cells, generator = scatter_tiles(count, 12, spread, seed)
    one = assert_order_does_not_matter(network, features, cells, generator)
    elsewhere = network(alone(features, cells + torch.tensor([7000, -4])))
    torch.testing.assert_close(one.global_vectors, elsewhere.global_vectors, rtol=0, atol=1e-5)


def test_gradient_reaches_every_parameter() -> None:
    gradients = []
    for dtype in (torch.float32, torch.float64):
        network = make_network(dtype=dtype)
        bags = [tissue(50), tissue(30)]
        features, cells = torch.zeros(2, 50, 12, dtype=dtype), torch.zeros(2, 50, 2, dtype=torch.int64)
        mask = torch.arange(50) < torch.tensor([[50], [30]])
        for b, (own, places) in enumerate(bags):
            features[b, : len(own)], cells[b, : len(own)] = own.to(dtype), places
        vectors = network(BagBatch(features, cells, mask))
        (vectors.global_vectors[:, 0].sum() + vectors.mosaics[:, :, 1].sum()).backward()
        gradients.append({name: value.grad for name, value in network.named_parameters()})
    for name, gradient in gradients[0].items():
        assert gradient is not None
        assert gradient.isfinite().all()
        assert gradient.any(dim=-1).all(), name
        torch.testing.assert_close(gradient.double(), gradients[1][name], rtol=1e-3, atol=1e-5)


@torch.no_grad()
def test_training_drops_out_as_much_as_is_set() -> None:
    network = make_network()
    bags = alone(*tissue(40))
    quiet = network(bags).mosaics
    network.train()
    assert not torch.equal(network(bags).mosaics, quiet)
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    assert torch.equal(network(bags).mosaics, quiet)


def test_an_empty_bag_is_refused(network: AnchoredNetwork) -> None:
    mask = torch.tensor([[True, False], [False, False]])
    with pytest.raises(InputError, match="without tiles"):
        network(BagBatch(torch.zeros(2, 2, 12), torch.zeros(2, 2, 2, dtype=torch.int64), mask))


cells_on_a_slide = st.one_of(
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 9)), min_size=1, max_size=120),
    st.lists(st.tuples(st.integers(-3, 60), st.just(4)), min_size=1, max_size=60),
    st.lists(st.tuples(st.sampled_from([0, 1, 2, 500, 10**8]), st.integers(0, 30)), min_size=1, max_size=80),
)


@settings(max_examples=60, deadline=None)
@given(cells_on_a_slide, st.integers(3, 40), st.integers(0, 2**16))
def test_regions_are_rectangles_that_share_no_tile_and_have_all(
    places: list[tuple[int, int]], most: int, seed: int
) -> None:
    cells, sizes = np.array(places, np.int64), replace(SMALL, mosaic_size=most)
    anchors = place_anchors(cells, sizes)
    assert 1 <= len(anchors) <= most
    assert (np.diff(anchors.scales) >= 0).all()
    assert set(anchors.members.ravel().tolist()) == set(range(len(anchors)))
    for members in anchors.members:
        numbers = np.unique(members)
        assert len(set(anchors.scales[numbers].tolist())) == 1
        boxes = []
        for anchor in numbers:
            own = np.unique(cells[members == anchor], axis=0)
            low, high = own.min(axis=0), own.max(axis=0)
            np.testing.assert_allclose(anchors.positions[anchor], own.mean(axis=0))
            assert anchors.sides[anchor] == pytest.approx(np.sqrt(np.prod((high - low + 1).astype(float))))
            boxes.append((low, high))
        for n, (low, high) in enumerate(boxes):
            inside = ((cells >= low) & (cells <= high)).all(axis=1)
            assert (members[inside] == numbers[n]).all()
            assert all((high < other[0]).any() or (other[1] < low).any() for other in boxes[:n])
    shuffle = np.random.default_rng(seed).permutation(len(cells))
    again = place_anchors(cells[shuffle], sizes)
    assert np.array_equal(again.positions, anchors.positions)
    assert np.array_equal(again.members, anchors.members[:, shuffle])
    twice = place_anchors(np.concatenate([cells, cells[::-1]]), sizes)
    assert np.array_equal(twice.positions, anchors.positions)


def test_regions_are_about_as_large_as_their_scale_says() -> None:
    cells = np.stack(np.divmod(np.arange(900), 30), axis=1)
    anchors = place_anchors(cells, FgcrArchitecture(mosaic_size=256, scales=REFERENCE_SCALES))
    for scale, members in enumerate(anchors.members):
        counts = np.unique(members, return_counts=True)[1]
        assert len(counts) == round(900 / REFERENCE_SCALES[scale])
        assert 0.7 * 900 / len(counts) < counts.min() <= counts.max() < 1.4 * 900 / len(counts)
    assert anchors.sides[0] == pytest.approx(6, abs=1)


@pytest.mark.parametrize(("cells", "most"), [(1, 6), (35, 64), (957, 64), (5000, 64), (10**6, 256), (10**6, 6)])
def test_scales_stretch_together_to_the_most_anchors(cells: int, most: int) -> None:
    counts = count_regions(cells, REFERENCE_SCALES, most)
    assert sum(counts.values()) <= most
    assert len(set(counts.values())) == len(counts)
    assert min(counts) == 0
    if cells > 1000 and most > 60:
        assert sum(counts.values()) > most - 6
        assert counts[0] / counts[4] == pytest.approx(256 / 36, rel=0.2)


def test_few_tiles_have_one_region_of_the_finest_scale_alone() -> None:
    assert count_regions(20, REFERENCE_SCALES, 64) == {0: 1}
    assert count_regions(60, REFERENCE_SCALES, 64) == {0: 2, 1: 1}


@pytest.fixture(scope="module")
def encoder() -> AnchoredEncoder:
    return AnchoredEncoder("trained-1", make_network(dtype=torch.float32))


@pytest.mark.parametrize("count", [1, 2, 9, 300])
def test_each_part_of_an_embedding_has_its_region(encoder: AnchoredEncoder, count: int) -> None:
    bag = make_bag(count)
    embedding, regions = encoder.encode(bag), encoder.list_regions(bag)
    assert isinstance(encoder, RegionalEncoder)
    assert (encoder.name, encoder.input_dimension, encoder.dimension) == ("trained-1", 12, 16)
    assert 1 <= len(embedding.parts) == len(regions) <= 12
    assert np.linalg.norm(embedding.global_vector) == pytest.approx(1, abs=1e-5)
    assert sum(part.share for part in embedding.parts) == pytest.approx(1, abs=1e-5)
    for part in embedding.parts:
        assert np.linalg.norm(part.vector) == pytest.approx(1, abs=1e-5)
        assert part.weights.sum() == pytest.approx(1, abs=1e-5)
    for scale in {region.scale for region in regions}:
        tiles = np.concatenate([region.tiles for region in regions if region.scale == scale])
        assert sorted(tiles.tolist()) == list(range(count))


def test_outlines_are_convex_and_of_the_squares_of_their_tiles(encoder: AnchoredEncoder) -> None:
    bag = make_bag(300)
    regions = encoder.list_regions(bag)
    squares = bag.coords[:, None] + 448 * np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
    centres = bag.coords + 224
    for region in regions:
        assert region.outline.dtype == np.int32
        edges = np.roll(region.outline, -1, axis=0) - region.outline
        ahead = np.roll(edges, -1, axis=0)
        assert (edges[:, 0].astype(float) * ahead[:, 1] > edges[:, 1].astype(float) * ahead[:, 0]).all()
        assert {tuple(corner) for corner in region.outline} <= {tuple(c) for c in squares[region.tiles].reshape(-1, 2)}
        for points, wanted in ((squares[region.tiles].reshape(-1, 2), None), (centres, region.tiles)):
            apart = points[:, None].astype(float) - region.outline
            inside = (edges[:, 0] * apart[..., 1] >= edges[:, 1] * apart[..., 0]).all(axis=1)
            if wanted is None:
                assert inside.all()
            else:
                assert np.array_equal(np.flatnonzero(inside), wanted)


@pytest.mark.parametrize("damage", [{"tile_size_level0": 0}, {"coords": np.full((5, 2), UNKNOWN_POSITION, np.int32)}])
def test_tiles_without_places_are_refused_in_one_line(encoder: AnchoredEncoder, damage: dict[str, object]) -> None:
    bag: Bag = replace(make_bag(5), **damage)  # type: ignore[arg-type]
    for work in (encoder.encode, encoder.list_regions):
        with pytest.raises(
            EncoderError, match=r"^trained-1: needs the places of tiles .*\. Take feature files with .*$"
        ):
            work(bag)


def test_features_of_another_dimension_are_refused(encoder: AnchoredEncoder) -> None:
    with pytest.raises(EncoderError, match="dimension 12, these have 7"):
        encoder.encode(make_bag(5, dimension=7))


def test_sizes_of_a_card_and_of_a_training() -> None:
    family = FgcrFamily()
    assert family.parse({**asdict(SMALL), "scales": list(SMALL.scales)}) == SMALL
    assert family.design({"input_dimension": 5, "dimension": 32, "gate_dimension": 8}) == FgcrArchitecture(5, 32)
    for wrong in ({"scales": (60, 6)}, {"scales": ()}, {"mosaic_size": 2}, {"mosaic_size": 257}, {"mask_width": 0}):
        with pytest.raises(ConfigurationError):
            family.parse({**asdict(SMALL), **wrong})


def test_weights_of_other_sizes_are_refused() -> None:
    tensors = {name: value.numpy() for name, value in make_network(dtype=torch.float32).state_dict().items()}
    model = SlideModel("small", replace(SMALL, dimension=24), "anchored", tensors)
    with pytest.raises(WeightsError, match="its tensors are not those of its card's architecture"):
        FgcrFamily().build(model)


def test_an_archive_searches_explains_overlays_evaluates_and_verifies(tmp_path: Path) -> None:
    tiles = [1, 5, 20, 20, 40, 41, 60, 9]
    archive = labelled_archive(tmp_path, [i % 2 for i in range(8)], [i // 2 for i in range(8)], tiles=tiles)
    save_weights(small_weights(architecture=SMALL_FGCR), tmp_path / "fgcr.safetensors")
    reencode(archive, SpaceChange(weights=load_weights(tmp_path / "fgcr.safetensors")))
    archive = Archive.open(archive.path)
    assert archive.require_space().slide_encoder == "fgcr-1-anchored"
    sizes = {record.slide_id: len(archive.get(record.slide_id).signature.mosaic) for record in archive.records()}
    assert sizes["slide-000"] == 1
    assert max(sizes.values()) == 11
    for distance in DISTANCES:
        for result in archive.search(like="slide-004", k=7, distance=distance):
            explanation, attention = result.explanation, result.attention
            assert explanation is not None
            assert attention is not None
            assert explanation.score == pytest.approx(result.score, abs=1e-6)
            assert len(attention.result.tiles) == sizes[result.slide_id]
            assert attention.result.attention().weights.sum() == pytest.approx(1, abs=1e-5)
    evaluation = evaluate(archive, EvaluationSpec(systems=("symmetric", "maxsim", "closest", "rare", "local")))
    assert evaluation.subject.slides == 8
    assert archive.verify(deep=True).problems == ()
