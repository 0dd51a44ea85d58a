"""Texts as rows of token ids, cut to what an encoder reads at once; needs no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from histoseek.errors import EncoderError, InputError, MissingExtra

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer


_ANY_WORD = "a"
_MASKS = ("[MASK]", "<mask>")
"""Names of the mask token in BERT's and in RoBERTa's line."""


@dataclass(frozen=True, slots=True)
class TokenRows:
    """Token rows of one batch: ids [B, L], padded at the end; mask [B, L], true where a token is real."""

    ids: NDArray[np.int64]
    mask: NDArray[np.bool_]


class WindowCutter(Protocol):
    """Cuts texts into windows of tokens that an encoder reads at once."""

    def windows(self, text: str) -> list[list[int]]:
        """Token ids of all windows of a text, in its order; raises InputError for an empty text."""

    def rows(self, windows: Sequence[Sequence[int]]) -> TokenRows:
        """Windows as one padded batch."""


class TextTokenizer:
    """Cuts texts into windows of at most `context_tokens` tokens, special ones included.

    Neighbouring windows share a quarter of the context, so that no phrase is only ever seen cut in two.
    """

    def __init__(self, tokenizer: Tokenizer, context_tokens: int, pad_id: int) -> None:
        self.context_tokens = context_tokens
        self.pad_id = pad_id
        self._tokenizer = tokenizer
        self._special_tokens = tokenizer.num_special_tokens_to_add(False)
        tokenizer.no_padding()
        tokenizer.enable_truncation(context_tokens, stride=context_tokens // 4)

    def first_windows(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text's first window; raises InputError for an empty text."""
        return [self._encode(text).ids for text in texts]

    def windows(self, text: str) -> list[list[int]]:
        """Token ids of all windows of a text, in its order; raises InputError for an empty text."""
        encoding = self._encode(text)
        return [encoding.ids, *(window.ids for window in encoding.overflowing)]

    def plain_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """All token ids of each text without special ones, none for a text without words; raises InputError for
        broken characters."""
        for text in texts:
            require_unicode(text)
        overlap = self.context_tokens // 4
        encodings = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [
            [*encoding.ids, *(token for window in encoding.overflowing for token in window.ids[overlap:])]
            for encoding in encodings
        ]

    @cached_property
    def frame(self) -> tuple[list[int], list[int]]:
        """The special tokens before and behind a text."""
        framed, (plain,) = self._tokenizer.encode(_ANY_WORD).ids, self.plain_ids([_ANY_WORD])
        start = next(i for i in range(len(framed)) if framed[i : i + len(plain)] == plain)
        return framed[:start], framed[start + len(plain) :]

    @cached_property
    def special_ids(self) -> tuple[int, ...]:
        """The tokens that are no part of a text, such as those around it and the unknown one, in ascending order."""
        return tuple(sorted(id for id, token in self._tokenizer.get_added_tokens_decoder().items() if token.special))

    @cached_property
    def mask_id(self) -> int | None:
        """The token that stands for a hidden one; None where the tokenizer has none."""
        ids = (self._tokenizer.token_to_id(name) for name in _MASKS)
        return next((id for id in ids if id is not None), None)

    def longer_than_context(self, texts: Sequence[str]) -> int:
        """How many of the texts do not fit into one window."""
        return sum(bool(self._encode(text).overflowing) for text in texts)

    def rows(self, windows: Sequence[Sequence[int]]) -> TokenRows:
        """Windows as one padded batch."""
        return pad_rows(windows, self.pad_id)

    def _encode(self, text: str) -> Encoding:
        require_unicode(text)
        encoding = self._tokenizer.encode(text)
        if len(encoding.ids) <= self._special_tokens:
            raise InputError("text", "is empty", "Give at least one word")
        return encoding


def pad_rows(windows: Sequence[Sequence[int]], pad_id: int) -> TokenRows:
    """Windows of tokens as one batch, padded at the end."""
    lengths = np.array([len(window) for window in windows], np.int64)
    mask = np.arange(lengths.max(initial=0)) < lengths[:, None]
    ids = np.full(mask.shape, pad_id, np.int64)
    ids[mask] = [token for window in windows for token in window]
    return TokenRows(ids, mask)


def require_unicode(text: str) -> None:
    """Raise InputError for a text that no file can hold: half a character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        # Not chained: the cause would quote the text.
        raise InputError("text", "holds broken characters", "Save it as UTF-8") from None


def check_vocabulary(where: Path, tokenizer: Tokenizer, size: int) -> None:
    """Raise EncoderError when the tokenizer knows more tokens than the model has vectors for, or no words at all."""
    known_tokens = tokenizer.get_vocab_size()
    if known_tokens > size:
        what = f"the tokenizer knows {known_tokens} tokens, the model {size}"
        raise EncoderError(str(where), what, "Download the model's own tokenizer files")
    if known_tokens <= len(tokenizer.get_added_tokens_decoder()):
        # What transformers makes of a folder without tokenizer files: every word would be unknown.
        raise EncoderError(str(where), "no tokenizer in it", "Add the model's tokenizer.json")


def read_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer in a tokenizer.json; raises EncoderError for a file that is none, MissingExtra."""
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise MissingExtra("tokenizers", "text") from error
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing narrower
        raise EncoderError(str(path), "not a tokenizer", "Download the file again") from error


def read_word_pieces(path: Path) -> Tokenizer:
    """BERT's tokenizer, in lower case, of a vocab.txt; raises EncoderError for a file that is none, MissingExtra."""
    try:
        from tokenizers import BertWordPieceTokenizer
        from tokenizers.models import WordPiece
    except ImportError as error:
        raise MissingExtra("tokenizers", "text") from error
    try:
        tokenizer: Tokenizer = BertWordPieceTokenizer(WordPiece.read_file(str(path)), lowercase=True)._tokenizer
        return tokenizer
    except Exception as error:  # the library raises nothing narrower
        raise EncoderError(str(path), "not a list of word pieces", "Download the file again") from error
