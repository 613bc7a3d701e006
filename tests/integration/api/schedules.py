"""Schedules for tests: set as a caller does, and tasks that look as if one had fired them."""

from datetime import datetime
from typing import Any

import httpx

from taskq_server.core.database import Connection, Database
from taskq_server.crud import schedules
from taskq_server.crud.schedules import NewFire
from taskq_server.domain.ids import IdSource, Mark
from taskq_server.domain.schedule import Schedule
from taskq_server.domain.task import Status, Task
from taskq_server.runtime import Runtime
from tests.unit.server.factories import NOW, make_task, seconds, store

Answer = dict[str, Any]

ECHO: Answer = {"handler": "taskq.echo", "payload": {"value": "good morning"}}
NIGHTLY: Answer = {"cron": "0 3 * * *", "task": ECHO}

_new_id = IdSource()


async def put(api: httpx.AsyncClient, name: str = "nightly", **given: Any) -> httpx.Response:
    """Set a schedule; `headers` are those of the request."""
    headers = given.pop("headers", {})
    return await api.put(f"/schedules/{name}", json={**NIGHTLY, **given}, headers=headers)


async def made(api: httpx.AsyncClient, name: str = "nightly", **given: Any) -> Answer:
    """Set a new schedule, and return it."""
    response = await put(api, name, **given)
    assert response.status_code == 201, response.text
    schedule: Answer = response.json()
    return schedule


async def seen(api: httpx.AsyncClient, name: str = "nightly") -> Answer:
    """Return a schedule as it is now."""
    response = await api.get(f"/schedules/{name}")
    assert response.status_code == 200, response.text
    schedule: Answer = response.json()
    return schedule


def problem(response: httpx.Response) -> tuple[int, str, list[tuple[str, str]]]:
    body = response.json()
    found = [(each["pointer"], each["code"]) for each in body["errors"]]
    return response.status_code, body["code"], found


async def fired(
    database: Database,
    name: str,
    *,
    status: Status = Status.QUEUED,
    fire_at: datetime = NOW,
    number: int = 1,
    namespace: str = "default",
    **given: Any,
) -> list[Task]:
    """Store tasks that a schedule of this name has fired, a second from one time to the next."""
    schedule_id = _new_id(NOW)
    tasks = [
        make_task(status, id=_new_id(NOW, Mark.SCHEDULED), namespace=namespace, **given)
        for _ in range(number)
    ]
    await store(database, *tasks)
    fires = [
        NewFire(schedule_id, fire_at + seconds(place), task.id, namespace, name)
        for place, task in enumerate(tasks)
    ]

    async def add(connection: Connection) -> None:
        await schedules.add_fire(connection, *fires)

    await database.write(add)
    return tasks


async def row(runtime: Runtime, name: str = "nightly") -> Schedule:
    """Return the row of a schedule."""
    found = await runtime.database.read(lambda c: schedules.get(c, "default", name))
    assert found is not None
    return found


async def write(runtime: Runtime, schedule: Schedule) -> None:
    """Write the row of a schedule."""

    async def work(connection: Connection) -> None:
        await schedules.write(connection, schedule)

    await runtime.database.write(work)
