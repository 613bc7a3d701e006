"""Unique keys for tests: submits that want one, and what has to be true of all of them."""

from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import select

from taskq_server.crud.tables import task_unique_keys, tasks, unique_keys
from taskq_server.domain.unique import hash_of
from taskq_server.runtime import Runtime

Body = dict[str, Any]

ECHO: Body = {"handler": "taskq.echo", "payload": {"value": 1}, "unique_key": "customer 7"}


async def post(api: httpx.AsyncClient, headers: Any = None, **fields: Any) -> httpx.Response:
    """Submit a task with a unique key."""
    return await api.post("/tasks", json={**ECHO, **fields}, headers=headers)


async def stored(api: httpx.AsyncClient, **fields: Any) -> Body:
    """Submit a task that gets its key."""
    response = await post(api, **fields)
    assert response.status_code == 201, response.text
    assert "Unique-Conflict" not in response.headers
    task: Body = response.json()
    return task


def held_by(response: httpx.Response, task: Body) -> Body:
    """Check that a submit is answered with a task that holds the key; return that task."""
    assert response.status_code == 200, response.text
    assert response.headers["Unique-Conflict"] == "true"
    assert "Idempotency-Replayed" not in response.headers
    found: Body = response.json()
    assert found["id"] == task["id"]
    return found


async def held(runtime: Runtime) -> set[UUID]:
    """Return the tasks that hold keys."""
    rows = await runtime.database.read(lambda c: c.execute(select(unique_keys.c.task_id)))
    return set(rows.scalars())


async def check_keys(runtime: Runtime) -> None:
    """Check that exactly the tasks that wait or run hold their keys, and that no row is left."""
    live, has = {}, {}
    rows = await runtime.database.read(
        lambda c: c.execute(
            select(
                tasks.c.id, tasks.c.namespace, tasks.c.status, task_unique_keys.c.unique_key
            ).outerjoin_from(task_unique_keys, tasks, tasks.c.id == task_unique_keys.c.task_id)
        )
    )
    for task_id, namespace, status, key in rows:
        assert task_id is not None, f"the key {key} has no task"
        if not status.final:
            live[task_id] = (namespace, hash_of(key))
    rows = await runtime.database.read(lambda c: c.execute(select(unique_keys)))
    for row in rows:
        has[row.task_id] = (row.namespace, row.hash)
    assert has == live
