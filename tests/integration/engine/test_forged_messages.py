"""Whoever can write to Redis can be a nuisance, and nothing else."""

import json
import time
from collections.abc import Iterator
from hashlib import sha256
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest
import redis

from tests.integration.engine.calls import get, submit
from tests.integration.engine.test_redis_neighbours import start
from tests.support.stack import NewStack, Stack
from tests.support.valkey import ValkeyServer
from tests.support.waiting import wait_until

KINDS = pytest.mark.parametrize("kind", ["sqlite", "mariadb"])


@pytest.fixture
def shared() -> Iterator[ValkeyServer]:
    """A Valkey that others reach."""
    with ValkeyServer() as server:
        yield server


def run_until_it_is_cancelled(stack: Stack) -> list[str]:
    ids = [submit(stack, "taskq.sleep", {"seconds": 60}) for _ in range(3)]
    ids.append(submit(stack, "tests.thread", {"seconds": 60}))
    wait_until(lambda: all(get(stack, one)["status"] == "running" for one in ids), 180, "they run")
    return ids


@KINDS
def test_a_forged_cancel_cancels_nothing_and_a_real_one_still_does(
    new_stack: NewStack, kind: Any, shared: ValkeyServer
) -> None:
    """Heartbeats are rare here: what is cancelled in time was cancelled by its message."""
    slow = {"TASKQ_BEAT_SECONDS": "20", "TASKQ_LEASE_SECONDS": "60"}
    stack = start(new_stack, kind, shared.url, **slow)
    ids = run_until_it_is_cancelled(stack)
    channel = stack.names.cancel("default")
    with redis.Redis.from_url(shared.url) as raw:
        for _ in range(300):
            assert raw.publish(channel, json.dumps([UUID(one).hex for one in ids])) == 1
            raw.publish(channel, json.dumps(ids))
            raw.publish(channel, b"\xff[")
        echo = submit(stack, "taskq.echo", {"value": 1})
        assert get(stack, echo, wait=60)["status"] == "succeeded"
        assert [get(stack, one)["status"] for one in ids] == ["running"] * 4
        for one in ids:
            asked = time.monotonic()
            httpx.post(f"{stack.api_url}/tasks/{one}/cancel", timeout=180).raise_for_status()
            found = get(stack, one, wait=60)
            assert found["status"] == "cancelled"
            assert found["cancel_requested_at"] is not None
            assert time.monotonic() - asked < 15


@KINDS
def test_garbage_bells_and_messages_cost_one_line_and_hold_nobody_up(
    new_stack: NewStack, kind: Any, shared: ValkeyServer
) -> None:
    stack = start(new_stack, kind, shared.url)
    queue = stack.names.queue("default", "default")
    named = stack.names
    channels = [named.cancel("default"), named.changed("default"), named.ring("default", "default")]
    with redis.Redis.from_url(shared.url) as raw:
        for part in range(20):
            raw.zadd(queue, {f"\x1b[2J\nFAKE {part} {n}": 0 for n in range(200)})
            raw.zadd(queue, {b"y" * 3_000_000: 0, f"{UUID(int=part)}:0": 0})
            for channel in channels:
                raw.publish(channel, b"garbage\n" * 1_000)
            echo = submit(stack, "taskq.echo", {"value": part})
            assert get(stack, echo, wait=60)["status"] == "succeeded"
        wait_until(lambda: not raw.exists(queue), 180, "all bells are popped")
    for process, text in stack.logs():
        assert text.count("unreadable messages") <= 1, process
        assert "\x1b" not in text
    assert "unreadable messages" in str(stack.logs())


@KINDS
def test_nobody_can_take_the_key_of_a_child(new_stack: NewStack, kind: Any) -> None:
    stack = new_stack(kind)
    parent = submit(stack, "tests.parent", {"children": 2}, delay_seconds=1)
    child = {"handler": "taskq.echo", "payload": {"value": 0}}
    digest = sha256(orjson.dumps(child, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]
    taken = f"child:{parent}:{digest}:1"
    for key in (taken, "0" + taken, "\\0" + taken, "%00" + taken):
        body = {"handler": "taskq.echo", "payload": {"value": key}}
        headers = {"Idempotency-Key": key}
        answer = httpx.post(f"{stack.api_url}/tasks", json=body, headers=headers, timeout=180)
        assert answer.status_code == 201
    found = get(stack, parent, wait=60)
    assert found["status"] == "succeeded", found["errors"]
    values = [get(stack, one)["payload"]["value"] for one in found["result"]]
    assert values == [0, 1]
