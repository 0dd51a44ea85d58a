"""Published slide encoders behind the protocol of slide encoders: a vector of the slide, and no mosaic of their own."""

from __future__ import annotations

from histoseek.encoders.bag import UNKNOWN_POSITION, Bag
from histoseek.encoders.devices import prepare_torch
from histoseek.encoders.slide.base import Architecture, Floats, SlideEmbedding, SlideEncoder, SlideModel
from histoseek.encoders.slide.published.networks import make_network
from histoseek.encoders.slide.published.tiles import SlideNetwork, Tiles
from histoseek.errors import EncoderError, MissingExtra, WeightsError
from histoseek.settings import get_settings
from histoseek.statistics.clustering import normalise_rows


class PublishedEncoder:
    """A network with its weights, on the CPU or a GPU as the settings say."""

    def __init__(self, name: str, mode: str, sizes: Architecture, network: SlideNetwork, needs_places: bool) -> None:
        self.name = name
        self._mode, self._sizes, self._needs_places = mode, sizes, needs_places
        self._device = prepare_torch(get_settings())
        self._network = network.eval().to(self._device)

    @property
    def input_dimension(self) -> int:
        """Dimension of the features it takes."""
        return self._sizes.input_dimension

    @property
    def dimension(self) -> int:
        """Dimension of the slide's vector."""
        return self._sizes.dimension

    def encode(self, bag: Bag) -> SlideEmbedding:
        """The slide's vector of length one, without a mosaic; raises EncoderError for features of another dimension,
        and for tiles without places where it needs them."""
        self._require_fit(bag)
        return SlideEmbedding(normalise_rows(self._embed(bag)[None])[0], ())

    def _embed(self, bag: Bag) -> Floats:
        import torch

        features, coords = (torch.from_numpy(each).to(self._device) for each in (bag.features, bag.coords))
        with torch.inference_mode():
            vector = self._network.embed(Tiles(features, coords.long(), max(1, bag.tile_size_level0)), self._mode)
            array: Floats = vector.float().cpu().numpy()
            return array

    def _require_fit(self, bag: Bag) -> None:
        if bag.features.shape[1] != self.input_dimension:
            what = f"takes features of dimension {self.input_dimension}, these have {bag.features.shape[1]}"
            raise EncoderError(self.name, what, "Use the tile encoder it was trained with")
        unknown = bag.tile_size_level0 < 1 or (bag.coords == UNKNOWN_POSITION).all(axis=1).any()
        if self._needs_places and unknown:
            what = "needs the places of tiles and their edge in level-0 px, which these features lack"
            raise EncoderError(self.name, what, "Take feature files with coords and patch_size_level0, or slides")


def build_encoder(model: SlideModel, name: str, needs_places: bool) -> SlideEncoder:
    """The encoder of a weights file; raises WeightsError when names or shapes of its tensors don't fit its card."""
    try:
        import torch
    except ImportError as error:
        raise MissingExtra("torch", "torch") from error
    tensors = {key: torch.from_numpy(value.copy()) for key, value in model.tensors.items()}
    try:
        with torch.device("meta"):  # sizes on a card cost no memory before they are those of its tensors
            network = make_network(model.architecture)
        network.load_state_dict(tensors, assign=True)
    except RuntimeError as error:
        what = f"its tensors are not those of its card's architecture ({str(error).splitlines()[1].strip()[:120]})"
        raise WeightsError(model.name, what, "Import the checkpoint again") from error
    return PublishedEncoder(name, model.mode, model.architecture, network, needs_places)
