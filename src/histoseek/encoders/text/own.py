"""Text encoders of the user's own: a function from texts to vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from histoseek.encoders.published_files.identity import identify_own
from histoseek.encoders.text.base import Reading, TextCard
from histoseek.encoders.text.encoding import read_apart
from histoseek.errors import EncoderError, InputError
from histoseek.own_code import require_own_name, running_own_code


class OwnTextEncoder:
    """A text encoder made of your own function.

    >>> encoder = OwnTextEncoder("letters", lambda texts: [[len(t), t.count("e")] for t in texts], dimension=2)
    >>> encoder.encode(["adenoma"]).round(2).tolist()
    [[0.99, 0.14]]
    """

    engine = "own function"

    def __init__(
        self,
        name: str,
        compute: Callable[[list[str]], Any],
        *,
        dimension: int,
        context_tokens: int = 256,
        version: str = "1",
        weights: str | Path = "",
    ) -> None:
        """Vectors are known by name, version and weights (a file, or its hash): change one when the vectors change.

        compute: gives vectors [B, dimension] of texts of any length; context_tokens: about how many words it takes in
        well, by which long reports are cut into passages. Raises ConfigurationError.
        """
        require_own_name(name, taken=False)
        self.weights_hash = identify_own(name, version, weights)
        self._compute = compute
        self.card = TextCard(
            name=name,
            version=version,
            dimension=int(dimension),
            context_tokens=int(context_tokens),
            pooling="mean",
            source="the user's own code",
            licence="the user's own",
            gated=False,
            extra="",
            offline="",
        )

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors [B, dimension] of length one; raises InputError for an empty text, EncoderError for bad vectors."""
        if any(not text.strip() for text in texts):
            raise InputError("text", "is empty", "Give at least one word")
        with running_own_code(self.card.name):
            vectors = np.asarray(self._compute(list(texts)), np.float64)
        wanted = (len(texts), self.card.dimension)
        if vectors.shape != wanted:
            what = f"gave vectors of shape {vectors.shape}, wanted {wanted}"
            raise EncoderError(self.card.name, what, "Check its dimension")
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not (np.isfinite(lengths).all() and (lengths > 0).all()):
            raise EncoderError(self.card.name, "yields no direction for a text", "Check its weights")
        return (vectors / lengths).astype(np.float32)

    def read(self, texts: Sequence[Sequence[str]]) -> list[Reading]:
        """Texts and their passages, each encoded by itself."""
        return read_apart(self.encode, texts)
