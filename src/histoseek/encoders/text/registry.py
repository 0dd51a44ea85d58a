"""The registry of text encoders: one line for each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from histoseek.encoders.text import biomedclip, local, minilm
from histoseek.encoders.text.base import TextCard, TextEncoder
from histoseek.encoders.text.fgcr import encoder as fgcr
from histoseek.encoders.text.own import OwnTextEncoder
from histoseek.encoders.text.paired import JOINT
from histoseek.errors import EncoderError, UnknownEncoder
from histoseek.own_code import PREFIX, find_own, is_own, require_own_name

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
    TextEncoderFamily(fgcr.NAME, None, fgcr.load, fgcr.load_tower),
)


_registered: dict[str, OwnTextEncoder] = {}
"""Those that were given from Python, by name: known in this process alone."""


def register_text_encoder(encoder: OwnTextEncoder) -> str:
    """Let a text encoder of one's own be used in this process; the spec that names it.

    Registering the same again changes nothing. Raises ConfigurationError for a name that is taken.
    """
    name, before = encoder.card.name, _registered.get(encoder.card.name)
    is_other = before is not None and (before.card, before.weights_hash) != (encoder.card, encoder.weights_hash)
    require_own_name(name, taken=is_other or _is_known(name))
    _registered[name] = encoder
    return f"{PREFIX}{name}"


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
    """Raise UnknownEncoder unless `spec` names a registered encoder, or those of a pair, or is "none"; nothing is
    loaded."""
    for each in spec.split(JOINT):
        if each != "none":
            _find_family(_split(each)[0])


def load_tower(spec: str) -> TextTower:
    """Load a text encoder's torch module, for training; `spec` and errors as for load_text_encoder."""
    name, folder = _split(spec)
    return _find_family(name).load_tower(folder)


def _split(spec: str) -> tuple[str, Path | None]:
    name, _, folder = spec.partition("@")
    return name, Path(folder) if folder else None


def _find_family(name: str) -> TextEncoderFamily:
    family = next((family for family in FAMILIES if family.name == name), None)
    if family is None and is_own(name):
        return _find_own_family(name)
    if family is None:
        names = tuple(family.name if family.card else f"{family.name}@/folder" for family in FAMILIES)
        raise UnknownEncoder(name, names)
    return family


def _find_own_family(spec: str) -> TextEncoderFamily:
    encoder = find_own(spec, OwnTextEncoder, _registered)
    require_own_name(encoder.card.name, taken=_is_known(encoder.card.name))

    def load_tower(_: Path | None) -> TextTower:
        raise EncoderError(spec, "is your own code, which is not trained here", "Train minilm, or transformers@/folder")

    return TextEncoderFamily(spec, encoder.card, lambda _: encoder, load_tower)


def _is_known(name: str) -> bool:
    return any(family.name == name for family in FAMILIES)
