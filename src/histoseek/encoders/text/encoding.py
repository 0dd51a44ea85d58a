"""From texts to vectors, whatever computes them: long texts are read in windows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from histoseek.deadline import check_deadline
from histoseek.encoders.devices import prepare_torch
from histoseek.encoders.text.base import Reading, TextCard
from histoseek.encoders.token_rows import TextTokenizer, TokenRows, WindowCutter
from histoseek.errors import EncoderError, InputError
from histoseek.settings import get_settings

if TYPE_CHECKING:
    from histoseek.encoders.text.tower import TextTower

Floats = NDArray[np.float32]
Forward = Callable[[TokenRows], Floats]

_BATCH_TOKENS = 8192
_THREAD_TOKENS = 1024
"""Tokens of a batch that one thread computes: what it works on stays in the processor's cache."""

_FEW_TOKENS = 256

_SHORT_CONTEXTS = 2
"""Contexts that a short text fills at most: it costs little to read twice, and a sentence finds its passage better."""


class TowerEncoder:
    """A text encoder in torch, on the CPU or a GPU.

    The tower is moved to the device that the settings name, and left in evaluation mode. `weights_hash` is to be
    given when its weights are no longer those it was loaded with.
    """

    def __init__(self, tower: TextTower, weights_hash: str | None = None) -> None:
        self.card = tower.card
        self.weights_hash = weights_hash or tower.weights_hash
        device = prepare_torch(get_settings())
        self.engine = f"torch float32 on {device.type}"
        self._tower = tower.to(device)

    def encode(self, texts: Sequence[str]) -> Floats:
        """Vectors [B, dimension] of length one; raises InputError for an empty text."""
        self._tower.eval()
        return encode_in_windows(self.card, self._tower.tokenizer, Batches(self._forward), texts)

    def read(self, texts: Sequence[Sequence[str]]) -> list[Reading]:
        """Vectors of texts and of their passages; raises InputError for a text without words."""
        if not self._tower.pools_states:
            return read_apart(self.encode, texts)
        self._tower.eval()
        return read_passages(self.card, self._tower.tokenizer, self.encode, Batches(self._states), texts)

    def _forward(self, rows: TokenRows) -> Floats:
        import torch

        with torch.inference_mode():
            return self._tower(self._tower.to_tokens(rows)).float().cpu().numpy()

    def _states(self, rows: TokenRows) -> Floats:
        import torch

        with torch.inference_mode():
            return self._tower.states(self._tower.to_tokens(rows)).float().cpu().numpy()


