"""Novelty of a distance, against a naive count."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from histoseek.mosaics.calibration_curves import is_novel, measure_novelty


@given(st.lists(st.floats(0, 2), min_size=1, max_size=60), st.floats(0, 2))
def test_novelty_is_the_share_that_is_at_least_as_far(known: list[float], nearest: float) -> None:
    known = sorted(known)
    assert measure_novelty(nearest, known) == pytest.approx(
        (1 + sum(one >= nearest for one in known)) / (1 + len(known))
    )
    assert measure_novelty(nearest + 0.1, known) <= measure_novelty(nearest, known)


def test_novelty_of_exchangeable_slides_is_below_a_level_no_more_often_than_that() -> None:
    rng = np.random.default_rng(0)
    flagged = []
    for _ in range(2000):
        drawn = rng.standard_normal(100)
        flagged.append(is_novel(measure_novelty(drawn[0], np.sort(drawn[1:]))))
    assert 0.03 < np.mean(flagged) < 0.06
    assert not is_novel(None)
