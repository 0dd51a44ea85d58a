"""The page around its views: login, address, history, theme, keyboard help, errors."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.watched import Watched, accessibility_faults, expect_loaded
from tests.server.conftest import new_token
from tests.server.running import RunningServer, serving

VIEWS = ["Slides", "Overview", "Collections", "Work", "History"]


def ask(page: Page, text: str) -> None:
    field = page.locator("[data-search-field]").first
    field.fill(text)
    field.press("Enter")


def test_the_token_of_the_link_opens_the_page_and_leaves_the_address(opened: Page, server: RunningServer) -> None:
    assert server.token not in opened.url
    assert opened.evaluate("document.cookie") == ""
    opened.reload()
    expect(opened.get_by_role("search")).to_be_visible()


def test_a_wrong_token_is_told_and_a_right_one_opens(watched: Watched, server: RunningServer) -> None:
    page = watched.page
    page.goto(server.url)
    page.get_by_label("Token").fill("no-such-token")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("not valid")
    assert accessibility_faults(page) == []
    page.get_by_label("Token").fill(server.token)
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_role("search")).to_be_visible()
    watched.expect_complaint("401")


def test_logging_out_asks_for_a_token_again(opened: Page, watched: Watched) -> None:
    # Pictures that are still on their way would be refused, which the console reports.
    opened.locator("main img").first.wait_for()
    opened.wait_for_load_state("networkidle")
    opened.get_by_role("button", name="Log out").click()
    expect(opened.get_by_label("Token")).to_be_visible()
    watched.expect_complaint("401")


@pytest.mark.parametrize("way", ["logged out", "expired"])
def test_somebody_else_finds_nothing_of_who_used_the_tab_before(
    watched: Watched, server: RunningServer, way: str
) -> None:
    page = watched.page
    page.goto(f"{server.url}#token={server.token}")
    ask(page, "adenocarcinoma of Erika Mustermann")
    page.wait_for_url("**/#/results?**")
    expect_loaded(page)
    assert "Mustermann" in page.evaluate("() => JSON.stringify({...sessionStorage})")
    if way == "logged out":
        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_label("Token")).to_be_visible()
        assert "Mustermann" not in page.evaluate("() => JSON.stringify({...sessionStorage})")
    else:
        page.context.clear_cookies()
        page.reload()
    page.get_by_label("Token").fill(new_token(server))
    page.get_by_role("button", name="Open").click()
    expect(page).to_have_url(re.compile(r"/(#/[a-z]*(\?archive=cohort)?)?$"))
    page.get_by_role("navigation").get_by_role("link", name="History").click()
    expect(page.get_by_role("main", name="History")).to_be_visible()
    expect(page.get_by_text("Mustermann")).to_have_count(0)
    assert "Mustermann" not in page.evaluate("() => JSON.stringify({...sessionStorage})")
    watched.expect_complaint("401")


def test_a_tab_notices_that_somebody_else_has_the_session(opened: Page, server: RunningServer) -> None:
    ask(opened, "adenocarcinoma of Erika Mustermann")
    opened.wait_for_url("**/#/results?**text=**")
    expect_loaded(opened)
    other = opened.context.new_page()
    other.goto(server.url)
    other.get_by_role("button", name="Log out").click()
    other.get_by_label("Token").fill(new_token(server))
    other.get_by_role("button", name="Open").click()
    expect(other.get_by_role("button", name=re.compile("^Log out"))).to_be_visible()
    opened.evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")
    expect(opened).to_have_url(re.compile(r"/(#/[a-z]*(\?archive=cohort)?)?$"))
    opened.get_by_role("navigation").get_by_role("link", name="History").click()
    expect(opened.get_by_role("main", name="History")).to_be_visible()
    expect(opened.get_by_text("Mustermann")).to_have_count(0)


def test_what_was_asked_is_in_the_address_and_the_back_button_undoes_it(opened: Page) -> None:
    ask(opened, "carcinoma")
    opened.wait_for_url("**/#/results?**text=carcinoma**")
    ask(opened, "necrosis")
    opened.wait_for_url("**text=necrosis**")
    opened.go_back()
    opened.wait_for_url("**text=carcinoma**")
    expect(opened.locator("[data-search-field]").first).to_have_value("carcinoma")


def test_the_history_leads_back_to_a_search(opened: Page) -> None:
    ask(opened, "carcinoma")
    opened.wait_for_url("**text=carcinoma**")
    opened.get_by_role("navigation").get_by_role("link", name="History").click()
    opened.get_by_role("link", name='"carcinoma"').click()
    opened.wait_for_url("**/#/results?**text=carcinoma**")


def test_what_is_understood_late_leads_nobody_away(opened: Page) -> None:
    held: list[Route] = []

    def hold(one: Route) -> None:
        held.append(one)

    opened.route("**/understand", hold)
    with opened.expect_request("**/understand"):
        ask(opened, "carcinoma")
    opened.get_by_role("navigation").get_by_role("link", name="History").click()
    expect(opened.get_by_role("heading", name="History")).to_be_visible()
    with opened.expect_response("**/understand"):
        held[0].continue_()
    opened.evaluate("new Promise((settled) => setTimeout(settled))")
    assert "/history" in opened.url


def test_the_text_of_a_report_stays_in_its_tab(opened: Page, server: RunningServer) -> None:
    opened.locator("[data-search-field]").fill("Lymph node, biopsy: lymphoma. " * 15)
    opened.get_by_role("search").get_by_role("button", name="Search", exact=True).click()
    opened.wait_for_url("**ask=report**")
    address = opened.url
    assert "lymphoma" not in address.lower()
    opened.reload()
    expect(opened.get_by_role("region", name="Results")).to_be_visible()
    other = opened.context.new_page()
    other.goto(address)
    expect(other.get_by_text("kept only in the tab where it was pasted")).to_have_count(1)


def test_the_theme_follows_the_system_until_it_is_switched(opened: Page) -> None:
    opened.emulate_media(color_scheme="dark")
    expect(opened.locator("html")).to_have_attribute("data-theme", "dark")
    opened.get_by_role("button", name="Switch to light").click()
    opened.reload()
    expect(opened.locator("html")).to_have_attribute("data-theme", "light")


def test_the_keyboard_help_lists_keys_and_gives_the_focus_back(opened: Page) -> None:
    opened.get_by_role("button", name="Show keyboard shortcuts").press("Enter")
    expect(opened.get_by_role("dialog")).to_contain_text("Go to the search field")
    opened.keyboard.press("Escape")
    expect(opened.get_by_role("button", name="Show keyboard shortcuts")).to_be_focused()


def test_the_licences_of_what_is_in_the_page_are_kept_with_it(opened: Page) -> None:
    opened.keyboard.press("?")
    with opened.expect_popup() as popup:
        opened.get_by_role("link", name="Licences").click()
    for part in ("preact", "openseadragon", "MIT", "BSD-3-Clause"):
        expect(popup.value.locator("body")).to_contain_text(part)


def test_a_key_leads_to_the_search_field_and_selects_what_is_in_it(opened: Page) -> None:
    ask(opened, "carcinoma")
    opened.get_by_role("main").focus()
    opened.keyboard.press("/")
    expect(opened.locator("[data-search-field]").first).to_be_focused()
    opened.keyboard.type("necrosis")
    expect(opened.locator("[data-search-field]").first).to_have_value("necrosis")


def test_the_first_stop_of_the_tab_key_skips_to_the_content(opened: Page) -> None:
    opened.keyboard.press("Tab")
    expect(opened.get_by_role("link", name="Skip to the content")).to_be_focused()
    address = opened.url
    opened.keyboard.press("Enter")
    expect(opened.get_by_role("main")).to_be_focused()
    assert opened.url == address


def test_an_unknown_archive_is_told(opened: Page) -> None:
    opened.evaluate("location.hash = '#/results?archive=elsewhere'")
    expect(opened.get_by_role("alert")).to_contain_text("no archive named elsewhere")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_views_without_a_question_are_accessible(mapped: RunningServer, opened: Page, view: str, theme: str) -> None:
    opened.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    opened.get_by_role("navigation").get_by_role("link", name=view).click()
    expect(opened.get_by_role("main", name=view)).to_be_visible()
    expect_loaded(opened)
    assert accessibility_faults(opened) == []


def test_a_lost_session_asks_for_the_token_and_goes_on_where_it_was(watched: Watched, server: RunningServer) -> None:
    page = watched.page
    page.goto(f"{server.url}#token={server.token}")
    page.get_by_role("search").wait_for()
    page.context.clear_cookies()
    page.evaluate("location.hash = '#/results?ask=text&text=carcinoma'")
    expect(page.get_by_role("alert")).to_contain_text("session has ended")
    page.get_by_label("Token").fill(server.token)
    page.keyboard.press("Enter")
    expect(page.locator("[data-search-field]").first).to_be_focused()
    expect(page.get_by_role("region", name="Results").get_by_role("heading").first).to_contain_text("carcinoma")
    watched.expect_complaint("401")


@pytest.fixture
def open_server(indexed: Path, tmp_path: Path) -> Iterator[RunningServer]:
    """Asks for no token."""
    with serving([indexed], tmp_path / "state", "--no-token") as server:
        yield server


def test_a_server_without_tokens_asks_for_none(open_server: RunningServer, page: Page) -> None:
    page.goto(open_server.url)
    expect(page.get_by_role("search")).to_be_visible()
    expect(page.get_by_role("button", name="Log out")).to_have_count(0)


@pytest.fixture
def double_server(indexed: Path, tmp_path: Path) -> Iterator[RunningServer]:
    """Has two archives, "cohort" and "other"."""
    other = shutil.copytree(indexed, tmp_path / "other.archive")
    with serving([indexed, other], tmp_path / "state") as server:
        yield server


def test_another_archive_is_asked_the_same_words_but_not_with_slides_of_the_first(
    double_server: RunningServer, page: Page
) -> None:
    page.goto(f"{double_server.url}#token={double_server.token}")
    page.get_by_role("search").wait_for()
    ask(page, "carcinoma")
    page.wait_for_url("**text=carcinoma**")
    picker = page.get_by_role("combobox", name="Archive", exact=True)
    picker.select_option("other")
    page.wait_for_url("**archive=other**text=carcinoma**")
    page.reload()
    expect(picker).to_have_value("other")
    page.get_by_role("button", name="List", exact=True).click()
    page.get_by_role("button", name="Search with this slide").first.click()
    page.wait_for_url("**ask=slide**")
    picker.select_option("cohort")
    page.wait_for_url("**archive=cohort")
    expect(page.get_by_role("heading", name="10 slides")).to_be_visible()


def test_an_unknown_archive_leads_to_those_that_are_there(opened: Page) -> None:
    opened.evaluate("location.hash = '/results?archive=nowhere'")
    expect(opened.get_by_role("alert")).to_contain_text("no archive named nowhere")
    opened.get_by_role("alert").get_by_role("link", name="cohort").click()
    expect(opened.get_by_role("heading", name="10 slides")).to_be_visible()


def test_a_page_behind_the_last_leads_to_the_first_and_is_no_search_of_its_own(opened: Page) -> None:
    opened.evaluate("location.hash = '/results?ask=text&text=carcinoma&page=99'")
    expect(opened.get_by_role("heading", name="No further results")).to_be_visible()
    assert opened.evaluate("sessionStorage.getItem('histoseek.searches')") is None
    opened.get_by_role("link", name="First page").click()
    expect(opened.locator("[data-result]").first).to_be_visible()


def test_what_had_no_answer_is_asked_for_again_when_the_browser_is_online(watched: Watched, opened: Page) -> None:
    # The route stays to the end: a request that it caught while it was being taken away would never be answered.
    network = {"is_down": True}
    opened.route("**/search", lambda route: route.abort() if network["is_down"] else route.continue_())
    ask(opened, "carcinoma")
    expect(opened.get_by_role("alert")).to_contain_text("does not respond")
    network["is_down"] = False
    opened.evaluate("dispatchEvent(new Event('online'))")
    expect(opened.locator("[data-result]").first).to_be_visible()
    watched.expect_complaint("ERR_FAILED")
