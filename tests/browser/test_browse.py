"""Leafing through an archive without a question: filters, ranges, orders, selections, and a patient's slides."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from histoseek.api import Archive
from histoseek.archive.schema import SlideRecord
from histoseek.search.scope.fields import FieldFilter
from histoseek.search.scope.listing import ListOptions
from tests.browser.watched import accessibility_faults, expect_loaded


@pytest.fixture
def records(indexed: Path) -> list[SlideRecord]:
    return Archive.open(indexed).records()


def listed(page: Page) -> Locator:
    return page.get_by_role("region", name="Slides of the archive").locator("[data-browse]")


def shown(page: Page) -> list[str]:
    expect_loaded(page)
    return listed(page).all_text_contents()


def newest(indexed: Path, *filters: FieldFilter, **options: object) -> list[str]:
    page = Archive.open(indexed).list_slides(ListOptions(filters=filters, **options))  # type: ignore[arg-type]
    return [one.slide_id for one in page.records]


def test_slides_are_there_without_a_question(opened: Page, indexed: Path, records: list[SlideRecord]) -> None:
    expect(opened.get_by_role("heading", name="10 slides")).to_be_visible()
    assert shown(opened) == newest(indexed)
    organ = records[0].organ
    opened.get_by_role("checkbox", name=re.compile(f"^{organ} ")).first.check()
    wanted = newest(indexed, FieldFilter("metadata", "organ", (organ,)))
    expect(listed(opened)).to_have_count(len(wanted))
    assert shown(opened) == wanted
    opened.get_by_role("button", name=f"Remove the filter Organ: {organ}").click()
    expect(listed(opened)).to_have_count(10)
    assert accessibility_faults(opened) == []


def test_a_range_is_set_by_keyboard_and_kept_in_the_address(
    opened: Page, indexed: Path, records: list[SlideRecord]
) -> None:
    ages = sorted({int(str(one.extra["age"])) for one in records})
    wanted = newest(indexed, FieldFilter("metadata", "age", (), ages[1]))
    lowest = opened.get_by_role("spinbutton", name="Age, from")
    lowest.fill(str(ages[1]))
    lowest.press("Enter")
    expect(listed(opened)).to_have_count(len(wanted))
    assert shown(opened) == wanted
    assert f"min.age={ages[1]}" in opened.url
    opened.reload()
    expect(opened.get_by_role("button", name=f"Remove the filter Age: from {ages[1]}")).to_be_visible()
    expect(listed(opened)).to_have_count(len(wanted))
    opened.get_by_role("img", name=re.compile("spread over age")).locator("g").first.click()
    expect(opened.get_by_role("button", name=re.compile("Remove the filter Age: .* to "))).to_be_visible()


def test_a_table_is_sorted_by_its_headings(opened: Page, indexed: Path) -> None:
    opened.get_by_role("button", name="Table", exact=True).click()
    opened.get_by_text("Columns", exact=True).click()
    opened.get_by_role("checkbox", name="Age", exact=True).check()
    opened.get_by_text("Columns", exact=True).click()
    heading = opened.get_by_role("columnheader", name="Age")
    heading.get_by_role("button").click()
    expect(heading).to_have_attribute("aria-sort", "ascending")
    assert shown(opened) == newest(indexed, sort="age", descending=False)
    heading.get_by_role("button").click()
    expect(heading).to_have_attribute("aria-sort", "descending")
    assert shown(opened) == newest(indexed, sort="age")
    assert "v.sort=age" in opened.url
    assert accessibility_faults(opened) == []
    opened.reload()
    expect(opened.get_by_role("columnheader", name="Age")).to_be_visible()


def test_slides_are_selected_and_taken_as_a_table(opened: Page, indexed: Path) -> None:
    ids = newest(indexed)
    box = lambda slide_id: opened.get_by_role("checkbox", name=f"Select {slide_id}")  # noqa: E731
    box(ids[0]).click()
    box(ids[2]).click(modifiers=["Shift"])
    bar = opened.get_by_role("region", name="Selected slides")
    expect(bar).to_contain_text("3 selected")
    expect(bar.get_by_role("button", name="Compare")).to_be_disabled()
    box(ids[1]).click()
    with opened.expect_download() as download:
        bar.get_by_role("button", name="Table (CSV)").click()
    rows = list(csv.DictReader(Path(download.value.path()).read_text("utf-8-sig").splitlines()))
    assert {row["slide_id"]: row["file_name"] for row in rows} == {ids[0]: f"{ids[0]}.tiff", ids[2]: f"{ids[2]}.tiff"}
    bar.get_by_role("button", name="Compare").click()
    expect(opened).to_have_url(re.compile(f"/compare.*slide={ids[0]}.*at={ids[2]}"))


def test_a_patient_has_a_page_with_all_slides_and_reports(opened: Page, records: list[SlideRecord]) -> None:
    record = next(one for one in records if one.report)
    own = {one.slide_id for one in records if one.patient_id == record.patient_id}
    opened.get_by_role("link", name=f"Patient {record.patient_id}").first.click()
    expect(opened.get_by_role("heading", name=f"Patient {record.patient_id}", level=1)).to_be_visible()
    cards = opened.locator("[data-browse]")
    expect(cards).to_have_count(len(own))
    assert {*cards.all_text_contents()} == own
    report = " ".join(opened.locator(".cases-reports").all_text_contents())
    assert all(word in report for word in re.findall(r"\w+", record.report or "")[:5])
    assert accessibility_faults(opened) == []
    opened.get_by_role("button", name="Search with this patient's slides").click()
    found = opened.get_by_role("region", name="Results").locator("a[data-result]")
    found.first.wait_for()
    assert own.isdisjoint(opened.locator("[data-slide]").evaluate_all("all => all.map(one => one.dataset.slide)"))


def test_the_way_back_leads_to_the_list(opened: Page, indexed: Path) -> None:
    opened.get_by_label("Sort by").select_option("title")
    expect(listed(opened).first).to_have_text(newest(indexed, sort="title")[0])
    listed(opened).nth(3).click()
    expect(opened).to_have_url(re.compile("/compare"))
    opened.go_back()
    assert shown(opened) == newest(indexed, sort="title")
