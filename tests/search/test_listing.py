"""Lists of the archive's slides in an order, page by page."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoseek.api import Archive
from histoseek.archive.schema import SlideRecord
from histoseek.errors import BadFilter, InputError
from histoseek.search.scope.fields import FieldFilter
from histoseek.search.scope.listing import ListOptions
from histoseek.search.scope.titles import make_title
from tests.search.typed_archive import COLUMNS, make_typed_archive

HASH = "0123456789abcdef"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return make_typed_archive(tmp_path_factory.mktemp("listing"))


def walk(archive: Archive, limit: int, **options: Any) -> list[str]:
    """The ids of all pages."""
    found: list[str] = []
    after: str | None = ""
    while after is not None:
        page = archive.list_slides(ListOptions(limit=limit, after=after, **options))
        found += [one.slide_id for one in page.records]
        after = page.next
        assert len(page.records) == limit or after is None
    assert page.total == len(found)
    return found


def sort_naively(records: list[SlideRecord], key: Callable[[SlideRecord], Any], descending: bool) -> list[str]:
    """By value, those without one last, those with the same one by id."""
    by_id = sorted(records, key=lambda one: one.slide_id)
    there = [one for one in by_id if key(one) is not None]
    ordered = sorted(there, key=lambda one: fold(key(one)), reverse=descending)
    if descending:
        # Sorting the other way round keeps those of one value in their order.
        ordered = sorted(there, key=lambda one: fold(key(one)))[::-1]
        ordered.sort(key=lambda one: one.slide_id)
        ordered.sort(key=lambda one: fold(key(one)), reverse=True)
    return [one.slide_id for one in (*ordered, *(one for one in by_id if key(one) is None))]


def fold(value: Any) -> Any:
    return (value.lower(), value) if isinstance(value, str) else value


@given(
    sort=st.sampled_from((*COLUMNS, "slide_id", "diagnosis", "created", "tile_count")),
    descending=st.booleans(),
    limit=st.integers(1, 30),
    narrowed=st.booleans(),
)
@settings(max_examples=40)
def test_pages_are_the_sorted_slides(archive: Archive, sort: str, descending: bool, limit: int, narrowed: bool) -> None:
    filters = (FieldFilter("metadata", "count", (None,), 0, 7),) if narrowed else ()
    records = [one for one in archive.records() if not narrowed or one.extra["count"] in (None, 0, 7)]
    wanted = sort_naively(records, lambda one: one.extra[sort] if sort in COLUMNS else getattr(one, sort), descending)
    assert walk(archive, limit, sort=sort, descending=descending, filters=filters) == wanted


def test_the_newest_come_first(archive: Archive) -> None:
    records = archive.list_slides().records
    assert [one.created for one in records] == sorted((one.created for one in records), reverse=True)
    assert {one.slide_id for one in records} == {one.slide_id for one in archive.records()}


def test_pages_go_on_while_slides_come_and_go(archive: Archive, tmp_path: Path) -> None:
    changing = Archive.open(shutil.copytree(archive.path, tmp_path / "archive"))
    options = {"sort": "word", "descending": True}
    first = changing.list_slides(ListOptions(limit=10, **options))
    last = first.records[-1].slide_id
    changing.remove([last, first.records[0].slide_id])
    rest = changing.list_slides(ListOptions(limit=100, after=first.next or "", **options))
    whole = walk(archive, 50, **options)
    assert [one.slide_id for one in rest.records] == whole[10:]
    assert rest.total == 22


def test_a_part_of_a_name_narrows_the_list(archive: Archive) -> None:
    assert walk(archive, 4, name="-01", sort="slide_id", descending=False) == [
        f"slide-{at:03d}" for at in range(10, 20)
    ]
    assert walk(archive, 5, name="PATIENT-7") == ["slide-007"]
    few = FieldFilter("metadata", "diagnosis", ("class 1",))
    assert walk(archive, 5, name="-01", filters=(few,), sort="slide_id") == [
        "slide-019",
        "slide-016",
        "slide-013",
        "slide-010",
    ]
    assert walk(archive, 5, name="nobody") == []
    assert len(walk(archive, 5, name="  ")) == 24


def test_titles_are_ids_or_names_of_files() -> None:
    assert make_title("slide-1", "/a/b.svs") == "slide-1"
    assert make_title(HASH, "/a/Größe 1.svs") == "Größe 1.svs"
    assert make_title(HASH * 2, "/a/b.svs") == "b.svs"
    assert make_title(HASH, "") == HASH
    assert make_title(HASH[:-1], "/a/b.svs") == HASH[:-1]


def test_slides_are_sorted_by_what_people_call_them(archive: Archive) -> None:
    wanted = sorted(one.slide_id for one in archive.records())
    assert walk(archive, 7, sort="title", descending=False) == wanted


@pytest.mark.parametrize("sort", ["uri", "file_fingerprint", "report", "global_vector", "_checksum", "nothing"])
def test_what_is_no_order_is_refused(archive: Archive, sort: str) -> None:
    with pytest.raises(InputError, match="nothing to sort by"):
        archive.list_slides(ListOptions(sort=sort))


@given(after=st.one_of(st.text(min_size=1, max_size=40), st.sampled_from(["W10", "eyJhIjoxfQ", "W1tbW1tb" * 400])))
def test_what_is_no_cursor_is_refused(archive: Archive, after: str) -> None:
    with pytest.raises(InputError, match="not from this list"):
        archive.list_slides(ListOptions(after=after))


def test_a_cursor_of_another_order_is_refused(archive: Archive) -> None:
    cursor = archive.list_slides(ListOptions(limit=1)).next or ""
    for options in ({"descending": False}, {"sort": "updated"}):
        with pytest.raises(InputError, match="not from this list"):
            archive.list_slides(ListOptions(after=cursor, **options))  # type: ignore[arg-type]


def test_wrong_filters_and_sizes_are_refused(archive: Archive) -> None:
    with pytest.raises(BadFilter):
        archive.list_slides(ListOptions(where="nothing = 1"))
    for limit in (0, 1001):
        with pytest.raises(InputError, match="size of a page"):
            ListOptions(limit=limit)


def test_an_empty_archive_has_no_slides(tmp_path: Path) -> None:
    page = Archive.create(tmp_path / "archive").list_slides()
    assert (page.records, page.total, page.next) == ((), 0, None)
