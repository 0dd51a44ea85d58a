"""The registry of text encoders: one line for each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from histoseek.encoders.text import biomedclip, local, minilm
from histoseek.encoders.text.base import TextCard, TextEncoder
from histoseek.errors import UnknownEncoder

if TYPE_CHECKING:
    from histoseek.encoders.text.tower import TextTower


@dataclass(frozen=True, slots=True)
class TextEncoderFamily:
    """Text encoders that are loaded alike, from their usual source (None) or a folder.

    card: None where it depends on the folder, which must be given then; load_tower: gives the torch module, to train.
    """

    name: str
    card: TextCard | None
    load: Callable[[Path | None], TextEncoder]
    load_tower: Callable[[Path | None], TextTower]


FAMILIES: tuple[TextEncoderFamily, ...] = (
    TextEncoderFamily(minilm.CARD.name, minilm.CARD, minilm.load, minilm.load_tower),
    TextEncoderFamily(biomedclip.CARD.name, biomedclip.CARD, biomedclip.load, biomedclip.load_tower),
    TextEncoderFamily(local.NAME, None, local.load, local.load_tower),
)


def list_text_cards() -> tuple[TextCard, ...]:
    """The declarations of the registered encoders; that of transformers@/folder depends on the folder."""
    return tuple(family.card for family in FAMILIES if family.card)


def load_text_encoder(spec: str) -> TextEncoder:
    """Load a text encoder: "name", or "name@/folder" with its files.

    Raises UnknownEncoder, MissingExtra, and EncoderError for a folder without the right files or damaged ones.
    """
    name, folder = _split(spec)
    return _find_family(name).load(folder)


def require_text_encoder(spec: str) -> None:
    """Raise UnknownEncoder unless `spec` names a registered encoder, or is "none"; nothing is loaded."""
    if spec != "none":
        _find_family(_split(spec)[0])


def load_tower(spec: str) -> TextTower:
    """Load a text encoder's torch module, for training; `spec` and errors as for load_text_encoder."""
    name, folder = _split(spec)
    return _find_family(name).load_tower(folder)


def _split(spec: str) -> tuple[str, Path | None]:
    name, _, folder = spec.partition("@")
    return name, Path(folder) if folder else None


def _find_family(name: str) -> TextEncoderFamily:
    family = next((family for family in FAMILIES if family.name == name), None)
    if family is None:
        names = tuple(family.name if family.card else f"{family.name}@/folder" for family in FAMILIES)
        raise UnknownEncoder(name, names)
    return family
