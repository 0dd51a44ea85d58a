"""SentencePiece's files: written here byte by byte, and cut against a search written out."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from histoseek.encoders.sentence_pieces import make_tokenizer, read_sentence_pieces
from histoseek.errors import EncoderError

pytest.importorskip("tokenizers")

WORDS = {
    "▁tumor": -3.0, "▁": -4.0, "t": -6.0, "u": -6.0, "m": -6.0, "o": -6.0, "r": -6.0, "um": -5.0, "▁t": -5.0,
    "or": -5.0, "s": -6.0, "é": -7.5, "▁of": -3.5, "of": -4.5, "f": -6.5,
}  # fmt: skip


def write_number(value: int) -> bytes:
    data = b""
    while value > 127:
        data += bytes([value & 127 | 128])
        value >>= 7
    return data + bytes([value])


def write_field(number: int, content: bytes) -> bytes:
    return write_number(number << 3 | 2) + write_number(len(content)) + content


def write_model(words: dict[str, float]) -> bytes:
    """A model with unknown, begin and end first, a trainer's part that is passed over, and no table of characters."""
    data = b""
    special = [("<unk>", 0.0, 2), ("<s>", 0.0, 3), ("</s>", 0.0, 3)]
    for text, score, kind in [*special, *((text, score, 1) for text, score in words.items())]:
        kind_field = b"" if kind == 1 else write_number(3 << 3) + bytes([kind])
        piece = write_field(1, text.encode()) + write_number(2 << 3 | 5) + struct.pack("<f", score) + kind_field
        data += write_field(1, piece)
    trainer = write_number(3 << 3) + write_number(1) + write_number(4 << 3 | 1) + bytes(8)
    return data + write_field(2, trainer) + write_field(3, write_field(1, b"identity"))


def cut(text: str, words: dict[str, float]) -> list[int]:
    """The best-scored pieces of a text with a space before it, by trying all; unknown signs in a row count once."""
    text = "▁" + "▁".join(text.split())
    numbers = {word: number + 3 for number, word in enumerate(words)}
    unknown, longest = min([*words.values(), 0.0]) - 10, max(map(len, words))
    best: list[tuple[float, list[int]]] = [(0.0, [])] + [(-1e9, [])] * len(text)
    for end in range(1, len(text) + 1):
        for start in range(max(end - longest, 0), end):
            piece = text[start:end]
            score = words.get(piece, unknown if len(piece) == 1 else -1e9)
            if best[start][0] + score > best[end][0]:
                best[end] = best[start][0] + score, [*best[start][1], numbers.get(piece, 0)]
    pieces = best[-1][1]
    return [piece for place, piece in enumerate(pieces) if piece or not place or pieces[place - 1]]


def test_texts_are_cut_as_the_scores_say(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.spm"
    path.write_bytes(write_model(WORDS))
    model = read_sentence_pieces(path)
    assert (model.unknown, model.characters) == (0, b"")
    assert [score for _, score in model.pieces[3:]] == list(WORDS.values())
    tokenizer = make_tokenizer(model.pieces, 0, b"", begins_with=1, ends_with=2)
    for text in ("tumor", "tumors of", "  tum   or ", "umtumor", "é日本tumor日 x", "outmost", "<s> </s>", "t" * 50):
        assert tokenizer.encode(text).ids == [1, *cut(text, WORDS), 2], text


def test_what_is_no_model_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.spm"
    good = write_model(WORDS)
    for content in (b"not a model", good[:-3], good[:40], b"", b"\xff" * 20, write_field(1, b"")):
        path.write_bytes(content)
        with pytest.raises(EncoderError, match="not a model of SentencePiece"):
            read_sentence_pieces(path)
    with pytest.raises(EncoderError):
        read_sentence_pieces(tmp_path / "missing.spm")
