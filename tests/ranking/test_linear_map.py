"""Linear maps of few directions: one after another, and as matrices."""

import numpy as np
import pytest

from histoseek.errors import ConfigurationError
from histoseek.ranking.metric import IDENTITY, NO_GROUP, LinearMap


def draw_update(rng, rank):
    return LinearMap(None, *rng.standard_normal((2, rank, 12)).astype(np.float32))


def test_maps_one_after_another_are_one_map():
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((9, 12)).astype(np.float32)
    groups = np.array([0, 1, NO_GROUP] * 3)
    offsets = rng.standard_normal((2, 12)).astype(np.float32)
    first, second, third = LinearMap(offsets), draw_update(rng, 3), draw_update(rng, 2)

    joined = first.then(second).then(third)

    centred = rows - np.where(groups[:, None] == NO_GROUP, 0, offsets[groups])
    for update in (second, third):
        centred = centred @ (np.eye(12) + update.inward.T @ update.outward)
    expected = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    assert np.allclose(joined(rows, groups), expected, atol=1e-4)
    assert IDENTITY.then(joined) == joined == joined.then(IDENTITY)


def test_offsets_come_first():
    with pytest.raises(ConfigurationError, match="wrong order"):
        draw_update(np.random.default_rng(0), 2).then(LinearMap(np.zeros((1, 12), np.float32)))


def test_vectors_of_another_dimension_are_refused():
    update = draw_update(np.random.default_rng(0), 2)
    with pytest.raises(ConfigurationError, match="dimension 12, not 5"):
        update(np.zeros((1, 5), np.float32), np.array([NO_GROUP]))
