"""Pictures of the whole page: every view at three widths, light and dark, to be looked at; a few of them for docs.

python -m tests.browser.screenshots FOLDER [--only grid,compare] [--archive A.archive]
python -m tests.browser.screenshots docs/figures --docs
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from histoseek.api import Archive
from histoseek.client.client import Client
from histoseek.rest.saved_searches import SavedSearchContent, SlideCondition
from histoseek.rest.worklists import WorklistRequest, WorklistSlide
from histoseek.rest.workspace import CollectionContent, CollectionItem
from histoseek.simulate.cohort_spec import CohortSpec, write_cohort
from histoseek.training.alignment.closed_form import align
from tests.browser.chromium import FLAGS, find_chromium
from tests.browser.watched import expect_loaded
from tests.server.running import RunningServer, serving

SIZES = {400: 800, 1440: 900, 1920: 1080}
THEMES = ("light", "dark")
NAME, SECOND = "simulated", "second"
#: Those that are seen: others are not loaded before.
PICTURES_ARE_THERE = """() => [...document.images].every((one) => {
  const { top, bottom, width } = one.getBoundingClientRect();
  return one.complete || !width || bottom < 0 || top > innerHeight;
})"""
WAIT_MS = 30_000


@dataclass(frozen=True, slots=True)
class Tour:
    """A page of a server, and what of its archive the views are shown with."""

    page: Page
    server: RunningServer
    archive: str
    query: str
    result: str
    patient: str
    label: str
    collection: str
    worklist: str
    files: tuple[Path, ...]

    def go(self, view: str, parameters: str = "") -> None:
        """Another view, begun anew."""
        self.page.evaluate("location.hash = '/history'")
        self.page.get_by_role("main", name="History").wait_for()
        address = f"/{view}?archive={self.archive}{parameters and '&'}{parameters}"
        self.page.evaluate("address => { location.hash = address }", address)
        self.page.get_by_role("main", name="History").wait_for(state="detached")
        self.page.locator("h1").first.wait_for()
        expect_loaded(self.page)

    def press(self, name: str | re.Pattern[str], place: int = 0) -> None:
        self.page.get_by_role("button", name=name, exact=True).nth(place).click()

    @property
    def like(self) -> str:
        return f"ask=slide&slide={self.query}&vote=diagnosis"


def show_grid(tour: Tour) -> None:
    tour.go("results")


def show_table(tour: Tour) -> None:
    tour.go("results", f"v.as=table&f.diagnosis={tour.label}&min.age=30")
    tour.page.locator("[data-browse]").first.wait_for()
    for box in tour.page.locator(".browse-select").all()[:2]:
        box.check()


def show_case(tour: Tour) -> None:
    tour.go("case", f"v.patient={tour.patient}")


def show_completions(tour: Tour) -> None:
    tour.go("results")
    tour.page.locator("[data-search-field]").press_sequentially(tour.label[:5])
    tour.page.get_by_role("listbox").get_by_role("option").first.wait_for()


def show_slide_results(tour: Tour) -> None:
    tour.go("results", f"{tour.like}&v.layout=grid")


def show_list(tour: Tour) -> None:
    tour.go("results", f"{tour.like}&v.layout=list")


def show_groups(tour: Tour) -> None:
    tour.go("results", f"{tour.like}&v.layout=grid&v.grouped=yes")


def show_words(tour: Tour) -> None:
    tour.go("results")
    tour.page.locator("[data-search-field]").fill(f"{tour.label} without necrosis age>40")
    tour.page.locator("[data-search-field]").press("Enter")
    tour.page.locator("[data-result], .results-nothing").first.wait_for()


def show_regions(tour: Tour) -> None:
    tour.go("results", f"ask=text&text={tour.label}&to=regions&k=10")


def show_all_archives(tour: Tour) -> None:
    tour.page.evaluate("address => { location.hash = address }", f"/results?archive=*&ask=text&text={tour.label}")
    tour.page.locator("[data-archive]").first.wait_for()


def show_board(tour: Tour) -> None:
    tour.go("board", tour.like)
    tour.page.locator("section.board-column").first.wait_for()


def open_comparison(tour: Tour) -> None:
    tour.go("compare", f"{tour.like}&at={tour.result}")
    tour.page.locator(".viewer-scale-magnification").first.wait_for()


def show_comparison(tour: Tour) -> None:
    open_comparison(tour)


def show_contours(tour: Tour) -> None:
    open_comparison(tour)
    tour.page.get_by_label("Overlay").select_option("contribution")


def show_annotations(tour: Tour) -> None:
    open_comparison(tour)
    tour.press(re.compile("^Annotations"), -1)


def show_appearance(tour: Tour) -> None:
    open_comparison(tour)
    tour.press("Brightness, contrast and stains")


def show_turning(tour: Tour) -> None:
    open_comparison(tour)
    tour.press(re.compile("^Turn and flip"))


def show_ruler(tour: Tour) -> None:
    """A single slide with a rectangle, and the ruler across it."""
    tour.go("compare", f"at={tour.query}")
    tour.page.locator(".viewer-scale-magnification").first.wait_for()
    tour.press(re.compile("^Annotations"))
    if not tour.page.locator(".annotations-item").count():
        drag(tour.page, ".viewer-stage", (0.45, 0.35), (0.55, 0.5))
        tour.page.locator(".annotations-item").first.wait_for()
    tour.press(re.compile("^Annotations"))
    tour.press("Measure a distance")
    box = tour.page.locator(".viewer-stage").bounding_box()
    assert box
    for across in (0.45, 0.6):
        tour.page.mouse.click(box["x"] + across * box["width"], box["y"] + 0.55 * box["height"])


def show_phrases(tour: Tour) -> None:
    """What a report would say of a region that is drawn on a slide."""
    tour.go("compare", f"at={tour.query}")
    tour.press("Draw regions")
    drag(tour.page, ".viewer-draw", (0.38, 0.35), (0.46, 0.65))
    tour.page.keyboard.press("Escape")
    tour.page.locator(".compare-phrases ol").wait_for()


def show_overview(tour: Tour) -> None:
    tour.go("overview")
    canvas = ".overview-map canvas"
    tour.page.locator(canvas).first.wait_for(timeout=120_000)
    tour.page.get_by_role("button", name="Lasso").click()
    drag(tour.page, canvas, (0.1, 0.1), (0.6, 0.1), (0.6, 0.6), (0.1, 0.6))


def show_collections(tour: Tour) -> None:
    tour.go("collections", f"collection={tour.collection}")


def show_sharing(tour: Tour) -> None:
    show_collections(tour)
    tour.press("Share")


def show_work(tour: Tour) -> None:
    tour.go("work")


def show_adding(tour: Tour) -> None:
    tour.go("work")
    uploads = tour.page.get_by_role("region", name="Uploads", exact=True)
    if not uploads.get_by_role("button", name=re.compile("^Delete ")).count():
        uploads.locator("input[type=file]").first.set_input_files(tour.files)
        uploads.get_by_role("button", name=re.compile("^Delete ")).nth(1).wait_for()
    tour.page.get_by_role("button", name=re.compile("^Add 2 slides to ")).click()


def show_worklist(tour: Tour) -> None:
    tour.go("work", f"v.worklist={tour.worklist}")
    tour.page.get_by_role("table").first.wait_for()


def show_options(tour: Tour) -> None:
    show_words(tour)
    tour.press(re.compile("Options"))


def show_saving(tour: Tour) -> None:
    show_slide_results(tour)
    tour.press("Save this search")


def show_collecting(tour: Tour) -> None:
    show_slide_results(tour)
    tour.press("Collect this slide")


def show_figure(tour: Tour) -> None:
    open_comparison(tour)
    tour.press("Save a figure")


def show_help(tour: Tour) -> None:
    tour.go("results")
    tour.press("Show keyboard shortcuts")


SCENES: dict[str, Callable[[Tour], None]] = {
    "grid": show_grid,
    "table": show_table,
    "case": show_case,
    "completions": show_completions,
    "results": show_slide_results,
    "list": show_list,
    "groups": show_groups,
    "words": show_words,
    "regions": show_regions,
    "all": show_all_archives,
    "board": show_board,
    "compare": show_comparison,
    "contours": show_contours,
    "annotations": show_annotations,
    "appearance": show_appearance,
    "turning": show_turning,
    "ruler": show_ruler,
    "phrases": show_phrases,
    "overview": show_overview,
    "collections": show_collections,
    "sharing": show_sharing,
    "work": show_work,
    "adding": show_adding,
    "worklist": show_worklist,
    "options": show_options,
    "saving": show_saving,
    "collecting": show_collecting,
    "figure": show_figure,
    "help": show_help,
}
#: Of documents: a scene, and whether it is in the dark.
DOCS = {
    "browse": ("grid", False),
    "words": ("words", False),
    "regions": ("regions", False),
    "results": ("results", False),
    "board": ("board", False),
    "compare": ("compare", False),
    "dark": ("contours", True),
    "phrases": ("phrases", False),
    "overview": ("overview", False),
    "work": ("adding", False),
}


def main(arguments: list[str]) -> None:
    expect.set_options(timeout=WAIT_MS)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--docs", action="store_true", help="only what the documents show")
    parser.add_argument("--only", default="", help="names of scenes, with commas")
    parser.add_argument("--width", type=int, choices=list(SIZES), action="append")
    parser.add_argument("--archive", type=Path, help="of other slides than simulated ones; it is copied")
    asked = parser.parse_args(arguments)
    asked.folder.mkdir(parents=True, exist_ok=True)
    chosen = asked.only.split(",") if asked.only else list(SCENES)
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        archive = _archive(Path(place), asked.archive)
        with _prepared(Path(place), archive) as prepared, _launched(playwright) as browser:
            if asked.docs:
                _take_docs(browser, prepared, asked.folder)
                return
            for width in asked.width or SIZES:
                for name in chosen:
                    _take(browser, prepared, name, width, asked.folder)


def drag(page: Page, selector: str, *points: tuple[float, float]) -> None:
    """Draw with the mouse held; in shares of an element's width and height."""
    box = page.locator(selector).first.bounding_box()
    assert box
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=4)
    page.mouse.up()


