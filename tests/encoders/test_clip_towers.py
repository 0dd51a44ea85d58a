"""CLIP's kind of encoders: image and text towers against the libraries' own compositions."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from histoseek.encoders.cards.card import Argument, TileModelCard
from histoseek.encoders.devices import import_open_clip, import_transformers
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

torch = pytest.importorskip("torch")
require_packages()

__all__ = ["fixture_in_torch"]
pytestmark = pytest.mark.usefixtures("in_torch")

TINY_CLIP: dict[str, Argument] = {
    "embed_dim": 24,
    "vision_cfg.layers": 2,
    "vision_cfg.width": 64,
    "vision_cfg.image_size": 64,
    "text_cfg.layers": 2,
    "text_cfg.width": 32,
    "text_cfg.heads": 2,
}
TINY_PLIP: dict[str, Argument] = {
    "projection_dim": 24,
    "vision_config.hidden_size": 32,
    "vision_config.intermediate_size": 48,
    "vision_config.num_hidden_layers": 2,
    "vision_config.num_attention_heads": 2,
    "vision_config.image_size": 64,
    "text_config.hidden_size": 32,
    "text_config.intermediate_size": 48,
    "text_config.num_hidden_layers": 2,
    "text_config.num_attention_heads": 2,
}


def make_open_clip(model: TileModelCard) -> Any:
    """The library's own network of a card whose arguments are parts of its configuration."""
    open_clip = import_open_clip()
    config = deepcopy(open_clip.get_model_config(model.network.architecture))
    for name, value in model.network.arguments:
        part, _, field = name.partition(".")
        if field:
            config[part][field] = value
        else:
            config[part] = value
    return open_clip.CLIP(**config)


@pytest.mark.parametrize("name", ["quiltnet", "pathgen_clip"])
def test_open_clip_gives_the_librarys_vectors(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    model = shrink(find_model(name), TINY_CLIP, 64, 24)
    library = make_open_clip(model)
    path = write(draw_weights(library), tmp_path / "open_clip_pytorch_model.bin")
    publish(monkeypatch, model)
    tiles = draw_tiles(64)
    features = load_tile_encoder(f"{name}@{path}").encode(tiles)
    tower = load_word_tower(f"{name}@{path}")
    tokens = import_open_clip().get_tokenizer(model.network.architecture)(list(HARD_TEXTS))
    with torch.inference_mode():
        expected = library.encode_image(normalise(tiles, model)).numpy()
        texts = library.encode_text(tokens, normalize=True).numpy()
    assert np.abs(features - expected).max() < 1e-5
    assert np.abs(tower.encode_texts(HARD_TEXTS) - texts).max() < 1e-5
    assert np.abs(tower.project_tiles(features) - unit(expected)).max() < 1e-5
    assert tower.dimension == 24
    assert tower.logit_scale == pytest.approx(float(library.logit_scale.detach().exp()))
    assert np.abs(np.diff(tower.encode_texts(HARD_TEXTS), axis=0)).max() > 1e-2


def make_plip(model: TileModelCard) -> Any:
    """transformers' own network of a card whose arguments are parts of its configuration."""
    transformers = import_transformers()
    parts: dict[str, Any] = {"text_config": {}, "vision_config": {}}
    for name, value in model.network.arguments:
        part, _, field = name.rpartition(".")
        (parts[part] if part else parts)[field] = value
    return transformers.CLIPModel(transformers.CLIPConfig(**parts))


def write_word_pieces(path: Path) -> Any:
    """A small tokenizer of PubMedBERT's kind, as its repository has it."""
    from tokenizers import BertWordPieceTokenizer

    letters = "abcdefghijklmnopqrstuvwxyz0123456789.,'&;-"
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters), "tumor"]
    tokenizer = BertWordPieceTokenizer({word: number for number, word in enumerate(words)}, lowercase=True)
    tokenizer.save(str(path))
    return import_transformers().PreTrainedTokenizerFast(tokenizer_file=str(path), pad_token="[PAD]")


TINY_BERT: dict[str, Argument] = {
    "embed_dim": 24,
    "vision_cfg.timm_model_name": "vit_tiny_patch16_224",
    "text_cfg.context_length": 40,
    "bert.vocab_size": 100,
    "bert.hidden_size": 32,
    "bert.intermediate_size": 48,
    "bert.num_hidden_layers": 2,
    "bert.num_attention_heads": 2,
}


