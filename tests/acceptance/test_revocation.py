"""A key that is revoked, has expired or was narrowed opens nothing a second later, Redis or not.

That holds for connections that are kept alive, for requests that wait, and for streams of events.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from taskq_server.domain.keys import Token
from tests.support.keys import KeyStore, shown, wait_until_closed
from tests.support.stack import Stack

SECONDS = 1.5
"""The time in which a change has to act."""

SCOPES = ("tasks:read", "tasks:run:*")
LATER = {"handler": "taskq.echo", "payload": {"value": 1}, "delay_seconds": 3600}
CHANGES: dict[str, tuple[Callable[[], dict[str, Any]], int]] = {
    "revoked": (lambda: {"revoked_at": datetime.now(UTC)}, 401),
    "expired": (lambda: {"expires_at": datetime.now(UTC)}, 401),
    "narrowed": (lambda: {"scopes": '["metrics:read"]'}, 403),
    "replaced": (lambda: {"secret_hash": "0" * 64}, 401),
}


@dataclass(frozen=True)
class Closed:
    """A taskq that asks for keys and has no Redis any more."""

    url: str
    keys: KeyStore

    def client(self, token: Token) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers=shown(token), timeout=60, trust_env=False)


@pytest.fixture(scope="module")
def without_redis(new_module_stack: Callable[..., Stack]) -> Closed:
    stack = new_module_stack("mariadb")
    keys = KeyStore(stack.database_url)
    keys.make("admin")
    wait_until_closed(stack.api_url)
    assert stack.redis is not None
    stack.redis.kill()
    return Closed(stack.api_url, keys)


@dataclass(frozen=True)
class End:
    """How something ended, and when by the monotonic clock."""

    status: int
    at: float


def kept_alive(client: httpx.Client, _: str) -> End:
    """Ask on one connection until it is refused."""
    given_up = time.monotonic() + 30
    while (answer := client.get("/tasks")).is_success and time.monotonic() < given_up:
        time.sleep(0.02)
    return End(answer.status_code, time.monotonic())


def get(client: httpx.Client, task: str) -> End:
    return End(client.get(f"/tasks/{task}", params={"wait": 50}).status_code, time.monotonic())


def wait(client: httpx.Client, task: str) -> End:
    body = {"ids": [task], "timeout_seconds": 50}
    return End(client.post("/tasks/wait", json=body).status_code, time.monotonic())


def prefer(client: httpx.Client, _: str) -> End:
    answer = client.post("/tasks", json=LATER, headers={"Prefer": "wait=50"})
    return End(answer.status_code, time.monotonic())


def stream(client: httpx.Client, task: str) -> End:
    """Follow the task, up to an end that has no status; it is that of another request."""
    with client.stream("GET", f"/tasks/{task}/events") as events:
        lines = [line for line in events.iter_lines() if line.startswith("data:")]
    at = time.monotonic()
    assert len(lines) == 1, lines
    return End(client.get("/tasks").status_code, at)


def counts(client: httpx.Client, _: str) -> End:
    """Follow the counts, up to an end that has no status, as `stream` does."""
    with client.stream("GET", "/stats/events") as events:
        assert [line for line in events.iter_lines() if line.startswith("data:")]
    at = time.monotonic()
    return End(client.get("/tasks").status_code, at)


@pytest.mark.parametrize("change", CHANGES)
def test_it_acts_within_a_second(without_redis: Closed, change: str) -> None:
    ways = (kept_alive, get, wait, prefer, stream, counts)
    tokens = [without_redis.keys.make(*SCOPES) for _ in ways]
    clients = [without_redis.client(each) for each in tokens]
    task = clients[0].post("/tasks", json=LATER).json()["id"]
    values, status = CHANGES[change]
    with ThreadPoolExecutor(len(ways)) as threads:
        ending = [
            threads.submit(way, client, task) for way, client in zip(ways, clients, strict=True)
        ]
        time.sleep(1)  # the requests are under way, and their keys in use
        assert not any(each.done() for each in ending)
        without_redis.keys.change(*tokens, **values())
        changed = time.monotonic()
        ends = dict(zip(ways, (each.result(60) for each in ending), strict=True))
    for client in clients:
        client.close()
    assert {way.__name__: end.status for way, end in ends.items()} == dict.fromkeys(
        (way.__name__ for way in ways), status
    )
    took = {way.__name__: end.at - changed for way, end in ends.items()}
    assert max(took.values()) < SECONDS, took


def test_a_key_that_loses_nothing_it_needs_goes_on(without_redis: Closed) -> None:
    token = without_redis.keys.make("tasks:read")
    with without_redis.client(token) as client, ThreadPoolExecutor(1) as thread:
        runner = without_redis.keys.make(*SCOPES)
        with without_redis.client(runner) as other:
            task = other.post("/tasks", json=LATER).json()["id"]
        waiting = thread.submit(client.get, f"/tasks/{task}", params={"wait": 3})
        without_redis.keys.change(token, scopes='["tasks:read", "tasks:write"]')
        assert waiting.result(60).status_code == 200
