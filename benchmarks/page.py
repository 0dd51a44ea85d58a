"""How soon the page shows something, in headless Chromium, on an archive of simulated slides.

    PYTHONPATH=. python benchmarks/page.py [--archive FOLDER] [--times 10]

"opened" is from asking for the address with a token to the search field; "first result" from the address of a search to
the first result with its picture, in a page that holds nothing yet; "next result" the same in an open page; "compared"
from a click on a result to tiles in both viewers.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.load import simulated
from tests.browser.chromium import FLAGS, find_chromium
from tests.server.running import RunningServer, serving

TEXTS = ("lymphoma", "papillary carcinoma", "normal tissue", "adenocarcinoma", "squamous cell carcinoma")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--archive", type=Path)
    parser.add_argument("--times", type=int, default=10)
    given = parser.parse_args()
    program = find_chromium()
    if program is None:
        raise SystemExit("no Chromium: run `make page`")
    with tempfile.TemporaryDirectory() as folder:
        archive = given.archive or simulated(Path(folder))
        with serving([archive], Path(folder) / "state") as server, sync_playwright() as playwright:
            with server.client() as client:
                client.list_archives()  # from here on the server answers
            browser = playwright.chromium.launch(
                executable_path=program.path, args=list(FLAGS), env={**os.environ, **program.environment}
            )
            seconds: dict[str, list[float]] = defaultdict(list)
            for number in range(given.times):
                visit(browser, server, TEXTS[number % len(TEXTS)], seconds)
            browser.close()
    print(f"{'':>14} {'first ms':>9} {'p50 ms':>8} {'most ms':>8}")
    for name, found in seconds.items():
        print(f"{name:>14} {1000 * found[0]:>9.0f} {1000 * np.median(found):>8.0f} {1000 * max(found):>8.0f}")


def visit(browser: Browser, server: RunningServer, text: str, seconds: dict[str, list[float]]) -> None:
    """One visit with an empty cache: open, reload at a search, search again, compare."""
    context = browser.new_context(viewport={"width": 1600, "height": 1000})
    page = context.new_page()
    began = time.perf_counter()
    page.goto(f"{server.url}#token={server.token}")
    page.locator("[data-search-field]").first.wait_for()
    seconds["opened"].append(time.perf_counter() - began)
    for name, asked in (("first result", text), ("next result", f"{text} with necrosis")):
        began = time.perf_counter()
        with page.expect_response("**/search"):
            page.goto(f"{server.url}#/results?ask=text&text={asked}")
        results = page.locator("[aria-label=Results][aria-busy=false]")
        results.locator("a[data-result]").first.wait_for()
        results.locator("a[data-result] img").first.evaluate("picture => picture.decode()")
        seconds[name].append(time.perf_counter() - began)
    began = time.perf_counter()
    with page.expect_response(lambda answer: "/image_files/" in answer.url):
        page.locator("a[data-result]").first.click()
    page.wait_for_load_state("networkidle")
    seconds["compared"].append(time.perf_counter() - began)
    context.close()


if __name__ == "__main__":
    main()
