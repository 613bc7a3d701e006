"""A handler is run for a test as a worker runs it, without a database and without waiting."""

import asyncio
import functools
import os
import random
import threading
import time
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID

import pytest
from pydantic import BaseModel

from taskq_server import Backoff, Context, Fatal, Retry, State, handler
from taskq_server.domain.errors import ConfigurationError, InvalidFields
from taskq_server.testing import Fire, Log, RecordedAttempt, run, run_async


class Shared(Protocol):
    currency: str


class Report(BaseModel):
    month: str
    currency: str


@handler("reports.build", max_retries=2, backoff=Backoff(base=10, cap=15))
async def build(context: Context[Shared], month: str, failures: int = 0) -> Report:
    """Fail the first attempts."""
    context.logger.info("attempt %d for %s", context.attempt, month)
    await context.progress(context.attempt, 3, "reading")
    await context.submit("mails.send", {"month": month}, priority="high", tags=["report"])
    if context.attempt <= failures:
        raise LookupError(f"no data for {month}")
    return Report(month=month, currency=context.state.currency)


@handler("films.encode")
def encode(context: Context, frames: int) -> int:
    for frame in range(frames):
        if context.cancelled:
            raise RuntimeError("told to stop")
        context.progress(frame, frames)
    return frames


@handler("films.stream")
async def stream(context: Context, frames: int) -> int:
    for frame in range(frames):
        context.progress(frame, frames)
        await asyncio.sleep(0)
    return frames


@handler("hang")
async def hang() -> None:
    await asyncio.Event().wait()


def test_a_result_is_what_callers_read() -> None:
    ran = run(build, {"month": "2026-10"}, state={"currency": "EUR"})
    assert (ran.status, ran.error) == ("succeeded", None)
    assert ran.result == {"month": "2026-10", "currency": "EUR"}
    assert [attempt.outcome for attempt in ran.attempts] == ["succeeded"]


def test_tries_and_back_offs_are_those_of_the_handler_and_take_no_time() -> None:
    began = time.monotonic()
    ran = run(build, {"month": "x", "failures": 9}, state=State(currency="EUR"))
    assert time.monotonic() - began < 5
    assert (ran.status, ran.result, ran.error) == ("failed", None, "LookupError: no data for x")
    assert [attempt.backoff_seconds for attempt in ran.attempts] == [10, 15, None]
    assert [attempt.number for attempt in ran.attempts] == [1, 2, 3]
    assert all("in build" in (attempt.traceback or "") for attempt in ran.attempts)


def test_time_and_chance_are_arguments() -> None:
    now = datetime(2026, 11, 26, tzinfo=UTC)
    ran = run(build, {"month": "x", "failures": 2}, state=State(), random=lambda: 0.5, now=now)
    waited = [(attempt.started_at - now).total_seconds() for attempt in ran.attempts]
    assert waited == [0, 5, 12.5]
    drawn = run(build, {"month": "x", "failures": 2}, state=State(), random=random.random)
    assert all(0 <= (attempt.backoff_seconds or 0) < 15 for attempt in drawn.attempts)


def test_progress_logs_and_children_are_recorded() -> None:
    ran = run(build, {"month": "x", "failures": 1}, state=State(currency="EUR"))
    assert [(one.current, one.total, one.message) for one in ran.progress] == [
        (1, 3, "reading"),
        (2, 3, "reading"),
    ]
    assert ran.logs == [Log("INFO", "attempt 1 for x"), Log("INFO", "attempt 2 for x")]
    (child,) = ran.children  # the second attempt submits the same child
    assert isinstance(child.id, UUID)
    assert (child.handler, child.payload) == ("mails.send", {"month": "x"})
    assert (child.request.priority.label, child.request.tags) == ("high", ["report"])
    assert [len(attempt.children) for attempt in ran.attempts] == [1, 1]


def test_a_log_line_reaches_the_log_as_well(caplog: pytest.LogCaptureFixture) -> None:
    run(build, {"month": "x"}, state=State(currency="EUR"))
    assert "attempt 1 for x" in caplog.text


