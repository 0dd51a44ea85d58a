"""What is on paper: what tells slides apart and what was noted, without what only works on a screen."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

from histoseek.api import Archive
from histoseek.client.client import Client
from histoseek.rest.workspace import CollectionContent, CollectionItem
from tests.server.running import RunningServer


def open_address(page: Page, address: str) -> None:
    page.evaluate("address => { location.hash = address }", address)
    page.reload()


def test_collections_print_patients_cases_and_notes_in_their_lines(
    opened: Page, server: RunningServer, indexed: Path
) -> None:
    slide = Archive.open(indexed).records()[0]
    item = CollectionItem(archive="cohort", slide_id=slide.slide_id, note="first line\nsecond line")
    with Client(server.url, server.token) as client:
        made = client.create_collection(CollectionContent(name="on paper", items=(item,)))
        open_address(opened, f"/collections?archive=cohort&collection={made.collection_id}")
        ids = opened.locator(".collections-ids")
        expect(ids).to_contain_text(f"Patient {slide.patient_id}")
        opened.emulate_media(media="print")
        expect(ids).to_contain_text(f"Case {slide.case_id}")
        expect(opened.get_by_role("textbox")).to_have_count(0)
        assert "first line\nsecond line" in opened.locator(".collections-printed").inner_text()


def test_a_comparison_prints_without_its_controls(opened: Page, indexed: Path) -> None:
    slide = Archive.open(indexed).records()[0].slide_id
    open_address(opened, f"/results?archive=cohort&ask=slide&slide={slide}&k=3")
    opened.locator("a[data-result]").first.click()
    picker = opened.get_by_label("Overlay")
    picker.select_option("contribution")
    opened.emulate_media(media="print")
    expect(picker).to_be_hidden()
    expect(opened.get_by_text("Overlay: Contribution")).to_be_visible()
    expect(opened.get_by_role("link", name="Results")).to_be_hidden()


def test_results_print_patients_cases_filters_and_the_vote(opened: Page, indexed: Path) -> None:
    records = {record.slide_id: record for record in Archive.open(indexed).records()}
    open_address(opened, f"/results?archive=cohort&ask=slide&slide={next(iter(records))}&k=3&f.stain=H%26E")
    first = opened.locator("li[data-slide]").first
    first.wait_for()
    opened.emulate_media(media="print")
    found = records[first.get_attribute("data-slide") or ""]
    expect(first).to_contain_text(f"Patient {found.patient_id}")
    expect(first).to_contain_text(f"Case {found.case_id}")
    expect(opened.get_by_label("Active filters")).to_be_visible()
    expect(opened.locator(".results-sentence")).to_be_visible()
