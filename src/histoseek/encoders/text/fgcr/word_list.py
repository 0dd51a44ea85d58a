"""Vocabularies of whole words: text encoders trained without a tokenizer know a word by its place in a list."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from histoseek.bounds import require_file_bytes
from histoseek.encoders.token_rows import TokenRows, pad_rows, require_unicode
from histoseek.errors import InputError

START = -1
"""Stands before the words of every window: where an encoder puts a token of its own."""

_LETTERS = re.compile("[0-9a-z\u00df-\u024f]{2}")
_ADVICE = 'Give one word a line in the order of the training (an empty line has none), or JSON like {"adenoma": 17}'


@dataclass(frozen=True)
class WordList:
    """The words of the rows of a word embedding, in lower case; "" where a row has none. No word is in it twice."""

    words: tuple[str, ...]

    @cached_property
    def rows(self) -> Mapping[str, int]:
        """The row of each word."""
        return {word: row for row, word in enumerate(self.words) if word}

    @cached_property
    def _lengths(self) -> Mapping[str, Sequence[int]]:
        """How long the words are that begin with a character, the longest first."""
        lengths: dict[str, set[int]] = defaultdict(set)
        for word in self.rows:
            lengths[word[0]].add(len(word))
        return {first: sorted(each, reverse=True) for first, each in lengths.items()}

    def find_rows(self, text: str) -> list[int]:
        """The rows of a text's words in its order, the longest where several begin at one place; what the list does
        not have is left out. Words of letters are found whole, others (Chinese ones) wherever they stand."""
        folded, place, rows = _fold(text), 0, []
        while place < len(folded):
            word = self._find_word(folded, place)
            if word:
                rows.append(self.rows[word])
            place += max(1, len(word))
        return rows

    def _find_word(self, text: str, place: int) -> str:
        """The longest word at a place of a folded text, "" where there is none."""
        if _is_inside_word(text, place):
            return ""
        ends = (place + length for length in self._lengths.get(text[place], ()))
        words = (text[place:end] for end in ends if not _is_inside_word(text, end))
        return next((word for word in words if word in self.rows), "")

    def to_array(self) -> NDArray[np.uint8]:
        """The list as bytes, for a weights file."""
        return np.frombuffer(json.dumps(self.words).encode(), np.uint8)

    @classmethod
    def from_array(cls, values: NDArray[np.generic]) -> WordList:
        """The list from such bytes; raises ValueError."""
        words = json.loads(values.astype(np.uint8).tobytes())
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise ValueError("not a list of words")
        return cls(tuple(words))


class WordWindows:
    """Cuts texts into windows of at most `most_words` words behind START; neighbours share a quarter."""

    def __init__(self, vocabulary: WordList, most_words: int) -> None:
        self._vocabulary, self._most = vocabulary, most_words

    def windows(self, text: str) -> list[list[int]]:
        """All windows of a text, one with START alone where it has no word of the list; raises InputError for an empty
        text."""
        require_unicode(text)
        if not text.strip():
            raise InputError("text", "is empty", "Give at least one word")
        rows = self._vocabulary.find_rows(text)
        step = max(1, self._most - self._most // 4)
        starts = range(0, max(1, len(rows) - self._most + step), step)
        return [[START, *rows[start : start + self._most]] for start in starts]

    def rows(self, windows: Sequence[Sequence[int]]) -> TokenRows:
        """Windows as one padded batch."""
        return pad_rows(windows, 0)


def read_word_list(path: Path, size: int) -> WordList:
    """The words of an embedding of `size` rows: a line or an entry of a JSON list for each, or a JSON object of rows by
    word. Raises InputError, which names the file."""
    stated = _read_entries(path)
    if isinstance(stated, dict):
        words = [""] * size
        for word, row in stated.items():
            if not isinstance(row, int) or isinstance(row, bool) or not 0 <= row < size:
                raise InputError(str(path), f"row {row!r} is not one of the word embedding's {size} rows", _ADVICE)
            if words[row]:
                raise InputError(str(path), f"has two words for row {row}", _ADVICE)
            words[row] = _fold(str(word))
    else:
        if len(stated) != size:
            raise InputError(str(path), f"has {len(stated)} words, but the word embedding has {size} rows", _ADVICE)
        words = [_fold(str(word)) if word is not None else "" for word in stated]
    known = [word for word in words if word]
    if not known:
        raise InputError(str(path), "has no words", _ADVICE)
    if twice := next((word for word, count in Counter(known).items() if count > 1), None):
        raise InputError(str(path), f"has the word {twice!r} twice (upper and lower case are one)", _ADVICE)
    return WordList(tuple(words))


def read_prompts(path: Path, vocabulary: WordList, size: int) -> NDArray[np.int64]:
    """The rows of `size` prompts, int64 [size], in the order of a classifier: words or rows, one a line or as a JSON
    list, or rows as .npy. Raises InputError, which names the file."""
    stated = _read_array(path) if path.suffix == ".npy" else _read_entries(path)
    advice = "Give one word of the vocabulary, or its row, for each prompt, in the order of the training"
    if isinstance(stated, dict) or len(stated) != size:
        what = "is not a list" if isinstance(stated, dict) else f"has {len(stated)} prompts"
        raise InputError(str(path), f"{what}, but the prompt classifier has {size}", advice)
    rows = [_find_row(entry, vocabulary) for entry in stated]
    if None in rows:
        raise InputError(str(path), f"prompt {stated[rows.index(None)]!r} is not in the vocabulary", advice)
    return np.array(rows, np.int64)


def _find_row(entry: object, vocabulary: WordList) -> int | None:
    """The row that a prompt names by its word or number."""
    if isinstance(entry, str) and _fold(entry) in vocabulary.rows:
        return vocabulary.rows[_fold(entry)]
    if isinstance(entry, bool) or not isinstance(entry, int | str) or not str(entry).strip().isdecimal():
        return None
    row = int(entry)
    return row if row < len(vocabulary.words) else None


def _read_entries(path: Path) -> list[object] | dict[str, object]:
    """The lines of a text file, or the list or object of a JSON file."""
    text = _read_text(path)
    if not text.lstrip().startswith(("[", "{")):
        return [*text.splitlines()]
    try:
        stated = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(str(path), "is damaged JSON", _ADVICE) from error
    return stated if isinstance(stated, dict) else list(stated)


def _read_text(path: Path) -> str:
    try:
        require_file_bytes(path)
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise InputError(str(path), "no such file", _ADVICE) from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(str(path), "is not readable as UTF-8 text", _ADVICE) from error


def _read_array(path: Path) -> list[object]:
    try:
        require_file_bytes(path)
        return [int(row) for row in np.load(path, allow_pickle=False).ravel()]
    except (OSError, ValueError) as error:
        raise InputError(str(path), "is not readable as an array of row numbers", "Save it with numpy.save") from error


def _fold(text: str) -> str:
    """Lower case, single spaces."""
    return " ".join(text.lower().split())


def _is_inside_word(text: str, place: int) -> bool:
    """Whether letters stand on both sides of a place."""
    return _LETTERS.fullmatch(text, max(0, place - 1), place + 1) is not None
