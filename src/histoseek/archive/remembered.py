"""Vectors of sentences that were read lately: the same reports come up in one search after the other."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

import numpy as np

from histoseek.encoders.alignment import Floats

MOST_SENTENCES = 20_000
"""About 30 MB with 384 numbers a vector."""


class RememberedVectors:
    """Reads texts, each once as long as it is remembered. Safe to use from several threads."""

    def __init__(self, encode: Callable[[Sequence[str]], Floats], most: int = MOST_SENTENCES) -> None:
        self._encode = encode
        self._most = most
        self._held: OrderedDict[str, Floats] = OrderedDict()
        self._guard = threading.Lock()

    def __call__(self, texts: Sequence[str]) -> Floats:
        """Vectors of some texts, at least one, float32 [N, T]."""
        with self._guard:
            known = {text: self._held[text] for text in texts if text in self._held}
        new = [text for text in dict.fromkeys(texts) if text not in known]
        if new:
            known |= zip(new, self._encode(new), strict=True)
        self._remember(texts, known)
        return np.stack([known[text] for text in texts])

    def _remember(self, texts: Sequence[str], known: dict[str, Floats]) -> None:
        with self._guard:
            for text in texts:
                self._held[text] = known[text]
                self._held.move_to_end(text)
            while len(self._held) > self._most:
                self._held.popitem(last=False)
