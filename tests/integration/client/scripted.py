"""A real server without a worker, by a clock of the test's, and a worker that a test plays."""

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import and_, func, or_, select

from taskq_client import Progress, __version__
from taskq_client.testing import Step
from taskq_client.testing._bulk import MOMENT
from taskq_client.testing._task import WORKER_ID as FAKE_ID
from taskq_client.testing._task import WORKER_NAME
from taskq_client.testing._workers import CONCURRENCY
from taskq_server import migrations
from taskq_server.broker.connection import connect
from taskq_server.broker.names import Naming
from taskq_server.broker.sender import Sender
from taskq_server.core.clock import Clock
from taskq_server.core.config import Settings
from taskq_server.core.database import Connection, Database
from taskq_server.crud import claims, completions, handlers, queues, tasks, workers
from taskq_server.crud.handlers import PublishedHandler
from taskq_server.crud.tables import bulk_operations, schedules, to_task, whole_task
from taskq_server.crud.tables import tasks as table
from taskq_server.domain import lifecycle
from taskq_server.domain.backoff import Backoff
from taskq_server.domain.bulk import State
from taskq_server.domain.keys import parse
from taskq_server.domain.lifecycle import AttemptEnded
from taskq_server.domain.requests import TaskDefaults
from taskq_server.domain.task import WAITING, Status, Task
from taskq_server.domain.worker import WorkerRow
from taskq_server.handlers import registry
from taskq_server.main import create_app
from taskq_server.metrics.registry import Metrics
from taskq_server.runtime import Runtime, _assemble
from taskq_server.schemas.task import Progress as WireProgress
from taskq_server.worker.attempts.failures import failure_of
from taskq_server.worker.attempts.result import Failed, Succeeded, timed_out
from taskq_server.worker.attempts.result_json import Room, is_small, written
from tests.support.keys import new_key, store

WORKER_ID = UUID(FAKE_ID)
START = datetime(2026, 9, 1, 12, tzinfo=UTC)
FOR_EVER = START + timedelta(days=10_000)

STEPS: Mapping[str, Sequence[Any]] = {
    "t.rows": ({"rows": [1, "é", None, 2.5]},),
    "t.slow": (Step("slow", seconds=100),),
    "t.long": (Step([True], seconds=200_000),),
    "t.fails": (RuntimeError("no luck"), OSError("none"), {"ok": True}),
    "t.lost": (ZeroDivisionError("always"),),
    "t.fatal": (Step(error=ValueError("bad\0é\ud800"), fatal=True),),
    "t.told": (
        Step(2, seconds=5, progress=[Progress(current=n, total=3, message="é") for n in (1, 2)]),
    ),
    "t.set": ({frozenset({"x"})}, None),
    "t.time": (START,),
    "t.bytes": (b"\xff",),
    "t.late": (TimeoutError("its own"),),
}
"""What the handlers of the test do, attempt after attempt."""

KEYED: Mapping[str, str] = {"t.rows": "/key", "t.slow": "/key", "t.told": "/key/0/~1"}
"""Where some of them find unique keys."""


class TestClock(Clock):
    """A clock that stands still until the test sets it."""

    __test__ = False

    def __init__(self) -> None:
        super().__init__(START)
        self.at = START

    def __call__(self) -> datetime:
        return self.at

    def earliest(self) -> datetime:
        return self.at


