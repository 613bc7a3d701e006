"""Nothing is lost: killed workers, an empty Redis, deploys."""

import signal
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.integration.engine.calls import get, submit
from tests.support.stack import NewStack, Stack
from tests.support.waiting import wait_until

LEASE = {"TASKQ_LEASE_SECONDS": "2", "TASKQ_DRAIN_SECONDS": "3"}
BUSY_SECONDS = 5.0
"""What a busy machine may add."""


@pytest.fixture(scope="module")
def shared(new_module_stack: NewStack) -> Stack:
    return new_module_stack("mariadb", settings=LEASE)


@pytest.fixture
def pair(shared: Stack) -> Iterator[Stack]:
    """A stack with a short lease and one worker, for tests that kill either, and Redis."""
    yield shared
    assert shared.redis is not None
    shared.redis.start()
    for task in unfinished(shared):
        httpx.post(f"{shared.api_url}/tasks/{task['id']}/cancel").raise_for_status()
    if not shared.workers:
        shared.start_worker()
    wait_until(lambda: not unfinished(shared), 180, "all tasks are final")
    while len(shared.workers) > 1:
        shared.stop_worker()


def unfinished(stack: Stack) -> list[dict[str, Any]]:
    statuses = "status=queued&status=running&status=retrying&limit=200"
    answer = httpx.get(f"{stack.api_url}/tasks?{statuses}").raise_for_status()
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def until_status(stack: Stack, task_id: str, status: str, timeout: float = 180) -> dict[str, Any]:
    wait_until(lambda: get(stack, task_id)["status"] == status, timeout, f"{task_id} is {status}")
    return get(stack, task_id)


def outcomes(stack: Stack, task_id: str) -> list[str]:
    answer = httpx.get(f"{stack.api_url}/tasks/{task_id}/attempts").raise_for_status()
    return [one["outcome"] for one in answer.json()["items"]]


def test_a_killed_worker_loses_nothing_and_the_task_is_charged_nothing(pair: Stack) -> None:
    task_id = submit(pair, "taskq.sleep", {"seconds": 60}, max_retries=0)
    until_status(pair, task_id, "running")
    pair.kill_worker()
    pair.start_worker()
    wait_until(lambda: get(pair, task_id)["attempt"] == 2, 180, "the task runs again")
    again = get(pair, task_id)
    assert again["status"] == "running"
    assert again["current_retry_count"] == 0
    assert outcomes(pair, task_id) == ["lost"]


def test_a_redis_that_comes_back_empty_loses_nothing(pair: Stack) -> None:
    pair.stop_worker()
    items = [{"handler": "taskq.echo", "payload": {"value": n}, "tags": ["r"]} for n in range(500)]
    url = f"{pair.api_url}/tasks/batch"
    httpx.post(url, json={"items": items}, timeout=180).raise_for_status()
    assert pair.redis is not None
    pair.redis.kill()
    assert submit(pair, "taskq.echo", {"value": "while Redis is away"}, tags=["r"])
    pair.redis.start()
    pair.start_worker()
    wait_until(lambda: not unfinished(pair), 180, "all tasks are final")
    assert statuses_of(pair, "r") == ["succeeded"] * 501


def statuses_of(stack: Stack, tag: str) -> list[str]:
    found: list[str] = []
    params: dict[str, str | int] = {"limit": 200, "tag": tag}
    while True:
        page = httpx.get(f"{stack.api_url}/tasks", params=params).raise_for_status().json()
        found += [item["status"] for item in page["items"]]
        if page["next_cursor"] is None:
            return found
        params["cursor"] = page["next_cursor"]


def test_workers_go_on_while_redis_is_away(pair: Stack) -> None:
    assert pair.redis is not None
    pair.redis.kill()
    task_id = submit(pair, "taskq.echo", {"value": 1})
    assert get(pair, task_id, wait=60)["status"] == "succeeded"


def test_a_deploy_charges_no_try(new_stack: NewStack) -> None:
    stack = new_stack("mariadb", settings={**LEASE, "TASKQ_DRAIN_SECONDS": "0.2"})
    task_id = submit(stack, "taskq.sleep", {"seconds": 60}, max_retries=0)
    until_status(stack, task_id, "running")
    assert stack.stop_worker() == 0
    released = get(stack, task_id)
    assert (released["status"], released["current_retry_count"]) == ("queued", 0)
    stack.start_worker()
    until_status(stack, task_id, "running")
    assert outcomes(stack, task_id) == ["released"]


def test_a_draining_worker_finishes_what_it_runs(pair: Stack) -> None:
    task_id = submit(pair, "taskq.sleep", {"seconds": 1.5})
    until_status(pair, task_id, "running")
    assert pair.stop_worker() == 0
    finished = get(pair, task_id)
    assert (finished["status"], finished["attempt"]) == ("succeeded", 1)


def test_a_thawed_worker_changes_nothing(pair: Stack) -> None:
    # Longer than the other one takes to start, and to see that the lease is over.
    task_id = submit(pair, "taskq.sleep", {"seconds": 20}, max_retries=0)
    first = until_status(pair, task_id, "running")
    frozen = pair.workers[0]
    frozen.signal(signal.SIGSTOP)
    pair.start_worker()
    wait_until(lambda: get(pair, task_id)["attempt"] == 2, 180, "another worker has it")
    frozen.signal(signal.SIGCONT)
    final = get(pair, task_id, wait=60)
    assert (final["status"], final["attempt"]) == ("succeeded", 2)
    assert final["worker_id"] != first["worker_id"]
    assert outcomes(pair, task_id) == ["lost", "succeeded"]


def test_a_task_that_kills_its_worker_three_times_fails_as_worker_lost(
    new_stack: NewStack,
) -> None:
    stack = new_stack("mariadb", settings={**LEASE, "TASKQ_HANDLERS": "tests.support.poison"})
    poison = submit(stack, "tests.poison", {}, max_retries=5)
    final = until_status(stack, poison, "failed", 40)
    assert outcomes(stack, poison) == ["lost", "lost", "lost"]
    assert final["errors"][-1]["type"] == "WorkerLost"
    assert final["current_retry_count"] == 0


def test_a_fleet_that_is_restarted_whole_rescues_within_two_leases(new_stack: NewStack) -> None:
    lease = 6.0
    stack = new_stack("mariadb", settings={**LEASE, "TASKQ_LEASE_SECONDS": f"{lease:g}"}, workers=2)
    task_ids = [submit(stack, "taskq.sleep", {"seconds": 300}, max_retries=0) for _ in range(4)]
    for task_id in task_ids:
        until_status(stack, task_id, "running")
    for _ in range(2):
        stack.kill_worker()
    new = [stack.start_worker() for _ in range(2)]
    wait_until(lambda: all("runs " in one.output() for one in new), 180, "they have started")
    started = time.monotonic()
    wait_until(
        lambda: all(outcomes(stack, task_id) == ["lost"] for task_id in task_ids), 180, "rescued"
    )
    took = time.monotonic() - started
    print(f"\nrescued {took:.1f} s after the new workers had started, with a lease of {lease:g} s")
    assert took <= 2 * lease + BUSY_SECONDS