def test_a_child_that_cannot_be_taken_is_refused() -> None:
    @handler("parent")
    async def parent(context: Context) -> str:
        try:
            await context.submit("mails.send", {}, priority="enormous")
        except InvalidFields as error:
            return error.errors[0].pointer
        return "taken"

    assert run(parent).result == "/priority"


@pytest.mark.parametrize(
    "payload", [{}, {"month": 5}, {"month": "x", "moth": 1}, {"month": "x", "failures": "many"}]
)
def test_a_payload_that_does_not_fit_fails_at_once(payload: dict[str, Any]) -> None:
    ran = run(build, payload, state=State(currency="EUR"))
    assert (ran.status, len(ran.attempts)) == ("failed", 1)
    assert ran.attempts[0].error_type == "InvalidPayload"
    assert (ran.error or "").startswith("InvalidPayload: the payload does not fit the handler")


@pytest.mark.parametrize(
    ("error", "outcomes", "waits"),
    [
        (Fatal("never"), ["failed"], [None]),
        (Retry("later", after=90), ["failed", "failed"], [90, None]),
        (KeyError("k"), ["failed", "failed"], [1, None]),
        (OSError("not mine"), ["failed"], [None]),
    ],
)
def test_what_is_raised_decides_as_in_a_worker(
    error: Exception, outcomes: list[str], waits: list[float | None]
) -> None:
    @handler("raise.it", retry_on=LookupError, max_retries=1)
    async def fail() -> None:
        raise error

    ran = run(fail)
    assert ran.status == "failed"
    assert [attempt.outcome for attempt in ran.attempts] == outcomes
    assert [attempt.backoff_seconds for attempt in ran.attempts] == waits


@pytest.mark.parametrize("encoder", [encode, stream])
def test_a_test_cancels_or_times_out_by_what_the_handler_does(encoder: Any) -> None:
    def at_the_third(stop: str) -> Any:
        return lambda attempt: len(attempt.progress) == 3 and getattr(attempt, stop)()

    cancelled = run(encoder, {"frames": 100_000}, watch=at_the_third("cancel"))
    assert (cancelled.status, [one.outcome for one in cancelled.attempts]) == (
        "cancelled",
        ["cancelled"],
    )
    assert len(cancelled.progress) == 3, "it stops at once"
    late = run(encoder, {"frames": 100_000}, watch=at_the_third("time_out"), max_retries=1)
    assert [(one.outcome, one.backoff_seconds) for one in late.attempts] == [
        ("timed_out", 1),
        ("timed_out", None),
    ]
    assert late.error == "TimeoutError: the attempt ran longer than 300 seconds"


def test_a_released_attempt_is_run_again_and_not_charged() -> None:
    def release_the_first(attempt: RecordedAttempt) -> None:
        if attempt.number == 1:
            attempt.release()

    ran = run(stream, {"frames": 3}, watch=release_the_first, max_retries=0)
    assert [attempt.outcome for attempt in ran.attempts] == ["released", "succeeded"]
    assert ran.result == 3


def test_what_only_hangs_is_cancelled_or_timed_out_after_real_time() -> None:
    assert run(hang, cancel_after=0.01).status == "cancelled"
    late = run(hang, timeout=0.01)
    assert [attempt.backoff_seconds for attempt in late.attempts] == [1, 2, 4, None]
    assert {attempt.outcome for attempt in late.attempts} == {"timed_out"}


def test_a_handler_that_ends_in_time_is_not_cancelled() -> None:
    assert run(stream, {"frames": 3}, cancel_after=60).status == "succeeded"


@pytest.mark.parametrize("encoder", [encode, stream])
def test_an_assertion_in_a_watch_is_the_tests(encoder: Any) -> None:
    def never_three(attempt: RecordedAttempt) -> None:
        assert len(attempt.progress) < 3, "three"

    with pytest.raises(AssertionError, match="three"):
        run(encoder, {"frames": 100_000}, watch=never_three)


