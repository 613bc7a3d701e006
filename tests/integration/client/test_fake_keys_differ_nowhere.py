"""The fake and a real server say the same to callers with different keys, and to those without."""

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from taskq_client.testing import _keys
from taskq_server.api.access import ACCESS
from taskq_server.domain import scopes
from tests.integration.client.requests import METHODS, Asked, Requests
from tests.integration.client.test_fake_differs_nowhere import MANY, SEEDS, compare

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(110)]

KEYS = (
    ("tasks:read", "tasks:write", "tasks:run:*", "tasks:operate"),
    ("tasks:run:t.*", "tasks:run:taskq.echo"),
    ("tasks:run:t.r*", "tasks:write"),
    ("tasks:write",),
    ("tasks:read", "metrics:read"),
    ("metrics:read",),
    ("admin", "tasks:operate"),
    ("tasks:operate", "tasks:read", "tasks:write", "tasks:run:t.r*"),
)
NO_KEYS = (
    "", "Bearer", "Bearer ", "Bearer {key0}x", "Bearer {key0} {key1}", "Basic {key0}", "{key0}",
    "Bearer " + "x" * 300, "Bearer tq_000000000000_" + "s" * 43, "Bearer \xe9",
)  # fmt: skip


def signed(requests: Requests, seed: int) -> Asked:
    """Return the next request, mostly with a key."""
    draw = random.Random(seed)
    asked = requests.next()
    if draw.random() < 0.05:
        shown = draw.choice(NO_KEYS)
    else:
        scheme = draw.choice(("Bearer", "Bearer", "bearer", "BEARER "))
        many = len(KEYS)
        (number,) = draw.choices(range(many), [6, 6, *[2] * (many - 2)])
        shown = f"{scheme} {{key{number}}}"
    if shown or draw.random() < 0.5:
        asked.headers.append(("authorization", shown))
    if draw.random() < 0.01:
        asked.headers.append(("Authorization", "Bearer {key0}"))
    return asked


NEW: tuple[dict[str, Any], ...] = (
    {"handler": "t.rows", "payload": {"n": 1}},
    {"handler": "t.fatal", "payload": {"n": 2}},
    {"handler": "t.rows", "payload": {"n": 3}, "delay_seconds": 3600},
    {"handler": "taskq.echo", "payload": {"value": 4}, "delay_seconds": 3600},
)
ON_ONE = (
    ("GET", "", None), ("HEAD", "", None), ("GET", "/attempts", None), ("GET", "/events", None),
    ("PATCH", "", {"title": "new"}), ("PATCH", "", {"priority": "high"}),
    ("PATCH", "", {"run_at": None, "priority": "low"}), ("PATCH", "", {"title": None}),
    ("POST", "/cancel", None), ("POST", "/retry", None), ("DELETE", "", None),
)  # fmt: skip
LATER = {"cron": "@yearly", "starts_at": "2090-01-01T00:00:00Z"}
SCHEDULE = {**LATER, "task": {"handler": "t.rows", "payload": {"n": 1}}}
ON_A_SCHEDULE = (
    ("GET", "", None), ("GET", "/s", None), ("GET", "/preview?cron=@daily", None),
    ("PUT", "/s", {**LATER, "task": {"handler": "t.fatal"}}), ("PUT", "/s", SCHEDULE),
    ("PATCH", "/s", {"note": "n"}), ("PATCH", "/nobody", {"note": "n"}),
    ("PATCH", "/s", {"task": {"handler": "taskq.echo", "payload": {"value": 1, "n": None}}}),
    ("POST", "/s/pause", {"note": "why"}), ("POST", "/s/resume", None), ("POST", "/s/fire", None),
    ("POST", "/nobody/fire", None), ("DELETE", "/nobody", None), ("DELETE", "/s", None),
)  # fmt: skip
WITHOUT_A_KEY = ("/livez", "/readyz", "/nothing", "/tags")
ON_ALL = (
    *("/tasks", "/tags", "/stats", "/handlers", "/workers", "/nothing", "/tasks?nothing=1"),
    *("/workers?limit=1", "/workers?status=running", "/queues"),
)


def each_key_on_each_operation() -> Iterator[Asked]:
    """Yield requests of each key, about its own tasks and about those of another."""
    for number in range(len(KEYS)):
        for owner in (0, number):
            for new in NEW:
                yield _asked(owner, "POST", "/tasks", new, f"{owner} {number} {new}"[:200])
            for new in NEW:
                yield _asked(number, "POST", "/tasks", new, f"{owner} {number} {new}"[:200])
            for back in range(len(NEW)):
                ids = {"ids": [f"{{id{back}}}"], "timeout_seconds": 0}
                yield _asked(number, "POST", "/tasks/wait", ids)
                for method, action, body in ON_ONE:
                    asked = _asked(number, method, f"/tasks/{{id}}{action}", body)
                    asked.task = back
                    if action == "/events":
                        asked.query = [("timeout_seconds", "0")]
                    yield asked
        for items in ([NEW[0], NEW[3]], [NEW[0]], [NEW[0], {"handler": "nobody.has.this"}], [{}]):
            yield _asked(number, "POST", "/tasks/batch", {"items": items}, "batch")
        yield _asked(number, "POST", "/tasks", {"handler": "nobody.has.this"})
        for path in ON_ALL:
            yield _asked(number, "GET", path)
        yield from _on_a_schedule(number)
    yield from (Asked(method, path) for method in METHODS for path in WITHOUT_A_KEY)


def _on_a_schedule(number: int) -> Iterator[Asked]:
    yield _asked(0, "PUT", "/schedules/s", SCHEDULE)
    yield _asked(0, "PUT", "/schedules/f", {**LATER, "task": {"handler": "t.fatal"}})
    yield _asked(number, "POST", "/schedules/f/fire")
    for method, action, body in ON_A_SCHEDULE:
        yield _asked(number, method, f"/schedules{action}", body)


def _asked(key: int, method: str, path: str, body: Any = None, idempotency: str = "") -> Asked:
    headers = [("authorization", f"Bearer {{key{key}}}")]
    if idempotency:
        headers.append(("idempotency-key", idempotency))
    if body is None:
        return Asked(method, path, headers=headers)
    headers.append(("content-type", "application/json"))
    return Asked(method, path, headers=headers, body=json.dumps(body).encode())


async def test_each_key_opens_the_same(sqlite_url: str, redis_url: str) -> None:
    await compare(each_key_on_each_operation(), sqlite_url, redis_url, KEYS)


@pytest.mark.parametrize("seed", SEEDS)
async def test_the_same_keys_open_the_same(seed: int, sqlite_url: str, redis_url: str) -> None:
    requests = Requests(seed)
    asked = (signed(requests, 1_000_000 * seed + number) for number in range(MANY))
    await compare(asked, sqlite_url, redis_url, KEYS)


def test_the_fake_asks_for_the_scopes_of_the_server() -> None:
    served = {name: one.any_of for name, one in ACCESS.items() if name in _keys.ACCESS}
    assert served == _keys.ACCESS
    asked = {
        name
        for name, one in ACCESS.items()
        if one.any_of and not one.of_operators and not name.endswith(("key", "keys"))
    }
    assert asked == set(_keys.ACCESS)
    assert frozenset(_keys.EVERYTHING) == scopes.EVERYTHING
