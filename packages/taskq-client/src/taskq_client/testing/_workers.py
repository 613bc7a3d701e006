"""The one worker of the fake."""

from collections.abc import Iterable, Mapping
from typing import Any

from taskq_client._version import __version__
from taskq_client.testing._keys import NAMESPACE, READ, Caller
from taskq_client.testing._problems import Problem
from taskq_client.testing._store import FakeStore
from taskq_client.testing._task import WAITING, WORKER_ID, WORKER_NAME, FakeTask, wire

CONCURRENCY, MOST_TASKS = 100, 100
QUEUE = "default"
"""The one that it says it listens to, as a worker does that nobody has told otherwise."""


def page(store: FakeStore, caller: Caller, query: Mapping[str, Any]) -> dict[str, Any]:
    """Return the page of `GET /workers`: it is the only one, so that no cursor leads to it."""
    if query["cursor"] is not None:
        raise Problem("invalid-cursor", "the cursor cannot be read")
    with store.lock:
        tasks = [each for each in store.tasks.values() if each.status == "running"]
        running = [_running(each) for each in tasks if caller.sees(each.submitted_by)]
    running.sort(key=lambda one: (one["started_at"], one["id"]))
    handlers = sorted(store.scripts)
    worker = {
        "id": WORKER_ID,
        "name": WORKER_NAME,
        "namespaces": [NAMESPACE],
        "queues": [QUEUE],
        "handlers": [one for one in handlers if caller.may(READ) or caller.may_run(one)],
        "concurrency": CONCURRENCY,
        "running": running[:MOST_TASKS],
        "running_count": len(running),
        "quarantine_in_use": 0,
        "started_at": wire(store.born),
        "heartbeat_at": wire(store.now),
        "version": __version__,
    }
    return {"items": [worker], "next_cursor": None}


def listeners(submitted: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the header of a submit if a task waits in another queue than the worker's."""
    heard = all(task["queue"] == QUEUE for task in submitted if task["status"] in WAITING)
    return {} if heard else {"queue-listeners": "0"}


def _running(task: FakeTask) -> dict[str, Any]:
    fields = {name: task.fields[name] for name in ("id", "handler", "attempt", "started_at")}
    return {**fields, "namespace": NAMESPACE, "quarantined": False}
