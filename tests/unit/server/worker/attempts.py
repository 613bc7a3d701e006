"""A claimed attempt, as a worker runs it."""

import asyncio
import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

from taskq_server.core.config import Settings
from taskq_server.domain.backoff import Backoff
from taskq_server.domain.lifecycle import AttemptEnded
from taskq_server.domain.requests import NewTask
from taskq_server.domain.task import Task
from taskq_server.handlers import signature
from taskq_server.handlers.context import State
from taskq_server.handlers.registry import Handler
from taskq_server.worker.attempts.executor import Executor, Limits
from taskq_server.worker.attempts.result import RunResult, decision
from taskq_server.worker.attempts.running import RunningAttempt
from tests.unit.server.factories import NOW, running, seconds

CELL_HANDLERS = ("tests.support.handlers", "tests.support.poison")

LIMITS = Limits(grace=0.2, result_bytes=1_000, traceback_bytes=600)


def handler_of(
    function: Callable[..., Any],
    *,
    retry_on: tuple[type[Exception], ...] = (Exception,),
    backoff: Backoff | None = None,
) -> Handler:
    return Handler(
        name="under.test",
        function=function,
        signature=signature.read(function, "under.test"),
        description="",
        schema="{}",
        max_retries=None,
        timeout=None,
        backoff=backoff or Backoff(),
        retry_on=retry_on,
    )


def cell_settings(**changes: Any) -> Settings:
    """Settings for quarantine processes; they find these handlers by themselves."""
    return Settings(handlers=CELL_HANDLERS, cancel_grace_seconds=0.2, **changes)


class Children:
    """Notes the child tasks that a handler submits."""

    def __init__(self) -> None:
        self.submitted: list[tuple[NewTask, str]] = []

    async def __call__(self, new: NewTask, key: str) -> UUID:
        self.submitted.append((new, key))
        return UUID(int=len(self.submitted))


def attempt_of(
    payload: dict[str, Any] | None = None, *, children: Children | None = None, **changes: Any
) -> RunningAttempt:
    task = running(payload=json.dumps(payload or {}), **changes)
    return RunningAttempt(task, State(), children or Children())


def decided(
    run_result: RunResult | None, task: Task, backoff: Backoff | None = None
) -> AttemptEnded:
    """What the verdict makes of the task."""
    assert run_result is not None
    return decision(run_result, backoff or Backoff())(task, NOW + seconds(60))


async def run(
    function: Callable[..., Any],
    payload: dict[str, Any] | None = None,
    *,
    retry_on: tuple[type[Exception], ...] = (Exception,),
    **changes: Any,
) -> AttemptEnded:
    """Run a handler once and return how the attempt ended."""
    executor = Executor(2, LIMITS)
    try:
        attempt = attempt_of(payload, **changes)
        run_result = await executor.run(handler_of(function, retry_on=retry_on), attempt)
        return decided(run_result, attempt.task)
    finally:
        executor.close()


async def settle() -> None:
    await asyncio.sleep(0.001)


async def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """A short, bounded poll for what nobody announces."""
    async with asyncio.timeout(seconds):
        while not condition():
            await settle()
