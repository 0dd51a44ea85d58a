"""Networks of open_clip: CLIP and CoCa with its own text transformers, or with a BERT as text tower.

A card names one of open_clip's configurations and, as arguments, what differs from it: "text_cfg.context_length" = 256.
Arguments beginning with "bert." describe the BERT of such a text tower, which open_clip would fetch; `normalised`
says that tools keep the image vectors at length one, as CoCa's `encode_image` gives them.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from histoseek.encoders.cards.card import Network
from histoseek.encoders.devices import import_open_clip
from histoseek.encoders.tile.base import TileCard
from histoseek.encoders.tile.networks.base import (
    NetworkKind,
    Tensors,
    require_exactly,
    select,
    shapes_of,
    strip,
    unwrap_names,
    without_random_values,
)
from histoseek.encoders.tile.networks.bert import make_bert_text
from histoseek.encoders.tile.networks.prompts import PromptTower, make_clip_words, read_words
from histoseek.encoders.tile.words import WordTower
from histoseek.encoders.weight_files import EncoderFiles, read_tensors

if TYPE_CHECKING:
    from torch import Tensor, nn

_IMAGES = "visual."
_BERT = "bert."
_NORMALISED = "normalised"
_NO_TEXT = {"context_length": 1, "vocab_size": 1, "width": 8, "heads": 1, "layers": 1}


def build(card: TileCard) -> nn.Module:
    """An empty image tower; raises MissingExtra."""
    import torch

    whole = _make_whole(card.network)
    normalised = _NORMALISED in dict(card.network.arguments)

    class Images(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.visual = whole.visual
            self.shapes = shapes_of(whole.state_dict())

        def forward(self, images: Tensor) -> Tensor:
            given = self.visual(images)
            vectors: Tensor = given[0] if isinstance(given, tuple) else given
            return torch.nn.functional.normalize(vectors, dim=-1) if normalised else vectors

    return Images()


def fill(module: nn.Module, tensors: Tensors) -> None:
    """Fill the image tower with a published file's tensors, all of which must be those of the whole network."""
    tensors = unwrap_names(tensors)
    require_exactly(module.shapes, tensors)
    module.visual.load_state_dict(strip(tensors, _IMAGES))


def load_words(card: TileCard, files: EncoderFiles) -> WordTower:
    """The text tower; raises EncoderError for one without its tokenizer, ValueError for other tensors."""
    network = card.network
    config = _read_config(network)
    whole = _make_whole(network)
    tensors = unwrap_names(read_tensors(files.weights))
    require_exactly(shapes_of(whole.state_dict()), tensors)
    del whole.visual
    whole.load_state_dict({name: tensors[name] for name in tensors if name not in select(tensors, _IMAGES)})
    whole.eval()
    context = int(config["text_cfg"]["context_length"])
    bert = _read_bert(network)
    if bert:
        vocabulary = int(whole.text.transformer.config.vocab_size)
        tokenize = read_words(files.require("tokenizer.json"), context, vocabulary, 0, cleans=True)
    else:
        tokenize = make_clip_words(context)

    def encode(ids: Tensor, _mask: Tensor) -> Tensor:
        vectors: Tensor = whole.encode_text(ids)
        return vectors

    return PromptTower(files.sha256[:16], tokenize, encode, tensors["logit_scale"], int(config["embed_dim"]))


def _make_whole(network: Network) -> nn.Module:
    open_clip = import_open_clip()
    config = _read_config(network)
    bert = _read_bert(network)
    if bert:
        config["text_cfg"] = _NO_TEXT
    if "multimodal_cfg" in config:
        kind = open_clip.CoCa
    else:
        kind = open_clip.CustomTextCLIP if bert or config.pop("custom_text", False) else open_clip.CLIP
    config.pop("custom_text", None)
    with without_random_values():
        whole: nn.Module = kind(**config)
        if bert:
            whole.text = make_bert_text(bert, int(config["embed_dim"]))
    return whole


def _read_config(network: Network) -> dict[str, Any]:
    """open_clip's configuration of this name, with what the card says instead."""
    config: dict[str, Any] = deepcopy(import_open_clip().get_model_config(network.architecture))
    for name, value in network.arguments:
        part, _, field = name.partition(".")
        if part in config and field:
            config[part][field] = value
        elif part in config:
            config[part] = value
    return config


def _read_bert(network: Network) -> dict[str, Any]:
    return {name.removeprefix(_BERT): value for name, value in network.arguments if name.startswith(_BERT)}


KIND = NetworkKind(build, fill, load_words)
