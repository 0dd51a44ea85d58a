"""Weights files, the library, and checkpoints from elsewhere."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from histoseek.encoders.bag import Bag
from histoseek.encoders.checkpoints.importing import ImportRequest, import_checkpoint
from histoseek.encoders.library import add_to_library, find_weights, library_cards, library_names
from histoseek.encoders.slide.pathsearch.architecture import PathSearchArchitecture
from histoseek.encoders.text.registry import load_tower
from histoseek.encoders.text.trained import build_text_encoder
from histoseek.encoders.weights import CardMetric, FeatureSpace, TextPart, Weights, load_weights, save_weights
from histoseek.errors import ConfigurationError, SlideNotFound, SpaceMismatch, UnknownWeights, WeightsError
from histoseek.settings import get_settings
from tests.weights import SMALL, slide_tensors, small_weights

REQUEST = ImportRequest("published", FeatureSpace("test", 0.5, 512), text_encoder=None)


def checkpoint(prefix: str = "") -> dict[str, torch.Tensor]:
    return {f"{prefix}{name}": torch.from_numpy(value) for name, value in slide_tensors(SMALL).items()}


def bag(tiles: int = 20) -> Bag:
    rng = np.random.default_rng(3)
    coords = (448 * np.stack([np.arange(tiles) % 5, np.arange(tiles) // 5], 1)).astype(np.int32)
    features = rng.standard_normal((tiles, SMALL.input_dimension)).astype(np.float32)
    return Bag(features, coords, np.ones(tiles, np.float32), 448, 0.5, "test")


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("HISTOSEEK_WEIGHTS_DIR", str(tmp_path / "library"))
    get_settings.cache_clear()
    yield tmp_path / "library"
    get_settings.cache_clear()


def test_weights_come_back_to_the_bit(tmp_path: Path) -> None:
    weights = small_weights(texts=True)
    metrics = (CardMetric("text->slide recall@5", 0.5, 0.4, 0.6, 0.1), CardMetric("loss", 1.5))
    weights = replace(weights, card=replace(weights.card, metrics=metrics))
    save_weights(weights, tmp_path / "w.safetensors")
    found = load_weights(tmp_path / "w.safetensors")
    assert found.card == weights.card
    assert found.tensors.keys() == weights.tensors.keys()
    assert all(np.array_equal(found.tensors[name], value) for name, value in weights.tensors.items())
    alignment = found.alignment
    assert alignment
    text = np.random.default_rng(0).standard_normal((2, 384)).astype(np.float32)
    naive = text @ weights.tensors["text_projection.weight"].T + weights.tensors["text_projection.bias"]
    assert np.allclose(alignment.texts(text), naive / np.linalg.norm(naive, axis=1, keepdims=True), atol=1e-5)
    assert small_weights().alignment is None


def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    with pytest.raises(UnknownWeights, match="no such weights"):
        load_weights(path)
    save_weights(small_weights(), path)
    data, card = path.read_bytes(), path.with_suffix(".json").read_text()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(WeightsError, match="checksum"):
        load_weights(path)
    path.write_bytes(data)
    for there, wrong in (
        ('"heads": 4', '"heads": "many"'),
        ('"masked"', '"banana"'),
        ('"tile_encoder": "test"', '"tile_encoder": 5'),
    ):
        assert there in card
        path.with_suffix(".json").write_text(card.replace(there, wrong))
        with pytest.raises(WeightsError, match="no readable weights card"):
            load_weights(path)
    path.with_suffix(".json").unlink()
    with pytest.raises(WeightsError, match="has no card"):
        load_weights(path)
    other = small_weights()
    wrong = Weights.from_tensors(
        replace(other.card, architecture=PathSearchArchitecture(24, 64, 4, 4, 8)), other.tensors
    )
    with pytest.raises(WeightsError, match="not those of its card's architecture"):
        wrong.build_slide_encoder()


def test_the_library_lists_finds_and_protects(library: Path, tmp_path: Path) -> None:
    assert library_names() == ()
    with pytest.raises(UnknownWeights, match="weights list"):
        find_weights("small")
    path = add_to_library(small_weights())
    assert path.parent == library
    assert [card.name for card in library_cards()[0]] == ["small"]
    assert find_weights("small").card == find_weights(str(path)).card == small_weights().card
    with pytest.raises(ConfigurationError, match="in the library already"):
        add_to_library(small_weights(seed=1))
    add_to_library(small_weights(seed=1), replace=True)
    assert find_weights("small").card.fingerprint == small_weights(seed=1).card.fingerprint
    with pytest.raises(UnknownWeights, match="Choose from: small"):
        find_weights("large")
    (library / "small.json").write_text("{}")
    cards, faults = library_cards()
    assert cards == ()
    assert "small.json" in str(faults[0])
    for name in ("", "../up", "a/b", ".hidden", "ü x"):
        with pytest.raises(ConfigurationError, match="is no name"):
            find_weights(name)


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_published_checkpoints_are_imported(tmp_path: Path, wrapped: bool, prefix: str, suffix: str) -> None:
    state, path = checkpoint(prefix), tmp_path / f"published{suffix}"
    if suffix == ".pt":
        torch.save({"model": state, "epoch": 7} if wrapped else state, path)
    else:
        from safetensors.torch import save_file

        save_file(state, path)
    weights = import_checkpoint(path, REQUEST)
    assert weights.card.architecture == SMALL
    assert (weights.card.mode, weights.card.text, weights.card.features.tile_encoder) == ("reference", None, "test")
    mine, theirs = weights.build_slide_encoder(), small_weights(mode="reference").build_slide_encoder()
    assert np.array_equal(mine.encode(bag()).global_vector, theirs.encode(bag()).global_vector)


def test_half_precision_becomes_single(tmp_path: Path) -> None:
    torch.save({n: v.half() if v.is_floating_point() else v for n, v in checkpoint().items()}, tmp_path / "half.pt")
    weights = import_checkpoint(tmp_path / "half.pt", REQUEST)
    assert {str(value.dtype) for value in weights.tensors.values()} == {"float32", "int64"}


def test_a_checkpoint_that_does_not_fit_names_what_is_wrong(tmp_path: Path) -> None:
    def reason(state: object) -> str:
        torch.save(state, tmp_path / "bad.pt")
        with pytest.raises(WeightsError) as caught:
            import_checkpoint(tmp_path / "bad.pt", REQUEST)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    state = checkpoint()
    missing = {name: value for name, value in state.items() if name != "visual.cls_token"}
    assert "1 missing: cls_token" in reason(missing)
    assert "1 extra: head.weight" in reason({**state, "visual.head.weight": torch.zeros(2)})
    wrong = {**state, "visual.pos_layer.proj.bias": torch.zeros(5)}
    assert "1 of another shape: pos_layer.proj.bias [5] instead of [32]" in reason(wrong)
    gap = {n.replace("abmil.attention.3.", "abmil.attention.9."): v for n, v in state.items()}
    assert "6 missing: abmil.attention.3" in reason(gap)
    assert "holds no slide encoder that is known here (it has fc.weight)" in reason({"fc.weight": torch.zeros(2, 2)})
    assert "holds a list" in reason([torch.zeros(2)])
    assert "cls_token holds NaN" in reason({**state, "visual.cls_token": torch.full((1, 1, 32), torch.nan)})
    assert "holds torch.int64" in reason({**state, "visual.cls_token": torch.ones(1, 1, 32, dtype=torch.int64)})
    assert "is a str, not a tensor" in reason({**state, "visual.note": "text"})
    assert "is not a plain tensor" in reason({**state, "visual.cls_token": torch.zeros(1, 1, 32).to_sparse()})
    assert "is not a plain tensor" in reason({**state, "visual.proj.0.weight": torch.zeros(1, 1).expand(10**6, 10**6)})
    torch.save({1: torch.zeros(2), **state}, tmp_path / "numbered.pt")
    assert import_checkpoint(tmp_path / "numbered.pt", REQUEST).card.architecture == SMALL


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_broken_and_dangerous_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "published.pt"
    with pytest.raises(SlideNotFound):
        import_checkpoint(path, REQUEST)
    torch.save(checkpoint(), path)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(WeightsError, match="is damaged"):
        import_checkpoint(path, REQUEST)
    path.write_bytes(b"")
    with pytest.raises(WeightsError, match="is damaged"):
        import_checkpoint(path, REQUEST)
    trap = tmp_path / "trapped"

    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(trap),)

    for save in (
        lambda: torch.save({"model": Trap()}, path),
        lambda: path.write_bytes(pickle.dumps({"model": Trap()})),
    ):
        save()
        with pytest.raises(WeightsError, match="holds more than tensors"):
            import_checkpoint(path, REQUEST)
        assert not trap.exists()


def test_a_text_tower_is_imported_with_the_slide_encoder(tmp_path: Path) -> None:
    tower = load_tower("minilm")
    torch.manual_seed(0)
    changed = {n: v + 0.01 * torch.randn_like(v) if v.is_floating_point() else v for n, v in tower.state_dict().items()}
    state = {
        **checkpoint(),
        **{f"text_model.{name}": value for name, value in changed.items()},
        "text_projection.weight": torch.randn(32, 384),
        "text_projection.bias": torch.randn(32),
        "logit_scale": torch.tensor(2.6),
    }
    path, request = tmp_path / "both.pt", replace(REQUEST, text_encoder="minilm")
    torch.save({"model": state}, path)
    weights = import_checkpoint(path, request)
    assert weights.card.text == TextPart("minilm", 384)
    assert weights.alignment is not None
    tower.load_state_dict(changed)
    tower.eval()
    with torch.inference_mode():
        naive = tower(tower.tokens(["invasive carcinoma"])).numpy()
    encoder = build_text_encoder(weights, "minilm")
    assert np.allclose(encoder.encode(["invasive carcinoma"]), naive, atol=1e-5)
    assert encoder.weights_hash != load_tower("minilm").weights_hash
    del state["text_model.transformer.embeddings.word_embeddings.weight"]
    torch.save(state, path)
    with pytest.raises(WeightsError, match=r"1 missing: transformer\.embeddings\.word_embeddings\.weight"):
        import_checkpoint(path, request)
    assert import_checkpoint(path, REQUEST).card.text is None
    torch.save({**checkpoint(), "text_model.x": torch.zeros(1)}, path)
    with pytest.raises(WeightsError, match="missing"):
        import_checkpoint(path, request)


def test_trained_texts_need_the_tower_they_were_trained_with(tmp_path: Path) -> None:
    weights = small_weights(texts=True)
    card = replace(weights.card, text=TextPart("minilm", 384, "0123456789abcdef"))
    with pytest.raises(SpaceMismatch, match="text encoder"):
        build_text_encoder(Weights(card, weights.tensors), "minilm")
    odd = {**weights.tensors, "text_model.transformer.nothing": np.zeros(1, np.float32)}
    with pytest.raises(WeightsError, match="does not fit minilm"):
        build_text_encoder(Weights(weights.card, odd), "minilm")


def test_cards_that_say_nothing_of_the_training_load(tmp_path: Path) -> None:
    weights = small_weights()
    save_weights(weights, tmp_path / "old.safetensors")
    card = json.loads((tmp_path / "old.json").read_text())
    assert card.pop("training") is None
    (tmp_path / "old.json").write_text(json.dumps(card))
    assert load_weights(tmp_path / "old.safetensors").card.training is None
    assert load_weights(tmp_path / "old.safetensors").card.shared_recall is None


def test_the_card_is_plain_json(tmp_path: Path) -> None:
    save_weights(small_weights(), tmp_path / "w.safetensors")
    card = json.loads((tmp_path / "w.json").read_text())
    assert card["architecture"]["dimension"] == 32
    assert {"name", "mode", "features", "text", "data", "licence", "metrics", "seed", "version", "sha256"} <= set(card)
