"""All archives at once: asked by one field, with results that name their archives and lead to them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import open_page
from tests.browser.fresh import renew
from tests.browser.watched import accessibility_faults
from tests.server.running import RunningServer, serving

SLIDE = "SIM-0000-00"


@pytest.fixture(scope="module")
def two(indexed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server of the archive "cohort" and a copy, "second"."""
    folder = tmp_path_factory.mktemp("several")
    copy = shutil.copytree(indexed, folder / "second.archive")
    with serving([indexed, copy], folder / "state") as server:
        yield server


@pytest.fixture
def there(page: Page, two: RunningServer) -> Page:
    return open_page(page, renew(two))


def go(page: Page, fragment: str) -> None:
    page.evaluate("fragment => { location.hash = fragment; }", fragment)


def test_words_are_looked_for_in_all_archives(there: Page) -> None:
    go(there, "#/results?archive=cohort&ask=text&text=carcinoma")
    expect(there.locator("[data-slide]").first).to_be_visible()
    there.get_by_label("Archive", exact=True).select_option(label="All archives")
    found = there.get_by_role("list", name="Results").locator("[data-archive]")
    expect(found.first).to_be_visible()
    archives = {one.get_attribute("data-archive") for one in found.all()}
    assert archives == {"cohort", "second"}
    expect(there.get_by_text("Taken from the archives in turn")).to_be_visible()
    expect(there.get_by_text(re.compile("All fields are .* wide"))).to_be_visible()
    of_first = found.first.get_attribute("data-archive")
    expect(found.first.locator("img")).to_have_attribute("src", re.compile(f"/archives/{of_first}/.*/region"))
    expect(there.get_by_text("filters are listed for one archive at a time")).to_be_visible()
    assert accessibility_faults(there) == []
    last = there.locator("[data-archive=second]").first
    slide_id = last.get_attribute("data-slide") or ""
    last.get_by_role("link").click()
    expect(there.locator(".compare-head")).to_contain_text(slide_id)
    expect(there.get_by_label("Archive", exact=True)).to_have_value("second")


def test_a_slide_of_one_archive_is_looked_for_in_all(there: Page) -> None:
    go(there, f"#/results?archive=second&ask=slide&slide={SLIDE}")
    expect(there.locator("[data-slide]").first).to_be_visible()
    there.get_by_label("Archive", exact=True).select_option(label="All archives")
    found = there.get_by_role("list", name="Results")
    expect(found.locator("[data-archive=cohort]").first).to_be_visible()
    expect(found.locator(f"[data-slide='{SLIDE}']")).to_have_count(0)
    there.set_viewport_size({"width": 400, "height": 800})
    assert there.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_what_shows_one_archive_asks_which(there: Page) -> None:
    go(there, "#/overview?archive=*")
    expect(there.get_by_text("This view shows one archive at a time")).to_be_visible()
    go(there, "#/results?archive=*")
    there.get_by_role("main").get_by_role("link", name="second").click()
    expect(there.get_by_label("Archive", exact=True)).to_have_value("second")
