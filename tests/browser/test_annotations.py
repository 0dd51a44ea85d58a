"""Annotations, ruler, appearance and figures: drawn by mouse and keys, right when the slide is turned, exported."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from histoseek.rest.annotations import NewAnnotations
from histoseek.viewing.appearance import separate_stain
from tests.browser.watched import accessibility_faults, expect_loaded
from tests.server.conftest import new_client
from tests.server.running import RunningServer

SLIDE = "SIM-0000-00"
OTHER = "SIM-0003-00"


@pytest.fixture
def viewer(opened: Page) -> Locator:
    return open_slide(opened, SLIDE)


def open_slide(page: Page, slide_id: str, more: str = "") -> Locator:
    page.evaluate("address => { location.hash = address }", f"/compare?archive=cohort&at={slide_id}{more}")
    viewer = page.get_by_role("region", name=re.compile(f"^Slide .*{slide_id}")).first
    expect(viewer.locator(".viewer-scale-magnification")).to_be_visible()
    expect_loaded(page)
    return viewer


def press(viewer: Locator, name: str | re.Pattern[str]) -> None:
    viewer.get_by_role("button", name=name, exact=True).first.click()


def open_annotations(viewer: Locator) -> None:
    viewer.get_by_role("button", name=re.compile("^Annotations")).click()


def corner(viewer: Locator) -> tuple[float, float]:
    box = viewer.locator(".viewer-stage").bounding_box()
    assert box
    return box["x"], box["y"]


def drag(viewer: Locator, *points: tuple[float, float]) -> None:
    """Draw with the mouse held, in CSS px of the stage."""
    x, y = corner(viewer)
    mouse = viewer.page.mouse
    mouse.move(x + points[0][0], y + points[0][1])
    mouse.down()
    for right, down in points[1:]:
        mouse.move(x + right, y + down, steps=3)
    mouse.up()


def saved(server: RunningServer, slide_id: str) -> list[dict[str, object]]:
    with server.client() as client:
        return json.loads(client.export_annotations("cohort", slide_id))["features"]


def outline(viewer: Locator) -> list[float]:
    """The bounds of the first shape on the screen, without the width of its line."""
    measure = "line => { const box = line.getBoundingClientRect(); return [box.x, box.y, box.width, box.height] }"
    bounds: list[float] = viewer.locator(".annotations-line").first.evaluate(measure)
    return bounds


def test_a_rectangle_is_drawn_named_and_exported(viewer: Locator, server: RunningServer, tmp_path: Path) -> None:
    page = viewer.page
    open_annotations(viewer)
    expect(viewer.get_by_role("button", name="Rectangle", exact=True)).to_have_attribute("aria-pressed", "true")
    drag(viewer, (500, 200), (700, 320))
    form = viewer.get_by_label("Class")
    form.fill("Tumour")
    press(viewer, "Save")
    expect(viewer.locator(".annotations-name")).to_have_text("Tumour")
    assert accessibility_faults(page) == []
    with page.expect_download() as download:
        press(viewer, "Export GeoJSON")
    file = tmp_path / "out.geojson"
    download.value.save_as(file)
    (feature,) = json.loads(file.read_text())["features"]
    assert feature["properties"]["classification"]["name"] == "Tumour"
    (ring,) = feature["geometry"]["coordinates"]
    assert len(ring) == 5
    # As large on the slide as on the screen.
    scale = page.evaluate("() => document.querySelector('.annotations-shapes g').getCTM().a")
    assert abs(abs(ring[2][0] - ring[0][0]) * scale - 200) < 2
    assert f"annotation={feature['id']}" in page.url


def test_what_was_typed_is_saved_when_another_slide_is_opened(viewer: Locator, server: RunningServer) -> None:
    open_annotations(viewer)
    drag(viewer, (500, 200), (700, 320))
    viewer.get_by_label("Note").fill("Look again")
    other = open_slide(viewer.page, OTHER)
    expect(other.locator(".annotations-form")).to_have_count(0)
    back = open_slide(viewer.page, SLIDE)
    open_annotations(back)
    expect(back.locator(".annotations-note")).to_have_text("Look again")
    back.locator(".annotations-item").click()
    back.get_by_label("Class").fill("Necrosis")
    press(back, "Delete")
    expect(back.locator(".annotations-item")).to_have_count(0)
    expect(back.page.locator(".toast-error")).to_have_count(0)
    assert saved(server, SLIDE) == []


def test_a_link_opens_the_chosen_annotation(viewer: Locator, server: RunningServer) -> None:
    open_annotations(viewer)
    press(viewer, "Point")
    x, y = corner(viewer)
    viewer.page.mouse.click(x + 520, y + 240)
    expect(viewer.get_by_role("button", name=re.compile("^Point"), pressed=True)).to_be_visible()
    (feature,) = saved(server, SLIDE)
    other = open_slide(viewer.page, OTHER)
    expect(other.locator(".annotations-panel")).to_have_count(0)
    back = open_slide(viewer.page, SLIDE, f"&v.annotation={feature['id']}")
    expect(back.locator(".annotations-panel")).to_be_visible()
    expect(back.get_by_role("button", name=re.compile("^Point"), pressed=True)).to_be_visible()


def test_keys_draw_measure_move_and_delete(viewer: Locator, server: RunningServer) -> None:
    page = viewer.page
    ruler = viewer.get_by_role("button", name="Measure a distance")
    ruler.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    for _ in range(5):
        page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Enter")
    hint = viewer.locator(".viewer-draw-hint b")
    expect(hint).to_have_text(re.compile(r"\d (µm|mm)"))
    measured = hint.inner_text().strip()
    press(viewer, "Keep as annotation")
    expect(viewer.locator(".annotations-item")).to_contain_text(measured)
    (line,) = saved(server, SLIDE)
    handle = viewer.get_by_role("button", name="Move with arrow keys")
    handle.focus()
    with page.expect_response(lambda answer: answer.request.method == "PUT"):
        page.keyboard.press("ArrowDown")
    (moved,) = saved(server, SLIDE)
    assert moved["geometry"]["coordinates"][0][1] > line["geometry"]["coordinates"][0][1]
    with page.expect_response(lambda answer: answer.request.method == "DELETE"):
        press(viewer, "Delete")
    expect(viewer.locator(".annotations-item")).to_have_count(0)


def test_shapes_turn_and_flip_with_their_slide(viewer: Locator) -> None:
    """A shape lies on the same tissue: its handle is where the slide shows its place."""
    page = viewer.page
    open_annotations(viewer)
    drag(viewer, (500, 200), (620, 240))
    expect(viewer.locator(".annotations-handle").first).to_be_visible()
    upright = outline(viewer)
    viewer.get_by_role("button", name=re.compile("^Turn")).first.click()
    viewer.get_by_role("button", name=re.compile("to the right")).click()
    page.wait_for_function(
        "before => Math.abs(document.querySelector('.annotations-line').getBoundingClientRect().height - before) < 1",
        arg=upright[2],
    )
    turned = outline(viewer)
    assert abs(turned[2] - upright[3]) < 1
    for place, handle in enumerate(viewer.locator(".annotations-handle:not(.is-middle)").all()):
        box = handle.bounding_box()
        assert box, place
        middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        assert min(abs(middle[0] - turned[0]), abs(middle[0] - turned[0] - turned[2])) < 3
        assert min(abs(middle[1] - turned[1]), abs(middle[1] - turned[1] - turned[3])) < 3


def test_one_stain_is_shown_as_the_server_separates_it(viewer: Locator) -> None:
    page = viewer.page
    canvas = viewer.locator(".viewer-canvas canvas").first
    box = canvas.bounding_box()
    assert box
    clip = {"x": box["x"] + 500, "y": box["y"] + 150, "width": 120, "height": 120}
    plain = picture(page, clip)
    press(viewer, "Brightness, contrast and stains")
    press(viewer, "Haematoxylin")
    expect(canvas).to_have_css("filter", re.compile("url"))
    page.keyboard.press("Escape")
    shown = picture(page, clip)
    assert np.abs(shown.astype(int) - separate_stain(plain, "haematoxylin")).mean() < 4
    assert "look=0%2C100%2C100%2Chaematoxylin" in page.url


def picture(page: Page, clip: dict[str, float]) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB"))  # type: ignore[arg-type]


def test_a_figure_is_saved_at_the_view(viewer: Locator) -> None:
    press(viewer, "Save a figure")
    with viewer.page.expect_download() as download:
        press(viewer, "Save PNG")
    image = Image.open(download.value.path())
    assert image.format == "PNG"
    assert image.width == 2000
    assert download.value.suggested_filename == f"figure-{SLIDE}.png"


def test_what_a_colleague_shares_is_seen_and_not_changed(viewer: Locator, server: RunningServer) -> None:
    with new_client(server, "read") as client:
        feature = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [300, 300]}, "properties": {}}
        client.add_annotations("cohort", OTHER, NewAnnotations(features=(feature,), is_shared=True))
    other = open_slide(viewer.page, OTHER)
    open_annotations(other)
    expect(other.locator(".annotations-item")).to_contain_text("by client")
    other.locator(".annotations-item").click()
    expect(other.locator(".annotations-form, .annotations-handle")).to_have_count(0)
