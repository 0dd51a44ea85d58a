"""The tiles that stand for a slide, and the mean of the best share of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from histoseek.mosaics import top_shares
from histoseek.mosaics.tile_words import (
    MOST_TILES,
    WordTiles,
    choose_tiles,
    compute_top_share,
    find_top_mass,
    quantise,
    take_top,
)
from histoseek.mosaics.top_shares import CodeBlock
from histoseek.statistics.clustering import normalise_rows

COSINES = st.floats(-1, 1, width=32)
SHARES = st.floats(0.01, 1)


def draw_slide(data: st.DataObject) -> tuple[np.ndarray, np.ndarray, float]:
    count = data.draw(st.integers(1, 12))
    similarities = data.draw(hnp.arrays(np.float32, count, elements=COSINES))
    weights = data.draw(hnp.arrays(np.float64, count, elements=SHARES))
    return similarities, (weights / weights.sum()).astype(np.float32), data.draw(st.floats(0.02, 1))


def compute_naively(similarities: np.ndarray, weights: np.ndarray, mass: float) -> float:
    left, total, taken = mass, 0.0, 0.0
    for similarity, weight in sorted(zip(similarities.tolist(), weights.tolist(), strict=True), reverse=True):
        own = min(left, weight)
        total, taken, left = total + own * similarity, taken + own, left - own
    return total / taken


@given(st.data())
def test_the_top_share_is_what_it_says(data: st.DataObject) -> None:
    similarities, weights, mass = draw_slide(data)
    score = compute_top_share(similarities, weights, mass)
    assert score == pytest.approx(compute_naively(similarities, weights, mass), abs=1e-6)
    assert np.average(similarities, weights=weights) - 1e-6 <= score <= similarities.max() + 1e-6
    assert take_top(similarities, weights, mass).sum() == pytest.approx(1)


@given(st.data())
def test_more_similarity_never_lowers_it_and_order_is_nothing(data: st.DataObject) -> None:
    similarities, weights, mass = draw_slide(data)
    score = compute_top_share(similarities, weights, mass)
    order = data.draw(st.permutations(range(len(weights))))
    assert compute_top_share(similarities[order], weights[order], mass) == pytest.approx(score, abs=1e-6)
    raised = similarities.copy()
    raised[data.draw(st.integers(0, len(weights) - 1))] += data.draw(st.floats(0, 1))
    assert compute_top_share(raised, weights, mass) >= score - 1e-6


@pytest.mark.parametrize("plainly", [1 << 20, 0])
def test_all_slides_together_have_the_same_scores(plainly: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(top_shares, "_MOST_PLAINLY", plainly)
    monkeypatch.setattr(top_shares, "_MOST_SCORES", plainly)
    rng = np.random.default_rng(0)
    slides = [make_tiles(rng, count) for count in (1, 5, 60, 48, 200, 5)]
    block = CodeBlock.join(slides, 16)
    for queries in (2, 7):
        vectors = normalise_rows(rng.standard_normal((queries, 16)).astype(np.float32))
        measured = block.measure(vectors)
        for place, tiles in enumerate(slides):
            expected = [compute_top_share(own, tiles.weights, tiles.top_mass) for own in tiles.compare(vectors)]
            assert np.allclose(measured[:, place], expected, atol=2e-6)


def make_tiles(rng: np.random.Generator, count: int) -> WordTiles:
    vectors = normalise_rows(rng.standard_normal((count, 16)).astype(np.float32))
    coords = rng.integers(0, 99, (count, 2)).astype(np.int32)
    return WordTiles.choose(vectors, coords, rng.uniform(1, 5, count).astype(np.float32), 224, "0123456789abcdef99")


def test_tiles_are_packed_to_the_bit_and_nothing_else_is_taken_for_them() -> None:
    tiles = make_tiles(np.random.default_rng(1), 70)
    packed = tiles.pack()
    assert WordTiles.unpack(packed) == tiles and tiles.tower == "0123456789abcdef"
    assert tiles.weights.sum() == pytest.approx(1) and len(tiles.weights) <= MOST_TILES and tiles.tile_count == 70
    for wrong in (b"", packed[:-1], packed + b"\0", b"\xff" * len(packed), bytes(8) + packed[8:]):
        with pytest.raises(ValueError, match="space of words"):
            WordTiles.unpack(wrong)


@given(hnp.arrays(np.float32, (7, 32), elements=st.floats(-1, 1, width=32)))
@settings(max_examples=25)
def test_eight_bits_keep_directions(vectors: np.ndarray) -> None:
    vectors = normalise_rows(vectors + np.eye(7, 32, dtype=np.float32) * 2)
    codes, scales = quantise(vectors)
    assert np.allclose(((codes * scales[:, None]) * vectors).sum(1), 1, atol=2e-3)


def test_chosen_tiles_stand_for_all() -> None:
    rng = np.random.default_rng(2)
    centres = normalise_rows(rng.standard_normal((4, 16)).astype(np.float32))
    vectors = normalise_rows(np.repeat(centres, 50, axis=0) + rng.normal(0, 0.01, (200, 16)).astype(np.float32))
    kept, shares = choose_tiles(vectors, np.ones(200, np.float32), 8)
    assert len(set(kept.tolist())) == len(kept) <= 8
    for cluster in range(4):
        assert shares[kept // 50 == cluster].sum() == pytest.approx(0.25, abs=1e-3)
    assert find_top_mass(256) == 0.02 and find_top_mass(10) == pytest.approx(0.3) and find_top_mass(1) == 1
