"""Each page that has a route opens, reads, and can be used by everybody, in both languages."""

import pytest
from playwright.sync_api import Page, expect

from tests.support.accessibility import check_axe
from tests.support.browser import Look
from tests.support.browser_fixtures import NewPage
from tests.support.dashboard_pages import Visited, page_paths, visit_filled
from tests.support.looking import tab_through, too_wide, unfold
from tests.support.stack import NewStack

ENGLISH = Look(timezone="America/New_York")
CHINESE = Look("dark", "zh-CN", "Asia/Shanghai", width=360, height=740)
NARROW = {"width": 360, "height": 740}


@pytest.fixture(scope="module")
def filled(new_module_stack: NewStack) -> Visited:
    return visit_filled(new_module_stack("sqlite"))


@pytest.fixture(scope="module")
def empty(new_module_stack: NewStack) -> Visited:
    return Visited(new_module_stack("sqlite").api_url)


def check_reading(page: Page, language: str) -> None:
    """Check what is true of each page: names, contrast, order, and a width of a telephone."""
    expect(page.locator("html")).to_have_attribute("lang", language)
    expect(page.locator("h1")).to_have_count(1)
    unfold(page)
    check_axe(page)
    page.set_viewport_size(NARROW)
    assert not too_wide(page)


@pytest.mark.parametrize("look", [ENGLISH, CHINESE], ids=str)
@pytest.mark.parametrize("path", page_paths())
def test_it_can_be_read(new_page: NewPage, look: Look, path: str, filled: Visited) -> None:
    if address := filled.address(path):
        page = filled.enter(new_page(filled.url))
        page.goto(address)
        check_reading(page, look.language)


@pytest.mark.parametrize("path", page_paths())
def test_it_can_be_read_when_empty(new_page: NewPage, path: str, empty: Visited) -> None:
    if address := empty.address(path):
        page = new_page(empty.url)
        page.goto(address)
        check_reading(page, "en")


@pytest.mark.parametrize("look", [ENGLISH, CHINESE], ids=str)
def test_the_sign_in_can_be_read(new_page: NewPage, look: Look, filled: Visited) -> None:
    page = new_page(filled.url)
    page.goto("/dashboard/keys")
    assert page.url.startswith(f"{filled.url}/dashboard/sign-in")
    check_reading(page, look.language)


@pytest.mark.parametrize("path", page_paths())
def test_the_keyboard_leads_everywhere(new_page: NewPage, path: str, filled: Visited) -> None:
    if address := filled.address(path):
        page = filled.enter(new_page(filled.url))
        page.goto(address)
        unfold(page)
        texts, unseen = tab_through(page)
        links = page.get_by_role("navigation", name="Main").get_by_role("link").all_inner_texts()
        assert links
        assert texts[: 2 + len(links)] == ["Skip to the content", "taskq", *links]
        assert not unseen