async def test_in_an_async_test_it_is_awaited() -> None:
    ran = await run_async(build, {"month": "x"}, state=State(currency="EUR"))
    assert ran.status == "succeeded"
    with pytest.raises(RuntimeError, match="await run_async"):
        run(build, {"month": "x"})


async def test_runs_at_once_keep_their_records_apart() -> None:
    runs = [run_async(build, {"month": f"m{n}"}, state=State(currency="EUR")) for n in range(3)]
    ran = await asyncio.gather(*runs)
    assert [[log.message for log in one.logs] for one in ran] == [
        [f"attempt 1 for m{n}"] for n in range(3)
    ]


def test_a_sync_handler_runs_in_a_thread_and_submits_children() -> None:
    @handler("sync")
    def sync(context: Context) -> bool:
        context.submit_blocking("mails.send", {"to": "x"})
        context.logger.warning("sent")
        return threading.current_thread() is not threading.main_thread()

    ran = run(sync)
    assert ran.result is True
    assert [child.handler for child in ran.children] == ["mails.send"]
    assert ran.logs == [Log("WARNING", "sent")]


def test_a_result_that_is_not_json_fails_as_in_a_worker() -> None:
    @handler("odd")
    def odd() -> object:
        return object()

    assert (run(odd).error or "").startswith("InvalidResult: the result is not JSON")


def test_an_object_of_yours_is_the_state() -> None:
    class Mine:
        currency = "CHF"

    assert run(build, {"month": "x"}, state=Mine()).result["currency"] == "CHF"


def test_settings_of_the_shell_do_not_change_a_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASKQ_MAX_RETRIES", "0")
    assert len(run(hang, timeout=0.01).attempts) == 4


def test_a_function_under_more_decorators_is_found() -> None:
    @handler("inner")
    def inner(n: int) -> int:
        return n + 1

    @functools.wraps(inner)
    def outer(n: int) -> int:
        return inner(n) * 2

    assert run(outer, {"n": 1}).result == 4


def test_what_is_no_handler_is_said_in_a_sentence() -> None:
    with pytest.raises(ConfigurationError, match=r"is no handler: write @handler"):
        run(print)


@pytest.mark.parametrize(
    ("payload", "options", "sentence"),
    [
        ({"month": object()}, {}, "the payload is not JSON"),
        ({"month": float("nan")}, {}, "the payload is not JSON"),
        (["month"], {}, "a payload is a mapping"),
        ({"month": "x"}, {"max_retries": -1}, "max_retries must be between 0 and 100"),
        ({"month": "x"}, {"max_retries": 101}, "max_retries must be between 0 and 100"),
        ({"month": "x"}, {"timeout": 0}, "timeout must be more than 0"),
        ({"month": "x"}, {"timeout": 1e9}, "timeout must be more than 0"),
        ({"month": "x"}, {"now": datetime(2026, 1, 1)}, "a time with a zone"),  # noqa: DTZ001
    ],
)
def test_bad_arguments_are_said_in_a_sentence(
    payload: Any, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises((TypeError, ValueError), match=sentence):
        run(build, payload, **options)


def test_a_handler_for_a_process_runs_in_a_thread_of_the_test() -> None:
    @handler("computes", process=True)
    def computes(context: Context, n: int) -> int:
        context.progress(n)
        return os.getpid()

    ran = run(computes, {"n": 3})
    assert (ran.result, [one.current for one in ran.progress]) == (os.getpid(), [3])


@handler("reports.nightly")
async def nightly(context: Context) -> str:
    return "a person" if context.schedule is None else f"{context.schedule.fire_at:%d %B}"


def test_a_test_says_which_schedule_has_fired_the_task() -> None:
    fire = Fire("nightly", datetime(2026, 10, 1, 3, tzinfo=UTC))
    assert run(nightly, schedule=fire).result == "01 October"
    assert run(nightly).result == "a person"
