"""The operations of the fake: from a valid request to an answer."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import httpx

from taskq_client.testing import (
    _catalog,
    _listing,
    _queues,
    _schemas,
    _service,
    _unique,
    _workers,
)
from taskq_client.testing._call import Answering, Call, answer, dumped, published, stream
from taskq_client.testing._headers import entity_tag, entity_tags, preferences, traceparent
from taskq_client.testing._json import canonical
from taskq_client.testing._keys import AUTHORIZATION
from taskq_client.testing._problems import Problem, invalid
from taskq_client.testing._rules import OPERATIONS as RULES
from taskq_client.testing._store import FakeStore
from taskq_client.testing._task import FINAL, wire

LONGEST: float = RULES["events"]["query"]["timeout_seconds"]["maximum"]

_WHEN_IT_RUNS = frozenset({"priority", "run_at"})
_HANDLERS = ("queue", "priority", "tags", "max_retries", "timeout_seconds")
"""What a handler says for tasks whose submits leave it out."""


def submit(call: Call) -> Answering:
    """`POST /tasks`."""
    store, preference = call.store, preferences(call.request)
    call.caller.check_may_run({"/handler": call.body["handler"]})
    now, by = store.now, call.caller.key_id
    with store.lock:
        item = new_task(store, call.body, now, traceparent(call.request))
        found = store.submit([item], _key(call), canonical(call.document), now, submitted_by=by)
        (task,) = found.tasks
        fields = call.stored(task, found)
    headers = {"location": f"/tasks/{fields['id']}", **found.headers}
    if preference.wait is not None:
        headers["preference-applied"] = f"wait={preference.wait}"
        yield from call.wait([fields["id"]], preference.wait)
        fields = call.stored(task, found)
    headers |= _workers.listeners([task.fields])
    if "version" in fields:  # there is none of a task of which no more than the status may be known
        headers |= entity_tag(task.fields["version"])
    return answer(fields, found.status, headers)


def submit_many(call: Call) -> httpx.Response:
    """`POST /tasks/batch`."""
    store, items, errors = call.store, [], []
    first: Problem | None = None
    asked = {f"/items/{n}/handler": one["handler"] for n, one in enumerate(call.body["items"])}
    call.caller.check_may_run(asked)
    now, by = store.now, call.caller.key_id
    with store.lock:
        for position, body in enumerate(call.body["items"]):
            try:
                items.append(new_task(store, body, now, traceparent(call.request)))
            except Problem as problem:
                first = first or problem
                errors += [
                    {**one, "pointer": f"/items/{position}{one['pointer']}"}
                    for one in problem.errors
                ]
        if first:
            detail = "items of the batch cannot be taken; nothing was stored"
            raise Problem(first.code, detail, errors)
        body = canonical(call.document)
        found = store.submit(items, _key(call), body, now, submitted_by=by, is_batch=True)
        stored: list[dict[str, Any]] = [call.stored(task, found) for task in found.tasks]
    headers = {**found.headers, **_workers.listeners(task.fields for task in found.tasks)}
    if preferences(call.request).minimal:
        headers["preference-applied"] = "return=minimal"
        stored = [{"id": fields["id"]} for fields in stored]
    return answer({"items": stored}, found.status, headers)


def submit_child(store: FakeStore, parent: str, body: dict[str, Any], key: str) -> str:
    """Store a task that the handler of another one submits, and return its id.

    Args:
        store: The state of the fake.
        parent: The id of the task whose handler submits.
        body: The task, as the body of `POST /tasks`.
        key: The idempotency key, which stands for the body.
    """
    fields, faults = _schemas.read_body("TaskCreate", body)
    _schemas.refuse(faults)
    now = store.now
    with store.lock:
        above = store.tasks.get(parent)
        item = new_task(store, fields, now, None if above is None else above.fields["traceparent"])
        (task,) = store.submit([item], key, key, now, above).tasks
    task_id: str = task.fields["id"]
    return task_id


def wait_for_any(call: Call) -> Answering:
    """`POST /tasks/wait`."""
    wanted = list(dict.fromkeys(map(str, call.body["ids"])))
    for task_id in wanted:
        call.task(task_id)
    yield from call.wait(wanted, call.body["timeout_seconds"])
    fields = [call.store.task(task_id).fields for task_id in wanted]
    return answer({"items": [one for one in fields if one["status"] in FINAL]})


def list_tasks(call: Call) -> httpx.Response:
    """`GET /tasks`."""
    page = _listing.page(call.store.fields, call.query)
    headers = {}
    if page["next_cursor"] is not None:
        headers["link"] = _listing.link(call.given, page["next_cursor"])
    return answer(page, headers=headers)


def get(call: Call) -> Answering:
    """`GET /tasks/{id}`."""
    seen = entity_tags(call.request, "If-None-Match")
    seconds, headers = call.query["wait"], {}
    if seconds is None and (seconds := preferences(call.request).wait) is not None:
        headers["preference-applied"] = f"wait={seconds}"
    task = call.task(call.task_id)
    if seconds:
        yield from call.wait([call.task_id], seconds)
        task = call.task(call.task_id)
    version = task.fields["version"]
    if seen is not None and seen.match(version, weakly=True):
        return httpx.Response(304, headers={**entity_tag(version), **headers})
    return _task(task.fields, headers=headers)


def update(call: Call) -> httpx.Response:
    """`PATCH /tasks/{id}`."""
    task = call.store.task(call.task_id)
    expected, version = entity_tags(call.request, "If-Match"), task.fields["version"]
    if expected is not None and not expected.match(version, weakly=False):
        raise Problem("version-mismatch", f"the task is at version {version}")
    handler = task.fields["handler"]
    timing = sorted(call.body.keys() & _WHEN_IT_RUNS)
    call.caller.check_may_run({f"/{name}": handler for name in timing})
    known = published(call.store, handler)
    defaults: dict[str, Any] = {
        "title": handler,
        **{name: known[name] for name in _HANDLERS},
    }
    given: dict[str, Any] = {
        name: defaults.get(name) if value is None else value for name, value in call.body.items()
    }
    if "tags" in given:
        given["tags"] = sorted(set(given["tags"]))
    if given.get("run_at") is not None:
        given["run_at"] = wire(given["run_at"])
    now = call.store.now
    with call.store.lock:
        task.update(given, now)
    return _task(call.shown(task))


def delete(call: Call) -> httpx.Response:
    """`DELETE /tasks/{id}`."""
    with call.store.lock:
        call.store.delete(call.store.task(call.task_id))
    return httpx.Response(204)


def cancel(call: Call) -> httpx.Response:
    """`POST /tasks/{id}/cancel`."""
    task, now = call.store.task(call.task_id), call.store.now
    with call.store.lock:
        task.cancel(now)
        fields = call.shown(task)
    return _task(fields, 202 if fields["status"] == "running" else 200)


def retry(call: Call) -> httpx.Response:
    """`POST /tasks/{id}/retry`."""
    task, now = call.store.task(call.task_id), call.store.now
    call.caller.check_may_run({AUTHORIZATION: task.fields["handler"]})
    with call.store.lock:
        call.store.retry(task, now)
        fields = call.shown(task)
    return _task(fields)


def attempts(call: Call) -> httpx.Response:
    """`GET /tasks/{id}/attempts`."""
    return answer({"items": call.task(call.task_id).attempts})


def events(call: Call) -> Answering:
    """`GET /tasks/{id}/events`: all states from now on, at once, when the last one has come."""
    task = call.task(call.task_id)
    given = call.request.headers.get("last-event-id", "")
    seen = int(given) if given.isascii() and given.isdigit() and len(given) <= 18 else None
    version = task.fields["version"]
    if task.is_final and seen == version:
        return httpx.Response(204)
    seconds = call.query["timeout_seconds"]
    if call.request.method != "HEAD" and seconds != 0:
        yield from call.wait([call.task_id], LONGEST if seconds is None else seconds)
    states = [one for one in task.states if one["version"] >= version and one["version"] != seen]
    text = "".join(f"id: {one['version']}\ndata: {dumped(one)}\n\n" for one in states)
    return stream(f": the states of a task\n\n{text}")


def new_task(
    store: FakeStore, body: dict[str, Any], now: datetime, trace: str | None
) -> dict[str, Any]:
    """Return a task as it begins, or raise the problem that the server would answer with."""
    handler = body["handler"]
    if handler not in store.scripts:
        raise _catalog.unknown(handler)
    _catalog.check_payload(handler, body["payload"], store.sources.get(handler))
    defaults = published(store, handler)
    said = {name: defaults[name] if body[name] is None else body[name] for name in _HANDLERS}
    run_at = body["run_at"]
    if body["delay_seconds"] is not None:
        run_at = now + timedelta(seconds=body["delay_seconds"])
    given = {name: body[name] for name in body if name not in ("run_at", "delay_seconds")}
    unique_key = body["unique_key"]
    if unique_key is None:
        pointer = defaults["unique_key"]
        if pointer is None and body["on_conflict"] is not None:
            detail = "without a unique_key there is no conflict"
            raise invalid("without-unique-key", detail, "/on_conflict")
        unique_key = _unique.declared(handler, pointer, body["payload"])
    return {
        **given,
        "unique_key": unique_key,
        "title": handler if body["title"] is None else body["title"],
        "status": "queued",
        "run_at": None if run_at is None else wire(run_at),
        **said,
        "tags": sorted(set(said["tags"])),
        "current_retry_count": 0,
        "attempt": 0,
        "errors": [],
        "progress": None,
        "result": None,
        "traceparent": trace,
        "schedule": None,
        **dict.fromkeys(("worker_id", "cancel_requested_at", "started_at", "finished_at")),
        "version": 1,
        "created_at": wire(now),
        "updated_at": wire(now),
    }


def _key(call: Call) -> str | None:
    key: str | None = call.request.headers.get("idempotency-key")
    return key


def _task(
    fields: dict[str, Any], status: int = 200, headers: Mapping[str, str] | None = None
) -> httpx.Response:
    return answer(fields, status, {**entity_tag(fields["version"]), **(headers or {})})


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
    "tags": _service.tags,
    "handlers": _service.handlers,
    "stats": _service.stats,
    "workers": _service.workers,
    "stats_history": _service.stats_history,
    "stats_events": _service.stats_events,
    "failures": _service.failures,
    "queues": _queues.queues,
    "pause_queue": _queues.pause,
    "resume_queue": _queues.resume,
    "whoami": _service.whoami,
    "livez": _service.livez,
    "readyz": _service.readyz,
}
"""What serves each operation of the document."""
