"""The registry of text encoders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from histoseek.encoders.text.base import TextCard, TextEncoder
from histoseek.errors import UnknownEncoder

if TYPE_CHECKING:
    from histoseek.encoders.text.tower import TextTower


@dataclass(frozen=True, slots=True)
class _Entry:
    load: Callable[[Path | None], TextEncoder]
    load_tower: Callable[[Path | None], TextTower]


def text_cards() -> tuple[TextCard, ...]:
    """The declarations of the registered encoders; that of transformers@/folder depends on the folder."""
    from histoseek.encoders.text import biomedclip, minilm

    return minilm.CARD, biomedclip.CARD


def load_text_encoder(spec: str) -> TextEncoder:
    """Load a text encoder: "name", or "name@/folder" with its files.

    Raises UnknownEncoder, MissingExtra, and EncoderError for a folder without the right files or damaged ones.
    """
    name, folder = _split(spec)
    return _entry(name).load(folder)


def check_text_encoder(spec: str) -> None:
    """Raise UnknownEncoder unless `spec` names a registered encoder, or is "none"; nothing is loaded."""
    if spec != "none":
        _entry(_split(spec)[0])


def load_tower(spec: str) -> TextTower:
    """Load a text encoder's torch module, for training; `spec` and errors as for load_text_encoder."""
    name, folder = _split(spec)
    return _entry(name).load_tower(folder)


def _split(spec: str) -> tuple[str, Path | None]:
    name, _, folder = spec.partition("@")
    return name, Path(folder) if folder else None


def _entry(name: str) -> _Entry:
    from histoseek.encoders.text import biomedclip, local, minilm

    entries = {
        minilm.CARD.name: _Entry(minilm.load, minilm.load_tower),
        biomedclip.CARD.name: _Entry(biomedclip.load, biomedclip.load_tower),
        local.NAME: _Entry(local.load, local.load_tower),
    }
    if name not in entries:
        raise UnknownEncoder(name, (minilm.CARD.name, biomedclip.CARD.name, f"{local.NAME}@/folder"))
    return entries[name]
