"""The map of an archive: counts, and ways to choose slides on it."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from histoseek.api import Archive
from tests.server.running import RunningServer


@pytest.fixture
def overview(mapped: RunningServer, opened: Page) -> Page:
    opened.evaluate("location.hash = '/overview?archive=cohort'")
    opened.get_by_role("application", name="Map of 10 slides").wait_for()
    return opened


def chosen(page: Page) -> Locator:
    return page.locator(".overview-chosen li")


def test_counts_are_those_of_the_archive(overview: Page, indexed: Path) -> None:
    wanted = Counter(record.diagnosis for record in Archive.open(indexed).records())
    rows = overview.get_by_role("table").get_by_role("row").all()[1:]
    shown = {row.get_by_role("cell").nth(0).inner_text(): row.get_by_role("cell").nth(1).inner_text() for row in rows}
    assert shown == {label: str(count) for label, count in wanted.items()}


def test_a_label_is_chosen_by_keys_and_leads_to_its_slides(overview: Page, indexed: Path) -> None:
    records = Archive.open(indexed).records()
    label = records[0].diagnosis or ""
    wanted = sorted(record.slide_id for record in records if record.diagnosis == label)
    overview.get_by_role("checkbox", name=label).press("Space")
    expect(chosen(overview)).to_have_count(len(wanted))
    assert sorted(chosen(overview).get_by_role("link").all_inner_texts()) == wanted
    chosen(overview).get_by_role("link", name=wanted[0]).click()
    expect(overview.get_by_role("region", name=f"Slide {wanted[0]}")).to_be_visible()
    overview.go_back()
    expect(overview.get_by_role("application", name="Map of 10 slides")).to_be_visible()


def test_a_lasso_around_all_chooses_all_and_a_click_leaves_one_out(overview: Page) -> None:
    overview.get_by_role("button", name="Lasso").click()
    box = overview.locator(".overview-map canvas").bounding_box()
    assert box
    corners = [(2, 2), (box["width"] - 2, 2), (box["width"] - 2, box["height"] - 2), (2, box["height"] - 2)]
    overview.mouse.move(box["x"] + 2, box["y"] + 2)
    overview.mouse.down()
    for x, y in corners:
        overview.mouse.move(box["x"] + x, box["y"] + y, steps=3)
    overview.mouse.up()
    expect(chosen(overview)).to_have_count(10)
    overview.get_by_role("button", name="Clear").click()
    expect(chosen(overview)).to_have_count(0)


def test_what_was_chosen_comes_into_view(overview: Page) -> None:
    overview.set_viewport_size({"width": 900, "height": 560})
    overview.get_by_role("button", name="Select all in view").click()
    expect(chosen(overview)).to_have_count(10)
    expect(overview.get_by_role("heading", name="10 slides")).to_be_in_viewport()


def test_all_in_view_are_chosen_after_moving_by_keys(overview: Page) -> None:
    overview.get_by_role("button", name="Select all in view").click()
    expect(chosen(overview)).to_have_count(10)
    for key in ["ArrowRight"] * 60:
        overview.get_by_role("application").press(key)
    overview.get_by_role("button", name="Select all in view").click()
    expect(chosen(overview)).to_have_count(0)
    overview.get_by_role("application").press("0")
    overview.get_by_role("button", name="Select all in view").click()
    expect(chosen(overview)).to_have_count(10)


def test_colours_follow_the_column_and_what_is_chosen_stays(overview: Page, indexed: Path) -> None:
    overview.get_by_role("button", name="Select all in view").click()
    overview.get_by_label("Colour by").select_option("organ")
    organs = {record.organ or "unknown" for record in Archive.open(indexed).records()}
    expect(overview.get_by_role("checkbox")).to_have_count(len(organs))
    for organ in organs:
        expect(overview.get_by_role("checkbox", name=organ)).to_be_checked()
    expect(overview).to_have_url(re.compile(r"v\.label=organ"))
