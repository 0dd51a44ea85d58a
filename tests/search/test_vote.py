"""The vote as one sentence, and closeness as one word."""

from __future__ import annotations

import pytest

from histoseek.search.closeness import name_closeness_of_slides, name_closeness_to_words
from histoseek.search.vote import Ballot, LabelDistribution, LabelShare, take_vote


def vote(labels: str, unlike: bool = False, shares: tuple[LabelShare, ...] | None = None, none: float = 0.0) -> str:
    """The sentence on labels, one of a patient each, the nearest first."""
    ballots = [Ballot(str(number), label) for number, label in enumerate(labels.split())]
    distribution = None if shares is None else LabelDistribution("diagnosis", 20, shares, 0.0, none)
    return take_vote("diagnosis", ballots, 0, unlike, distribution).sentence


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        ("", "No result has a diagnosis."),
        ("colorectal", "The only one is colorectal."),
        ("colorectal colorectal", "All 2 are colorectal."),
        ("a a a a a a b b c c d", "6 a, 5 others: no agreement."),
        ("a a a b", "3 a, 1 b: most agree."),
        ("a a a a b c", "4 a, 2 others: most agree."),
    ],
)
def test_counts_come_first(labels: str, sentence: str) -> None:
    assert vote(labels) == sentence


def test_probabilities_judge_where_there_are_any() -> None:
    likely, unlikely = (LabelShare("a", 0.82), LabelShare("b", 0.1)), (LabelShare("a", 0.3), LabelShare("b", 0.2))
    assert vote("a a a b", shares=likely) == "3 a, 1 b: probably a (82\u00a0%)."
    assert vote("a a a b", shares=unlikely, none=0.5) == "3 a, 1 b: no agreement."


def test_a_query_that_is_unlike_the_archive_gets_no_verdict() -> None:
    assert vote("a a a b", unlike=True) == "3 a, 1 b, but the query is unlike anything here."


def test_closeness_is_measured_against_chance() -> None:
    assert [name_closeness_of_slides(score) for score in (1.0, 0.5, 0.3, 0.1, -2.0)] == [
        "near",
        "near",
        "somewhat near",
        "far",
        "far",
    ]
    assert [name_closeness_to_words(score, 0.4) for score in (0.9, 0.7, 0.5, 0.4, 0.39)] == [
        "near",
        "near",
        "somewhat near",
        "somewhat near",
        "far",
    ]
