"""Doorbells that come too often, get lost, or were never rung."""

import random
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import cast
from uuid import UUID

import pytest
from arq.constants import job_key_prefix
from arq.jobs import serialize_job
from redis import Redis

from taskq_server.broker.connection import encode
from tests.faults.evidence import Submit
from tests.faults.ledger import Ledger
from tests.support.calls import percentile, repeats
from tests.support.ports import free_port

DELIVERIES = 5
DROPPED = 0.2
STAGE_SECONDS = 3.0
"""A row is left alone for 2 s, and the janitor sweeps once a second."""

SLACK_SECONDS = 5.0


@pytest.mark.timeout(180)
def test_every_doorbell_delivered_five_times(ledger: Ledger) -> None:
    accepted: SimpleQueue[Submit] = SimpleQueue()
    ledger.begin(on_accepted=accepted.put)
    assert ledger.stack.redis is not None
    with ledger.stack.redis.client() as client, ledger.load(rate=40):
        rung = 0
        while rung < repeats(200, 2_000):
            task = accepted.get(timeout=30)
            for attempt in (1, 2):
                deliver(ledger, client, task.task_id, attempt)
            rung += 1
    with ledger.stack.redis.client() as client:
        _deliver_rest(ledger, client, accepted)
    evidence = ledger.settle("doorbells delivered 5 times", rung_from_outside=rung * 2 * DELIVERIES)
    assert evidence.extra_runs() == 0
    assert not evidence.outcomes().keys() & {"lost", "released"}


@pytest.mark.timeout(180)
def test_a_fifth_of_the_doorbells_dropped(ledger: Ledger) -> None:
    """Tasks that wait for their time have bells in Redis that can be taken away."""
    assert ledger.stack.redis is not None
    with ledger.load(mix={"later": 70, "faults.noop": 20, "faults.once": 10}, rate=50):
        dropped = _drop(ledger, until=repeats(300, 3_000))
    evidence = ledger.settle("20 % of doorbells dropped", dropped=dropped)
    late = _lateness(ledger)
    print(f"dropped doorbells: late by p50 {percentile(late, 50):.2f} s, most {max(late):.2f} s")
    assert dropped > 10
    assert evidence.extra_runs() == 0
    assert max(late) < STAGE_SECONDS + SLACK_SECONDS + 10


@pytest.mark.timeout(120)
def test_api_killed_after_the_commit_and_before_the_doorbell(ledger: Ledger) -> None:
    """This API reaches a Redis that takes connections and answers nothing, so no bell is rung."""
    waited: list[float] = []
    for _ in range(repeats(3, 10)):
        with black_hole() as redis_url:
            port = free_port()
            api = ledger.stack.start_api({"TASKQ_REDIS_URL": redis_url}, port=port)
            ledger.stack.apis.remove(api)
            mute = ledger.callers.new("faults.noop")
            assert ledger.callers.send_once(api.url, mute, ledger.callers.body(mute))
            api.kill()
        assert mute.answers == [201]
        waited.append(ledger.until_started(mute).at - mute.answered_at)
    evidence = ledger.settle(
        "API killed before the doorbell", kills=len(waited), slowest=f"{max(waited):.1f} s"
    )
    assert evidence.extra_runs() == 0
    assert max(waited) < STAGE_SECONDS + SLACK_SECONDS


def deliver(ledger: Ledger, client: "Redis", task_id: str, attempt: int) -> None:
    """Ring several times at once for one attempt, each with a job of its own."""
    now = int(time.time() * 1000)
    arguments = (str(UUID(task_id)), attempt)
    job = serialize_job("execute_task", arguments, {}, None, now, serializer=encode)
    pipe = client.pipeline(transaction=False)
    for _ in range(DELIVERIES):
        job_id = secrets.token_hex(16)
        pipe.set(job_key_prefix + job_id, job, px=60_000)
        pipe.zadd(ledger.queue, {job_id: now})
        pipe.publish(ledger.stack.names.ring("default", "default"), "default")
    pipe.execute()


@contextmanager
def black_hole() -> Iterator[str]:
    """The URL of a Redis that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"


def _deliver_rest(ledger: Ledger, client: "Redis", accepted: "SimpleQueue[Submit]") -> None:
    while True:
        try:
            deliver(ledger, client, accepted.get_nowait().task_id, 1)
        except Empty:
            return


def _drop(ledger: Ledger, until: int) -> int:
    """Take a fifth of all bells that are seen out of Redis, until so many tasks are accepted."""
    assert ledger.stack.redis is not None
    chance, seen, dropped = random.Random(1), set[str](), 0
    pause = threading.Event()
    with ledger.stack.redis.client() as client:
        while sum(one.accepted for one in ledger.callers.submits) < until:
            bells = set(cast(list[str], client.zrange(ledger.queue, 0, -1))) - seen
            seen |= bells
            for bell in sorted(bells):
                if chance.random() < DROPPED:
                    dropped += int(str(client.zrem(ledger.queue, bell)))
            pause.wait(0.01)
    return dropped


def _lateness(ledger: Ledger) -> list[float]:
    starts = {line.task_id: line.at for line in ledger.lines() if line.event == "start"}
    return [
        starts[one.task_id] - (one.run_at or one.answered_at)
        for one in ledger.callers.submits
        if one.task_id in starts
    ]
