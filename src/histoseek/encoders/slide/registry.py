"""A slide encoder from a weights file."""

from __future__ import annotations

from histoseek.encoders.slide.network import PathSearchNetwork
from histoseek.encoders.slide.pathsearch import PathSearchEncoder
from histoseek.encoders.weights import VISUAL, Weights
from histoseek.errors import WeightsError


def trained_encoder(weights: Weights) -> PathSearchEncoder:
    """The encoder whose tensors lie under `visual.`; raises WeightsError when names or shapes don't fit its card."""
    import torch

    card = weights.card
    network = PathSearchNetwork(card.architecture)
    tensors = {name: torch.from_numpy(value.copy()) for name, value in weights.part(VISUAL).items()}
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        what = f"its tensors are not those of its card's architecture ({str(error).splitlines()[1].strip()[:120]})"
        raise WeightsError(card.name, what, "Import the checkpoint again") from error
    return PathSearchEncoder(card.slide_encoder, card.architecture, card.mode, network)
