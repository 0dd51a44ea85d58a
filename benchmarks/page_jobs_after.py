"""The jobs of benchmarks/page_jobs.py on the page of today."""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks.page_hand import Hand
from benchmarks.page_jobs_before import pane, region_of, results
from benchmarks.page_jobs_world import (
    DIAGNOSIS,
    REPORT,
    SENTENCE,
    WORKLIST,
    World,
    listed,
    um_per_screen_px,
)
from playwright.sync_api import Locator, Page, expect
from tests.browser.watched import expect_loaded
from tests.server.conftest import new_token

NEW = "new-slide"
PAUSE_MS = 300


def find_name(hand: Hand, world: World) -> str:
    hand.write(field(hand.page), world.part)
    hand.page.wait_for_url("**at=**")
    pane(hand.page, "Slide")
    found = re.search(r"at=([^&]+)", hand.page.url)
    return found[1] if found else ""


def find_patient(hand: Hand, world: World) -> list[str]:
    hand.write(field(hand.page), world.slide.patient_id or "")
    hand.page.get_by_role("list", name="Understood as").get_by_text(f"{world.slide.patient_id}").first.wait_for()
    return listed_later(hand.page)


def ask_sentence(hand: Hand, _: World) -> list[str]:
    hand.write(field(hand.page), SENTENCE)
    return results(hand.page)


def ask_report(hand: Hand, _: World) -> list[str]:
    hand.paste(field(hand.page), REPORT, then_enter=True)
    return results(hand.page)


def ask_dropped(hand: Hand, world: World) -> list[str]:
    hand.drop({"query.tiff": world.new_file(world.records.index(world.slide))})
    return results(hand.page)


def ask_region(hand: Hand, world: World) -> tuple[dict[str, int], list[str]]:
    viewer = pane(hand.page, "Slide")
    hand.click(viewer.get_by_role("button", name="Draw regions"))
    hand.draw(viewer.get_by_role("application", name="Drawing of regions"))
    with hand.page.expect_request("**/search") as asked:
        hand.click(viewer.get_by_role("button", name="Search with 1 region"))
    return region_of(asked.value.post_data), results(hand.page)


def filter_slides(hand: Hand, _: World) -> list[str]:
    hand.click(hand.page.get_by_role("checkbox", name=re.compile(f"^{DIAGNOSIS} ")).first)
    hand.page.wait_for_url("**f.diagnosis=**")
    return listed_later(hand.page)


def compare(hand: Hand, _: World) -> tuple[str, float, float]:
    page = hand.page
    hand.click(page.get_by_role("button", name="Search with this slide"))
    results(page)
    hand.click(page.locator("a[data-result]").first)
    one, other = (pane(page, side) for side in ("Query", "Result"))
    found = re.search(r"at=([^&]+)", page.url)
    return found[1] if found else "", um_per_screen_px(one), um_per_screen_px(other)


def annotate(hand: Hand, world: World) -> Path:
    viewer = pane(hand.page, "Slide")
    hand.click(viewer.get_by_role("button", name=re.compile("^Annotations")))
    hand.draw(viewer.locator(".viewer-stage"))
    export = viewer.get_by_role("button", name="Export GeoJSON")
    expect(export).to_be_enabled()
    with hand.page.expect_download() as download:
        hand.click(export)
    saved = world.folder / "annotations.geojson"
    download.value.save_as(saved)
    return saved


def share(hand: Hand, world: World) -> tuple[bytes, bytes]:
    page = hand.page
    hand.zoom_in(stage(page))
    picture(page)
    hand.click(page.get_by_role("button", name="Copy link to this view"))
    page.get_by_text("Link copied").wait_for()
    link = page.evaluate("() => navigator.clipboard.readText()")
    other = hand.open_profile(world.colleague())
    hand.open(other, link)
    hand.write(other.get_by_label("Token"), new_token(world.server, "read"))
    return picture(page), picture(other)


def add_upload(hand: Hand, world: World) -> str:
    page = hand.page
    hand.drop({f"{NEW}.tiff": world.new_file(0)})
    hand.click(page.get_by_role("log").get_by_role("button", name="Add to"))
    hand.click(page.get_by_role("dialog").get_by_role("button", name="Add 1 slide"))
    page.get_by_text("1 added").first.wait_for()
    return NEW


def make_worklist(hand: Hand, world: World) -> dict[str, str]:
    page = hand.page
    hand.drop(world.worklist_files())
    hand.click(page.get_by_role("dialog").get_by_role("button", name="Make a worklist"))
    page.locator(".worklists-progress").get_by_text("Done").wait_for()
    rows = page.get_by_role("table").locator("tbody tr")
    expect(rows).to_have_count(WORKLIST)
    return {row.locator("th, td").first.inner_text(): row.locator("li a").first.inner_text() for row in rows.all()}


def field(page: Page) -> Locator:
    return page.get_by_role("combobox", name="Search the archive")


def listed_later(page: Page) -> list[str]:
    """What is listed, once it is there."""
    page.locator("main [data-slide]").first.wait_for()
    expect_loaded(page)
    return listed(page)


def stage(page: Page) -> Locator:
    return pane(page, "Slide").locator(".viewer-canvas")


def picture(page: Page) -> bytes:
    """What is seen of the slide, once it does not change any more."""
    shown = stage(page)
    before = b""
    while (now := shown.screenshot()) != before:
        before = now
        page.wait_for_timeout(PAUSE_MS)
    return now
