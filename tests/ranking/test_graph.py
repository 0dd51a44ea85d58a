"""The neighbour graph, against one that is searched naively, and brought up to date against built anew."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from histoseek.errors import ConfigurationError
from histoseek.ranking import graph as graph_module
from histoseek.ranking.graph import NOBODY, NeighbourGraph

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


def _draw(seed: int, slides: int, owners: int) -> tuple[Floats, Ints]:
    """Few distinct vectors of few components, so that ties are the rule."""
    rng = np.random.default_rng(seed)
    vectors = rng.integers(-2, 3, (slides, 3)).astype(np.float32)
    lengths = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)
    return (vectors / lengths).astype(np.float32), rng.integers(0, owners, slides)


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(0, 30), st.integers(1, 12), st.integers(1, 6))
def test_lists_are_those_that_a_naive_search_finds(seed: int, slides: int, owners: int, size: int) -> None:
    vectors, codes = _draw(seed, slides, owners)
    graph = NeighbourGraph.build(vectors, codes, size)
    all_cosines = vectors.astype(np.float64) @ vectors.T.astype(np.float64)
    for place, cosines in enumerate(all_cosines.astype(np.float32).tolist()):
        others = [other for other in range(slides) if codes[other] != codes[place]]
        nearest = sorted(others, key=lambda other: (-cosines[other], other))[:size]
        found = [int(other) for other in graph.nearest[place] if other != NOBODY]
        np.testing.assert_allclose([cosines[i] for i in found], [cosines[i] for i in nearest], atol=1e-7)
        np.testing.assert_allclose(graph.cosines[place, : len(found)], [cosines[i] for i in found], atol=1e-7)
        assert not set(codes[found]) & {codes[place]}
        assert np.all(np.isneginf(graph.cosines[place, len(found) :]))


@settings(max_examples=40)
@given(
    st.integers(0, 10**6),
    st.integers(1, 6),
    st.lists(st.sampled_from(["stays", "goes", "comes", "changes"]), max_size=40),
    st.integers(1, 4),
)
def test_a_graph_that_is_brought_up_to_date_is_one_that_is_built_anew(
    seed: int, size: int, fates: list[str], cells: int
) -> None:
    vectors, owners = _draw(seed, len(fates), 8)
    other, others = _draw(seed + 1, len(fates), 8)
    was = [i for i, fate in enumerate(fates) if fate != "comes"]
    now = [i for i, fate in enumerate(fates) if fate != "goes"]
    is_changed = np.array([fate == "changes" for fate in fates], bool)
    later = np.where(is_changed[:, None], other, vectors), np.where(is_changed, others, owners)
    place_of = {i: place for place, i in enumerate(now) if not is_changed[i]}
    moved = np.array([place_of.get(i, NOBODY) for i in was], np.int64)
    before = NeighbourGraph.build(vectors[was], owners[was], size)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(graph_module, "_MOST_CELLS", 40 * cells)
        updated = before.update(moved, later[0][now], later[1][now])
    assert updated == NeighbourGraph.build(later[0][now], later[1][now], size)


def test_few_new_slides_of_many_do_not_search_the_others_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((300, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    owners = np.arange(300)
    before = NeighbourGraph.build(vectors[:290], owners[:290], 5)
    searched = []
    search = graph_module._search
    monkeypatch.setattr(graph_module, "_search", lambda places, *rest: searched.append(places) or search(places, *rest))
    after = before.update(np.arange(290), vectors, owners)
    assert [list(places) for places in searched] == [list(range(290, 300))]
    assert after == NeighbourGraph.build(vectors, owners, 5)
    assert after.nearest[:290].max() >= 290


def test_no_neighbours_are_no_graph() -> None:
    with pytest.raises(ConfigurationError, match="0 are too few"):
        NeighbourGraph.build(np.eye(3, dtype=np.float32), np.arange(3), 0)
