"""BiomedCLIP's text tower (Zhang et al. 2023, arXiv 2303.00915): PubMedBERT, trained with figures and captions.

It is built here from `open_clip_config.json` instead of through the open_clip library: of its half we need (a BERT,
the first token, two linear layers) the library is a thin wrapper, while importing it needs torchvision and timm for
the image half, which we have no use for. Parameters have the wrapper's names. One difference: open_clip repairs
broken Unicode in texts (ftfy) before they are cut into tokens; plain text is not changed by that.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

from histoseek.encoders.text.base import Pooling, TextCard, TextEncoder
from histoseek.encoders.text.encoding import TowerEncoder
from histoseek.encoders.text.folder import ModelFolder, fingerprint
from histoseek.encoders.text.tokens import TextTokenizer
from histoseek.errors import EncoderError, MissingExtra

if TYPE_CHECKING:
    from torch import Tensor, nn

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
    offline="download the repository's files into a folder and give it as biomedclip@/folder",
)
_CONFIG = "open_clip_config.json"
_WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "open_clip_pytorch_model.bin")
_TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")
_POOLERS: dict[str, Pooling] = {"cls_last_hidden_state_pooler": "cls", "mean_pooler": "mean"}


def load_tower(path: Path | None) -> TextTower:
    """Load the torch module from a folder, or else from the hub; raises MissingExtra, EncoderError."""
    from histoseek.encoders.text.pretrained import load_tokenizer, require_packages

    require_packages()
    from histoseek.encoders.text.tower import TextTower

    folder = path or _downloaded()
    weights = _weights_file(folder)
    card = _card(folder)
    transformer, proj = _modules(folder, card.dimension)
    tokenizer = TextTokenizer(load_tokenizer(folder), card.context_tokens, int(transformer.config.pad_token_id or 0))
    files = [weights, folder / _CONFIG, folder / "config.json", folder / "tokenizer.json", folder / "vocab.txt"]
    tower = TextTower(card, fingerprint(files), tokenizer, transformer, proj)
    _fill(tower, weights)
    return tower


def load(path: Path | None) -> TextEncoder:
    """Load the encoder from a folder, or else from the hub; raises MissingExtra, EncoderError."""
    return TowerEncoder(load_tower(path))


def _downloaded() -> Path:
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise MissingExtra("huggingface_hub", CARD.extra) from error
    try:
        return Path(snapshot_download(REPOSITORY, allow_patterns=[_CONFIG, *_WEIGHTS, *_TOKENIZER]))
    except Exception as error:  # whatever the network does
        what = f"cannot be fetched ({type(error).__name__})"
        raise EncoderError(CARD.source, what, f"Without network: {CARD.offline}") from error


def _weights_file(folder: Path) -> Path:
    if not folder.is_dir():
        raise EncoderError(str(folder), "no such folder", CARD.offline.capitalize())
    for name in _WEIGHTS:
        if (folder / name).is_file():
            return folder / name
    raise EncoderError(str(folder), f"no {_WEIGHTS[-1]} in it", CARD.offline.capitalize())


def _model_config(folder: Path) -> dict[str, Any]:
    config = ModelFolder(folder).config(_CONFIG).get("model_cfg")
    if not isinstance(config, dict) or not isinstance(config.get("text_cfg"), dict):
        raise EncoderError(str(folder), f"no {_CONFIG} of a text tower in it", CARD.offline.capitalize())
    return config


def _card(folder: Path) -> TextCard:
    config = _model_config(folder)
    text = config["text_cfg"]
    pooler = str(text.get("hf_pooler_type", "mean_pooler"))
    if pooler not in _POOLERS:
        raise EncoderError(str(folder), f"pooling {pooler} is not supported", f"Known are: {', '.join(_POOLERS)}")
    return replace(
        CARD,
        dimension=int(config["embed_dim"]),
        context_tokens=int(text.get("context_length", CARD.context_tokens)),
        pooling=_POOLERS[pooler],
    )


def _modules(folder: Path, dimension: int) -> tuple[nn.Module, nn.Module]:
    """Empty transformer and projection; the transformer's shape is in config.json, or else that of PubMedBERT."""
    from torch import nn
    from transformers import BertConfig, BertModel

    # PubMedBERT has the sizes of BERT-base, which are BertConfig's defaults.
    config = BertConfig(**ModelFolder(folder).config())
    width, hidden = config.hidden_size, (config.hidden_size + dimension) // 2
    proj = nn.Sequential(nn.Linear(width, hidden, bias=False), nn.GELU(), nn.Linear(hidden, dimension, bias=False))
    return BertModel(config, add_pooling_layer=False), proj


def _fill(tower: TextTower, weights: Path) -> None:
    published = {
        key.removeprefix("text."): tensor
        for key, tensor in _read(weights).items()
        if key.startswith("text.") and not key.endswith("position_ids")
    }
    try:
        tower.load_state_dict(published)
    except RuntimeError as error:
        raise EncoderError(str(weights), "not weights of this text tower", CARD.offline.capitalize()) from error


def _read(weights: Path) -> dict[str, Tensor]:
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if weights.suffix == ".safetensors":
            return load_file(weights)
        return torch.load(weights, map_location="cpu", weights_only=True)
    except (RuntimeError, ValueError, KeyError, OSError, EOFError, UnpicklingError, SafetensorError) as error:
        raise EncoderError(str(weights), "damaged, or not weights", "Download the file again") from error
