"""Whole walks: the first minutes of a newcomer, an incident, and a day without a mouse."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.support.browser_fixtures import NewPage
from tests.support.open_stacks import open_stack
from tests.support.stack import Stack
from tests.support.waiting import wait_until

_COUNT_CLICKS = """
addEventListener("click", (event) => {
  if (event.isTrusted) sessionStorage.clicks = Number(sessionStorage.clicks ?? 0) + 1;
}, true);
"""
_NAME_OF_FOCUS = """
() => {
  const at = document.activeElement;
  return (at.ariaLabel ?? at.labels?.[0]?.innerText ?? at.innerText ?? "").trim();
}
"""
INCIDENT = 300


@pytest.fixture
def own(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """A taskq that nobody has used."""
    with open_stack(request, "sqlite") as opened:
        yield opened


def ask(stack: Stack, method: str, path: str, body: Any = None) -> Any:
    answer = httpx.request(method, stack.api_url + path, json=body, timeout=60, trust_env=False)
    assert answer.is_success, answer.text
    return answer.json()


def mark(page: Page) -> None:
    page.evaluate("window.isSame = true")


def is_same(page: Page) -> bool:
    """Whether nobody has loaded the page anew since it was marked."""
    return bool(page.evaluate("window.isSame === true"))


def test_a_newcomer_submits_a_task_and_sees_it_live(new_page: NewPage, own: Stack) -> None:
    page = new_page(own.api_url)
    page.goto("/dashboard")
    expect(page.get_by_text("There is no task yet")).to_be_visible()
    overview = page.context.new_page()
    overview.goto("/dashboard")
    expect(overview.locator("#live")).to_have_attribute("data-live", "live")
    mark(overview)
    page.get_by_role("button", name="Fill in a form").or_(
        page.get_by_role("link", name="Fill in a form")
    ).click()
    page.get_by_role("link", name="tests.progress").click()
    page.get_by_label("Steps").fill("5")
    page.get_by_label("Seconds", exact=True).fill("0.5")
    page.get_by_role("main").get_by_role("button", name="Submit").click()
    expect(page).to_have_url(re.compile(r"/dashboard/tasks/[0-9a-f-]{36}"))
    mark(page)
    expect(page.locator("h1")).to_contain_text("succeeded")
    expect(page.get_by_role("region", name="Result").locator("pre")).to_have_text("5")
    assert is_same(page)
    done = overview.locator("a.tile", has_text="Succeeded").locator(".count")
    expect(done).to_have_text("1")
    page.get_by_role("link", name="Submit again with changes").or_(
        page.get_by_role("button", name="Submit again with changes")
    ).click()
    page.get_by_role("main").get_by_role("button", name="Submit").click()
    expect(done).to_have_text("2")
    assert is_same(overview)


@pytest.mark.parametrize("stack", ["mariadb"], indirect=True)
def test_an_incident_is_over_after_five_clicks(page: Page, stack: Stack) -> None:
    failing = {"handler": "taskq.flaky", "payload": {"failures": 1}, "max_retries": 0}
    fatal, fine = {"handler": "tests.fatal"}, {"handler": "tests.add", "payload": {"a": 1}}
    ask(stack, "POST", "/tasks/batch", {"items": [fatal] * 20 + [failing] * INCIDENT + [fine] * 80})

    def tasks(handler: str, status: str) -> int:
        body = {"action": "retry", "filter": {"handler": handler, "status": status}}
        found = ask(stack, "POST", "/tasks/bulk", {**body, "dry_run": True})
        return int(found["count"])

    wait_until(lambda: tasks("taskq.flaky", "failed") == INCIDENT, 120, "all failed", 0.3)
    wait_until(lambda: tasks("tests.fatal", "failed") >= 20, 120, "others failed", 0.3)
    failed = tasks("tests.fatal", "failed")
    page.add_init_script(_COUNT_CLICKS)
    page.goto("/dashboard")
    row = page.locator(".failures tbody tr", has_text="taskq.flaky")
    expect(row.locator("td").first).to_have_text(str(INCIDENT))
    row.locator("td a").first.click()
    page.get_by_role("button", name="Retry all that match").click()
    expect(page.locator(".total")).to_have_text(f"{INCIDENT} tasks match now.")
    page.get_by_role("button", name=f"Retry: {INCIDENT} tasks").click()
    expect(page).to_have_url(re.compile("/dashboard/bulk/"))
    mark(page)
    expect(page.locator("#progress")).to_contain_text("succeeded")
    expect(page.locator("#progress dd").nth(1)).to_have_text(str(INCIDENT))
    assert is_same(page)
    assert int(page.evaluate("sessionStorage.clicks")) <= 5
    wait_until(lambda: tasks("taskq.flaky", "succeeded") == INCIDENT, 120, "all replayed", 0.3)
    assert tasks("tests.fatal", "failed") == failed


class Keyboard:
    """Somebody who has no mouse."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def to(self, name: str, most: int = 60) -> None:
        """Press Tab until what is called so has the focus."""
        for _ in range(most):
            self._page.keyboard.press("Tab")
            if re.search(name, self._page.evaluate(_NAME_OF_FOCUS)):
                return
        raise AssertionError(f"{self._page.url}: Tab does not lead to {name}")

    def press(self, name: str, key: str = "Enter") -> None:
        self.to(name)
        self._page.keyboard.press(key)

    def write(self, name: str, text: str) -> None:
        self.to(name)
        self._page.keyboard.type(text)


def test_a_day_with_tab_enter_and_space_alone(page: Page, stack: Stack) -> None:
    aside = {"handler": "taskq.echo", "payload": {"value": 1}, "queue": "aside"}
    ask(stack, "POST", "/tasks", {**aside, "delay_seconds": 86_400})
    page.goto("/dashboard")
    keys = Keyboard(page)
    keys.press("^Submit$")
    expect(page.locator("h1")).to_have_text("Submit a task")
    keys.press(r"^tests\.add$")
    expect(page.locator("h1")).to_have_text("Submit to tests.add")
    keys.write("^A", "20")
    keys.write("^B$", "22")
    keys.press("^Submit$", "Space")
    expect(page.locator("h1")).to_contain_text("succeeded")
    expect(page.get_by_role("region", name="Result").locator("pre")).to_have_text("42")
    task = page.url.rpartition("/")[2]
    keys.press("^Delete$", "Space")
    expect(page.get_by_role("dialog").get_by_role("button", name="Back")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("button", name="Delete")).to_be_focused()
    assert ask(stack, "GET", f"/tasks/{task}")["status"] == "succeeded"
    page.keyboard.press("Space")
    keys.press("^Yes$", "Space")
    expect(page.get_by_text("The task is deleted.")).to_be_visible()
    keys.press("^Queues$")
    expect(page.locator("h1")).to_have_text("Queues")
    keys.to("^aside$")
    keys.press("^Pause$", "Space")
    keys.write("^Note", "no mouse")
    keys.press("^Pause$")
    expect(page.get_by_text("Queue aside is paused.")).to_be_visible()

    def queue() -> Any:
        return next(
            each for each in ask(stack, "GET", "/queues")["items"] if each["name"] == "aside"
        )

    assert queue()["note"] == "no mouse"
    keys.to("^aside$")
    keys.press("^Resume$", "Space")
    expect(page.get_by_text("Queue aside goes on.")).to_be_visible()
    assert queue()["paused_at"] is None
