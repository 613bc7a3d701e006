"""The page of a task in a browser: it follows the task, and leaves the reader alone."""

import json
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import Look
from tests.support.browser_fixtures import NewPage
from tests.support.looking import too_wide
from tests.support.page_watch import PageWatch
from tests.support.stack import NewStack, Stack
from tests.support.waiting import wait_until

PATIENCE = 60_000
"""Milliseconds, on a busy machine."""

_READING = """
() => {
  const read = document.querySelector("#attempt-2 pre.traceback");
  return {
    top: read.getBoundingClientRect().top,
    inside: read.scrollTop,
    open: document.querySelector("#attempt-2").open,
    selected: getSelection().toString().length,
  };
}
"""
_HIDE = """
(hidden) => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
  document.dispatchEvent(new Event("visibilitychange"));
}
"""


def submit(stack: Stack, handler: str, payload: dict[str, Any], **more: Any) -> str:
    """Submit a task; its id."""
    body = {"handler": handler, "payload": payload, **more}
    answer = httpx.post(f"{stack.api_url}/tasks", json=body, trust_env=False, timeout=60)
    assert answer.status_code == 201, answer.text
    task_id: str = answer.json()["id"]
    return task_id


def task_of(stack: Stack, task_id: str) -> dict[str, Any]:
    answer = httpx.get(f"{stack.api_url}/tasks/{task_id}", trust_env=False, timeout=60)
    task: dict[str, Any] = answer.json()
    return task


def open_task(page: Page, task_id: str) -> None:
    page.goto(f"/dashboard/tasks/{task_id}")
    page.evaluate("window.isSame = true")


def is_same(page: Page) -> bool:
    """Whether the page was not loaded anew."""
    return bool(page.evaluate("window.isSame === true"))


def test_progress_and_the_end_come_by_themselves(page: Page, stack: Stack) -> None:
    asked: list[str] = []
    page.on("request", lambda each: asked.append(each.url))
    task_id = submit(stack, "tests.progress", {"steps": 6, "seconds": 1})
    open_task(page, task_id)
    expect(page.locator("#progress")).to_contain_text("step 2", timeout=PATIENCE)
    expect(page.locator("#progress")).to_contain_text("step 5", timeout=PATIENCE)
    expect(page.locator("h1")).to_contain_text("succeeded", timeout=PATIENCE)
    expect(page.get_by_role("region", name="Result").locator("pre")).to_have_text("6")
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    expect(page.locator("#attempt-1")).to_be_visible()
    assert is_same(page)
    assert sum("/parts" in each for each in asked) <= 3, "progress comes with the stream"
    assert sum("/events" in each for each in asked) == 1


def test_nothing_moves_while_one_reads(page: Page, stack: Stack) -> None:
    page.set_viewport_size({"width": 1000, "height": 420})
    task_id = submit(
        stack, "taskq.flaky", {"failures": 100}, max_retries=100,
        backoff_base_seconds=3, backoff_max_seconds=3,
    )  # fmt: skip
    open_task(page, task_id)
    expect(page.locator("#attempt-2")).to_be_visible(timeout=PATIENCE)
    page.evaluate("document.querySelector('#attempt-2').open = true")
    traceback = page.locator("#attempt-2 pre.traceback")
    traceback.scroll_into_view_if_needed()
    traceback.evaluate("(each) => getSelection().selectAllChildren(each)")
    before = page.evaluate(_READING)
    newest = len(page.locator("details.attempt").all())
    for number in range(newest + 1, newest + 4):
        expect(page.locator(f"#attempt-{number}")).to_be_attached(timeout=PATIENCE)
    page.evaluate("new Promise(requestAnimationFrame)")
    after = page.evaluate(_READING)
    assert abs(after.pop("top") - before.pop("top")) < 5
    assert after == before
    assert before["open"]
    assert is_same(page)
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("h1")).to_contain_text("cancelled", timeout=PATIENCE)


def test_a_hidden_page_pauses_and_is_right_again_when_it_is_seen(page: Page, stack: Stack) -> None:
    task_id = submit(stack, "tests.progress", {"steps": 500, "seconds": 0.5})
    open_task(page, task_id)
    expect(page.locator("#progress")).to_contain_text("step", timeout=PATIENCE)
    page.evaluate(_HIDE, True)
    asked: list[str] = []
    page.on("request", lambda each: asked.append(each.url))
    httpx.post(f"{stack.api_url}/tasks/{task_id}/cancel", trust_env=False, timeout=60)
    wait_until(
        lambda: task_of(stack, task_id)["status"] == "cancelled", 60, "the task cancelled", 0.1
    )
    asked.clear()
    page.wait_for_timeout(1_000)  # in which a page that goes on would ask
    assert asked == []
    expect(page.locator("h1")).to_contain_text("running")
    page.evaluate(_HIDE, False)
    expect(page.locator("h1")).to_contain_text("cancelled", timeout=PATIENCE)
    assert is_same(page)


