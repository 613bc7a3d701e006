"""The tables for SQLAlchemy Core, and the conversion of rows to values of the domain."""

from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

from sqlalchemy import BindParameter, Row, Table, and_, bindparam, literal

from taskq_server import models
from taskq_server.domain.task import Attempt, Status, Task

IDS: BindParameter[Sequence[UUID]] = bindparam("ids", expanding=True)
"""The parameter `ids` of a statement about some tasks."""

tasks = cast(Table, models.Task.__table__)
attempts = cast(Table, models.TaskAttempt.__table__)
tags = cast(Table, models.Tag.__table__)
task_tags = cast(Table, models.TaskTag.__table__)
task_counts = cast(Table, models.TaskCount.__table__)
task_minutes = cast(Table, models.TaskMinute.__table__)
task_keeps = cast(Table, models.TaskKeep.__table__)
unique_keys = cast(Table, models.UniqueKey.__table__)
task_unique_keys = cast(Table, models.TaskUniqueKey.__table__)
workers = cast(Table, models.Worker.__table__)
sweeps = cast(Table, models.Sweep.__table__)
handlers = cast(Table, models.Handler.__table__)
queues = cast(Table, models.Queue.__table__)
api_keys = cast(Table, models.ApiKey.__table__)
sessions = cast(Table, models.Session.__table__)
namespaces = cast(Table, models.Namespace.__table__)
declarations = cast(Table, models.Declaration.__table__)
bulk_operations = cast(Table, models.BulkOperation.__table__)
schedules = cast(Table, models.Schedule.__table__)
schedule_fires = cast(Table, models.ScheduleFire.__table__)
deployment = cast(Table, models.Deployment.__table__)

TASK_FIELDS = Task._fields
ATTEMPT_FIELDS = tuple(name for name in Attempt._fields if name in attempts.c)
"""The first fields of an attempt, which are stored with it."""

whole_task = [tasks.c[name] for name in TASK_FIELDS]
task_without_payload = [
    literal("").label(name) if name == "payload" else tasks.c[name] for name in TASK_FIELDS
]
whole_attempt = [attempts.c[name] for name in ATTEMPT_FIELDS]

is_running = and_(tasks.c.status == Status.RUNNING, tasks.c.finished_at.is_(None))
"""A running task has not finished; the redundant condition lets the index find it by its worker."""


def to_task(row: Row[Any]) -> Task:
    """Return the task of a row that selects `whole_task` or `task_without_payload`."""
    return Task._make(row)


def to_attempt(row: Row[Any]) -> Attempt:
    """Return the attempt of a row that selects `whole_attempt`."""
    return Attempt._make((*row, None))
