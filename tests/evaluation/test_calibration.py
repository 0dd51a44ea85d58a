"""Calibration error and risk-coverage curves against loops and by hand."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoseek.evaluation.evaluate import calibration_error, risk_coverage

PAIRS = st.lists(st.tuples(st.sampled_from([0.0, 0.2, 0.25, 0.4, 0.55, 0.6, 0.8, 1.0]), st.booleans()), min_size=1)


def arrays(pairs: list[tuple[float, bool]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([pair[0] for pair in pairs]), np.array([pair[1] for pair in pairs], bool)


@settings(max_examples=100)
@given(PAIRS)
def test_calibration_error_is_the_naive_one(pairs: list[tuple[float, bool]]) -> None:
    total = 0.0
    for i in range(10):
        low, high = i / 10, (i + 1) / 10
        own = [pair for pair in pairs if low < pair[0] <= high or (i == 0 and pair[0] == 0)]
        if own:
            gap = abs(np.mean([c for c, _ in own]) - np.mean([right for _, right in own]))
            total += gap * len(own) / len(pairs)
    assert calibration_error(*arrays(pairs)) == pytest.approx(total)


def test_calibration_error_by_hand() -> None:
    assert calibration_error(np.array([1.0, 1.0]), np.array([True, False])) == pytest.approx(0.5)
    assert calibration_error(np.array([0.5, 0.5]), np.array([True, False])) == 0
    assert calibration_error(np.array([0.6, 0.9]), np.array([False, True])) == pytest.approx(0.35)
    assert math.isnan(calibration_error(np.array([]), np.array([], bool)))


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from([0.2, 0.6, 1.0]), st.booleans()), min_size=1, max_size=6))
def test_risk_is_the_mean_over_all_orders_of_ties(pairs: list[tuple[float, bool]]) -> None:
    curves = []
    for order in itertools.permutations(pairs):
        ranked = sorted(order, key=lambda pair: -pair[0])
        wrong = np.cumsum([not right for _, right in ranked])
        curves.append(wrong / np.arange(1, len(pairs) + 1))
    coverage, risk, area = risk_coverage(*arrays(pairs))
    assert coverage == pytest.approx(np.arange(1, len(pairs) + 1) / len(pairs))
    assert risk == pytest.approx(np.mean(curves, 0))
    assert area == pytest.approx(np.mean(curves))


def test_risk_coverage_by_hand() -> None:
    coverage, risk, area = risk_coverage(np.array([0.1, 0.9, 0.5]), np.array([False, True, False]))
    assert coverage == pytest.approx([1 / 3, 2 / 3, 1])
    assert risk == pytest.approx([0, 1 / 2, 2 / 3])
    assert area == pytest.approx((1 / 2 + 2 / 3) / 3)
    assert math.isnan(risk_coverage(np.array([]), np.array([], bool))[2])
