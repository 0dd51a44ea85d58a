"""What a library of networks provides for the tile encoders on cards."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from histoseek.encoders.tile.base import TileCard
from histoseek.encoders.tile.words import WordTower

if TYPE_CHECKING:
    from torch import Tensor, nn

    from histoseek.encoders.weight_files import EncoderFiles

Tensors = Mapping[str, "Tensor"]
Shapes = Mapping[str, tuple[int, ...]]
_SHOWN = 3
_PARALLEL = "module."
"""What torch puts before names when it trains on several GPUs."""

_COUNTERS = "position_ids"
"""0, 1, 2, ...: in files of older versions of transformers, which kept them with the weights."""


@dataclass(frozen=True, slots=True)
class NetworkKind:
    """Networks of one architecture, or of one library.

    build: an empty network that maps normalised images [B, 3, S, S] to the features [B, D] of the card's variant;
    fill: puts the tensors of a published file into it, raising ValueError where names or shapes differ; load_words:
    the text tower from the files of the encoder, raising likewise, None for networks without one.
    """

    build: Callable[[TileCard], nn.Module]
    fill: Callable[[nn.Module, Tensors], None]
    load_words: Callable[[TileCard, EncoderFiles], WordTower] | None = None


def fill_exactly(network: nn.Module, tensors: Tensors) -> None:
    """Load tensors whose names and shapes must be those of the network; raises ValueError, which names what differs."""
    wanted = network.state_dict()
    require_exactly(shapes_of(wanted), tensors)
    network.load_state_dict({name: tensor.to(wanted[name].dtype) for name, tensor in tensors.items()}, assign=True)


def require_exactly(wanted: Shapes, tensors: Tensors) -> None:
    """Raise ValueError, which names what differs, unless tensors have these names and shapes."""
    given = shapes_of(tensors)
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


def shapes_of(tensors: Tensors) -> dict[str, tuple[int, ...]]:
    """The shapes of tensors by their names."""
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def select(tensors: Tensors, *prefixes: str) -> dict[str, Tensor]:
    """The tensors whose names begin with one of these, under their whole names."""
    return {name: tensor for name, tensor in tensors.items() if name.startswith(prefixes)}


def strip(tensors: Tensors, prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with this, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in select(tensors, prefix).items()}


def unwrap_names(tensors: Tensors) -> dict[str, Tensor]:
    """Tensors as the network alone names them: without what training on several GPUs adds, and without counters."""
    names = {name: name.removeprefix(_PARALLEL) for name in tensors}
    return {new: tensors[name] for name, new in names.items() if not new.endswith(_COUNTERS)}


def fill_part(module: nn.Module, tensors: Tensors, *prefixes: str) -> None:
    """Fill a part of a published network with its tensors, those of these prefixes; all must be those of the whole
    network, whose shapes the module has as `shapes`. Raises ValueError, which names what differs."""
    require_exactly(module.shapes, tensors)
    module.load_state_dict(select(tensors, *prefixes))


@contextmanager
def without_random_values() -> Iterator[None]:
    """Networks that are made meanwhile hold one value where they would hold drawn ones: they are filled next, and
    drawing takes seconds. It is the mean or the lower end, as truncated draws go on until all lie between bounds."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    aten = torch.ops.aten

    class Undrawn(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if func is aten.normal_.default or func is aten.uniform_.default:
                return aten.fill_.Scalar(args[0], args[1] if len(args) > 1 else 0.0)
            return args[0] if func is aten.erfinv_.default else func(*args, **(kwargs or {}))

    with Undrawn():
        yield
