"""Figures as people read them: never a sign of nothing, a certainty, or what is no number."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from histoseek.search.figures import format_figure, format_probability

ANY = st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True))


@given(value=ANY, digits=st.integers(0, 6), signed=st.booleans())
def test_a_figure_is_a_number_or_nothing(value: float | None, digits: int, signed: bool) -> None:
    text = format_figure(value, digits, signed)
    if value is None or not math.isfinite(value):
        assert text == ""
        return
    assert float(text) == pytest.approx(value, abs=0.51 * 10**-digits)
    assert not (float(text) == 0 and text[0] in "+-")


@given(value=st.floats(0, 1))
def test_no_probability_is_certain(value: float) -> None:
    text = format_probability(value)
    assert text not in ("0.00", "1.00")
    assert float(text.removeprefix("< ").removeprefix("> ")) == pytest.approx(value, abs=0.011)


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_what_is_not_known_is_not_said(value: float | None) -> None:
    assert format_probability(value) == ""


def test_a_sign_is_shown_where_it_says_something() -> None:
    assert (format_figure(-0.0004), format_figure(-0.0006)) == ("0.000", "-0.001")
    assert (format_figure(0.5, 2, signed=True), format_figure(-0.00001, 4, signed=True)) == ("+0.50", "0.0000")
