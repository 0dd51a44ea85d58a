"""MedSigLIP against transformers' own SigLIP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from histoseek.encoders.cards.card import Argument
from histoseek.encoders.devices import import_transformers
from histoseek.encoders.tile.networks.siglip import clean_as_siglip
from histoseek.encoders.tile.registry import load_tile_encoder, load_word_tower
from histoseek.errors import EncoderError, InputError

from .small_models import (
    HARD_TEXTS,
    count_published,
    draw_tiles,
    draw_weights,
    export_for_any_batch,
    find_model,
    fixture_in_torch,
    normalise,
    publish,
    require_packages,
    shrink,
    unit,
    write,
)
from .test_sentence_pieces import WORDS, cut, write_model

torch = pytest.importorskip("torch")
require_packages()

__all__ = ["fixture_in_torch"]
pytestmark = pytest.mark.usefixtures("in_torch")

SMALL: dict[str, Argument] = {
    f"{side}_config.{name}": value
    for side in ("text", "vision")
    for name, value in {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }.items()
} | {
    "text_config.projection_size": 32,
    "text_config.max_position_embeddings": 20,
    "text_config.vocab_size": 40,
    "vision_config.image_size": 56,
}


def make_library() -> Any:
    transformers = import_transformers()
    parts: dict[str, Any] = {"text_config": {}, "vision_config": {"patch_size": 14}}
    for name, value in SMALL.items():
        part, _, field = name.partition(".")
        parts[part][field] = value
    return transformers.SiglipModel(transformers.SiglipConfig(**parts))


def test_medsiglip_gives_the_librarys_vectors(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    model = shrink(find_model("medsiglip"), SMALL, 56, 32)
    library = make_library()
    tensors = draw_weights(library)
    path = write({name: tensor.contiguous() for name, tensor in tensors.items()}, tmp_path / "model.safetensors")
    publish(monkeypatch, model)
    with pytest.raises(EncoderError, match=r"no spiece\.model beside it"):
        load_word_tower(f"medsiglip@{path}")
    (tmp_path / "spiece.model").write_bytes(write_model(WORDS))
    tiles = draw_tiles(56)
    features, tower = load_tile_encoder(f"medsiglip@{path}").encode(tiles), load_word_tower(f"medsiglip@{path}")
    rows = [[*cut(clean_as_siglip(text).replace("▁", ""), WORDS)[:19], 1] for text in HARD_TEXTS]
    ids = torch.tensor([row + [1] * (20 - len(row)) for row in rows])
    with torch.inference_mode():
        expected = library.get_image_features(pixel_values=normalise(tiles, model)).pooler_output.numpy()
        texts = unit(library.get_text_features(input_ids=ids).pooler_output)
    assert np.abs(features - expected).max() < 1e-5
    assert np.abs(tower.encode_texts(HARD_TEXTS) - texts).max() < 1e-5
    alone = np.concatenate([tower.encode_texts([text]) for text in HARD_TEXTS])
    assert np.abs(alone - texts).max() < 1e-5
    assert np.abs(tower.project_tiles(features) - unit(expected)).max() < 1e-5
    assert tower.logit_scale == pytest.approx(float(tensors["logit_scale"].exp()[0]), rel=1e-6)
    with pytest.raises(InputError, match="is empty"):
        tower.encode_texts(["?!"])


def test_texts_are_cleaned_as_siglip_does() -> None:
    assert clean_as_siglip("H&E  image\tof\n Tumor.") == "▁he image of tumor"
    assert clean_as_siglip("(naïve) — ½") == "▁naïve — ½"
    assert clean_as_siglip(" ... ") == ""


def test_medsiglips_network_takes_any_number_of_tiles() -> None:
    export_for_any_batch(shrink(find_model("medsiglip"), SMALL, 56, 32))


def test_medsiglips_file_has_the_published_sizes() -> None:
    counted, shapes = count_published("medsiglip")
    assert counted == find_model("medsiglip").network.parameters
    assert round(counted / 1e6) == 878
    assert shapes["vision_model.embeddings.patch_embedding.weight"] == (1152, 3, 14, 14)
    assert shapes["vision_model.embeddings.position_embedding.weight"] == (1024, 1152)
    assert shapes["text_model.embeddings.token_embedding.weight"] == (32000, 1152)
