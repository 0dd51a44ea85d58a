"""What a pathologist does with the page, in clicks, entries and seconds, in headless Chromium.

    PYTHONPATH=. python benchmarks/page_jobs.py [--archive FOLDER] [--page after] [--src src] [--figures FILE]
    PYTHONPATH=. python benchmarks/page_jobs.py --page before --src OTHER/src --figures FILE

The other checkout is of commit 0ec35838, with its page built; one file of figures makes one table of both. A job begins
on the start page, or where it says so on an opened slide, and ends when what was wanted is shown, which must be what
Python finds. A field without the cursor costs a click. Entries are texts typed (with Enter) or pasted, files dropped,
strokes drawn and turns of the wheel. Seconds are those of machine and page, not of a person. On the page of today a job
of more than two clicks, or with another outcome than Python's, ends this with 1. Without --archive one of simulated
slides is made; a given one is copied.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from playwright.sync_api import Browser, BrowserContext, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import page_jobs_after, page_jobs_before, page_jobs_world
from benchmarks.load import simulated
from benchmarks.page_hand import Hand
from benchmarks.page_jobs_world import NotPossible, World
from tests.browser.chromium import FLAGS, find_chromium
from tests.browser.watched import expect_loaded
from tests.server.running import serving

from histoseek.api import Archive

MOST_CLICKS = 2
SIZE = {"width": 1440, "height": 900}
OWN = Path(__file__).resolve().parents[1] / "src"
DRIVERS: dict[str, ModuleType] = {"before": page_jobs_before, "after": page_jobs_after}


@dataclass(frozen=True)
class Job:
    """name: of the function of a driver; check: what Python says of its outcome; on_slide: it begins on one."""

    title: str
    name: str
    check: Callable[[World, Any], None]
    on_slide: bool = False


JOBS = (
    Job("find a slide by part of its file name", "find_name", page_jobs_world.check_name),
    Job("all slides of a patient", "find_patient", page_jobs_world.check_patient),
    Job("search with a sentence", "ask_sentence", page_jobs_world.check_sentence),
    Job("search with a pasted report", "ask_report", page_jobs_world.check_report),
    Job("search with a dropped slide", "ask_dropped", page_jobs_world.check_drop),
    Job("search with a region (on a slide)", "ask_region", page_jobs_world.check_region, on_slide=True),
    Job("filter without a question", "filter_slides", page_jobs_world.check_filter),
    Job("compare at one scale (on a slide)", "compare", page_jobs_world.check_compare, on_slide=True),
    Job("annotate, export GeoJSON (on a slide)", "annotate", page_jobs_world.check_annotation, on_slide=True),
    Job("share a view (on a slide)", "share", page_jobs_world.check_share, on_slide=True),
    Job("add an upload to the archive", "add_upload", page_jobs_world.check_added),
    Job("worklist of ten slides", "make_worklist", page_jobs_world.check_worklist),
)


@dataclass(frozen=True)
class Figures:
    """What a job took; why_not: it can't be done; fault: what was wrong with what it showed."""

    clicks: int = 0
    entries: int = 0
    seconds: float = 0.0
    why_not: str = ""
    fault: str = ""

    def __str__(self) -> str:
        if self.why_not:
            return "not possible"
        return f"{self.clicks} / {self.entries} / {self.seconds:.1f}" + (" WRONG" if self.fault else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--archive", type=Path)
    parser.add_argument("--page", choices=tuple(DRIVERS), default="after")
    parser.add_argument("--src", type=Path, default=OWN)
    parser.add_argument("--figures", type=Path)
    parser.add_argument("--pictures", type=Path, help="a folder for screenshots of jobs that went wrong")
    parser.add_argument("--only", help="functions of jobs, with commas")
    given = parser.parse_args()
    only = given.only.split(",") if given.only else [job.name for job in JOBS]
    found: dict[str, dict[str, Figures]] = {}
    if given.figures and given.figures.is_file():
        found = {page: {name: Figures(**one) for name, one in jobs.items()} for page, jobs in _read(given.figures)}
    own = found.setdefault(given.page, {})
    with tempfile.TemporaryDirectory() as folder, opened(Path(folder), given.archive, given.src) as (world, browser):
        for job in JOBS:
            if job.name in only:
                own[job.name] = do(job, DRIVERS[given.page], world, browser, given.pictures)
    if given.figures:
        told = {page: {name: asdict(one) for name, one in jobs.items()} for page, jobs in found.items()}
        given.figures.write_text(json.dumps(told, indent=1), encoding="utf-8")
    print_table(found)
    if given.page == "after" and tell_faults(own):
        raise SystemExit(1)


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")).items()


@contextmanager
def opened(folder: Path, given: Path | None, source: Path) -> Iterator[tuple[World, Browser]]:
    """A server of the checkout's source with a copy of the archive, and a browser."""
    program = find_chromium()
    if program is None:
        raise SystemExit("no Chromium: run `make page`")
    archive = shutil.copytree(given, folder / given.name) if given else simulated(folder)
    (folder / "import").mkdir()
    options = ("--write", "--import-folder", str(folder / "import"))
    environment = {"PYTHONPATH": str(source.resolve())}
    with (
        serving([archive], folder / "state", *options, environment=environment) as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(
            executable_path=program.path, args=list(FLAGS), env={**os.environ, **program.environment}
        )
        yield World(server, Archive.open(archive), folder, lambda: profile(browser)), browser
        browser.close()


def profile(browser: Browser) -> BrowserContext:
    """A browser that has never been here, whose clipboard the page may use."""
    context = browser.new_context(viewport=SIZE, reduced_motion="reduce", locale="en", accept_downloads=True)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    return context


def do(job: Job, driver: ModuleType, world: World, browser: Browser, pictures: Path | None) -> Figures:
    """Do a job in a fresh profile, and check what it shows; pictures: a folder for screenshots of what went wrong."""
    context = profile(browser)
    hand = Hand(context)
    start(hand, world, job)
    why_not = fault = ""
    try:
        with hand.timed():
            shown = getattr(driver, job.name)(hand, world)
        job.check(world, shown)
    except NotPossible as thrown:
        why_not = str(thrown)
    except Exception as thrown:  # the other jobs are done all the same, and this one is told
        fault = f"{type(thrown).__name__}: {thrown}"
        if pictures:
            hand.page.screenshot(path=pictures / f"{job.name}.png")
    context.close()
    print(f"{job.title}: {why_not or fault or 'done'}", file=sys.stderr, flush=True)
    return Figures(hand.clicks, hand.entries, hand.seconds, why_not, fault)


def start(hand: Hand, world: World, job: Job) -> None:
    """Sign in, and open the slide where the job begins on one."""
    page = hand.page
    page.goto(f"{world.server.url}#token={world.server.token}")
    page.get_by_role("search").wait_for()
    if job.on_slide:
        address = f"/compare?archive={world.archive.path.stem}&at={world.slide.slide_id}"
        page.evaluate("address => { location.hash = address }", address)
        page.locator(".viewer-scale-line").wait_for()
    page.wait_for_load_state("networkidle")
    expect_loaded(page)


def print_table(found: dict[str, dict[str, Figures]]) -> None:
    """clicks / entries / seconds of each job, and below it why some can't be done."""
    print(f"| {'job: clicks / entries / s':<40} | {'before':<18} | {'after':<18} |\n| --- | --- | --- |")
    for job in JOBS:
        before, after = (str(found.get(page, {}).get(job.name, "")) for page in DRIVERS)
        print(f"| {job.title:<40} | {before:<18} | {after:<18} |")
    for page, figures in found.items():
        for job in JOBS:
            if (one := figures.get(job.name)) and (one.why_not or one.fault):
                print(f"{page}, {job.title}: {one.why_not or one.fault}")


def tell_faults(found: dict[str, Figures]) -> bool:
    """Whether a job takes too many clicks, can't be done, or has another outcome than Python's."""
    faults = [
        f"{name}: {one.why_not or one.fault or f'{one.clicks} clicks'}"
        for name, one in found.items()
        if one.why_not or one.fault or one.clicks > MOST_CLICKS
    ]
    print(*faults, sep="\n", file=sys.stderr)
    return bool(faults)


if __name__ == "__main__":
    main()
