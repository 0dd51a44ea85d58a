"""KEEP against timm's and transformers' own forward passes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from histoseek.encoders.cards.card import Argument
from histoseek.encoders.devices import import_timm, import_transformers
from histoseek.encoders.tile.registry import find_tile_card, load_tile_encoder, load_word_tower
from histoseek.errors import EncoderError

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

torch = pytest.importorskip("torch")
require_packages()

__all__ = ["fixture_in_torch"]
pytestmark = pytest.mark.usefixtures("in_torch")

OF_TIMM: dict[str, Argument] = {"img_size": 64, "embed_dim": 48, "depth": 2, "num_heads": 4}
OF_BERT: dict[str, Argument] = {
    "vocab_size": 80,
    "hidden_size": 24,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}
SMALL = {f"timm.{name}": value for name, value in OF_TIMM.items()} | {
    f"bert.{name}": value for name, value in OF_BERT.items()
}


def test_keep_gives_the_libraries_vectors(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    timm, transformers = import_timm(), import_transformers()
    model = shrink(find_model("keep"), SMALL, 64, 24)
    visual = timm.create_model("vit_large_patch16_224", init_values=1e-5, num_classes=0, **OF_TIMM)
    head = torch.nn.Sequential(torch.nn.Linear(48, 24), torch.nn.GELU(), torch.nn.Linear(24, 24))
    bert = transformers.BertModel(transformers.BertConfig(**OF_BERT))
    tensors = {"logit_scale": torch.tensor(3.2)}
    for part, network in (("visual", visual), ("visual_head", head), ("text", bert)):
        tensors |= {f"{part}.{name}": tensor for name, tensor in draw_weights(network).items()}
    published = {name.replace("ls1.gamma", "ls1.weight").replace("ls2.gamma", "ls2.weight") for name in tensors}
    assert "visual.blocks.0.ls1.weight" in published
    path = write(
        {name.replace(".gamma", ".weight"): tensor.contiguous() for name, tensor in tensors.items()},
        tmp_path / "model.safetensors",
    )
    publish(monkeypatch, model)
    with pytest.raises(EncoderError, match=r"no vocab\.txt beside it"):
        load_word_tower(f"keep@{path}")
    letters = "abcdefghijklmnopqrstuvwxyz0123456789,&"
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters[:30])]
    (tmp_path / "vocab.txt").write_text("\n".join(pieces) + "\n")
    tokenizer = transformers.BertTokenizer(
        vocab={piece: number for number, piece in enumerate(pieces)}, do_lower_case=True
    )
    tokens = tokenizer(list(HARD_TEXTS), max_length=256, padding="max_length", truncation=True, return_tensors="pt")
    tiles = draw_tiles(64)
    features, tower = load_tile_encoder(f"keep@{path}").encode(tiles), load_word_tower(f"keep@{path}")
    with torch.inference_mode():
        expected = unit(head(visual(normalise(tiles, model))))
        texts = unit(bert(**tokens).pooler_output)
    assert np.abs(features - expected).max() < 1e-5
    assert np.abs(tower.encode_texts(HARD_TEXTS) - texts).max() < 1e-5
    assert np.abs(tower.project_tiles(features) - expected).max() < 1e-5
    assert tower.logit_scale == pytest.approx(np.exp(3.2), rel=1e-6)


def test_keeps_network_takes_any_number_of_tiles() -> None:
    export_for_any_batch(shrink(find_model("keep"), SMALL, 64, 24))


def test_keeps_file_has_the_published_sizes() -> None:
    counted, shapes = count_published("keep")
    assert counted == find_model("keep").network.parameters
    assert shapes["visual.patch_embed.proj.weight"] == (1024, 3, 16, 16)
    assert shapes["visual_head.0.weight"] == (768, 1024)
    assert shapes["text.embeddings.word_embeddings.weight"] == (30522, 768)
    assert shapes["text.pooler.dense.weight"] == (768, 768)
    assert shapes["visual.blocks.23.ls2.gamma"] == (1024,)


def test_keep_takes_tiles_of_256_px() -> None:
    card = find_tile_card("keep")
    assert (card.tile_px, card.preparation.resize_px, card.preparation.input_px) == (256, 224, 224)
