"""Hooks after transitions, on a real database: what has run, and only that, is marked done."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from taskq_server.domain import lifecycle
from taskq_server.domain.backoff import Backoff
from taskq_server.domain.events import TaskChanged
from taskq_server.domain.lifecycle import AttemptEnded, Failure
from taskq_server.domain.task import Outcome, Status, Task
from taskq_server.handlers.declare import Hook
from taskq_server.handlers.registry import Registry, TaskEvent
from taskq_server.runtime import Runtime
from taskq_server.services.attempts import AttemptService
from taskq_server.services.reports import Completion
from taskq_server.worker.hooks.runner import Hooks
from tests.support.callers import CALLER
from tests.unit.server.factories import WORKER, rows_of, running, seconds, store
from tests.unit.server.worker.attempts import handler_of, until

HANDLER = "taskq.echo"
OF_START_UP: ContextVar[str] = ContextVar("of_start_up", default="nobody's")
OF_AN_ATTEMPT: ContextVar[str] = ContextVar("of_an_attempt", default="nobody's")


async def work() -> None:
    """What the handlers of these registries do."""


def registry(*hooks: Callable[[TaskEvent], Any], handler: str = HANDLER) -> Registry:
    found = {Hook.JOB_FAILURE: hooks, Hook.RETRY: hooks}
    return Registry({handler: handler_of(work)}, found)


def fail(task: Task, now: datetime) -> AttemptEnded:
    broken = Failure(outcome=Outcome.FAILED, type="E", message="m", fatal=True)
    return lifecycle.fail(task, broken, backoff=Backoff(), random=lambda: 0.5, now=now)


class Worker:
    """The side of a worker that hooks need; `late` lets the time go on."""

    def __init__(self, runtime: Runtime, registry: Registry, seconds: float = 10) -> None:
        self.runtime = runtime
        self.late = 0.0
        self.stuck = asyncio.Event()
        self.attempts: AttemptService = runtime.attempts(
            has_failure_hooks=registry.has_failure_hooks
        )
        self.hooks = Hooks(
            self.attempts,
            registry,
            ["default"],
            self.clock,
            runtime.tracing,
            seconds,
            self.stuck.set,
        )

    def clock(self) -> datetime:
        return self.runtime.clock() + seconds(self.late)

    async def fail(self, count: int = 1) -> list[UUID]:
        """Let tasks fail at once."""
        made = [running(handler=HANDLER) for _ in range(count)]
        await store(self.runtime.database, *made)
        fields = {"attempt": 1, "worker_id": WORKER, "decide": fail}
        endings = [Completion(task_id=task.id, **fields) for task in made]  # type: ignore[arg-type]
        with self.runtime.after_commit.listening(self.hooks.follow):
            await asyncio.gather(*map(self.attempts.end, endings))
        return [task.id for task in made]

    async def done(self) -> set[UUID]:
        """The tasks whose hook counts as run."""
        rows = await rows_of(self.runtime.database)
        return {row["task_id"] for row in rows if row["hook_done_at"] is not None}


class Gate:
    """A sync hook that notes whom it is called for, and does not return while it is shut."""

    def __init__(self) -> None:
        self.started: list[UUID] = []
        self._open = threading.Event()

    def hook(self, event: TaskEvent) -> None:
        self.started.append(event.task_id)
        self._open.wait(60)

    def open(self) -> None:
        self._open.set()


@pytest.fixture
async def gate() -> AsyncIterator[Gate]:
    gate = Gate()
    yield gate
    gate.open()


async def test_hooks_of_a_failure_run_at_once_and_are_marked_done(runtime: Runtime) -> None:
    heard: list[UUID] = []
    worker = Worker(runtime, registry(lambda event: heard.append(event.task_id)))
    failed = await worker.fail(100)
    await until(lambda: len(heard) == 100)
    await worker.hooks.close()
    assert sorted(heard) == sorted(failed)
    assert await worker.done() == set(failed)


async def test_only_hooks_that_have_started_are_marked_done(runtime: Runtime, gate: Gate) -> None:
    """Many tasks fail at once, and each hook goes on after its time."""
    worker = Worker(runtime, registry(gate.hook), seconds=0.05)
    failed = await worker.fail(100)
    async with asyncio.timeout(60):
        await worker.stuck.wait()
        await worker.hooks.close()
    started = set(gate.started)
    assert 0 < len(started) < 100, "hooks that hang do not make ever more threads"
    assert await worker.done() == started

    gate.open()
    await until(lambda: not worker.hooks.left)
    worker.late = 60
    await worker.hooks.replay()
    await until(lambda: len(set(gate.started)) == 100)
    await worker.hooks.close()
    assert await worker.done() == set(failed)


async def test_a_hook_that_hangs_does_not_hold_up_the_others(runtime: Runtime, gate: Gate) -> None:
    heard: list[UUID] = []

    def hook(event: TaskEvent) -> None:
        heard.append(event.task_id)
        if len(heard) <= 20:
            gate.hook(event)

    worker = Worker(runtime, registry(hook), seconds=0.05)
    failed = await worker.fail(100)
    await until(lambda: len(heard) == 100)
    await worker.hooks.close()
    assert await worker.done() == set(failed)
    assert not worker.stuck.is_set()


async def test_few_async_hooks_run_at_once(runtime: Runtime) -> None:
    inside: list[UUID] = []
    go_on = asyncio.Event()

    async def hook(event: TaskEvent) -> None:
        inside.append(event.task_id)
        await go_on.wait()

    worker = Worker(runtime, registry(hook))
    failed = await worker.fail(200)
    await until(lambda: bool(inside))
    await worker.hooks.replay()
    assert len(inside) < 50
    assert await worker.done() == set()
    go_on.set()
    await until(lambda: len(inside) == 200)
    await worker.hooks.close()
    assert await worker.done() == set(failed)


async def test_hooks_that_wait_do_not_hold_up_the_end_of_the_worker(
    runtime: Runtime, gate: Gate
) -> None:
    worker = Worker(runtime, registry(gate.hook), seconds=0.2)
    await worker.fail(500)
    async with asyncio.timeout(60):
        await worker.hooks.close()
    assert await worker.done() == set(gate.started)
    assert len(gate.started) < 50


@pytest.mark.parametrize(
    "ended",
    [
        lifecycle.succeed(running(), result="1", now=running().created_at),
        lifecycle.release(running(), now=running().created_at),
        lifecycle.rescue(running(lost_count=1), now=running().created_at),
    ],
)
async def test_nobody_hears_of_what_is_no_failure(runtime: Runtime, ended: AttemptEnded) -> None:
    heard: list[TaskEvent] = []
    worker = Worker(runtime, registry(heard.append))
    worker.hooks.follow([TaskChanged(ended.before, ended.task, ended.attempt)])
    await worker.hooks.close()
    assert heard == []


async def test_a_failure_is_told_although_somebody_retried_the_task(runtime: Runtime) -> None:
    heard: list[TaskEvent] = []
    worker = Worker(runtime, registry(heard.append))
    task = running(lost_count=2)
    await store(runtime.database, task)
    (ended,) = await worker.attempts.rescue([task.id], lambda _: True)
    assert ended.task.status is Status.FAILED
    await runtime.change.retry(CALLER, task.id)
    worker.late = 60
    await worker.hooks.replay()
    await until(lambda: len(heard) == 1)
    await worker.hooks.close()
    assert heard[0].error_type == "WorkerLost"
    assert await worker.done() == {task.id}


@pytest.mark.parametrize("has_failure_hooks", [True, False])
async def test_a_rescue_by_a_worker_with_other_handlers_leaves_the_hook_to_its_own(
    runtime: Runtime, has_failure_hooks: bool
) -> None:
    heard: list[str] = []
    others = [lambda _: heard.append("other")] if has_failure_hooks else []
    other = Worker(runtime, registry(*others, handler="others.build"))
    own = Worker(runtime, registry(lambda _: heard.append("own")))
    task = running(lost_count=2, handler=HANDLER)
    await store(runtime.database, task)
    with runtime.after_commit.listening(other.hooks.follow):
        await other.attempts.rescue([task.id], lambda _: True)
    for worker, late in ((other, 7_200), (own, 60)):
        worker.late = late
        await worker.hooks.replay()
        await worker.hooks.close()
    assert heard == ["own"]
    assert await own.done() == {task.id}


async def test_hooks_that_nobody_has_are_forgotten(runtime: Runtime) -> None:
    """Late: some worker with the same handler may have hooks."""
    worker = Worker(runtime, registry())
    made = [running(lost_count=2, handler=HANDLER) for _ in range(3)]
    await store(runtime.database, *made)
    with runtime.after_commit.listening(worker.hooks.follow):
        await worker.attempts.rescue([task.id for task in made], lambda _: True)
    await worker.hooks.close()
    for late, done in ((60, set()), (7_200, {task.id for task in made})):
        worker.late = late
        await worker.hooks.replay()
        assert await worker.done() == done


async def test_a_hook_has_the_context_of_start_up_and_nothing_of_the_attempt(
    runtime: Runtime,
) -> None:
    seen: list[tuple[str, str]] = []
    done = asyncio.Event()

    async def look(event: TaskEvent) -> None:
        seen.append((OF_START_UP.get(), OF_AN_ATTEMPT.get()))
        done.set()

    OF_START_UP.set("a connection")
    worker = Worker(runtime, registry(look))
    OF_AN_ATTEMPT.set("somebody's")
    await worker.fail()
    async with asyncio.timeout(60):
        await done.wait()
    await worker.hooks.close()
    assert seen == [("a connection", "nobody's")]
