"""Results as evidence: fields at one scale, what they say in a sentence, and judgements that keep the list."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from histoseek.api import Archive
from histoseek.rest.queries import SearchRequest, SlideQuery, SlideRef
from tests.browser.watched import Watched, accessibility_faults, expect_loaded
from tests.server.running import RunningServer

PATIENT = "Herta Musterfrau"
LINES = """(element) => {
  const range = document.createRange();
  range.selectNodeContents(element);
  return new Set([...range.getClientRects()].filter((one) => one.width > 0).map((one) => Math.round(one.top))).size;
}"""


def go(page: Page, address: str) -> None:
    page.evaluate("address => { location.hash = address }", address)


def like_first(page: Page, indexed: Path, more: str = "") -> str:
    """Search with the first slide of the archive."""
    slide_id = Archive.open(indexed).records()[0].slide_id
    go(page, f"/results?archive=cohort&ask=slide&slide={slide_id}{more}")
    page.locator("a[data-result]").first.wait_for()
    expect_loaded(page)
    return slide_id


def ranks(page: Page) -> list[str]:
    return [one.get_attribute("data-slide") or "" for one in page.locator("li[data-slide]").all()]


def region_of(source: str) -> dict[str, int]:
    return {name: int(values[0]) for name, values in parse_qs(urlsplit(source).query).items()}


def test_all_fields_have_one_scale_and_the_querys_is_beside_them(opened: Page, indexed: Path) -> None:
    query = like_first(opened, indexed)
    records = {record.slide_id: record for record in Archive.open(indexed).records()}
    shown = opened.locator("li.results-field .results-picture > img")
    expect(shown.first).to_be_visible()
    edges = set()
    for card in opened.locator("li.results-field").all():
        region = region_of(card.locator("img").first.get_attribute("src") or "")
        spacing = records[card.get_attribute("data-slide") or ""].spacing_um_per_px
        edges.add((round(region["width"] * spacing), round(region["height"] * spacing)))
    aside = opened.get_by_role("complementary", name="The query")
    own = aside.locator("img").get_attribute("src") or ""
    assert f"/slides/{query}/region" in own
    region = region_of(own)
    edges.add((round(region["width"] * records[query].spacing_um_per_px),) * 2)
    assert edges == {(200, 200)}
    expect(opened.get_by_text("All fields are 200 µm wide.")).to_be_visible()
    opened.locator("a[data-result]").nth(2).focus()
    expect(aside).to_contain_text("What result 3 matches")
    assert accessibility_faults(opened) == []


def test_fields_or_a_list_as_the_address_says_and_grouped_by_label(opened: Page, indexed: Path) -> None:
    like_first(opened, indexed)
    opened.get_by_role("button", name="List", exact=True).click()
    expect(opened.locator("li.results-item").first).to_be_visible()
    assert "v.layout=list" in opened.url
    before = ranks(opened)
    opened.get_by_role("button", name="Group by label").click()
    headings = opened.locator(".results-group")
    expect(headings.first).to_have_text(re.compile(r"^.+ \(\d+\)$"))
    counts = [int(re.findall(r"\((\d+)\)", text)[0]) for text in headings.all_inner_texts()]
    assert sum(counts) == len(before) and sorted(ranks(opened)) == sorted(before)
    opened.get_by_role("button", name="Fields", exact=True).click()
    expect(opened.locator("li.results-field").first).to_be_visible()


def test_number_keys_and_shift_select_several(opened: Page, indexed: Path) -> None:
    like_first(opened, indexed)
    opened.keyboard.press("2")
    opened.keyboard.press("Shift+4")
    expect(opened.locator(".results-selected")).to_have_count(3)
    opened.keyboard.press("3")
    expect(opened.locator(".results-selected")).to_have_count(2)
    opened.get_by_role("button", name="Collect", exact=True).click()
    expect(opened.get_by_role("menuitem", name="Collect the 2 selected")).to_be_visible()
    expect(opened.get_by_role("menuitem", name=f"Collect these {len(ranks(opened))}")).to_be_visible()


def test_arrows_move_by_rows_of_the_grid_and_enter_opens(opened: Page, indexed: Path) -> None:
    like_first(opened, indexed)
    opened.locator("a[data-result]").first.focus()
    opened.keyboard.press("ArrowRight")
    focused = opened.locator("li:focus-within")
    expect(focused).to_have_attribute("data-rank", "2")
    opened.keyboard.press("ArrowLeft")
    expect(focused).to_have_attribute("data-rank", "1")
    opened.keyboard.press("Enter")
    expect(opened).to_have_url(re.compile("#/compare"))


def test_the_vote_is_one_sentence_and_each_result_has_one_figure(opened: Page, indexed: Path) -> None:
    slide_id = like_first(opened, indexed)
    vote = Archive.open(indexed).search(like=slide_id, k=20, vote="diagnosis").vote_
    assert vote
    verdict = opened.get_by_role("region", name="What the results say")
    expect(verdict.locator(".results-sentence")).to_have_text(vote.sentence)
    expect(verdict.get_by_text("Shares of labels")).to_be_visible()
    for card in opened.locator("li.results-field").all():
        expect(card.locator(".results-nearness")).to_have_text(re.compile("^(near|somewhat near|far)$"))
        expect(card.get_by_text(re.compile("^score"))).to_be_hidden()
    main = opened.locator("main").inner_text()
    assert not re.search(r"null|not calibrated|aligned|\d+th for what", main)


def test_judging_keeps_the_list_until_it_is_ranked_anew(opened: Page, indexed: Path) -> None:
    like_first(opened, indexed)
    before = ranks(opened)
    last = opened.locator("li[data-slide]").last
    last.locator("a[data-result]").focus()
    opened.keyboard.press("y")
    expect(last.get_by_role("button", name="Relevant", exact=True)).to_have_attribute("aria-pressed", "true")
    assert ranks(opened) == before
    expect(last.locator("a[data-result]")).to_be_focused()
    opened.get_by_role("button", name="Rank anew with 1 judgement").click()
    expect(opened.locator("li[data-slide]").first).to_have_attribute("data-slide", before[-1])
    opened.get_by_role("button", name="Undo all").click()
    expect(opened.locator("li[data-slide]").first).to_have_attribute("data-slide", before[0])


def test_a_field_is_judged_by_itself_and_its_slide_counts(opened: Page, server: RunningServer, indexed: Path) -> None:
    slide_id = like_first(opened, indexed)
    card = opened.locator("li.results-field").filter(has_text="Next best").first
    card.get_by_role("button", name=re.compile("^Next best")).click()
    with opened.expect_response("**/feedback"):
        card.get_by_role("button", name="This field is relevant").nth(1).click()
    expect(card.get_by_role("button", name="Relevant", exact=True)).to_have_attribute("aria-pressed", "true")
    query = SlideQuery(slide=SlideRef(slide_id=slide_id))
    with server.client() as client:
        found = client.search("cohort", SearchRequest(query=query, k=20))
        judged = client.list_judgements("cohort", found.query_key)
        result = next(one for one in found.results if one.slide_id == card.get_attribute("data-slide"))
        assert result.further_fields[0].field in [one.region for one in judged]
    opened.get_by_role("button", name="Undo all").click()


def test_a_judgement_that_is_not_stored_is_taken_back(watched: Watched, opened: Page, indexed: Path) -> None:
    like_first(opened, indexed)
    before = ranks(opened)
    opened.route("**/feedback", lambda route: route.abort())
    button = opened.locator("li[data-slide]").first.get_by_role("button", name="Relevant", exact=True)
    button.click()
    expect(opened.get_by_text("Your judgement was not stored.")).to_be_visible()
    expect(button).to_have_attribute("aria-pressed", "false")
    assert ranks(opened) == before
    expect(opened.get_by_role("button", name=re.compile("^Rank anew"))).to_have_count(0)
    watched.complaints.clear()


def test_tables_have_file_names(opened: Page, indexed: Path) -> None:
    like_first(opened, indexed)
    opened.get_by_role("button", name="Export", exact=True).click()
    with opened.expect_download() as taken:
        opened.get_by_role("menuitem", name=re.compile("CSV")).click()
    rows = list(csv.DictReader(io.StringIO(Path(taken.value.path()).read_text(encoding="utf-8-sig"))))
    records = {record.slide_id: record for record in Archive.open(indexed).records()}
    assert rows
    for row in rows:
        assert row["file_name"] == Path(records[row["slide_id"]].uri).name
        assert row["title"] == row["slide_id"]


def test_paper_tells_nothing_of_a_pasted_report(opened: Page) -> None:
    text = f"Patient: {PATIENT}. Diagnosis: adenocarcinoma of the colon."
    key = opened.evaluate(
        "text => { sessionStorage.setItem('histoseek.text.0123456789abcdef', text); return '0123456789abcdef' }", text
    )
    go(opened, f"/results?archive=cohort&ask=report&pasted={key}")
    opened.locator("a[data-result]").first.wait_for()
    opened.emulate_media(media="print")
    expect(opened.locator(".results-asked")).to_have_text("Report")
    printed = opened.evaluate("document.body.innerText")
    assert PATIENT not in printed and "Musterfrau" not in printed and "adenocarcinoma of the colon." not in printed
    assert PATIENT not in opened.title()


@pytest.mark.parametrize("layout", ["grid", "list"])
def test_numbers_and_words_are_not_broken_on_a_phone(opened: Page, indexed: Path, layout: str) -> None:
    opened.set_viewport_size({"width": 400, "height": 860})
    like_first(opened, indexed, f"&v.layout={layout}")
    opened.get_by_text("Shares of labels").click()
    for part in (".share-text", ".results-nearness", ".results-rank"):
        for one in opened.locator(f"main {part}:visible").all():
            assert one.evaluate(LINES) == 1, one.inner_text()
    cut = opened.evaluate(
        """() => [...document.querySelectorAll("main h2, main p, main .results-label")]
          .filter((one) => one.scrollWidth > one.clientWidth + 1 && one.clientWidth > 0)
          .map((one) => one.textContent)"""
    )
    assert cut == []
    assert opened.evaluate("document.documentElement.scrollWidth") <= 400
