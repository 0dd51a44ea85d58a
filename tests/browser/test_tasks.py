"""What a pathologist does with the page, from the first question to a collection, in a real browser."""

from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from histoseek.api import Archive
from histoseek.client.client import Client
from histoseek.geometry import Rect, Size
from histoseek.rest.queries import SearchRequest, SlideQuery, SlideRef
from histoseek.slides.slide import open_slide
from tests.browser.watched import Watched, accessibility_faults, expect_loaded
from tests.server.running import RunningServer

ARCHIVE = "cohort"
HIDE_LABELS = "document.querySelectorAll('.viewer-frame-label').forEach((one) => { one.style.visibility = 'hidden' })"
MOST_STOPS = 80
FRAME_PX = 4


def go(page: Page, address: str) -> None:
    """Open an address of the page; its fragment says everything."""
    page.evaluate("address => { location.hash = address }", address)


def results(page: Page) -> Locator:
    return page.get_by_role("region", name="Results").locator("a[data-result]")


def asked(page: Page) -> Locator:
    """The heading of the results: what was asked."""
    return page.get_by_role("region", name="Results").get_by_role("heading").first


def slide_ids(page: Page) -> list[str]:
    """Of the results shown, in order."""
    results(page).first.wait_for()
    expect_loaded(page)
    found = [re.search(r"slide (\S+):", one.get_attribute("aria-label") or "") for one in results(page).all()]
    return [match[1] for match in found if match]


def like(page: Page, slide_id: str) -> None:
    """Search with a slide of the archive."""
    go(page, f"/results?archive={ARCHIVE}&ask=slide&slide={slide_id}")
    results(page).first.wait_for()


def compare_first(page: Page) -> None:
    results(page).first.click()
    page.get_by_role("heading", name="What matched").wait_for()
    for side in ("Query", "Result"):
        expect(pane(page, side).locator("canvas").first).to_be_visible()


def pane(page: Page, side: str) -> Locator:
    """The viewer of one side."""
    return page.get_by_role("region", name=re.compile(f"^{side} ")).first


def test_words_find_slides_whose_reports_say_so(opened: Page, indexed: Path) -> None:
    opened.locator("[data-search-field]").fill("lymphoma")
    opened.keyboard.press("Enter")
    wanted = [one.slide_id for one in Archive.open(indexed).search(text="lymphoma", k=10)]
    assert slide_ids(opened) == wanted
    opened.get_by_role("button", name="List", exact=True).click()
    marked = opened.get_by_role("region", name="Results").locator("mark.results-words")
    expect(marked.first).to_have_text(re.compile("lymphoma", re.IGNORECASE))


def test_an_uploaded_slide_finds_what_looks_alike(opened: Page, cohort: Path, tmp_path: Path) -> None:
    taken = sorted(cohort.glob("*.tiff"))[0]
    own = tmp_path / "query.tiff"
    own.write_bytes(taken.read_bytes() + b"\0")  # other bytes, the same picture: the archive can't know the file
    opened.get_by_label("File", exact=True).set_input_files(own)
    results(opened).first.wait_for()
    expect(asked(opened)).to_contain_text("query.tiff")
    assert slide_ids(opened)[0] == taken.stem


