"""Values in queries and filters: a slide that has the value is found, any other is not, and no fault speaks of SQL."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from histoseek import ArchivedCase, ArchivedSlide, Composed, ReportText, TextQuery
from histoseek.api import Archive
from histoseek.archive.filters.expression import compare, one_of
from histoseek.archive.schema import MetadataValue
from histoseek.archive.stores.slides import SlideTable
from histoseek.errors import InputError, UnknownCase, UnknownSlide
from histoseek.search.encode.text import ParsedText
from histoseek.search.scope.fields import FieldFilter, combine_filters
from tests.archive.tables import create_table, update_metadata
from tests.archive.test_store import make_slide

KINDS = {
    "word": pa.string(),
    "count": pa.int64(),
    "size": pa.float64(),
    "fresh": pa.bool_(),
    "day": pa.date32(),
    "moment": pa.timestamp("us"),
    "instant": pa.timestamp("us", tz="UTC"),
}
VALUES: dict[str, st.SearchStrategy[MetadataValue]] = {
    "word": st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    "count": st.integers(-(2**63), 2**63 - 1),
    "size": st.floats(allow_nan=False),
    "fresh": st.booleans(),
    "day": st.dates(date(1, 1, 1)),
    "moment": st.datetimes(datetime(1700, 1, 1), datetime(2260, 1, 1)),
    "instant": st.datetimes(datetime(1700, 1, 1), datetime(2260, 1, 1), timezones=st.just(UTC)),
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> SlideTable:
    """Two slides with columns of all types; the second has no values."""
    store = create_table(tmp_path_factory.mktemp("literals") / "store")
    store.ensure_columns(KINDS)
    store.upsert([make_slide("empty", 2), make_slide("slide", 1, patient_id="Schmidt, Anna", organ="lung")])
    return store


@pytest.fixture(scope="module")
def archive(indexed: Path) -> Archive:
    return Archive.open(indexed)


@given(
    values=st.sampled_from(sorted(VALUES)).flatmap(lambda name: st.tuples(st.just(name), VALUES[name], VALUES[name]))
)
@example(("count", -(2**63), 2**63 - 1))
@example(("size", -0.0, 0.0))
@example(("size", -math.inf, math.inf))
@example(("size", 5e-324, 1.7976931348623157e308))
@example(("word", "a\0b", "a"))
@example(("word", "\\'", "\\"))
@example(("word", "", " "))
@example(("word", "İSTANBUL ß Σ", "ΟΔΟΣ"))
@settings(max_examples=40, deadline=None)
def test_a_slide_with_the_value_is_found_and_one_without_is_not(
    store: SlideTable, values: tuple[str, MetadataValue, MetadataValue]
) -> None:
    name, own, other = values
    update_metadata(store, "slide", {name: own})
    for asked in (own, other):
        assert asked is not None
        wanted = ["slide"] if own == asked else []
        assert store.slides(one_of(name, [asked])) == wanted
        assert store.slides(compare(name, "=", asked)) == wanted
        assert store.slides(combine_filters(store, [FieldFilter("metadata", name, (asked,))])) == wanted


def test_what_is_no_number_is_no_value(store: SlideTable) -> None:
    update_metadata(store, "slide", {"size": math.nan})
    assert store.get(["slide"])[0].record.extra["size"] is None
    assert store.slides(combine_filters(store, [FieldFilter("metadata", "size", (math.nan,))])) == ["empty", "slide"]


@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters='"'), min_size=1, max_size=20))
@example("it's")
@example("a\\")
@example("İSTANBUL")
@example("ΟΔΟΣ")
@example("a; -- b)")
@settings(max_examples=25, deadline=None)
def test_a_text_asked_for_by_field_is_found_in_any_case(store: SlideTable, text: str) -> None:
    if not text.rstrip(",;.").strip():
        return
    value = text.rstrip(",;.").strip()
    update_metadata(store, "slide", {"word": value})
    for spelled in (value, value.lower()):
        if spelled.lower() == value.lower():
            asked = ParsedText.from_query(store, f'word:"{spelled}" a', expand=True)
            assert store.slides(asked.where) == ["slide"]
    asked = ParsedText.from_query(store, f'word:"{value}x" a', expand=True)
    assert store.slides(asked.where) == []


@pytest.mark.parametrize(
    ("field", "own", "asked", "finds"),
    [
        ("size", math.inf, "inf", True),
        ("size", math.inf, "-inf", False),
        ("size", -math.inf, "-Infinity", True),
        ("size", 0.0, "-0", True),
        ("size", -0.0, "0", True),
        ("size", 1e22, "1e22", True),
        ("size", 61.0, "61", True),
        ("count", -(2**63), str(-(2**63)), True),
        ("count", 2**63 - 1, str(2**63 - 1), True),
        ("count", 0, "-0", True),
        ("fresh", True, "true", True),
        ("fresh", False, "true", False),
        ("day", date(2024, 2, 29), "2024-02-29", True),
        ("word", "inf", "inf", True),
        ("word", "null", "null", True),
    ],
)
def test_values_written_as_text_are_those_of_the_column(
    store: SlideTable, field: str, own: MetadataValue, asked: str, finds: bool
) -> None:
    update_metadata(store, "slide", {field: own})
    wanted = ["slide"] if finds else []
    assert store.slides(ParsedText.from_query(store, f"{field}:{asked} kidney", expand=True).where) == wanted
    assert store.slides(combine_filters(store, [FieldFilter("metadata", field, (asked,))])) == wanted
    excluded = ParsedText.from_query(store, f"-{field}:{asked} kidney", expand=True).where
    assert store.slides(excluded) == sorted({"empty", "slide"} - set(wanted))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("count", value) for value in ("inf", "nan", "1.5", "many", "99999999999999999999", "-9223372036854775809")),
        *(("size", value) for value in ("1e400", "-1e400", "many", "1,5", "0x10")),
        *(("fresh", value) for value in ("2", "perhaps", "inf")),
        *(("day", value) for value in ("2023-02-29", "1", "soon", "10000-01-01")),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_its_field(store: SlideTable, field: str, value: str) -> None:
    for query in (f"{field}:{value} kidney", f'-{field}:"{value}"'):
        with pytest.raises(InputError, match=f"^{field}:{value}: the column {field} holds "):
            ParsedText.from_query(store, query, expand=True)
    with pytest.raises(InputError, match=f"^column {field}: '{value}' does not fit"):
        combine_filters(store, [FieldFilter("metadata", field, (value,))])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("count", value) for value in (math.inf, 1.5, 2**63, 10**400, date(2024, 2, 29), datetime(2024, 1, 1))),
        *(("size", value) for value in (10**400, 2**53 + 1, date(2024, 2, 29))),
        *(("fresh", value) for value in (2, 0.5, date(2024, 2, 29))),
        *(("day", value) for value in (1, True, math.inf)),
    ],
)
def test_a_typed_value_that_would_become_another_is_refused(
    store: SlideTable, field: str, value: MetadataValue
) -> None:
    with pytest.raises(InputError, match=f"column {field}: .* does not fit"):
        combine_filters(store, [FieldFilter("metadata", field, (value,))])


@pytest.mark.parametrize(
    "field", ["uri", "URI", "file_fingerprint", "width", "report", "global_vector", "report_facts", "_rowid"]
)
def test_columns_that_are_not_to_be_asked_for_are_no_fields(store: SlideTable, field: str) -> None:
    with pytest.raises(InputError, match="no such column") as refused:
        combine_filters(store, [FieldFilter("metadata", field, ("a",))])
    assert "uri" not in str(refused.value).partition("columns are")[2]
    if field[0] != "_":
        with pytest.raises(InputError, match="no such field") as refused:
            ParsedText.from_query(store, f"{field}:a kidney", expand=True)
        assert "uri" not in str(refused.value).partition("Fields are")[2]


def test_when_slides_were_added_is_a_field_of_days_and_none_of_typed_words(store: SlideTable) -> None:
    with pytest.raises(InputError, match="column created: 'a' does not fit"):
        combine_filters(store, [FieldFilter("metadata", "created", ("a",))])
    with pytest.raises(InputError, match="no such field"):
        ParsedText.from_query(store, "created:a kidney", expand=True)


def test_a_patient_may_be_named_in_a_field(store: SlideTable) -> None:
    for name in ("Schmidt, Anna", "anna SCHMIDT", "schmidt, anna"):
        assert store.slides(ParsedText.from_query(store, f'patient_id:"{name}" a', expand=True).where) == ["slide"]
        assert store.slides(ParsedText.from_query(store, f'-patient_id:"{name}" a', expand=True).where) == ["empty"]


def test_phrases_may_be_long(store: SlideTable) -> None:
    words = " ".join(f"w{number} \u00e9," for number in range(120))
    for report, finds in ((f"A.\n{words.upper()} end", True), (words.replace("w99", "w98"), False)):
        store.upsert([make_slide("slide", 1, report=report)])
        asked = ParsedText.from_query(store, f'"{words}"', expand=True)
        assert store.slides(asked.where) == (["slide"] if finds else [])


@pytest.mark.parametrize(
    ("query", "error"),
    [
        (lambda: TextQuery("organ:\ud800 kidney"), InputError),
        (lambda: TextQuery("kidney", without="\ud800"), InputError),
        (lambda: ReportText("kidney \ud800"), InputError),
        (lambda: Composed(ArchivedSlide("SIM-0000-00"), "kidney \ud800"), InputError),
        (lambda: ArchivedSlide("\ud800"), UnknownSlide),
        (lambda: ArchivedCase("\ud800"), UnknownCase),
    ],
)
def test_what_is_no_text_is_refused_in_words_of_ours(
    archive: Archive, query: Callable[[], TextQuery], error: type[Exception]
) -> None:
    with pytest.raises(error) as refused:
        archive.search(query())
    assert "--where" not in str(refused.value)


def test_a_search_for_words_answers_in_words(archive: Archive) -> None:
    with pytest.raises(InputError, match=r"^age:inf: the column age holds whole numbers"):
        archive.search(text="age:inf kidney")
    assert len(archive.search(text='"age:inf" kidney', k=10)) == 0
    assert len(archive.search(text="age inf kidney", k=10)) > 0
