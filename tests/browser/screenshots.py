"""Pictures of the page for its documentation, with simulated slides.

python -m tests.browser.screenshots docs/figures
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from histoseek.api import Archive
from histoseek.simulate.cohort_spec import CohortSpec, write_cohort
from histoseek.training.alignment.closed_form import align
from tests.browser.chromium import FLAGS, find_chromium
from tests.browser.watched import expect_loaded
from tests.server.running import serving

SIZE = {"width": 1440, "height": 900}
NAME = "simulated"
PICTURES_ARE_THERE = "() => [...document.images].every((one) => one.complete)"


def main(folder: Path) -> None:
    program = find_chromium()
    if program is None:
        raise SystemExit("no Chromium: run `make page`")
    with tempfile.TemporaryDirectory() as place:
        archive = made(Path(place))
        with serving([archive.path], Path(place) / "state") as server, sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=program.path, args=list(FLAGS), env={**os.environ, **program.environment}
            )
            page = browser.new_page(viewport=SIZE, reduced_motion="reduce")
            page.goto(f"{server.url}#token={server.token}")
            page.get_by_role("search").wait_for()
            take_all(page, folder, archive)
            browser.close()


def made(place: Path) -> Archive:
    slides = place / "slides"
    write_cohort(CohortSpec(patients=24, slides_per_patient=2, sites=2, size_px=2048), slides)
    archive = Archive.create(place / f"{NAME}.archive")
    archive.index([slides], slides / "metadata.csv", slides / "reports.csv")
    archive.calibrate()
    align(archive)
    return archive


def take_all(page: Page, folder: Path, archive: Archive) -> None:
    query = archive.records("diagnosis = 'papillary carcinoma'")[0].slide_id
    like = f"archive={NAME}&ask=slide&slide={query}&vote=diagnosis"
    take(page, folder, "page-words", f"/results?archive={NAME}&ask=text&text=papillary carcinoma without necrosis")
    take(page, folder, "page-results", f"/results?{like}")
    page.locator("a[data-result]").first.click()
    page.get_by_role("heading", name="What matched").wait_for()
    shoot(page, folder, "page-compare")
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    page.get_by_label("Overlay").select_option("contribution")
    shoot(page, folder, "page-dark")
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    take(page, folder, "page-overview", f"/overview?archive={NAME}")
    take_regions(page, folder, archive.records("diagnosis = 'lymphoma'")[0].slide_id)


def take_regions(page: Page, folder: Path, slide_id: str) -> None:
    """Fields that fit words, and the phrases of a region that is drawn on a slide."""
    take(page, folder, "page-regions", f"/results?archive={NAME}&ask=text&text=papillary carcinoma&to=regions&k=10")
    page.evaluate("address => { location.hash = address }", f"/compare?archive={NAME}&at={slide_id}")
    expect_loaded(page)
    page.get_by_role("button", name="Draw regions", exact=True).click()
    box = page.locator(".viewer-draw").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.38, box["y"] + box["height"] * 0.35)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.46, box["y"] + box["height"] * 0.65, steps=4)
    page.mouse.up()
    page.keyboard.press("Escape")
    page.locator(".compare-phrases ol").wait_for()
    shoot(page, folder, "page-phrases")


def take(page: Page, folder: Path, name: str, address: str) -> None:
    page.evaluate("address => { location.hash = address }", address)
    shoot(page, folder, name)


def shoot(page: Page, folder: Path, name: str) -> None:
    expect_loaded(page)
    page.wait_for_function(PICTURES_ARE_THERE)
    page.screenshot(path=folder / f"{name}.jpg", type="jpeg", quality=80)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
