"""Any text encoder of the transformers library, from a local folder.

Pooling and context come from sentence-transformers' files in it (`1_Pooling/config.json`,
`sentence_bert_config.json`) or from a `histoseek.json` like {"pooling": "cls", "context_tokens": 512}.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from histoseek.encoders.text.base import TextCard, TextEncoder
from histoseek.encoders.text.encoding import TowerEncoder
from histoseek.encoders.text.folder import ModelFolder
from histoseek.errors import EncoderError

if TYPE_CHECKING:
    from torch import nn

    from histoseek.encoders.text.tower import TextTower

NAME = "transformers"
_ADVICE = "Give its folder: transformers@/folder"


def load_tower(path: Path | None) -> TextTower:
    """Load the torch module of a folder; raises MissingExtra, EncoderError."""
    if path is None:
        raise EncoderError(NAME, "needs a model", _ADVICE)
    from histoseek.encoders.text.pretrained import load_tokenizer, load_transformer, require_packages

    require_packages()
    from histoseek.encoders.text.tower import TextTower

    folder = ModelFolder(path)
    folder.check()
    if folder.config().get("is_encoder_decoder"):
        raise EncoderError(str(path), "an encoder with a decoder, not an encoder alone", "Use a BERT-like model")
    transformer = load_transformer(folder)
    card = _card(folder, transformer)
    tokenizer = load_tokenizer(path, card.context_tokens, transformer)
    tower = TextTower(card, folder.fingerprint(card.pooling, card.context_tokens), tokenizer, transformer)
    _check_runs(path, tower)
    return tower


def load(path: Path | None) -> TextEncoder:
    """Load the encoder of a folder; raises MissingExtra, EncoderError."""
    return TowerEncoder(load_tower(path))


def _card(folder: ModelFolder, transformer: nn.Module) -> TextCard:
    return TextCard(
        name=NAME,
        version="1",
        dimension=int(transformer.config.hidden_size),
        context_tokens=folder.context_tokens(_positions(transformer)),
        pooling=folder.pooling(),
        source=str(folder.path),
        licence="see the model's own",
        gated=False,
        extra="text",
        offline="is a local folder",
    )


def _positions(transformer: nn.Module) -> int:
    """Longest input of the model; RoBERTa and its kin spend the first position vectors on padding."""
    for module in transformer.modules():
        table = getattr(module, "position_embeddings", None)
        if table is not None and getattr(table, "padding_idx", None) is not None:
            return int(table.num_embeddings - table.padding_idx - 1)
    return int(getattr(transformer.config, "max_position_embeddings", 2**31))


def _check_runs(path: Path, tower: TextTower) -> None:
    import torch

    try:
        with torch.inference_mode():
            shape = tuple(tower.eval()(tower.tokens(["tissue"])).shape)
    except (RuntimeError, ValueError, TypeError, AttributeError, IndexError, KeyError) as error:
        raise EncoderError(str(path), "not a text encoder", "Use a BERT-like model") from error
    if shape != (1, tower.card.dimension):
        raise EncoderError(str(path), f"yields {shape[-1]} values, its config says {tower.card.dimension}")
