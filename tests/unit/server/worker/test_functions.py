"""`execute_task`, and the hooks that follow from a committed failure."""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from taskq_server.domain import lifecycle
from taskq_server.domain.backoff import Backoff
from taskq_server.domain.lifecycle import AttemptEnded, Failure
from taskq_server.domain.task import Outcome, Status
from taskq_server.handlers.declare import Hook
from taskq_server.handlers.registry import Registry, TaskEvent
from taskq_server.worker.calls import Calls
from taskq_server.worker.functions import RUNNER, event_of, execute_task, tell
from tests.unit.server.factories import NOW, running

ID = UUID("0198c0de-0000-7000-8000-000000000001")


class Rung:
    """Notes which attempts were to be run."""

    def __init__(self) -> None:
        self.attempts: list[tuple[UUID, int]] = []

    async def run(self, task_id: UUID, attempt: int) -> None:
        self.attempts.append((task_id, attempt))


async def test_a_doorbell_runs_its_attempt() -> None:
    rung = Rung()
    await execute_task({RUNNER: rung}, str(ID), 3)
    assert rung.attempts == [(ID, 3)]


@pytest.mark.parametrize("text", ["", "no id", "0198c0de", "☃"])
async def test_a_doorbell_without_an_id_is_dropped(
    text: str, caplog: pytest.LogCaptureFixture
) -> None:
    rung = Rung()
    with caplog.at_level(logging.WARNING, "taskq.server.worker"):
        await execute_task({RUNNER: rung}, text, 1)
    assert rung.attempts == []
    assert "dropped" in caplog.text


def failed(*, fatal: bool = False) -> AttemptEnded:
    broken = Failure(outcome=Outcome.FAILED, type="ValueError", message="broken", fatal=fatal)
    task = running(attempt=2, handler="h")
    return lifecycle.fail(task, broken, backoff=Backoff(), random=lambda: 0.5, now=NOW)


def registry(retry: Any = (), failure: Any = ()) -> Registry:
    return Registry({}, {Hook.RETRY: list(retry), Hook.JOB_FAILURE: list(failure)})


class Heard:
    """A hook that notes its events; `called` is set from whichever thread."""

    def __init__(self) -> None:
        self.events: list[TaskEvent] = []
        self.threads: list[threading.Thread] = []

    def hook(self) -> Callable[[TaskEvent], None]:
        def hook(event: TaskEvent) -> None:
            self.events.append(event)
            self.threads.append(threading.current_thread())

        return hook

    def async_hook(self) -> Callable[[TaskEvent], Any]:
        async def hook(event: TaskEvent) -> None:
            self.hook()(event)

        return hook


async def told(hooks: Registry, ended: AttemptEnded, seconds: float = 5.0) -> None:
    async with asyncio.timeout(60):
        await tell(hooks, event_of(ended.attempt, ended.task), Calls(seconds))


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_on_retry_hears_of_an_attempt_that_will_be_tried_again(kind: str) -> None:
    retry, failure = Heard(), Heard()
    hook = retry.hook() if kind == "sync" else retry.async_hook()
    ended = failed()
    await told(registry([hook], [failure.hook()]), ended)
    (event,) = retry.events
    assert (event.task_id, event.handler, event.attempt) == (ended.task.id, "h", 2)
    assert (event.error_type, event.error_message) == ("ValueError", "broken")
    assert event.retry_at == ended.task.run_at
    assert failure.events == []
    assert (retry.threads[0] is threading.main_thread()) == (kind == "async")


async def test_on_job_failure_hears_of_a_task_that_failed_for_good() -> None:
    retry, failure = Heard(), Heard()
    await told(registry([retry.hook()], [failure.async_hook()]), failed(fatal=True))
    (event,) = failure.events
    assert event.retry_at is None
    assert retry.events == []


async def test_on_job_failure_hears_of_a_lost_worker() -> None:
    heard = Heard()
    hooks = registry([], [heard.hook()])
    await told(hooks, lifecycle.rescue(running(lost_count=2), now=NOW))
    assert [event.error_type for event in heard.events] == ["WorkerLost"]


async def async_raising(_: object) -> None:
    raise RuntimeError("the hook is broken")


def raising(_: object) -> None:
    raise RuntimeError("the hook is broken")


async def async_leaving(_: object) -> None:
    raise SystemExit(1)


def leaving(_: object) -> None:
    raise SystemExit(1)


async def hanging(_: object) -> None:
    await asyncio.Event().wait()


async def cancelling(_: object) -> None:
    raise asyncio.CancelledError


async def stuck(_: object) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.Event().wait()
    await asyncio.Event().wait()


def stopping(_: object) -> None:
    raise StopIteration


@pytest.mark.parametrize(
    "hook",
    [async_raising, raising, hanging, stuck, cancelling, async_leaving, leaving, stopping],
)
async def test_a_bad_hook_is_logged_and_the_next_one_runs(
    hook: Any, caplog: pytest.LogCaptureFixture
) -> None:
    heard = Heard()
    with caplog.at_level(logging.ERROR, "taskq.server.worker"):
        try:
            await told(registry([hook, heard.async_hook()]), failed(), seconds=0.02)
        except SystemExit:
            pytest.fail("a hook ended the process")
    assert len(heard.events) == 1
    assert hook.__name__ in caplog.text


async def test_a_slow_sync_hook_holds_nobody_up() -> None:
    let_go = threading.Event()
    heard = Heard()

    def slow(event: TaskEvent) -> None:
        heard.hook()(event)
        let_go.wait(60)

    try:
        await told(registry([slow, heard.async_hook()]), failed(), seconds=0.02)
        assert len(heard.events) == 2
        assert heard.threads[0].daemon, "the end of the process would wait for it"
        async with asyncio.timeout(60):
            await asyncio.get_running_loop().shutdown_default_executor()
    finally:
        let_go.set()


async def test_a_task_that_is_waiting_again_did_not_fail_for_good() -> None:
    """A replay, after somebody retried the task: the failure it tells of still happened."""
    heard = Heard()
    ended = failed(fatal=True)
    assert ended.task.status is Status.FAILED
    retried = ended._replace(task=lifecycle.retry(ended.task, now=NOW))
    await told(registry([], [heard.hook()]), retried)
    assert [event.attempt for event in heard.events] == [2]
