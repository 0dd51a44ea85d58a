"""KEEP (Zhou et al. 2024, arXiv 2412.13126): timm's ViT-L/16 with two linear layers, and PubMedBERT with its pooler.

Its own code is remote and changes timm for the whole process; here its tensors are loaded into the libraries' modules.
Vectors of images have length one, as its `encode_image` gives them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from histoseek.encoders.cards.card import Network
from histoseek.encoders.devices import import_timm, import_transformers
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
from histoseek.encoders.tile.networks.prompts import PromptTower, read_words
from histoseek.encoders.tile.words import WordTower
from histoseek.encoders.weight_files import EncoderFiles, read_tensors

if TYPE_CHECKING:
    from torch import Tensor, nn

_IMAGES = ("visual.", "visual_head.")
_TEXT = "text."
_SCALE = "logit_scale"
_VOCABULARY = "vocab.txt"
_CONTEXT_TOKENS = 256
_TIMM = "timm."
_BERT = "bert."
_PAD = 0


def build(card: TileCard) -> nn.Module:
    """The empty image tower."""
    import torch

    whole = _make_whole(card.network, card.dimension)

    class Images(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.visual = whole.visual
            self.visual_head = whole.visual_head
            self.shapes = shapes_of(whole.state_dict())

        def forward(self, images: Tensor) -> Tensor:
            vectors = self.visual_head(self.visual(images))
            return torch.nn.functional.normalize(vectors, dim=-1)

    return Images()


def fill(module: nn.Module, tensors: Tensors) -> None:
    """Fill the image tower; the file must hold the text tower as well."""
    fill_part(module, _name_as_timm(tensors), *_IMAGES)


def load_words(card: TileCard, files: EncoderFiles) -> WordTower:
    """The text tower; raises EncoderError without its vocabulary, ValueError for other tensors."""
    whole = _make_whole(card.network, card.dimension)
    tensors = _name_as_timm(read_tensors(files.weights))
    require_exactly(shapes_of(whole.state_dict()), tensors)
    del whole.visual, whole.visual_head
    whole.load_state_dict(select(tensors, _TEXT, _SCALE))
    bert = whole.eval().text

    def encode(ids: Tensor, mask: Tensor) -> Tensor:
        vectors: Tensor = bert(input_ids=ids, attention_mask=mask.long()).pooler_output
        return vectors

    tokenize = read_words(files.require(_VOCABULARY), _CONTEXT_TOKENS, int(bert.config.vocab_size), _PAD)
    return PromptTower(files.sha256[:16], tokenize, encode, tensors[_SCALE], card.dimension)


def _make_whole(network: Network, dimension: int) -> Any:
    """Both towers under the published names; a card's arguments are those of timm ("timm.depth") and BERT."""
    timm, transformers = import_timm(), import_transformers()
    import torch

    arguments = dict(network.arguments)
    of_timm = {name.removeprefix(_TIMM): value for name, value in arguments.items() if name.startswith(_TIMM)}
    of_bert: dict[str, Any] = {
        name.removeprefix(_BERT): value for name, value in arguments.items() if name.startswith(_BERT)
    }

    class Whole(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.visual = timm.create_model("vit_large_patch16_224", init_values=1e-5, num_classes=0, **of_timm)
            self.visual_head = torch.nn.Sequential(
                torch.nn.Linear(self.visual.num_features, dimension),
                torch.nn.GELU(),
                torch.nn.Linear(dimension, dimension),
            )
            self.text = transformers.BertModel(transformers.BertConfig(**of_bert))
            self.logit_scale = torch.nn.Parameter(torch.ones(()))

    with without_random_values():
        return Whole()


def _name_as_timm(tensors: Tensors) -> dict[str, Tensor]:
    """KEEP calls weight what timm calls gamma: the factors of its layer scales."""
    return {
        name.replace(".ls1.weight", ".ls1.gamma").replace(".ls2.weight", ".ls2.gamma"): tensor
        for name, tensor in unwrap_names(tensors).items()
    }


KIND = NetworkKind(build, fill, load_words)
