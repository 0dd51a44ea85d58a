"""The catalogue of tile encoders: what every card must say, and what is easily got wrong."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from histoseek.encoders.cards.card import Network, TensorLayout, TileModelCard, Variant
from histoseek.encoders.cards.catalogue import list_tile_models
from histoseek.encoders.tile.preparation import prepare_pixels
from histoseek.encoders.tile.registry import find_tile_card, load_tile_encoder, make_tile_card
from histoseek.errors import EncoderError

from .published_sizes import PUBLISHED
from .small_models import find_kind, find_model, require_packages

MODELS = {model.name: model for model in list_tile_models()}
LOADABLE = sorted(name for name, model in MODELS.items() if not model.features_only and not model.has_words)
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
LUNIT = ((0.70322989, 0.53606487, 0.66096631), (0.21716536, 0.26081574, 0.20723464))


def test_the_field_is_there() -> None:
    assert len(MODELS) == len(list_tile_models())
    assert len(MODELS) >= 50
    assert len(LOADABLE) >= 36


@pytest.mark.parametrize("name", MODELS)
def test_every_card_says_what_it_must(name: str) -> None:
    model = MODELS[name]
    assert re.fullmatch(r"[a-z0-9_]+", name)
    assert len({each.name for each in model.variants}) == len(model.variants)
    assert all(each.dimension > 0 for each in model.variants)
    assert all(0.1 <= spacing <= 4 for spacing in model.spacings_um_per_px)
    assert model.precision in ("float16", "bfloat16", "float32")
    assert model.publication.licence
    assert model.facts and all(fact.about and fact.source for fact in model.facts)
    assert all(not file.sha256 or re.fullmatch(r"[0-9a-f]{64}", file.sha256) for file in model.publication.files)
    said = " ".join((*model.not_verified, model.features_only))
    assert (model.publication.files and model.publication.files[0].sha256) or "SHA-256" in said or model.features_only
    if model.features_only:
        with pytest.raises(EncoderError, match=re.escape(model.features_only)):
            load_tile_encoder(name)
    else:
        assert model.publication.files
        assert model.network.parameters > 0


@pytest.mark.parametrize("name", MODELS)
def test_preparations_fit_their_networks(name: str) -> None:
    model = MODELS[name]
    for variant in model.variants:
        prepared = variant.adapt(model.preparation)
        assert prepared.input_px <= prepared.resize_px
        assert (prepared.resize_px - prepared.input_px) % 2 == 0
        assert prepared.tile_px >= prepared.input_px
        assert all(0 <= value <= 1 for value in (*prepared.mean, *prepared.std))
        tiles = np.zeros((1, prepared.tile_px, prepared.tile_px, 3), np.uint8)
        assert prepare_pixels(tiles, prepared).shape[1:3] == (prepared.input_px, prepared.input_px)
    arguments = dict(model.network.arguments)
    assert arguments.get("img_size", model.preparation.input_px) == model.preparation.input_px


@pytest.mark.parametrize("name", LOADABLE)
def test_networks_have_the_published_sizes(name: str) -> None:
    """At full size, on torch's device without memory: parameters, tensors, and what comes out of every variant."""
    model = find_model(name)
    shapes = build_full(replace(model.network, parameters=0, layout=TensorLayout()))
    parameters = sum(int(np.prod(shape)) for shape in shapes.values()) + count_positions(model, shapes)
    assert parameters == model.network.parameters
    said, count = PUBLISHED.get(name, ("", 0))
    if said:
        unit = {"M": 1e6, "B": 1e9}[said[-1]]
        digits = len(said.partition(".")[2][:-1])
        assert f"{parameters / unit:.{digits}f}{said[-1]}" == said
    assert not count or len(shapes) == count + count_buffers(shapes)
    for variant in model.variants:
        assert measure_dimension(model, variant) == variant.dimension, variant.name


@lru_cache(maxsize=64)
def build_full(network: Network) -> dict[str, tuple[int, ...]]:
    """The shapes of a network's parameters, by name; many models have the same network."""
    torch = pytest.importorskip("torch")
    require_packages()
    model = next(model for model in MODELS.values() if model.network.architecture == network.architecture)
    card = make_tile_card(replace(model, network=network), model.variants[0])
    with torch.device("meta"):
        return {key: tuple(value.shape) for key, value in find_kind(card).build(card).named_parameters()}


def count_buffers(shapes: dict[str, tuple[int, ...]]) -> int:
    """Means, variances and counts of batch normalisation, which are tensors of a file, but no parameters."""
    return -3 * sum(key.endswith(("bn1.weight", "bn2.weight", "bn3.weight", "downsample.1.weight")) for key in shapes)


