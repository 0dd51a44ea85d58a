"""Adding slides by the page: dropped, chosen from the import folder, refused and tried again."""

from __future__ import annotations

import base64
import io
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from histoseek.api import Archive
from histoseek.server.web_page import STATIC
from tests.browser.fresh import renew
from tests.browser.watched import Watched, accessibility_faults, expect_loaded
from tests.server.conftest import new_token
from tests.server.running import RunningServer, serving

DROP = """files => {
  const transfer = new DataTransfer();
  for (const [name, content] of Object.entries(files)) {
    const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
    transfer.items.add(new File([bytes], name));
  }
  document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
}"""


@pytest.fixture(scope="module")
def place(indexed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a copy of the archive, "ward", and an import folder."""
    if not (STATIC / "index.html").is_file():
        pytest.skip("the page is not built: run `make page`")
    folder = tmp_path_factory.mktemp("working")
    shutil.copytree(indexed, folder / "ward.archive")
    (folder / "import").mkdir()
    return folder


@pytest.fixture(scope="module")
def kept_writing(place: Path) -> Iterator[RunningServer]:
    """A server that may add slides to it."""
    options = ("--write", "--import-folder", str(place / "import"))
    with serving([place / "ward.archive"], place / "state", *options) as running:
        yield running


@pytest.fixture
def writing(kept_writing: RunningServer, place: Path) -> RunningServer:
    """That server for one test: its archive has its own slides alone, and its import folder none."""
    server = renew(kept_writing)
    with server.client() as client:
        for one in client.list_slides("ward"):
            if not one.slide_id.startswith("SIM-"):
                client.remove_slide("ward", one.slide_id, erase="later")
    for path in (place / "import").glob("*.tiff"):
        path.unlink()
    return server


@pytest.fixture
def work(page: Page, writing: RunningServer) -> Page:
    """The page of what is under way."""
    return open_work(page, writing)


@pytest.fixture
def slides(cohort: Path, tmp_path: Path) -> list[bytes]:
    """Slides that the archive does not know and has not removed: its own with the name of the test's folder."""
    return [path.read_bytes() + str(tmp_path).encode() for path in sorted(cohort.glob("*.tiff"))[:3]]


def open_work(page: Page, server: RunningServer) -> Page:
    page.goto(f"{server.url}#token={server.token}")
    page.get_by_label("Archive", exact=True).wait_for()  # what is dropped before is for no archive yet
    page.evaluate("location.hash = '/work'")
    page.get_by_role("heading", name="Work", exact=True).wait_for()
    return page


def drop(page: Page, files: Mapping[str, bytes]) -> None:
    """Drop files onto the page."""
    page.evaluate(DROP, {name: base64.b64encode(content).decode() for name, content in files.items()})


def tiny_png() -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (64, 64)).save(made, "PNG")
    return made.getvalue()


def region(page: Page, name: str) -> Locator:
    return page.get_by_role("region", name=name, exact=True)


def delete_upload(page: Page, name: str) -> None:
    """Once its picture is there: one on its way would be refused, which the console reports."""
    page.wait_for_function("() => [...document.images].every((image) => image.complete)")
    page.get_by_role("button", name=f"Delete {name}").click()


def newest_job(page: Page) -> Locator:
    return region(page, "Jobs").get_by_role("listitem").first


def test_dropped_slides_arrive_and_are_added_in_two_clicks(
    work: Page, watched: Watched, place: Path, slides: list[bytes]
) -> None:
    report = b"Kidney: papillary renal cell carcinoma. Patient: Jane Doe."
    drop(work, {"D-1.tiff": slides[0], "D-2.tiff": slides[1], "D-2.txt": report, "bad.svs": b"no slide"})
    uploads = region(work, "Uploads")
    expect(uploads.get_by_text("D-1.tiff", exact=True)).to_be_visible()
    expect(uploads.get_by_text("D-2.tiff", exact=True)).to_be_visible()
    expect(uploads.get_by_role("alert")).to_contain_text("cannot be read as a slide")
    expect(uploads.get_by_text("with report")).to_have_count(1)
    assert accessibility_faults(work) == []
    before = len(Archive.open(place / "ward.archive"))
    expect(work.get_by_label("Archive", exact=True).locator("option")).to_contain_text(f"({before} slides)")
    work.get_by_role("button", name="Add 2 slides to ward").click()
    dialog = work.get_by_role("dialog")
    expect(dialog.get_by_text("D-2.txt")).to_be_visible()
    assert accessibility_faults(work) == []
    dialog.get_by_role("button", name="Add 2 slides").click()
    expect(newest_job(work)).to_contain_text("2 added")
    expect(work.get_by_label("Archive", exact=True).locator("option")).to_contain_text(f"({before + 2} slides)")
    assert "Jane" not in (Archive.open(place / "ward.archive").get("D-2").record.report or "")
    work.get_by_role("button", name="Cancel bad.svs").click()
    expect(uploads.get_by_role("alert")).to_have_count(0)
    watched.expect_complaint("422")


