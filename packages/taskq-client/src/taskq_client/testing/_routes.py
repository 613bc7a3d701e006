"""The paths of the fake: from a request to a change of its world, and to an answer."""

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

import httpx

from taskq_client.models import TaskStatus
from taskq_client.testing import _schemas
from taskq_client.testing._life import FINAL, WAITING, Life
from taskq_client.testing._problems import Problem, conflict
from taskq_client.testing._world import World

SKIPPED_IN_LISTS = frozenset({"payload", "result", "errors"})
LONGEST_SKIP = 20.0

_ONE = re.compile(r"/tasks/([0-9a-f-]{36})(?:/(cancel|retry|attempts|events))?")


def answer(world: World, request: httpx.Request) -> httpx.Response:
    """Serve one request."""
    path = request.url.path
    if found := _ONE.fullmatch(path):
        if found[2] == "events":
            return _events(world, world.life(found[1]), request)
        world.settle()
        return _one(world, request, world.life(found[1]), found[2])
    world.settle()
    route = _ROUTES.get((request.method, path))
    if route is None:
        raise Problem(404, "not-found", "nothing is served under this path")
    return route(world, request)


def _submit(world: World, request: httpx.Request) -> httpx.Response:
    new = _schemas.read(_schemas.NewTask, request.content)
    (life,), replayed = world.submit([new], _key(request), request.content, "")
    return _json(life.fields, 200 if replayed else 201)


def _submit_many(world: World, request: httpx.Request) -> httpx.Response:
    items = _schemas.read(_schemas.Batch, request.content).items
    lives, replayed = world.submit(items, _key(request), request.content, "/items/{}")
    minimal = request.headers.get("prefer") == "return=minimal"
    stored = [{"id": life.fields["id"]} if minimal else life.fields for life in lives]
    return _json({"items": stored}, 200 if replayed else 201)


def _wait(world: World, request: httpx.Request) -> httpx.Response:
    wanted = _schemas.read(_schemas.Wanted, request.content)
    lives = [world.life(task_id) for task_id in dict.fromkeys(wanted.ids)]
    world.skip(lives, wanted.timeout_seconds)
    return _json({"items": [life.fields for life in lives if life.status in FINAL]})


def _tags(world: World, request: httpx.Request) -> httpx.Response:
    names = Counter(tag for life in world.lives.values() for tag in life.fields["tags"])
    return _json({"items": [{"name": name, "count": names[name]} for name in sorted(names)]})


def _handlers(world: World, request: httpx.Request) -> httpx.Response:
    shared = {"description": None, "schema": {"type": "object"}, "max_retries": 3}
    items = [
        {"name": name, **shared, "timeout_seconds": 300.0, "workers": 1}
        for name in sorted(world.scripts)
    ]
    return _json({"items": items})


def _stats(world: World, request: httpx.Request) -> httpx.Response:
    queues = sorted({life.fields["queue"] for life in world.lives.values()})
    items = []
    for name in queues:
        tasks = _statuses(life for life in world.lives.values() if life.fields["queue"] == name)
        depth = sum(tasks[status] for status in WAITING)
        # What is due runs at once: nothing has waited.
        items.append({"name": name, "tasks": tasks, "depth": depth, "oldest_age_seconds": None})
    return _json({"tasks": _statuses(world.lives.values()), "queues": items, "workers": 1})


def _statuses(lives: Iterable[Life]) -> dict[str, int]:
    found = Counter(life.status for life in lives)
    return {status: found[status] for status in TaskStatus}


def _ready(world: World, request: httpx.Request) -> httpx.Response:
    return _json({"status": "ok", "database": "ok", "redis": "ok"})


def _one(world: World, request: httpx.Request, life: Life, action: str | None) -> httpx.Response:
    match request.method, action:
        case "GET", None:
            world.skip([life], float(request.url.params.get("wait", 0)))
        case "GET", "attempts":
            return _json({"items": life.attempts})
        case "PATCH", None:
            if request.headers.get("if-match", (now := f'"{life.fields["version"]}"')) != now:
                raise Problem(412, "version-mismatch", f"the task is at version {now}")
            life.update(_schemas.read(_schemas.Changes, request.content), world.now)
        case "DELETE", None:
            if life.status == "running":
                raise conflict("the task is running: cancel it first")
            del world.lives[life.fields["id"]]
            return httpx.Response(204)
        case "POST", "cancel":
            life.cancel(world.now)
        case "POST", "retry":
            life.retry(world.now)
        case _:
            raise Problem(405, "method-not-allowed")
    return _json(life.fields)


def _events(world: World, life: Life, request: httpx.Request) -> httpx.Response:
    given = request.headers.get("last-event-id", "")
    seen = int(given) if given.isdigit() else life.fields["version"] - 1
    limit = float(request.url.params.get("timeout_seconds", math.inf))
    world.skip([life], min(limit, LONGEST_SKIP))
    if life.status in FINAL and seen == life.fields["version"]:
        return httpx.Response(204)
    states = [state for state in life.states if state["version"] > seen]
    text = "".join(f"id: {state['version']}\ndata: {json.dumps(state)}\n\n" for state in states)
    media_type = {"content-type": "text/event-stream"}
    return httpx.Response(200, headers=media_type, content=f": the states of a task\n\n{text}")


def _listed(world: World, request: httpx.Request) -> httpx.Response:
    params = request.url.params
    _schemas.check_filters(params)
    lives = [life.fields for life in world.lives.values() if _passes(life.fields, params)]
    if params.get("order", "-created_at") == "-created_at":
        lives.reverse()
    start, limit = int(params.get("cursor", 0)), int(params.get("limit", 50))
    end = start + limit
    items = [
        {name: value for name, value in fields.items() if name not in SKIPPED_IN_LISTS}
        for fields in lives[start:end]
    ]
    return _json({"items": items, "next_cursor": str(end) if end < len(lives) else None})


def _passes(fields: dict[str, Any], params: httpx.QueryParams) -> bool:
    any_of = all(
        fields[name] in params.get_list(name) for name in ("status", "priority") if name in params
    )
    equal = all(fields[name] == params[name] for name in ("handler", "queue") if name in params)
    created = datetime.fromisoformat(fields["created_at"])
    return (
        any_of
        and equal
        and set(params.get_list("tag")) <= set(fields["tags"])
        and fields["title"].startswith(params.get("q", ""))
        and ("created_after" not in params or created > _moment(params["created_after"]))
        and ("created_before" not in params or created < _moment(params["created_before"]))
    )


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _key(request: httpx.Request) -> str | None:
    key: str | None = request.headers.get("idempotency-key")
    return key


def _json(value: Any, status: int = 200) -> httpx.Response:
    return httpx.Response(status, json=value)


_ROUTES: Mapping[tuple[str, str], Callable[[World, httpx.Request], httpx.Response]] = {
    ("POST", "/tasks"): _submit,
    ("POST", "/tasks/batch"): _submit_many,
    ("POST", "/tasks/wait"): _wait,
    ("GET", "/tasks"): _listed,
    ("GET", "/tags"): _tags,
    ("GET", "/handlers"): _handlers,
    ("GET", "/stats"): _stats,
    ("GET", "/readyz"): _ready,
}
