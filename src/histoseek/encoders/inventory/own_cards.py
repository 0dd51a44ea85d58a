"""Cards of the user's own: put into the folder that they are read from, and taken out of it."""

from __future__ import annotations

import re
from pathlib import Path

from histoseek.encoders.cards.card import SlideModelCard, TileModelCard
from histoseek.encoders.cards.catalogue import list_slide_models, list_tile_models, read_cards, read_own_cards
from histoseek.encoders.slide import registry as slide_encoders
from histoseek.encoders.text.registry import FAMILIES as TEXT_FAMILIES
from histoseek.encoders.tile.registry import FAMILIES as TILE_FAMILIES
from histoseek.encoders.tile.registry import require_buildable
from histoseek.errors import ConfigurationError
from histoseek.files import write_atomic
from histoseek.settings import get_settings

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
_RESERVED = ("features", "none", "own", "unknown", "unnamed")


def add_own_cards(path: Path) -> tuple[str, ...]:
    """Put the cards of a TOML file into the user's folder, so that encoders can be named by them; their names.

    Raises ConfigurationError for a file that is no card, for names that are taken, and for what can't be written.
    """
    models = read_cards(path)
    if not models:
        raise ConfigurationError(str(path), "holds no card", "Write one under [[card]], see docs/encoders.md")
    names = [model.name for model in models]
    for model in models:
        _require_name(path, model.name, again=names.count(model.name) > 1)
        if isinstance(model, TileModelCard):
            require_buildable(model)
        _require_files(path, model)
    target = get_settings().encoders_dir / f"{names[0]}.toml"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(target, path.read_bytes())
    except OSError as error:
        what = error.strerror or "cannot be written"
        raise ConfigurationError(str(target), what, "Check HISTOSEEK_ENCODERS_DIR") from error
    return tuple(names)


def remove_own_card(name: str) -> Path:
    """Take a card out of the user's folder, with those of the same file; that file.

    Raises ConfigurationError for a name that no own card has. Archives that were made with it need it back.
    """
    files = read_own_cards().files
    if name not in files:
        own = ", ".join(files) or "there are none"
        raise ConfigurationError(name, "is no encoder of your own", f"Choose from: {own}")
    try:
        files[name].unlink()
    except OSError as error:
        raise ConfigurationError(str(files[name]), error.strerror or "cannot be removed") from error
    return files[name]


def _require_name(path: Path, name: str, *, again: bool) -> None:
    if not _NAME.fullmatch(name) or name in _RESERVED:
        raise ConfigurationError(str(path), f"{name!r} can't be a name", "Use a-z, 0-9, '-', '_' and '.'")
    taken = {model.name for model in list_tile_models()} | {model.name for model in list_slide_models()}
    taken |= {family.card.name for family in TILE_FAMILIES} | {family.name for family in TEXT_FAMILIES}
    taken |= {family.name for family in slide_encoders.FAMILIES} | {slide_encoders.UNTRAINED.encoder_name}
    if name in taken or again:
        advice = f"Give it another name, or remove your own first: histoseek encoders remove {name}"
        raise ConfigurationError(str(path), f"there is an encoder of the name {name!r} already", advice)


def _require_files(path: Path, model: TileModelCard | SlideModelCard) -> None:
    for file in model.publication.files:
        if file.sha256 and not re.fullmatch(r"[0-9a-f]{64}", file.sha256):
            what = f"the SHA-256 of {file.name} in the card {model.name!r} is not 64 hex digits"
            raise ConfigurationError(str(path), what, "Leave it out, or copy it from sha256sum")
        if Path(file.name).is_absolute() or ".." in Path(file.name).parts:
            what = f"{file.name!r} is no file of a repository"
            raise ConfigurationError(
                str(path), what, "Give its name there; a path goes behind the encoder's name: @/path"
            )
