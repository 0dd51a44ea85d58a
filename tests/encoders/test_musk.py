"""MUSK against its forward pass written out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from histoseek.encoders.cards.card import Argument
from histoseek.encoders.tile.registry import find_tile_card, load_tile_encoder, load_word_tower
from histoseek.errors import EncoderError

from .small_models import (
    HARD_TEXTS,
    count_published,
    draw_tensors,
    draw_tiles,
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

from torch import Tensor  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from . import naive_towers as naive  # noqa: E402

__all__ = ["fixture_in_torch"]
pytestmark = pytest.mark.usefixtures("in_torch")

SMALL: dict[str, Argument] = {"edge": 64, "width": 32, "depth": 2, "heads": 4, "vocabulary": 40, "positions": 120}


def name_musk(edge: int, width: int, depth: int, vocabulary: int, positions: int) -> dict[str, tuple[int, ...]]:
    """All of the published file: both sides of every layer."""
    shapes: dict[str, tuple[int, ...]] = {
        "beit3.text_embed.weight": (vocabulary, width),
        "beit3.vision_embed.mask_token": (1, 1, width),
        "beit3.vision_embed.cls_token": (1, 1, width),
        "beit3.vision_embed.proj.weight": (width, 3, 16, 16),
        "beit3.vision_embed.proj.bias": (width,),
        "beit3.encoder.embed_positions.A.weight": ((edge // 16) ** 2 + 3, width),
        "beit3.encoder.embed_positions.B.weight": (positions, width),
        "language_head.weight": (width, width),
        "vision_head.weight": (width, width),
        "logit_scale": (),
    }
    for side in "AB":
        norms = [f"layer_norm.{side}"]
        for layer in (f"layers.{number}" for number in range(depth)):
            linear = {f"self_attn.{kind}_proj.{side}": (width, width) for kind in ("k", "v", "q", "out")}
            linear |= {f"ffn.{side}.fc1": (4 * width, width), f"ffn.{side}.fc2": (width, 4 * width)}
            for name, shape in linear.items():
                shapes[f"beit3.encoder.{layer}.{name}.weight"] = shape
                shapes[f"beit3.encoder.{layer}.{name}.bias"] = shape[:1]
            shapes |= {f"beit3.encoder.{layer}.ffn.{side}.ffn_layernorm.{kind}": (4 * width,) for kind in KINDS}
            norms += [
                f"{layer}.{name}.{side}"
                for name in ("self_attn.inner_attn_ln", "self_attn_layer_norm", "final_layer_norm")
            ]
        shapes |= {f"beit3.encoder.{name}.{kind}": (width,) for name in norms for kind in KINDS}
    return shapes


KINDS = ("weight", "bias")


def run(tensors: dict[str, Tensor], tokens: Tensor, side: str, seen: Tensor | None = None) -> Tensor:
    encoder = naive.part(tensors, "beit3.encoder.")
    states = tokens + encoder[f"embed_positions.{side}.weight"][2 : 2 + tokens.shape[1]]
    for layer in (f"layers.{number}" for number in range(2)):
        normed = naive.norm(encoder, f"{layer}.self_attn_layer_norm.{side}", states)
        mixed = [naive.linear(encoder, f"{layer}.self_attn.{kind}_proj.{side}", normed) for kind in "qkv"]
        attended = naive.norm(encoder, f"{layer}.self_attn.inner_attn_ln.{side}", naive.attend(*mixed, 4, seen))
        states = states + naive.linear(encoder, f"{layer}.self_attn.out_proj.{side}", attended)
        inner = naive.linear(
            encoder, f"{layer}.ffn.{side}.fc1", naive.norm(encoder, f"{layer}.final_layer_norm.{side}", states)
        )
        inner = naive.norm(encoder, f"{layer}.ffn.{side}.ffn_layernorm", F.gelu(inner))
        states = states + naive.linear(encoder, f"{layer}.ffn.{side}.fc2", inner)
    return naive.norm(encoder, f"layer_norm.{side}", states)[:, 0]


def encode_images(tensors: dict[str, Tensor], images: Tensor) -> Tensor:
    patches = naive.embed_patches(tensors, "beit3.vision_embed.proj", images, 16)
    first = tensors["beit3.vision_embed.cls_token"].expand(len(images), -1, -1)
    return run(tensors, torch.cat([first, patches], dim=1), "A")


def encode_texts(tensors: dict[str, Tensor]) -> Tensor:
    """Padded to 100 tokens, as MUSK's own code does, with XLM-R's numbers: those of the file, and one."""
    rows = []
    for text in HARD_TEXTS:
        ids = [piece + 1 if piece else 3 for piece in cut(text, WORDS)]
        rows.append([0, *ids[:98], 2])
    mask = torch.tensor([[place < len(row) for place in range(100)] for row in rows])
    ids = torch.tensor([row + [1] * (100 - len(row)) for row in rows])
    tokens = tensors["beit3.text_embed.weight"][ids]
    seen = mask[:, None].expand(-1, 100, -1)
    return run(tensors, tokens, "B", seen) @ tensors["language_head.weight"].T


def test_musk_is_its_forward_pass(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    model = shrink(find_model("musk"), SMALL, 64, {"cls": 32, "ms_aug": 64, "aligned": 32})
    tensors = draw_tensors(name_musk(64, 32, 2, 40, 120))
    path = write(tensors, tmp_path / "model.safetensors")
    publish(monkeypatch, model)
    with pytest.raises(EncoderError, match=r"no tokenizer\.spm beside it"):
        load_word_tower(f"musk@{path}")
    (tmp_path / "tokenizer.spm").write_bytes(write_model(WORDS))
    tiles = draw_tiles(64)
    images = normalise(tiles, model)
    with torch.inference_mode():
        first = encode_images(tensors, images)
        larger = F.interpolate(images, size=128, mode="bicubic")
        parts = [larger[:, :, y : y + 64, x : x + 64] for y in (0, 64) for x in (0, 64)]
        expected = {
            "musk": first,
            "musk:ms_aug": torch.cat([first, torch.stack([encode_images(tensors, part) for part in parts]).mean(0)], 1),
            "musk:aligned": first @ tensors["vision_head.weight"].T,
        }
        texts = unit(encode_texts(tensors))
    for name, vectors in expected.items():
        features, tower = load_tile_encoder(f"{name}@{path}").encode(tiles), load_word_tower(f"{name}@{path}")
        assert np.abs(features - vectors.numpy()).max() < 1e-5
        assert np.abs(tower.encode_texts(HARD_TEXTS) - texts).max() < 1e-5
        assert np.abs(tower.project_tiles(features) - unit(expected["musk:aligned"])).max() < 1e-5
    assert tower.logit_scale == pytest.approx(float(tensors["logit_scale"].exp()))


def test_musks_dimensions_are_those_of_its_variants() -> None:
    dimensions = {name: find_tile_card(name).dimension for name in ("musk", "musk:ms_aug", "musk:aligned")}
    assert dimensions == {"musk": 1024, "musk:ms_aug": 2048, "musk:aligned": 1024}
    assert find_tile_card("musk").preparation.mean == (0.5, 0.5, 0.5)


def test_musks_networks_take_any_number_of_tiles() -> None:
    export_for_any_batch(shrink(find_model("musk"), SMALL, 64, {"cls": 32, "ms_aug": 64, "aligned": 32}))


def test_musks_file_has_the_published_sizes() -> None:
    counted, shapes = count_published("musk")
    assert shapes == name_musk(384, 1024, 24, 64010, 1024)
    assert counted == find_model("musk").network.parameters
    assert round(counted / 1e6, 1) == 675.2


def test_a_file_of_one_side_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    model = shrink(find_model("musk"), SMALL, 64, {"cls": 32, "ms_aug": 64, "aligned": 32})
    tensors = draw_tensors(name_musk(64, 32, 2, 40, 120))
    path = write({name: tensor for name, tensor in tensors.items() if ".B." not in name}, tmp_path / "m.safetensors")
    (tmp_path / "tokenizer.spm").write_bytes(write_model(WORDS))
    publish(monkeypatch, model)
    for load in (load_tile_encoder, load_word_tower):
        with pytest.raises(EncoderError, match=r"no beit3\.encoder\.embed_positions\.B\.weight"):
            load(f"musk@{path}")
