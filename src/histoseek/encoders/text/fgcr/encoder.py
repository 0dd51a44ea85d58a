"""The text encoder of FGCR's reference (doi 10.1016/j.media.2024.103163), which FGCR weights bring whole.

A vector has two halves: the text's class embedding, centred and scaled as the prompt classifier's norm does it, for
slides; and the mean of its words' states, read without the class token as the reference reads prompts, for regions.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from histoseek.encoders.text.base import Reading, TextCard
from histoseek.encoders.text.encoding import Batches, encode_in_windows, read_apart
from histoseek.encoders.text.fgcr.word_list import START, WordList, WordWindows
from histoseek.encoders.token_rows import TokenRows
from histoseek.encoders.weights import TEXT_MODEL, Weights, load_weights
from histoseek.errors import EncoderError, MissingExtra, WeightsError

if TYPE_CHECKING:
    from torch import Tensor

    from histoseek.encoders.text.fgcr.network import ReferenceTextNetwork
    from histoseek.encoders.text.tower import TextTower

NAME = "fgcr"
VOCABULARY = "vocabulary"
"""The tensor of a weights file with the words, beside those of the network."""

PROMPTS = "prompts"
"""The tensor with the rows of the prompts that the reference was trained with, where they are known."""

MOST_WORDS = 150
"""Words of a report in the reference's training; it has places for a few more, which it was not trained on."""

Floats = NDArray[np.float32]


def load(path: Path | None) -> FgcrTextEncoder:
    """The text encoder of a weights file, `fgcr@/path/NAME.safetensors`; raises EncoderError."""
    if path is None:
        raise EncoderError(NAME, "comes with FGCR weights alone", f"Give them: {NAME}@/path/NAME.safetensors")
    return build_fgcr_text(load_weights(path))


def load_tower(path: Path | None) -> TextTower:
    """Nobody trains it here: raises EncoderError."""
    raise EncoderError(NAME, "is read from weights, and not trained here", "Train minilm, or transformers@/folder")


class FgcrTextEncoder:
    """Network, words and prompts of a weights file, on the CPU or a GPU as the settings say.

    A text of one word that is a prompt has the state of that prompt among all prompts for its second half, as in the
    training. A text with no word of the list has zeros there, and the vector of an empty text as its first.
    """

    def __init__(
        self, network: ReferenceTextNetwork, weights_hash: str, words: WordList, prompts: NDArray[np.int64] | None
    ) -> None:
        from histoseek.encoders.devices import prepare_torch
        from histoseek.settings import get_settings

        self._device = prepare_torch(get_settings())
        self._network = network.eval().to(self._device)
        self.weights_hash = weights_hash
        self.engine = f"torch float32 on {self._device.type}"
        places, dimension = network.text_position_embeddings.weight.shape
        most_words = min(MOST_WORDS, places)
        self._windows = WordWindows(words, most_words)
        self._prompts = self._embed_prompts(prompts)
        self.card = TextCard(
            name=NAME,
            version="1",
            dimension=2 * dimension,
            context_tokens=most_words + 1,
            pooling="cls",
            source="a weights file",
            licence="that of the weights",
            gated=False,
            extra="train",
            offline="comes with FGCR weights",
        )

    def encode(self, texts: Sequence[str]) -> Floats:
        """Vectors [B, dimension] of length one; raises InputError for an empty text."""
        return encode_in_windows(self.card, self._windows, Batches(self._forward), texts)

    def read(self, texts: Sequence[Sequence[str]]) -> list[Reading]:
        """Vectors of texts and of their passages; raises InputError for an empty text."""
        return read_apart(self.encode, texts)

    def _forward(self, rows: TokenRows) -> Floats:
        import torch
        from torch.nn import functional as F

        assert (rows.ids[:, 0] == START).all()
        words, mask = (torch.from_numpy(each[:, 1:]).to(self._device) for each in (rows.ids, rows.mask))
        with torch.inference_mode():
            reports = self._network.embed_reports(words, mask)
            standard = F.normalize(F.layer_norm(reports, reports.shape[1:]), dim=1)
            both = torch.cat([standard, F.normalize(self._embed_phrases(words, mask), dim=1)], dim=1)
            out: Floats = F.normalize(both, dim=1).float().cpu().numpy()
            return out

    def _embed_phrases(self, words: Tensor, mask: Tensor) -> Tensor:
        """The mean of the words' states, [B, D], zeros where there are none."""
        import torch

        means = torch.zeros(len(words), self.card.dimension // 2, device=self._device)
        has_words = mask.any(dim=1)
        if has_words.any():
            states, weights = self._network.embed_words(words[has_words], mask[has_words]), mask[has_words, :, None]
            means[has_words] = (states * weights).sum(dim=1) / weights.sum(dim=1)
        for number in (mask.sum(dim=1) == 1).nonzero()[:, 0].tolist():
            means[number] = self._prompts.get(int(words[number, 0]), means[number])
        return means

    def _embed_prompts(self, prompts: NDArray[np.int64] | None) -> dict[int, Tensor]:
        """The state of each prompt by its row."""
        import torch

        if prompts is None:
            return {}
        rows = torch.from_numpy(prompts.copy()).to(self._device)[None]
        with torch.inference_mode():
            states = self._network.embed_words(rows, torch.ones_like(rows, dtype=torch.bool))[0]
        return dict(zip(prompts.tolist(), states, strict=True))


def build_fgcr_text(weights: Weights) -> FgcrTextEncoder:
    """The text encoder that a weights file brings; raises WeightsError when it brings none, or a damaged one."""
    try:
        import torch
    except ImportError as error:
        raise MissingExtra("torch", "train") from error
    from histoseek.encoders.text.fgcr.network import ReferenceTextNetwork, TextSizes

    part, name = weights.part(TEXT_MODEL), weights.card.name
    words, prompts = part.pop(VOCABULARY, None), part.pop(PROMPTS, None)
    if words is None:
        raise WeightsError(name, "brings no FGCR text encoder", "Import an FGCR state dict with --vocabulary")
    try:
        with torch.device("meta"):
            network = ReferenceTextNetwork(TextSizes.infer({key: value.shape for key, value in part.items()}))
        network.load_state_dict({key: torch.from_numpy(value.copy()) for key, value in part.items()}, assign=True)
        vocabulary = WordList.from_array(words)
    except (RuntimeError, ValueError) as error:
        raise WeightsError(name, "its text encoder is damaged", "Import the checkpoint again") from error
    rows = None if prompts is None else prompts.astype(np.int64)
    return FgcrTextEncoder(network, weights.card.fingerprint, vocabulary, rows)
