"""The page on a narrow screen, and on a low one, as when a page is zoomed."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from tests.browser.watched import accessibility_faults, expect_loaded
from tests.server.running import RunningServer

NARROW: ViewportSize = {"width": 400, "height": 800}
LOW: ViewportSize = {"width": 1280, "height": 640}
VIEWS = {
    "results?ask=text&text=carcinoma": "Slides",
    "compare": "Compare",
    "overview": "Overview",
    "collections": "Collections",
    "history": "History",
}
HEADER_IS_AWAY = "() => document.querySelector('.header').getBoundingClientRect().bottom <= 0"
HEADER_IS_THERE = "() => document.querySelector('.header').getBoundingClientRect().bottom > 0"

WIDER_THAN_WINDOW = """() => [...document.querySelectorAll('.app, .main, .main > *')]
    .filter((one) => one.scrollWidth > innerWidth + 1).map((one) => one.className)"""

FOOTER_BELOW = """() => document.querySelector('.footer').getBoundingClientRect().top
    >= document.querySelector('.results').getBoundingClientRect().bottom"""


def go(page: Page, address: str) -> None:
    page.evaluate("address => { location.hash = '/' + address }", address)


def ask(page: Page) -> None:
    go(page, "results?ask=text&text=carcinoma")
    page.locator("[data-result]").first.wait_for()


@pytest.mark.parametrize("view", VIEWS)
def test_no_view_is_wider_than_a_narrow_screen(mapped: RunningServer, opened: Page, view: str) -> None:
    opened.set_viewport_size(NARROW)
    ask(opened)
    if view == "compare":
        opened.locator("[data-result]").first.click()
    else:
        go(opened, view)
    expect(opened.get_by_role("main", name=VIEWS[view])).to_be_visible()
    opened.locator("h1").first.wait_for()
    expect_loaded(opened)
    assert opened.evaluate(WIDER_THAN_WINDOW) == []


@pytest.mark.parametrize("size", [NARROW, LOW], ids=["narrow", "low"])
def test_the_header_scrolls_away_and_is_there_again_with_another_view(opened: Page, size: ViewportSize) -> None:
    opened.set_viewport_size(size)
    ask(opened)
    opened.locator("[data-result]").last.focus()
    opened.locator("[data-result]").last.scroll_into_view_if_needed()
    opened.wait_for_function(HEADER_IS_AWAY)
    assert opened.evaluate(FOOTER_BELOW)
    opened.keyboard.press("H")
    expect(opened.get_by_role("heading", name="History")).to_be_visible()
    opened.wait_for_function(HEADER_IS_THERE)


def test_a_narrow_list_says_what_it_comes_to_and_leads_to_the_filters(opened: Page) -> None:
    opened.set_viewport_size(NARROW)
    ask(opened)
    assert accessibility_faults(opened) == []
    expect(opened.locator(".results-sentence")).to_be_visible()
    opened.get_by_role("button", name="Filters", exact=True).click()
    expect(opened.get_by_role("heading", name="Filters")).to_be_in_viewport()
