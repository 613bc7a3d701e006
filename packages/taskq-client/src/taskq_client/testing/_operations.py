"""The operations of the fake: from a request that is in order to an answer."""

import json
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx

from taskq_client._channels import WAIT_BUDGET
from taskq_client.models import TaskStatus
from taskq_client.testing import _catalog, _listing
from taskq_client.testing._headers import entity_tag, entity_tags, preferences
from taskq_client.testing._json import canonical
from taskq_client.testing._problems import Problem
from taskq_client.testing._rules import OPERATIONS as RULES
from taskq_client.testing._store import World
from taskq_client.testing._task import FINAL, WAITING, wire
from taskq_client.testing._waiting import wait

LONGEST: float = RULES["events"]["query"]["timeout_seconds"]["maximum"]

Answering = Generator[float, None, httpx.Response]


@dataclass(frozen=True)
class Call:
    """A request that was found to be in order.

    Attributes:
        world: What it is about.
        request: As it came.
        task_id: Of its path.
        given: Its query as it came.
        query: Its parameters.
        document: The body as it was parsed.
        body: The body, with all that it does not say.
    """

    world: World
    request: httpx.Request
    task_id: str
    given: Sequence[tuple[str, str]]
    query: Mapping[str, Any]
    document: Any
    body: dict[str, Any]

    def wait(self, task_ids: Iterable[str], seconds: float) -> Generator[float, None, None]:
        """Let time pass until one of these tasks is final."""
        budget = self.request.extensions.get(WAIT_BUDGET, seconds)
        if seconds:
            yield from wait(self.world, list(task_ids), seconds, max(seconds, budget))


def submit(call: Call) -> Answering:
    """`POST /tasks`."""
    world, preference = call.world, preferences(call.request)
    now = world.now
    with world.lock:
        item = _new(world, call.body, now)
        (life,), replayed = world.submit([item], _key(call), canonical(call.document), now)
        fields = life.fields
    headers = {"location": f"/tasks/{fields['id']}"}
    if preference.wait is not None:
        headers["preference-applied"] = f"wait={preference.wait}"
        yield from call.wait([fields["id"]], preference.wait)
        fields = life.fields
    if replayed:
        headers["idempotency-replayed"] = "true"
    return _task(fields, 200 if replayed else 201, headers)


def submit_many(call: Call) -> httpx.Response:
    """`POST /tasks/batch`."""
    world, items, errors = call.world, [], []
    first: Problem | None = None
    now = world.now
    with world.lock:
        for position, body in enumerate(call.body["items"]):
            try:
                items.append(_new(world, body, now))
            except Problem as problem:
                first = first or problem
                errors += [
                    {**one, "pointer": f"/items/{position}{one['pointer']}"}
                    for one in problem.errors
                ]
        if first:
            detail = "items of the batch cannot be taken; nothing was stored"
            raise Problem(first.code, detail, errors)
        lives, replayed = world.submit(items, _key(call), canonical(call.document), now)
        stored: list[dict[str, Any]] = [life.fields for life in lives]
    headers = {"idempotency-replayed": "true"} if replayed else {}
    if preferences(call.request).minimal:
        headers["preference-applied"] = "return=minimal"
        stored = [{"id": fields["id"]} for fields in stored]
    return _json({"items": stored}, 200 if replayed else 201, headers)


def wait_for_any(call: Call) -> Answering:
    """`POST /tasks/wait`."""
    wanted = list(dict.fromkeys(map(str, call.body["ids"])))
    for task_id in wanted:
        call.world.life(task_id)
    yield from call.wait(wanted, call.body["timeout_seconds"])
    fields = [call.world.life(task_id).fields for task_id in wanted]
    return _json({"items": [one for one in fields if one["status"] in FINAL]})


def list_tasks(call: Call) -> httpx.Response:
    """`GET /tasks`."""
    page = _listing.page(call.world.tasks, call.query)
    headers = {}
    if page["next_cursor"] is not None:
        headers["link"] = _listing.link(call.given, page["next_cursor"])
    return _json(page, headers=headers)


def get(call: Call) -> Answering:
    """`GET /tasks/{id}`."""
    seen = entity_tags(call.request, "If-None-Match")
    seconds, headers = call.query["wait"], {}
    if seconds is None and (seconds := preferences(call.request).wait) is not None:
        headers["preference-applied"] = f"wait={seconds}"
    life = call.world.life(call.task_id)
    if seconds:
        yield from call.wait([call.task_id], seconds)
        life = call.world.life(call.task_id)
    version = life.fields["version"]
    if seen is not None and seen.match(version, weakly=True):
        return httpx.Response(304, headers={**entity_tag(version), **headers})
    return _task(life.fields, headers=headers)


def update(call: Call) -> httpx.Response:
    """`PATCH /tasks/{id}`."""
    life = call.world.life(call.task_id)
    expected, version = entity_tags(call.request, "If-Match"), life.fields["version"]
    if expected is not None and not expected.match(version, weakly=False):
        raise Problem("version-mismatch", f"the task is at version {version}")
    defaults: dict[str, Any] = {
        "title": life.fields["handler"],
        "tags": [],
        "priority": "normal",
        "max_retries": _catalog.MAX_RETRIES,
        "timeout_seconds": _catalog.published(life.fields["handler"])["timeout_seconds"],
    }
    given: dict[str, Any] = {
        name: defaults.get(name) if value is None else value for name, value in call.body.items()
    }
    if "tags" in given:
        given["tags"] = sorted(set(given["tags"]))
    if given.get("run_at") is not None:
        given["run_at"] = wire(given["run_at"])
    now = call.world.now
    with call.world.lock:
        life.update(given, now)
    return _task(life.fields)


