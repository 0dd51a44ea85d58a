"""Regions that fit words as fields, and the phrases of a region that is drawn.

The ten slides of the server have no space for regions and words: what it would answer in one that has is put in place
of its answers, with slides that it has.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.watched import accessibility_faults, expect_loaded

REGION = {"x": 300, "y": 200, "width": 400, "height": 200}
FIELD = {"x": 0, "y": 0, "width": 1000, "height": 1000}


def make_phrase(name: str, probability: float | None, slide_id: str) -> dict[str, Any]:
    example = {"slide_id": slide_id, "region": REGION, "similarity": 0.6}
    return {
        "rank": 1,
        "concept_id": name,
        "kind": "finding",
        "name": name,
        "probability": probability,
        "prior": 0.2,
        "lift": None if probability is None else probability / 0.2,
        "similarity": 0.41,
        "patients": 8,
        "judged": 40,
        "examples": [example],
    }


def make_phrases(slide_id: str, calibrated: bool) -> dict[str, Any]:
    likely = (0.72, 0.1) if calibrated else (None, None)
    return {
        "query": {},
        "measured_by": "tile words",
        "elapsed_ms": 1.0,
        "results": [make_phrase(*one, slide_id) for one in zip(("necrosis", "mucin"), likely, strict=True)],
        "calibrated": calibrated,
        "calibration_error": 0.04 if calibrated else None,
        "patients": 40 if calibrated else 7,
        "phrases": 2,
        "warnings": [] if calibrated else ["not calibrated: only 7 patients have a report that counts"],
    }


@pytest.fixture
def measuring(opened: Page) -> Page:
    """The page of an archive whose regions can be compared with words."""

    def answer_archives(route: Route) -> None:
        archives = route.fetch().json()
        route.fulfill(json=[{**archive, "measures_regions": True} for archive in archives])

    def answer_search(route: Route) -> None:
        asked = json.loads(route.request.post_data or "{}")
        if asked["to"] != "regions":
            route.continue_()
            return
        assert asked["vote"] is None and not asked["by_case"]
        found = route.fetch(post_data=json.dumps({**asked, "to": "slides"})).json()
        found["query"]["to"] = "regions"
        near = {"mosaic": None, "similarity": 0.6, "region": REGION, "words": None, "contribution": None}
        found["field_um"] = 500.0
        own = {"region": REGION, "field": FIELD, "further_fields": [], "text_regions": [near]}
        found["results"] = [{**one, **own} for one in found["results"]]
        route.fulfill(json=found)

    opened.route("**/api/v1/archives", answer_archives)
    opened.route("**/archives/cohort/search", answer_search)
    opened.reload()
    return opened


def go(page: Page, address: str) -> None:
    page.evaluate("address => { location.hash = address }", address)


def test_regions_are_listed_as_fields_of_one_size_and_open_in_their_slide(measuring: Page) -> None:
    go(measuring, "/results?archive=cohort&ask=text&text=adenocarcinoma&to=regions")
    fields = measuring.locator("li.results-field")
    fields.first.wait_for()
    expect_loaded(measuring)
    expect(measuring.get_by_text("All fields are 500 µm wide")).to_be_visible()
    pictures = fields.first.locator("img")
    expect(pictures.first).to_be_visible()
    assert fields.first.locator("polygon").count() == 2
    assert accessibility_faults(measuring) == []
    fields.first.locator("a[data-result]").press("Enter")
    frame = measuring.get_by_role("button", name="Near the text T1").first
    expect(frame).to_be_visible()
    assert "region=300" in measuring.url


def test_a_drawn_region_has_phrases_with_probabilities_or_says_that_there_are_none(measuring: Page) -> None:
    go(measuring, "/results?archive=cohort&ask=text&text=adenocarcinoma")
    measuring.locator("a[data-result]").first.wait_for()
    slide_id = measuring.locator("li[data-slide]").nth(1).get_attribute("data-slide") or ""
    answers = iter([make_phrases(slide_id, True), make_phrases(slide_id, False)])
    measuring.route("**/archives/cohort/phrases", lambda route: route.fulfill(json=next(answers)))
    measuring.locator("a[data-result]").first.click()
    measuring.get_by_role("button", name="Draw regions").press("Enter")
    layer = measuring.get_by_role("application", name="Drawing of regions")
    layer.press("Enter")
    panel = measuring.get_by_role("region", name="What a report would say of region A")
    expect(panel.get_by_role("img", name="necrosis: 72 % likely to be in the report; base rate 20 %")).to_be_visible()
    expect(panel.get_by_text("probabilities are off by 4 points")).to_be_visible()
    assert accessibility_faults(measuring) == []
    layer.press("ArrowRight")
    layer.press("Enter")
    both = measuring.get_by_role("region", name="What a report would say of regions A, B")
    expect(both.get_by_text("Not calibrated: the reports of 7 patients are too few")).to_be_visible()
    assert both.get_by_role("img", name="72 %").count() == 0
    both.get_by_role("button", name="Hide").click()
    expect(both.locator("ol")).to_have_count(0)
    both.get_by_role("button", name="Show").click()
    both.get_by_role("link", name=slide_id).first.click()
    expect(measuring.get_by_role("button", name="Region that was opened").first).to_be_visible()
