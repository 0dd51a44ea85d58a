"""From texts to vectors, whatever computes them: long texts are read in overlapping windows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from histoseek.encoders.devices import prepare_torch
from histoseek.encoders.text.base import TextCard
from histoseek.encoders.text.token_rows import TextTokenizer, TokenRows
from histoseek.errors import EncoderError
from histoseek.settings import get_settings

if TYPE_CHECKING:
    from histoseek.encoders.text.tower import TextTower

_BATCH_TOKENS = 8192


class TowerEncoder:
    """A text encoder in torch, on the CPU or a GPU.

    The tower is moved to the device that the settings name, and left in evaluation mode. `weights_hash` is to be
    given when its weights are no longer those it was loaded with.
    """

    def __init__(self, tower: TextTower, weights_hash: str | None = None) -> None:
        self.card = tower.card
        self.weights_hash = weights_hash or tower.weights_hash
        self._tower = tower.to(prepare_torch(get_settings()))

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors [B, dimension] of length one; raises InputError for an empty text."""
        self._tower.eval()
        return encode_in_windows(self.card, self._tower.tokenizer, self._forward, texts)

    def _forward(self, rows: TokenRows) -> NDArray[np.float32]:
        import torch

        from histoseek.encoders.text.tower import Tokens

        device = next(self._tower.parameters()).device
        tokens = Tokens(torch.from_numpy(rows.ids).to(device), torch.from_numpy(rows.mask).to(device))
        with torch.inference_mode():
            return self._tower(tokens).float().cpu().numpy()


def encode_in_windows(
    card: TextCard,
    tokenizer: TextTokenizer,
    forward: Callable[[TokenRows], NDArray[np.float32]],
    texts: Sequence[str],
) -> NDArray[np.float32]:
    """Vectors [B, dimension]: the direction of the windows' mean, each weighted by how many tokens it has.

    Raises InputError for an empty text, EncoderError when the model yields no direction.
    """
    windows = [tokenizer.windows(text) for text in texts]
    owners = np.repeat(np.arange(len(texts)), [len(of_text) for of_text in windows])
    flat = [window for of_text in windows for window in of_text]
    lengths = np.array([len(window) for window in flat], np.int64)
    sums = np.zeros((len(texts), card.dimension), np.float64)
    for batch in _batches(lengths):
        vectors = forward(tokenizer.rows([flat[i] for i in batch]))
        np.add.at(sums, owners[batch], vectors.astype(np.float64) * lengths[batch, None])
    return _directions(card, sums)


def _batches(lengths: NDArray[np.int64]) -> Iterator[NDArray[np.intp]]:
    """Windows of like length together, so that little is padded."""
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        end = start + max(1, int(_BATCH_TOKENS // lengths[order[start]]))
        yield order[start:end]
        start = end


def _directions(card: TextCard, sums: NDArray[np.float64]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    if not (np.isfinite(lengths).all() and (lengths > 0).all()):
        raise EncoderError(card.name, "yields no direction for a text", "Check the weights")
    return (sums / lengths).astype(np.float32)