def delete(call: Call) -> httpx.Response:
    """`DELETE /tasks/{id}`."""
    with call.world.lock:
        call.world.delete(call.world.life(call.task_id))
    return httpx.Response(204)


def cancel(call: Call) -> httpx.Response:
    """`POST /tasks/{id}/cancel`."""
    life, now = call.world.life(call.task_id), call.world.now
    with call.world.lock:
        life.cancel(now)
        fields = life.fields
    return _task(fields, 202 if fields["status"] == "running" else 200)


def retry(call: Call) -> httpx.Response:
    """`POST /tasks/{id}/retry`."""
    life, now = call.world.life(call.task_id), call.world.now
    with call.world.lock:
        life.retry(now)
        fields = life.fields
    return _task(fields)


def attempts(call: Call) -> httpx.Response:
    """`GET /tasks/{id}/attempts`."""
    return _json({"items": call.world.life(call.task_id).attempts})


def events(call: Call) -> Answering:
    """`GET /tasks/{id}/events`: all states from now on, at once, when the last one has come."""
    life = call.world.life(call.task_id)
    given = call.request.headers.get("last-event-id", "")
    seen = int(given) if given.isascii() and given.isdigit() and len(given) <= 18 else None
    version = life.fields["version"]
    if life.is_final and seen == version:
        return httpx.Response(204)
    seconds = call.query["timeout_seconds"]
    if call.request.method != "HEAD" and seconds != 0:
        yield from call.wait([call.task_id], LONGEST if seconds is None else seconds)
    states = [one for one in life.states if one["version"] >= version and one["version"] != seen]
    text = "".join(f"id: {one['version']}\ndata: {_dumped(one)}\n\n" for one in states)
    headers = {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-store",
        "x-accel-buffering": "no",
    }
    return httpx.Response(200, headers=headers, content=f": the states of a task\n\n{text}")


def tags(call: Call) -> httpx.Response:
    """`GET /tags`."""
    names = Counter(tag for fields in call.world.tasks for tag in fields["tags"])
    return _json({"items": [{"name": name, "count": names[name]} for name in sorted(names)]})


def handlers(call: Call) -> httpx.Response:
    """`GET /handlers`."""
    return _json({"items": [_catalog.published(name) for name in sorted(call.world.scripts)]})


def stats(call: Call) -> httpx.Response:
    """`GET /stats`."""
    lives = call.world.tasks
    items = []
    for name in sorted({fields["queue"] for fields in lives}):
        tasks = _statuses(fields for fields in lives if fields["queue"] == name)
        depth = sum(tasks[status] for status in WAITING)
        # What is due runs at once: nothing has waited.
        items.append({"name": name, "tasks": tasks, "depth": depth, "oldest_age_seconds": None})
    return _json({"tasks": _statuses(lives), "queues": items, "workers": 1})


def livez(call: Call) -> httpx.Response:
    """`GET /livez`."""
    return _json({"status": "ok"})


def readyz(call: Call) -> httpx.Response:
    """`GET /readyz`."""
    return _json({"status": "ok", "database": "ok", "redis": "ok"})


def _new(world: World, body: dict[str, Any], now: datetime) -> dict[str, Any]:
    """Return a task as it begins, or raise the problem that the server would answer with."""
    handler = body["handler"]
    if handler not in world.scripts:
        raise _catalog.unknown(handler)
    _catalog.check_payload(handler, body["payload"])
    defaults = _catalog.published(handler)
    run_at = body["run_at"]
    if body["delay_seconds"] is not None:
        run_at = now + timedelta(seconds=body["delay_seconds"])
    given = {name: body[name] for name in body if name not in ("run_at", "delay_seconds")}
    return {
        **given,
        "title": handler if body["title"] is None else body["title"],
        "status": "queued",
        "tags": sorted(set(body["tags"])),
        "run_at": None if run_at is None else wire(run_at),
        **{
            name: defaults[name] if body[name] is None else body[name]
            for name in ("timeout_seconds", "max_retries")
        },
        "current_retry_count": 0,
        "attempt": 0,
        "errors": [],
        "progress": None,
        "result": None,
        **dict.fromkeys(("worker_id", "cancel_requested_at", "started_at", "finished_at")),
        "version": 1,
        "created_at": wire(now),
        "updated_at": wire(now),
    }


def _statuses(tasks: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    found = Counter(fields["status"] for fields in tasks)
    return {status: found[status] for status in TaskStatus}


def _key(call: Call) -> str | None:
    key: str | None = call.request.headers.get("idempotency-key")
    return key


def _task(
    fields: dict[str, Any], status: int = 200, headers: Mapping[str, str] | None = None
) -> httpx.Response:
    return _json(fields, status, {**entity_tag(fields["version"]), **(headers or {})})


def _json(
    value: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> httpx.Response:
    typed = {"content-type": "application/json", **(headers or {})}
    return httpx.Response(status, headers=typed, content=_dumped(value).encode())


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


OPERATIONS: Mapping[str, Callable[[Call], httpx.Response | Answering]] = {
    "submit": submit,
    "submit_many": submit_many,
    "wait": wait_for_any,
    "list": list_tasks,
    "get": get,
    "update": update,
    "delete": delete,
    "cancel": cancel,
    "retry": retry,
    "attempts": attempts,
    "events": events,
    "tags": tags,
    "handlers": handlers,
    "stats": stats,
    "livez": livez,
    "readyz": readyz,
}
"""What serves each operation of the document."""
