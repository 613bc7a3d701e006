"""Make the pictures of README and documentation anew: `python -m tools.screenshots`.

A real taskq has something to do, and a real Chromium looks at it.
"""

import sys
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Page, expect

from tests.support.browser import Look, RealBrowser
from tests.support.processes import ROOT
from tests.support.screenshots import screenshot
from tests.support.servers import MissingServerError
from tests.support.stack import Stack
from tests.support.waiting import wait_until

FOLDER = ROOT / "docs" / "images"
_OVERVIEW = Look(width=1280, height=800)
_TASK = Look(scheme="dark", width=1280, height=800)
_MANY = 40


def make(folder: Path) -> list[Path]:
    """Save all pictures; where they are."""
    with Stack("sqlite") as stack, RealBrowser() as browser:
        running = _busy(stack)
        pages = (("overview", _OVERVIEW, ""), ("task", _TASK, f"/tasks/{running}"))
        made = []
        for name, look, path in pages:
            with browser.context(look, stack.api_url) as context:
                page = context.new_page()
                page.goto(f"/dashboard{path}")
                _settle(page)
                made.append(screenshot(page, name, folder))
    return made


def _busy(stack: Stack) -> str:
    """Let tasks of several handlers succeed, fail and run; the id of one that runs.

    Not of one that failed: its traceback has the paths of this machine.
    """
    client = httpx.Client(base_url=stack.api_url, trust_env=False, timeout=60)
    with client:
        running = _submit(client, "tests.progress", steps=600, seconds=0.5)
        for number in range(_MANY):
            _submit(client, "tests.add", a=number)
            _submit(client, "tests.progress", steps=3)
        for _ in range(5):
            _submit(client, "tests.fatal", message="the printer is out of paper")
            _submit(client, "taskq.sleep", seconds=600)

        def all_begun() -> bool:
            found = client.get("/tasks", params={"status": "queued"}).json()
            return not found["items"]

        wait_until(all_begun, 120, "all tasks begun", 0.1)
    return running


def _submit(client: httpx.Client, handler: str, **payload: object) -> str:
    answer = client.post("/tasks", json={"handler": handler, "payload": payload})
    task: dict[str, Any] = answer.raise_for_status().json()
    return str(task["id"])


def _settle(page: Page) -> None:
    """Wait until the page is live and drawn."""
    expect(page.get_by_text("connecting")).to_be_hidden()
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


if __name__ == "__main__":
    try:
        print(*make(FOLDER), sep="\n")
    except MissingServerError as error:
        sys.exit(str(error))
