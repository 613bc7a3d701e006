"""P1, P2 and P10: single POSTs over HTTP, alone and with a worker."""

import time

from benchmarks.load import Load, request, send
from benchmarks.peers.base import Peer, Queue, Web
from benchmarks.scenarios.measure import Numbers, percentile

CONNECTIONS = 32
WARM_UP = 300
FEW = 4


def post(peer: Peer, count: int) -> Numbers:
    """P1: nothing else runs but the API."""
    assert isinstance(peer, Web)
    peer.start_api()
    _post(peer, WARM_UP)
    with peer.measuring(count):
        load = _post(peer, count)
    return _numbers(load)


def pipeline(peer: Peer, count: int) -> Numbers:
    """P2: from the first POST until the last task has succeeded."""
    assert isinstance(peer, Web)
    assert isinstance(peer, Queue)
    peer.start_api()
    peer.start_worker()
    warm_up(peer)
    with peer.measuring(count):
        start = time.perf_counter()
        load = _post(peer, count)
        peer.wait(lambda: peer.done() == WARM_UP + count, 600, "all succeeded")
        seconds = time.perf_counter() - start
    return {**_numbers(load), "tasks/s": count / seconds}


def warm_up(peer: Web) -> None:
    """Let API and worker handle some tasks that do not count."""
    assert isinstance(peer, Queue)
    queue = peer
    _post(peer, WARM_UP)
    peer.wait(lambda: queue.done() == WARM_UP, 60, "warm")


def submits_of_few(peer: Web, number: int) -> list[float]:
    """Return the seconds that submits take of a few callers who wait for each answer."""
    requests = [request("POST", peer.target, peer.body(n), peer.headers) for n in range(number)]
    return send(peer.port, requests, connections=FEW).latencies


def _post(peer: Web, count: int) -> Load:
    requests = [request("POST", peer.target, peer.body(n), peer.headers) for n in range(count)]
    return send(peer.port, requests, connections=CONNECTIONS)


def _numbers(load: Load) -> Numbers:
    return {
        "req/s": load.rate,
        "p50 ms": percentile(load.latencies, 50) * 1e3,
        "p99 ms": percentile(load.latencies, 99) * 1e3,
    }
