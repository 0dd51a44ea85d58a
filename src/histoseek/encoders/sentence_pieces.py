"""SentencePiece's files, read without that library: pieces and their scores for the tokenizers package.

A file is a message of Protocol Buffers (sentencepiece_model.proto): pieces (1) with text (1), score (2) and kind (3),
and the normaliser (3) with its compiled table of characters (2).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from histoseek.bounds import require_file_bytes
from histoseek.errors import EncoderError, MissingExtra

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_PIECES, _NORMALISER, _CHARACTERS = 1, 3, 2
_TEXT, _SCORE, _KIND = 1, 2, 3
_NORMAL, _UNKNOWN = 1, 2
_VARINT, _EIGHT_BYTES, _COUNTED, _FOUR_BYTES = 0, 1, 2, 5
_OBJECT_COPIES = 25
_SPACE = "▁"
_NOT_IN_TEXTS = "\0"


@dataclass(frozen=True, slots=True)
class SentencePieces:
    """pieces with their scores, by number; unknown: the number of what is none; characters: the compiled table."""

    pieces: tuple[tuple[str, float], ...]
    unknown: int
    characters: bytes


def read_sentence_pieces(path: Path) -> SentencePieces:
    """The pieces of a model (.model, .spm); raises EncoderError for a file that is none."""
    try:
        require_file_bytes(path, _OBJECT_COPIES)
        pieces, kinds, characters = [], [], b""
        for field, value in _read_fields(path.read_bytes()):
            if field == _PIECES:
                own = dict(_read_fields(value))
                pieces.append((own[_TEXT].decode(), struct.unpack("<f", own[_SCORE])[0]))
                kinds.append(int.from_bytes(own.get(_KIND, b"\1"), "little"))
            elif field == _NORMALISER:
                characters = dict(_read_fields(value)).get(_CHARACTERS, b"")
        # What no text is cut into, such as the end of a text, gets a name that no text has.
        named = (
            (text if kind == _NORMAL else f"{_NOT_IN_TEXTS}{number}", score)
            for number, ((text, score), kind) in enumerate(zip(pieces, kinds, strict=True))
        )
        return SentencePieces(tuple(named), kinds.index(_UNKNOWN), characters)
    except (IndexError, KeyError, UnicodeDecodeError, ValueError, struct.error, OSError) as error:
        raise EncoderError(str(path), "not a model of SentencePiece", "Download the file again") from error


def make_tokenizer(
    pieces: Sequence[tuple[str, float]],
    unknown: int,
    characters: bytes,
    *,
    begins_with: int | None,
    ends_with: int,
    adds_space: bool = True,
) -> Tokenizer:
    """The tokenizer of pieces, with the number of what stands before a text, if anything, and behind it.

    adds_space: whether a space is put before a text, as SentencePiece does on its own.
    """
    try:
        from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
    except ImportError as error:
        raise MissingExtra("tokenizers", "text") from error
    tokenizer = Tokenizer(models.Unigram(list(pieces), unk_id=unknown, byte_fallback=False))
    plain = [normalizers.Replace(Regex(" {2,}"), " "), normalizers.Strip()]
    table = [normalizers.Precompiled(characters)] if characters else []
    tokenizer.normalizer = normalizers.Sequence([*table, *plain])
    scheme = "always" if adds_space else "never"
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement=_SPACE, prepend_scheme=scheme)
    framing = [("begin", begins_with)] if begins_with is not None else []
    framing.append(("end", ends_with))
    tokenizer.post_processor = processors.TemplateProcessing(
        single=[*(["begin"] if begins_with is not None else []), "$A", "end"], special_tokens=framing
    )
    return tokenizer


def _read_fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Numbers and bytes of a message's fields; raises IndexError or ValueError where it is cut off, or is none."""
    place = 0
    while place < len(data):
        key, place = _read_number(data, place)
        kind = key & 7
        if kind == _VARINT:
            start = place
            _, place = _read_number(data, place)
            yield key >> 3, data[start:place]
            continue
        if kind == _COUNTED:
            count, place = _read_number(data, place)
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            count = 8 if kind == _EIGHT_BYTES else 4
        else:
            raise ValueError("no field of a message")
        if place + count > len(data):
            raise ValueError("cut off")
        yield key >> 3, data[place : place + count]
        place += count


def _read_number(data: bytes, place: int) -> tuple[int, int]:
    """Seven bits a byte, the lowest first, until one without the eighth."""
    number = shift = 0
    while True:
        byte = data[place]
        place += 1
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return number, place
