"""Folders with the weights of a tile encoder that was adapted to an archive (`histoseek adapt-tiles`).

They are named behind their base, `lite0@/path/of/folder`, and known by a card beside the weights, which says what they
were made of. Their vectors are of a space of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from histoseek.encoders.cards.card import TensorLayout
from histoseek.encoders.published_files.identity import digest_weights
from histoseek.encoders.tile.base import TileCard
from histoseek.errors import EncoderError
from histoseek.files import read_checked_json

CARD_FILE = "adaptation.json"
WEIGHTS_FILE = "model.safetensors"
_MARK = ".adapted"
_AGAIN = "Copy the whole folder again, or adapt anew"


@dataclass(frozen=True, slots=True)
class AdaptedWeights:
    """The weights in such a folder; base: the encoder that they were adapted from; sha256: of the file, as stated."""

    path: Path
    base: str
    sha256: str

    def mark(self, card: TileCard) -> TileCard:
        """The base's card as it is of these weights: of another version, and known by no reference vectors; words no
        longer lie in its space. Raises EncoderError for the card of another encoder."""
        if card.name != self.base:
            what = f"was adapted from {self.base}, not from {card.name}"
            raise EncoderError(str(self.path.parent), what, f"Name it {self.base}@{self.path.parent}")
        network = replace(card.network, layout=TensorLayout())
        return replace(card, version=f"{card.version}{_MARK}", network=network, reference=(), has_words=False)

    def require_whole(self) -> str:
        """The SHA-256 of the file; raises EncoderError where it is missing, or another one than its card states."""
        if not self.path.is_file():
            raise EncoderError(str(self.path), "is missing beside its card", _AGAIN)
        if digest_weights(self.path) != self.sha256:
            raise EncoderError(str(self.path), "is not the file that its card states (its SHA-256 differs)", _AGAIN)
        return self.sha256


def read_adapted(path: Path | None) -> AdaptedWeights | None:
    """The adapted weights in a folder, None for a path of anything else; raises EncoderError for a damaged card."""
    if path is None or not (path / CARD_FILE).is_file():
        return None
    try:
        card = read_checked_json(path / CARD_FILE)
        return AdaptedWeights(path / WEIGHTS_FILE, str(card["base_encoder"]), str(card["sha256"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EncoderError(str(path / CARD_FILE), "is no card of an adapted tile encoder", _AGAIN) from error
