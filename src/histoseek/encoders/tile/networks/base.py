"""What a library of networks provides for the tile encoders on cards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from histoseek.encoders.tile.base import TileCard
from histoseek.encoders.tile.words import WordTower

if TYPE_CHECKING:
    from torch import Tensor, nn

    from histoseek.encoders.weight_files import EncoderFiles

Tensors = Mapping[str, "Tensor"]
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class NetworkKind:
    """Networks of one architecture, or of one library.

    build: an empty network that maps normalised images [B, 3, S, S] to the features [B, D] of the card's variant;
    fill: puts the tensors of a published file into it, raising ValueError where names or shapes differ; load_words:
    the text tower from the files of the encoder, None for networks without one.
    """

    build: Callable[[TileCard], nn.Module]
    fill: Callable[[nn.Module, Tensors], None]
    load_words: Callable[[TileCard, EncoderFiles], WordTower] | None = None


def fill_exactly(network: nn.Module, tensors: Tensors) -> None:
    """Load tensors whose names and shapes must be those of the network; raises ValueError, which names what differs."""
    wanted = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    given = {name: tuple(value.shape) for name, value in tensors.items()}
    faults = [f"no {name}" for name in wanted if name not in given]
    faults += [f"{name}, which it does not have" for name in given if name not in wanted]
    faults += [
        f"{name} of shape {given[name]}, wanted {shape}"
        for name, shape in wanted.items()
        if name in given and given[name] != shape
    ]
    if faults:
        more = f" and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
        raise ValueError("; ".join(faults[:_SHOWN]) + more)
    network.load_state_dict(dict(tensors), assign=False)
