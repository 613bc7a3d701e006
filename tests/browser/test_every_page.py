"""Each page that has a route opens, reads, and can be used by everybody, in both languages."""

import pytest
from playwright.sync_api import Page, expect

from tests.support.accessibility import check_axe
from tests.support.browser import Look
from tests.support.dashboard_pages import Filled, fill, page_paths
from tests.support.looking import tab_through, too_wide, unfold
from tests.support.stack import Stack

ENGLISH = Look(timezone="America/New_York")
CHINESE = Look(scheme="dark", language="zh-CN", timezone="Asia/Shanghai")
NARROW = {"width": 360, "height": 740}


@pytest.fixture(scope="module")
def filled(stack: Stack) -> Filled:
    return fill(stack.api_url)


@pytest.mark.parametrize("look", [ENGLISH, CHINESE], ids=str)
@pytest.mark.parametrize("path", page_paths())
def test_it_can_be_read_by_everybody(page: Page, look: Look, path: str, filled: Filled) -> None:
    address = filled.address(path)
    if not filled.is_page(address):
        return
    page.goto(address)
    expect(page.locator("html")).to_have_attribute("lang", look.language)
    expect(page.locator("h1")).to_have_count(1)
    unfold(page)
    check_axe(page)
    page.set_viewport_size(NARROW)
    assert not too_wide(page)
    check_axe(page)


@pytest.mark.parametrize("path", page_paths())
def test_the_keyboard_leads_everywhere(page: Page, path: str, filled: Filled) -> None:
    address = filled.address(path)
    if not filled.is_page(address):
        return
    page.goto(address)
    unfold(page)
    texts, unseen = tab_through(page)
    assert texts[:2] == ["Skip to the content", "taskq"]
    links = page.get_by_role("navigation", name="Main").get_by_role("link").all_inner_texts()
    assert links
    assert texts[2 : 2 + len(links)] == links
    assert not unseen
