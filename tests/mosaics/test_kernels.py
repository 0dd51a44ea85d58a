"""Kernels in plain numpy and compiled ones give the same bits, and few slides need no compiler."""

from __future__ import annotations

import subprocess
import sys
from threading import Event

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoseek.errors import ConfigurationError
from histoseek.mosaics import kernel_choice
from histoseek.mosaics import numba_kernels as kernels
from histoseek.mosaics import numpy_kernels as plain
from histoseek.mosaics.distances import SignatureBlock
from tests.mosaics.signatures import make_signature
from tests.waiting import HANG_S, wait_for

_SCALES = (1.0, 1e-20, 1e-25, 1e18)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 20),
    st.sampled_from([1, 7, 63, 64, 65, 128, 200, 768]),
    st.integers(0, 2**32 - 1),
    st.sampled_from(_SCALES),
    st.sampled_from([np.float16, np.float32]),
)
def test_inner_products_have_the_same_bits(slides: int, dimension: int, seed: int, scale: float, kind: type) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((slides, dimension)).astype(kind).astype(np.float32) * np.float32(scale)
    query = rng.standard_normal(dimension).astype(kind).astype(np.float32) * np.float32(scale)
    found = plain.inner_products(vectors, query)
    assert found.tobytes() == kernels.inner_products(vectors, query).tobytes()
    wide = np.abs(vectors).astype(np.float64) @ np.abs(query).astype(np.float64)
    exact = vectors.astype(np.float64) @ query.astype(np.float64)
    assert (np.abs(found - exact) <= 1e-5 * wide + 1e-43 * dimension).all()


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 257),
    st.integers(0, 12),
    st.sampled_from([17, 65, 257]),
    st.integers(1, 20),
    st.integers(0, 1),
    st.integers(0, 2**32 - 1),
)
def test_medians_are_the_same(own: int, slides: int, most: int, words: int, left_out: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    counts = rng.integers(1 + left_out, most + 1, slides)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    query, barcodes = (rng.integers(0, 2**64, (n, words), np.uint64) for n in (own, int(offsets[-1])))
    both = plain.compute_directional_medians(query, barcodes, offsets)
    assert np.array_equal(both, kernels.compute_directional_medians(query, barcodes, offsets))
    one = plain.compute_query_medians(query, barcodes, offsets, left_out)
    assert np.array_equal(one, kernels.compute_query_medians(query, barcodes, offsets, left_out))


@pytest.mark.parametrize("kind", [plain, kernels])
@pytest.mark.parametrize("count", [0, 258])
def test_no_barcodes_and_too_many_are_refused(kind: object, count: int) -> None:
    words = np.zeros((count, 1), np.uint64)
    with pytest.raises(ConfigurationError, match="with none, or with more than 257"):
        kind.compute_directional_medians(np.zeros((1, 1), np.uint64), words, np.array([0, count]))  # type: ignore[attr-defined]


def test_rows_in_memory_and_mapped_ones_need_one_compilation() -> None:
    words, offsets = np.arange(24, dtype=np.uint64).reshape(8, 3), np.array([0, 3, 8])
    vectors = np.ones((4, 70), np.float32)
    compiled = set()
    for is_writable in (True, False):
        for array in (words, offsets, vectors):
            array.flags.writeable = is_writable
        kernels.compute_query_medians(words[:2], words, offsets)
        kernels.inner_products(vectors, vectors[0])
        compiled.add((*kernels._fill_medians.signatures, *kernels._fill_products.signatures))
    assert len(compiled) == 1


def test_sums_half_way_between_two_numbers_are_rounded_once() -> None:
    # Below half-way between 1 + 2^-23 and 1 + 2^-22, by less than a float64 holds: rounded twice it would go up.
    factor, other = np.array([2.0**-24 * (1 + 2.0**-23)], np.float32), np.float32(1 - 2.0**-23)
    addend = np.array([1 + 2.0**-23], np.float32)
    assert (addend.astype(np.float64) + factor * np.float64(other)).astype(np.float32)[0] == 1 + 2.0**-22
    assert plain.multiply_add(factor, other, addend)[0] == 1 + 2.0**-23


def test_few_slides_are_compared_without_a_compiler() -> None:
    code = """
import sys
from histoseek.mosaics import kernel_choice, numpy_kernels as plain
assert kernel_choice.kernels_for(1000) is plain
assert "numba" not in sys.modules
assert kernel_choice.kernels_for(100_000) is not plain
kernel_choice.has_numba = lambda: False
assert kernel_choice.kernels_for(100_000) is plain
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_who_compares_few_slides_never_waits_for_compiling(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on, prepared = Event(), Event(), []

    def prepare() -> kernel_choice.Kernels:
        begun.set()
        assert go_on.wait(HANG_S)
        prepared.append(True)
        return kernels

    monkeypatch.setattr(kernel_choice, "_compared", 10**6)
    monkeypatch.setattr(kernel_choice, "_preparation", kernel_choice.Preparation(prepare))
    monkeypatch.setattr(kernel_choice, "has_numba", lambda: True)
    assert kernel_choice.kernels_for(20) is plain
    assert begun.wait(HANG_S)
    assert kernel_choice.kernels_for(20) is plain
    assert kernel_choice.kernels_for(10**5) is kernels, "so many take longer than getting ready"
    go_on.set()
    wait_for(lambda: kernel_choice.kernels_for(20) is kernels)
    assert prepared == [True]


def test_prepared_kernels_compile_nothing_more() -> None:
    kernel_choice._prepare()
    before = (*kernels._fill_medians.signatures, *kernels._fill_products.signatures)
    rng = np.random.default_rng(0)
    mosaics = [make_signature(rng, count, 8) for count in (3, 2)]
    block = SignatureBlock.from_signatures(mosaics)
    kernels.compute_directional_medians(mosaics[0].barcodes, block.barcodes, block.offsets)
    kernels.inner_products(block.global_vectors, mosaics[0].global_vector)
    assert (*kernels._fill_medians.signatures, *kernels._fill_products.signatures) == before
