"""P13: how long a bulk operation takes beside a load, and what that does to the load.

The tasks that it retries are those of a handler that no worker has, so that they only wait. The
load is submits that the worker runs, by a few callers who wait for each answer.
"""

import time

import httpx

from benchmarks import seed
from benchmarks.peers.base import Peer
from benchmarks.peers.taskq import Taskq
from benchmarks.scenarios.measure import Numbers, percentile
from benchmarks.scenarios.posting import submits_of_few, warm_up

_TOGETHER = 200
_ALONE = 2_000
_HANDLER = "nobody.has.this"
_BODY = {"action": "retry", "filter": {"status": "failed", "handler": _HANDLER}}


def operations(peer: Peer, count: int) -> Numbers:
    """P13: the p95 of submits without and with a bulk retry of `count` tasks, and its time."""
    assert isinstance(peer, Taskq)
    peer.start_api()
    peer.start_worker()
    warm_up(peer)
    seed.seed_tasks(peer.sql, count)
    peer.sql.run(
        f"UPDATE tasks SET status = 'failed', score = NULL, handler = '{_HANDLER}',"
        f" finished_at = created_at WHERE handler = 'bench.noop' AND title LIKE 'task %'"
    )
    alone = submits_of_few(peer, _ALONE)
    beside: list[float] = []
    with httpx.Client(base_url=f"http://127.0.0.1:{peer.port}", trust_env=False) as client:
        start = time.perf_counter()
        operation = client.post("/tasks/bulk", json=_BODY).raise_for_status().json()
        while operation["state"] == "running":
            beside += submits_of_few(peer, _TOGETHER)
            operation = client.get(f"/bulk/{operation['id']}").raise_for_status().json()
        seconds = time.perf_counter() - start
    assert operation["done"] == count, operation
    before, during = percentile(alone, 95) * 1e3, percentile(beside, 95) * 1e3
    return {
        "tasks/s": count / seconds,
        "alone p95 ms": before,
        "p95 ms": during,
        "beside / alone": during / before,
        "req/s": len(beside) / seconds,
    }
