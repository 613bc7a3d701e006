"""P12: what many namespaces cost while nothing happens, and what a backlog of one does to others.

The backlog is that of `default`, and has its doorbells. A pick-up is the time from a task's row to
the start of its handler, as the rows say.
"""

import asyncio
import time
from typing import Any
from uuid import UUID

from benchmarks import cpu, seed, tasks
from benchmarks.peers.base import Peer
from benchmarks.peers.taskq_tenants import OneNamespace
from benchmarks.scenarios.measure import Numbers, percentile
from taskq_server.core.config import Settings
from taskq_server.domain.caller import DEFAULT_NAMESPACE, Caller
from taskq_server.domain.requests import NewTask
from taskq_server.runtime import open_runtime

_SETTLE_SECONDS = 5.0
_IDLE_SECONDS = 10.0
_REST_SECONDS = 0.03
_SAMPLES = 150
_TOGETHER = 5_000


def tenants(peer: Peer, count: int) -> Numbers:
    """P12: the cost of an idle worker, and pick-ups with and without a backlog of another one."""
    assert isinstance(peer, OneNamespace)
    peer.start_worker()
    time.sleep(_SETTLE_SECONDS)
    found = _idle(peer)
    if peer.others:
        empty = _pick_up(peer)
        _fill(peer, count)
        done, start = peer.done(), time.perf_counter()
        flooded = _pick_up(peer)
        rate = (peer.done() - done) / (time.perf_counter() - start)
        assert peer.done() < count, "the backlog lasts"
        found |= {"empty p95 ms": empty, "p95 ms": flooded, "flooded / empty": flooded / empty}
        found["tasks/s"] = rate
    return found


def _idle(peer: OneNamespace) -> Numbers:
    before, start = _used(peer), time.perf_counter()
    time.sleep(_IDLE_SECONDS)
    after, seconds = _used(peer), time.perf_counter() - start
    names = ("idle ms/s", "statements/s", "commands/s")
    return {name: (after[at] - before[at]) / seconds for at, name in enumerate(names)}


def _used(peer: OneNamespace) -> tuple[float, float, float]:
    """CPU of the worker in milliseconds, and what the servers were asked for."""
    (row,) = peer.sql.run("SHOW GLOBAL STATUS LIKE 'Com_select'")
    with peer.servers.valkey.client() as client:
        info: Any = client.info("stats")
    commands = info["total_commands_processed"]
    return cpu.used(peer.children[-1].pid) * 1_000, float(row[1]), float(commands)


def _pick_up(peer: OneNamespace) -> float:
    first = peer.sql.number("SELECT COUNT(*) FROM tasks WHERE namespace LIKE 'tenant-%'")
    asyncio.run(_submit(peer))
    query = (
        "SELECT TIMESTAMPDIFF(MICROSECOND, created_at, started_at) / 1000 FROM tasks"
        " WHERE namespace LIKE 'tenant-%' AND started_at IS NOT NULL ORDER BY created_at"
    )
    expected = first + _SAMPLES
    peer.wait(lambda: len(peer.sql.run(query)) == expected, 120, "all have started")
    return percentile([float(row[0]) for row in peer.sql.run(query)[first:]], 95)


async def _submit(peer: OneNamespace) -> None:
    environment = peer.environment
    settings = Settings.load(
        database_url=environment["TASKQ_DATABASE_URL"], redis_url=environment["TASKQ_REDIS_URL"]
    )
    async with open_runtime(settings) as runtime:
        for number in range(_SAMPLES):
            caller = Caller(f"tenant-{1 + number % peer.others}")
            await runtime.submit.one(caller, NewTask(tasks.HANDLER, tasks.new_task(1)["payload"]))
            await asyncio.sleep(_REST_SECONDS)


def _fill(peer: OneNamespace, count: int) -> None:
    """Make the backlog, and ring for it."""
    seed.seed_tasks(peer.sql, count, queued=True)
    deployment = str(peer.sql.run("SELECT id FROM deployment")[0][0])
    key = f"{{taskq:{deployment}}}:{DEFAULT_NAMESPACE}:queue:default"
    with peer.servers.valkey.client() as client:
        for start in range(1, count + 1, _TOGETHER):
            numbers = range(start, min(start + _TOGETHER, count + 1))
            client.zadd(key, {f"{UUID(seed.id_of(n))}:1": seed.score_of(n) for n in numbers})
