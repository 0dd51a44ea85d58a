"""How what fields hold is spread: bins of numbers and dates, and what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from histoseek.api import Archive
from histoseek.search.scope.fields import FieldFilter
from histoseek.search.scope.ranges import Bin, cut_dates, cut_numbers
from tests.search.typed_archive import COLUMNS, make_typed_archive


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return make_typed_archive(tmp_path_factory.mktemp("counts"))


def spread(values: Sequence[float], dtype: type) -> tuple[Bin, ...]:
    different, counts = np.unique(np.array(values, dtype), return_counts=True)
    return cut_numbers(different, counts)


@given(values=st.lists(st.integers(-(2**50), 2**50), min_size=1, max_size=40))
def test_whole_numbers_are_counted_by_inclusive_bins(values: list[int]) -> None:
    bins = spread(values, np.int64)
    assert [one.count for one in bins] == [sum(one.minimum <= value <= one.maximum for value in values) for one in bins]
    assert sum(one.count for one in bins) == len(values)
    assert len(bins) <= 26
    assert all(after.minimum == before.maximum + 1 for before, after in pairwise(bins))


@given(values=st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=40))
def test_fractions_are_counted_by_half_open_bins(values: list[float]) -> None:
    bins = spread(values, np.float64)
    assert sum(one.count for one in bins) == len(values)
    assert len(bins) <= 27
    for number, one in enumerate(bins[1:-1], 1):
        assert one.count == sum(one.minimum <= value < one.maximum for value in values)
        assert one.minimum == bins[number - 1].maximum


@given(days=st.lists(st.dates(), min_size=1, max_size=20), near=st.booleans())
def test_dates_are_counted_by_spans_of_the_calendar(days: list[date], near: bool) -> None:
    if near:
        days = [min(max(days[0], date(2, 1, 1)), date(9990, 1, 1)) + timedelta(days=day.day * 9) for day in days]
    different = sorted(set(days))
    bins = cut_dates(different, [days.count(day) for day in different])
    assert [one.count for one in bins] == [sum(one.minimum <= day <= one.maximum for day in days) for one in bins]
    assert sum(one.count for one in bins) == len(days)
    assert len(bins) <= 101


def test_every_typed_column_is_counted(archive: Archive) -> None:
    counts = {one.field: one for one in archive.count_fields() if one.source == "metadata"}
    kinds = {name: counts[name].kind for name in (*COLUMNS, "created", "diagnosis")}
    assert kinds == {
        "word": "text",
        "count": "number",
        "size": "number",
        "fresh": "truth",
        "day": "date",
        "created": "date",
        "diagnosis": "text",
    }
    assert not {"slide_id", "patient_id", "case_id", "uri", "updated"} & set(counts)
    records = archive.records()
    for name in COLUMNS:
        present = [one.extra[name] for one in records if one.extra[name] is not None]
        assert counts[name].missing == len(records) - len(present)
        assert sum(one.count for one in (counts[name].values or counts[name].bins)) == len(present)
    assert counts["created"].bins[0].count == len(records)


def test_a_range_does_not_narrow_its_own_histogram(archive: Archive) -> None:
    choice = FieldFilter("metadata", "count", (), 0, 10)
    free = {one.field: one for one in archive.count_fields() if one.source == "metadata"}
    narrowed = {one.field: one for one in archive.count_fields(filters=[choice]) if one.source == "metadata"}
    assert narrowed["count"] == free["count"]
    within = [one for one in archive.records() if one.extra["count"] in (0, 7)]
    assert sum(one.count for one in narrowed["diagnosis"].values) == len(within)
    assert [one.minimum for one in narrowed["day"].bins] == [one.minimum for one in free["day"].bins]


def test_fields_are_chosen_by_name(archive: Archive) -> None:
    found = archive.count_fields(fields=["updated", "count", "grade"])
    assert [(one.source, one.field) for one in found] == [
        ("metadata", "count"),
        ("metadata", "updated"),
        ("report", "grade"),
    ]
