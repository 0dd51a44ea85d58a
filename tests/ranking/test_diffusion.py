"""What spreads along the neighbour graph, against a dense solution for the graph with the query in it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from histoseek.ranking.diffusion import Neighbourhood, QueryGraph, spread
from histoseek.ranking.graph import SPARE_NEIGHBOURS, Floats, Ints, NeighbourGraph
from histoseek.ranking.settings import DiffusionSettings


def _draw(seed: int, slides: int, owners: int, dimension: int = 4) -> tuple[Floats, Ints]:
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((slides, dimension)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors, np.sort(rng.integers(0, owners, slides))


def _ask(vectors: Floats, owners: Ints, slide: int, chosen: DiffusionSettings, most: int = 400) -> Neighbourhood:
    graph = NeighbourGraph.build(vectors, owners, chosen.neighbours + SPARE_NEIGHBOURS)
    left_out = owners == owners[slide]
    order = np.argsort(-(vectors @ vectors[slide]), kind="stable")
    nearest = order[~left_out[order]]
    return spread(graph, vectors, vectors[slide], nearest, left_out, chosen, most)


def _solve_densely(vectors: Floats, owners: Ints, slide: int, chosen: DiffusionSettings) -> NDArray[np.float64]:
    """The parts of all slides, as the module's head says it: everything at once, without a neighbourhood."""
    nodes = [i for i in range(len(vectors)) if owners[i] != owners[slide]]
    cosines = vectors.astype(np.float64) @ vectors.T.astype(np.float64)

    def rank(one: int) -> list[int]:
        others = [i for i in nodes if owners[i] != owners[one]]
        return sorted(others, key=lambda i: -cosines[one, i])[: chosen.neighbours]

    lists = {one: rank(one) for one in (*nodes, slide)}
    weights = np.zeros((len(vectors), len(vectors)))
    for one in nodes:
        for other in lists[one]:
            if one in lists[other]:
                weights[one, other] = max(cosines[one, other], 0) ** 4
    for other in lists[slide]:
        nearer = sum(cosines[other, i] > cosines[other, slide] for i in lists[other])
        if nearer < chosen.neighbours and cosines[other, slide] > 0:
            weights[slide, other] = weights[other, slide] = cosines[slide, other] ** 4
    with np.errstate(divide="ignore"):
        scales = np.where(weights.sum(1) > 0, weights.sum(1) ** -0.5, 0)
    inverse = np.linalg.inv(np.eye(len(vectors)) - chosen.damping * scales[:, None] * weights * scales)
    assert np.allclose(inverse, inverse.T)
    spread_to = np.where(owners == owners[slide], 0, inverse[slide])
    return 1 - spread_to / spread_to.max() if spread_to.max() > 0 else np.ones(len(vectors))


@settings(max_examples=15)
@given(st.integers(0, 10**6), st.integers(2, 24), st.integers(4, 15), st.integers(1, 6), st.sampled_from([0.5, 0.99]))
def test_parts_are_those_of_the_whole_graph_solved_densely(
    seed: int, slides: int, owners: int, neighbours: int, damping: float
) -> None:
    vectors, codes = _draw(seed, slides, owners)
    chosen = DiffusionSettings(0.5, neighbours, damping)
    # The owner with the fewest slides: with more than are spare, lists would run short.
    slide = int(np.argmin(np.bincount(codes)[codes]))
    found = _ask(vectors, codes, slide, chosen)
    np.testing.assert_allclose(
        found.find_parts(np.arange(len(vectors))), _solve_densely(vectors, codes, slide, chosen), atol=1e-5
    )
    assert not set(codes[found.places]) & {codes[slide]}


def test_a_query_is_joined_to_a_slide_as_the_slide_is_to_it() -> None:
    vectors, _ = _draw(3, 60, 60)
    owners = np.arange(60)
    graph = NeighbourGraph.build(vectors, owners, 5 + SPARE_NEIGHBOURS)
    joints = np.zeros((60, 60))
    for slide in range(60):
        order = np.argsort(-(vectors @ vectors[slide]), kind="stable")
        seen = QueryGraph(graph, owners == slide, 5)
        others, cosines = seen.join_query(order[order != slide], np.sort(vectors @ vectors[slide])[::-1][1:])
        joints[slide, others] = cosines
    assert np.count_nonzero(joints) > 60
    np.testing.assert_allclose(joints, joints.T, atol=1e-6)


def test_a_small_neighbourhood_is_the_nearest_by_joints() -> None:
    vectors, _ = _draw(1, 200, 200, 3)
    chosen = DiffusionSettings(0.5, 6, 0.95)
    whole = _ask(vectors, np.arange(200), 0, chosen)
    few = _ask(vectors, np.arange(200), 0, chosen, most=20)
    assert len(few.places) == 20 < len(whole.places)
    assert set(few.places) <= set(whole.places)
    best = whole.places[np.argsort(whole.parts)[:5]]
    assert set(best) <= set(few.places)


def test_clusters_are_told_apart_where_nothing_leads_from_one_to_the_other() -> None:
    rng = np.random.default_rng(0)
    centres = np.eye(8, dtype=np.float32)[:2]
    vectors = np.repeat(centres, 12, axis=0) + 0.1 * rng.standard_normal((24, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = _ask(vectors, np.arange(24), 0, DiffusionSettings(0.5, 5, 0.9))
    assert found.places.max() < 12
    assert np.all(found.find_parts(np.arange(12, 24)) == 1)
    assert found.parts.min() == 0
    assert found.parts.max() < 1


def test_slides_without_others_have_no_neighbourhood() -> None:
    vectors, _ = _draw(0, 4, 4)
    found = _ask(vectors, np.zeros(4, np.int64), 0, DiffusionSettings(0.5, 3, 0.9))
    assert not len(found.places)
    assert found.find_parts(np.arange(4)) == pytest.approx(np.ones(4))
