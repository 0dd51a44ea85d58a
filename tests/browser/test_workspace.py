"""The workspace around slides: room for tissue, one scale, turned slides, contours, links to a view, keys."""

from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.sync_api import ElementHandle, Locator, Page, Route, ViewportSize, expect

from histoseek.api import Archive
from histoseek.client.client import Client
from histoseek.geometry import Rect, Size
from histoseek.rest.annotations import NewAnnotations
from histoseek.rest.queries import SearchRequest, SlideQuery, SlideRef
from histoseek.slides.slide import open_slide
from tests.browser.watched import accessibility_faults, expect_loaded
from tests.server.running import RunningServer

LEAST_SHARE = 0.7
SIZES = [ViewportSize(width=1440, height=900), ViewportSize(width=1920, height=1080)]
FRAME_PX = 4
HIDE_LABELS = "document.querySelectorAll('.viewer-frame-label').forEach((one) => { one.style.visibility = 'hidden' })"

# Of the first match's frame: its middle, seen from the middle of the stage, and its edge, in CSS px.
FRAME_ON_STAGE = """(pane) => {
  const middle = ({ x, y, width, height }) => [x + width / 2, y + height / 2];
  const frame = pane.querySelector(".viewer-frame-match");
  if (!frame) return [NaN, NaN, NaN];
  const [at, from] = [frame, pane.querySelector(".viewer-slide")].map((one) => middle(one.getBoundingClientRect()));
  return [at[0] - from[0], at[1] - from[1], frame.offsetWidth];
}"""

IS_IN_THE_MIDDLE = "([across, down]) => Math.abs(across) <= 3 && Math.abs(down) <= 3"
SAME_MAGNIFICATION = """() => {
  const [one, other] = [...document.querySelectorAll(".viewer-scale-magnification")].map((each) => each.textContent);
  return one !== undefined && one === other;
}"""


@pytest.fixture
def query_id(indexed: Path) -> str:
    return Archive.open(indexed).records()[0].slide_id


@pytest.fixture
def compared(opened: Page, query_id: str) -> Page:
    """The comparison of a slide with the one most like it, with its list of results."""
    go(opened, f"/results?archive=cohort&ask=slide&slide={query_id}")
    opened.locator("a[data-result]").first.click()
    wait_for_both(opened)
    return opened


def go(page: Page, address: str) -> None:
    page.evaluate("address => { location.hash = address }", address)


def wait_for_both(page: Page) -> None:
    for side in ("Query", "Result"):
        expect(pane(page, side).locator(".viewer-frame-match").first).to_be_attached()
    expect(page.get_by_label("Overlay")).to_be_enabled()
    expect_loaded(page)


def pane(page: Page, side: str) -> Locator:
    return page.get_by_role("region", name=re.compile(f"^{side} ")).first


def magnification(viewer: Locator) -> Locator:
    return viewer.locator(".viewer-scale-magnification")


def handle(page: Page, side: str) -> ElementHandle:
    found = pane(page, side).element_handle()
    assert found
    return found


def stage(viewer: Locator) -> Locator:
    return viewer.get_by_role("application").first


def scale_um(viewer: Locator) -> float:
    """Of one screen px, measured at the scale bar."""
    bar = viewer.get_by_role("img", name=re.compile("Scale bar"))
    length = bar.locator(".viewer-scale-line").bounding_box()
    said = re.search(r"([\d.]+) (\u00b5m|mm)", bar.get_attribute("aria-label") or "")
    assert length and said
    return float(said[1]) * (1000 if said[2] == "mm" else 1) / length["width"]


def first_frame(viewer: Locator) -> tuple[float, float, float]:
    across, down, edge = viewer.evaluate(FRAME_ON_STAGE)
    return across, down, edge


@pytest.mark.parametrize("size", SIZES, ids=["1440", "1920"])
def test_tissue_has_most_of_the_height(compared: Page, query_id: str, size: ViewportSize) -> None:
    compared.set_viewport_size(size)
    heights = [box["height"] for one in compared.locator(".viewer-stage").all() if (box := one.bounding_box())]
    assert len(heights) == 2
    go(compared, f"/compare?archive=cohort&at={query_id}")
    expect(pane(compared, "Slide")).to_be_visible()
    expect_loaded(compared)
    alone = compared.locator(".viewer-stage").bounding_box()
    assert alone
    assert min(*heights, alone["height"]) >= LEAST_SHARE * size["height"]
    assert accessibility_faults(compared) == []


