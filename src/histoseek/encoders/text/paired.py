"""Two text encoders as one: the texts of two slide encoders that lie side by side."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from histoseek.encoders.side_by_side import SideBySide
from histoseek.encoders.text.base import Reading, TextCard, TextEncoder

JOINT = " + "
"""Between the specs of two text encoders, where those of a pair differ."""


def join_specs(first: str, second: str) -> str:
    """What both text encoders of a pair are loaded from, as a card and a manifest state it."""
    return first if first == second else f"{first}{JOINT}{second}"


def split_spec(spec: str) -> tuple[str, str]:
    """What each text encoder of a pair is loaded from."""
    first, _, second = spec.partition(JOINT)
    return first, second or first


class PairedTextEncoder:
    """Reads every text with two encoders; vectors are those of both side by side; share: of the first in cosines."""

    def __init__(self, first: TextEncoder, second: TextEncoder, share: float) -> None:
        self._encoders = first, second
        self._layout = SideBySide(first.card.dimension, second.card.dimension, share)
        self.card = _join_cards(first.card, second.card)
        facts = f"{first.weights_hash} {second.weights_hash} {share!r}"
        self.weights_hash = hashlib.sha256(facts.encode()).hexdigest()[:16]
        self.engine = first.engine if first.engine == second.engine else f"{first.engine}, {second.engine}"

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors [B, dimension] of length one; raises InputError for an empty text."""
        first, second = self._encoders
        return self._layout.join(first.encode(texts), second.encode(texts))

    def read(self, texts: Sequence[Sequence[str]]) -> list[Reading]:
        """Vectors of texts and of their passages; raises InputError for a text without words."""
        first, second = (encoder.read(texts) for encoder in self._encoders)
        join = self._layout.join
        return [
            Reading(join(one.vector[None], other.vector[None])[0], join(one.passages, other.passages))
            for one, other in zip(first, second, strict=True)
        ]


def _join_cards(first: TextCard, second: TextCard) -> TextCard:
    """The declaration of both; the shorter context, so that windows of reports fit into both."""
    shorter = min(first, second, key=lambda card: card.context_tokens)
    return replace(
        shorter,
        name=join_specs(first.name, second.name),
        dimension=first.dimension + second.dimension,
        source=join_specs(first.source, second.source),
        licence=join_specs(first.licence, second.licence),
        gated=first.gated or second.gated,
    )
