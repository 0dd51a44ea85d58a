"""What axe finds on every view and dialog, light and dark; and the work of a day by keys alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from histoseek.api import Archive
from tests.browser.conftest import PAGE_S, open_page
from tests.browser.screenshots import SCENES, THEMES, Tour, make_facts
from tests.browser.watched import accessibility_faults, expect_loaded
from tests.server.running import serving

ELSEWHERE = {"all", "overview", "adding", "phrases"}
"""Scenes that need another server or an archive that is aligned."""


@pytest.fixture(scope="module")
def tour(browser: Browser, indexed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tour]:
    """One page, which goes from scene to scene, on a server of its own: what it shows is to stay between the tests."""
    page = browser.new_page(viewport={"width": 1440, "height": 900}, reduced_motion="reduce", locale="en")
    page.set_default_timeout(PAGE_S * 1000)
    with serving([indexed], tmp_path_factory.mktemp("tour") / "state") as server, server.client() as client:
        open_page(page, server)
        yield Tour(page=page, server=server, files=(), **make_facts(client, Archive.open(indexed)))
        page.close()


@pytest.mark.parametrize("scene", [name for name in SCENES if name not in ELSEWHERE])
def test_every_scene_is_accessible(tour: Tour, scene: str) -> None:
    SCENES[scene](tour)
    faults = {}
    for theme in THEMES:
        tour.page.emulate_media(color_scheme="dark" if theme == "dark" else "light", reduced_motion="reduce")
        expect_loaded(tour.page)
        faults[theme] = accessibility_faults(tour.page)
    tour.page.keyboard.press("Escape")
    assert faults == {"light": [], "dark": []}


def test_a_slide_is_found_judged_collected_compared_and_annotated_by_keys(opened: Page, indexed: Path) -> None:
    slide_id = Archive.open(indexed).records()[0].slide_id
    keys = opened.keyboard
    keys.press("/")
    keys.type("adenocarcinoma")
    keys.press("Enter")
    opened.locator("a[data-result]").first.wait_for()
    expect_loaded(opened)
    opened.locator("[data-search-field]").blur()
    keys.press("j")
    keys.press("y")
    expect(opened.get_by_role("button", name="Relevant", pressed=True)).to_have_count(1)
    keys.press("c")
    stop_at(opened.get_by_role("dialog").get_by_label("Name"))
    keys.type("by keys")
    keys.press("Enter")
    expect(opened.get_by_role("dialog")).to_have_count(0)
    keys.press("j")
    keys.press("Enter")
    opened.wait_for_url("**/#/compare?**")
    opened.locator(".viewer-scale-magnification").first.wait_for()
    keys.press("y")
    expect(opened.get_by_role("button", name="Relevant", pressed=True)).to_have_count(1)
    keys.press("/")
    keys.press("ControlOrMeta+a")
    keys.type(slide_id)
    keys.press("Enter")
    viewer = opened.get_by_role("region", name=re.compile(f"^Slide .*{slide_id}")).first
    viewer.locator(".viewer-scale-magnification").wait_for()
    annotate(viewer)


def annotate(viewer: Locator) -> None:
    """Draw a rectangle by keys: a button of the toolbar, two corners."""
    keys = viewer.page.keyboard
    stop_at(viewer.get_by_role("button", name="Annotations", exact=True))
    keys.press("Enter")
    expect(viewer.get_by_role("button", name="Rectangle", pressed=True)).to_be_visible()
    for key in ("Enter", "Shift+ArrowRight", "Shift+ArrowDown", "Enter"):
        keys.press(key)
    expect(viewer.locator(".annotations-item")).to_have_count(1)
    stop_at(viewer.get_by_role("button", name="Delete"))
    keys.press("Enter")
    expect(viewer.locator(".annotations-item")).to_have_count(0)


def stop_at(wanted: Locator) -> None:
    """Press the tab key until an element has the focus, if it has not."""
    expect(wanted).to_be_visible()
    for _ in range(80):
        if wanted.evaluate("element => element === document.activeElement"):
            return
        wanted.page.keyboard.press("Tab")
    raise AssertionError("80 stops of the tab key do not lead there")


def test_slides_of_the_archive_are_selected_and_compared_by_keys(opened: Page) -> None:
    opened.locator("[data-browse]").first.wait_for()
    expect_loaded(opened)
    opened.locator("main").focus()
    opened.keyboard.press("1")
    opened.keyboard.press("3")
    bar = opened.get_by_role("region", name="Selected slides")
    expect(bar).to_contain_text("2 selected")
    opened.keyboard.press("Shift+Digit5")
    expect(bar).to_contain_text("4 selected")
    opened.keyboard.press("4")
    opened.keyboard.press("5")
    bar.get_by_role("button", name="Compare").press("Enter")
    opened.wait_for_url("**/#/compare?**")


def test_a_condition_that_was_typed_is_shown_once(opened: Page) -> None:
    field = opened.locator("[data-search-field]")
    field.fill("carcinoma organ:lung")
    field.press("Enter")
    opened.locator("a[data-result]").first.wait_for()
    chips = opened.get_by_role("list", name="Understood as").get_by_role("listitem")
    expect(chips).to_have_count(2)
    expect(opened.get_by_role("region", name="Active filters")).to_have_count(0)
