"""Published slide encoders: their files are read by name and shape, and give what `naive_published_slides` does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from histoseek.encoders.bag import UNKNOWN_POSITION, Bag
from histoseek.encoders.cards.catalogue import list_slide_models, list_tile_models
from histoseek.encoders.checkpoints.importing import ImportRequest, import_checkpoint
from histoseek.encoders.slide.published.family import PUBLISHED, find_published
from histoseek.encoders.slide.published.gigapath import attend_dilated
from histoseek.encoders.slide.published.grid import attend, find_slopes, make_distance_bias
from histoseek.encoders.weights import load_weights, save_weights
from histoseek.errors import ConfigurationError, EncoderError, WeightsError
from tests.encoders import naive_published_slides as naive
from tests.encoders import published_slide_names as names_of

EDGE, TILES, FEATURES = 448, 23, 24
REQUEST = ImportRequest("published", None, text_encoder=None)
Array = np.ndarray
Tensors = Mapping[str, Array]


@dataclass(frozen=True)
class Case:
    """A family at small sizes: the file's names and shapes, the tensors as the file has them, and what they give."""

    family: str
    shapes: names_of.Shapes
    compute: Callable[[Tensors, Array, Array, str], Array]
    suffix: str = ".pt"
    modes: tuple[str, ...] = ("slide",)


WIDTH = 32
CASES = (
    Case("chief", names_of.chief(FEATURES, WIDTH, 8), lambda t, f, c, m: naive.chief(t, f)),
    Case(
        "feather",
        names_of.feather(FEATURES, WIDTH, 8),
        lambda t, f, c, m: naive.feather(t, f),
        suffix=".safetensors",
    ),
    Case("madeleine", names_of.madeleine(FEATURES, WIDTH, 3, 5), lambda t, f, c, m: naive.madeleine(t, f, 3)),
    Case("tangle", names_of.tangle(FEATURES, WIDTH, 2), lambda t, f, c, m: naive.tangle(t, f, 2)),
    Case(
        "titan",
        names_of.titan(FEATURES, 3 * 64, 2, 48, 3),
        lambda t, f, c, m: naive.titan(t, f, c, EDGE, 3, m),
        suffix=".safetensors",
        modes=("slide", "projected"),
    ),
    Case(
        "moozy",
        names_of.moozy(FEATURES, 36, 2, 20, heads=3, registers=2),
        lambda t, f, c, m: naive.moozy(t, f, c, EDGE, 3),
    ),
    Case(
        "moozy",
        names_of.moozy(FEATURES, 24, 1, 20, heads=6, registers=1, extras=True),
        lambda t, f, c, m: naive.moozy(t, f, c, EDGE, 6),
    ),
    Case(
        "gigapath",
        names_of.gigapath(FEATURES, 64, 3, 40),
        lambda t, f, c, m: naive.gigapath(t, f, c, EDGE, m, [1024, 5792, 32768, 185363, 1048576]),
        suffix=".pth",
        modes=("mean", "mean-11", "cls"),
    ),
    Case(
        "prism",
        names_of.prism(FEATURES, 40, 5, 16, layers=2, rounds=4),
        lambda t, f, c, m: naive.prism(t, f, rounds=4, layers=2, heads=8),
        suffix=".safetensors",
    ),
)
ALL = pytest.mark.parametrize("case", CASES, ids=lambda case: case.family)


def random_tensors(shapes: names_of.Shapes, seed: int = 5) -> dict[str, Array]:
    """Random numbers of a size that keeps vectors apart; copies of shared tensors are copies."""
    rng = np.random.default_rng(seed)
    drawn = {
        name: np.asarray(rng.standard_normal(shape) / (shape[-1] if len(shape) > 1 else 4) ** 0.5, np.float32)
        for name, shape in shapes.items()
    }
    if "pos_bias.slopes" in drawn:
        drawn["pos_bias.slopes"] = -np.abs(drawn["pos_bias.slopes"])
    family = find_published(drawn)
    assert family
    originals = {name: family.layout.prefix + own for name, own in _originals(family.layout.prefix, drawn).items()}
    return {name: drawn[originals.get(name, name)] for name in drawn}


