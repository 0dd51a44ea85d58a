"""CONCH and CONCH v1.5 against their forward passes written out."""

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

torch = pytest.importorskip("torch")
require_packages()

from torch import Tensor  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from . import naive_towers as naive  # noqa: E402

__all__ = ["fixture_in_torch"]
pytestmark = pytest.mark.usefixtures("in_torch")

SMALL: dict[str, Argument] = {
    "edge": 64,
    "width": 48,
    "depth": 2,
    "heads": 4,
    "dimension": 24,
    "pooler_heads": 2,
    "text_width": 32,
    "text_depth": 2,
    "text_heads": 2,
    "vocabulary": 300,
    "context": 40,
}
SMALL_V1_5: dict[str, Argument] = {key: SMALL[key] for key in ("edge", "width", "depth", "heads", "dimension")}


def name_trunk(width: int, depth: int, patches: int, *, scaled: bool = False) -> dict[str, tuple[int, ...]]:
    """timm's vision transformer with patches of 16 pixels."""
    shapes: dict[str, tuple[int, ...]] = {
        "cls_token": (1, 1, width),
        "pos_embed": (1, 1 + patches, width),
        "patch_embed.proj.weight": (width, 3, 16, 16),
        "patch_embed.proj.bias": (width,),
    }
    for block in (f"blocks.{number}." for number in range(depth)):
        for layer, (rows, columns) in {
            "attn.qkv": (3 * width, width),
            "attn.proj": (width, width),
            "mlp.fc1": (4 * width, width),
            "mlp.fc2": (width, 4 * width),
        }.items():
            shapes |= {f"{block}{layer}.weight": (rows, columns), f"{block}{layer}.bias": (rows,)}
        for each in ("norm1", "norm2"):
            shapes |= {f"{block}{each}.weight": (width,), f"{block}{each}.bias": (width,)}
        if scaled:
            shapes |= {f"{block}ls1.gamma": (width,), f"{block}ls2.gamma": (width,)}
    return shapes | {"norm.weight": (width,), "norm.bias": (width,)}


def name_block(name: str, width: int) -> dict[str, tuple[int, ...]]:
    """A text transformer's block, as CLIP names its parts."""
    return {
        f"{name}.attn.in_proj_weight": (3 * width, width),
        f"{name}.attn.in_proj_bias": (3 * width,),
        f"{name}.attn.out_proj.weight": (width, width),
        f"{name}.attn.out_proj.bias": (width,),
        f"{name}.mlp.c_fc.weight": (4 * width, width),
        f"{name}.mlp.c_fc.bias": (4 * width,),
        f"{name}.mlp.c_proj.weight": (width, 4 * width),
        f"{name}.mlp.c_proj.bias": (width,),
        **{f"{name}.{each}.{kind}": (width,) for each in ("ln_1", "ln_2") for kind in ("weight", "bias")},
    }


def name_pooler(name: str, width: int, dimension: int) -> dict[str, tuple[int, ...]]:
    """By torch's attention with keys of another width."""
    return {
        f"{name}.attn.q_proj_weight": (dimension, dimension),
        f"{name}.attn.k_proj_weight": (dimension, width),
        f"{name}.attn.v_proj_weight": (dimension, width),
        f"{name}.attn.in_proj_bias": (3 * dimension,),
        f"{name}.attn.out_proj.weight": (dimension, dimension),
        f"{name}.attn.out_proj.bias": (dimension,),
        **{f"{name}.ln_q.{kind}": (dimension,) for kind in ("weight", "bias")},
        **{f"{name}.ln_k.{kind}": (width,) for kind in ("weight", "bias")},
        f"{name}.query": (1, dimension),
    }