def test_frames_lie_on_the_regions_that_matched(opened: Page, client: Client, indexed: Path) -> None:
    archive = Archive.open(indexed)
    first = archive.records()[0]
    like(opened, first.slide_id)
    compare_first(opened)
    query = SearchRequest(query=SlideQuery(slide=SlideRef(slide_id=first.slide_id)), k=1)
    result = client.search(ARCHIVE, query).results[0]
    for side, uri, regions in (
        ("Query", first.uri, [match.query_region for match in result.matches]),
        ("Result", archive.get(result.slide_id).record.uri, [match.result_region for match in result.matches]),
    ):
        frames = pane(opened, side).locator(".viewer-frame")
        expect(frames).to_have_count(len(regions))
        expect_loaded(opened)
        opened.evaluate(HIDE_LABELS)
        for number, region in enumerate(regions):
            assert region is not None
            shown = inside_of(opened, frames.nth(number))
            wanted = pixels(Path(uri), Rect(region.x, region.y, region.width, region.height), shown.shape)
            moved = Rect(region.x + region.width // 2, region.y, region.width, region.height)
            elsewhere = pixels(Path(uri), moved, shown.shape)
            assert alike(shown, wanted) > 0.8
            assert alike(shown, wanted) > alike(shown, elsewhere) + 0.2


def inside_of(page: Page, frame: Locator) -> np.ndarray:
    """What the browser shows inside of a frame, without the frame's own line and labels."""
    box = frame.bounding_box()
    assert box
    picture = np.frombuffer(page.screenshot(clip=box), np.uint8)
    return within(cv2.imdecode(picture, cv2.IMREAD_GRAYSCALE))


def pixels(path: Path, rect: Rect, shape: tuple[int, ...]) -> np.ndarray:
    """The same part of the slide, read by ourselves."""
    with open_slide(path) as slide:
        size = Size(shape[1] + 2 * FRAME_PX, shape[0] + 2 * FRAME_PX)
        read = slide.read_at(slide.spacing_um_per_px, rect, size)
    return within(cv2.cvtColor(read, cv2.COLOR_RGB2GRAY))


def within(picture: np.ndarray) -> np.ndarray:
    return picture[FRAME_PX:-FRAME_PX, FRAME_PX:-FRAME_PX]


def alike(one: np.ndarray, other: np.ndarray) -> float:
    """The correlation of two pictures, a little blurred: scaling differs in detail."""
    blurred = [cv2.GaussianBlur(picture.astype(np.float32), (0, 0), 1.5).ravel() for picture in (one, other)]
    return float(np.corrcoef(*blurred)[0, 1])


def test_a_drawn_region_is_searched_with(opened: Page, indexed: Path) -> None:
    like(opened, Archive.open(indexed).records()[0].slide_id)
    compare_first(opened)
    query = pane(opened, "Query")
    query.get_by_role("button", name="Draw regions").click()
    box = query.get_by_role("application", name="Drawing of regions").bounding_box()
    assert box
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    opened.mouse.move(middle[0] - 120, middle[1] - 120)
    opened.mouse.down()
    opened.mouse.move(middle[0] + 120, middle[1] + 120, steps=5)
    opened.mouse.up()
    opened.get_by_role("button", name="Search with 1 region").first.click()
    expect(asked(opened)).to_contain_text("Regions of")
    assert len(slide_ids(opened)) > 0
    assert "region" in opened.url


def test_filters_narrow_the_results_and_their_counts_say_how_much(opened: Page, indexed: Path) -> None:
    records = {record.slide_id: record for record in Archive.open(indexed).records()}
    like(opened, next(iter(records)))
    before = slide_ids(opened)
    organ = records[before[0]].organ
    filters = opened.get_by_role("region", name="Filters")
    filters.get_by_role("checkbox", name=re.compile(f"^{organ}")).first.check()
    wanted = [one for one in before if records[one].organ == organ]
    expect(results(opened)).to_have_count(len(wanted))
    assert slide_ids(opened) == wanted
    opened.get_by_role("button", name=re.compile("Remove the filter Organ")).click()
    expect(results(opened)).to_have_count(len(before))


def test_a_judged_result_is_kept_and_ranks_anew(opened: Page, server: RunningServer, client: Client) -> None:
    like(opened, next(client.list_slides(ARCHIVE)).slide_id)
    before = slide_ids(opened)
    wanted, unwanted = before[3], before[0]
    opened.get_by_role("group", name=f"Slide {wanted}").get_by_role("button", name="Relevant", exact=True).click()
    rank_anew = opened.get_by_role("button", name=re.compile("^Rank anew"))
    rank_anew.click()
    expect(results(opened).first).to_have_attribute("aria-label", re.compile(f"slide {wanted}:"))
    opened.get_by_role("group", name=f"Slide {unwanted}").get_by_role("button", name="Not", exact=True).click()
    rank_anew.click()
    expect(opened.get_by_role("group", name=f"Slide {unwanted}")).to_have_count(0)
    query = SearchRequest(query=SlideQuery(slide=SlideRef(slide_id=next(client.list_slides(ARCHIVE)).slide_id)))
    judged = {
        one.slide_id: one.relevant for one in client.list_judgements(ARCHIVE, client.search(ARCHIVE, query).query_key)
    }
    assert judged == {wanted: True, unwanted: False}
    opened.reload()
    assert slide_ids(opened)[0] == wanted
    opened.get_by_role("button", name="Undo all").click()
    expect(results(opened)).to_have_count(len(before))
    assert slide_ids(opened) == before


def test_the_back_button_leads_from_compare_to_the_results_and_the_question_before(opened: Page) -> None:
    opened.locator("[data-search-field]").fill("adenocarcinoma")
    opened.keyboard.press("Enter")
    first = slide_ids(opened)
    opened.locator("[data-search-field]").fill("normal tissue")
    opened.keyboard.press("Enter")
    expect(asked(opened)).to_contain_text("normal tissue")
    results(opened).nth(1).click()
    opened.wait_for_url("**/#/compare?**")
    opened.go_back()
    opened.wait_for_url("**/#/results?**text=normal**")
    opened.go_back()
    expect(asked(opened)).to_contain_text("adenocarcinoma")
    assert slide_ids(opened) == first


def test_the_keyboard_alone_leads_from_the_login_to_a_comparison_and_back(
    watched: Watched, server: RunningServer
) -> None:
    page = watched.page
    page.goto(server.url)
    page.get_by_label("Token").wait_for()
    page.keyboard.press("Tab")
    expect(page.get_by_label("Token")).to_be_focused()
    page.keyboard.type(server.token)
    page.keyboard.press("Enter")
    page.get_by_role("search").wait_for()
    page.keyboard.press("/")
    expect(page.locator("[data-search-field]").first).to_be_focused()
    page.keyboard.type("squamous cell carcinoma")
    page.keyboard.press("Enter")
    results(page).first.wait_for()
    page.locator("[data-search-field]").first.blur()
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(results(page).nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/#/compare?**")
    page.get_by_role("heading", name="Report").wait_for()
    tab_to(page, page.get_by_role("link", name="Results"))
    page.keyboard.press("Enter")
    page.wait_for_url("**/#/results?**")
    watched.expect_complaint("401")


def tab_to(page: Page, wanted: Locator) -> None:
    """Press the tab key until an element has the focus."""
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        if wanted.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError(f"{MOST_STOPS} stops of the tab key lead nowhere")


def test_an_error_is_told_with_what_to_do(watched: Watched, opened: Page) -> None:
    go(opened, f"/results?archive={ARCHIVE}&ask=slide&slide=no-such-slide")
    told = opened.get_by_role("alert")
    expect(told).to_contain_text("no slide with this id")
    expect(told).to_contain_text("Request")
    expect(told.get_by_role("button", name="Try again")).to_be_visible()
    assert accessibility_faults(opened) == []
    watched.expect_complaint("404")


def test_a_file_that_is_no_slide_is_refused_in_one_line(watched: Watched, opened: Page, tmp_path: Path) -> None:
    broken = tmp_path / "broken.svs"
    broken.write_bytes(b"not a slide at all")
    opened.get_by_label("File", exact=True).set_input_files(broken)
    expect(opened.get_by_role("alert")).to_contain_text("cannot be read as a slide")
    watched.expect_complaint("422")


def test_slides_are_collected_noted_and_taken_away(opened: Page, client: Client) -> None:
    opened.locator("[data-search-field]").fill("carcinoma")
    opened.keyboard.press("Enter")
    first = slide_ids(opened)[0]
    opened.get_by_role("group", name=f"Slide {first}").get_by_role("button", name="Collect this slide").click()
    dialog = opened.get_by_role("dialog")
    dialog.get_by_label("Name").fill("for the seminar")
    dialog.get_by_role("button", name="Create collection").click()
    expect(dialog).to_have_count(0)
    opened.get_by_role("navigation", name="Views").get_by_role("link", name="Collections").click()
    opened.get_by_role("link", name=re.compile("for the seminar")).click()
    note = opened.get_by_label(f"Note on {first}")
    note.fill("typical")
    note.blur()
    expect(opened.get_by_text("Saved")).to_have_count(0)
    opened.get_by_role("button", name="Export").click()
    with opened.expect_download() as download:
        opened.get_by_role("menuitem", name="JSON").click()
    assert download.value.suggested_filename == "collection-for-the-seminar.json"
    rows = json.loads(Path(download.value.path()).read_text())
    assert [(row["slide_id"], row["note"]) for row in rows] == [(first, "typical")]
    assert "for the seminar" in [one.name for one in client.list_collections()]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_results_and_comparison_are_accessible(mapped: RunningServer, opened: Page, indexed: Path, theme: str) -> None:
    opened.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    like(opened, Archive.open(indexed).records()[0].slide_id)
    assert accessibility_faults(opened) == []
    compare_first(opened)
    assert accessibility_faults(opened) == []
    go(opened, f"/overview?archive={ARCHIVE}")
    opened.get_by_role("main", name="Overview").wait_for()
    expect_loaded(opened)
    assert accessibility_faults(opened) == []