@dataclass(frozen=True, slots=True)
class Batches:
    """How token rows are computed: several batches at once where each takes one thread."""

    forward: Forward
    threads: int = 0

    def compute(
        self, windows: Sequence[Sequence[int]], tokenizer: WindowCutter
    ) -> Iterator[tuple[NDArray[np.intp], Floats]]:
        """Some windows' numbers and what the model gives for them, until all were computed."""
        lengths = np.array([len(window) for window in windows], np.int64)
        batches = list(_batches(lengths, self._batch_tokens(int(lengths.sum()))))

        def run(batch: NDArray[np.intp]) -> tuple[NDArray[np.intp], Floats]:
            return batch, self.forward(tokenizer.rows([windows[i] for i in batch]))

        if self.threads < 2 or len(batches) < 2:
            yield from map(run, batches)
            return
        with ThreadPoolExecutor(self.threads, thread_name_prefix="texts") as pool:
            yield from pool.map(run, batches)

    def _batch_tokens(self, tokens: int) -> int:
        if not self.threads:
            return _BATCH_TOKENS
        return min(_THREAD_TOKENS, max(_FEW_TOKENS, -(-tokens // self.threads)))


def encode_in_windows(card: TextCard, tokenizer: WindowCutter, batches: Batches, texts: Sequence[str]) -> Floats:
    """Vectors [B, dimension]: the direction of the windows' mean, each weighted by how many tokens it has.

    Raises InputError for an empty text, EncoderError when the model yields no direction.
    """
    windows = [tokenizer.windows(text) for text in texts]
    owners = np.repeat(np.arange(len(texts)), [len(of_text) for of_text in windows])
    flat = [window for of_text in windows for window in of_text]
    sums = np.zeros((len(texts), card.dimension), np.float64)
    for batch, vectors in batches.compute(flat, tokenizer):
        check_deadline()
        lengths = np.array([len(flat[i]) for i in batch])
        np.add.at(sums, owners[batch], vectors.astype(np.float64) * lengths[:, None])
    return _directions(card, sums)


def read_apart(encode: Callable[[Sequence[str]], Floats], texts: Sequence[Sequence[str]]) -> list[Reading]:
    """Texts and their passages as an encoder gives them that only has vectors of whole texts."""
    wholes = [" ".join(passages) for passages in texts]
    distinct = list(dict.fromkeys([*wholes, *(passage for passages in texts for passage in passages)]))
    vectors = dict(zip(distinct, encode(distinct), strict=True))
    return [
        Reading(vectors[whole], np.stack([vectors[passage] for passage in passages]))
        for whole, passages in zip(wholes, texts, strict=True)
    ]


def read_passages(
    card: TextCard,
    tokenizer: TextTokenizer,
    encode: Callable[[Sequence[str]], Floats],
    states: Batches,
    texts: Sequence[Sequence[str]],
) -> list[Reading]:
    """Vectors of texts and of their passages, for encoders that pool by the mean of the tokens' states.

    Long texts are read once, equal ones as well; passages of short ones are read by themselves (docs/decisions/0035).
    states: gives all tokens' states. Raises InputError for a text without words, EncoderError when the model yields no
    direction.
    """
    distinct = list(dict.fromkeys(map(tuple, texts)))
    ids = dict(zip(distinct, _list_passage_ids(tokenizer, distinct), strict=True))
    long = [text for text, own in ids.items() if sum(map(len, own)) > _SHORT_CONTEXTS * card.context_tokens]
    short = [text for text in distinct if text not in set(long)]
    readings = dict(zip(long, _read_once(card, tokenizer, states, [ids[text] for text in long]), strict=True))
    readings |= zip(short, read_apart(encode, short), strict=True)
    return [readings[tuple(text)] for text in texts]


def _read_once(
    card: TextCard, tokenizer: TextTokenizer, states: Batches, texts: Sequence[Sequence[Sequence[int]]]
) -> list[Reading]:
    """Readings of texts as their passages' token ids, with no token read twice.

    A text's vector is the direction of its windows' mean, each weighted by how many tokens it has, and that of a
    passage is the direction of the mean of its tokens, which know their window.
    """
    cut = [_cut_windows(tokenizer, passages) for passages in texts]
    places = [(text, window) for text, windows in enumerate(cut) for window in windows]
    wholes = np.zeros((len(texts), card.dimension), np.float64)
    parts = [np.zeros((len(passages), card.dimension), np.float64) for passages in texts]
    for batch, values in states.compute([window.ids for _, window in places], tokenizer):
        check_deadline()
        for row, (text, window) in zip(values, (places[i] for i in batch), strict=True):
            tokens = row[: len(window.ids)]
            mean = tokens.mean(axis=0, dtype=np.float64)
            wholes[text] += mean / np.linalg.norm(mean) * len(window.ids)
            for passage, start, end in window.passages:
                parts[text][passage] += tokens[start:end].sum(axis=0, dtype=np.float64)
    vectors = _directions(card, wholes)
    return [Reading(vector, _directions(card, sums)) for vector, sums in zip(vectors, parts, strict=True)]


@dataclass(frozen=True, slots=True)
class _Window:
    """Token ids of a window, special ones included; passages: their numbers, and from where to where they stand."""

    ids: list[int]
    passages: tuple[tuple[int, int, int], ...]


def _list_passage_ids(tokenizer: TextTokenizer, texts: Sequence[Sequence[str]]) -> Iterator[list[list[int]]]:
    """The plain token ids of each text's passages."""
    flat = tokenizer.plain_ids([passage for passages in texts for passage in passages])
    end = 0
    for passages in texts:
        start, end = end, end + len(passages)
        yield flat[start:end]


def _cut_windows(tokenizer: TextTokenizer, passages: Sequence[Sequence[int]]) -> list[_Window]:
    """A text in as few windows as it fits into, all of about the same length."""
    if not all(passages):
        raise InputError("text", "is empty", "Give at least one word")
    before, behind = tokenizer.frame
    stream = [token for passage in passages for token in passage]
    room = tokenizer.context_tokens - len(before) - len(behind)
    borders = np.linspace(0, len(stream), -(-len(stream) // room) + 1).astype(int).tolist()
    starts = np.cumsum([0, *map(len, passages)]).tolist()
    windows = []
    for start, end in pairwise(borders):
        shift = len(before) - start
        spans = (
            (number, max(first, start) + shift, min(last, end) + shift)
            for number, (first, last) in enumerate(pairwise(starts))
            if first < end and last > start
        )
        windows.append(_Window([*before, *stream[start:end], *behind], tuple(spans)))
    return windows


def _batches(lengths: NDArray[np.int64], most_tokens: int) -> Iterator[NDArray[np.intp]]:
    """Windows of like length together, so that little is padded."""
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        end = start + max(1, int(most_tokens // lengths[order[start]]))
        yield order[start:end]
        start = end


def _directions(card: TextCard, sums: NDArray[np.float64]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    if not (np.isfinite(lengths).all() and (lengths > 0).all()):
        raise EncoderError(card.name, "yields no direction for a text", "Check the weights")
    return (sums / lengths).astype(np.float32)