def _archive(place: Path, given: Path | None) -> Archive:
    if given is not None:
        return Archive.open(shutil.copytree(given, place / given.name))
    slides = place / "slides"
    write_cohort(CohortSpec(patients=24, slides_per_patient=2, sites=2, size_px=2048), slides)
    archive = Archive.create(place / f"{NAME}.archive")
    archive.index([slides], slides / "metadata.csv", slides / "reports.csv")
    archive.calibrate()
    align(archive)
    return archive


@contextmanager
def _prepared(place: Path, archive: Archive) -> Iterator[Callable[[Page], Tour]]:
    """A server with work on it; gives what makes a tour of a page."""
    fresh = place / "import"
    write_cohort(CohortSpec(patients=2, slides_per_patient=2, sites=1, size_px=1024, seed=7), fresh)
    files = []
    for path in sorted(fresh.glob("*.tiff"))[:2]:
        files.append(path.rename(place / f"H26-{path.stem[-5:]}.tiff"))
    second = shutil.copytree(archive.path, place / f"{SECOND}.archive")
    options = ("--write", "--import-folder", str(fresh))
    with serving([archive.path, second], place / "state", *options) as server, server.client() as client:
        facts = make_facts(client, archive)
        yield lambda page: Tour(page=page, server=server, files=tuple(files), **facts)


