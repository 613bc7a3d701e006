"""One attempt of a real handler, and how its task goes on."""

import asyncio
import threading
import time
from typing import Any

import pytest

from taskq_server import Context, Fatal, Retry
from taskq_server.domain.task import Outcome, Status
from taskq_server.worker.attempts.executor import Executor
from taskq_server.worker.attempts.running import RunningAttempt, StopReason
from tests.unit.server.factories import NOW, seconds
from tests.unit.server.worker.attempts import LIMITS, attempt_of, decided, handler_of, run

LATER = NOW + seconds(60)


async def add(a: int, b: int = 1) -> int:
    return a + b


def add_in_thread(a: int, b: int = 1) -> int:
    return a + b


async def raising() -> None:
    raise KeyError("broken")


def raising_in_thread() -> None:
    raise KeyError("broken")


@pytest.mark.parametrize("function", [add, add_in_thread])
async def test_what_a_handler_returns_is_the_result(function: Any) -> None:
    ended = await run(function, {"a": 41})
    assert (ended.task.status, ended.attempt.result) == (Status.SUCCEEDED, "42")


@pytest.mark.parametrize("function", [raising, raising_in_thread])
async def test_what_a_handler_raises_is_charged_and_tried_again(function: Any) -> None:
    ended = await run(function, attempt=2)
    assert (ended.task.status, ended.task.current_retry_count) == (Status.RETRYING, 1)
    assert ended.attempt.outcome is Outcome.FAILED
    assert (ended.attempt.error_type, ended.attempt.error_message) == ("KeyError", "'broken'")
    assert ended.attempt.traceback is not None
    assert 'raise KeyError("broken")' in ended.attempt.traceback


@pytest.mark.parametrize(
    ("retry_on", "status"),
    [
        ((KeyError,), Status.RETRYING),
        ((OSError, LookupError), Status.RETRYING),
        ((OSError,), Status.FAILED),
        ((), Status.FAILED),
    ],
)
async def test_retry_on_says_which_errors_are_worth_a_retry(
    retry_on: tuple[type[Exception], ...], status: Status
) -> None:
    assert (await run(raising, retry_on=retry_on)).task.status is status


async def test_fatal_ends_the_task() -> None:
    async def handler() -> None:
        raise Fatal("no use")

    ended = await run(handler)
    assert (ended.task.status, ended.attempt.error_type) == (Status.FAILED, "Fatal")
    assert ended.attempt.error_message == "no use"


async def test_retry_is_charged_and_says_when_whatever_retry_on_says() -> None:
    async def handler() -> None:
        raise Retry("busy", after=17.5)

    ended = await run(handler, retry_on=())
    assert (ended.task.status, ended.task.current_retry_count) == (Status.RETRYING, 1)
    assert ended.task.run_at == LATER + seconds(17.5)
    assert ended.attempt.error_message == "busy"


async def test_a_payload_that_does_not_fit_is_fatal() -> None:
    ended = await run(add, {"a": "x"})
    assert (ended.task.status, ended.attempt.error_type) == (Status.FAILED, "InvalidPayload")
    assert "a" in (ended.attempt.error_message or "")


async def test_an_async_handler_that_runs_too_long_is_cancelled_and_retried() -> None:
    cleaned = asyncio.Event()

    async def handler() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.set()

    ended = await run(handler, timeout_seconds=0.02)
    assert cleaned.is_set()
    assert (ended.task.status, ended.task.current_retry_count) == (Status.RETRYING, 1)
    assert (ended.attempt.outcome, ended.attempt.error_type) == (Outcome.TIMED_OUT, "TimeoutError")


async def test_a_timeout_is_worth_a_retry_whatever_retry_on_says() -> None:
    async def handler() -> None:
        await asyncio.Event().wait()

    assert (await run(handler, retry_on=(), timeout_seconds=0.01)).task.status is Status.RETRYING


async def test_a_sync_handler_that_runs_too_long_sees_that_it_is_cancelled() -> None:
    seen = threading.Event()

    def handler(context: Context) -> None:
        while not context.cancelled:
            time.sleep(0.001)
        seen.set()

    ended = await run(handler, timeout_seconds=0.02)
    assert seen.is_set()
    assert ended.attempt.outcome is Outcome.TIMED_OUT


async def test_an_error_of_the_handlers_own_is_no_timeout() -> None:
    async def handler() -> None:
        raise TimeoutError("the other side")

    ended = await run(handler)
    assert (ended.attempt.outcome, ended.attempt.error_message) == (
        Outcome.FAILED,
        "the other side",
    )


async def begin(
    function: Any, **changes: Any
) -> tuple[RunningAttempt, Executor, asyncio.Task[Any]]:
    """Start an attempt in the background."""
    executor = Executor(1, LIMITS)
    attempt = attempt_of(**changes)
    job = asyncio.create_task(executor.run(handler_of(function), attempt))
    return attempt, executor, job


