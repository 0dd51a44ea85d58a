"""Modes of the viewers beside each other: one tool has the clicks, Escape ends one thing, nothing undoes another."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import FloatRect, Locator, Page, Request, Route, ViewportSize, expect

from histoseek.api import Archive
from tests.browser.watched import expect_loaded
from tests.server.running import RunningServer

NARROW: ViewportSize = {"width": 400, "height": 800}
RULER = "Measure a distance"
ALIGN = "Align by two points"
DRAW = "Draw regions"
KEY_STEP_PX = 4


@pytest.fixture
def slide_id(indexed: Path) -> str:
    return Archive.open(indexed).records()[0].slide_id


@pytest.fixture
def viewer(opened: Page, slide_id: str) -> Locator:
    return open_slide(opened, slide_id)


@pytest.fixture
def compared(opened: Page, indexed: Path, slide_id: str) -> Page:
    """The comparison of a slide with the one most like it."""
    result = next(iter(Archive.open(indexed).search(like=slide_id, k=1))).slide_id
    go(opened, f"/compare?archive=cohort&ask=slide&slide={slide_id}&at={result}")
    for side in ("Query", "Result"):
        expect(magnification(pane(opened, side))).to_be_visible()
    expect(opened.get_by_label("Overlay")).to_be_enabled()
    expect_loaded(opened)
    return opened


def go(page: Page, address: str) -> None:
    page.evaluate("address => { location.hash = address }", address)


def open_slide(page: Page, slide_id: str, more: str = "") -> Locator:
    go(page, f"/compare?archive=cohort&at={slide_id}{more}")
    expect(magnification(pane(page, "Slide"))).to_be_visible()
    expect_loaded(page)
    return pane(page, "Slide")


def pane(page: Page, side: str) -> Locator:
    return page.get_by_role("region", name=re.compile(f"^{side} ")).first


def magnification(viewer: Locator) -> Locator:
    return viewer.locator(".viewer-scale-magnification")


def button(place: Page | Locator, name: str) -> Locator:
    return place.get_by_role("button", name=name, exact=True).first


def expect_pressed(place: Page | Locator, name: str, pressed: bool) -> None:
    expect(button(place, name)).to_have_attribute("aria-pressed", str(pressed).lower())


def box_of(place: Locator) -> FloatRect:
    box = place.bounding_box()
    assert box
    return box


def at(viewer: Locator, right: float, down: float) -> tuple[float, float]:
    """Where on the page a place of the stage is that is given in shares of its sides."""
    box = box_of(viewer.locator(".viewer-stage"))
    return box["x"] + right * box["width"], box["y"] + down * box["height"]


def drag(viewer: Locator, *places: tuple[float, float]) -> None:
    mouse = viewer.page.mouse
    mouse.move(*at(viewer, *places[0]))
    mouse.down()
    for place in places[1:]:
        mouse.move(*at(viewer, *place), steps=3)
    mouse.up()


def draw_area(viewer: Locator) -> None:
    """A rectangle, with its panel and its handles."""
    button(viewer, "Annotations").click()
    drag(viewer, (0.5, 0.4), (0.7, 0.6))
    expect(viewer.locator(".annotations-form")).to_be_visible()
    expect(viewer.locator(".annotations-handle").first).to_be_visible()


def pull_corner(viewer: Locator) -> None:
    mouse = viewer.page.mouse
    box = box_of(viewer.locator(".annotations-handle").first)
    mouse.move(box["x"] + 8, box["y"] + 8)
    mouse.down()
    mouse.move(box["x"] - 52, box["y"] - 32, steps=3)
    mouse.up()


def hold(page: Page, address: str) -> list[Route]:
    """Keep back the next request to an address: where it is found once it was made."""
    held: list[Route] = []

    def keep(route: Route) -> None:
        held.append(route)

    page.route(address, keep, times=1)
    return held


def is_change(request: Request) -> bool:
    return request.method == "PUT"


def saved(server: RunningServer, slide_id: str) -> dict[str, object]:
    with server.client() as client:
        (feature,) = json.loads(client.export_annotations("cohort", slide_id))["features"]
    return {"class": feature["properties"].get("classification", {}).get("name"), **feature["geometry"]}


def test_one_tool_has_the_clicks_of_a_slide(compared: Page) -> None:
    query, result = pane(compared, "Query"), pane(compared, "Result")
    button(query, DRAW).click()
    button(query, RULER).click()
    expect_pressed(query, DRAW, False)
    expect(query.locator(".viewer-draw")).to_have_count(1)
    button(result, DRAW).click()
    # The other slide has tools of its own, until points of both are chosen.
    expect_pressed(query, RULER, True)
    button(compared, ALIGN).click()
    expect(compared.locator(".viewer-draw")).to_have_count(0)
    compared.mouse.click(*at(query, 0.4, 0.5))
    expect(compared.get_by_text("Query 1 of 2")).to_be_visible()
    button(result, RULER).click()
    expect_pressed(compared, ALIGN, False)
    button(result, "Annotations").click()
    expect_pressed(result, RULER, False)
    expect_pressed(result, "Rectangle", True)


def test_escape_ends_what_began_last_wherever_the_focus_is(compared: Page) -> None:
    query = pane(compared, "Query")
    look = button(query, "Brightness, contrast and stains")
    button(compared, ALIGN).click()
    look.click()
    compared.keyboard.press("?")
    expect(compared.get_by_role("dialog")).to_be_visible()
    compared.keyboard.press("Escape")
    expect(compared.get_by_role("dialog")).to_have_count(0)
    expect(look).to_have_attribute("aria-expanded", "true")
    compared.get_by_role("main").focus()
    compared.keyboard.press("Escape")
    expect(look).to_have_attribute("aria-expanded", "false")
    expect_pressed(compared, ALIGN, True)
    compared.keyboard.press("/")
    compared.keyboard.press("Escape")
    expect_pressed(compared, ALIGN, True)
    look.focus()
    compared.keyboard.press("Escape")
    expect_pressed(compared, ALIGN, False)
    button(query, RULER).click()
    compared.mouse.click(*at(query, 0.4, 0.5))
    button(query, "Zoom in (+)").click()
    expect(query.locator(".annotations-stop")).not_to_have_count(0)
    compared.keyboard.press("Escape")
    expect(query.locator(".annotations-stop")).to_have_count(0)
    compared.keyboard.press("Escape")
    expect(query.locator(".viewer-draw")).to_have_count(0)


def test_keys_are_for_the_slide_whose_tool_has_the_focus(compared: Page) -> None:
    query, result = pane(compared, "Query"), pane(compared, "Result")
    button(compared, "Same scale on both slides").click()
    before = magnification(result).inner_text()
    button(query, RULER).click()
    compared.keyboard.press("+")
    expect(magnification(query)).not_to_have_text(before)
    expect(magnification(result)).to_have_text(before)
    compared.keyboard.press("Escape")
    expect(query.get_by_role("application").first).to_be_focused()
    expect_pressed(query, RULER, False)


def test_keys_of_sliders_are_theirs(viewer: Locator) -> None:
    button(viewer, "Brightness, contrast and stains").click()
    slider = viewer.get_by_role("slider", name="Brightness")
    slider.focus()
    for key, value in (("End", "50"), ("Home", "-50")):
        viewer.page.keyboard.press(key)
        expect(slider).to_have_value(value)
        expect(slider).to_be_focused()


def test_a_pencil_that_was_given_up_draws_nothing(viewer: Locator) -> None:
    button(viewer, "Annotations").click()
    button(viewer, "Freehand area").click()
    mouse = viewer.page.mouse
    mouse.move(*at(viewer, 0.5, 0.4))
    mouse.down()
    mouse.move(*at(viewer, 0.7, 0.4), steps=4)
    expect(viewer.locator(".annotations-stop")).not_to_have_count(0)
    viewer.page.keyboard.press("Escape")
    mouse.move(*at(viewer, 0.7, 0.6), steps=4)
    mouse.move(*at(viewer, 0.5, 0.6), steps=4)
    mouse.up()
    expect_pressed(viewer, "Freehand area", True)
    expect(viewer.locator(".annotations-stop")).to_have_count(0)


def test_a_second_finger_neither_draws_nor_ends_nor_points(compared: Page) -> None:
    query = pane(compared, "Query")
    hand = compared.context.new_cdp_session(compared)

    def touch(kind: str, *fingers: tuple[float, float]) -> None:
        points = [{"id": id, "x": x, "y": y} for id, (x, y) in enumerate(at(query, *finger) for finger in fingers)]
        hand.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    button(query, DRAW).click()
    touch("touchStart", (0.3, 0.3))
    touch("touchMove", (0.4, 0.4))
    touch("touchStart", (0.4, 0.4), (0.9, 0.9))
    touch("touchMove", (0.4, 0.4), (0.9, 0.95))
    touch("touchMove", (0.4, 0.4))
    touch("touchMove", (0.6, 0.6))
    touch("touchEnd")
    frame = box_of(query.locator(".viewer-frame-drawn"))
    stage = box_of(query.locator(".viewer-stage"))
    assert frame["width"] == pytest.approx(0.3 * stage["width"], abs=4)
    assert frame["height"] == pytest.approx(0.3 * stage["height"], abs=4)
    button(compared, ALIGN).click()
    touch("touchStart", (0.4, 0.5))
    touch("touchStart", (0.4, 0.5), (0.6, 0.5))
    touch("touchMove", (0.4, 0.5))
    touch("touchEnd")
    touch("touchStart", (0.3, 0.2))
    touch("touchEnd")
    expect(compared.get_by_text("Query 1 of 2")).to_be_visible()


def test_what_is_typed_and_what_is_reshaped_stay_beside_each_other(
    viewer: Locator, server: RunningServer, slide_id: str
) -> None:
    draw_area(viewer)
    drawn = saved(server, slide_id)
    viewer.get_by_label("Class").fill("Tumour")
    with viewer.page.expect_response(lambda answer: answer.url.endswith("/annotations")):
        pull_corner(viewer)
    expect(viewer.get_by_label("Class")).to_have_value("Tumour")
    pulled = saved(server, slide_id)
    assert pulled["coordinates"] != drawn["coordinates"]
    held = hold(viewer.page, "**/annotations/*")
    with viewer.page.expect_request(is_change):
        pull_corner(viewer)
    button(viewer, "Save").click()
    expect(viewer.locator(".annotations-name")).to_have_text("Tumour")
    with viewer.page.expect_response(lambda answer: "Tumour" in (answer.request.post_data or "")):
        held[0].continue_()
    last = saved(server, slide_id)
    assert last["class"] == "Tumour"
    assert last["coordinates"] not in (drawn["coordinates"], pulled["coordinates"])


def test_no_step_of_a_handle_is_lost_while_others_are_being_saved(viewer: Locator) -> None:
    page = viewer.page
    draw_area(viewer)
    handle = button(viewer, "Move with arrow keys")
    before = box_of(handle)["y"]
    held = hold(page, "**/annotations/*")
    with page.expect_request(is_change):
        handle.press("ArrowDown")
    handle.press("ArrowDown")
    page.keyboard.down("ArrowDown")
    with page.expect_response(lambda answer: answer.url.endswith("/annotations")):
        held[0].continue_()
    page.keyboard.down("ArrowDown")
    with page.expect_request(is_change):
        # Where the key is let go is another place.
        viewer.get_by_role("application").first.focus()
    assert box_of(handle)["y"] - before == pytest.approx(4 * KEY_STEP_PX, abs=1)


def test_an_annotation_that_comes_late_is_chosen_nowhere_else(viewer: Locator) -> None:
    page = viewer.page
    held = hold(page, "**/annotations")
    button(viewer, "Annotations").click()
    with page.expect_request(lambda request: request.method == "POST"):
        drag(viewer, (0.5, 0.4), (0.7, 0.6))
    page.get_by_role("link", name="History").click()
    expect(page.get_by_role("heading", name="History")).to_be_visible()
    with page.expect_response(lambda answer: answer.request.method == "POST") as answered:
        held[0].continue_()
    answered.value.finished()
    # What comes later has come once the page was answered something else.
    page.evaluate("() => fetch('./').then(() => null)")
    assert "annotation" not in page.url
    page.go_back()
    expect(button(viewer, "Annotations (1)")).to_be_visible()


def test_what_is_told_is_seen_and_pressed_in_full_page(viewer: Locator) -> None:
    page = viewer.page
    draw_area(viewer)
    button(viewer, "Full page (f)").click()
    page.wait_for_function("() => document.fullscreenElement")
    button(viewer, "Delete").click()
    page.get_by_role("button", name="Undo").click()
    expect(viewer.locator(".annotations-item")).to_have_count(1)
    go(page, "/history")
    page.wait_for_function("() => !document.fullscreenElement && document.querySelector('.toasts')")


def test_what_lies_over_a_narrow_slide_lies_beside_each_other(compared: Page) -> None:
    compared.set_viewport_size(NARROW)
    query, result = pane(compared, "Query"), pane(compared, "Result")
    button(query, DRAW).press("Enter")
    compared.keyboard.press("Enter")
    button(query, "Annotations").click()
    panel, regions = query.locator(".annotations-panel"), query.locator(".viewer-regions")
    assert box_of(regions)["y"] + box_of(regions)["height"] <= box_of(panel)["y"]
    assert box_of(query.locator(".viewer-draw-hint"))["y"] < box_of(regions)["y"]
    button(result, "Annotations").click()
    expect(panel).to_have_count(0)
    expect(result.locator(".annotations-panel")).to_be_visible()


def test_a_link_to_where_no_slide_is_shows_the_slide(opened: Page, slide_id: str) -> None:
    for place in ("1e308,1e308,1e-300", "100,100,1e300", "-1e9,5,1"):
        viewer = open_slide(opened, slide_id, f"&v.view={place}:{slide_id}")
        expect(viewer.get_by_role("img", name=re.compile("Scale bar"))).to_be_visible()
        expect(magnification(viewer)).to_have_text(re.compile("^\\d+\u00d7$"))
        go(opened, "/history")


def test_a_change_of_the_view_takes_no_new_address_back(viewer: Locator) -> None:
    """As when a slide comes to rest, of which the address is told, just after a link was followed."""
    button(viewer.page, "Hide the side panel").evaluate(
        "button => { location.hash = location.hash + '&v.look=10,100,100,'; button.click(); }"
    )
    expect(button(viewer.page, "Show the side panel")).to_be_visible()
    assert "v.look=" in viewer.page.url
