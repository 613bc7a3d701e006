"""Schedules as they are stored, and fleets whose clock a test moves."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select

from taskq_server.crud import schedules
from taskq_server.crud.tables import schedule_fires, whole_task
from taskq_server.crud.tables import tasks as tasks_table
from taskq_server.domain import times
from taskq_server.domain.ids import IdSource
from taskq_server.domain.schedule import CatchUp, Overlap, Schedule
from taskq_server.domain.task import Task
from taskq_server.runtime import Runtime
from taskq_server.services.fire_plans import Planner
from taskq_server.services.firing import Firing
from taskq_server.services.quotas import Quotas
from taskq_server.services.submission import Submission
from taskq_server.services.tags import TagIds

NOON = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)
ECHO = {"handler": "taskq.echo", "payload": {"value": 1}}

_new_id = IdSource()


class Time:
    """A clock that a test moves."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """Return the time that it is."""
        return self.now

    def passes(self, **amount: float) -> None:
        """Let time pass, as `timedelta` says it."""
        self.now += timedelta(**amount)


def make_schedule(name: str = "s", *, made_at: datetime = NOON, **changes: Any) -> Schedule:
    """A schedule of each minute, aimed at its first time after `made_at`."""
    task = changes.pop("task", ECHO)
    given: dict[str, Any] = {
        "id": _new_id(made_at),
        "namespace": "default",
        "cron": None if "every_seconds" in changes else "* * * * *",
        "every_seconds": None,
        "timezone": "UTC",
        "overlap": Overlap.ALLOW,
        "catch_up": CatchUp.LAST,
        "catch_up_seconds": 86_400.0,
        "jitter_seconds": 0.0,
        "starts_at": None,
        "ends_at": None,
        "paused_at": None,
        "note": None,
        "handler": task["handler"],
        "key_id": None,
        "globs": ("tasks:run:*",),
        "declaration": None,
        "version": 1,
        "due_at": None,
        "queued_fire_at": None,
        "last_fire_at": None,
        "last_task_id": None,
        "fired": 0,
        "skipped": 0,
        "missed": 0,
        "last_error": None,
        "created_at": made_at,
        "updated_at": made_at,
        "next_fire_at": None,
    }
    made = Schedule(name=name, task=json.dumps(task), **{**given, **changes})
    return aimed(made, made_at)


def aimed(schedule: Schedule, now: datetime) -> Schedule:
    """The schedule with its first time after now, unless it has one."""
    if schedule.next_fire_at is None:
        schedule = replace(schedule, next_fire_at=times.next_after(schedule.timing, now))
    if schedule.due_at is None and schedule.next_fire_at is not None:
        schedule = replace(schedule, due_at=schedule.fires_at(schedule.next_fire_at))
    return schedule


@asynccontextmanager
async def fleet(runtime: Runtime, time: Time) -> AsyncIterator[Firing]:
    """What one process fires with: nothing of it is shared with others but the database."""
    clock, new_id, settings = time, IdSource(), runtime.settings
    tag_ids, quotas = TagIds(runtime.database, clock), Quotas.of(runtime.database, settings)
    try:
        yield Firing(
            database=runtime.database,
            earliest=clock,
            planner=Planner(Submission(settings, runtime.catalog, new_id, runtime.turns), clock),
            tag_ids=tag_ids,
            quotas=quotas,
            after_commit=runtime.after_commit,
            new_id=new_id,
            turns=runtime.turns,
            metrics=runtime.metrics.submits,
        )
    finally:
        await quotas.close()
        await tag_ids.close()


async def put(runtime: Runtime, *made: Schedule) -> None:
    """Store schedules."""

    async def work(connection: Any) -> None:
        for each in made:
            await schedules.put(connection, each)

    await runtime.database.write(work)


async def get(runtime: Runtime, name: str = "s") -> Schedule:
    """The schedule as it is now."""
    found = await runtime.database.read(lambda c: schedules.get(c, "default", name))
    assert found is not None
    return found


async def fires(runtime: Runtime, name: str = "s") -> list[tuple[datetime, UUID]]:
    """The times of a schedule that have a task, and these tasks."""
    of = schedule_fires.c
    rows = select(of.fire_at, of.task_id).where(of.name == name).order_by(of.fire_at)
    found = await runtime.database.read(lambda c: c.execute(rows))
    return [(fire_at, task_id) for fire_at, task_id in found]


async def fired_tasks(runtime: Runtime, name: str = "s") -> list[Task]:
    """The tasks of a schedule, in the order of their times."""
    rows = await runtime.database.read(
        lambda c: c.execute(
            select(*whole_task)
            .join(schedule_fires, schedule_fires.c.task_id == tasks_table.c.id)
            .where(schedule_fires.c.name == name)
            .order_by(schedule_fires.c.fire_at)
        )
    )
    return [Task._make(row) for row in rows]


def at(*moments: str) -> Sequence[datetime]:
    """Times of the day of `NOON`."""
    return [datetime.fromisoformat(f"2026-10-05T{each}+00:00") for each in moments]