def test_a_page_goes_on_after_the_server_has_started_again(
    new_stack: NewStack, new_page: NewPage, watch: PageWatch
) -> None:
    stack = new_stack("sqlite")
    page = new_page(stack.api_url)
    task_id = submit(stack, "tests.pid", {"seconds": 0}, delay_seconds=3600)
    open_task(page, task_id)
    expect(page.locator("h1")).to_contain_text("queued")
    watch.allow("ERR_CONNECTION_REFUSED", "htmx:sse:error")
    stack.stop_api()
    expect(page.locator("#stale")).to_be_visible(timeout=PATIENCE)
    stack.start_api()
    stack.wait_for_handlers()
    expect(page.locator("#stale")).to_be_hidden(timeout=PATIENCE)
    httpx.post(f"{stack.api_url}/tasks/{task_id}/cancel", trust_env=False, timeout=60)
    expect(page.locator("h1")).to_contain_text("cancelled", timeout=PATIENCE)
    assert is_same(page)


def test_a_task_that_was_deleted_elsewhere_says_so(page: Page, stack: Stack) -> None:
    task_id = submit(stack, "taskq.echo", {"value": 1}, delay_seconds=3600)
    open_task(page, task_id)
    httpx.delete(f"{stack.api_url}/tasks/{task_id}", trust_env=False, timeout=60)
    expect(page.get_by_role("alert")).to_contain_text("deleted meanwhile", timeout=PATIENCE)
    expect(page.get_by_role("region", name="Payload").first).to_be_visible()


def test_its_buttons_do_what_they_say(page: Page, stack: Stack) -> None:
    task_id = submit(stack, "taskq.echo", {"value": 1}, delay_seconds=3600)
    open_task(page, task_id)
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("The task is cancelled.")).to_be_visible()
    page.get_by_role("button", name="Retry").click()
    expect(page.get_by_text("The task is queued again.")).to_be_visible()
    expect(page.locator("h1")).to_contain_text("succeeded", timeout=PATIENCE)
    page.get_by_role("button", name="Edit").click()
    page.get_by_label("Title").fill("A better <b>title</b>")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("h1")).to_contain_text("A better <b>title</b>")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Back").click()
    expect(page.locator("h1")).to_contain_text("A better")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Yes").click()
    expect(page.get_by_text("The task is deleted.")).to_be_visible()
    assert httpx.get(f"{stack.api_url}/tasks/{task_id}", trust_env=False).status_code == 404


def test_a_start_is_typed_in_the_zone_of_the_reader(new_page: NewPage, stack: Stack) -> None:
    page = new_page(stack.api_url, Look(timezone="Asia/Kolkata"))
    task_id = submit(stack, "taskq.echo", {"value": 1}, run_at="2090-01-01T20:00:00Z")
    page.goto(f"/dashboard/tasks/{task_id}/edit")
    start = page.get_by_label("Not before")
    expect(start).to_have_value("2090-01-02T01:30")
    expect(page.get_by_text("Asia/Kolkata").or_(page.get_by_text("Asia/Calcutta"))).to_be_visible()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The task is changed.")).to_be_visible()
    assert task_of(stack, task_id)["version"] == 1
    page.goto(f"/dashboard/tasks/{task_id}/edit")
    start.fill("2090-01-02T05:30")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The task is changed.")).to_be_visible()
    assert task_of(stack, task_id)["run_at"] == "2090-01-02T00:00:00Z"


def test_a_page_that_has_slept_connects_anew(page: Page, stack: Stack) -> None:
    task_id = submit(stack, "taskq.echo", {"value": 1}, delay_seconds=3600)
    page.clock.install()
    open_task(page, task_id)
    expect(page.locator("h1")).to_contain_text("queued")
    with page.expect_response("**/events?*"):
        page.clock.fast_forward("10:00")
    assert is_same(page)


def test_its_id_can_be_copied(page: Page, stack: Stack) -> None:
    task_id = submit(stack, "taskq.echo", {"value": 1}, delay_seconds=3600)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=stack.api_url)
    open_task(page, task_id)
    page.get_by_role("button", name="Copy the id").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == task_id


@pytest.mark.parametrize("width", [360, 1280])
def test_what_is_large_breaks_no_layout(page: Page, stack: Stack, width: int) -> None:
    value = {"<b>": ["x" * 5_000] * 20, "long": "\u202e" + "w" * 150_000}
    task_id = submit(stack, "taskq.echo", {"value": value})
    page.set_viewport_size({"width": width, "height": 700})
    open_task(page, task_id)
    expect(page.locator("h1")).to_contain_text("succeeded", timeout=PATIENCE)
    assert not too_wide(page)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download it as a file").last.click()
    name = download.value.suggested_filename
    assert name == f"task-{task_id}-result.json"
    assert json.loads(download.value.path().read_text("utf-8")) == value