@pytest.mark.parametrize(
    ("cause", "status", "outcome"),
    [
        (StopReason.CANCEL, Status.CANCELLED, Outcome.CANCELLED),
        (StopReason.RELEASE, Status.QUEUED, Outcome.RELEASED),
    ],
)
async def test_an_interrupted_handler_is_cancelled_and_not_charged(
    cause: StopReason, status: Status, outcome: Outcome
) -> None:
    inside, cleaned = asyncio.Event(), asyncio.Event()

    async def handler() -> None:
        inside.set()
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.set()

    attempt, executor, job = await begin(handler)
    await inside.wait()
    attempt.interrupt(cause)
    ended = decided(await job, attempt.task)
    executor.close()
    assert cleaned.is_set()
    assert (ended.task.status, ended.attempt.outcome) == (status, outcome)
    assert ended.task.current_retry_count == 0


async def test_what_was_lost_is_not_ours_to_decide() -> None:
    inside = asyncio.Event()

    async def handler() -> None:
        inside.set()
        await asyncio.Event().wait()

    attempt, executor, job = await begin(handler)
    await inside.wait()
    attempt.interrupt(StopReason.LOST)
    assert await job is None
    executor.close()


async def test_a_handler_that_finishes_while_its_worker_stops_has_succeeded() -> None:
    inside = asyncio.Event()

    async def handler() -> str:
        inside.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "saved"
        return "never"

    attempt, executor, job = await begin(handler)
    await inside.wait()
    attempt.interrupt(StopReason.RELEASE)
    ended = decided(await job, attempt.task)
    executor.close()
    assert (ended.task.status, ended.attempt.result) == (Status.SUCCEEDED, '"saved"')


async def test_a_deaf_handler_gets_its_grace_and_no_more() -> None:
    let_go = asyncio.Event()

    async def handler() -> None:
        while not let_go.is_set():
            try:
                await let_go.wait()
            except asyncio.CancelledError:
                continue

    attempt, executor, job = await begin(handler, timeout_seconds=0.01)
    async with asyncio.timeout(60):
        ended = decided(await job, attempt.task)
    assert ended.attempt.outcome is Outcome.TIMED_OUT
    let_go.set()
    executor.close()


async def test_a_sync_handler_does_not_block_the_loop() -> None:
    go_on = threading.Event()
    thread: list[str] = []

    def handler() -> str:
        thread.append(threading.current_thread().name)
        assert go_on.wait(60), "the loop stands still"
        return "done"

    attempt, executor, job = await begin(handler)
    await asyncio.sleep(0)
    go_on.set()
    ended = decided(await job, attempt.task)
    executor.close()
    assert ended.attempt.result == '"done"'
    assert thread[0] != threading.current_thread().name


async def test_no_more_sync_handlers_run_at_once_than_there_are_threads() -> None:
    gate = threading.Event()
    lock = threading.Lock()
    now = most = 0

    def handler() -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
            if now == 2:
                gate.set()
        gate.wait(60)
        with lock:
            now -= 1

    executor = Executor(2, LIMITS)
    jobs = [executor.run(handler_of(handler), attempt_of()) for _ in range(6)]
    verdicts = await asyncio.gather(*jobs)
    executor.close()
    assert most == 2
    assert all(run_result is not None for run_result in verdicts)


@pytest.mark.parametrize("cause", [StopReason.CANCEL, StopReason.RELEASE])
async def test_an_attempt_that_waits_for_a_thread_can_be_interrupted(cause: StopReason) -> None:
    """All threads are taken by others: it must not wait for them, and not start any more."""
    let_go, inside = threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    ran = threading.Event()

    def occupy() -> None:
        loop.call_soon_threadsafe(inside.set)
        let_go.wait(60)

    executor = Executor(1, LIMITS)
    first = asyncio.create_task(executor.run(handler_of(occupy), attempt_of()))
    await inside.wait()
    attempt = attempt_of()
    second = asyncio.create_task(executor.run(handler_of(ran.set), attempt))
    await asyncio.sleep(0)
    attempt.interrupt(cause)
    done, _ = await asyncio.wait({second}, timeout=2)
    let_go.set()
    await first
    ended = decided(await second, attempt.task)
    executor.close()
    assert done, "it waited for a thread although it was told to stop"
    assert not ran.is_set()
    assert ended.task.status is (Status.CANCELLED if cause is StopReason.CANCEL else Status.QUEUED)


async def test_the_time_in_the_row_is_what_counts() -> None:
    async def handler() -> int:
        await asyncio.sleep(0.05)
        return 1

    assert (await run(handler, timeout_seconds=5.0)).task.status is Status.SUCCEEDED


async def test_others_are_served_between_large_payloads() -> None:
    ticks, seen, executor = 0, list[int](), Executor(2, LIMITS)

    async def handler(value: list[list[int]]) -> None:
        seen.append(ticks)

    async def count() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0)
            ticks += 1

    counting = asyncio.create_task(count())
    attempts = [attempt_of({"value": [[]] * 10_000}) for _ in range(20)]
    await asyncio.gather(*(executor.run(handler_of(handler), one) for one in attempts))
    counting.cancel()
    executor.close()
    assert len(set(seen)) == 20
