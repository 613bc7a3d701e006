"""What a running handler can ask for and say."""

import asyncio
import gc
import json
import logging
import math
import threading
from contextlib import suppress
from typing import Any, cast

import pytest

from taskq_server import Context
from taskq_server.domain.errors import InvalidFields
from taskq_server.domain.task import Priority
from taskq_server.domain.unique import OnConflict
from taskq_server.worker.attempts.running import RunningAttempt, StopReason, progress_json
from tests.unit.server.worker.attempts import Children, attempt_of, run


def told(attempt: RunningAttempt) -> Any:
    report = attempt.take_report()
    return None if report is None else json.loads(progress_json(report))


async def test_the_latest_progress_is_taken_once(anyio_backend: str) -> None:
    attempt = attempt_of()
    assert told(attempt) is None
    await attempt.context.progress(1, 10, "one")
    attempt.context.progress(2.5)  # type: ignore[unused-awaitable,unused-ignore]
    assert told(attempt) == {"current": 2.5, "total": None, "message": None}
    assert told(attempt) is None


async def test_progress_is_reported_from_async_and_from_sync_handlers() -> None:
    seen: list[Context] = []

    async def asynchronous(context: Context) -> None:
        seen.append(context)
        await context.progress(1, 2, "reading")

    def synchronous(context: Context) -> None:
        seen.append(context)
        context.progress(1, 2, "reading")  # type: ignore[unused-awaitable,unused-ignore]

    for function in (asynchronous, synchronous):
        ended = await run(function)
        assert ended.task.status == "succeeded"
    assert len(seen) == 2


async def test_a_message_is_cut_and_made_printable() -> None:
    attempt = attempt_of()
    await attempt.context.progress(1, None, "a\0b\ud800" + "☃" * 1_000)
    message = told(attempt)["message"]
    assert message.startswith("ab?☃")
    assert len(message.encode()) <= 500
    assert message.endswith("…")


@pytest.mark.parametrize("wrong", ["1", [1], 1j, object()])
async def test_progress_takes_numbers(wrong: Any) -> None:
    attempt = attempt_of()
    with pytest.raises(TypeError, match="numbers"):
        await attempt.context.progress(wrong, 1)
    assert told(attempt) is None


class Float(float):
    """Like numpy.float64: a float, but not exactly one."""


@pytest.mark.parametrize("number", [Float(1.5), True, 0, -3, 2**63, 2**64, 10**30])
async def test_any_finite_number_can_be_told(number: float) -> None:
    attempt = attempt_of()
    await attempt.context.progress(number, number)
    current = told(attempt)["current"]
    assert current == pytest.approx(float(number))
    assert not isinstance(current, bool), "a number on the wire"


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
async def test_what_json_cannot_say_is_refused_where_it_is_said(number: float) -> None:
    attempt = attempt_of()
    with pytest.raises((TypeError, ValueError)):
        await attempt.context.progress(number)
    assert told(attempt) is None


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no words")


async def test_a_message_that_cannot_be_printed_ends_nothing_but_the_handler() -> None:
    """It may be refused at once, or dropped; it must not blow up in the worker later."""
    attempt = attempt_of()
    with suppress(TypeError, RuntimeError):
        await attempt.context.progress(1, 2, cast(str, Unprintable()))
    told(attempt)


async def test_a_context_says_what_runs(caplog: pytest.LogCaptureFixture) -> None:
    attempt = attempt_of(attempt=7, handler="reports.build")
    context = attempt.context
    assert (context.task_id, context.handler, context.attempt) == (
        attempt.task.id,
        "reports.build",
        7,
    )
    with caplog.at_level(logging.INFO, "taskq.server.handler"):
        context.logger.info("hello")
    (record,) = caplog.records
    assert vars(record)["task_id"] == str(attempt.task.id)
    assert vars(record)["attempt"] == 7


async def test_an_interrupted_context_is_cancelled_and_the_first_cause_counts() -> None:
    attempt = attempt_of()
    before = attempt.context.cancelled
    attempt.interrupt(StopReason.RELEASE)
    attempt.interrupt(StopReason.CANCEL)
    assert (before, attempt.context.cancelled) == (False, True)
    assert attempt.cause is StopReason.RELEASE
    assert attempt.interrupted.is_set()


async def submit_three(context: Context) -> None:
    await context.submit("child", {"n": 1}, tags=["x"])
    await context.submit("child", {"n": 1}, tags=["x"])
    await context.submit("child", {"n": 2})


async def test_child_keys_are_the_same_in_every_attempt() -> None:
    task = attempt_of().task
    keys: list[list[str]] = []
    for number in (1, 2):
        children = Children()
        await submit_three(attempt_of(id=task.id, attempt=number, children=children).context)
        keys.append([key for _, key in children.submitted])
    assert keys[0] == keys[1]
    assert len(set(keys[0])) == 3, "the same child twice is two children"

    stranger = Children()
    await submit_three(attempt_of(children=stranger).context)
    assert not {key for _, key in stranger.submitted} & set(keys[0])


async def test_a_child_is_submitted_with_its_options() -> None:
    children = Children()
    context = attempt_of(children=children).context
    await context.submit("child", {"n": 1}, priority="high", delay_seconds=5, tags=["t"])
    ((new, key),) = children.submitted
    assert (new.handler, new.payload, new.priority) == ("child", {"n": 1}, Priority.HIGH)
    assert (new.delay_seconds, new.tags) == (5, ["t"])
    assert key.startswith("\0"), "no caller's key has one"


async def test_a_child_may_be_unique_work() -> None:
    children = Children()
    context = attempt_of(children=children).context
    await context.submit("child", {"n": 1}, unique_key="customer 7", on_conflict="reject")
    ((new, _),) = children.submitted
    assert (new.unique_key, new.on_conflict) == ("customer 7", OnConflict.REJECT)
    with pytest.raises(InvalidFields) as refused:
        await context.submit("child", unique_key=" customer 7")
    assert [each.pointer for each in refused.value.errors] == ["/unique_key"]


async def test_the_order_of_payload_keys_makes_no_other_child() -> None:
    task_id = attempt_of().task.id
    children = Children()
    for payload in ({"a": 1, "b": 2}, {"b": 2, "a": 1}):
        await attempt_of(id=task_id, children=children).context.submit("child", payload)
    (_, first), (_, second) = children.submitted
    assert first == second


async def test_a_sync_handler_submits_children_too() -> None:
    children = Children()
    attempt = attempt_of(children=children)
    thread: list[threading.Thread] = []

    def work() -> Any:
        thread.append(threading.current_thread())
        return attempt.context.submit_blocking("child", {"n": 1})

    child = await asyncio.to_thread(work)
    assert child.int == 1
    assert thread[0] is not threading.main_thread()
    assert children.submitted[0][0].handler == "child"


async def test_on_the_event_loop_it_would_wait_for_ever(recwarn: pytest.WarningsRecorder) -> None:
    children = Children()
    with pytest.raises(RuntimeError, match=r"await submit\(...\) instead"):
        attempt_of(children=children).context.submit_blocking("child", {"n": 1})
    assert not children.submitted
    gc.collect()
    assert not recwarn.list


async def test_a_child_that_cannot_be_taken_says_where() -> None:
    with pytest.raises(InvalidFields) as caught:
        await attempt_of().context.submit("child", {"n": 1}, priority="highest")
    assert [error.pointer for error in caught.value.errors] == ["/priority"]
