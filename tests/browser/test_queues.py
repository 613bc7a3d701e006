"""The page of queues follows the work, and leaves alone what somebody writes there."""

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.support.stack import Stack

NOBODY_LISTENS = "followed"


@pytest.fixture
def client(stack: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stack.api_url, trust_env=False, timeout=60) as opened:
        yield opened


def test_what_waits_is_followed_while_somebody_writes_a_note(
    page: Page, client: httpx.Client
) -> None:
    body = {"handler": "taskq.echo", "payload": {"value": 1}, "queue": NOBODY_LISTENS}
    first = client.post("/tasks", json=body).json()["id"]
    page.goto("/dashboard/queues")
    page.evaluate("window.isTheSamePage = true")
    row = page.get_by_role("row", name=NOBODY_LISTENS)
    waiting = row.get_by_role("cell").first
    expect(waiting).to_have_text("1")
    row.get_by_text("Pause").first.click()
    note = row.get_by_role("textbox", name="Note")
    note.fill("the printer is out of paper")
    second = client.post("/tasks", json=body).json()["id"]
    expect(waiting).to_have_text("2", timeout=60_000)
    expect(note).to_be_visible()
    expect(note).to_have_value("the printer is out of paper")
    expect(note).to_be_focused()
    row.get_by_role("button", name="Pause").click()
    expect(row.get_by_text("the printer is out of paper")).to_be_visible()
    row.get_by_role("button", name="Resume").click()
    expect(row.get_by_text("paused")).to_have_count(0)
    assert page.evaluate("window.isTheSamePage") is None, "forms lead to the page anew"
    for task in (first, second):
        assert client.post(f"/tasks/{task}/cancel").is_success
