"""What tasks say is text, whatever it is, and however much of it: on each page that shows it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import Look
from tests.support.browser_fixtures import NewPage
from tests.support.guarded import Guarded, enter
from tests.support.handlers import __name__ as HANDLERS
from tests.support.hostile import LINE, MARKUP, TEXT
from tests.support.hostile import __name__ as HOSTILE_HANDLERS
from tests.support.looking import too_wide, unfold
from tests.support.open_stacks import open_stack
from tests.support.waiting import wait_until

_ATTEMPTS = 100
_MEGABYTE = 1_000_000
# Elements that a task has made, links that run something, and marks that turn what is beside them.
_MADE = """
() => {
  const found = [...document.querySelectorAll("main :is(script, img, iframe, object, [onerror])")];
  found.push(...[...document.links].filter((link) => !/^https?:$/.test(link.protocol)));
  const texts = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
  for (let text = texts.nextNode(); text; text = texts.nextNode()) {
    let at = text.parentElement;
    if (at.matches("textarea") || !/[\\u202a-\\u202e\\u2066-\\u2069]/.test(text.data)) continue;
    while (getComputedStyle(at).display.startsWith("inline")
      && !getComputedStyle(at).unicodeBidi.startsWith("isolate")) at = at.parentElement;
    const alone = at.innerText.trim() === text.data.trim();
    if (!getComputedStyle(at).unicodeBidi.startsWith("isolate") && !alone) found.push(at);
  }
  return found.map((each) => each.outerHTML.slice(0, 200));
}
"""
WIDTHS = [Look(width=360, height=740), Look(width=1280)]


@dataclass(frozen=True)
class Told:
    """A taskq whose tasks say bad things.

    Attributes:
        url: Of its API.
        failed, echoed, running, large, often: Tasks, each of which is bad in its own way.
    """

    url: str
    failed: str
    echoed: str
    running: str
    large: str
    often: str


@pytest.fixture(scope="module")
def told(request: pytest.FixtureRequest) -> Iterator[Told]:
    settings = {
        "TASKQ_HANDLERS": f"{HANDLERS},{HOSTILE_HANDLERS}",
        "TASKQ_MAX_PAYLOAD_BYTES": str(2 * _MEGABYTE),
    }
    with open_stack(request, "sqlite", settings=settings) as stack:

        def ask(method: str, path: str, body: Any = None) -> Any:
            url = f"{stack.api_url}{path}"
            answer = httpx.request(method, url, json=body, timeout=60, trust_env=False)
            assert answer.is_success, answer.text
            return answer.json()

        def submit(handler: str, payload: Any, **more: Any) -> str:
            body = {"handler": handler, "payload": payload, **more}
            return str(ask("POST", "/tasks", body)["id"])

        bad = {"title": LINE, "tags": [LINE[:64], MARKUP], "description": LINE * 10}
        often = {
            "max_retries": _ATTEMPTS - 1,
            "backoff_base_seconds": 0.001,
            "backoff_max_seconds": 0.001,
        }
        said = {"text": TEXT}
        done = Told(
            stack.api_url,
            failed=submit("tests.hostile", said, **bad, max_retries=0),
            echoed=submit(
                "taskq.echo", {"value": {TEXT: [TEXT, {"\u2066": "javascript:alert(1)"}]}}
            ),
            running=submit("tests.hostile", {"text": TEXT, "seconds": 3_600}, **bad),
            large=submit("taskq.echo", {"value": "w" * _MEGABYTE}),
            often=submit("taskq.flaky", {"failures": _ATTEMPTS}, **often),
        )
        submit("taskq.echo", {"value": 1}, queue="aside", delay_seconds=86_400)
        ask("POST", "/queues/aside/pause", {"note": LINE[:200]})
        task = {"handler": "tests.hostile", "payload": said, **bad}
        ask("PUT", "/schedules/bad", {"cron": "0 4 1 1 *", "note": LINE[:200], "task": task})

        def is_over() -> bool:
            found = [ask("GET", f"/tasks/{each}") for each in (done.failed, done.large, done.often)]
            return all(each["finished_at"] for each in found)

        wait_until(is_over, 120, "all attempts", 0.1)
        yield done
        ask("POST", f"/tasks/{done.running}/cancel")


def check(page: Page, address: str) -> None:
    """Check that a page shows text and nothing else, and is as wide as its window."""
    page.goto(address)
    unfold(page)
    assert page.evaluate(_MADE) == [], address
    assert too_wide(page) == [], address


@pytest.mark.parametrize("look", WIDTHS, ids=str)
def test_each_page_shows_it_as_text(new_page: NewPage, told: Told) -> None:
    page = new_page(told.url)
    for address in (
        *("", "/tasks", "/handlers", "/tags", "/queues", "/schedules/bad"),
        *(f"/tasks/{told.failed}", f"/tasks/{told.echoed}", f"/tasks/{told.running}"),
        *("/submit", "/submit/tests.hostile"),
    ):
        check(page, f"/dashboard{address}")
        expect(page.get_by_role("main")).to_contain_text(MARKUP)
    for address in (
        *(f"/tasks/{told.failed}/edit", f"/submit/tests.hostile?from={told.failed}"),
        *("/schedules", "/workers"),
    ):
        check(page, f"/dashboard{address}")


@pytest.mark.parametrize("look", WIDTHS, ids=str)
def test_what_it_says_is_whole(new_page: NewPage, told: Told) -> None:
    page = new_page(told.url)
    page.goto(f"/dashboard/tasks/{told.failed}")
    shown = TEXT.replace("\u202e", "\\u202e").replace("\u2066", "\\u2066")
    for place in ("pre.traceback", ".prose", "[aria-label='Payload']", "#progress"):
        expect(page.locator(place)).to_contain_text(MARKUP)
    expect(page.locator("pre.traceback")).to_contain_text(shown)
    expect(page.locator(".prose")).to_have_text(LINE * 10)
    expect(page.locator("#attempt-1 h3 code")).to_have_text(shown[:100])


@pytest.mark.parametrize("look", WIDTHS, ids=str)
def test_there_may_be_much_of_it(new_page: NewPage, told: Told) -> None:
    page = new_page(told.url)
    check(page, f"/dashboard/tasks/{told.large}")
    expect(page.get_by_text("This is the beginning.").first).to_be_visible()
    check(page, f"/dashboard/submit/taskq.echo?from={told.large}")
    check(page, f"/dashboard/tasks/{told.often}")
    page.get_by_role("link", name=f"Show all {_ATTEMPTS} attempts").click()
    expect(page.locator("details.attempt")).to_have_count(_ATTEMPTS)
    unfold(page)
    assert too_wide(page) == []


def test_what_asks_first_says_it_as_text(new_page: NewPage, guarded: Guarded) -> None:
    key_id, _ = guarded.make_key(LINE, "tasks:read")
    page = enter(new_page(guarded.url), guarded.operator)
    check(page, "/dashboard/keys")
    row = page.get_by_role("row", name=key_id)
    row.get_by_role("button", name="Revoke").click()
    expect(page.locator("#confirm-text")).to_contain_text(MARKUP)
    assert page.locator("#confirm-text > *").count() == 0
    page.get_by_role("dialog").get_by_role("button", name="Back").click()
