"""The jobs of benchmarks/page_jobs.py on the page of commit 0ec35838, as one did them there."""

from __future__ import annotations

import json
import re
from typing import Any

from benchmarks.page_hand import Hand
from benchmarks.page_jobs_world import REPORT, SENTENCE, NotPossible, World, listed, um_per_screen_px
from playwright.sync_api import Locator, Page
from tests.browser.watched import expect_loaded


def find_name(hand: Hand, world: World) -> str:
    """Ids are completed, names of files are not; here both are alike."""
    page = hand.page
    hand.click(tab(page, "Slide"))
    field = page.get_by_label("Slide of the archive to search with")
    hand.write_and_choose(field, world.part, page.locator("datalist option").first)
    results(page)
    hand.click(page.locator("a[data-result]").first)
    name = pane(page, "Query").get_attribute("aria-label") or ""
    return name.removeprefix("Query ")


def find_patient(hand: Hand, world: World) -> list[str]:
    """With any words, and a condition for those who know the columns."""
    page = hand.page
    hand.write(page.get_by_label("Words to look for"), "carcinoma")
    before = results(page)
    hand.click(page.get_by_text("SQL condition"))
    hand.write(page.get_by_label("Condition on the archive's columns"), f"patient_id = '{world.slide.patient_id}'")
    page.wait_for_function("before => document.querySelectorAll('li[data-slide]').length < before", arg=len(before))
    return results(page)


def ask_sentence(hand: Hand, _: World) -> list[str]:
    hand.write(hand.page.get_by_label("Words to look for"), SENTENCE)
    return results(hand.page)


def ask_report(hand: Hand, _: World) -> list[str]:
    page = hand.page
    hand.click(tab(page, "Report"))
    hand.paste(page.get_by_label("Text of a report"), REPORT)
    hand.click(page.get_by_role("button", name="Search", exact=True))
    return results(page)


def ask_dropped(hand: Hand, world: World) -> list[str]:
    hand.drop({"query.tiff": world.new_file(world.records.index(world.slide))})
    return results(hand.page)


def ask_region(hand: Hand, world: World) -> tuple[dict[str, int], list[str]]:
    viewer = pane(hand.page, "Slide")
    hand.click(viewer.get_by_role("button", name="Draw regions"))
    hand.draw(viewer.get_by_role("application", name="Drawing of regions"))
    with hand.page.expect_request("**/search") as asked:
        hand.click(hand.page.get_by_role("button", name="Search with 1 region").first)
    return region_of(asked.value.post_data), results(hand.page)


def filter_slides(hand: Hand, _: World) -> list[str]:
    if hand.page.get_by_role("checkbox").count():
        raise AssertionError("there are filters")
    raise NotPossible("filters come with results, and slides are listed for a question only")


def compare(hand: Hand, _: World) -> tuple[str, float, float]:
    page = hand.page
    hand.click(page.get_by_role("button", name="Search with this slide"))
    results(page)
    hand.click(page.locator("a[data-result]").first)
    sides = [pane(page, side) for side in ("Query", "Result")]
    for side in sides:
        hand.click(side.get_by_role("button", name="5\u00d7", exact=True))
        side.locator(".viewer-scale-magnification").get_by_text("5\u00d7", exact=True).wait_for()
    expect_loaded(page)
    name = sides[1].get_attribute("aria-label") or ""
    return name.removeprefix("Result "), um_per_screen_px(sides[0]), um_per_screen_px(sides[1])


def annotate(hand: Hand, _: World) -> Any:
    if hand.page.get_by_text("GeoJSON").count():
        raise AssertionError("there is GeoJSON")
    raise NotPossible("there are no annotations")


def share(hand: Hand, _: World) -> Any:
    hand.zoom_in(pane(hand.page, "Slide"))
    before = hand.page.url
    expect_loaded(hand.page)
    if hand.page.url != before:
        raise AssertionError("the address has the place")
    raise NotPossible("the address has no place and no zoom: a colleague sees the whole slide")


def add_upload(hand: Hand, world: World) -> Any:
    hand.drop({"new.tiff": world.new_file(0)})
    results(hand.page)
    raise NotPossible("uploads are asked with, and can't be added")


def make_worklist(*_: object) -> Any:
    raise NotPossible("slides are searched with one at a time")


def results(page: Page) -> list[str]:
    """The ids of the results, once they are there."""
    page.locator("a[data-result]").first.wait_for()
    expect_loaded(page)
    return listed(page)


def region_of(sent: str | None) -> dict[str, int]:
    """The region of a search that the page sent."""
    (region,) = json.loads(sent or "")["query"]["regions"]
    return {name: round(region[name]) for name in ("x", "y", "width", "height")}


def tab(page: Page, name: str) -> Locator:
    return page.get_by_role("tab", name=name, exact=True)


def pane(page: Page, side: str) -> Locator:
    """The viewer of one side, once its slide is shown."""
    found = page.get_by_role("region", name=re.compile(f"^{side} ")).first
    found.locator(".viewer-scale-line").wait_for()
    expect_loaded(page)
    return found
