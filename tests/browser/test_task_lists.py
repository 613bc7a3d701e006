"""Lists of tasks in a browser: filters, selection, all that match, and bulk operations to watch."""

from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, Request, expect

from tests.support.browser import Look
from tests.support.browser_fixtures import NewPage
from tests.support.stack import NewStack, Stack
from tests.support.waiting import wait_until

LATER = {"handler": "taskq.sleep", "payload": {"seconds": 0}, "delay_seconds": 86_400}


def submit(stack: Stack, *tasks: dict[str, Any]) -> list[str]:
    answer = httpx.post(
        f"{stack.api_url}/tasks/batch", json={"items": list(tasks)}, timeout=60, trust_env=False
    )
    assert answer.status_code == 201, answer.text
    return [each["id"] for each in answer.json()["items"]]


def status(stack: Stack, task_id: str) -> str:
    answer = httpx.get(f"{stack.api_url}/tasks/{task_id}", timeout=60, trust_env=False)
    return str(answer.json()["status"])


def rows(page: Page) -> list[str]:
    return page.locator("tbody th a").all_inner_texts()


def test_an_incident_is_over_in_a_few_clicks(page: Page, stack: Stack) -> None:
    failing = {"handler": "taskq.flaky", "payload": {"failures": 1}, "max_retries": 0}
    ids = submit(stack, *[{**failing, "tags": ["incident"]}] * 300, {**LATER, "tags": ["incident"]})
    wait_until(lambda: status(stack, ids[299]) == status(stack, ids[0]) == "failed", 120, "failed")
    page.goto("/dashboard/tasks?tag=incident&status=failed")
    page.get_by_role("button", name="Retry all that match").click()
    expect(page.locator(".total")).to_contain_text("tasks match now")
    page.get_by_role("button", name="Retry: ").click()
    page.evaluate("window.isSame = true")
    expect(page.locator("#progress")).to_contain_text("succeeded")
    assert page.evaluate("window.isSame")  # nobody has loaded the page anew
    expect(page.locator("#progress progress")).to_have_js_property("position", 1)
    page.get_by_role("link", name="Show the tasks that match now").click()
    expect(page).to_have_url(f"{stack.api_url}/dashboard/tasks?status=failed&tag=incident")


@pytest.mark.parametrize("look", [Look(scripts=False)], ids=["without scripts"])
def test_all_of_it_works_without_scripts(page: Page, stack: Stack, look: Look) -> None:
    ids = submit(stack, *({**LATER, "title": f"plain {n}", "tags": ["plain"]} for n in range(3)))
    page.goto("/dashboard/tasks")
    page.get_by_label("Tag", exact=True).fill("plain")
    page.get_by_role("button", name="Filter").click()
    expect(page).to_have_url(f"{stack.api_url}/dashboard/tasks?tag=plain")
    assert rows(page) == ["plain 2", "plain 1", "plain 0"]
    page.get_by_label("Select plain 1").check()
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_role("button", name="Cancel: 1 task").click()
    expect(page.get_by_role("status").first).to_contain_text("Cancelled: 1.")
    assert [status(stack, each) for each in ids] == ["queued", "cancelled", "queued"]
    page.get_by_role("button", name="Set priority all that match").click()
    page.get_by_label("New priority").select_option("urgent")
    page.get_by_role("button", name="Set priority: 2 tasks").click()
    expect(page.locator("#progress")).to_contain_text("Looked at")


@pytest.mark.parametrize("look", [Look(timezone="Asia/Kolkata")], ids=["far away"])
def test_an_address_has_what_was_filled_in_and_no_more(
    page: Page, stack: Stack, look: Look
) -> None:
    page.goto("/dashboard/tasks?created_before=2026-01-01T00:00:30Z")
    page.get_by_text("More filters").click()
    before = page.get_by_label("Created before")
    expect(before).to_have_value("2026-01-01T05:30:30")
    page.get_by_label("Created since").fill("2025-12-31T05:30")
    page.get_by_label("failed").check()
    page.get_by_role("button", name="Filter").click()
    expect(page).to_have_url(
        f"{stack.api_url}/dashboard/tasks?status=failed"
        "&created_after=2025-12-31T00%3A00%3A00.000Z&created_before=2026-01-01T00%3A00%3A30Z"
    )
    expect(page.get_by_text("No task matches.")).to_be_visible()


def test_rows_are_selected_by_mouse_and_keys(page: Page, stack: Stack) -> None:
    tasks = [{**LATER, "title": f"row {n}", "tags": ["rows"]} for n in range(6)]
    ids = submit(stack, *tasks)
    page.goto("/dashboard/tasks?tag=rows")
    amount = page.locator("[data-amount]")
    expect(amount).to_have_text(": 0")
    expect(page.get_by_role("button", name="Delete", exact=True)).to_be_disabled()
    page.get_by_label("Select row 4").click()
    page.get_by_label("Select row 1").click(modifiers=["Shift"])
    expect(amount).to_have_text(": 4")
    page.get_by_label("Select all on this page").click()
    expect(amount).to_have_text(": 6")
    page.get_by_label("Select all on this page").click()
    page.locator("h1").click()
    for key in ("j", "j", "j", "k", "x"):
        page.keyboard.press(key)
    expect(page.get_by_label("Select row 4")).to_be_checked()
    expect(amount).to_have_text(": 1")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{stack.api_url}/dashboard/tasks/{ids[4]}")


def test_a_list_hints_at_changes_and_does_not_jump(page: Page, stack: Stack) -> None:
    submit(stack, {**LATER, "title": "before", "queue": "hinted"})
    page.goto("/dashboard/tasks?queue=hinted")
    hint = page.get_by_role("link", name="Tasks have changed since")
    expect(hint).to_be_hidden()
    submit(stack, {**LATER, "title": "after", "queue": "hinted"})
    expect(hint).to_be_visible()
    assert rows(page) == ["before"]
    hint.click()
    expect(page.locator("tbody tr")).to_have_count(2)
    expect(hint).to_be_hidden()


def test_an_operation_is_followed_while_somebody_looks(
    new_page: NewPage, new_stack: NewStack
) -> None:
    stack = new_stack("mariadb", workers=0)  # nobody works on it
    wanted = {"action": "cancel", "filter": {"status": "queued"}}
    begun = httpx.post(f"{stack.api_url}/tasks/bulk", json=wanted, timeout=60, trust_env=False)
    page = new_page(stack.api_url)
    asked: list[str] = []

    def note(request: Request) -> None:
        if "/progress" in request.url:
            asked.append(request.url)

    page.on("request", note)
    page.clock.install()
    page.goto(f"/dashboard/bulk/{begun.json()['id']}?of=7")
    for _ in range(3):
        with page.expect_response("**/progress?of=7"):
            page.clock.run_for(1_100)
    page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    asked.clear()
    page.clock.run_for(10_000)
    assert asked == []
    page.evaluate("delete document.hidden")
    with page.expect_response("**/progress?of=7"):
        page.clock.run_for(1_100)
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("dialog").get_by_role("button", name="Yes").click()
    expect(page.locator("#progress")).to_contain_text("stopped")
    expect(page.get_by_role("button", name="Stop")).to_have_count(0)
    asked.clear()
    page.clock.run_for(10_000)
    assert asked == []
