"""Fixtures of the browser tests: a real headless Chromium, and a page that watches what it should not do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.browser.chromium import FLAGS, find_chromium
from tests.browser.watched import Watched, watch


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium without a window; tests are skipped where there is none."""
    path = find_chromium()
    if path is None:
        pytest.skip("no Chromium: run `make page`, or set HISTOSEEK_CHROMIUM to one")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield found
        found.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A fresh profile with a large screen."""
    made = browser.new_context(viewport={"width": 1600, "height": 1000}, reduced_motion="reduce", locale="en")
    made.set_default_timeout(15_000)
    yield made
    made.close()


@pytest.fixture
def watched(context: BrowserContext) -> Iterator[Watched]:
    """A page that fails its test when it logs an error, breaks the content security policy, or asks another host."""
    page = context.new_page()
    seen = watch(page)
    yield seen
    assert seen.complaints == []
    assert seen.foreign == []


@pytest.fixture
def page(watched: Watched) -> Page:
    """The page of `watched`."""
    return watched.page
