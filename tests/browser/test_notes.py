"""Notes on collected slides that can't be saved at once: nothing that was typed is lost without a word."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Dialog, Locator, Page, Response, Route, expect

from histoseek.api import Archive
from histoseek.client.client import Client
from histoseek.rest.workspace import Collection, CollectionContent, CollectionItem
from tests.browser.watched import Watched, accessibility_faults
from tests.waiting import wait_for

COLLECTIONS = "**/api/v1/collections/*"


@pytest.fixture
def noted(client: Client, indexed: Path) -> Collection:
    """A collection of two slides without notes."""
    slides = [record.slide_id for record in Archive.open(indexed).records()[:2]]
    items = tuple(CollectionItem(archive="cohort", slide_id=slide) for slide in slides)
    return client.create_collection(CollectionContent(name="with notes", items=items))


@pytest.fixture
def fields(opened: Page, client: Client, noted: Collection) -> tuple[Locator, Locator]:
    """The fields of its notes, on the opened page."""
    address = f"/collections?archive=cohort&collection={noted.collection_id}"
    opened.evaluate("address => { location.hash = address }", address)
    opened.reload()
    first, second = (opened.get_by_label(f"Note on {one}", exact=True) for one in slide_ids(client, noted))
    first.wait_for()
    return first, second


def slide_ids(client: Client, collection: Collection) -> list[str]:
    return [item.slide_id for item in client.list_collection_slides(collection.collection_id)]


def notes(client: Client, collection: Collection) -> list[str]:
    return [item.note for item in client.list_collection_slides(collection.collection_id)]


def write_elsewhere(client: Client, collection: Collection, note: str) -> None:
    """Note something on the first slide, as another tab would."""
    now = client.get_collection(collection.collection_id)
    slides = client.list_collection_slides(collection.collection_id)
    items = [CollectionItem(archive=item.archive, slide_id=item.slide_id, note=item.note) for item in slides]
    items[0] = CollectionItem(archive=items[0].archive, slide_id=items[0].slide_id, note=note)
    client.replace_collection(
        collection.collection_id, CollectionContent(name=now.name, items=tuple(items), version=now.version)
    )


def type_into(field: Locator, text: str) -> None:
    field.fill(text)
    field.blur()


def is_saved(answer: Response) -> bool:
    return answer.request.method == "PUT" and answer.ok


def refuse_changes(page: Page) -> None:
    def refuse(route: Route) -> None:
        if route.request.method == "PUT":
            route.abort()
        else:
            route.continue_()

    page.route(COLLECTIONS, refuse)


def test_a_note_that_could_not_be_saved_stays_and_is_saved_later(
    watched: Watched, opened: Page, client: Client, noted: Collection, fields: tuple[Locator, Locator]
) -> None:
    first, second = fields
    refuse_changes(opened)
    type_into(first, "see the margin")
    expect(first).to_have_accessible_description(
        "Not saved. The server does not respond. Check that it is running, then try again. Try again"
    )
    expect(first).to_have_value("see the margin")
    assert accessibility_faults(opened) == []
    opened.get_by_role("button", name="Try again").click()
    expect(opened.locator(".collections-unsaved")).to_be_visible()
    assert notes(client, noted) == ["", ""]

    opened.unroute(COLLECTIONS)
    type_into(second, "typical")
    expect(opened.locator(".collections-unsaved")).to_have_count(0)
    expect(first).to_have_value("see the margin")
    # Each may have been sent by itself.
    wait_for(lambda: notes(client, noted) == ["see the margin", "typical"])
    watched.expect_complaint("ERR_FAILED")


def test_notes_of_two_tabs_are_merged_and_conflicts_are_chosen(
    watched: Watched, opened: Page, client: Client, noted: Collection, fields: tuple[Locator, Locator]
) -> None:
    first, second = fields
    write_elsewhere(client, noted, "theirs")
    with opened.expect_response(is_saved):
        type_into(second, "mine")
    expect(first).to_have_value("theirs")
    assert notes(client, noted) == ["theirs", "mine"]

    write_elsewhere(client, noted, "theirs again")
    type_into(first, "mine too")
    expect(opened.get_by_text("It is now: theirs again")).to_be_visible()
    expect(first).to_have_value("mine too")
    assert notes(client, noted) == ["theirs again", "mine"]
    with opened.expect_response(is_saved):
        opened.get_by_role("button", name="Save mine").click()
    expect(opened.get_by_text("It is now: theirs again")).to_have_count(0)
    assert notes(client, noted) == ["mine too", "mine"]

    write_elsewhere(client, noted, "theirs at last")
    type_into(first, "mine at last")
    opened.get_by_role("button", name="Use theirs").click()
    expect(first).to_have_value("theirs at last")
    watched.expect_complaint("409")


def test_the_page_is_not_left_with_a_typed_note_without_asking(
    opened: Page, client: Client, noted: Collection, fields: tuple[Locator, Locator]
) -> None:
    asked: list[str] = []

    def leave(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.accept()

    opened.on("dialog", leave)
    fields[0].press_sequentially("half a thou")
    opened.reload()
    fields[0].wait_for()
    assert asked == ["beforeunload"]
    # Saved while the page was left: whichever came to the server first, the next visit has it.
    wait_for(lambda: notes(client, noted) == ["half a thou", ""])
    opened.reload()
    expect(fields[0]).to_have_value("half a thou")
    assert asked == ["beforeunload"]


def test_a_note_on_a_slide_that_was_taken_out_elsewhere_is_shown(
    watched: Watched, opened: Page, client: Client, noted: Collection, fields: tuple[Locator, Locator]
) -> None:
    first, _ = slide_ids(client, noted)
    client.replace_collection(noted.collection_id, CollectionContent(name=noted.name, items=(), version=noted.version))
    type_into(fields[0], "worth keeping")
    lost = opened.get_by_role("alert")
    expect(lost.get_by_label(f"Note on {first}")).to_have_value("worth keeping")
    lost.get_by_role("button", name="Discard").click()
    expect(lost).to_have_count(0)
    watched.expect_complaint("409")


def test_the_list_stays_while_the_server_does_not_answer(
    watched: Watched, opened: Page, client: Client, noted: Collection, fields: tuple[Locator, Locator]
) -> None:
    first, _ = fields
    opened.route("**/api/v1/collections**", lambda route: route.abort())
    opened.route(COLLECTIONS, lambda route: route.abort())
    type_into(first, "still here")
    opened.get_by_role("button", name=f"Move {slide_ids(client, noted)[0]} down").click()
    names = opened.get_by_role("navigation", name="Collections")
    expect(names.get_by_role("alert")).to_contain_text("No response")
    expect(names.get_by_role("link", name="with notes")).to_be_visible()
    expect(first).to_have_value("still here")

    opened.unroute_all()
    names.get_by_role("button", name="Try again").click()
    expect(opened.locator(".collections-unsaved")).to_have_count(0)
    expect(first).to_have_value("still here")
    assert notes(client, noted) == ["still here", ""]
    watched.expect_complaint("ERR_FAILED")
