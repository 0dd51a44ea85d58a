"""Text towers of tile encoders, computed by torch on the CPU: prompts are few and short."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from histoseek.deadline import check_deadline
from histoseek.encoders.devices import import_open_clip, thread_count
from histoseek.encoders.token_rows import (
    TextTokenizer,
    TokenRows,
    check_vocabulary,
    read_tokenizer,
    read_word_pieces,
    require_unicode,
)
from histoseek.errors import InputError
from histoseek.settings import get_settings

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import Tensor, nn

Floats = NDArray[np.float32]
Tokenize = Callable[[Sequence[str]], TokenRows]
_BATCH = 64


class PromptTower:
    """A text tower and what brings tile features into its space.

    text: maps token ids [B, L] and their mask [B, L] to vectors [B, dimension]; head: maps features [N, D] to vectors
    [N, dimension], None where they are in the texts' space as they are.
    """

    def __init__(
        self,
        weights_hash: str,
        tokenize: Tokenize,
        text: Callable[[Tensor, Tensor], Tensor],
        logit_scale: Tensor,
        dimension: int,
        head: nn.Module | None = None,
    ) -> None:
        """logit_scale: as files hold it, the logarithm."""
        self.weights_hash = weights_hash
        self.dimension = dimension
        self.logit_scale = float(logit_scale.float().exp())
        self._tokenize = tokenize
        self._text = text
        self._head = head

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        """Vectors [B, dimension] of length one; what is longer than the context is cut. Raises InputError for an empty
        text."""
        parts = [self._encode(texts[start : start + _BATCH]) for start in range(0, len(texts), _BATCH)]
        return np.concatenate(parts) if parts else np.zeros((0, self.dimension), np.float32)

    def project_tiles(self, features: Floats) -> Floats:
        """Vectors [N, dimension] of length one of tile features [N, D]."""
        import torch

        if self._head is None:
            return _normalise(np.asarray(features, np.float32))
        with torch.inference_mode():
            return _normalise(self._head(torch.from_numpy(np.asarray(features, np.float32))).numpy())

    def _encode(self, texts: Sequence[str]) -> Floats:
        import torch

        check_deadline()
        rows = self._tokenize(texts)
        torch.set_num_threads(thread_count(get_settings()))
        with torch.inference_mode():
            return _normalise(self._text(torch.from_numpy(rows.ids), torch.from_numpy(rows.mask)).float().numpy())


def make_clip_words(context_tokens: int) -> Tokenize:
    """CLIP's tokens as open_clip cuts texts into them; its vocabulary comes with that package."""
    tokenizer = import_open_clip().SimpleTokenizer(context_length=context_tokens)

    def tokenize(texts: Sequence[str]) -> TokenRows:
        for text in texts:
            require_unicode(text)
            if not text.strip():
                raise InputError("text", "is empty", "Give at least one word")
        ids: NDArray[np.int64] = tokenizer(list(texts)).numpy()
        lengths = ids.argmax(axis=1) + 1  # the end of a text has the highest number
        return TokenRows(ids, np.arange(ids.shape[1]) < lengths[:, None])

    return tokenize


def read_words(path: Path, context_tokens: int, vocabulary: int, pad_id: int, *, cleans: bool = False) -> Tokenize:
    """Tokens of the tokenizer (.json) or the word pieces (.txt) at `path`.

    cleans: repair texts as open_clip does before it cuts them. Raises EncoderError for a file that is damaged, or
    another model's.
    """
    tokenizer = read_word_pieces(path) if path.suffix == ".txt" else read_tokenizer(path)
    check_vocabulary(path, tokenizer, vocabulary)
    return make_words(tokenizer, context_tokens, pad_id, clean=_clean_as_open_clip if cleans else None)


def make_words(
    tokenizer: Tokenizer, context_tokens: int, pad_id: int, *, clean: Callable[[str], str] | None = None
) -> Tokenize:
    """Tokens of a tokenizer, of which the context takes the first."""
    cutter = TextTokenizer(tokenizer, context_tokens, pad_id)

    def tokenize(texts: Sequence[str]) -> TokenRows:
        for text in texts:
            require_unicode(text)
        return cutter.rows(cutter.first_windows([clean(text) for text in texts] if clean else texts))

    return tokenize


def _clean_as_open_clip(text: str) -> str:
    import_open_clip()
    from open_clip.tokenizer import get_clean_fn

    cleaned: str = get_clean_fn("whitespace")(text)
    return cleaned


def _normalise(vectors: Floats) -> Floats:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    normalised: Floats = vectors / np.maximum(lengths, np.float32(1e-12))
    return normalised
