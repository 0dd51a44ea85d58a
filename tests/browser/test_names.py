"""Slides whose ids and diagnoses nobody gave: the page shows the names of their files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from histoseek.api import Archive
from tests.server.running import RunningServer, serving


@pytest.fixture(scope="module")
def unnamed(cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of files alone."""
    path = tmp_path_factory.mktemp("unnamed") / "files.archive"
    Archive.create(path).index([cohort])
    return path


@pytest.fixture
def unnamed_server(unnamed: Path, tmp_path: Path) -> Iterator[RunningServer]:
    with serving([unnamed], tmp_path / "state") as server:
        yield server


@pytest.fixture
def there(unnamed_server: RunningServer, page: Page) -> Page:
    """Closed before its server, of which it may still ask something."""
    page.goto(f"{unnamed_server.url}#token={unnamed_server.token}")
    page.get_by_role("search").wait_for()
    return page


def test_files_are_named_where_slides_are_shown(there: Page, unnamed: Path) -> None:
    slides = Archive.open(unnamed).records()
    names = re.compile("|".join(re.escape(Path(slide.uri).stem) for slide in slides))
    there.get_by_text("What can be asked").click()
    card = there.locator(".search-example-slide").first
    expect(card).to_contain_text(names)
    assert card.evaluate("one => one.scrollWidth <= one.clientWidth")
    card.click()
    first = there.locator("[data-slide]").first
    expect(first).to_contain_text(names)
    slide_id = first.get_attribute("data-slide") or ""
    assert first.inner_text().count(slide_id) == 1
    first.locator("[data-result]").click()
    expect(there.locator(".compare-head")).to_contain_text(names)
