"""The differential board: diagnoses side by side, moving as a region is drawn."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from histoseek.api import Archive
from tests.browser.watched import accessibility_faults, expect_loaded

ARCHIVE = "cohort"


@pytest.fixture
def query(indexed: Path) -> Iterator[str]:
    yield Archive.open(indexed).records()[0].slide_id


def open_board(page: Page, address: str) -> None:
    page.evaluate("address => { location.hash = address }", f"/board?archive={ARCHIVE}&{address}")
    columns(page).first.wait_for()
    expect_loaded(page)


def columns(page: Page) -> Locator:
    return page.locator("section.board-column")


def labels(page: Page) -> list[str]:
    return [one.inner_text() for one in columns(page).get_by_role("heading", level=2).all()]


def cases(column: Locator) -> list[str]:
    return [one.inner_text() for one in column.get_by_role("list").first.get_by_role("link").all()]


def test_the_board_shows_what_python_finds(opened: Page, indexed: Path, query: str) -> None:
    open_board(opened, f"ask=slide&slide={query}")
    wanted = Archive.open(indexed).differential(like=query)
    assert labels(opened) == [column.label for column in wanted]
    for shown, column in zip(columns(opened).all(), wanted, strict=True):
        assert cases(shown) == [result.slide_id for result in column.nearest]
        for term in column.terms:
            row = shown.get_by_role("row").filter(has_text=term.name).first
            expect(row).to_contain_text(f"{term.stated}\u00a0of\u00a0{term.judged}")
    assert accessibility_faults(opened) == []


def test_a_region_that_is_drawn_moves_the_board(opened: Page, query: str) -> None:
    open_board(opened, f"ask=slide&slide={query}")
    opened.get_by_role("button", name="Draw regions", exact=True).click()
    layer = opened.locator(".viewer-draw")
    box = layer.bounding_box()
    assert box
    with opened.expect_response(re.compile("/differential$")) as answered:
        opened.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + box["height"] * 0.4)
        opened.mouse.down()
        opened.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.6, steps=4)
        opened.mouse.up()
    asked = answered.value.request.post_data_json
    assert asked["query"]["kind"] == "region" and len(asked["query"]["regions"]) == 1
    expect(opened).to_have_url(re.compile("ask=region"))
    columns(opened).first.wait_for()


def test_diagnoses_are_added_changed_and_taken_out_and_are_in_the_address(opened: Page, query: str) -> None:
    open_board(opened, "ask=text&text=necrosis")
    before = labels(opened)
    removable = len(before) if len(before) > 2 else 0
    board = opened.get_by_role("main")
    expect(board.get_by_role("button", name=re.compile("^Remove"))).to_have_count(removable)
    added = opened.get_by_label("Add a diagnosis").locator("option").nth(1).inner_text()
    opened.get_by_label("Add a diagnosis").select_option(added)
    expect(columns(opened)).to_have_count(len(before) + 1)
    assert labels(opened) == [*before, added]
    board.get_by_role("button", name=f"Remove {before[0]}").click()
    expect(columns(opened)).to_have_count(len(before))
    wanted = [*before[1:], added]
    assert labels(opened) == wanted
    opened.reload()
    columns(opened).first.wait_for()
    assert labels(opened) == wanted


def test_a_board_without_a_question_says_how_to_ask(opened: Page) -> None:
    opened.evaluate("address => { location.hash = address }", f"/board?archive={ARCHIVE}")
    expect(opened.get_by_text("Search with a slide, a region or words first")).to_be_visible()


def test_results_lead_to_the_board(opened: Page, query: str) -> None:
    opened.evaluate("address => { location.hash = address }", f"/results?archive={ARCHIVE}&ask=slide&slide={query}")
    opened.get_by_role("link", name="Differential").click()
    columns(opened).first.wait_for()
    expect(opened.get_by_role("heading", level=1)).to_contain_text(query)