def _originals(prefix: str, names: Mapping[str, object]) -> dict[str, str]:
    """Which tensor a copy is of: all rounds of the perceiver and all blocks share, but for the first look."""
    found = {}
    for name in names:
        parts = name.removeprefix(prefix).split(".")
        if parts[:2] == ["perceiver", "layers"]:
            first = min(int(parts[2]), 1) if parts[3] == "xattn" else 0
            found[name] = ".".join([*parts[:2], str(first), *parts[3:]])
        if parts[-2:] == ["pos_bias", "slopes"]:
            found[name] = "pos_bias.slopes"
    return found


def write(case: Case, folder: Path, tensors: Tensors) -> Path:
    """A file in the layout in which the family publishes: wrapped, prefixed, as safetensors."""
    path = folder / f"{case.family}{case.suffix}"
    values = {name: torch.from_numpy(np.array(value)) for name, value in tensors.items()}
    if case.suffix == ".safetensors":
        save_file(values, path)
    elif case.family == "gigapath":
        torch.save({"model": {**values, "pos_embed": torch.zeros(3)}, "epoch": 3}, path)
    elif case.family == "moozy":
        torch.save({"teacher_slide_encoder": values, "case_transformer": {}, "slide_encoder_config": {"a": 1}}, path)
    elif case.family == "tangle":
        torch.save({f"module.{name}": value for name, value in values.items()}, path)
    else:
        torch.save(values, path)
    return path