def measure_dimension(model: TileModelCard, variant: Variant) -> int:
    """Of what a variant gives, computed without memory and at a depth of one where the network is a transformer."""
    torch = pytest.importorskip("torch")
    arguments = dict(model.network.arguments)
    if model.network.architecture.startswith(("vit", "mettle", "isight", "genbio")):
        arguments["depth"] = 1
    small = replace(model, network=replace(model.network, arguments=tuple(arguments.items())))
    card = make_tile_card(small, variant)
    with torch.device("meta"), torch.inference_mode():
        images = torch.empty(2, 3, card.preparation.input_px, card.preparation.input_px)
        dimension: int = find_kind(card).build(card).eval()(images).shape[1]
    return dimension


def count_positions(model: TileModelCard, shapes: dict[str, tuple[int, ...]]) -> int:
    """How many values more the published file's position embeddings have than the network's."""
    layout = model.network.layout
    if not layout.positions:
        return 0
    _, rows, width = next(shape for key, shape in shapes.items() if key.endswith("pos_embed"))
    side = int(rows**0.5)
    published = side * layout.positions_px // model.preparation.input_px
    return (published**2 - side**2) * width


def norm_of(spec: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    preparation = find_tile_card(spec).preparation
    return preparation.mean, preparation.std


def test_normalisations_that_circulate_are_variants() -> None:
    """Lunit's three; mSTAR's and Kaiko's configurations, which say something else than their authors."""
    assert norm_of("lunit_dino") == norm_of("lunit_dino8") == LUNIT
    assert norm_of("lunit_dino:cls-half") == norm_of("lunit_dino8:cls-half") == HALF
    assert norm_of("lunit_dino:cls-imagenet") == norm_of("lunit_dino8:cls-imagenet") == IMAGENET
    assert norm_of("lunit_bt") == norm_of("lunit_mocov2") == norm_of("lunit_swav") == IMAGENET
    moozy = find_tile_card("lunit_dino8:cls-imagenet-crop").preparation
    assert (moozy.tile_px, moozy.resize_px, moozy.input_px, moozy.mean) == (224, 248, 224, IMAGENET[0])
    assert norm_of("mstar") == IMAGENET
    assert norm_of("mstar:cls-half") == HALF
    assert norm_of("kaiko_vitl") == HALF
    assert norm_of("kaiko_vitl:cls-imagenet") == IMAGENET
    assert all(norm_of(f"kaiko_{size}") == HALF for size in ("vits8", "vits16", "vitb8", "vitb16"))
    assert norm_of("midnight") == HALF
    assert norm_of("openmidnight") == IMAGENET


def test_variants_have_the_dimensions_in_circulation() -> None:
    dimensions = {
        "midnight": 3072,
        "midnight:cls": 1536,
        "h0_mini": 768,
        "h0_mini:cls+mean": 1536,
        "virchow2": 2560,
        "virchow2:cls": 1280,
        "virchow": 2560,
        "hibou_b": 768,
        "hibou_l": 1024,
        "genbio_pathfm": 4608,
        "mettle": 3072,
        "mettle:cls": 1536,
        "resnet50": 1024,
        "resnet50:pooled": 2048,
        "rudolfv_2": 3072,
        "rudolfv_2:cls": 1536,
    }
    assert {spec: find_tile_card(spec).dimension for spec in dimensions} == dimensions
    with pytest.raises(EncoderError, match=re.escape("no such variant. Choose from: cls+mean, cls")):
        find_tile_card("midnight:pooler")


def test_names_of_variants_are_part_of_the_space() -> None:
    assert find_tile_card("midnight").name == find_tile_card("midnight:cls+mean").name == "midnight"
    assert find_tile_card("midnight:cls").name == "midnight:cls"


def test_registers_are_counted_as_no_patches() -> None:
    prefix = {"virchow": 1, "virchow2": 5, "crisp": 5, "h0_mini": 5, "uni2_h": 9, "midnight": 1, "rudolfv_2": 9}
    assert {name: MODELS[name].network.prefix_tokens for name in prefix} == prefix


def test_gigapath_takes_the_middle_of_its_tiles() -> None:
    for name in ("gigapath", "gigapath_flash"):
        card = find_tile_card(name)
        assert card.tile_px == 256
        tile = np.random.default_rng(1).integers(0, 256, (1, 256, 256, 3), dtype=np.uint8)
        assert (prepare_pixels(tile, card.preparation) == tile[:, 16:240, 16:240]).all()


def test_licences_that_sources_disagree_on_are_left_open() -> None:
    commercial = {name: MODELS[name].publication.commercial for name in ("gpfm", "gigapath", "ctranspath", "midnight")}
    assert commercial == {"gpfm": None, "gigapath": None, "ctranspath": None, "midnight": True}
    assert all(MODELS[name].publication.commercial is False for name in ("uni", "virchow2", "h_optimus_1", "phikon"))
    assert all(MODELS[name].publication.commercial for name in ("virchow", "h_optimus_0", "hibou_l", "openpath"))
    nothing = replace(MODELS["uni"].preparation)
    assert Variant("cls", 1024, "cls").adapt(nothing) == nothing
