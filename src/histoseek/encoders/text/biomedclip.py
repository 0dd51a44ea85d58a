"""BiomedCLIP's text tower (Zhang et al. 2023, arXiv 2303.00915): PubMedBERT, trained with figures and captions.

It is built here from `open_clip_config.json` instead of through the open_clip library: of its half we need (a BERT,
the first token, two linear layers) the library is a thin wrapper, while importing it needs torchvision and timm for
the image half, which we have no use for. Parameters have the wrapper's names. One difference: open_clip repairs
broken Unicode in texts (ftfy) before they are cut into tokens; plain text is not changed by that.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from histoseek.encoders.cards.card import Publication, WeightsFile
from histoseek.encoders.text.base import Pooling, TextCard, TextEncoder
from histoseek.encoders.text.encoding import TowerEncoder
from histoseek.encoders.text.folder import ModelFolder, hash_files
from histoseek.encoders.weight_files import find_encoder_files, read_tensors
from histoseek.errors import EncoderError

if TYPE_CHECKING:
    from torch import nn

    from histoseek.encoders.text.tower import TextTower

REPOSITORY = "microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224"
CARD = TextCard(
    name="biomedclip",
    version="1",
    dimension=512,
    context_tokens=256,
    pooling="cls",
    source=f"hf-hub:{REPOSITORY}",
    licence="MIT",
    gated=False,
    extra="text",
    offline="its files from the Hugging Face cache, HISTOSEEK_WEIGHTS, a folder as biomedclip@/folder, or --download",
)
_ADVICE = "Download the repository's files into that folder"
_CONFIG = "open_clip_config.json"
_WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "open_clip_pytorch_model.bin")
_TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")
PUBLICATION = Publication(
    repository=REPOSITORY,
    revision="9f341de24bfb00180f1b847274256e9b65a3a32e",
    files=(
        WeightsFile(_WEIGHTS[-1], "52cc993c5c5ff962bd0c60931874bc001e7e9b41666a385530f4a036294576be"),
        *map(WeightsFile, (_CONFIG, *_TOKENIZER)),
    ),
    licence=CARD.licence,
    commercial=True,
)
_POOLERS: dict[str, Pooling] = {"cls_last_hidden_state_pooler": "cls", "mean_pooler": "mean"}


def load_tower(path: Path | None) -> TextTower:
    """Load the torch module from a folder, or else from the hub; raises MissingExtra, EncoderError."""
    from histoseek.encoders.text.pretrained import load_tokenizer, require_packages

    require_packages()
    from histoseek.encoders.text.tower import TextTower

    folder = path or find_encoder_files(CARD.name, PUBLICATION, None).folder
    weights = _find_weights(folder)
    card = _read_card(folder)
    transformer, proj = _make_modules(folder, card)
    tokenizer = load_tokenizer(folder, card.context_tokens, transformer)
    files = [weights, folder / _CONFIG, folder / "config.json", folder / "tokenizer.json", folder / "vocab.txt"]
    tower = TextTower(card, hash_files(files), tokenizer, transformer, proj)
    _fill(tower, weights)
    return tower.eval()


def load(path: Path | None) -> TextEncoder:
    """Load the encoder from a folder, or else from the hub; raises MissingExtra, EncoderError."""
    return TowerEncoder(load_tower(path))


def _find_weights(folder: Path) -> Path:
    if not folder.is_dir():
        raise EncoderError(str(folder), "no such folder", _ADVICE)
    for name in _WEIGHTS:
        if (folder / name).is_file():
            return folder / name
    raise EncoderError(str(folder), f"no {_WEIGHTS[-1]} in it", _ADVICE)


def _read_card(folder: Path) -> TextCard:
    stated = ModelFolder(folder).config(_CONFIG)
    try:
        config = stated["model_cfg"]
        text, dimension = config["text_cfg"], int(config["embed_dim"])
        context, pooler = int(text.get("context_length", CARD.context_tokens)), text.get("hf_pooler_type")
    except (TypeError, KeyError, AttributeError, ValueError) as error:
        raise EncoderError(str(folder), f"no {_CONFIG} of a text tower in it", _ADVICE) from error
    if pooler not in _POOLERS or text.get("hf_proj_type", "mlp") != "mlp":
        raise EncoderError(str(folder), "not a text tower of BiomedCLIP's kind", _ADVICE)
    return replace(CARD, dimension=dimension, context_tokens=context, pooling=_POOLERS[pooler])


def _make_modules(folder: Path, card: TextCard) -> tuple[nn.Module, nn.Module]:
    """Empty transformer and projection; the transformer's shape is in config.json, or else that of PubMedBERT."""
    from torch import nn
    from transformers import BertConfig, BertModel

    stated = ModelFolder(folder).config()
    # PubMedBERT has the sizes of BERT-base, which are BertConfig's defaults.
    config = BertConfig(**stated)
    if stated.get("model_type", "bert") != "bert" or not 8 <= card.context_tokens <= config.max_position_embeddings:
        raise EncoderError(str(folder), f"its config.json is not of a BERT for {card.context_tokens} tokens", _ADVICE)
    width, hidden = config.hidden_size, (config.hidden_size + card.dimension) // 2
    proj = nn.Sequential(nn.Linear(width, hidden, bias=False), nn.GELU(), nn.Linear(hidden, card.dimension, bias=False))
    return BertModel(config, add_pooling_layer=False), proj


def _fill(tower: TextTower, weights: Path) -> None:
    published = {
        key.removeprefix("text."): tensor
        for key, tensor in read_tensors(weights).items()
        if key.startswith("text.") and not key.endswith("position_ids")
    }
    try:
        tower.load_state_dict(published)
    except RuntimeError as error:
        raise EncoderError(str(weights), "not weights of this text tower", _ADVICE) from error
