"""The keyboard alone: past the navigation, to each page by two keys, and to what the keys are."""

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import Look


def test_the_first_link_skips_the_navigation(page: Page) -> None:
    page.goto("/dashboard/queues")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()


def test_a_question_mark_shows_the_keys_and_escape_hides_them(page: Page) -> None:
    page.goto("/dashboard/queues")
    shown = page.get_by_role("dialog", name="Keys")
    expect(shown).to_be_hidden()
    page.keyboard.press("?")
    expect(shown).to_be_visible()
    page.keyboard.press("Escape")
    expect(shown).to_be_hidden()


def test_two_keys_open_a_page(page: Page) -> None:
    page.goto("/dashboard/queues")
    for key, path in {"t": "/tasks", "s": "/submit", "h": "/handlers", "o": ""}.items():
        page.keyboard.press("g")
        page.keyboard.press(key)
        page.wait_for_url(f"**/dashboard{path}")


@pytest.mark.parametrize("look", [Look(scripts=False)], ids=["without scripts"])
def test_the_language_can_be_chosen_without_scripts(page: Page) -> None:
    page.goto("/dashboard/queues")
    page.get_by_role("button", name="中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    assert page.url.endswith("/dashboard/queues")