def test_both_slides_have_one_scale_until_it_is_let_go(compared: Page) -> None:
    query, result = pane(compared, "Query"), pane(compared, "Result")
    assert scale_um(query) == pytest.approx(scale_um(result), rel=0.02)
    before, told = scale_um(query), magnification(query).inner_text()
    stage(result).press("+")
    expect(magnification(query)).not_to_have_text(told)
    compared.wait_for_function(SAME_MAGNIFICATION)
    assert scale_um(query) == pytest.approx(before / 1.6, rel=0.02)
    assert scale_um(result) == pytest.approx(before / 1.6, rel=0.02)
    # The slides are of one scan, so that equal frames of it are equally wide.
    assert first_frame(query)[2] == pytest.approx(first_frame(result)[2], abs=1)
    compared.get_by_role("button", name="Same scale on both slides").click()
    result.get_by_role("button", name="5\u00d7", exact=True).click()
    expect(magnification(result)).to_have_text("5\u00d7")
    assert scale_um(result) > 1.5 * scale_um(query)
    compared.get_by_role("button", name="Same scale on both slides").click()
    expect(magnification(query)).to_have_text("5\u00d7")


def test_the_code_of_a_comparison_comes_before_it_is_opened_and_thumbnails_last(opened: Page, query_id: str) -> None:
    go(opened, f"/results?archive=cohort&ask=slide&slide={query_id}")
    opened.wait_for_function(
        "() => performance.getEntriesByType('resource').some(({ name }) => name.includes('compare-view'))"
    )
    assert opened.locator("main img:not([fetchpriority=low])").count() == 0


@pytest.mark.parametrize("keys", ["r", "m", "Rm"], ids=["right", "flipped", "left and flipped"])
def test_frames_stay_on_their_tissue_when_a_slide_is_turned(
    compared: Page, server: RunningServer, indexed: Path, query_id: str, keys: str
) -> None:
    viewer = pane(compared, "Result")
    for key in keys:
        stage(viewer).press(key)
    expect_loaded(compared)
    slide_id = re.search(r"at=([^&]+)", compared.url)
    assert slide_id
    frame = viewer.locator(".viewer-frame-match").first
    region = first_region(server, query_id, slide_id[1])
    compared.evaluate(HIDE_LABELS)
    box = frame.bounding_box()
    assert box
    picture = cv2.imdecode(np.frombuffer(compared.screenshot(clip=box), np.uint8), cv2.IMREAD_GRAYSCALE)
    shown = picture[FRAME_PX:-FRAME_PX, FRAME_PX:-FRAME_PX]
    with open_slide(Path(Archive.open(indexed).get(slide_id[1]).record.uri)) as slide:
        read = slide.read_at(slide.spacing_um_per_px, region, Size(picture.shape[1], picture.shape[0]))
    wanted = cv2.cvtColor(read, cv2.COLOR_RGB2GRAY)
    turned = turn(wanted, keys)[FRAME_PX:-FRAME_PX, FRAME_PX:-FRAME_PX]
    assert alike(shown, turned) > 0.8
    assert alike(shown, turned) > alike(shown, wanted[FRAME_PX:-FRAME_PX, FRAME_PX:-FRAME_PX]) + 0.1


def first_region(server: RunningServer, query_id: str, slide_id: str) -> Rect:
    """Where the first match is on the result, as the server says it."""
    query = SearchRequest(query=SlideQuery(slide=SlideRef(slide_id=query_id)), k=1)
    with server.client() as client:
        found = client.search("cohort", query).results[0]
    assert found.slide_id == slide_id
    region = found.matches[0].result_region
    assert region
    return Rect(region.x, region.y, region.width, region.height)


def turn(picture: np.ndarray, keys: str) -> np.ndarray:
    """As the keys of a viewer do: r to the right, R to the left, m exchanges left and right."""
    for key in keys:
        picture = np.fliplr(picture) if key == "m" else np.rot90(picture, -1 if key == "r" else 1)
    return picture


