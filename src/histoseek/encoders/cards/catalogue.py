"""The catalogue of published models: cards in TOML files, one file for each maker or kind."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import fields
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from histoseek.encoders.cards.card import (
    Fact,
    Network,
    Preparation,
    Publication,
    SlideModelCard,
    TensorLayout,
    TileModelCard,
    Variant,
    WeightsFile,
)
from histoseek.errors import ConfigurationError

_FOLDER = Path(__file__).parent
_ADVICE = "See docs/encoders.md"
_Part = TypeVar("_Part")


@lru_cache(maxsize=1)
def list_tile_models() -> tuple[TileModelCard, ...]:
    """The published tile encoders, by name."""
    return tuple(sorted(_read_folder(_FOLDER / "tile", parse_tile_model), key=lambda model: model.name))


@lru_cache(maxsize=1)
def list_slide_models() -> tuple[SlideModelCard, ...]:
    """The published slide encoders, by name."""
    return tuple(sorted(_read_folder(_FOLDER / "slide", parse_slide_model), key=lambda model: model.name))


def read_tile_models(path: Path) -> tuple[TileModelCard, ...]:
    """The tile encoders of one TOML file; raises ConfigurationError, which names the file and what is wrong."""
    return tuple(_read_file(path, parse_tile_model))


def parse_tile_model(data: Mapping[str, Any]) -> TileModelCard:
    """A card from its table in TOML; raises KeyError, TypeError or ValueError."""
    network = dict(data["network"])
    arguments = tuple((name, _freeze(value)) for name, value in network.pop("arguments", {}).items())
    layout = _make(TensorLayout, _freeze_values(network.pop("layout", {})))
    parts = {
        "network": _make(Network, network | {"arguments": arguments, "layout": layout}),
        "preparation": _make(Preparation, _freeze_values(data["preparation"])),
        "variants": tuple(_make(Variant, _freeze_values(variant)) for variant in data["variants"]),
        "spacings_um_per_px": tuple(map(float, data["spacings_um_per_px"])),
    }
    if not (parts["variants"] and parts["spacings_um_per_px"]):
        raise ValueError("variants and spacings_um_per_px need one entry at least")
    return _make(TileModelCard, {**data, **_parse_common(data), **parts})


def parse_slide_model(data: Mapping[str, Any]) -> SlideModelCard:
    """A card from its table in TOML; raises KeyError, TypeError or ValueError."""
    return _make(SlideModelCard, {**data, **_parse_common(data)})


def _parse_common(data: Mapping[str, Any]) -> dict[str, Any]:
    publication = dict(data["publication"])
    files = tuple(_make(WeightsFile, file) for file in publication.pop("files", ()))
    return {
        "publication": _make(Publication, publication | {"files": files}),
        "facts": tuple(Fact(about, source) for about, source in data.get("facts", {}).items()),
        "not_verified": tuple(data.get("not_verified", ())),
    }


def _read_folder(folder: Path, parse: Any) -> Iterable[Any]:
    return (model for path in sorted(folder.glob("*.toml")) for model in _read_file(path, parse))


def _read_file(path: Path, parse: Any) -> list[Any]:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))["card"]
        return [parse(table) for table in tables]
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(str(path), f"is not readable as TOML ({error})", _ADVICE) from error
    except KeyError as error:
        raise ConfigurationError(str(path), f"has no {error.args[0]!r}", _ADVICE) from error
    except (AttributeError, TypeError, ValueError) as error:
        raise ConfigurationError(str(path), f"is no card of an encoder: {error}", _ADVICE) from error


def _make(kind: type[_Part], data: Mapping[str, Any]) -> _Part:
    """A part of a card; names that it does not have are refused rather than passed over."""
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(data) - known)
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no field of {kind.__name__}; there are {', '.join(sorted(known))}")
    return kind(**data)


def _freeze(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _freeze_values(data: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _freeze(value) for name, value in data.items()}