def name_conch(sizes: dict[str, int], patches: int) -> dict[str, tuple[int, ...]]:
    """Both towers, without what writes captions."""
    width, dimension, text = sizes["width"], sizes["dimension"], sizes["text_width"]
    images = {f"trunk.{key}": shape for key, shape in name_trunk(width, sizes["depth"], patches).items()}
    images |= name_pooler("attn_pool_contrast", width, dimension)
    images |= {"ln_contrast.weight": (dimension,), "ln_contrast.bias": (dimension,)}
    texts: dict[str, tuple[int, ...]] = {
        "text_projection": (text, dimension),
        "cls_emb": (text,),
        "token_embedding.weight": (sizes["vocabulary"], text),
        "positional_embedding": (sizes["context"], text),
        "ln_final.weight": (text,),
        "ln_final.bias": (text,),
    }
    for number in range(sizes["text_depth"]):
        texts |= name_block(f"transformer.resblocks.{number}", text)
    shapes = {f"visual.{key}": shape for key, shape in images.items()} | {
        "visual.proj_contrast": (dimension, dimension)
    }
    return shapes | {f"text.{key}": shape for key, shape in texts.items()} | {"logit_scale": ()}


def write_vocabulary(path: Path) -> None:
    """A small tokenizer of CONCH's kind: bytes, in lower case, without accents."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    special = ["<pad>", "<start_of_text>", "<end_of_text>"]
    words = [*special, *sorted(pre_tokenizers.ByteLevel.alphabet()), "Ġt", "um"]
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.BPE(vocabulary, [("Ġ", "t"), ("u", "m")]))
    tokenizer.add_special_tokens(special)
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<start_of_text> $A <end_of_text>", special_tokens=[("<start_of_text>", 1), ("<end_of_text>", 2)]
    )
    tokenizer.save(str(path))


def cut_texts(path: Path, context: int) -> Tensor:
    """As CONCH's own code: padded to one less than the context, and one more, which makes room for the class token."""
    from histoseek.encoders.devices import import_transformers

    tokenizer = import_transformers().PreTrainedTokenizerFast(tokenizer_file=str(path), pad_token="<pad>")
    rows = tokenizer(
        list(HARD_TEXTS), max_length=context - 1, truncation=True, padding="max_length", return_tensors="pt"
    )
    ids: Tensor = F.pad(rows.input_ids, (0, 1), value=0)
    return ids


def encode_images(tensors: dict[str, Tensor], images: Tensor) -> Tensor:
    visual = naive.part(tensors, "visual.")
    tokens = naive.encode_tokens(naive.part(visual, "trunk."), images, 2, 4)
    pooler = naive.part(visual, "attn_pool_contrast.")
    keys = naive.norm(pooler, "ln_k", tokens)
    queries = naive.norm(pooler, "ln_q", pooler["query"]).expand(len(images), 1, -1)
    offsets = pooler["attn.in_proj_bias"].chunk(3)
    mixed = (
        values @ pooler[f"attn.{each}_proj_weight"].T + offset
        for each, values, offset in zip("qkv", (queries, keys, keys), offsets, strict=True)
    )
    pooled = naive.linear(pooler, "attn.out_proj", naive.attend(*mixed, 2))[:, 0]
    return naive.norm(visual, "ln_contrast", pooled)


def encode_texts(tensors: dict[str, Tensor], ids: Tensor) -> Tensor:
    """At full length, with the mask written out row by row."""
    text = naive.part(tensors, "text.")
    ids = ids[:, :-1]
    batch, length = ids.shape
    states = torch.cat([text["token_embedding.weight"][ids], text["cls_emb"].expand(batch, 1, -1)], dim=1)
    states = states + text["positional_embedding"][: length + 1]
    seen = torch.zeros(batch, length + 1, length + 1, dtype=torch.bool)
    for row in range(length + 1):
        seen[:, row, : row + 1] = True
    for column in range(1, length + 1):
        seen[:, length, column] &= ids[:, column - 1] != 0
    for block in (f"transformer.resblocks.{number}" for number in range(2)):
        states = states + naive.attend_fused(text, f"{block}.attn", naive.norm(text, f"{block}.ln_1", states), 2, seen)
        inner = F.gelu(naive.linear(text, f"{block}.mlp.c_fc", naive.norm(text, f"{block}.ln_2", states)))
        states = states + naive.linear(text, f"{block}.mlp.c_proj", inner)
    return naive.norm(text, "ln_final", states[:, -1]) @ text["text_projection"]