def alike(one: np.ndarray, other: np.ndarray) -> float:
    """The correlation of two pictures, a little blurred: scaling differs in detail."""
    blurred = [cv2.GaussianBlur(picture.astype(np.float32), (0, 0), 1.5).ravel() for picture in (one, other)]
    return float(np.corrcoef(*blurred)[0, 1])


def test_a_link_shows_the_same_tissue_on_another_screen(compared: Page, server: RunningServer) -> None:
    compared.context.grant_permissions(["clipboard-read", "clipboard-write"])
    query, result = pane(compared, "Query"), pane(compared, "Result")
    compared.get_by_role("button", name="Match 1").first.click()
    stage(result).press("ArrowRight")
    stage(result).press("m")
    stage(query).press("r")
    before = first_frame(query), first_frame(result)
    compared.get_by_role("button", name="Copy link to this view").click()
    expect(compared.get_by_text("Link copied")).to_be_visible()
    link = compared.evaluate("() => navigator.clipboard.readText()")
    other = compared.context.new_page()
    other.set_viewport_size(SIZES[1])
    other.goto(link)
    wait_for_both(other)
    for side, (across, down, edge) in zip(("Query", "Result"), before, strict=True):
        expect(pane(other, side).locator(".viewer-frame-match").first).to_be_attached()
        assert first_frame(pane(other, side)) == pytest.approx((across, down, edge), abs=1.5)
    assert other.url == link


def choose_points(page: Page) -> None:
    """Two clicks in a row of the query, and two in a column of the result."""
    page.get_by_role("button", name="Align by two points").click()
    told = page.get_by_text(re.compile("Query . of 2"))
    for side, ways in (("Query", [(-80, 0), (80, 0)]), ("Result", [(0, -80), (0, 80)])):
        box = stage(pane(page, side)).bounding_box()
        assert box
        for number, (right, down) in enumerate(ways, 1):
            page.mouse.click(box["x"] + box["width"] / 2 + right, box["y"] + box["height"] / 2 + down)
            if side == "Query":
                expect(told).to_contain_text(f"Query {number} of 2")
    expect(told).to_have_count(0)
    expect(page).to_have_url(re.compile(r"v\.view=[^&]*%2C270%3A"))


def test_two_points_on_either_side_lay_the_slides_on_each_other(compared: Page) -> None:
    choose_points(compared)
    locked = compared.get_by_role("button", name="Move both slides together")
    expect(locked).to_have_attribute("aria-pressed", "true")
    before = [first_frame(pane(compared, side)) for side in ("Query", "Result")]
    stage(pane(compared, "Query")).press("ArrowDown")
    compared.wait_for_function(
        f"(pane) => ({FRAME_ON_STAGE})(pane)[1] < {before[1][1] - 1}", arg=handle(compared, "Result")
    )
    moved = [
        (was[0] - now[0], was[1] - now[1])
        for was, now in zip(before, [first_frame(pane(compared, side)) for side in ("Query", "Result")], strict=True)
    ]
    assert moved[0][1] > 20
    assert moved[1] == pytest.approx(moved[0], abs=1)


def test_points_are_chosen_whatever_lies_over_the_slide(compared: Page, server: RunningServer, query_id: str) -> None:
    result_id = re.findall(r"[?&]at=([^&]+)", compared.url)[0]
    with server.client() as client:
        ids = [annotate_all(client, slide_id) for slide_id in (query_id, result_id)]
    go(compared, f"/{compared.url.split('#/')[1]}&v.annotation={ids[1]}")
    expect(compared).to_have_url(re.compile(r"v\.annotation="))
    compared.reload()
    wait_for_both(compared)
    expect(pane(compared, "Result").locator(".annotations-handle").first).to_be_visible()
    pane(compared, "Result").get_by_role("button", name="Close").click()
    pane(compared, "Query").get_by_role("button", name="Measure a distance").click()
    pane(compared, "Result").get_by_role("button", name="Draw regions").click()
    choose_points(compared)
    expect(compared.locator(".viewer-draw")).to_have_count(0)
    with server.client() as client:
        kept = [len(client.list_annotations("cohort", slide_id).features) for slide_id in (query_id, result_id)]
    assert kept == [1, 1]


