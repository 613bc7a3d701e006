"""The queues of the fake: how they stand, and which are paused."""

from collections.abc import Mapping
from typing import Any

import httpx

from taskq_client.testing import _history
from taskq_client.testing._call import Call, answer
from taskq_client.testing._store import FakeStore
from taskq_client.testing._workers import QUEUE


def queues(call: Call) -> httpx.Response:
    """`GET /queues`."""
    return answer({"items": _all(call.store)})


def pause(call: Call) -> httpx.Response:
    """`POST /queues/{name}/pause`."""
    name, store, note = call.task_id, call.store, call.body.get("note")
    with store.lock:
        store.pause(name, note)
    return answer(_one(store, name))


def resume(call: Call) -> httpx.Response:
    """`POST /queues/{name}/resume`."""
    name = call.task_id
    with call.store.lock:
        call.store.resume(name)
    return answer(_one(call.store, name))


def _all(store: FakeStore) -> list[dict[str, Any]]:
    counted = {each["name"]: each for each in _history.stats(store)["queues"]}
    names = sorted({*counted, QUEUE, *store.queues})
    return [_state(store, name, counted.get(name, {})) for name in names]


def _one(store: FakeStore, name: str) -> dict[str, Any]:
    return next((one for one in _all(store) if one["name"] == name), _state(store, name, {}))


def _state(store: FakeStore, name: str, counted: Mapping[str, Any]) -> dict[str, Any]:
    row = store.queues.get(name, {"paused_at": None, "note": None})
    return {
        "name": name,
        "paused": row["paused_at"] is not None,
        **row,
        "depth": counted.get("depth", 0),
        "running": counted["tasks"]["running"] if counted else 0,
        "oldest_age_seconds": counted.get("oldest_age_seconds"),
        "throughput_per_minute": counted.get("throughput_per_minute", 0.0),
        "workers": int(name == QUEUE),
    }
