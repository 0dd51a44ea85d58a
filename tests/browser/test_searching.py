"""Asking, filtering and collecting beyond the first steps: reports, uploads, keys, pages, conditions, exports."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from histoseek.api import Archive
from tests.browser.watched import Watched, accessibility_faults, expect_loaded

DROP = """given => {
  const files = new DataTransfer();
  for (const [name, text] of given) files.items.add(new File([text], name));
  for (const kind of ["dragover", "drop"]) {
    document.body.dispatchEvent(new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer: files }));
  }
}"""
REPORT = "Colon, biopsy: adenocarcinoma. Sections show irregular glands. Necrosis is present."


def go(page: Page, parameters: str) -> None:
    """Open results by their address."""
    page.evaluate("address => { location.hash = address }", f"/results?archive=cohort&{parameters}")
    results(page).first.wait_for()


def results(page: Page) -> Locator:
    return page.locator("a[data-result]")


def slide_ids(page: Page) -> list[str]:
    results(page).first.wait_for()
    expect_loaded(page)
    return [one.get_attribute("data-slide") or "" for one in page.locator("li[data-slide]").all()]


def field(page: Page) -> Locator:
    return page.get_by_role("combobox", name="Search the archive")


def ask(page: Page, text: str) -> None:
    field(page).fill(text)
    field(page).press("Enter")


def chips(page: Page) -> Locator:
    return page.get_by_role("list", name="Understood as").get_by_role("listitem")


PASTE = """([text]) => {
  const pasted = new DataTransfer();
  pasted.setData("text/plain", text);
  const field = document.querySelector("[data-search-field]");
  field.focus();
  field.dispatchEvent(new ClipboardEvent("paste", { bubbles: true, cancelable: true, clipboardData: pasted }));
}"""


@pytest.fixture
def a_slide(indexed: Path) -> str:
    return Archive.open(indexed).records()[0].slide_id


def test_a_pasted_report_is_a_chip_stays_out_of_the_address_and_outlives_a_reload(opened: Page) -> None:
    opened.evaluate(PASTE, [REPORT.replace(". ", ".\n")])
    expect(chips(opened)).to_contain_text(["Report, 10 words"])
    field(opened).press("Enter")
    before = slide_ids(opened)
    assert "Necrosis" not in opened.url
    opened.reload()
    assert slide_ids(opened) == before
    opened.get_by_role("button", name="Report, 10 words").click()
    expect(opened.get_by_role("region", name="Report, 10 words")).to_contain_text("Necrosis is present")
    opened.get_by_role("button", name="Remove the report").click()
    expect(chips(opened)).to_have_count(0)


def test_dropped_texts_and_pdfs_are_one_report(opened: Page) -> None:
    opened.evaluate(DROP, [["a.txt", REPORT], ["b.txt", "Lymph node: lymphoma."]])
    expect(chips(opened)).to_contain_text(["Report, 13 words"])


def test_several_dropped_slides_are_a_case_a_worklist_or_only_uploaded(opened: Page) -> None:
    opened.evaluate(DROP, [["a.svs", "no slide"], ["b.svs", "neither"]])
    dialog = opened.get_by_role("dialog")
    expect(dialog.get_by_role("listitem")).to_have_text(["a.svs", "b.svs"])
    for name in ("Search as one case", "Make a worklist", "Only upload"):
        expect(dialog.get_by_role("button", name=name)).to_be_visible()
    assert accessibility_faults(opened) == []
    opened.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_a_part_of_a_name_leads_to_its_slide(opened: Page, a_slide: str) -> None:
    ask(opened, f"{a_slide.lower()}.tiff")
    opened.wait_for_url(f"**at={a_slide}**")


def test_completions_lead_to_slides_that_have_them(opened: Page, indexed: Path) -> None:
    records = Archive.open(indexed).records()
    value = str(records[0].diagnosis)
    field(opened).press_sequentially(value[:4])
    option = opened.get_by_role("option", name=re.compile(f"^{value}.*Diagnosis .*slide")).first
    expect(option).to_be_visible()
    assert accessibility_faults(opened) == []
    field(opened).press("ArrowDown")
    expect(option).to_have_attribute("aria-selected", "true")
    field(opened).press("Enter")
    opened.wait_for_url("**f.diagnosis=**")
    expect(field(opened)).to_have_value("")


def test_what_was_understood_can_be_taken_otherwise(opened: Page, indexed: Path) -> None:
    organ = str(Archive.open(indexed).records()[0].organ)
    ask(opened, f"adenocarcinoma organ:{organ} without necrosis")
    expect(chips(opened)).to_contain_text(["adenocarcinoma", f"Organ: {organ}", "Without necrosis"])
    assert f"f.organ={organ}" in opened.url
    chips(opened).nth(1).get_by_role("button", name=f"Organ: {organ}", exact=True).click()
    opened.get_by_role("menuitem", name="Search for").click()
    opened.wait_for_url(lambda url: "f.organ" not in url)
    opened.get_by_role("button", name="Remove Without necrosis").click()
    opened.wait_for_url(lambda url: "without" not in url)
    chips(opened).first.get_by_role("button", name="adenocarcinoma", exact=True).click()
    opened.get_by_role("menuitem", name="Diagnosis: adenocarcinoma").click()
    opened.wait_for_url("**f.diagnosis=adenocarcinoma**")


def test_a_picture_waits_until_its_spacing_is_known(opened: Page, tmp_path: Path) -> None:
    picture = tmp_path / "crop.png"
    noise = np.random.default_rng(0).integers(0, 60, (400, 400, 3))
    cv2.imwrite(str(picture), (np.array([200, 130, 190]) - noise).astype(np.uint8))
    opened.get_by_label("File", exact=True).set_input_files(picture)
    upload = opened.get_by_role("button", name="Upload", exact=True)
    expect(upload).to_be_disabled()
    opened.get_by_label("Pixel size").fill("half")
    expect(upload).to_be_disabled()
    opened.get_by_label("Pixel size").fill("0,5")
    upload.click()
    results(opened).first.wait_for()
    expect(opened).to_have_url(re.compile(r"spacing=0\.5"))


def test_an_upload_is_asked_with_words_and_again_and_deleted(opened: Page, cohort: Path, tmp_path: Path) -> None:
    own = tmp_path / "again.tiff"
    own.write_bytes(sorted(cohort.glob("*.tiff"))[0].read_bytes() + b"\0")
    opened.get_by_label("File", exact=True).set_input_files(own)
    before = slide_ids(opened)
    expect(chips(opened)).to_contain_text(["again.tiff"])
    ask(opened, "with necrosis")
    opened.wait_for_url("**ask=composed**")
    opened.get_by_role("button", name="Search without this slide").click()
    opened.wait_for_url("**ask=text**")
    entry = opened.get_by_role("listitem").filter(has_text="again.tiff").first
    field(opened).fill("")
    opened.get_by_role("button", name=re.compile("^Uploaded")).click()
    entry.get_by_role("button", name="Use").click()
    opened.wait_for_url("**ask=slide**")
    assert slide_ids(opened) == before
    opened.get_by_role("button", name=re.compile("^Uploaded")).click()
    opened.get_by_role("button", name="Delete again.tiff").first.click()
    expect(opened.get_by_text("again.tiff was deleted")).to_be_visible()


def test_keys_go_through_results_judge_them_and_come_back_to_their_place(opened: Page, a_slide: str) -> None:
    go(opened, "ask=text&text=carcinoma&v.layout=list")
    field(opened).press("ArrowDown")
    expect(results(opened).nth(0)).to_be_focused()
    for key, at in [("j", 1), ("ArrowDown", 2), ("k", 1), ("End", results(opened).count() - 1), ("Home", 0)]:
        opened.keyboard.press(key)
        expect(results(opened).nth(at)).to_be_focused()
    first = slide_ids(opened)[0]
    opened.keyboard.press("x")
    expect(results(opened).nth(0)).to_be_focused()
    opened.get_by_role("button", name="Rank anew with 1 judgement").press("Enter")
    expect(opened.locator(f"[data-slide='{first}']")).to_have_count(0)
    expect(results(opened).nth(0)).to_be_focused()
    opened.keyboard.press("j")
    opened.keyboard.press("Enter")
    opened.wait_for_url("**/#/compare?**")
    opened.go_back()
    expect(results(opened).nth(1)).to_be_focused()


def test_a_refused_condition_is_told_at_its_field(watched: Watched, opened: Page, a_slide: str) -> None:
    go(opened, f"ask=slide&slide={a_slide}")
    boxes = opened.get_by_role("region", name="Filters").get_by_role("checkbox")
    boxes.first.wait_for()
    expect_loaded(opened)
    before = boxes.count()
    opened.get_by_text("SQL condition").click()
    field = opened.get_by_label("Condition on the archive's columns")
    field.fill("organ = = 'x'")
    field.press("Enter")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(opened.get_by_role("region", name="Filters").get_by_role("alert")).to_be_visible()
    expect(boxes).to_have_count(before)
    expect_loaded(opened)
    assert accessibility_faults(opened) == []
    watched.expect_complaint("422")


def test_pages_follow_one_another(opened: Page, a_slide: str) -> None:
    go(opened, f"ask=slide&slide={a_slide}&k=3")
    first = slide_ids(opened)
    opened.get_by_role("button", name="More results").click()
    expect(opened.locator(".results-rank").first).to_have_text("4")
    expect(results(opened).first).to_be_focused()
    assert not set(slide_ids(opened)) & set(first)
    opened.go_back()
    expect(opened.locator(".results-rank").first).to_have_text("1")
    assert slide_ids(opened) == first


def test_options_are_part_of_the_address(opened: Page, a_slide: str, indexed: Path) -> None:
    go(opened, f"ask=slide&slide={a_slide}")
    opened.get_by_role("button", name="Options").click()
    opened.get_by_label("One result per case").check()
    opened.wait_for_url("**by=case**")
    cases = {record.case_id for record in Archive.open(indexed).records()}
    expect(results(opened)).to_have_count(len(cases) - 1)
    opened.keyboard.press("Escape")
    expect(opened.get_by_role("button", name="Options (1)")).to_be_focused()
    opened.go_back()
    expect(opened.get_by_role("button", name="Options", exact=True)).to_be_visible()


def test_results_are_taken_away_as_a_table(opened: Page, a_slide: str) -> None:
    go(opened, f"ask=slide&slide={a_slide}")
    opened.get_by_role("button", name="Export").click()
    with opened.expect_download() as download:
        opened.get_by_role("menuitem", name="Table (CSV)").click()
    with Path(download.value.path()).open(encoding="utf-8-sig", newline="") as table:
        rows = list(csv.DictReader(table))
    assert [row["slide_id"] for row in rows] == slide_ids(opened)
    assert [row["rank"] for row in rows] == [str(at + 1) for at in range(len(rows))]


def test_collections_are_ordered_and_deletes_undone(opened: Page, a_slide: str) -> None:
    go(opened, f"ask=slide&slide={a_slide}&k=3")
    wanted = slide_ids(opened)
    opened.get_by_role("button", name="Collect", exact=True).click()
    opened.get_by_role("menuitem", name="Collect these 3").click()
    name = opened.get_by_role("dialog").get_by_label("Name")
    name.fill("three")
    name.press("Enter")
    opened.get_by_text("3 slides were added to three").wait_for()
    opened.get_by_role("navigation", name="Views").get_by_role("link", name="Collections").click()
    opened.get_by_role("link", name=re.compile("^three")).click()
    shown = opened.get_by_role("main").locator("h3 a")
    # Twice without waiting: the second change starts with what the first one left.
    for _ in range(2):
        opened.get_by_role("button", name=f"Move {wanted[0]} down").dispatch_event("click")
    expect(shown).to_have_text([wanted[1], wanted[2], wanted[0]])
    opened.get_by_role("button", name=f"Remove {wanted[2]}").click()
    expect(shown).to_have_text([wanted[1], wanted[0]])
    opened.get_by_role("button", name="Undo").click()
    expect(shown).to_have_text([wanted[1], wanted[2], wanted[0]])
    assert accessibility_faults(opened) == []
    opened.get_by_role("button", name="Delete", exact=True).click()
    expect(opened.get_by_role("link", name=re.compile("^three"))).to_have_count(0)
    opened.get_by_role("button", name="Undo").click()
    opened.get_by_role("link", name=re.compile("^three")).click()
    expect(shown).to_have_text([wanted[1], wanted[2], wanted[0]])
    opened.get_by_role("button", name="Delete", exact=True).click()
    expect(opened.get_by_role("link", name=re.compile("^three"))).to_have_count(0)