@pytest.mark.parametrize("name", ["biomedclip", "quiltnet_b16_pmb"])
def test_berts_give_the_librarys_vectors(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    open_clip, transformers = import_open_clip(), import_transformers()
    from open_clip.hf_model import HFTextEncoder

    model = shrink(find_model(name), TINY_BERT, 224, 24)
    arguments = dict(model.network.arguments)
    config = open_clip.get_model_config("ViT-B-16")
    vision = {key[11:]: value for key, value in arguments.items() if key.startswith("vision_cfg.")}
    library = open_clip.CustomTextCLIP(24, {**config["vision_cfg"], **vision}, {"layers": 1, "width": 8, "heads": 1})
    bert = transformers.BertConfig(**{key[5:]: value for key, value in arguments.items() if key.startswith("bert.")})
    library.text = HFTextEncoder(
        "bert", 24, config=bert, pooler_type="cls_last_hidden_state_pooler", proj_type="mlp", pretrained=False
    )
    library.text.transformer.pooler = None  # as in the published files
    tensors = draw_weights(library)
    counters = {"text.transformer.embeddings.position_ids": torch.arange(512)[None]}
    path = write({**tensors, **counters}, tmp_path / "open_clip_pytorch_model.bin")
    publish(monkeypatch, model)
    with pytest.raises(EncoderError, match=r"there is no tokenizer\.json beside it"):
        load_word_tower(f"{name}@{path}")
    pieces = write_word_pieces(tmp_path / "tokenizer.json")
    cleaned = [open_clip.tokenizer.get_clean_fn("whitespace")(text) for text in HARD_TEXTS]
    ids = pieces(cleaned, return_tensors="pt", max_length=40, padding="max_length", truncation=True).input_ids
    tiles = draw_tiles(224, 2)
    features, tower = load_tile_encoder(f"{name}@{path}").encode(tiles), load_word_tower(f"{name}@{path}")
    with torch.inference_mode():
        expected = library.encode_image(normalise(tiles, model)).numpy()
        texts = library.encode_text(ids, normalize=True).numpy()
    assert np.abs(features - expected).max() < 1e-5
    assert np.abs(tower.encode_texts(HARD_TEXTS) - texts).max() < 1e-5
    assert np.abs(tower.project_tiles(features) - unit(expected)).max() < 1e-5


TINY_COCA: dict[str, Argument] = {
    "embed_dim": 32,
    "vision_cfg.layers": 2,
    "vision_cfg.width": 64,
    "vision_cfg.image_size": 56,
    "text_cfg.layers": 2,
    "text_cfg.width": 32,
    "text_cfg.heads": 2,
    "multimodal_cfg.layers": 1,
    "multimodal_cfg.width": 32,
    "multimodal_cfg.heads": 2,
    "multimodal_cfg.attn_pooler_heads": 2,
}


def test_omiclip_gives_the_librarys_vectors(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    open_clip = import_open_clip()
    model = shrink(find_model("omiclip"), TINY_COCA, 56, 32)
    config = open_clip.get_model_config("coca_ViT-L-14")
    del config["custom_text"]
    for name, value in TINY_COCA.items():
        part, _, field = name.partition(".")
        if field:
            config[part][field] = value
        else:
            config[part] = value
    library = open_clip.CoCa(**config)
    path = write(draw_weights(library), tmp_path / "checkpoint.pt")
    publish(monkeypatch, model)
    tiles = draw_tiles(56)
    features, tower = load_tile_encoder(f"omiclip@{path}").encode(tiles), load_word_tower(f"omiclip@{path}")
    tokens = open_clip.get_tokenizer("coca_ViT-L-14")(list(HARD_TEXTS))
    with torch.inference_mode():
        expected = library.encode_image(normalise(tiles, model)).numpy()
        texts = library.encode_text(tokens).numpy()
    assert np.abs(np.linalg.norm(features, axis=1) - 1).max() < 1e-6
    assert np.abs(features - expected).max() < 1e-5
    assert np.abs(tower.encode_texts(HARD_TEXTS) - texts).max() < 1e-5
    assert tower.logit_scale == pytest.approx(float(library.logit_scale.detach().exp()))


def test_plip_gives_the_librarys_vectors(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    model = shrink(find_model("plip"), TINY_PLIP, 64, 24)
    library = make_plip(model)
    tensors = draw_weights(library)
    counters = {f"{part}_model.embeddings.position_ids": torch.arange(5)[None] for part in ("text", "vision")}
    path = write({**tensors, **counters}, tmp_path / "pytorch_model.bin")
    publish(monkeypatch, model)
    tiles = draw_tiles(64)
    features = load_tile_encoder(f"plip@{path}").encode(tiles)
    tower = load_word_tower(f"plip@{path}")
    tokens = make_transformers_tokens(77)
    with torch.inference_mode():
        expected = library.get_image_features(pixel_values=normalise(tiles, model)).pooler_output.numpy()
        texts = library.get_text_features(**tokens).pooler_output.numpy()
    assert np.abs(features - expected).max() < 1e-5
    assert np.abs(tower.encode_texts(HARD_TEXTS) - unit(texts)).max() < 1e-5
    assert np.abs(tower.project_tiles(features) - unit(expected)).max() < 1e-5
    assert tower.logit_scale == pytest.approx(float(tensors["logit_scale"].exp()))


def make_transformers_tokens(context: int) -> Any:
    """Of CLIP's vocabulary, written out from open_clip's file by the rule in its reader."""
    import gzip

    open_clip = import_open_clip()
    lines = gzip.decompress(Path(open_clip.tokenizer.default_bpe()).read_bytes()).decode().split("\n")
    merges = [tuple(line.split()) for line in lines[1 : 49152 - 256 - 2 + 1]]
    signs = list(open_clip.tokenizer.bytes_to_unicode().values())
    words = [*signs, *(f"{sign}</w>" for sign in signs), *("".join(merge) for merge in merges)]
    words += ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = import_transformers().CLIPTokenizer(vocab=vocabulary, merges=merges)
    assert tokenizer("a photo of a cat").input_ids == [49406, 320, 1125, 539, 320, 2368, 49407]
    return tokenizer(list(HARD_TEXTS), padding="max_length", truncation=True, max_length=context, return_tensors="pt")


@pytest.mark.parametrize(
    ("name", "parameters", "shapes"),
    [
        (
            "plip",
            151_277_313,
            {
                "visual_projection.weight": (512, 768),
                "vision_model.embeddings.patch_embedding.weight": (768, 3, 32, 32),
                "text_model.embeddings.token_embedding.weight": (49408, 512),
            },
        ),
        ("quiltnet", 151_277_313, {"visual.conv1.weight": (768, 3, 32, 32), "text_projection": (512, 512)}),
        ("quiltnet_b16", 149_620_737, {"visual.conv1.weight": (768, 3, 16, 16), "visual.proj": (768, 512)}),
        ("pathgen_clip", 149_620_737, {"visual.conv1.weight": (768, 3, 16, 16)}),
        (
            "biomedclip",
            195_902_721,
            {
                "visual.trunk.patch_embed.proj.weight": (768, 3, 16, 16),
                "visual.head.proj.weight": (512, 768),
                "text.transformer.embeddings.word_embeddings.weight": (30522, 768),
                "text.proj.0.weight": (640, 768),
                "text.proj.2.weight": (512, 640),
            },
        ),
        ("quiltnet_b16_pmb", 195_902_721, {"text.proj.0.weight": (640, 768)}),
        ("omiclip", 638_450_177, {"visual.attn_pool.query": (256, 768), "text.cls_emb": (768,)}),
    ],
)
def test_files_have_the_published_sizes(name: str, parameters: int, shapes: dict[str, tuple[int, ...]]) -> None:
    counted, found = count_published(name)
    assert counted == parameters == find_model(name).network.parameters
    assert {key: found[key] for key in shapes} == shapes


def test_clips_networks_take_any_number_of_tiles() -> None:
    export_for_any_batch(shrink(find_model("quiltnet"), TINY_CLIP, 64, 24))
    export_for_any_batch(shrink(find_model("omiclip"), TINY_COCA, 56, 32))
    export_for_any_batch(shrink(find_model("plip"), TINY_PLIP, 64, 24))


def test_other_files_are_refused_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    model = shrink(find_model("quiltnet"), TINY_CLIP, 64, 24)
    tensors = draw_weights(make_open_clip(model))
    publish(monkeypatch, model)
    for change, said in (
        ({"text_projection": None}, "no text_projection"),
        ({"extra.weight": torch.zeros(2)}, "extra.weight, which it does not have"),
        ({"visual.proj": torch.zeros(3, 4)}, r"visual.proj of shape \(3, 4\), wanted \(64, 24\)"),
    ):
        changed = {key: value for key, value in {**tensors, **change}.items() if value is not None}
        path = write(changed, tmp_path / "changed.bin")
        for load in (load_tile_encoder, load_word_tower):
            with pytest.raises(EncoderError, match=said) as caught:
                load(f"quiltnet@{path}")
            assert "\n" not in str(caught.value)


def test_names_of_parallel_training_are_taken_off(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    model = shrink(find_model("quiltnet"), TINY_CLIP, 64, 24)
    tensors = draw_weights(make_open_clip(model))
    plain = write(tensors, tmp_path / "plain.bin")
    wrapped = tmp_path / "wrapped.pt"
    torch.save({"epoch": 3, "state_dict": {f"module.{key}": value for key, value in tensors.items()}}, wrapped)
    publish(monkeypatch, model)
    tiles = draw_tiles(64)
    features = [load_tile_encoder(f"quiltnet@{path}").encode(tiles) for path in (plain, wrapped)]
    assert (features[0] == features[1]).all()


def test_texts_without_words_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, sizes, library in (
        ("quiltnet", TINY_CLIP, make_open_clip),
        ("plip", TINY_PLIP, make_plip),
    ):
        model = shrink(find_model(name), sizes, 64, 24)
        path = write(draw_weights(library(model)), tmp_path / f"{name}.bin")
        publish(monkeypatch, model)
        tower = load_word_tower(f"{name}@{path}")
        assert tower.encode_texts([]).shape == (0, 24)
        for text in ("", "  \n", "half a character \ud83e"):
            with pytest.raises(InputError):
                tower.encode_texts(["fine", text])
