"""The page of an evaluation."""

from __future__ import annotations

from histoseek.evaluation.page import render_evaluation
from tests.evaluation.evaluations import evaluation_of


def test_the_page_loads_nothing_from_elsewhere() -> None:
    page = render_evaluation(evaluation_of(), None)
    assert "<script" not in page
    assert "http-equiv" in page
