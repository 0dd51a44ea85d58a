"""Filters by field and value, and the counts beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoseek.api import Archive
from histoseek.archive.schema import MetadataValue, SlideRecord
from histoseek.errors import BadFilter, InputError
from histoseek.search.scope.counts import count_facets
from histoseek.search.scope.fields import MOST_NAMES, FieldFilter, combine_filters
from tests.search.typed_archive import COLUMNS, make_typed_archive


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return make_typed_archive(tmp_path_factory.mktemp("fields"))


def having(archive: Archive, filters: Sequence[FieldFilter]) -> list[str]:
    return list(archive.store.slides(combine_filters(archive.store, filters)))


def naive(records: Sequence[SlideRecord], field: str, values: Sequence[MetadataValue]) -> list[str]:
    return [one.slide_id for one in records if one.extra[field] in values]


@st.composite
def chosen(draw: st.DrawFn) -> tuple[str, tuple[MetadataValue, ...]]:
    field = draw(st.sampled_from(sorted(COLUMNS)))
    return field, tuple(draw(st.lists(st.sampled_from((*COLUMNS[field], None)), min_size=1, max_size=4)))


@given(asked=st.dictionaries(st.sampled_from("ab"), chosen(), max_size=2))
@settings(max_examples=25)
def test_filters_are_any_value_of_each_field(
    archive: Archive, asked: Mapping[str, tuple[str, tuple[MetadataValue, ...]]]
) -> None:
    by_field: dict[str, list[MetadataValue]] = {}
    for field, values in asked.values():
        by_field.setdefault(field, []).extend(values)
    records = archive.records()
    wanted = [one.slide_id for one in records]
    for field, values in by_field.items():
        wanted = [one for one in wanted if one in naive(records, field, values)]
    assert having(archive, [FieldFilter("metadata", *one) for one in asked.values()]) == wanted


@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
@settings(max_examples=25)
def test_any_text_is_a_value_and_nothing_else(archive: Archive, text: str) -> None:
    wanted = [one.slide_id for one in archive.records() if one.extra["word"] == text]
    assert having(archive, [FieldFilter("metadata", "word", (text,))]) == wanted


@given(
    field=st.sampled_from(("count", "size", "day")),
    bounds=st.tuples(*[st.one_of(st.none(), st.integers(0, 5))] * 2),
    empty=st.booleans(),
    as_text=st.booleans(),
)
@settings(max_examples=60)
def test_ranges_are_what_a_look_at_each_slide_finds(
    archive: Archive, field: str, bounds: tuple[int | None, int | None], empty: bool, as_text: bool
) -> None:
    marks = {"count": (-6, -5, 0, 3, 7, 2**40), "size": (-1.0, 0.0, 0.25, 0.5, 1e22, float("inf"))}
    days = (date(1990, 1, 1), date(1999, 12, 31), date(2000, 1, 1), date(2024, 2, 28), date(2024, 2, 29), date.max)
    own: Sequence[MetadataValue] = marks.get(field, days)
    low, high = (None if bound is None else own[bound] for bound in sorted(bounds, key=lambda one: (one is None, one)))
    if low is None and high is None:
        return

    def fits(value: MetadataValue) -> bool:
        if value is None:
            return empty
        return (low is None or value >= low) and (high is None or value <= high)  # type: ignore[operator]

    wanted = [one.slide_id for one in archive.records() if fits(one.extra[field])]
    given = [str(bound) if as_text and bound is not None else bound for bound in (low, high)]
    choice = FieldFilter("metadata", field, (None,) if empty else (), *given)
    assert having(archive, [choice]) == wanted
    beside = FieldFilter("metadata", field, (own[0],))
    either = sorted({*wanted, *naive(archive.records(), field, [own[0]])})
    assert having(archive, [choice, beside]) == either


def test_days_of_moments_are_whole_days(archive: Archive) -> None:
    today = archive.records()[0].created.date()
    everything = [one.slide_id for one in archive.records()]
    assert having(archive, [FieldFilter("metadata", "created", (), today, today.isoformat())]) == everything
    assert having(archive, [FieldFilter("metadata", "created", (), today.replace(year=today.year + 1))]) == []
    assert having(archive, [FieldFilter("metadata", "created", (), None, today - timedelta(days=1))]) == []


def test_ranges_that_mean_nothing_are_refused(archive: Archive) -> None:
    for field, bounds, message in (
        ("word", ("a", None), "bounds are for numbers and dates"),
        ("fresh", (0, 1), "bounds are for numbers and dates"),
        ("count", (7, 3), "after its end"),
        ("count", ("many", None), "does not fit"),
        ("count", (True, None), "no bound of numbers"),
        ("day", (date(2024, 1, 1), "1999-01-01"), "after its end"),
        ("day", ("soon", None), "does not fit"),
        ("uri", ("a", None), "no such column"),
    ):
        with pytest.raises(InputError, match=message):
            combine_filters(archive.store, [FieldFilter("metadata", field, (), *bounds)])
    with pytest.raises(InputError, match="only metadata has"):
        FieldFilter("report", "grade", (), 1, 2)


def test_values_may_be_written_as_text(archive: Archive) -> None:
    records = archive.records()
    for field, values in COLUMNS.items():
        for value in values:
            spelled = FieldFilter("metadata", field, (str(value),))
            assert having(archive, [spelled]) == naive(records, field, [value]) != []


def test_what_no_column_holds_is_refused(archive: Archive) -> None:
    for field, value in (("count", "many"), ("count", 1.5), ("count", 10**30), ("fresh", "perhaps"), ("day", "soon")):
        with pytest.raises(InputError, match=f"column {field}"):
            combine_filters(archive.store, [FieldFilter("metadata", field, (value,))])
    with pytest.raises(InputError, match="not valid Unicode"):
        combine_filters(archive.store, [FieldFilter("metadata", "word", ("\ud800",))])
    for field in (
        "uri",
        "file_fingerprint",
        "report",
        "global_vector",
        "report_facts",
        "nothing",
        "word` = 'a' OR `word",
    ):
        with pytest.raises(InputError, match="no such column"):
            combine_filters(archive.store, [FieldFilter("metadata", field, ("a",))])
    with pytest.raises(InputError, match="not a field of reports"):
        combine_filters(archive.store, [FieldFilter("report", "nothing", ("a",))])
    with pytest.raises(InputError, match="nothing that a report states"):
        combine_filters(archive.store, [FieldFilter("report", "grade", (None,))])
    with pytest.raises(InputError, match="no values"):
        FieldFilter("metadata", "word", ())
    with pytest.raises(InputError, match="source"):
        FieldFilter("other", "word", ("a",))  # type: ignore[arg-type]


def test_names_are_looked_through_for_a_few_texts_at_once(archive: Archive) -> None:
    texts = tuple(f"name {number}" for number in range(MOST_NAMES))
    filters = [FieldFilter("name", "name", (text,)) for text in texts]
    assert having(archive, filters) == []
    with pytest.raises(InputError, match="at most"):
        having(archive, [*filters, FieldFilter("name", "name", ("one more",))])


def test_what_reports_state_is_filtered_by(archive: Archive) -> None:
    def of(*numbers: int) -> list[str]:
        return [f"slide-{i:03d}" for i in range(24) if i % 4 in numbers]

    assert having(archive, [FieldFilter("report", "grade", (3,))]) == of(0)
    assert having(archive, [FieldFilter("report", "grade", ("3", 2.0))]) == of(0, 2)
    assert having(archive, [FieldFilter("report", "organ", ("breast",))]) == of(0, 1)
    both = [FieldFilter("report", "organ", ("breast",)), FieldFilter("report", "grade", ("3", "it's]"))]
    assert having(archive, both) == of(0)
    assert combine_filters(archive.store, []) is None


def test_the_counts_of_a_field_are_those_of_all_other_filters(archive: Archive) -> None:
    records = {one.slide_id: one for one in archive.records()}
    filters = [FieldFilter("metadata", "diagnosis", ("class 1",)), FieldFilter("report", "organ", ("breast",))]
    found = count_facets(archive, "slide_id < 'slide-020'", filters, ["diagnosis", "organ", "count", "grade"])
    breast = {f"slide-{i:03d}" for i in range(20) if i % 4 in (0, 1)}
    first = {name for name, one in records.items() if one.diagnosis == "class 1" and name < "slide-020"}

    def counts(source: str, field: str) -> dict[str, int]:
        return {one.value: one.count for one in found if (one.source, one.field) == (source, field)}

    assert counts("metadata", "diagnosis") == Counter(str(records[name].diagnosis) for name in breast)
    assert counts("report", "organ")["breast"] == len(first & breast)
    assert "colon" in counts("report", "organ")
    within = [records[name].extra["count"] for name in first & breast]
    assert counts("metadata", "count") == Counter(str(one) for one in within if one is not None)
    assert set(counts("report", "grade")) == {"3"}
    fields = list(dict.fromkeys((one.source, one.field) for one in found))
    assert fields == sorted(
        fields,
        key=lambda one: (
            one[0] == "report",
            list(archive.store.metadata_types()).index(one[1]) if one[0] == "metadata" else 0,
            one,
        ),
    )


def test_counts_without_filters_are_the_facets(archive: Archive) -> None:
    assert count_facets(archive, None, []) == archive.facets()
    assert count_facets(archive, "organ IS NULL", [], ["word"]) == archive.facets("organ IS NULL", ["word"])


def test_chosen_values_that_no_slide_has_are_there_with_none(archive: Archive) -> None:
    filters = [FieldFilter("metadata", "diagnosis", ("class 1", "class 9")), FieldFilter("report", "organ", ("colon",))]
    found = {(one.source, one.field, one.value): one.count for one in count_facets(archive, None, filters)}
    assert found["metadata", "diagnosis", "class 9"] == 0
    assert found["metadata", "diagnosis", "class 1"] > 0
    spelled = [FieldFilter("metadata", "size", ("0.250",)), FieldFilter("report", "grade", (3.0, 9))]
    grades = {one.value: one.count for one in count_facets(archive, None, spelled, ["grade", "size"])}
    assert (grades["9"], grades["0.25"] > 0) == (0, True)
    assert not {"3.0", "0.250"} & set(grades)


def test_wrong_filters_of_counts_are_refused(archive: Archive) -> None:
    with pytest.raises(BadFilter):
        count_facets(archive, "1 = 1) OR (1 = 1", [])
    with pytest.raises(InputError, match="neither a column"):
        count_facets(archive, None, [], ["nothing"])