def make_facts(client: Client, archive: Archive) -> dict[str, str]:
    """Slides to show, a collection, a saved search and a worklist of them."""
    name = archive.path.name.removesuffix(".archive")
    records = archive.records()
    query = next((one for one in records if one.diagnosis == "papillary carcinoma"), records[0])
    result = next(iter(archive.search(like=query.slide_id, k=1)))
    slides = [query.slide_id, result.slide_id, *(one.slide_id for one in records[:3])]
    items = tuple(CollectionItem(archive=name, slide_id=one, note="typical") for one in dict.fromkeys(slides))
    collection = client.create_collection(CollectionContent(name="Teaching: papillary growth", items=items))
    client.save_search(SavedSearchContent(archive=name, name="All new slides", browse=SlideCondition(filters=())))
    asked = tuple(WorklistSlide(slide_id=one.slide_id) for one in records[:10])
    worklist = client.start_worklist(name, WorklistRequest(name="Monday", slides=asked))
    return {
        "archive": name,
        "query": query.slide_id,
        "result": result.slide_id,
        "patient": query.patient_id or "",
        "label": query.diagnosis or "carcinoma",
        "collection": collection.collection_id,
        "worklist": worklist.worklist_id,
    }


@contextmanager
def _launched(playwright: Playwright) -> Iterator[Browser]:
    program = find_chromium()
    if program is None:
        raise SystemExit("no Chromium: run `make page`")
    environment = {**os.environ, **program.environment}
    browser = playwright.chromium.launch(executable_path=program.path, args=list(FLAGS), env=environment)
    yield browser
    browser.close()


@contextmanager
def _page(browser: Browser, prepared: Callable[[Page], Tour], width: int) -> Iterator[Tour]:
    page = browser.new_page(viewport={"width": width, "height": SIZES[width]}, reduced_motion="reduce")
    page.set_default_timeout(WAIT_MS)
    tour = prepared(page)
    page.goto(f"{tour.server.url}#token={tour.server.token}")
    page.get_by_role("search").wait_for()
    yield tour
    page.close()


def _take(browser: Browser, prepared: Callable[[Page], Tour], name: str, width: int, folder: Path) -> None:
    """One scene in both themes; what can't be shown is told, and the others go on."""
    with _page(browser, prepared, width) as tour:
        try:
            SCENES[name](tour)
        except Exception:
            print(name, width, traceback.format_exc(limit=-2), file=sys.stderr)
        for theme in THEMES:
            _shoot(tour.page, folder / f"{name}-{width}-{theme}.jpg", theme == "dark")


def _take_docs(browser: Browser, prepared: Callable[[Page], Tour], folder: Path) -> None:
    for figure, (name, is_dark) in DOCS.items():
        with _page(browser, prepared, 1440) as tour:
            SCENES[name](tour)
            _shoot(tour.page, folder / f"page-{figure}.jpg", is_dark)


def _shoot(page: Page, path: Path, is_dark: bool) -> None:
    page.emulate_media(color_scheme="dark" if is_dark else "light", reduced_motion="reduce")
    with suppress(Exception):  # A picture of what never ends loading says more than none.
        expect_loaded(page)
        page.wait_for_function(PICTURES_ARE_THERE)
    page.screenshot(path=path, type="jpeg", quality=75)


if __name__ == "__main__":
    main(sys.argv[1:])
