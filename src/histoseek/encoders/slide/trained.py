"""Trained slide networks behind the protocol of slide encoders, and how weights files fill them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeVar

from histoseek.errors import EncoderError, MissingExtra, WeightsError

try:
    import torch
except ImportError as error:
    raise MissingExtra("torch", "torch") from error
from torch import nn

from histoseek.encoders.bag import Bag
from histoseek.encoders.devices import prepare_torch
from histoseek.encoders.slide.base import Architecture, SlideEmbedding, SlideModel
from histoseek.settings import get_settings

Network = TypeVar("Network", bound=nn.Module)


class TrainedEncoder(ABC):
    """A slide network with its weights, on the CPU or a GPU as the settings say; needs_places: whether it must know
    where the tiles lie."""

    def __init__(self, name: str, sizes: Architecture, network: nn.Module, *, needs_places: bool = False) -> None:
        self.name = name
        self._sizes, self._needs_places = sizes, needs_places
        self._device = prepare_torch(get_settings())
        network.eval().to(self._device)

    @property
    def input_dimension(self) -> int:
        """Dimension of the features it takes."""
        return self._sizes.input_dimension

    @property
    def dimension(self) -> int:
        """Dimension of its vectors."""
        return self._sizes.dimension

    def encode(self, bag: Bag) -> SlideEmbedding:
        """The embedding of a bag of any size from one tile on; raises EncoderError for features of another dimension,
        and for tiles without places where it needs them."""
        if bag.features.shape[1] != self.input_dimension:
            what = f"takes features of dimension {self.input_dimension}, these have {bag.features.shape[1]}"
            raise EncoderError(self.name, what, "Use the tile encoder it was trained with")
        if self._needs_places:
            require_places(bag, self.name)
        with torch.inference_mode():
            return self._embed(bag)

    @abstractmethod
    def _embed(self, bag: Bag) -> SlideEmbedding:
        """The embedding of a bag that fits."""


def require_places(bag: Bag, encoder: str) -> None:
    """Raise EncoderError unless a bag says where its tiles lie, and how large they are."""
    if not bag.has_places:
        what = "needs the places of tiles and their edge in level-0 px, which these features lack"
        raise EncoderError(encoder, what, "Take feature files with coords and patch_size_level0, or slides")


def fill_network(make: Callable[[], Network], model: SlideModel) -> Network:
    """A network with the tensors of a weights file; raises WeightsError when names or shapes don't fit its card."""
    tensors = {key: torch.from_numpy(value.copy()) for key, value in model.tensors.items()}
    try:
        with torch.device("meta"):  # sizes on a card cost no memory before they are those of its tensors
            network = make()
        network.load_state_dict(tensors, assign=True)
    except RuntimeError as error:
        what = f"its tensors are not those of its card's architecture ({str(error).splitlines()[1].strip()[:120]})"
        raise WeightsError(model.name, what, "Import the checkpoint again") from error
    return network
