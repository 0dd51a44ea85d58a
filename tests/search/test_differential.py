"""Differentials: diagnoses side by side, with what tells their reports apart."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoseek.api import Archive
from histoseek.archive.schema import name_owner
from histoseek.errors import ConfigurationError, InputError
from histoseek.search.differential import Differential
from histoseek.search.distinguishing_terms import find_distinguishing_terms, measure_chance_of_difference
from histoseek.search.options import DifferentialOptions


@pytest.fixture(scope="module")
def archive(indexed: Path) -> Archive:
    return Archive.open(indexed)


@pytest.fixture(scope="module")
def differential(archive: Archive) -> Differential:
    return archive.differential(like=archive.records()[0].slide_id)


def test_each_column_has_the_nearest_cases_of_its_diagnosis(archive: Archive, differential: Differential) -> None:
    query = archive.records()[0]
    assert 2 <= len(differential) <= 4
    for column in differential:
        where = f"diagnosis = '{column.label}'"
        nearest = {}
        for result in archive.search(like=query.slide_id, k=100, where=where):
            nearest.setdefault(name_owner(result.record), result.slide_id)
        assert [result.slide_id for result in column.nearest] == list(nearest.values())[:4]
        assert [result.rank for result in column.nearest] == list(range(1, len(column.nearest) + 1))
        assert all(result.record.patient_id != query.patient_id for result in column.nearest)


def test_a_counter_example_looks_like_the_nearest_and_has_another_diagnosis(
    archive: Archive, differential: Differential
) -> None:
    query = archive.records()[0]
    for column in differential:
        example = column.counter_example
        assert example and example.like == column.nearest[0].slide_id
        assert example.label == example.result.record.diagnosis != column.label
        others = archive.search(like=example.like, k=100, where=f"diagnosis != '{column.label}'")
        wanted = [one.slide_id for one in others if one.record.patient_id != query.patient_id]
        assert example.result.slide_id == wanted[0]


def test_diagnoses_can_be_named_and_keep_their_order(archive: Archive) -> None:
    labels = tuple(sorted({str(record.diagnosis) for record in archive.records()}, reverse=True))[:2]
    named = archive.differential(like=archive.records()[0].slide_id, labels=labels)
    assert [column.label for column in named] == list(labels)


def test_a_diagnosis_that_nobody_has_is_an_empty_column(archive: Archive) -> None:
    known = str(archive.records()[0].diagnosis)
    named = archive.differential(text="necrosis", labels=(known, "made-up tumour"))
    assert named.columns[1].nearest == () and named.columns[1].counter_example is None
    assert any("made-up tumour" in warning for warning in named.warnings)


def test_words_can_be_weighed_and_read(archive: Archive) -> None:
    differential = archive.differential(text="lymphoma")
    text = str(differential)
    assert all(column.label in text for column in differential)
    assert "looks like" in text


@pytest.mark.parametrize("labels", [("one",), ("a", "a"), tuple("abcde")])
def test_one_diagnosis_is_no_differential_and_five_are_too_many(labels: tuple[str, ...]) -> None:
    with pytest.raises(ConfigurationError, match="--label"):
        DifferentialOptions(labels=labels)


def test_a_column_that_is_not_there_is_refused(archive: Archive) -> None:
    with pytest.raises(InputError, match="no such column"):
        archive.differential(text="necrosis", column="no_such")


def test_fewer_than_two_diagnoses_are_refused(archive: Archive) -> None:
    only = archive.records()[0].diagnosis
    with pytest.raises(InputError, match="fewer than 2"):
        archive.differential(text="necrosis", where=f"diagnosis = '{only}'")


def patient(*facts: str) -> list[list[str]]:
    """One report that states these facts."""
    return [["diagnosis:carcinoma", *facts]]


def test_terms_count_patients_who_state_them_against_those_of_the_others() -> None:
    group = [patient("finding:necrosis")] * 9 + [patient()]
    others = [patient()] * 12
    (term, *rest) = find_distinguishing_terms(group, others, 5)
    assert str(term) == "necrosis: 9 of 10 against 0 of 12"
    assert rest == [] and term.chance < 0.001


def test_what_is_doubted_counts_for_nobody() -> None:
    group = [patient("finding:necrosis"), patient("possible:necrosis")]
    (term,) = find_distinguishing_terms(group, [patient(), patient("absent:necrosis")], 5)
    assert (term.stated, term.judged, term.other_stated, term.other_judged) == (1, 1, 0, 2)


def test_markers_are_told_apart_by_both_results() -> None:
    group, others = [patient("ck7:positive")] * 3, [patient("ck7:negative")] * 3
    assert [str(term) for term in find_distinguishing_terms(group, others, 5)] == [
        "CK7 positive: 3 of 3 against 0 of 3"
    ]
    assert [str(term) for term in find_distinguishing_terms(others, group, 5)] == [
        "CK7 negative: 3 of 3 against 0 of 3"
    ]


def test_of_a_term_and_a_kind_of_it_that_the_same_patients_state_the_kind_is_kept() -> None:
    facts = ("finding:lymphovascular-invasion", "finding:invasion")
    terms = find_distinguishing_terms([patient(*facts)] * 3, [patient()] * 3, 5)
    assert len(terms) == 1


def test_diagnoses_are_no_terms_and_nobody_to_compare_with_gives_none() -> None:
    assert find_distinguishing_terms([patient()] * 3, [[["diagnosis:lymphoma"]]] * 3, 5) == ()
    assert find_distinguishing_terms([patient("finding:necrosis")] * 3, [], 5) == ()


COUNTS = st.tuples(st.integers(0, 5), st.integers(0, 5))


@settings(max_examples=40)
@given(COUNTS, COUNTS)
def test_chance_is_the_share_of_groupings_that_differ_as_much(own: tuple[int, int], other: tuple[int, int]) -> None:
    stated, judged = own[0], own[0] + own[1]
    other_stated, other_judged = other[0], other[0] + other[1]
    people = np.array([True] * (stated + other_stated) + [False] * (own[1] + other[1]))
    groups = list(combinations(range(len(people)), judged))
    as_many = (people[np.array(groups, int)].sum(1) >= stated).sum()
    chance = measure_chance_of_difference(stated, judged, other_stated, other_judged)
    assert chance == pytest.approx(as_many / len(groups))
