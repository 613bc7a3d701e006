"""P14: how soon schedules fire that are all due in the same second, and what that does to submits.

Many other schedules are due another time. The load is submits that the worker runs, by a few
callers who wait for each answer.
"""

import json
import time
from datetime import UTC, datetime, timedelta

from benchmarks.load import request, send
from benchmarks.peers.base import Peer
from benchmarks.peers.taskq import Taskq
from benchmarks.scenarios.measure import Numbers, percentile
from benchmarks.scenarios.posting import submits_of_few, warm_up

_SHARE_DUE = 10
_ALONE = 2_000
_TOGETHER = 100
_SOON_SECONDS = 10.0
_FIRED = "SELECT count(*) FROM schedule_fires"
_SETTERS = 16


def schedules(peer: Peer, count: int) -> Numbers:
    """P14: the time until a tenth of `count` schedules has fired, and the p95 of submits beside."""
    assert isinstance(peer, Taskq)
    peer.start_api()
    peer.start_worker()
    warm_up(peer)
    due = count // _SHARE_DUE
    _set(peer, count - due, {"cron": "0 0 1 1 *"}, "rare")
    alone = submits_of_few(peer, _ALONE)
    at = datetime.now(UTC) + timedelta(seconds=_SOON_SECONDS)
    _set(peer, due, {"every_seconds": 86_400, "starts_at": at.isoformat()}, "due")
    while (rest := (at - datetime.now(UTC)).total_seconds()) > 0:
        time.sleep(rest)
    beside: list[float] = []
    while peer.sql.number(_FIRED) < due:
        beside += submits_of_few(peer, _TOGETHER)
    seconds = (datetime.now(UTC) - at).total_seconds()
    before, during = percentile(alone, 95) * 1e3, percentile(beside, 95) * 1e3
    return {
        "seconds": seconds,
        "alone p95 ms": before,
        "p95 ms": during,
        "beside / alone": during / before,
    }


def _set(peer: Taskq, number: int, times: dict[str, object], name: str) -> None:
    body = json.dumps({**times, "task": json.loads(peer.body(0))}).encode()
    targets = [f"/schedules/{name}-{n}" for n in range(number)]
    requests = [request("PUT", each, body, peer.headers) for each in targets]
    send(peer.port, requests, connections=_SETTERS)
