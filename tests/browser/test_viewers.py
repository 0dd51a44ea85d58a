"""The two slides of a comparison: zoom, lock, matches, regions drawn by keys."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from histoseek.api import Archive
from tests.browser.watched import expect_loaded

SELECTED_IN_THE_MIDDLE = """(pane) => {
  const middle = (selector) => {
    const { x, y, width, height } = pane.querySelector(selector).getBoundingClientRect();
    return [x + width / 2, y + height / 2];
  };
  const [frame, stage] = [middle(".viewer-frame.is-selected"), middle("[role=application]")];
  return Math.abs(frame[0] - stage[0]) <= 3 && Math.abs(frame[1] - stage[1]) <= 3;
}"""
PX = re.compile(r"translate\(([-\d.]+)px, ([-\d.]+)px\)")


@pytest.fixture
def compared(opened: Page, indexed: Path) -> Page:
    """The comparison of a slide with the one most like it."""
    archive = Archive.open(indexed)
    query = archive.records()[0].slide_id
    result = next(iter(archive.search(like=query, k=1))).slide_id
    opened.evaluate(
        "address => { location.hash = address }", f"/compare?archive=cohort&ask=slide&slide={query}&at={result}"
    )
    for side in ("Query", "Result"):
        expect(magnification(pane(opened, side))).to_be_visible()
    # Maps have come when their contours can be chosen.
    expect(opened.get_by_label("Overlay")).to_be_enabled()
    return opened


def pane(page: Page, side: str) -> Locator:
    return page.get_by_role("region", name=re.compile(f"^{side} ")).first


def magnification(viewer: Locator) -> Locator:
    return viewer.locator(".viewer-scale-magnification")


def stage(viewer: Locator) -> Locator:
    return viewer.get_by_role("application").first


def place(viewer: Locator) -> tuple[float, float]:
    """Where the first match is framed, in px of the viewer."""
    found = PX.search(viewer.locator(".viewer-frame-match").first.get_attribute("style") or "")
    assert found
    return float(found[1]), float(found[2])


def test_magnifications_are_of_the_scan(compared: Page) -> None:
    viewer = pane(compared, "Result")
    wanted = viewer.get_by_role("button", name="10\u00d7")
    wanted.click()
    expect(magnification(viewer)).to_have_text("10\u00d7")
    expect(wanted).to_have_attribute("aria-pressed", "true")
    # The slides are of 0.5 um per px: 20x and no more.
    expect(viewer.get_by_role("button", name="20\u00d7")).to_be_enabled()
    expect(viewer.get_by_role("button", name="40\u00d7")).to_be_disabled()


@pytest.mark.parametrize(("times", "um_per_px"), [("5\u00d7", 2.0), ("20\u00d7", 0.5)])
def test_the_scale_bar_is_as_long_as_it_says(compared: Page, times: str, um_per_px: float) -> None:
    viewer = pane(compared, "Query")
    viewer.get_by_role("button", name=times, exact=True).click()
    expect(magnification(viewer)).to_have_text(times)
    bar = viewer.get_by_role("img", name=re.compile("Scale bar"))
    said = re.search(r"([\d.]+) \u00b5m", bar.get_attribute("aria-label") or "")
    box = bar.locator(".viewer-scale-line").bounding_box()
    assert said and box
    assert box["width"] * um_per_px == pytest.approx(float(said[1]), rel=0.02)


def test_locked_slides_move_by_the_same_length_of_tissue(compared: Page) -> None:
    query, result = pane(compared, "Query"), pane(compared, "Result")
    compared.get_by_role("button", name="Same scale on both slides").click()
    query.get_by_role("button", name="10\u00d7").click()
    expect(magnification(query)).to_have_text("10\u00d7")
    result.get_by_role("button", name="5\u00d7", exact=True).click()
    expect(magnification(result)).to_have_text("5\u00d7")
    compared.get_by_role("button", name="Move both slides together").click()
    before = place(query), place(result)
    stage(query).press("ArrowDown")
    expect_moved(query, before[0])
    expect_moved(result, before[1])
    moved = [was[1] - now[1] for was, now in zip(before, (place(query), place(result)), strict=True)]
    assert moved[0] == pytest.approx(2 * moved[1], abs=1)
    result.get_by_role("button", name="10\u00d7").click()
    expect(magnification(query)).to_have_text("20\u00d7")
    compared.get_by_role("button", name="Move both slides together").click()
    result.get_by_role("button", name="5\u00d7", exact=True).click()
    expect(magnification(result)).to_have_text("5\u00d7")
    expect(magnification(query)).to_have_text("20\u00d7")


def expect_moved(viewer: Locator, before: tuple[float, float]) -> None:
    old = re.compile(re.escape(f"{before[1]}px)"))
    expect(viewer.locator(".viewer-frame-match").first).not_to_have_attribute("style", old)


def test_a_match_leads_both_slides_there(compared: Page) -> None:
    compared.get_by_role("button", name=re.compile("^Match 1 similarity")).click()
    for side in ("Query", "Result"):
        expect(pane(compared, side).locator(".viewer-frame.is-selected")).to_have_count(1)
        compared.wait_for_function(SELECTED_IN_THE_MIDDLE, arg=pane(compared, side).element_handle())


def test_regions_are_drawn_moved_and_taken_away_by_keys(compared: Page) -> None:
    viewer = pane(compared, "Result")
    viewer.get_by_role("button", name="Draw regions").press("Enter")
    drawing = viewer.get_by_role("application", name="Drawing of regions")
    expect(drawing).to_be_focused()
    for key in ("ArrowRight", "Shift+ArrowDown", "Enter", "Enter", "ArrowLeft", "Enter"):
        compared.keyboard.press(key)
    regions = viewer.get_by_role("list", name="Drawn regions").get_by_role("listitem")
    expect(regions).to_have_count(2)
    compared.keyboard.press("Escape")
    expect(drawing).to_have_count(0)
    expect(stage(viewer)).to_be_focused()
    regions.first.get_by_role("button", name="Remove region A").click()
    expect(regions).to_have_count(1)
    expect(viewer.get_by_role("button", name="Search with 1 region")).to_be_visible()


def test_viewers_go_with_their_view(compared: Page) -> None:
    containers = compared.locator(".openseadragon-container")
    expect(containers).to_have_count(2)
    compared.get_by_role("link", name="History").click()
    expect(containers).to_have_count(0)
    compared.go_back()
    expect(containers).to_have_count(2)


def test_what_was_asked_once_is_not_asked_again(compared: Page) -> None:
    first = pane(compared, "Result").get_attribute("aria-label") or ""
    compared.get_by_role("button", name="Next result").click()
    expect(pane(compared, "Result")).not_to_have_attribute("aria-label", first)
    expect_all_there(compared)
    asked: list[str] = []
    compared.on("request", lambda request: asked.append(request.url))
    compared.get_by_role("button", name="Previous result").click()
    expect(pane(compared, "Result")).to_have_attribute("aria-label", first)
    expect_all_there(compared)
    # Annotations are asked for anew: others may have shared some meanwhile.
    assert [url for url in asked if "/image_files/" not in url and not url.endswith("/annotations")] == []


def expect_all_there(page: Page) -> None:
    """Wait for the maps of weights, the pictures and the report of a comparison."""
    expect(page.get_by_label("Overlay")).to_be_enabled()
    expect_loaded(page)
