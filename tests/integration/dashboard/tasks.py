"""Tasks for the pages that show them, and what is said there."""

from html.parser import HTMLParser
from typing import Any

import httpx

from tests.integration.api.scripted_worker import ScriptedWorker

BIDI = "\u202e"
HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'


async def submitted(client: httpx.AsyncClient, **fields: Any) -> str:
    """Submit a task that echoes 1, and return its id."""
    body = {"handler": "taskq.echo", "payload": {"value": 1}, **fields}
    answer = await client.post("/tasks", json=body)
    assert answer.status_code == 201, answer.text
    task_id: str = answer.json()["id"]
    return task_id


async def failed(client: httpx.AsyncClient, worker: ScriptedWorker, **fields: Any) -> str:
    """Submit a task whose only attempt fails."""
    task_id = await submitted(client, **fields)
    await worker.fail(await worker.claim(task_id), fatal=True)
    return task_id


def at(task_id: str, path: str = "") -> str:
    """Return the path of a task's page, or of what lies below it."""
    return f"/dashboard/tasks/{task_id}{path}"


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def tags_of(page: httpx.Response) -> list[tuple[str, dict[str, str | None]]]:
    """Return the elements of a page with their attributes, as a browser reads them."""
    parser = _Tags()
    parser.feed(page.text)
    return parser.found


def assert_harmless(page: httpx.Response) -> None:
    """Check that a page has no element or attribute that would do something by itself."""
    for tag, attributes in tags_of(page):
        assert tag not in ("img", "iframe", "object", "style", "base"), tag
        assert tag != "script" or "src" in attributes
        assert not any(name.startswith("on") or name == "style" for name in attributes), attributes
        assert not (attributes.get("href") or "").startswith("javascript:")
    assert BIDI not in page.text
    assert "\x1b" not in page.text
