"""The tensors of checkpoints from elsewhere: read without running what is in them, checked name by name."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from histoseek.encoders.slide.base import Shapes
from histoseek.encoders.weight_files import read_state, unwrap_state
from histoseek.errors import EncoderError, MissingExtra, SlideNotFound, WeightsError

if TYPE_CHECKING:
    from torch import Tensor

_WRAPPERS = ("model", "state_dict", "teacher_slide_encoder")
_WHOLE_NUMBERS = ("num_batches_tracked", "position_ids")
_SHOWN = 3


def read_checkpoint(path: Path, prefixes: tuple[str, ...]) -> dict[str, Tensor]:
    """The tensors of a file, and whatever else has a name that begins with one of these.

    Raises SlideNotFound, MissingExtra, and WeightsError for a file that is damaged or holds more than tensors.
    """
    import torch

    values = {str(name).removeprefix("module."): value for name, value in unwrap_state(_read(path), _WRAPPERS).items()}
    return {
        name: value for name, value in values.items() if isinstance(value, torch.Tensor) or name.startswith(prefixes)
    }


def _read(path: Path) -> Mapping[str, object]:
    if not path.is_file():
        raise SlideNotFound(path)
    try:
        return read_state(path)
    except MissingExtra as error:
        raise MissingExtra(error.package, "train") from error
    except EncoderError as error:
        raise WeightsError(path, error.what, error.advice) from error


def require_values(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Raise WeightsError unless all are plain tensors that hold what their shape says, with finite numbers."""
    import torch

    for name, value in tensors.items():
        if not isinstance(value, torch.Tensor):
            raise WeightsError(path, f"{name} is a {type(value).__name__}, not a tensor")
        if value.layout != torch.strided or value.untyped_storage().nbytes() < value.numel() * value.element_size():
            raise WeightsError(path, f"{name} is not a plain tensor of shape {list(value.shape)}")
        if not name.endswith(_WHOLE_NUMBERS) and not value.is_floating_point():
            raise WeightsError(path, f"{name} holds {value.dtype}, expected floating-point numbers")
        if not bool(torch.isfinite(value).all()):
            raise WeightsError(path, f"{name} holds NaN or infinity")


def require_shapes(path: Path, actual: Shapes, expected: Shapes, part: str, optional: Collection[str] = ()) -> None:
    """Raise WeightsError, which names them, for tensors that are missing, extra, or of another shape; optional: those
    of the expected that may be missing."""
    faults = {
        "missing": sorted(name for name in expected if name not in actual and name not in optional),
        "extra": sorted(name for name in actual if name not in expected),
        "of another shape": sorted(
            f"{name} {list(actual[name])} instead of {list(shape)}"
            for name, shape in expected.items()
            if name in actual and actual[name] != shape
        ),
    }
    lines = [f"{len(names)} {fault}: {list_some(names)}" for fault, names in faults.items() if names]
    if lines:
        raise WeightsError(path, f"does not fit the {part} ({'; '.join(lines)})", "See docs/weights.md")


def list_shapes(tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """The shapes of tensors by their names."""
    return {name: tuple(value.shape) for name, value in tensors.items()}


def list_some(names: list[str]) -> str:
    """The first of some names, and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def to_array(tensor: Tensor) -> np.ndarray:
    """A tensor as numpy has it, in single precision."""
    return np.asarray((tensor.float() if tensor.is_floating_point() else tensor).numpy())
