"""The pages of the dashboard, found in its routes, and a taskq in which they show something."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
from playwright.sync_api import Page
from starlette.routing import Route

from taskq_server.dashboard import routes
from taskq_server.dashboard.page_route import PageRoute
from tests.support.stack import Stack
from tests.support.waiting import wait_until

# What tasks say is not always kind.
HOSTILE = "<script>alert('boo')</script><img src=x onerror=alert(1)>{{ 7 * 7 }}"
_LONG = "a-word-that-never-ends-" * 40
_TASKS: tuple[dict[str, Any], ...] = (
    {"handler": "taskq.echo", "payload": {"value": f"{HOSTILE} {_LONG}"}, "title": HOSTILE},
    {"handler": "tests.fatal", "payload": {"message": HOSTILE}, "tags": [HOSTILE[:38], "mail"]},
    {"handler": "tests.progress", "payload": {"steps": 3}, "description": _LONG},
    {"handler": "taskq.echo", "payload": {"value": 1}, "delay_seconds": 86_400, "queue": "mail"},
)
_QUERIES = {"/dashboard/tasks/all/{action}": "?status=queued"}
"""Of pages that there are not without one."""

_ALL_SCOPES = ("tasks:read", "tasks:write", "tasks:run:*", "tasks:operate", "admin")
_SCHEDULE = {
    "cron": "30 4 * * *",
    "timezone": "Europe/Berlin",
    "task": {"handler": "taskq.echo", "payload": {"value": 1}},
}


def page_paths() -> list[str]:
    """The paths of all GET routes of pages, and of the parts that pages fetch anew."""
    found = [each for router in routes.ROUTERS for each in router.routes]
    return sorted(
        {
            each.path
            for each in found
            if isinstance(each, PageRoute)
            and "GET" in (each.methods or ())
            and "{rest" not in each.path  # what takes all paths has none of its own
        }
    )


@dataclass(frozen=True)
class Visited:
    """A taskq with somebody who may see all of its pages.

    Attributes:
        url: Of its API.
        cookies: Of the session; none where no sign-in is necessary.
        values: What stands for the parameters of paths; without them there are no such pages.
    """

    url: str
    cookies: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)

    def address(self, path: str) -> str | None:
        """The address below the API's of a whole page; None for a part, a stream, or no page.

        Raises:
            LookupError: A page has a parameter that is new.
            AssertionError: The answer is an error.
        """
        route = Route(path, endpoint=_nothing)
        missing = sorted(set(route.param_convertors) - set(self.values))
        if missing and not self.values:
            return None
        if missing:
            raise LookupError(f"{path}: say in {__name__} what stands for {missing}")
        address = route.path_format.format(**self.values) + _QUERIES.get(path, "")
        return address if self._is_page(address) else None

    def _is_page(self, address: str) -> bool:
        client = httpx.Client(base_url=self.url, cookies=dict(self.cookies), trust_env=False)
        with client, client.stream("GET", address, timeout=60, follow_redirects=True) as answer:
            if answer.status_code == 403 and not self.cookies:
                return False
            assert answer.status_code == 200, f"{address}: {answer.status_code}"
            if not answer.headers["content-type"].startswith("text/html"):
                return False
            return answer.read().lstrip()[:9].lower() == b"<!doctype"

    def enter(self, page: Page) -> Page:
        """Give a page the session."""
        page.context.add_cookies(
            [
                {"name": name, "value": value, "url": self.url}
                for name, value in self.cookies.items()
            ]
        )
        return page


def visit_filled(stack: Stack) -> Visited:
    """Give a taskq an operator, tasks of each kind, a schedule, a paused queue and a bulk one."""
    words = [word for scope in _ALL_SCOPES for word in ("--scope", scope)]
    key = stack.command("keys", "create", "operator", "--namespace", "*", *words).split()[-1]
    headers = {"Authorization": f"Bearer {key}", "Taskq-Namespace": "default"}
    with _client(stack, headers=headers) as client:
        ids = [_json(client.post("/tasks", json=task))["id"] for task in _TASKS]
        _json(client.put("/schedules/nightly", json=_SCHEDULE))
        _json(client.post("/queues/mail/pause", json={"note": HOSTILE}))
        wanted = {"action": "cancel", "filter": {"tag": ["nothing"]}}
        bulk = _json(client.post("/tasks/bulk", json=wanted))["id"]

        def ended() -> bool:
            return all(_json(client.get(f"/tasks/{one}"))["finished_at"] for one in ids[:3])

        wait_until(ended, 120, "tasks ended", 0.1)
    values = {
        "task_id": ids[1],
        "name": "nightly",
        "handler": "tests.add",
        "operation_id": bulk,
        "action": "cancel",
    }
    return Visited(stack.api_url, sign_in(stack, key), values)


def sign_in(stack: Stack, key: str) -> dict[str, str]:
    """Begin a session; its cookies."""
    with _client(stack, headers={"Sec-Fetch-Site": "same-origin"}) as client:
        answer = client.post("/dashboard/sign-in", data={"key": key})
        assert answer.status_code == 303, answer.text
        return dict(client.cookies)


def _client(stack: Stack, headers: dict[str, str]) -> httpx.Client:
    return httpx.Client(base_url=stack.api_url, headers=headers, trust_env=False, timeout=60)


def _json(answer: httpx.Response) -> Any:
    assert answer.is_success, answer.text
    return answer.json()


async def _nothing() -> None: ...
