"""Values and rows that the tests start from."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Table, select

from taskq_server.core.database import Database
from taskq_server.crud import handlers, tags, tasks
from taskq_server.crud.handlers import PublishedHandler
from taskq_server.crud.tables import attempts as attempts_table
from taskq_server.crud.tables import tasks as tasks_table
from taskq_server.crud.tables import to_task, whole_task
from taskq_server.crud.tasks import NewRow
from taskq_server.domain.ids import IdSource
from taskq_server.domain.task import Priority, Status, Task, score

NOW = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)
WORKER = UUID(int=0xA1)
OTHER_WORKER = UUID(int=0xB2)

_new_id = IdSource()

ANYTHING = '{"type": "object"}'


def seconds(amount: float) -> timedelta:
    return timedelta(seconds=amount)


def make_task(status: Status = Status.QUEUED, **changes: Any) -> Task:
    """A consistent task in any status."""
    created = changes.get("created_at", NOW)
    started = status is not Status.QUEUED
    held = status is Status.RUNNING
    base = Task(
        id=_new_id(created),
        namespace="default",
        handler="taskq.echo",
        title="a title",
        description=None,
        payload='{"value":1}',
        status=status,
        priority=Priority.NORMAL,
        queue="default",
        run_at=None,
        score=None,
        timeout_seconds=60.0,
        max_retries=3,
        current_retry_count=0,
        backoff_base_seconds=None,
        backoff_max_seconds=None,
        attempt=1 if started else 0,
        lost_count=0,
        worker_id=WORKER if held else None,
        progress=None,
        cancel_requested_at=None,
        traceparent=None,
        version=1,
        created_at=created,
        updated_at=created,
        started_at=created if started else None,
        finished_at=created if status.final else None,
    )
    task = base._replace(**changes)
    if status.waiting and "score" not in changes:
        task = task._replace(score=score(task.due_at, task.priority))
    return task


def running(**changes: Any) -> Task:
    return make_task(Status.RUNNING, **changes)


async def store(
    database: Database, *new: Task, tagged: Mapping[UUID, Sequence[int]] | None = None
) -> None:
    """Insert tasks as they are."""
    links = tagged or {}
    rows = [NewRow(task, tuple(links.get(task.id, ()))) for task in new]
    await database.write(lambda c: tasks.insert(c, rows))


async def stored(database: Database, task_id: UUID) -> Task:
    """The row as it is now."""
    return (await all_stored(database, [task_id]))[task_id]


async def all_stored(database: Database, ids: Iterable[UUID]) -> dict[UUID, Task]:
    wanted = list(ids)
    statement = select(*whole_task).where(tasks_table.c.id.in_(wanted))
    rows = await database.read(lambda c: c.execute(statement))
    return {task.id: task for task in map(to_task, rows)}


async def rows_of(database: Database, table: Table = attempts_table) -> list[dict[str, Any]]:
    """All rows of a table, as mappings."""
    found = await database.read(lambda c: c.execute(select(table)))
    return [dict(row._mapping) for row in found]


async def make_tags(database: Database, *names: str, namespace: str = "default") -> dict[str, int]:
    wanted = [(namespace, name) for name in names]
    await database.write(lambda c: tags.add(c, wanted, NOW))
    found = await database.read(lambda c: tags.find(c, wanted))
    return {name: tag_id for (_, name), tag_id in found.items()}


async def publish(
    database: Database,
    *names: str,
    schema: str = ANYTHING,
    max_retries: int = 3,
    timeout_seconds: float = 300.0,
    namespace: str = "default",
) -> None:
    """Publish handlers as a worker does."""
    published = [
        PublishedHandler(
            name=name,
            description=f"about {name}",
            payload_schema=schema,
            max_retries=max_retries,
            timeout_seconds=timeout_seconds,
        )
        for name in names
    ]
    await database.write(lambda c: handlers.publish(database, c, namespace, published, NOW))
