"""Fixtures of the browser tests: a real headless Chromium, and a page that watches what it should not do."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from histoseek.client.client import Client
from histoseek.server.web_page import STATIC
from tests.browser.chromium import FLAGS, find_chromium
from tests.browser.fresh import renew
from tests.browser.watched import Watched, watch
from tests.server.running import RunningServer, serving
from tests.waiting import HANG_S

MAP_S = 900.0

PAGE_S = 90.0
"""What a page has not shown by then it won't show, also beside other work; to start a browser may take longer."""

expect.set_options(timeout=PAGE_S * 1000)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium without a window; tests are skipped where there is none.

    Of one module: its event loop runs in this thread, where other tests want to run their own.
    """
    program = find_chromium()
    if program is None:
        pytest.skip("no Chromium: run `make page`, or set HISTOSEEK_CHROMIUM to one")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=program.path,
            args=list(FLAGS),
            env={**os.environ, **program.environment},
            timeout=HANG_S * 1000,
        )
        yield found
        found.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A fresh profile with a large screen."""
    made = browser.new_context(viewport={"width": 1600, "height": 1000}, reduced_motion="reduce", locale="en")
    made.set_default_timeout(PAGE_S * 1000)
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


@pytest.fixture(scope="session")
def kept_server(indexed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """`histoseek serve` with an archive of ten simulated slides, named "cohort"; skips without the built page."""
    if not (STATIC / "index.html").is_file():
        pytest.skip("the page is not built: run `make page`")
    with serving([indexed], tmp_path_factory.mktemp("serving") / "state") as running:
        yield running


@pytest.fixture
def server(kept_server: RunningServer) -> RunningServer:
    """The kept server for one test: with a token of its own, and nothing on it that another test made."""
    return renew(kept_server)


@pytest.fixture
def client(server: RunningServer) -> Iterator[Client]:
    """Whoever uses the page, by another way."""
    with server.client() as made:
        yield made


@pytest.fixture
def opened(page: Page, server: RunningServer) -> Page:
    """The page of the server, opened with its token."""
    return open_page(page, server)


@pytest.fixture(scope="session")
def kept_map(kept_server: RunningServer) -> None:
    """The archive's map is made, for which code is compiled."""
    with Client(kept_server.url, kept_server.token, timeout_s=MAP_S) as client:
        client.get_map("cohort")


@pytest.fixture
def mapped(server: RunningServer, kept_map: None) -> RunningServer:
    """The server once it has made the archive's map."""
    return server


def open_page(page: Page, server: RunningServer) -> Page:
    """The page of a server, opened with its token."""
    page.goto(f"{server.url}#token={server.token}")
    page.get_by_role("search").wait_for()
    return page
