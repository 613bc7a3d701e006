"""The operations of the fake on the server itself: names, numbers, workers, the caller, health."""

from collections import Counter
from typing import Any

import httpx

from taskq_client.testing import _history, _workers
from taskq_client.testing._call import Call, answer, dumped, published, stream
from taskq_client.testing._keys import METRICS, READ
from taskq_client.testing._keys import whoami as shown_caller
from taskq_client.testing._task import wire


def tags(call: Call) -> httpx.Response:
    """`GET /tags`."""
    names = Counter(tag for fields in call.store.fields for tag in fields["tags"])
    return answer({"items": [{"name": name, "count": names[name]} for name in sorted(names)]})


def handlers(call: Call) -> httpx.Response:
    """`GET /handlers`."""
    caller = call.caller
    seen = [one for one in sorted(call.store.scripts) if caller.may(READ) or caller.may_run(one)]
    return answer({"items": [published(call.store, name) for name in seen]})


def stats(call: Call) -> httpx.Response:
    """`GET /stats`."""
    return answer(_history.stats(call.store))


def stats_history(call: Call) -> httpx.Response:
    """`GET /stats/history`."""
    return answer(_history.history(call.store, **call.query))


def stats_events(call: Call) -> httpx.Response:
    """`GET /stats/events`: the counts of now, and no more, because time does not pass meanwhile."""
    call.store.run_due()
    return stream(f"retry: 2000\nevent: stats\ndata: {dumped(_history.counts(call.store))}\n\n")


def failures(call: Call) -> httpx.Response:
    """`GET /failures`."""
    return answer(_history.failures(call.store, **call.query))


def workers(call: Call) -> httpx.Response:
    """`GET /workers`."""
    return answer(_workers.page(call.store, call.caller, call.query))


def whoami(call: Call) -> httpx.Response:
    """`GET /keys/self`."""
    return answer(shown_caller(call.caller, wire))


def livez(call: Call) -> httpx.Response:
    """`GET /livez`."""
    return answer({"status": "ok"})


def readyz(call: Call) -> httpx.Response:
    """`GET /readyz`."""
    said: dict[str, Any] = {"status": "ok", "database": "ok", "redis": "ok"}
    return answer({**said, "reasons": []} if call.caller.may(METRICS) else said)
