"""The overview is live: numbers, charts and failures follow the work without a reload."""

import re
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.browser import Look
from tests.support.browser_fixtures import NewPage
from tests.support.open_stacks import open_stack
from tests.support.page_watch import PageWatch
from tests.support.stack import Stack

PATIENCE = 60_000
"""Milliseconds."""

FATAL = {"handler": "tests.fatal", "payload": {"message": "no luck at all"}}
ECHO = {"handler": "taskq.echo", "payload": {"value": 1}}

# A page cannot be hidden without another window, so it is told that it is.
HIDE = """(hidden) => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


@pytest.fixture
def own(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """A taskq without a task, which a test may stop."""
    with open_stack(request, "sqlite") as opened:
        yield opened


def submit(stack: Stack, *tasks: object) -> None:
    for task in tasks:
        httpx.post(f"{stack.api_url}/tasks", json=task, trust_env=False).raise_for_status()


def number(page: Page, name: str) -> Locator:
    return page.locator("a.tile", has_text=name).locator(".count")


def opened(page: Page) -> Page:
    page.goto("/dashboard")
    expect(page.locator("#live")).to_have_attribute("data-live", "live", timeout=PATIENCE)
    return page


def test_a_newcomer_sees_the_first_task_come(new_page: NewPage, own: Stack) -> None:
    page = opened(new_page(own.api_url))
    expect(page.get_by_text("Fill in a form")).to_be_visible()
    submit(own, ECHO)
    expect(number(page, "Succeeded")).to_have_text("1", timeout=PATIENCE)
    expect(page.locator("[data-chart] canvas")).to_have_count(4)
    expect(page.locator("h1")).to_have_count(1)
    submit(own, ECHO)
    expect(number(page, "Succeeded")).to_have_text("2", timeout=PATIENCE)


def test_failures_and_what_needs_attention_come_by_themselves(
    new_page: NewPage, own: Stack
) -> None:
    submit(own, ECHO)
    page = opened(new_page(own.api_url))
    expect(page.get_by_text("Nothing: all queues move")).to_be_visible()
    submit(own, FATAL, FATAL)
    expect(number(page, "Failed")).to_have_text("2", timeout=PATIENCE)
    row = page.locator(".failures tbody tr", has_text="no luck at all")
    expect(row.locator("td").first).to_have_text("2", timeout=PATIENCE)
    expect(page.locator(".attention")).to_contain_text("tests.fatal fails.", timeout=PATIENCE)
    submit(own, {**ECHO, "queue": "lonely"})
    lonely = page.locator("#overview-queues tr", has_text="lonely")
    expect(lonely).to_contain_text("no worker listens", timeout=PATIENCE)
    row.locator("td a").first.click()
    expect(page).to_have_url(re.compile("status=failed&handler=tests.fatal&error_type=Fatal"))


def test_all_is_right_again_after_the_server_was_away(
    new_page: NewPage, own: Stack, watch: PageWatch
) -> None:
    watch.tolerate("net::ERR_|Failed to fetch|htmx")
    submit(own, ECHO)
    page = opened(new_page(own.api_url))
    expect(number(page, "Succeeded")).to_have_text("1", timeout=PATIENCE)
    with page.expect_event("requestfailed", timeout=PATIENCE):  # of its next try
        own.stop_api()
    expect(page.locator("#live")).to_have_text("not live", use_inner_text=True, timeout=PATIENCE)
    own.start_api()
    submit(own, ECHO, ECHO)
    expect(number(page, "Succeeded")).to_have_text("3", timeout=PATIENCE)
    expect(page.locator("#live")).to_have_text("live", use_inner_text=True)


def test_a_hidden_tab_asks_for_nothing_and_catches_up_when_shown(
    new_page: NewPage, own: Stack
) -> None:
    submit(own, ECHO)
    page = opened(new_page(own.api_url))
    expect(number(page, "Succeeded")).to_have_text("1", timeout=PATIENCE)
    asked: list[str] = []
    page.evaluate(HIDE, True)
    page.on("request", lambda request: asked.append(request.url))
    submit(own, FATAL, ECHO)
    with httpx.Client(base_url=own.api_url, trust_env=False) as client:
        while client.get("/stats").json()["tasks"]["succeeded"] < 2:
            page.wait_for_timeout(50)
    page.wait_for_timeout(2_500)
    assert asked == []
    expect(number(page, "Succeeded")).to_have_text("1")
    page.evaluate(HIDE, False)
    expect(number(page, "Succeeded")).to_have_text("2", timeout=2_000)
    expect(page.locator(".failures")).to_contain_text("no luck at all", timeout=PATIENCE)


@pytest.mark.parametrize("look", [Look(), Look(scheme="dark")], ids=str)
def test_charts_follow_the_window_the_scheme_and_the_cursor(new_page: NewPage, own: Stack) -> None:
    submit(own, ECHO, {**ECHO, "queue": "lonely"})
    page = opened(new_page(own.api_url))
    plots = page.locator("[data-chart]")
    expect(plots.locator("canvas")).to_have_count(4)
    for width in (360, 1600):
        page.set_viewport_size({"width": width, "height": 800})
        page.wait_for_function(
            "() => [...document.querySelectorAll('[data-chart]')].every((plot) =>"
            " Math.abs(plot.querySelector('.uplot').clientWidth - plot.clientWidth) < 2)"
        )
    first = plots.first.locator("canvas").element_handle()
    assert first
    page.emulate_media(color_scheme="dark")
    page.emulate_media(color_scheme="light")
    page.wait_for_function("(canvas) => !canvas.isConnected", arg=first)
    expect(plots.locator("canvas")).to_have_count(4)
    page.get_by_text("The last hour as a table").click()
    first = plots.first.locator("canvas").element_handle()
    page.evaluate("htmx.trigger(document.getElementById('hour'), 'refresh')")
    page.wait_for_function("(canvas) => !canvas.isConnected", arg=first)
    expect(plots.locator("canvas")).to_have_count(4)
    expect(page.locator("#hour-numbers")).to_have_attribute("open", "")
    time = page.locator("[data-chart-time]")
    expect(time.nth(1)).to_have_text("")
    plots.first.hover(position={"x": 120, "y": 60})
    for chart in range(4):  # one cursor for all
        expect(time.nth(chart)).to_have_text(time.first.inner_text())
