"""P6 to P9: memory and idle cost, long lists, deep queues, many processes."""

import time
from pathlib import Path
from threading import Thread
from urllib.parse import urlencode
from uuid import UUID

from benchmarks import cpu, seed, tasks
from benchmarks.load import Load, request, send
from benchmarks.peers.base import Peer
from benchmarks.peers.taskq import Taskq
from benchmarks.peers.taskq_sized import Few, OneEach
from benchmarks.scenarios.measure import Numbers, drain_rate, percentile
from benchmarks.scenarios.posting import CONNECTIONS, WARM_UP, warm_up
from taskq_client import TaskqClient
from taskq_server.schemas.query import TaskQuery
from taskq_server.services import cursor

_IDLE_SECONDS = 20.0
_QUERIES: tuple[dict[str, str], ...] = (
    {},
    {"status": "failed"},
    {"priority": "high"},
    {"tag": "tag-7"},
    {"handler": "bench.noop"},
    {"queue": "default"},
    {"q": "task 1"},
    {"status": "failed", "tag": "tag-7"},
    {"status": "failed", "priority": "high", "tag": "tag-7"},
)
_NOTHING = {"status": "retrying", "priority": "high", "tag": "tag-7"}


def idle(peer: Peer, count: int) -> Numbers:
    """P6: what API and worker cost while nothing happens, before and after many tasks."""
    assert isinstance(peer, Taskq)
    peer.start_api()
    peer.start_worker()
    time.sleep(5)
    before = _cpu(peer)
    time.sleep(_IDLE_SECONDS)
    spent = (_cpu(peer) - before) / _IDLE_SECONDS * 100
    first = _work(peer, count // 10, count // 10)
    last = _work(peer, count - count // 10, count)
    return {"idle % of a core": spent, "PSS MB": last, "growth MB": last - first}


def _work(peer: Taskq, count: int, until: int) -> float:
    with TaskqClient(f"http://127.0.0.1:{peer.port}", timeout=60) as client:
        client.submit_many(tasks.new_task(n) for n in range(count))
    peer.wait(lambda: peer.done() >= until, 600, "all done")
    time.sleep(2)
    return sum(
        _pss(pid) for child in peer.children if child.running for pid in cpu.family(child.pid)
    )


def listing(peer: Peer, count: int) -> Numbers:
    """P7: the first page and page 1,000 of every filter; the worst 95th percentile of them."""
    assert isinstance(peer, Few)
    peer.seed_list()
    peer.start_api()
    targets = [_target(query, page, peer.rows) for query in _QUERIES for page in (1, 1_000)]
    slow = [percentile(_get(peer.port, target, count).latencies, 95) for target in targets]
    nothing = _get(peer.port, f"/tasks?{urlencode(_NOTHING)}", count)
    return {
        "p95 ms": max(slow) * 1e3,
        "median p95 ms": percentile(slow, 50) * 1e3,
        "nothing matches ms": percentile(nothing.latencies, 95) * 1e3,
    }


def _target(query: dict[str, str], page: int, rows: int) -> str:
    """The address of a page: a cursor says after which task it begins."""
    if page > 1:
        after = UUID(hex=seed.id_of(max(1, rows - page * 50)))
        wanted = TaskQuery.model_validate(
            {key: [value] if key in ("status", "priority", "tag") else value
             for key, value in query.items()}
        ).as_filter()  # fmt: skip
        query = {**query, "cursor": cursor.write(after, wanted)}
    return f"/tasks?{urlencode(query)}" if query else "/tasks"


def _get(port: int, target: str, count: int) -> Load:
    wanted = request("GET", target)
    send(port, [wanted] * 5, connections=1)
    return send(port, [wanted] * count, connections=1)


def deep(peer: Peer, count: int) -> Numbers:
    """P8: the same number of tasks from a short and from a long queue."""
    assert isinstance(peer, Few)
    peer.seed_queue()
    peer.start_worker()
    return {"tasks/s": drain_rate(peer, min(count, peer.rows))}


def processes(peer: Peer, count: int) -> Numbers:
    """P9: from the first POST to the last succeeded, over all API processes."""
    assert isinstance(peer, OneEach)
    ports = peer.start_all()
    warm_up(peer)
    share = [request("POST", peer.target, peer.body(n)) for n in range(count // len(ports))]
    total = len(share) * len(ports)
    conflicts, start = peer.conflicts(), time.perf_counter()
    connections = CONNECTIONS // len(ports)
    senders = [
        Thread(target=send, args=(port, share), kwargs={"connections": connections})
        for port in ports
    ]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    peer.wait(lambda: peer.done() == WARM_UP + total, 600, "all succeeded")
    seconds = time.perf_counter() - start
    return {
        "tasks/s": total / seconds,
        "conflicts %": (peer.conflicts() - conflicts) / total * 100,
    }


def _cpu(peer: Peer) -> float:
    return sum(cpu.used(child.pid) for child in peer.children if child.running)


def _pss(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1_024