class ScriptedWorker:
    """Claims tasks and ends attempts, each when it is due, with the server's own functions."""

    def __init__(self, runtime: Runtime, clock: TestClock) -> None:
        self._bulk = runtime.bulk_work
        self._firing = runtime.firing
        self._database = runtime.database
        self._namespace = runtime.settings.namespace
        self._clock = clock
        self._ends: dict[
            tuple[UUID, int], tuple[datetime, Callable[[Task, datetime], AttemptEnded]]
        ] = {}
        self._paused: set[str] = set()
        self._resumed: dict[str, datetime] = {}

    async def publish(self) -> None:
        """Publish the built-in handlers and those of the test, as a worker that lives for ever."""
        built_in = registry.load([], builtin=True).handlers.values()
        published = [
            _published(one.name, one.schema, one.description, one.timeout or 300.0)
            for one in built_in
        ]
        published += [
            replace(_published(name, '{"type":"object"}'), defaults=_defaults(name))
            for name in STEPS
        ]
        names = ",".join(f'"{one.name}":{{}}' for one in published)
        row = WorkerRow(
            id=WORKER_ID, name=WORKER_NAME, queues='["default"]', handlers=f"{{{names}}}",
            namespaces='["default"]', concurrency=CONCURRENCY, started_at=START,
            heartbeat_at=START, lease_until=FOR_EVER, version=__version__,
        )  # fmt: skip

        async def write(connection: Connection) -> None:
            await handlers.publish(self._database, connection, self._namespace, published, START)
            await workers.register(connection, row)

        await self._database.write(write)

    async def catch_up(self, now: datetime) -> None:
        """Take every step that is due, in its order, each at its time."""
        await self._database.write(
            lambda c: workers.renew(c, WORKER_ID, now=now, lease_until=FOR_EVER)
        )
        await self._look_for_pauses()
        while True:
            open_tasks = await self._database.read(lambda c: _open(c, now))
            coming: list[tuple[datetime, UUID, Task | None]] = [
                (self._due(task), task.id, task) for task in open_tasks
            ]
            coming += await self._database.read(_operations)
            due_at = await self._database.read(_next_schedule)
            due, of, task = min(coming, default=(FOR_EVER, None, None), key=lambda one: one[:2])
            if due_at < due and due_at <= now:  # of two at one time the fake lets tasks go first
                self._clock.at = due_at
                await self._firing.sweep()
                continue
            if of is None or due > now:
                self._clock.at = now
                return
            self._clock.at = due if task is None else max(due, task.updated_at)
            if task is None:
                while await self._bulk.step(of):
                    pass
            else:
                await self._database.write(lambda c, task=task: self._step(c, task))

    async def _look_for_pauses(self) -> None:
        """Note the queues that the last request, at the present time, paused or resumed."""
        names = await self._database.read(lambda c: queues.rows(c, self._namespace))
        paused = {row.name for row in names if row.paused_at is not None}
        self._resumed |= dict.fromkeys(self._paused - paused, self._clock.at)
        self._paused = paused

    def _due(self, task: Task) -> datetime:
        if task.status is not Status.RUNNING:
            if task.queue in self._paused:
                return FOR_EVER
            return max(task.due_at, self._resumed.get(task.queue, task.due_at))
        return task.cancel_requested_at or self._ends[task.id, task.attempt][0]

    async def _step(self, connection: Connection, task: Task) -> None:
        now = self._clock.at
        locked = (await tasks.lock(connection, [task.id]))[task.id]
        if locked.status is not Status.RUNNING:
            claimed = lifecycle.claim(locked, worker_id=WORKER_ID, now=now)
            await claims.mark_claimed(connection, [locked], worker_id=WORKER_ID, now=now)
            step = _step_of(claimed)
            for progress in step.progress:
                text = WireProgress(**progress.model_dump()).model_dump_json()
                await claims.set_progress(connection, {task.id: text}, now)
            self._ends[task.id, claimed.attempt] = _end(claimed, step, now)
            return
        if locked.cancel_requested_at is not None:
            ended = lifecycle.cancel_running(locked, now=now)
        else:
            ended = self._ends[task.id, task.attempt][1](locked, now)
        await completions.mark_ended(connection, [ended], hook_done_at={task.id: now})


def _defaults(name: str) -> TaskDefaults:
    return TaskDefaults(unique_key=KEYED.get(name))


def _published(
    name: str, schema: str, description: str = "", timeout: float = 300.0
) -> PublishedHandler:
    return PublishedHandler(
        name=name,
        description=description,
        payload_schema=schema,
        max_retries=3,
        timeout_seconds=timeout,
    )


async def _open(connection: Connection, now: datetime) -> list[Task]:
    """Return the tasks that run, and those that may."""
    due = func.coalesce(table.c.run_at, table.c.created_at) <= now
    statement = select(*whole_task).where(
        or_(table.c.status == Status.RUNNING, and_(table.c.status.in_(WAITING), due))
    )
    return [to_task(row) for row in await connection.execute(statement)]