def test_a_slide_that_was_asked_with_is_added_in_two_clicks(work: Page, place: Path, slides: list[bytes]) -> None:
    work.evaluate("location.hash = '/results'")
    expect(work.get_by_role("heading", name="Work", exact=True)).to_have_count(0)
    before = len(Archive.open(place / "ward.archive"))
    drop(work, {"Q-1.tiff": slides[2]})
    work.get_by_role("log").get_by_role("button", name="Add to ward").click()
    work.get_by_role("dialog").get_by_role("button", name="Add 1 slide").click()
    # Meanwhile the question that it was dropped for may be answered, which leads to the results.
    expect(work.get_by_label("Archive", exact=True).locator("option")).to_contain_text(f"({before + 1} slides)")


def test_dropped_slides_make_a_worklist_in_one_click(work: Page, slides: list[bytes]) -> None:
    work.evaluate("location.hash = '/results'")
    expect(work.get_by_role("heading", name="Work", exact=True)).to_have_count(0)
    drop(work, {"W-1.tiff": slides[0], "W-2.tiff": slides[1]})
    work.get_by_role("dialog").get_by_role("button", name="Make a worklist").click()
    rows = work.get_by_role("table").locator("tbody tr")
    expect(work.locator(".worklists-progress")).to_contain_text("Done")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("W-1.tiff")
    work.get_by_role("link", name="All worklists").click()
    for name in ("W-1.tiff", "W-2.tiff"):
        delete_upload(work, name)


def test_a_folder_is_sorted_into_slides_reports_and_the_rest(
    work: Page, watched: Watched, slides: list[bytes], tmp_path: Path
) -> None:
    folder = tmp_path / "case"
    (folder / "S").mkdir(parents=True)
    for name, content in {"F-1.tiff": slides[2], "F-1.txt": b"A report.", "notes.docx": b"PK"}.items():
        (folder / name).write_bytes(content)
    (folder / "S.mrxs").write_bytes(b"\xff\xd8")
    (folder / "S" / "Slidedat.ini").write_text("[GENERAL]", encoding="utf-8")
    uploads = region(work, "Uploads")
    uploads.locator("input[webkitdirectory]").set_input_files(folder)
    expect(uploads.get_by_text("F-1.tiff", exact=True)).to_be_visible()
    expect(uploads.get_by_text("case/notes.docx")).to_be_visible()
    expect(uploads.get_by_role("alert")).to_contain_text("SLIDE_ID")  # both files of the MIRAX slide have come
    work.get_by_role("button", name="Cancel S.mrxs").click()
    delete_upload(work, "F-1.tiff")
    expect(uploads.get_by_text("F-1.tiff", exact=True)).to_have_count(0)
    watched.expect_complaint("422")


def test_a_picture_waits_for_the_size_of_its_pixels(work: Page, slides: list[bytes]) -> None:
    png = tiny_png()
    drop(work, {"photo.png": png, "other.png": png})
    field = work.get_by_label("Pixel size of photo.png")
    expect(field).to_be_visible()
    field.fill("0,5")
    field.press("Enter")
    expect(field).to_have_count(0)
    work.get_by_role("button", name="Cancel other.png").click()


def test_of_the_import_folder_the_bad_file_says_why_and_is_tried_again(
    work: Page, place: Path, slides: list[bytes]
) -> None:
    good, bad = place / "import" / "I-1.tiff", place / "import" / "I-2.tiff"
    good.write_bytes(slides[0] + b"\1")
    bad.write_bytes(b"no slide")
    imports = region(work, "Import folder")
    imports.get_by_role("button", name="Look again").click()
    imports.get_by_label("Select all that are not in the archive").check()
    imports.get_by_role("button", name="Add 2 slides", exact=True).click()
    job = newest_job(work)
    expect(job).to_contain_text("1 added, 1 refused")
    expect(job).to_contain_text(re.compile("I-2.tiff.*cannot be read as a slide"))
    expect(imports.get_by_role("row", name=re.compile("I-1.tiff"))).to_contain_text("in the archive as I-1")
    expect(imports.get_by_role("row", name=re.compile("I-2.tiff"))).to_contain_text("refused:")
    bad.write_bytes(slides[1] + b"\1")
    job.get_by_role("button", name="Try the refused ones again").click()
    expect(newest_job(work)).to_contain_text("1 added")
    expect(imports.get_by_role("row", name=re.compile("I-2.tiff"))).to_contain_text("in the archive as I-2")
    expect_loaded(work)
    assert accessibility_faults(work) == []


def test_who_may_not_add_slides_sees_why(page: Page, writing: RunningServer) -> None:
    open_work(page, replace(writing, token=new_token(writing, "read")))
    expect(page.get_by_text("Your token is for looking and searching.")).to_be_visible()
    expect(page.get_by_role("region", name="Import folder")).to_have_count(0)


def test_a_lost_connection_stops_no_upload(watched: Watched, writing: RunningServer, slides: list[bytes]) -> None:
    page = open_work(watched.page, writing)
    lost = iter([True])
    page.route(
        re.compile(r"/files/0\?"), lambda route: route.abort() if next(lost, False) else route.continue_(), times=2
    )
    drop(page, {"L-1.tiff": slides[0], "L-2.tiff": slides[1]})
    uploads = region(page, "Uploads")
    for name in ("L-1.tiff", "L-2.tiff"):
        expect(uploads.get_by_role("button", name=f"Delete {name}")).to_be_visible()
    watched.expect_complaint("ERR_FAILED")