def test_conch_is_its_forward_pass(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    model = shrink(find_model("conch"), SMALL, 64, 24)
    tensors = draw_tensors(name_conch({key: int(value) for key, value in SMALL.items()}, 16))  # type: ignore[arg-type]
    path = write({**tensors, "text_decoder.ln_final.weight": torch.ones(3)}, tmp_path / "pytorch_model.bin")
    publish(monkeypatch, model)
    tiles = draw_tiles(64)
    pooled = load_tile_encoder(f"conch@{path}").encode(tiles)
    aligned = load_tile_encoder(f"conch:aligned@{path}").encode(tiles)
    with pytest.raises(EncoderError, match=r"no conch_byte_level_bpe_uncased\.json beside it"):
        load_word_tower(f"conch@{path}")
    vocabulary = tmp_path / "conch_byte_level_bpe_uncased.json"
    write_vocabulary(vocabulary)
    tower = load_word_tower(f"conch@{path}")
    with torch.inference_mode():
        expected = encode_images(tensors, normalise(tiles, model))
        projected = expected @ tensors["visual.proj_contrast"]
        texts = unit(encode_texts(tensors, cut_texts(vocabulary, 40)))
    assert np.abs(pooled - expected.numpy()).max() < 1e-5
    assert np.abs(aligned - projected.numpy()).max() < 1e-5
    assert np.abs(pooled - aligned).max() > 0.1
    assert np.abs(tower.encode_texts(HARD_TEXTS) - texts).max() < 1e-5
    alone = np.concatenate([tower.encode_texts([text]) for text in HARD_TEXTS])
    assert np.abs(alone - texts).max() < 1e-5
    assert np.abs(tower.project_tiles(pooled) - unit(projected)).max() < 1e-5
    assert np.abs(load_word_tower(f"conch:aligned@{path}").project_tiles(aligned) - unit(projected)).max() < 1e-5
    assert tower.logit_scale == pytest.approx(float(tensors["logit_scale"].exp()))


def test_conchs_spaces_have_names_of_their_own() -> None:
    assert find_tile_card("conch").name == "conch"
    assert find_tile_card("conch:aligned").name == "conch:aligned"
    assert find_tile_card("conch").dimension == find_tile_card("conch:aligned").dimension == 512


def test_conch_of_other_pictures_is_resized_as_its_loader_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from timm.layers import resample_abs_pos_embed

    model = shrink(find_model("conch"), SMALL, 64, 24)
    tensors = draw_tensors(name_conch({key: int(value) for key, value in SMALL.items()}, 4))  # type: ignore[arg-type]
    path = write(tensors, tmp_path / "pytorch_model.bin")
    publish(monkeypatch, model)
    tiles = draw_tiles(64)
    resized = resample_abs_pos_embed(
        tensors["visual.trunk.pos_embed"], [4, 4], num_prefix_tokens=1, interpolation="bilinear", antialias=False
    )
    expected = encode_images({**tensors, "visual.trunk.pos_embed": resized}, normalise(tiles, model))
    assert np.abs(load_tile_encoder(f"conch@{path}").encode(tiles) - expected.numpy()).max() < 1e-5


def name_v1_5(width: int, depth: int, dimension: int, patches: int) -> dict[str, tuple[int, ...]]:
    trunk = name_trunk(width, depth, patches, scaled=True)
    pooler: dict[str, tuple[int, ...]] = {
        "query": (1, dimension),
        "to_q.weight": (dimension, dimension),
        "to_kv.weight": (2 * dimension, width),
        "to_out.weight": (dimension, dimension),
        **{f"ln_q.{kind}": (dimension,) for kind in ("weight", "bias")},
        **{f"ln_k.{kind}": (width,) for kind in ("weight", "bias")},
    }
    shapes = {f"trunk.{key}": shape for key, shape in trunk.items()}
    shapes |= {f"attn_pool_contrast.{key}": shape for key, shape in pooler.items()}
    return shapes | {f"ln_contrast.{kind}": (dimension,) for kind in ("weight", "bias")}


def test_conch_v1_5_is_its_forward_pass(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    model = shrink(find_model("conch_v1_5"), {**SMALL_V1_5, "pooler_heads": 2}, 64, 24)
    tensors = draw_tensors(name_v1_5(48, 2, 24, 4))
    path = write(tensors, tmp_path / "conch_v1_5_pytorch_model.bin")
    publish(monkeypatch, model)
    tiles = draw_tiles(64)
    features = load_tile_encoder(f"conch_v1_5@{path}").encode(tiles)
    trunk, pooler = naive.part(tensors, "trunk."), naive.part(tensors, "attn_pool_contrast.")
    grid = trunk["pos_embed"][:, 1:].reshape(1, 2, 2, 48).permute(0, 3, 1, 2)
    stretched = F.interpolate(grid, scale_factor=(4.1 / 2, 4.1 / 2), mode="bicubic")
    assert stretched.shape[-2:] == (4, 4)
    positions = torch.cat([trunk["pos_embed"][:, :1], stretched.permute(0, 2, 3, 1).reshape(1, 16, 48)], dim=1)
    tokens = naive.encode_tokens(trunk, normalise(tiles, model), 2, 4, positions)
    keys, values = naive.linear(pooler, "to_kv", naive.norm(pooler, "ln_k", tokens)).chunk(2, dim=-1)
    queries = naive.linear(pooler, "to_q", naive.norm(pooler, "ln_q", pooler["query"])).expand(len(tiles), 1, -1)
    pooled = naive.linear(pooler, "to_out", naive.attend(queries, keys, values, 2))[:, 0]
    expected = naive.norm(tensors, "ln_contrast", pooled)
    assert np.abs(features - expected.numpy()).max() < 1e-5
    with pytest.raises(EncoderError, match="has no text tower"):
        load_word_tower(f"conch_v1_5@{path}")


def test_conch_v1_5_takes_tiles_of_512_px_made_smaller() -> None:
    card = find_tile_card("conch_v1_5")
    assert (card.tile_px, card.preparation.resize_px, card.preparation.input_px) == (512, 448, 448)
    assert card.preparation.interpolation == "bilinear"


def test_conchs_networks_take_any_number_of_tiles() -> None:
    export_for_any_batch(shrink(find_model("conch"), SMALL, 64, 24))
    export_for_any_batch(shrink(find_model("conch_v1_5"), {**SMALL_V1_5, "pooler_heads": 2}, 64, 24))


def test_conchs_files_have_the_published_sizes() -> None:
    from histoseek.encoders.tile.networks import conch
    from histoseek.encoders.tile.registry import make_tile_card

    sizes = {
        "width": 768, "depth": 12, "dimension": 512, "text_width": 768, "text_depth": 12, "vocabulary": 32007,
        "context": 128,
    }  # fmt: skip
    counted, shapes = count_published("conch")
    assert shapes == name_conch(sizes, 28 * 28)
    crossed = {f"cross.{kind}": (768,) for kind in ("weight", "bias")}
    captions = [
        *(shape for _ in range(12) for shape in (name_block("x", 768) | name_block("y", 768) | crossed).values()),
        *((768,), (768,), (768, 32007)),
        *((256, 768), (3 * 768, 768), (3 * 768,), (768, 768), (768,), *[(768,)] * 6),
    ]
    published = counted + sum(int(np.prod(shape)) for shape in captions)
    assert published == find_model("conch").network.parameters
    assert round(published / 1e6, 1) == 395.2
    model = find_model("conch_v1_5")
    with torch.device("meta"):
        network = conch.build_v1_5(make_tile_card(model, model.variants[0]))
    found = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    assert found == name_v1_5(1024, 24, 768, 28 * 28)
    assert sum(tensor.numel() for tensor in network.state_dict().values()) == model.network.parameters