async def _operations(connection: Connection) -> list[tuple[datetime, UUID, None]]:
    """Return when the fake would work through the bulk operations that run, and their ids."""
    table = bulk_operations.c
    rows = await connection.execute(
        select(table.created_at, table.id).where(table.state == State.RUNNING)
    )
    return [(row.created_at + MOMENT, row.id, None) for row in rows]


async def _next_schedule(connection: Connection) -> datetime:
    """Return when a schedule fires next."""
    found = await connection.execute(select(func.min(schedules.c.due_at)))
    return found.scalar_one() or FOR_EVER


def _step_of(task: Task) -> Step:
    payload = json.loads(task.payload)
    match task.handler:
        case "taskq.echo":
            return Step(payload["value"])
        case "taskq.sleep":
            return Step(float(payload["seconds"]), seconds=payload["seconds"])
        case "taskq.flaky":
            failures = int(payload["failures"])
            message = f"attempt {task.attempt} of {failures} that fail on purpose"
            fails = task.attempt <= failures
            return Step(error=RuntimeError(message)) if fails else Step(task.attempt)
    steps = STEPS[task.handler]
    step = steps[min(task.attempt, len(steps)) - 1]
    if isinstance(step, Exception):
        return Step(error=step)
    return step if isinstance(step, Step) else Step(step)


def _end(
    task: Task, step: Step, now: datetime
) -> tuple[datetime, Callable[[Task, datetime], AttemptEnded]]:
    seconds = min(step.seconds, task.timeout_seconds)
    verdict: Succeeded | Failed
    if step.seconds > task.timeout_seconds:
        verdict = timed_out(task.timeout_seconds)
    elif step.error is not None:
        failure = failure_of(step.error, (Exception,), 8_192)
        verdict = Failed(replace(failure, fatal=step.fatal))
    else:
        room = Room(1_048_576, lambda: False)
        verdict = written(step.result, room, is_plain=is_small(step.result))

    def decide(locked: Task, at: datetime) -> AttemptEnded:
        if isinstance(verdict, Succeeded):
            return lifecycle.succeed(locked, result=verdict.result, now=at)
        # The fake waits as long as a pause may take: its times are to be foreseen.
        return lifecycle.fail(
            locked, verdict.failure, backoff=Backoff(), random=lambda: 1.0, now=at
        )

    return now + timedelta(seconds=seconds), decide


async def _store_keys(database: Database, keys: Mapping[str, Sequence[str]]) -> None:
    for text, scopes in keys.items():
        token = parse(text)
        assert token is not None, text
        _, key = new_key(*scopes, token=token, name="test", created_at=START)
        await store(database, key)


@asynccontextmanager
async def real_server(
    database_url: str, redis_url: str, keys: Mapping[str, Sequence[str]] | None = None
) -> AsyncIterator[tuple[httpx.AsyncClient, ScriptedWorker]]:
    """Open the API over an empty database, and the worker that the test plays.

    Args:
        database_url: The empty database.
        redis_url: The Redis.
        keys: The scopes of the keys that there are; None for a server that asks for none.
    """
    settings = Settings(
        database_url=database_url,
        redis_url=redis_url,
        auth="off" if keys is None else "required",
    )
    database = Database(database_url)
    redis = connect(redis_url)
    naming = Naming()
    send = Sender(redis, naming)
    clock = TestClock()
    runtime = _assemble(settings, Metrics(), clock, database, redis, naming, send, admin=None)
    try:
        await migrations.upgrade(database)
        worker = ScriptedWorker(runtime, clock)
        await worker.publish()
        await _store_keys(database, keys or {})
        transport = httpx.ASGITransport(create_app(runtime=runtime))
        async with httpx.AsyncClient(transport=transport, base_url="http://taskq") as client:
            yield client, worker
    finally:
        for service in (
            *(runtime.submit, runtime.read, runtime.fleet, runtime.stats, runtime.catalog),
            *(runtime.namespaces, runtime.authentication, runtime.key_use),
        ):
            await service.close()
        await send.close()
        await redis.aclose(close_connection_pool=True)
        await database.close()
