"""Vectors of sentences are made once while they are remembered, and are those of the encoder."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from histoseek.archive.space.language import VectorCache


def encode(texts: Sequence[str]) -> np.ndarray:
    return np.array([[len(text), sum(map(ord, text))] for text in texts], np.float32)


@given(st.lists(st.lists(st.sampled_from("abcdefghij"), min_size=1), max_size=8), st.integers(1, 12))
def test_what_is_remembered_is_what_would_be_read(asked: list[list[str]], most: int) -> None:
    vectors = VectorCache(encode, most)
    for texts in asked:
        assert np.array_equal(vectors(texts), encode(texts))


def test_a_sentence_is_read_once_until_it_is_forgotten() -> None:
    read: list[str] = []

    def noted(texts: Sequence[str]) -> np.ndarray:
        read.extend(texts)
        return encode(texts)

    vectors = VectorCache(noted, most=2)
    vectors(["a", "b", "a"])
    vectors(["b", "a"])
    assert read == ["a", "b"]
    vectors(["c"])
    vectors(["a", "b"])
    assert read == ["a", "b", "c", "b"]
