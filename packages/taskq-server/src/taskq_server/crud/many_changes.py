"""Changes of many locked tasks in one transaction, with few statements for many that are alike."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from taskq_server.crud import counts, unique_keys
from taskq_server.crud.tables import IDS, TASK_FIELDS, tasks
from taskq_server.domain.counts import place
from taskq_server.domain.task import Task

_WRITTEN = tuple(name for name in TASK_FIELDS if name != "version")


async def write(connection: AsyncConnection, changes: Sequence[tuple[Task, Task]]) -> None:
    """Write what differs between two states of each of some locked tasks.

    Tasks that get equal values share an UPDATE; every change moves the version by one. Those that
    have ended by that free their unique keys.

    Args:
        connection: holds the locks of the tasks.
        changes: each task before and after; those that are equal are not written.
    """
    changed = [(before, after) for before, after in changes if after != before]
    names = [
        name
        for name in _WRITTEN
        if any(getattr(before, name) != getattr(after, name) for before, after in changed)
    ]
    alike: defaultdict[tuple[Any, ...], list[UUID]] = defaultdict(list)
    for before, after in changed:
        alike[tuple(getattr(after, name) for name in names)].append(before.id)
    for values, ids in alike.items():
        given = {**dict(zip(names, values, strict=True)), "version": tasks.c.version + 1}
        statement = update(tasks).where(tasks.c.id.in_(IDS)).values(given)
        await connection.execute(statement, {"ids": sorted(ids)})
    ended = [after.id for before, after in changed if after.status.final > before.status.final]
    await unique_keys.release(connection, ended)
    await counts.move(
        connection,
        before=[place(before) for before, _ in changed],
        after=[place(after) for _, after in changed],
    )
