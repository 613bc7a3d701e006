"""Make the pictures of README and documentation anew: `python -m tools.screenshots`.

A real taskq has something to do, and a real Chromium looks at it.
"""

import sqlite3
import sys
from contextlib import closing
from math import sin
from pathlib import Path
from random import Random
from time import time
from typing import Any
from urllib.parse import urlsplit

import httpx
from playwright.sync_api import Page, expect

from tests.support.browser import Look, RealBrowser
from tests.support.processes import ROOT
from tests.support.screenshots import screenshot
from tests.support.servers import MissingServerError
from tests.support.stack import HANDLERS, Stack
from tests.support.waiting import wait_until

FOLDER = ROOT / "docs" / "images"
_OVERVIEW = Look(width=1280, height=800)
_TASK = Look(scheme="dark", width=1280, height=800)
_SETTINGS = {
    "TASKQ_HANDLERS": f"{HANDLERS},tools.pictured",
    "TASKQ_QUEUES": "default,mails,orders,reports,stock",
}
_HOUR = 60
_QUEUES = {"mails": 46, "orders": 24, "reports": 3, "stock": 11}
"""Attempts that end in a usual minute."""


def make(folder: Path) -> list[Path]:
    """Save all pictures; where they are."""
    with Stack("sqlite", settings=_SETTINGS) as stack, RealBrowser() as browser:
        running = _busy(stack)
        _remember_an_hour(stack)
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
        running = _submit(client, "reports.build", month="November 2026")
        for number in range(120):
            _submit(client, "mails.send", to=f"customer {number}", subject="Your order")
        for number in range(38):
            _submit(client, "orders.charge", order=number)
        for shelf in "ABC":
            _submit(client, "stock.sync", shelf=shelf)

        def all_begun() -> bool:
            found = client.get("/tasks", params={"status": "queued"}).json()
            return not found["items"]

        wait_until(all_begun, 120, "all tasks begun", 0.1)
    return running


def _remember_an_hour(stack: Stack) -> None:
    """Write what an hour of work leaves, because nobody waits an hour for a picture."""
    drawn = Random(7)
    now = int(time()) // 60
    rows = []
    for ago in range(1, _HOUR + 1):
        for queue, usual in _QUEUES.items():
            done = max(0, round(drawn.gauss(usual * (1.3 + sin(ago / 9)), usual / 6)))
            failed = drawn.randint(4, 9) if queue == "orders" and ago < 12 else drawn.randint(0, 1)
            waits = max(0, round(done * (0.4 + 0.3 * sin(ago / 5))))
            ran = done * drawn.randint(40, 90)
            rows.append(("default", now - ago, queue, done, failed, ran, waits, done // 12 + 1))
    file = urlsplit(stack.database_url).path.removeprefix("/")
    with closing(sqlite3.connect(file, timeout=30)) as database, database:
        database.executemany(
            "INSERT OR REPLACE INTO task_minutes (namespace, minute, queue, succeeded, failed, "
            "run_milliseconds, depth, running) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            rows,
        )


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
