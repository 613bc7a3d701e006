"""P3, P4, P5 and P11: drain a queue, fill a queue, one task at a time, and tasks that compute."""

import time

from benchmarks.peers.base import Peer, Queue, Web
from benchmarks.scenarios.measure import Numbers, drain_rate, latencies, percentile
from benchmarks.scenarios.posting import post
from taskq_client import TaskqClient

_WARM_UP = 20
_ROUNDS = 10_000_000


def drain(peer: Peer, count: int) -> Numbers:
    """P3: queued no-op tasks, one worker."""
    assert isinstance(peer, Queue)
    peer.fill(count)
    peer.start_worker()
    return {"tasks/s": drain_rate(peer, count)}


def bulk(peer: Peer, count: int) -> Numbers:
    """P4: the bulk call, or single POSTs where there is none."""
    assert isinstance(peer, Queue)
    if isinstance(peer, Web) and peer.name == "handwritten":
        return {"tasks/s": post(peer, min(count, 2_000))["req/s"]}
    return {"tasks/s": count / peer.fill(count)}


def round_trip(peer: Peer, count: int) -> Numbers:
    """P5: submit, wait, read the result; nothing else goes on."""
    assert isinstance(peer, Queue)
    once = peer.round_trip()
    latencies(once, _WARM_UP)
    with peer.measuring(count):
        found = latencies(once, count)
    return {"p50 ms": percentile(found, 50) * 1e3, "p99 ms": percentile(found, 99) * 1e3}


def compute(peer: Peer, count: int) -> Numbers:
    """P11: tasks that keep a core busy for a while, from the first submit to the last result."""
    assert isinstance(peer, Web)
    assert isinstance(peer, Queue)
    peer.start_api()
    peer.start_worker()
    with TaskqClient(f"http://127.0.0.1:{peer.port}", timeout=60) as client:

        def all_done(rounds: int) -> float:
            start = time.perf_counter()
            handles = [client.submit("bench.compute", {"rounds": rounds}) for _ in range(count)]
            client.wait_all(handles, timeout=600)
            return time.perf_counter() - start

        all_done(1)
        return {"seconds": all_done(_ROUNDS)}
