"""The catalogue of published models: cards in TOML files, one file for each maker or kind."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
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
from histoseek.files import FileState, read_file_state
from histoseek.settings import get_settings

_FOLDER = Path(__file__).parent
_ADVICE = "See docs/encoders.md"
_Part = TypeVar("_Part")


def list_tile_models() -> tuple[TileModelCard, ...]:
    """The published tile encoders and the user's own, by name."""
    return tuple(sorted((*_list_published_tile_models(), *read_own_cards().tile), key=lambda model: model.name))


def list_slide_models() -> tuple[SlideModelCard, ...]:
    """The published slide encoders and the user's own, by name."""
    return tuple(sorted((*_list_published_slide_models(), *read_own_cards().slide), key=lambda model: model.name))


@dataclass(frozen=True, slots=True)
class OwnCards:
    """The cards in the user's folder, and what is wrong with files of it; files: where each card is, by name."""

    tile: tuple[TileModelCard, ...] = ()
    slide: tuple[SlideModelCard, ...] = ()
    faults: tuple[ConfigurationError, ...] = ()
    files: Mapping[str, Path] = field(default_factory=dict)


def read_own_cards() -> OwnCards:
    """The user's own cards; of a name that a published model has, the published one counts."""
    folder = get_settings().encoders_dir
    try:
        states = [(path, read_file_state(path)) for path in sorted(folder.glob("*.toml"))]
    except OSError:
        return OwnCards()
    return _read_own_cards(tuple(states))


def read_cards(path: Path) -> tuple[TileModelCard | SlideModelCard, ...]:
    """The cards of one TOML file of the user's, of slide encoders where they name a tile encoder.

    Raises ConfigurationError, which names the file and what is wrong.
    """
    return tuple(_require_sense(path, _require_types(path, model)) for model in _read_file(path, _parse_any))


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
        "reference": tuple(map(float, data.get("reference", ()))),
    }
    if not (parts["variants"] and parts["spacings_um_per_px"]):
        raise ValueError("variants and spacings_um_per_px need one entry at least")
    return _make(TileModelCard, {**data, **_parse_common(data), **parts})


def parse_slide_model(data: Mapping[str, Any]) -> SlideModelCard:
    """A card from its table in TOML; raises KeyError, TypeError or ValueError."""
    return _make(SlideModelCard, {**data, **_parse_common(data)})


@lru_cache(maxsize=1)
def _list_published_tile_models() -> tuple[TileModelCard, ...]:
    return tuple(_read_folder(_FOLDER / "tile", parse_tile_model))


@lru_cache(maxsize=1)
def _list_published_slide_models() -> tuple[SlideModelCard, ...]:
    return tuple(_read_folder(_FOLDER / "slide", parse_slide_model))


@lru_cache(maxsize=4)
def _read_own_cards(states: tuple[tuple[Path, FileState], ...]) -> OwnCards:
    """The cards of these files, in their states."""
    published = {model.name for model in _list_published_tile_models()}
    published |= {model.name for model in _list_published_slide_models()}
    found: dict[str, TileModelCard | SlideModelCard] = {}
    files, faults = {}, []
    for path, _ in states:
        try:
            for model in read_cards(path):
                if model.name in published or model.name in found:
                    what = f"its card {model.name!r} is passed over: there is another encoder of this name"
                    raise ConfigurationError(str(path), what, "Give it another name")
                found[model.name], files[model.name] = model, path
        except ConfigurationError as error:
            faults.append(error)
    tile = tuple(model for model in found.values() if isinstance(model, TileModelCard))
    slide = tuple(model for model in found.values() if isinstance(model, SlideModelCard))
    return OwnCards(tile, slide, tuple(faults), files)


def _require_types(path: Path, model: TileModelCard | SlideModelCard) -> TileModelCard | SlideModelCard:
    """The card, whose every field has the type that it should; raises ConfigurationError."""
    from pydantic import TypeAdapter, ValidationError

    try:
        TypeAdapter(type(model)).validate_python(asdict(model))
    except ValidationError as error:
        fault = error.errors()[0]
        field_name = ".".join(str(part) for part in fault["loc"] if isinstance(part, str | int))
        raise ConfigurationError(
            str(path), f"its card {model.name!r}: {field_name}: {fault['msg']}", _ADVICE
        ) from error
    return model


def _require_sense(path: Path, model: TileModelCard | SlideModelCard) -> TileModelCard | SlideModelCard:
    """The card, whose sizes can be; raises ConfigurationError."""
    fault = _find_fault(model) if isinstance(model, TileModelCard) else ""
    if fault:
        raise ConfigurationError(str(path), f"its card {model.name!r}: {fault}", _ADVICE)
    return model


def _find_fault(model: TileModelCard) -> str:
    """What can't be of a tile encoder's sizes and variants, "" for nothing."""
    names = [variant.name for variant in model.variants]
    if len(set(names)) < len(names) or not all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9+._-]*", name) for name in names):
        return "names of variants are of letters, digits, '+', '-', '_' and '.', each once"
    if not all(0 < spacing < math.inf for spacing in model.spacings_um_per_px):
        return "spacings_um_per_px are not above 0"
    if min(variant.dimension for variant in model.variants) < 1 or model.tile_bytes < 1:
        return "dimension and tile_bytes must be 1 or more"
    for prepared in (variant.adapt(model.preparation) for variant in model.variants):
        if min(prepared.input_px, prepared.tile_px) < 1 or prepared.resize_px < prepared.input_px:
            return f"the middle {prepared.input_px} px can't be taken of {prepared.resize_px} px (input_px, resize_px)"
        if not all(map(math.isfinite, prepared.mean)) or not all(0 < value < math.inf for value in prepared.std):
            return "mean and std are finite numbers, std above 0"
    return ""


def _parse_any(data: Mapping[str, Any]) -> TileModelCard | SlideModelCard:
    return parse_slide_model(data) if "tile_encoder" in data else parse_tile_model(data)


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
    known = {each.name for each in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(data) - known)
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no field of {kind.__name__}; there are {', '.join(sorted(known))}")
    return kind(**data)


def _freeze(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _freeze_values(data: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _freeze(value) for name, value in data.items()}
