"""The pages of the dashboard, found in its routes, and a taskq in which they show something."""

from dataclasses import dataclass
from typing import Any

import httpx
from starlette.routing import Route

from taskq_server.dashboard import routes
from taskq_server.dashboard.page_route import PageRoute
from tests.support.waiting import wait_until

# What tasks say is not always kind.
HOSTILE = "<script>alert('boo')</script><img src=x onerror=alert(1)>{{ 7 * 7 }}"
_LONG = "a-word-that-never-ends-" * 40
_TASKS: tuple[dict[str, Any], ...] = (
    {"handler": "taskq.echo", "payload": {"value": [HOSTILE, _LONG]}, "title": HOSTILE},
    {"handler": "tests.fatal", "payload": {"message": HOSTILE}, "tags": [HOSTILE, "mail"]},
    {"handler": "tests.progress", "payload": {"steps": 3}, "description": _LONG},
    {"handler": "taskq.echo", "payload": {"value": 1}, "delay_seconds": 86_400, "queue": "mail"},
)
_SCHEDULE = {"cron": "30 4 * * *", "timezone": "Europe/Berlin", "task": {"handler": "taskq.echo"}}


def page_paths() -> list[str]:
    """The paths of all GET routes of pages, and of the parts that pages fetch anew."""
    found = [each for router in routes.ROUTERS for each in router.routes]
    return sorted(
        {
            each.path
            for each in found
            if isinstance(each, PageRoute) and "GET" in (each.methods or ())
        }
    )


@dataclass(frozen=True)
class Filled:
    """A taskq whose pages have something to show.

    Attributes:
        url: Of its API.
        values: What stands for the parameters of paths.
    """

    url: str
    values: dict[str, str]

    def address(self, path: str) -> str:
        """The address of a page, below the API's.

        Raises:
            LookupError: A page has a parameter that is new.
        """
        route = Route(path, endpoint=_nothing)
        missing = set(route.param_convertors) - set(self.values)
        if missing:
            raise LookupError(f"{path}: say in {__name__} what stands for {sorted(missing)}")
        return route.path_format.format(**self.values)

    def is_page(self, address: str) -> bool:
        """Whether a whole page is there, and not a part of one or a stream.

        Raises:
            AssertionError: There is neither: the answer is an error.
        """
        client = httpx.Client(base_url=self.url, trust_env=False, timeout=60, follow_redirects=True)
        with client, client.stream("GET", address) as answer:
            assert answer.status_code == 200, f"{address}: {answer.status_code}"
            if not answer.headers["content-type"].startswith("text/html"):
                return False
            return answer.read().lstrip()[:9].lower() == b"<!doctype"


def fill(url: str) -> Filled:
    """Give a taskq tasks of each kind, a schedule, a paused queue and a bulk operation."""
    with httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
        ids = [_json(client.post("/tasks", json=task))["id"] for task in _TASKS]
        _json(client.put("/schedules/nightly", json=_SCHEDULE))
        _json(client.post("/queues/mail/pause", json={"note": HOSTILE}))
        wanted = {"action": "retry", "filter": {"status": ["failed"]}, "dry_run": False}
        bulk = _json(client.post("/tasks/bulk", json=wanted))["id"]

        def ended() -> bool:
            return all(_json(client.get(f"/tasks/{one}"))["finished_at"] for one in ids[:3])

        wait_until(ended, 120, "tasks ended", 0.1)
    values = {"task_id": ids[1], "name": "nightly", "handler": "tests.add", "operation_id": bulk}
    return Filled(url, values)


def _json(answer: httpx.Response) -> Any:
    assert answer.is_success, answer.text
    return answer.json()


async def _nothing() -> None: ...