def make_bag(dimension: int = FEATURES) -> Bag:
    """Tiles on a grid with gaps, off its zero; two of them nearly in one place, one without a feature."""
    rng = np.random.default_rng(3)
    cells = rng.permutation(60)[:TILES]
    coords = np.stack([cells % 8 * EDGE + 131, cells // 8 * EDGE + 4 * EDGE + 17], 1).astype(np.int32)
    coords[1] = coords[0] + 20
    features = rng.standard_normal((TILES, dimension)).astype(np.float32)
    features[2] = 0
    return Bag(features, coords, np.ones(TILES, np.float32), EDGE, 0.5, "test")


@ALL
def test_a_published_file_gives_what_its_architecture_says(case: Case, tmp_path: Path) -> None:
    tensors, bag = random_tensors(case.shapes), make_bag()
    path = write(case, tmp_path, tensors)
    for mode in case.modes:
        weights = import_checkpoint(path, replace(REQUEST, mode=mode))
        save_weights(weights, tmp_path / "library.safetensors")
        encoder = load_weights(tmp_path / "library.safetensors").build_slide_encoder()
        embedding = encoder.encode(bag)
        expected = case.compute(tensors, bag.features.astype(np.float64), bag.coords.astype(np.int64), mode)
        assert np.allclose(embedding.global_vector, expected / np.linalg.norm(expected), atol=1e-5)
        assert embedding.parts == ()
        assert (encoder.name, encoder.dimension) == (f"{case.family}-1-{mode}", len(expected))
        assert weights.card.family == case.family


@ALL
def test_tensors_that_do_not_fit_are_named_in_one_line(case: Case, tmp_path: Path) -> None:
    tensors = random_tensors(case.shapes)
    family = find_published(tensors)
    assert family
    copies = {family.layout.prefix + name for name in _originals("", family.layout.select(tensors))}
    others = (*family.layout.marks, *copies)
    own = [name for name in tensors if name not in others and not name.startswith(family.layout.left_out)]
    last = max(own, key=lambda name: (name.endswith("norm.bias"), name.endswith(".bias"), name))
    for change, wanted in (
        ({name: value for name, value in tensors.items() if name != last}, "1 missing: "),
        ({**tensors, "surprise.weight": np.zeros(3, np.float32)}, "1 extra: surprise.weight"),
        ({**tensors, last: np.zeros(7, np.float32)}, "1 of another shape: "),
        ({**tensors, last: tensors[last] + np.nan}, "holds NaN or infinity"),
    ):
        with pytest.raises(WeightsError) as caught:
            import_checkpoint(write(case, tmp_path, change), REQUEST)
        assert wanted in str(caught.value) and "\n" not in str(caught.value)
        assert "surprise" in wanted or last.removeprefix(family.layout.prefix) in str(caught.value)


SIZES = {
    "chief": names_of.chief(),
    "madeleine": names_of.madeleine(),
    "tangle": names_of.tangle(),
    "feather_conch_v15": names_of.feather(768),
    "feather_uni_v2": names_of.feather(1536),
    "feather_uni": names_of.feather(1024),
    "titan": names_of.titan(),
    "prism": names_of.prism(),
    "gigapath_slide": names_of.gigapath(),
    "gigapath_flash_slide": names_of.gigapath(384, 384, 12, 1536),
    "moozy_slide": names_of.moozy(),
}
PUBLISHED_COUNTS = {
    "titan": 48.5,
    "gigapath_slide": 86.3,
    "gigapath_flash_slide": 21.5,
    "feather_uni": 0.9,
}
"""Millions, as stated where the cards say."""


def test_every_published_slide_encoder_has_a_card_and_every_card_what_it_is() -> None:
    cards = {card.name: card for card in list_slide_models()}
    assert {name for name, card in cards.items() if card.family} == SIZES.keys()
    assert {card.family for card in cards.values() if card.family} == {family.name for family in PUBLISHED}
    for card in cards.values():
        assert bool(card.family) != bool(card.features_only)
        assert card.facts and card.not_verified
        assert card.publication.licence and card.publication.commercial is not True


@pytest.mark.parametrize("name", SIZES)
def test_names_shapes_and_counts_at_full_size(name: str) -> None:
    card = next(card for card in list_slide_models() if card.name == name)
    tensors = {key: torch.empty(shape, device="meta") for key, shape in SIZES[name].items()}
    family = find_published(tensors)
    assert family and family.name == card.family
    visual = family.layout.select(tensors)
    sizes = family.infer({key: tuple(value.shape) for key, value in visual.items()})
    expected = {key: tuple(value.shape) for key, value in family.layout.untie(visual, lambda a, b: True).items()}
    with torch.device("meta"):
        network = family.network(sizes)
    assert {key: tuple(value.shape) for key, value in network.state_dict().items()} == expected
    count = sum(value.numel() for value in network.parameters())
    assert count == card.parameters
    assert round(count / 1e6, 1) == PUBLISHED_COUNTS.get(name, round(count / 1e6, 1))
    assert sizes.dimension == card.dimension
    takes = {
        variant.dimension for tile in list_tile_models() if tile.name == card.tile_encoder for variant in tile.variants
    }
    assert not takes or sizes.input_dimension in takes


def test_counts_that_are_stated_with_other_parts() -> None:
    def count(shapes: names_of.Shapes) -> int:
        return sum(int(np.prod(shape)) for shape in shapes.values())

    whole = {name: shape for name, shape in SIZES["chief"].items() if name != "organ_embedding"}
    assert round(count(whole) / 1e6, 1) == 1.2
    slide = {name: shape for name, shape in SIZES["madeleine"].items() if not name.startswith("token_projector")}
    assert round(count(slide) / 1e6, 1) == 4.7
    case_transformer = 3 * 7_087_872 + 2 * 768 + 768 + 3 * 2 * 768
    moozy = next(card.parameters for card in list_slide_models() if card.name == "moozy_slide")
    assert round((moozy + case_transformer + 21_670_272) / 1e6, 2) == 85.77
    # TITAN in all: its vision part and a text tower of 12 layers with 32,007 tokens of 128 places
    text = 32_007 * 768 + 12 * 7_087_872 + 128 * 768 + 768 + 2 * 768 + 768 * 768
    assert round((48_539_904 + text) / 1e6, 1) == 158.9


def test_dilated_attention_with_segments_and_rows_left_over() -> None:
    rng = np.random.default_rng(0)
    query, key, value = rng.standard_normal((3, 37, 32))
    segments = [4, 6, 8, 16, 64]
    expected = naive.dilated(query, key, value, 16, segments)
    heads = [torch.from_numpy(rows).unflatten(1, (16, 2)).transpose(0, 1) for rows in (query, key, value)]
    found = attend_dilated(heads[0], heads[1], heads[2], tuple(segments), (1, 2, 4, 8, 16))
    assert np.allclose(found.transpose(0, 1).flatten(1), expected, atol=1e-9)


def test_attention_in_pieces_is_that_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = torch.randn(3, 3, 11, 4, dtype=torch.float64)
    bias = make_distance_bias(torch.randn(9, 2, dtype=torch.float64), find_slopes(3).double(), 2)
    whole = attend(*rows, bias)
    monkeypatch.setattr("histoseek.encoders.slide.published.grid._BIASES_AT_ONCE", 40)
    assert torch.allclose(attend(*rows, bias), whole)


def test_copies_of_shared_tensors_may_lack_but_not_differ(tmp_path: Path) -> None:
    case = next(case for case in CASES if case.family == "prism")
    tensors = random_tensors(names_of.prism(FEATURES, 40, 5, 16, layers=2, rounds=8))
    kept = {
        name: value
        for name, value in tensors.items()
        if ".layers." not in name or ".layers.0." in name or ".layers.1.xattn." in name
    }
    whole, alone = (import_checkpoint(write(case, tmp_path, each), REQUEST) for each in (tensors, kept))
    assert whole.card.architecture == alone.card.architecture
    assert whole.card.sha256 == alone.card.sha256
    name = "image_resampler.perceiver.layers.3.tf.1.ff.net.0.weight"
    with pytest.raises(WeightsError, match=r"layers\.3\.tf\.1\.ff\.net\.0\.weight differs from the tensor"):
        import_checkpoint(write(case, tmp_path, {**tensors, name: tensors[name] + 1}), REQUEST)


def test_what_is_published_goes_onto_the_card(tmp_path: Path) -> None:
    case = next(case for case in CASES if case.family == "feather")
    path = write(case, tmp_path, random_tensors(names_of.feather(1024, 512, 384)))
    card = import_checkpoint(path, REQUEST).card
    assert (card.features.spacing_um_per_px, card.licence) == (0.5, "CC-BY-NC-ND-4.0")
    assert "in another file" in card.source
    with pytest.raises(ConfigurationError, match="mode cls: is not a mode of feather slide encoders"):
        import_checkpoint(path, replace(REQUEST, mode="cls"))


def test_features_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    for case in CASES:
        weights = import_checkpoint(write(case, tmp_path, random_tensors(case.shapes)), REQUEST)
        encoder = weights.build_slide_encoder()
        with pytest.raises(EncoderError, match="takes features of dimension 24, these have 25"):
            encoder.encode(make_bag(25))
        nowhere = replace(make_bag(), coords=np.full((TILES, 2), UNKNOWN_POSITION, np.int32))
        if case.family in ("titan", "moozy", "gigapath"):
            with pytest.raises(EncoderError, match="needs the places of tiles"):
                encoder.encode(nowhere)
        else:
            assert np.allclose(encoder.encode(nowhere).global_vector, encoder.encode(make_bag()).global_vector)


def test_files_of_nobody_are_refused_in_one_line(tmp_path: Path) -> None:
    torch.save({"encoder.weight": torch.zeros(2)}, tmp_path / "other.pt")
    with pytest.raises(WeightsError, match=r"holds no slide encoder that is known here \(it has encoder\.weight\)"):
        import_checkpoint(tmp_path / "other.pt", REQUEST)
