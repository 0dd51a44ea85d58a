"""Uploads when the page was loaded anew: what is on the server is shown, and what is half-sent goes on."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from histoseek.client.client import Client
from tests.browser.test_work import delete_upload, drop, open_work, region
from tests.browser.watched import accessibility_faults
from tests.server.running import RunningServer


@pytest.fixture
def work(page: Page, server: RunningServer) -> Page:
    """The page of what is under way."""
    return open_work(page, server)


@pytest.fixture
def slide(cohort: Path, tmp_path: Path) -> Path:
    """A file of the user's."""
    path = tmp_path / "half.tiff"
    path.write_bytes(sorted(cohort.glob("*.tiff"))[0].read_bytes())
    return path


def load_anew(page: Page) -> Locator:
    page.reload()
    page.get_by_role("heading", name="Work", exact=True).wait_for()
    return region(page, "Uploads")


def test_a_slide_that_was_being_sent_goes_on_when_its_file_is_chosen_again(
    work: Page, client: Client, slide: Path, tmp_path: Path
) -> None:
    work.on("dialog", lambda dialog: dialog.accept())
    work.route("**/files/0?*", lambda route: None)
    with work.expect_request("**/files/0?*"):
        region(work, "Uploads").locator("input[multiple]:not([webkitdirectory])").set_input_files(slide)
    uploads = load_anew(work)
    expect(uploads.get_by_text("0 bytes of")).to_be_visible()
    (begun,) = client.list_open_uploads()
    client.send_part(begun.upload_id, 0, slide.read_bytes()[:1500])
    work.unroute("**/files/0?*")
    uploads = load_anew(work)
    expect(uploads.get_by_text("1.5 kB of")).to_be_visible()
    expect(uploads.get_by_text("Sent in part.")).to_be_visible()
    assert accessibility_faults(work) == []
    again = uploads.get_by_role("listitem").locator("input[type=file]")
    other = tmp_path / "other.tiff"
    other.write_bytes(b"another")
    again.set_input_files(other)
    expect(work.get_by_text("These are not the files that half.tiff was begun with.")).to_be_visible()
    with work.expect_request("**/files/0?offset=1500"):
        again.set_input_files(slide)
    expect(uploads.get_by_role("button", name="Delete half.tiff")).to_be_visible()
    expect(uploads.get_by_text("Sent in part.")).to_have_count(0)
    (upload,) = client.list_uploads()
    assert (upload.upload_id, upload.bytes) == (begun.upload_id, slide.stat().st_size)
    uploads = load_anew(work)
    expect(uploads.get_by_text("half.tiff", exact=True)).to_be_visible()
    delete_upload(work, "half.tiff")


def test_a_half_sent_slide_is_deleted(work: Page, client: Client, slide: Path) -> None:
    client.open_upload({slide.name: slide})
    uploads = load_anew(work)
    uploads.get_by_role("button", name="Delete half.tiff").click()
    expect(uploads.get_by_text("half.tiff", exact=True)).to_have_count(0)
    assert client.list_open_uploads() == ()


def test_a_slide_that_has_arrived_is_completed_by_itself(work: Page, client: Client, slide: Path) -> None:
    opened = client.open_upload({slide.name: slide})
    client.send_part(opened.upload_id, 0, slide.read_bytes())
    uploads = load_anew(work)
    expect(uploads.get_by_role("link", name="Search with it")).to_be_visible()
    assert [upload.upload_id for upload in client.list_uploads()] == [opened.upload_id]
    delete_upload(work, "half.tiff")


def test_a_report_stays_with_its_slide(work: Page, slide: Path) -> None:
    drop(work, {"half.tiff": slide.read_bytes(), "half.txt": b"Kidney: papillary renal cell carcinoma."})
    expect(region(work, "Uploads").get_by_text("with report")).to_be_visible()
    expect(load_anew(work).get_by_text("with report")).to_be_visible()
    delete_upload(work, "half.tiff")
