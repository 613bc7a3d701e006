"""What a person types is what the handler gets, through a real browser; workers are seen live."""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.support.stack import Stack

BECOMES_A_TASK = re.compile(r"/dashboard/tasks/([0-9a-f-]{36})$")


@pytest.fixture
def client(stack: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stack.api_url, trust_env=False, timeout=60) as opened:
        yield opened


def submit(client: httpx.Client, handler: str, **payload: Any) -> str:
    answer = client.post("/tasks", json={"handler": handler, "payload": payload})
    assert answer.status_code == 201, answer.text
    made: str = answer.json()["id"]
    return made


def payload_of_page(page: Page, client: httpx.Client) -> Any:
    """Return the payload of the task to whose page a form has led."""
    expect(page).to_have_url(BECOMES_A_TASK)
    found = BECOMES_A_TASK.search(page.url)
    assert found is not None
    return client.get(f"/tasks/{found[1]}").json()["payload"]


def test_from_a_handler_to_its_task(page: Page, client: httpx.Client) -> None:
    page.goto("/dashboard/handlers")
    handler = page.get_by_role("article", name="tests.add")
    handler.get_by_role("link", name="Submit a task").click()
    page.get_by_role("textbox", name="A required").fill(str(2**53 + 1))
    page.get_by_text("The task itself").click()
    page.get_by_role("textbox", name="Title").fill("exactly")
    page.get_by_role("main").get_by_role("button", name="Submit").click()
    assert payload_of_page(page, client) == {"a": 2**53 + 1}
    expect(page.get_by_text("The task is submitted.")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_contain_text("exactly")


def test_a_double_click_makes_one_task(page: Page, client: httpx.Client) -> None:
    page.goto("/dashboard/submit/tests.fatal")
    page.get_by_role("textbox", name="Message").fill("only once")
    page.get_by_role("main").get_by_role("button", name="Submit").dblclick()
    assert payload_of_page(page, client) == {"message": "only once"}
    page.wait_for_load_state("networkidle")
    listed = client.get("/tasks", params={"handler": "tests.fatal"}).json()["items"]
    assert len(listed) == 1


@pytest.mark.parametrize(
    "value",
    [
        "\n\n  two line feeds, then spaces  \n",
        "a\r\nb\rc",
        "</textarea><script>alert(1)</script>&amp;",
        "\0\x01\x7f\x85\u2028\ufeff\U0001f600 \u202e",
        "",
        " ",
        9_007_199_254_740_993,
        -0.0,
        None,
        [1, "2", {"three": [None, True]}],
    ],
)
def test_submitted_again_it_is_the_same(page: Page, client: httpx.Client, value: Any) -> None:
    for handler, member in (("taskq.echo", "value"), ("tests.fatal", "message")):
        if handler == "tests.fatal" and not isinstance(value, str):
            continue
        old = submit(client, handler, **{member: value})
        page.goto(f"/dashboard/submit/{handler}?from={old}")
        page.get_by_role("main").get_by_role("button", name="Submit").click()
        assert json.dumps(payload_of_page(page, client)) == json.dumps({member: value})
        assert not page.url.endswith(old)


def test_the_payload_as_json_text_and_back(page: Page, client: httpx.Client) -> None:
    page.goto("/dashboard/submit/tests.add")
    page.get_by_role("textbox", name="A required").fill("5")
    page.get_by_role("button", name="Payload as JSON text").click()
    text = page.get_by_label("The payload as JSON text")
    expect(text).to_have_value('{\n  "a": 5\n}')
    text.fill('{"a": 6, "b": 7}')
    page.get_by_role("button", name="Payload as fields").click()
    expect(page.get_by_role("textbox", name="B", exact=True)).to_have_value("7")
    page.get_by_role("textbox", name="B", exact=True).fill("8")
    page.get_by_role("textbox", name="B", exact=True).press("Enter")
    assert payload_of_page(page, client) == {"a": 6, "b": 8}


def test_what_a_worker_runs_comes_and_goes_without_a_reload(
    page: Page, client: httpx.Client
) -> None:
    page.goto("/dashboard/workers")
    page.evaluate("window.isTheSamePage = true")
    running = page.get_by_role("table").get_by_role("link", name="taskq.sleep")
    expect(running).to_have_count(0)
    task = submit(client, "taskq.sleep", seconds=3_600)
    expect(running).to_have_attribute("href", f"/dashboard/tasks/{task}", timeout=60_000)
    assert client.post(f"/tasks/{task}/cancel").is_success
    expect(running).to_have_count(0, timeout=60_000)
    assert page.evaluate("window.isTheSamePage")
