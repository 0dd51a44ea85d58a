"""Work that goes on: shared collections, saved searches and worklists, by two colleagues on one server."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from histoseek.client.client import Client
from histoseek.rest.archives import FieldFilter
from histoseek.rest.saved_searches import SavedSearchContent, SlideCondition
from histoseek.rest.workspace import CollectionContent, CollectionItem, CollectionSharing
from tests.browser.watched import accessibility_faults
from tests.server.conftest import new_token
from tests.server.running import RunningServer

A, B = "SIM-0000-00", "SIM-0001-00"


@pytest.fixture
def own(server: RunningServer) -> Iterator[Client]:
    """A client with the token of the page."""
    with server.client() as client:
        yield client


@pytest.fixture
def colleague_token(server: RunningServer) -> str:
    return new_token(server, "read")


@pytest.fixture
def colleague(server: RunningServer, colleague_token: str) -> Iterator[Client]:
    with Client(server.url, colleague_token) as client:
        yield client


@pytest.fixture
def colleague_page(server: RunningServer, colleague_token: str, browser: Browser) -> Iterator[Page]:
    """The page of a colleague, in a profile of its own."""
    context = browser.new_context(viewport={"width": 1200, "height": 900}, reduced_motion="reduce", locale="en")
    page = context.new_page()
    page.goto(f"{server.url}#token={colleague_token}")
    page.get_by_role("search").wait_for()
    yield page
    context.close()


def make_collection(client: Client, name: str) -> str:
    items = (CollectionItem(archive="cohort", slide_id=A, note="typical"), CollectionItem(archive="cohort", slide_id=B))
    return client.create_collection(CollectionContent(name=name, items=items)).collection_id


def go(page: Page, fragment: str) -> None:
    page.evaluate("fragment => { location.hash = fragment; }", fragment)


def test_a_collection_is_shared_with_a_colleague_and_left(
    opened: Page, own: Client, colleague: Client, colleague_page: Page
) -> None:
    key = make_collection(own, "rare tumours")
    link = f"#/collections?collection={key}"
    go(colleague_page, link)
    expect(colleague_page.get_by_text("belongs to somebody else, or was deleted")).to_be_visible()
    go(opened, link)
    opened.get_by_role("button", name="Share", exact=True).click()
    dialog = opened.get_by_role("dialog")
    dialog.get_by_label("Name of a colleague").fill(colleague.get_session().name)
    dialog.get_by_label("What the colleague may do").select_option("edit")
    dialog.get_by_role("button", name="Share", exact=True).click()
    expect(dialog.get_by_role("list", name="Shared with")).to_contain_text(colleague.get_session().name)
    assert accessibility_faults(opened) == []
    colleague_page.reload()
    expect(colleague_page.get_by_role("heading", name="rare tumours")).to_be_visible()
    expect(colleague_page.get_by_text("Shared by").first).to_be_visible()
    expect(colleague_page.get_by_role("button", name="Delete", exact=True)).to_have_count(0)
    colleague_page.get_by_label(f"Note on {B}").fill("seen")
    colleague_page.get_by_label(f"Note on {A}").focus()
    opened.keyboard.press("Escape")
    expect(opened.get_by_role("dialog")).to_have_count(0)
    opened.set_viewport_size({"width": 400, "height": 800})
    button = opened.get_by_role("button", name="Delete", exact=True).bounding_box()
    assert button
    assert button["x"] + button["width"] <= 400
    assert accessibility_faults(colleague_page) == []
    colleague_page.get_by_role("button", name="Leave").click()
    expect(colleague_page.get_by_text("is no longer in your list")).to_be_visible()
    assert list(own.list_collection_slides(key))[1].note == "seen"


def test_everybody_may_read_by_a_link(own: Client, colleague_page: Page) -> None:
    key = make_collection(own, "for teaching")
    own.share_collection(key, CollectionSharing(people=(), everybody="read"))
    go(colleague_page, f"#/collections?collection={key}")
    expect(colleague_page.get_by_text("Note: typical")).to_be_visible()
    expect(colleague_page.get_by_role("textbox", name=f"Note on {A}")).to_have_count(0)
    expect(colleague_page.get_by_role("button", name="Rename")).to_have_count(0)


def test_a_link_to_a_comparison_works_for_a_colleague(colleague_page: Page) -> None:
    go(colleague_page, f"#/compare?archive=cohort&ask=slide&slide={A}&at={B}")
    expect(colleague_page.locator(".compare-head")).to_contain_text(B)


def test_a_search_is_saved_and_leads_back(opened: Page, own: Client) -> None:
    go(opened, f"#/results?archive=cohort&ask=slide&slide={A}")
    opened.get_by_role("button", name="Save this search").click()
    dialog = opened.get_by_role("dialog")
    dialog.get_by_label("Name").fill("like the first")
    assert accessibility_faults(opened) == []
    dialog.get_by_role("button", name="Save this search").click()
    expect(opened.get_by_text("like the first was saved")).to_be_visible()
    go(opened, "#/work?archive=cohort")
    row = opened.locator("[aria-labelledby=saved-title] .row")
    expect(row).to_contain_text("Nothing new")
    assert accessibility_faults(opened) == []
    row.get_by_role("link", name="like the first").click()
    expect(opened.locator("[data-slide]").first).to_be_visible()
    go(opened, "#/work?archive=cohort")
    row.get_by_role("button", name="Rename like the first").click()
    row.get_by_role("textbox", name="Name").fill("similar")
    row.get_by_role("button", name="Rename", exact=True).click()
    expect(row.get_by_role("link", name="similar")).to_be_visible()
    row.get_by_role("button", name="Delete similar").click()
    expect(row).to_have_count(0)
    assert own.list_saved_searches() == ()


def test_news_of_a_saved_search_are_counted_and_then_seen(opened: Page, own: Client) -> None:
    condition = SlideCondition(filters=(FieldFilter(field="patient_id", values=("nobody",)),))
    saved = own.save_search(SavedSearchContent(archive="cohort", name="of nobody", browse=condition))
    news = {**own.get_news(saved.search_id).model_dump(mode="json"), "count": 3}
    opened.route("**/saved-searches", lambda route: _with_news(route, 3))
    opened.route("**/news", lambda route: route.fulfill(json=news))
    go(opened, "#/work?archive=cohort")
    row = opened.locator("[aria-labelledby=saved-title] .row")
    expect(row).to_contain_text("3 new slides")
    opened.unroute("**/saved-searches")
    with opened.expect_response("**/seen") as answer:
        row.get_by_role("link", name="of nobody").click()
    assert answer.value.ok
    expect(opened).to_have_url(re.compile(r"v\.since="))
    go(opened, f"#/results?archive=cohort&ask=slide&slide={A}&v.since=2001-01-01T00:00:00Z")
    expect(opened.locator("[data-slide]").first.get_by_text("New", exact=True)).to_be_visible()
    go(opened, f"#/results?archive=cohort&ask=slide&slide={A}&v.since=2101-01-01T00:00:00Z")
    expect(opened.locator("[data-slide]").first.get_by_text("New", exact=True)).to_have_count(0)


def _with_news(route: object, count: int) -> None:
    answer = route.fetch()  # type: ignore[attr-defined]
    route.fulfill(response=answer, json=[{**one, "new": count} for one in answer.json()])  # type: ignore[attr-defined]


def test_a_worklist_is_made_of_a_collection_by_one_click(opened: Page, own: Client) -> None:
    key = make_collection(own, "for Monday")
    go(opened, f"#/collections?collection={key}")
    opened.get_by_role("button", name="Make a worklist").click()
    table = opened.get_by_role("table")
    expect(table.locator("tbody tr")).to_have_count(2)
    expect(opened.locator(".worklists-progress")).to_contain_text("Done")
    expect(table.locator("tbody tr").first.locator("li")).to_have_count(5)
    assert accessibility_faults(opened) == []
    with opened.expect_download() as download:
        opened.get_by_role("button", name="CSV").click()
    assert download.value.suggested_filename.endswith(".csv")
    table.get_by_role("link", name=A, exact=True).first.click()
    expect(opened.locator("[data-slide]").first).to_be_visible()


def test_lists_ask_for_no_slides_and_a_large_collection_is_shown_whole(opened: Page, own: Client) -> None:
    ids = [*(f"gone-{number}" for number in range(1001)), A]
    items = tuple(CollectionItem(archive="cohort", slide_id=one) for one in ids)
    key = own.create_collection(CollectionContent(name="large", items=items)).collection_id
    asked: list[str] = []
    opened.on("request", lambda request: asked.append(request.url) if "/collections/" in request.url else None)
    go(opened, "#/collections")
    opened.reload()
    link = opened.get_by_role("navigation", name="Collections").get_by_role("link", name="large")
    expect(link).to_contain_text("1,002 slides")
    assert asked == []
    link.click()
    for one in (ids[0], ids[-1]):
        expect(opened.get_by_label(f"Note on {one}", exact=True)).to_be_visible()
    assert [url.partition("?")[0].rpartition("/")[2] for url in asked] == [key, "slides", "slides"]
