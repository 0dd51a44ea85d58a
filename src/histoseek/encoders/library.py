"""The library of weights: a folder with one file and one card for each."""

from __future__ import annotations

import re
from pathlib import Path

from histoseek.encoders.weights import SUFFIX, Weights, WeightsCard, card_path, load_card, load_weights, save_weights
from histoseek.errors import ConfigurationError, UnknownWeights, WeightsError
from histoseek.settings import get_settings


def find_weights(spec: str) -> Weights:
    """The weights at a path (`.safetensors`), or of this name in the library.

    Raises UnknownWeights, which names what there is, and WeightsError for files that are damaged.
    """
    return load_weights(weights_path(spec))


def weights_path(spec: str) -> Path:
    """Where the weights at a path, or of a name in the library, lie; raises UnknownWeights."""
    path = Path(spec) if spec.endswith(SUFFIX) else _in_library(spec)
    if not path.is_file():
        raise UnknownWeights(spec, library_names())
    return path


def library_names() -> tuple[str, ...]:
    """The names in the library, sorted."""
    folder = get_settings().weights_dir
    files = sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else []
    return tuple(path.stem for path in files if card_path(path).is_file())


def library_cards() -> tuple[tuple[WeightsCard, ...], tuple[WeightsError, ...]]:
    """The cards in the library, by name, and what is wrong with those that can't be read."""
    cards, faults = [], []
    for name in library_names():
        try:
            cards.append(load_card(_in_library(name)))
        except WeightsError as error:
            faults.append(error)
    return tuple(cards), tuple(faults)


def add_to_library(weights: Weights, *, replace: bool = False) -> Path:
    """Put weights into the library under the name on their card; raises ConfigurationError for one that is taken."""
    name = weights.card.name
    path = _in_library(name)
    if path.exists() and not replace:
        raise ConfigurationError(f"weights {name}", "are in the library already", "Give another --name, or --replace")
    try:
        save_weights(weights, path)
    except OSError as error:
        raise WeightsError(path, error.strerror or "cannot be written", "Check HISTOSEEK_WEIGHTS_DIR") from error
    return path


def _in_library(name: str) -> Path:
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", name):
        raise ConfigurationError(f"weights {name!r}", "is no name", "Use letters, digits, '-', '_' and '.'")
    return get_settings().weights_dir / f"{name}{SUFFIX}"
