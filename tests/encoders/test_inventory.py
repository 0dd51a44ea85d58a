"""What is usable here, whether it works, and cards of one's own."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from histoseek.encoders.cards.catalogue import list_tile_models
from histoseek.encoders.inventory import check as checks
from histoseek.encoders.inventory.check import check_tile_encoder
from histoseek.encoders.inventory.listing import ListedEncoder, list_encoders
from histoseek.encoders.inventory.own_cards import add_own_cards, remove_own_card
from histoseek.encoders.inventory.reference_tiles import make_reference_tiles, measure_agreement, project_vectors
from histoseek.encoders.tile import registry
from histoseek.encoders.tile.registry import find_tile_card, load_tile_encoder
from histoseek.errors import ConfigurationError, EncoderError, UnknownEncoder
from histoseek.settings import get_settings
from tests.cli.process import histoseek, refused
from tests.encoders.published import clear_places, put_into_cache, refuse_network, run, sha256
from tests.encoders.small_models import require_packages

require_packages()
import torch  # noqa: E402

from histoseek.encoders.devices import import_timm  # noqa: E402

CARD = """
[[card]]
name = "{name}"
spacings_um_per_px = [1.0]
variants = [
  {{ name = "cls", dimension = 192, pooling = "cls" }},
  {{ name = "cls+mean", dimension = 384, pooling = "cls+mean" }},
]
not_verified = ["its makers are this test"]
[card.network]
library = "timm"
architecture = "vit_tiny_patch16_224"
arguments = {{ depth = 1, img_size = 32, num_classes = 0 }}
[card.preparation]
input_px = 32
mean = [0.5, 0.5, 0.5]
std = [0.5, 0.5, 0.5]
[card.publication]
repository = "Lab/{name}"
licence = "MIT"
commercial = true
gated = {gated}
files = [{{ name = "pytorch_model.bin", sha256 = "{sha256}" }}]
[card.facts]
"network" = "tests/encoders/test_inventory.py"
"""


@pytest.fixture(autouse=True)
def empty_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    clear_places(monkeypatch, tmp_path, weights=tmp_path / "weights", runtime="torch", batch_memory_mb=64)
    yield
    monkeypatch.undo()
    get_settings.cache_clear()


def make_weights(path: Path, seed: int = 0) -> Path:
    torch.manual_seed(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    network = import_timm().create_model("vit_tiny_patch16_224", depth=1, img_size=32, num_classes=0)
    torch.save(network.state_dict(), path)
    return path


def write_card(folder: Path, name: str = "mine", sha: str = "", gated: bool = False) -> Path:
    path = folder / f"{name}-card.toml"
    path.write_text(CARD.format(name=name, sha256=sha, gated=str(gated).lower()))
    return path


def entry(name: str) -> ListedEncoder:
    return next(each for each in list_encoders() if each.name == name)


def test_a_card_of_ones_own_is_an_encoder_like_others(tmp_path: Path) -> None:
    weights = make_weights(tmp_path / "weights" / "mine" / "pytorch_model.bin")
    assert add_own_cards(write_card(tmp_path, sha=sha256(weights))) == ("mine",)
    encoder = load_tile_encoder("mine")
    assert encoder.weights_hash == sha256(weights)[:16]
    tiles = make_reference_tiles(32)
    network = import_timm().create_model("vit_tiny_patch16_224", depth=1, img_size=32, num_classes=0)
    network.load_state_dict(torch.load(weights, weights_only=True))
    with torch.inference_mode():
        tokens = network.eval().forward_features(torch.from_numpy(tiles).permute(0, 3, 1, 2) / 127.5 - 1)
    assert np.abs(encoder.encode(tiles) - tokens[:, 0].numpy()).max() < 1e-5
    assert load_tile_encoder("mine:cls+mean").encode(tiles).shape == (4, 384)
    listed = entry("mine")
    assert (listed.state, listed.is_own, listed.variants) == ("usable", True, ("cls", "cls+mean"))
    assert find_tile_card("mine").usual_spacing_um_per_px == 1.0
    assert remove_own_card("mine").name == "mine.toml"
    with pytest.raises(UnknownEncoder):
        find_tile_card("mine")
    with pytest.raises(ConfigurationError, match=r"is no encoder of your own. Choose from: there are none"):
        remove_own_card("mine")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "mine"', 'name = "lite0"', "there is an encoder of the name 'lite0' already"),
        ('name = "mine"', 'name = "uni"', "there is an encoder of the name 'uni' already"),
        ('name = "mine"', 'name = "minilm"', "there is an encoder of the name 'minilm' already"),
        ('name = "mine"', 'name = "my encoder:1"', "can't be a name"),
        ('name = "mine"', 'name = "features"', "can't be a name"),
        ("dimension = 192", 'dimension = "wide"', "variants.0.dimension: Input should be a valid integer"),
        ('library = "timm"', 'library = "keras"', "network.library: Input should be 'timm'"),
        ('library = "timm"', 'library = "own"', "networks of own called 'vit_tiny_patch16_224' can't be built here"),
        ("input_px = 32", "inputpx = 32", "'inputpx' is no field of Preparation"),
        ("[card.network]", "[card.net]", "has no 'network'"),
        ("[[card]]", "[card", "is not readable as TOML"),
        ('sha256 = ""', 'sha256 = "12"', "is not 64 hex digits"),
        ('name = "pytorch_model.bin"', 'name = "../model.bin"', "is no file of a repository"),
        ("spacings_um_per_px = [1.0]", "spacings_um_per_px = []", "need one entry at least"),
        ("spacings_um_per_px = [1.0]", "spacings_um_per_px = [nan]", "not above 0"),
        ("dimension = 192", "dimension = 0", "must be 1 or more"),
        ('name = "cls+mean"', 'name = "cls"', "each once"),
        ('name = "cls+mean"', 'name = "cls@mean"', "names of variants"),
        ("input_px = 32", "input_px = 32\nresize_px = 16", "the middle 32 px can't be taken of 16 px"),
        ("std = [0.5, 0.5, 0.5]", "std = [0.5, 0.0, 0.5]", "std above 0"),
    ],
)
def test_wrong_cards_are_refused_in_one_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = write_card(tmp_path)
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(ConfigurationError) as caught:
        add_own_cards(path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "encoders").exists()


def test_damaged_cards_in_the_folder_are_said_and_harm_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add_own_cards(write_card(tmp_path))
    (tmp_path / "encoders" / "torn.toml").write_text("[[card]")
    (tmp_path / "encoders" / "twice.toml").write_text(write_card(tmp_path).read_text())
    (tmp_path / "encoders" / "uni.toml").write_text(write_card(tmp_path, "uni").read_text())
    assert find_tile_card("mine").dimension == 192
    assert find_tile_card("uni").dimension == 1024, "a published model's name is not taken"
    run("encoders")
    assert [line.partition("encoders/")[2][:9] for line in capsys.readouterr().err.splitlines()] == [
        "torn.toml",
        "twice.tom",
        "uni.toml:",
    ]
    with pytest.raises(ConfigurationError, match="already"):
        add_own_cards(write_card(tmp_path))


def test_what_an_encoder_lacks_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_network(monkeypatch)
    add_own_cards(write_card(tmp_path, gated=True))
    assert (entry("mine").state, entry("mine").missing) == ("weights missing", "pytorch_model.bin")
    link = put_into_cache(tmp_path / "hf" / "hub", b"anything", "pytorch_model.bin", repository="Lab/mine")
    place = entry("mine").place
    assert place is not None
    assert (place.path, place.origin, entry("mine").state) == (link, "the Hugging Face cache", "usable")
    monkeypatch.setattr("histoseek.encoders.inventory.listing.find_spec", lambda name: None)
    assert (entry("mine").state, entry("mine").missing) == ("package missing", "torch, timm")
    assert [each.name for each in list_encoders() if each.kind == "tile" and each.is_usable] == ["lite0"]


def test_the_list_shows_and_filters(capsys: pytest.CaptureFixture[str]) -> None:
    def read(*options: str) -> list[dict[str, Any]]:
        run("encoders", "--json", *options)
        return json.loads(capsys.readouterr().out)

    plain = histoseek("encoders").stdout
    for line in ("tile encoders (--encoder):", "lite0: 1280-d", "uni: 1024-d", "minilm: 384-d", "pooled-1: fitted to"):
        assert line in plain
    assert "weights not here: pytorch_model.bin" in plain
    assert "from MahmoodLab/uni, CC-BY-NC-ND-4.0, no commercial use, gated" in plain
    every = read()
    assert {"tile", "text", "slide"} == {each["kind"] for each in every}
    assert read("--usable") == [each for each in every if each["usable"]] != every
    assert read("--commercial") == [each for each in every if each["publication"]["commercial"]] != every
    assert read("--words") == [each for each in every if each["has_words"]] != every


def test_a_card_is_shown_with_its_sources_and_doubts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add_own_cards(write_card(tmp_path))
    run("encoders", "show", "mine:cls+mean")
    shown = capsys.readouterr().out
    assert "dimension: 384" in shown
    assert "source of network: tests/encoders/test_inventory.py" in shown
    assert "not verified: its makers are this test" in shown
    run("encoders", "show", "uni", "--json")
    assert json.loads(capsys.readouterr().out)["publication"]["gated"] is True
    run("encoders", "show", "minilm")
    assert "384" in capsys.readouterr().out
    assert "no such encoder" in refused("encoders", "show", "nobody")
    with pytest.raises(EncoderError, match="no such variant"):
        run("encoders", "show", "mine:mean")


def test_reference_tiles_and_their_numbers_are_the_same_everywhere() -> None:
    tiles = make_reference_tiles(224)
    assert tiles.shape == (4, 224, 224, 3)
    assert sha256_of(tiles) == "cc73cc930149c6b343c6ece23d1d3e9ed2884be787d99fa0ab5490c1f2d90cea"
    vectors = np.random.default_rng(0).standard_normal((4, 500)).astype(np.float32)
    numbers = project_vectors(vectors)
    assert np.linalg.norm(numbers) == pytest.approx(1, abs=1e-3)
    assert project_vectors(3 * vectors) == numbers
    near, far = vectors + 0.02 * vectors[::-1], np.roll(vectors, 1, axis=1)
    assert measure_agreement(np.array([numbers]), np.array([project_vectors(near)])) > 0.99
    assert measure_agreement(np.array([numbers]), np.array([project_vectors(far)])) < 0.8


def sha256_of(tiles: np.ndarray) -> str:
    import hashlib

    return hashlib.sha256(tiles.tobytes()).hexdigest()


def test_lite0_is_checked_against_its_card(monkeypatch: pytest.MonkeyPatch) -> None:
    found = check_tile_encoder("lite0", seconds=0)
    assert (found.agrees, found.compared_with, found.dimension) == (True, "the vectors on its card", 1280)
    assert found.cosine is not None
    assert found.cosine > 0.9999
    assert found.tiles_per_second > 0
    assert found.peak_memory_mb > 50
    real = load_tile_encoder("lite0")

    class Swapped:
        card, weights_hash, runtime = real.card, real.weights_hash, real.runtime

        def encode(self, pixels: np.ndarray) -> np.ndarray:
            return real.encode(np.ascontiguousarray(pixels[..., ::-1]))

    monkeypatch.setattr(checks, "load_tile_encoder", lambda _: Swapped())
    assert not check_tile_encoder("lite0", seconds=0).agrees, "colours in another order"


def test_a_check_is_compared_with_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(checks, "SECONDS", 0.0)
    weights = make_weights(tmp_path / "weights" / "mine" / "pytorch_model.bin")
    add_own_cards(write_card(tmp_path, sha=sha256(weights)))
    assert run("encoders", "check", "mine") == 0
    assert "no official vectors of mine are known: these are kept for checks to come" in capsys.readouterr().out
    assert run("encoders", "check", "mine", "--json") == 0
    again = json.loads(capsys.readouterr().out)
    assert (again["agrees"], again["dimension"]) == (True, 192)
    assert again["compared_with"].startswith("an earlier check (histoseek ")
    [kept] = (tmp_path / "cache" / "references").iterdir()
    data = json.loads(kept.read_text())
    data["vectors"][2] = data["vectors"][2][::-1]
    del data["checksum"]
    kept.write_text(json.dumps(data))
    assert run("encoders", "check", "mine") == 2
    assert "DISAGREE" in capsys.readouterr().out


def test_wrong_weights_are_said_by_the_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refusal(*arguments: object) -> str:
        with pytest.raises(EncoderError) as caught:
            run("encoders", "check", *arguments)
        return str(caught.value)

    monkeypatch.setattr(checks, "SECONDS", 0.0)
    mine = make_weights(tmp_path / "weights" / "mine" / "pytorch_model.bin")
    other = make_weights(tmp_path / "weights" / "other" / "pytorch_model.bin", seed=1)
    add_own_cards(write_card(tmp_path, "mine", sha256(mine)))
    add_own_cards(write_card(tmp_path, "other", sha256(other)))
    assert "not weights of mine, but of other (Lab/other, pytorch_model.bin)" in refused(
        "encoders", "check", f"mine@{other}"
    )
    tuned = make_weights(tmp_path / "tuned.bin", seed=2)
    assert "fine-tuned ones, or damaged" in refusal(f"mine@{tuned}")
    assert run("encoders", "check", f"mine@{tuned}", "--accept-unknown-weights") == 0
    torch.save({"weight": torch.ones(3)}, tmp_path / "foreign.bin")
    said = refusal(f"mine@{tmp_path / 'foreign.bin'}", "--accept-unknown-weights")
    assert "not weights of mine: no cls_token" in said
    tuned.write_bytes(tuned.read_bytes()[:-500])
    assert "is cut off" in refusal(f"mine@{tuned}", "--accept-unknown-weights")


def test_published_cards_are_sound() -> None:
    for model in list_tile_models():
        registry.require_buildable(model)
    with pytest.raises(ConfigurationError, match="can't be built here"):
        model = list_tile_models()[0]
        registry.require_buildable(
            replace(model, features_only="", network=replace(model.network, library="own", architecture="x"))
        )
    with pytest.raises(EncoderError, match="not on this machine"):
        load_tile_encoder("uni")
    assert os.environ["HISTOSEEK_ACCEPT_UNKNOWN_WEIGHTS"] == "0"
