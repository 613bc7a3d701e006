"""Pages that are open follow the work, in any number of tabs, and after the server was away."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.support.browser_fixtures import NewPage
from tests.support.open_stacks import open_stack
from tests.support.page_watch import PageWatch
from tests.support.stack import NewStack, Stack
from tests.support.waiting import wait_until

LATER = {"handler": "taskq.echo", "payload": {"value": 1}, "delay_seconds": 86_400}
_HIDE = """
(hidden) => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
  document.dispatchEvent(new Event("visibilitychange"));
}
"""


@pytest.fixture
def own(request: pytest.FixtureRequest) -> Iterator[Stack]:
    with open_stack(request, "sqlite") as opened:
        yield opened


def ask(stack: Stack, method: str, path: str, body: Any = None) -> Any:
    answer = httpx.request(method, stack.api_url + path, json=body, timeout=60, trust_env=False)
    assert answer.is_success, answer.text
    return answer.json()


def tab(page: Page, path: str) -> Page:
    """Another tab of the same browser, marked so that a reload is seen."""
    opened = page.context.new_page()
    opened.goto(f"/dashboard{path}")
    opened.evaluate("window.isSame = true")
    return opened


def is_same(page: Page) -> bool:
    return bool(page.evaluate("window.isSame === true"))


def tile(page: Page, name: str) -> Any:
    return page.locator("a.tile", has_text=name).locator(".count")


def test_what_one_tab_does_the_others_show(page: Page, stack: Stack) -> None:
    task = ask(stack, "POST", "/tasks", LATER)["id"]
    first, second = (tab(page, f"/tasks/{task}") for _ in range(2))
    overview, listed = tab(page, ""), tab(page, "/tasks?status=queued")
    expect(overview.locator("#live")).to_have_attribute("data-live", "live")
    waiting = int(tile(overview, "Queued").inner_text())
    page.goto(f"/dashboard/tasks/{task}/edit")
    page.get_by_label("Title").fill("of one tab")
    page.get_by_role("button", name="Save").click()
    expect(first.locator("h1")).to_contain_text("of one tab")
    expect(second.locator("h1")).to_contain_text("of one tab")
    first.get_by_role("button", name="Cancel").click()
    expect(second.locator("h1")).to_contain_text("cancelled")
    expect(second.get_by_role("button", name="Retry")).to_be_visible()
    expect(tile(overview, "Queued")).to_have_text(str(waiting - 1))
    expect(listed.get_by_role("link", name="Tasks have changed since")).to_be_visible()
    assert all(is_same(each) for each in (second, overview, listed))


def test_all_pages_are_right_again_after_the_server_was_killed(
    new_page: NewPage, new_stack: NewStack, watch: PageWatch
) -> None:
    watch.allow("ERR_CONNECTION_REFUSED|ERR_INCOMPLETE|Failed to fetch|htmx")
    stack = new_stack("mariadb")
    page = new_page(stack.api_url)
    running = ask(stack, "POST", "/tasks", {"handler": "taskq.sleep", "payload": {"seconds": 3600}})
    task, overview = tab(page, f"/tasks/{running['id']}"), tab(page, "")
    workers, listed = tab(page, "/workers"), tab(page, "/tasks")
    row = workers.get_by_role("table").get_by_role("link", name="taskq.sleep")
    expect(overview.locator("#live")).to_have_attribute("data-live", "live")
    expect(task.locator("h1")).to_contain_text("running")
    expect(row).to_be_visible()
    stack.kill_api()
    expect(task.locator("#stale")).to_be_visible()
    expect(overview.locator("#live")).to_have_attribute("data-live", "lost")
    stack.start_api()
    ask(stack, "POST", f"/tasks/{running['id']}/cancel")
    expect(task.locator("h1")).to_contain_text("cancelled")
    expect(task.locator("#stale")).to_be_hidden()
    expect(overview.locator("#live")).to_have_attribute("data-live", "live")
    expect(tile(overview, "Cancelled")).to_have_text("1")
    expect(row).to_have_count(0)
    expect(listed.get_by_role("link", name="Tasks have changed since")).to_be_visible()
    assert all(is_same(each) for each in (task, overview, workers, listed))


def test_hidden_tabs_ask_for_nothing(page: Page, stack: Stack) -> None:
    task = ask(stack, "POST", "/tasks", LATER)["id"]
    paths = ("", f"/tasks/{task}", "/tasks", "/workers")
    tabs = [tab(page, path) for path in paths]
    expect(tabs[0].locator("#live")).to_have_attribute("data-live", "live")
    asked: list[str] = []
    for each in tabs:
        each.evaluate(_HIDE, True)
        each.on("request", lambda request: asked.append(request.url))
    ask(stack, "POST", f"/tasks/{task}/cancel")
    page.wait_for_timeout(9_000)  # longer than any of them waits between two requests
    assert asked == []
    expect(tabs[1].locator("h1")).to_contain_text("queued")
    for each in tabs:
        each.evaluate(_HIDE, False)
    expect(tabs[1].locator("h1")).to_contain_text("cancelled")
    expect(tabs[2].get_by_role("link", name="Tasks have changed since")).to_be_visible()
    assert all(is_same(each) for each in tabs)


def test_the_overview_leaves_focus_and_place_to_the_reader(new_page: NewPage, own: Stack) -> None:
    def fail(message: str) -> None:
        ask(own, "POST", "/tasks", {"handler": "tests.fatal", "payload": {"message": message}})

    fail("first")
    wait_until(lambda: ask(own, "GET", "/stats")["tasks"]["failed"] == 1, 60, "it failed")
    page = new_page(own.api_url)
    page.set_viewport_size({"width": 1000, "height": 500})
    page.goto("/dashboard")
    expect(page.locator("#live")).to_have_attribute("data-live", "live")
    link = page.locator(".failures tbody tr", has_text="first").locator("td a").last
    link.focus()
    fail("first")
    expect(page.locator(".failures tbody tr").first.locator("td").first).to_have_text("2")
    expect(link).to_be_focused()
    page.set_viewport_size({"width": 1000, "height": 360})
    title = page.locator("#failures-title")
    title.evaluate("(each) => scrollBy(0, each.getBoundingClientRect().top - 100)")
    before = title.bounding_box()
    for number in range(3):
        ask(own, "POST", "/tasks", {**LATER, "queue": f"other-{number}"})
    fail("second")
    expect(page.locator(".failures tbody")).to_contain_text("second")
    expect(page.locator(".attention")).to_contain_text("No worker listens to other-")
    after = title.bounding_box()
    assert before
    assert after
    assert abs(after["y"] - before["y"]) < 5
