"""The trained slide encoder: a PathSearch network behind the protocol of slide encoders."""

from __future__ import annotations

from histoseek.encoders.bag import Bag
from histoseek.encoders.devices import prepare_torch
from histoseek.encoders.slide.base import SlideEmbedding, SlideModel
from histoseek.encoders.slide.batches import SlideVectors, batch_of_one, embedding_of
from histoseek.encoders.slide.pathsearch.architecture import PathSearchArchitecture
from histoseek.encoders.slide.pathsearch.network import PathSearchNetwork
from histoseek.errors import EncoderError, WeightsError
from histoseek.settings import get_settings


class PathSearchEncoder:
    """A network with its weights, on the CPU or a GPU as the settings say."""

    def __init__(self, name: str, mode: str, network: PathSearchNetwork) -> None:
        self.name = name
        self._mode = mode
        self._device = prepare_torch(get_settings())
        self._network = network.eval().to(self._device)

    @property
    def input_dimension(self) -> int:
        """Dimension of the features it takes."""
        return self._network.architecture.input_dimension

    @property
    def dimension(self) -> int:
        """Dimension of global and mosaic vectors."""
        return self._network.architecture.dimension

    def encode(self, bag: Bag) -> SlideEmbedding:
        """The embedding of a bag of any size from one tile on; raises EncoderError when its features do not fit."""
        import torch

        if bag.features.shape[1] != self.input_dimension:
            what = f"takes features of dimension {self.input_dimension}, these have {bag.features.shape[1]}"
            raise EncoderError(self.name, what, "Use the tile encoder it was trained with")
        with torch.inference_mode():
            return embedding_of(bag, self._vectors(bag))

    def _vectors(self, bag: Bag) -> SlideVectors:
        import torch

        if self._mode == "reference":
            return self._network.reference(torch.from_numpy(bag.features).to(self._device))
        vectors: SlideVectors = self._network(batch_of_one(bag, self._device))
        return vectors


def build_encoder(model: SlideModel, architecture: PathSearchArchitecture, name: str) -> PathSearchEncoder:
    """The encoder of a weights file; raises WeightsError when names or shapes of its tensors don't fit its card."""
    import torch

    tensors = {key: torch.from_numpy(value.copy()) for key, value in model.tensors.items()}
    try:
        with torch.device("meta"):  # sizes on a card cost no memory before they are those of its tensors
            PathSearchNetwork(architecture).load_state_dict({key: value.to("meta") for key, value in tensors.items()})
        network = PathSearchNetwork(architecture)
        network.load_state_dict(tensors)
    except RuntimeError as error:
        what = f"its tensors are not those of its card's architecture ({str(error).splitlines()[1].strip()[:120]})"
        raise WeightsError(model.name, what, "Import the checkpoint again") from error
    return PathSearchEncoder(name, model.mode, network)
