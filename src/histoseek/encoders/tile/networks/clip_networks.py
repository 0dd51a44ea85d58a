"""CLIP of transformers, both sides. A card's arguments are those of its configuration: "vision_config.patch_size"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from histoseek.encoders.cards.card import Network
from histoseek.encoders.devices import import_open_clip, import_transformers
from histoseek.encoders.tile.base import TileCard
from histoseek.encoders.tile.networks.base import (
    NetworkKind,
    Tensors,
    fill_part,
    require_exactly,
    select,
    shapes_of,
    unwrap_names,
    without_random_values,
)
from histoseek.encoders.tile.networks.prompts import PromptTower, Tokenize, make_words
from histoseek.encoders.tile.words import WordTower
from histoseek.encoders.weight_files import EncoderFiles, read_tensors

if TYPE_CHECKING:
    from torch import Tensor, nn

_IMAGES = ("vision_model.", "visual_projection.")
_END_OF_TEXT = "<|endoftext|>"
_OPEN_CLIP_NAMES = {"<start_of_text>": "<|startoftext|>", "<end_of_text>": _END_OF_TEXT}


def build(card: TileCard) -> nn.Module:
    """An empty image tower with its projection."""
    import torch

    whole = _make_whole(card.network)

    class Images(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.vision_model = whole.vision_model
            self.visual_projection = whole.visual_projection
            self.shapes = shapes_of(whole.state_dict())

        def forward(self, images: Tensor) -> Tensor:
            vectors: Tensor = self.visual_projection(self.vision_model(pixel_values=images).pooler_output)
            return vectors

    return Images()


def fill(module: nn.Module, tensors: Tensors) -> None:
    """Fill the image tower with a published file's tensors, all of which must be those of the whole network."""
    fill_part(module, unwrap_names(tensors), *_IMAGES)


def load_words(card: TileCard, files: EncoderFiles) -> WordTower:
    """The text tower; raises ValueError for other tensors."""
    whole = _make_whole(card.network)
    tensors = unwrap_names(read_tensors(files.weights))
    require_exactly(shapes_of(whole.state_dict()), tensors)
    del whole.vision_model, whole.visual_projection
    images = select(tensors, *_IMAGES)
    whole.load_state_dict({name: tensor for name, tensor in tensors.items() if name not in images})
    whole.eval()
    config = whole.config.text_config

    def encode(ids: Tensor, mask: Tensor) -> Tensor:
        pooled = whole.text_model(input_ids=ids, attention_mask=mask.long()).pooler_output
        vectors: Tensor = whole.text_projection(pooled)
        return vectors

    tokenize = make_words_of_clip(int(config.max_position_embeddings))
    return PromptTower(files.sha256[:16], tokenize, encode, tensors["logit_scale"], int(whole.config.projection_dim))


def make_words_of_clip(context_tokens: int) -> Tokenize:
    """CLIP's tokens as transformers cuts texts into them; the vocabulary is that which comes with open_clip."""
    published = import_open_clip().SimpleTokenizer()
    vocabulary = {_OPEN_CLIP_NAMES.get(word, word): number for word, number in published.encoder.items()}
    merges = sorted(published.bpe_ranks, key=published.bpe_ranks.__getitem__)
    tokenizer = import_transformers().CLIPTokenizer(vocab=vocabulary, merges=merges)
    return make_words(tokenizer.backend_tokenizer, context_tokens, vocabulary[_END_OF_TEXT])


def _make_whole(network: Network) -> nn.Module:
    transformers = import_transformers()
    config: dict[str, Any] = {"text_config": {}, "vision_config": {}}
    for name, value in network.arguments:
        part, _, field = name.rpartition(".")
        (config[part] if part else config)[field] = value
    with without_random_values():
        whole: nn.Module = transformers.CLIPModel(transformers.CLIPConfig(**config))
        return whole


KIND = NetworkKind(build, fill, load_words)