def annotate_all(client: Client, slide_id: str) -> str:
    """A line that goes to and fro so densely that a click anywhere on the slide is one on the line."""
    line = [[x, y] for y in range(4, 768, 16) for x, y in ((0, y), (768, y), (768, y + 8), (0, y + 8))]
    feature = {"type": "Feature", "geometry": {"type": "LineString", "coordinates": line}, "properties": {}}
    return client.add_annotations("cohort", slide_id, NewAnnotations(features=(feature,))).features[0].id


def test_contours_are_drawn_and_an_even_map_is_told_in_words(compared: Page) -> None:
    compared.get_by_label("Overlay").select_option("contribution")
    expect(compared).to_have_url(re.compile(r"v\.overlay=contribution"))
    contours = pane(compared, "Result").locator(".viewer-contours")
    expect(contours).not_to_have_attribute("data-lines", "0")
    expect(pane(compared, "Result").get_by_text("What both slides share")).to_be_visible()
    compared.route("**/explain", answer_evenly)
    compared.get_by_label("Overlay").select_option("attention")
    compared.reload()
    wait_for_both(compared)
    for side in ("Query", "Result"):
        expect(pane(compared, side).get_by_text("Attention is even: no field stands out.")).to_be_visible()
        expect(pane(compared, side).locator(".viewer-contours")).to_have_attribute("data-lines", "0")


def answer_evenly(route: Route) -> None:
    """The server's explanation, as if all tiles of both slides weighed the same."""
    answer = json.loads(route.fetch().body())
    for side in ("query_attention", "result_attention"):
        weights = answer[side]["attention"]["weights"]
        weights[:] = [1 / len(weights)] * len(weights)
    route.fulfill(json=answer)


def test_keys_zoom_judge_and_go_on_and_a_judgement_keeps_the_order(compared: Page) -> None:
    rank = compared.locator(".compare-rank")
    expect(rank).to_have_text(re.compile(r"^1 of \d+$"))
    told = rank.inner_text()
    first = pane(compared, "Result").get_attribute("aria-label") or ""
    shown = magnification(pane(compared, "Result"))
    before = shown.inner_text()
    compared.keyboard.press("+")
    expect(shown).not_to_have_text(before)
    compared.keyboard.press("-")
    expect(shown).to_have_text(before)
    assert not re.search("more=|less=", compared.url)
    compared.keyboard.press("x")
    expect(compared.get_by_role("button", name="Not", exact=True)).to_have_attribute("aria-pressed", "true")
    expect_loaded(compared)
    expect(rank).to_have_text(told)
    compared.keyboard.press("n")
    expect(rank).to_have_text(told.replace("1", "2", 1))
    compared.keyboard.press("p")
    expect(pane(compared, "Result")).to_have_attribute("aria-label", first)
    # A close look at the query goes on to the best match of the next result, at the same scale.
    pane(compared, "Query").get_by_role("button", name="20\u00d7").click()
    expect(shown).to_have_text("20\u00d7")
    compared.keyboard.press("n")
    expect(pane(compared, "Result")).not_to_have_attribute("aria-label", first)
    compared.wait_for_function(
        f"(pane) => ({IS_IN_THE_MIDDLE})(({FRAME_ON_STAGE})(pane))", arg=handle(compared, "Result")
    )
    expect(magnification(pane(compared, "Query"))).to_have_text("20\u00d7")
    expect(shown).to_have_text("20\u00d7")


@pytest.mark.parametrize("size", [SIZES[0], ViewportSize(width=400, height=800)], ids=["1440", "400"])
def test_what_is_drawn_is_searched_with_without_scrolling(opened: Page, query_id: str, size: ViewportSize) -> None:
    opened.set_viewport_size(size)
    go(opened, f"/compare?archive=cohort&at={query_id}")
    viewer = pane(opened, "Slide")
    viewer.get_by_role("button", name="Draw regions").press("Enter")
    layer = viewer.get_by_role("application", name="Drawing of regions")
    layer.scroll_into_view_if_needed()
    layer.press("Enter")
    layer.press("Escape")
    expect(viewer.get_by_role("button", name="Search with 1 region")).to_be_in_viewport()
    viewer.get_by_role("button", name="Search with what I see").click()
    opened.wait_for_url("**ask=region**")
    expect(opened.get_by_role("region", name="Results")).to_be_visible()
