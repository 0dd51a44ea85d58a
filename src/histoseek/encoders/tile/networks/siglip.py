"""SigLIP of transformers, both sides. A card's arguments are those of its configuration: "vision_config.patch_size"."""

from __future__ import annotations

import re
import string
from typing import TYPE_CHECKING, Any

from histoseek.encoders.cards.card import Network
from histoseek.encoders.devices import import_transformers
from histoseek.encoders.sentence_pieces import make_tokenizer, read_sentence_pieces
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
from histoseek.encoders.token_rows import check_vocabulary
from histoseek.encoders.weight_files import EncoderFiles, read_tensors

if TYPE_CHECKING:
    from torch import Tensor, nn

_IMAGES, _TEXT, _SCALE = "vision_model.", "text_model.", "logit_scale"
_VOCABULARY = "spiece.model"
_END = 1
"""Ends a text, and pads it."""

_SPACE = "▁"
_WITHOUT_SIGNS = str.maketrans("", "", string.punctuation)


def build(card: TileCard) -> nn.Module:
    """An empty image tower, with the attention that pools its tokens."""
    import torch

    whole = make_whole(card.network)

    class Images(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.vision_model = whole.vision_model
            self.shapes = shapes_of(whole.state_dict())

        def forward(self, images: Tensor) -> Tensor:
            vectors: Tensor = self.vision_model(pixel_values=images).pooler_output
            return vectors

    return Images()


def fill(module: nn.Module, tensors: Tensors) -> None:
    """Fill the image tower with a published file's tensors, all of which must be those of the whole network."""
    fill_part(module, unwrap_names(tensors), _IMAGES)


def load_words(card: TileCard, files: EncoderFiles) -> WordTower:
    """The text tower; raises EncoderError without its tokenizer, ValueError for other tensors."""
    whole = make_whole(card.network)
    tensors = unwrap_names(read_tensors(files.weights))
    require_exactly(shapes_of(whole.state_dict()), tensors)
    text = whole.text_model
    text.load_state_dict({name.removeprefix(_TEXT): tensor for name, tensor in select(tensors, _TEXT).items()})
    text.eval()
    config = whole.config.text_config
    context = int(config.max_position_embeddings)

    def encode(ids: Tensor, _mask: Tensor) -> Tensor:
        """Of the last token's state: a text is padded to the context, and all of it is seen, as in training."""
        import torch

        padded = torch.nn.functional.pad(ids, (0, context - ids.shape[1]), value=_END)
        vectors: Tensor = text(input_ids=padded).pooler_output
        return vectors

    tokenize = _read_words(files, int(config.vocab_size), context)
    return PromptTower(files.sha256[:16], tokenize, encode, tensors[_SCALE], int(config.projection_size))


def clean_as_siglip(text: str) -> str:
    """A text as SigLIP's tokenizer takes it: in lower case, without punctuation, its words one space apart."""
    bare = f"{_SPACE}{text.replace(_SPACE, ' ')}".lower().translate(_WITHOUT_SIGNS)
    cleaned = re.sub(r"\s+", " ", bare).strip()
    return "" if cleaned == _SPACE else cleaned


def make_whole(network: Network) -> Any:
    """Both towers, empty."""
    transformers = import_transformers()
    ends = {"bos_token_id": None, "eos_token_id": _END, "pad_token_id": _END}
    config: dict[str, Any] = {"text_config": ends, "vision_config": {}}
    for name, value in network.arguments:
        part, _, field = name.partition(".")
        config[part][field] = value
    with without_random_values():
        return transformers.SiglipModel(transformers.SiglipConfig(**config))


def _read_words(files: EncoderFiles, vocabulary: int, context: int) -> Tokenize:
    path = files.require(_VOCABULARY)
    model = read_sentence_pieces(path)
    tokenizer = make_tokenizer(
        model.pieces, model.unknown, model.characters, begins_with=None, ends_with=_END, adds_space=False
    )
    check_vocabulary(path, tokenizer, vocabulary)
    return make_words(tokenizer, context, _END, clean=clean_as_siglip)


KIND = NetworkKind(build, fill, load_words)
