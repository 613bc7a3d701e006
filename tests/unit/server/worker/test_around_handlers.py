"""What goes wrong around a handler's call is the outcome of its attempt, whatever it is.

Each of it here, and in a quarantine process.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest

from taskq_server.core.config import Settings
from taskq_server.domain.lifecycle import Failure
from taskq_server.domain.task import Outcome, Status, Task
from taskq_server.handlers import load
from taskq_server.worker.attempts.executor import Executor
from taskq_server.worker.attempts.result import Failed, RunResult
from taskq_server.worker.attempts.running import RunningAttempt
from taskq_server.worker.quarantine.pool import QuarantinePool
from tests.support.odd_errors import AFTER, ODD, RAISED
from tests.unit.server.factories import NOW, seconds
from tests.unit.server.worker.attempts import LIMITS, attempt_of, decided
from tests.unit.server.worker.harness import RunnerHarness

MODULE = "tests.support.around"
LATER = NOW + seconds(60)
MOST = 8_192

Run = Callable[[list[RunningAttempt]], Awaitable[list[RunResult | None]]]


async def here(attempts: list[RunningAttempt]) -> list[RunResult | None]:
    handlers = load([MODULE]).handlers
    executor = Executor(2, LIMITS)
    verdicts = [await executor.run(handlers[each.task.handler], each) for each in attempts]
    executor.close()
    return verdicts


async def in_quarantine(attempts: list[RunningAttempt]) -> list[RunResult | None]:
    pool = QuarantinePool(Settings(handlers=(MODULE,)))
    async with asyncio.timeout(60):
        verdicts = await asyncio.gather(*map(pool.run, attempts))
    await pool.close()
    return verdicts


@pytest.fixture(params=[here, in_quarantine], ids=lambda run: run.__name__)
def run(request: pytest.FixtureRequest) -> Run:
    found: Run = request.param
    return found


async def failures(
    run: Run, handler: str, kinds: Iterable[str], payload: Callable[[str], Any] | None = None
) -> dict[str, tuple[Failure, Task]]:
    """Why each attempt failed, and its task after it."""
    told = payload or (lambda kind: {"kind": kind})
    made = {kind: attempt_of(told(kind), handler=handler, lost_count=1) for kind in kinds}
    found: dict[str, tuple[Failure, Task]] = {}
    verdicts = await run(list(made.values()))
    for (kind, attempt), run_result in zip(made.items(), verdicts, strict=True):
        assert isinstance(run_result, Failed), (kind, run_result)
        found[kind] = run_result.failure, decided(run_result, attempt.task).task
    return found


def statuses(found: dict[str, tuple[Failure, Task]]) -> set[tuple[Status, int]]:
    return {(task.status, task.current_retry_count) for _, task in found.values()}


@pytest.mark.parametrize("handler", ["around.validator", "around.thread_validator"])
async def test_what_a_validator_raises_fails_the_attempt(run: Run, handler: str) -> None:
    found = await failures(run, handler, RAISED)
    assert {kind: failure.type for kind, (failure, _) in found.items()} == {
        kind: kind for kind in RAISED
    }
    assert statuses(found) == {(Status.RETRYING, 1)}
    message, traceback = found["KeyError"][0].message, found["KeyError"][0].traceback or ""
    assert message == "'broken'"
    assert traceback.endswith("KeyError: 'broken'\n")


async def test_what_a_model_raises_once_it_is_made_fails_the_attempt(run: Run) -> None:
    found = await failures(run, "around.model", RAISED, lambda kind: {"checked": {"kind": kind}})
    assert {failure.type for failure, _ in found.values()} == set(RAISED)
    assert statuses(found) == {(Status.RETRYING, 1)}


async def test_a_default_that_cannot_be_made_fails_the_attempt(run: Run) -> None:
    found = await failures(run, "around.default", [""], lambda _: {})
    assert found[""][0].type == "KeyError"
    assert statuses(found) == {(Status.RETRYING, 1)}


async def test_a_payload_that_does_not_fit_is_fatal(run: Run) -> None:
    found = await failures(run, "around.model", [""], lambda _: {"checked": 5})
    assert found[""][0].type == "InvalidPayload"
    assert found[""][0].message.startswith("the payload does not fit the handler")
    assert statuses(found) == {(Status.FAILED, 0)}


@pytest.mark.parametrize("handler", ["around.raised", "around.thread_raised"])
async def test_what_a_handler_raises_fails_the_attempt(run: Run, handler: str) -> None:
    found = await failures(run, handler, RAISED)
    assert statuses(found) == {(Status.RETRYING, 1)}
    for kind, (failure, _) in found.items():
        assert kind in (failure.type, failure.message.removeprefix("the handler raised ")) or (
            failure.message == f"coroutine raised {kind}"
        )


@pytest.mark.parametrize("handler", ["around.error", "around.thread_error"])
async def test_an_error_may_be_as_odd_as_it_likes(run: Run, handler: str) -> None:
    found = await failures(run, handler, ODD)
    assert statuses(found) == {(Status.RETRYING, 1)}
    for kind, (failure, _) in found.items():
        said = (failure.type, failure.message, failure.traceback or "")
        assert [type(each) for each in said] == [str, str, str], kind
        assert all("\0" not in each and len(each.encode()) <= MOST for each in said), kind
        assert failure.traceback, kind
    types = {kind: failure.type for kind, (failure, _) in found.items()}
    assert types["Silent"] == "Silent"
    assert types["circle"] == types["number for notes"] == types["huge"] == "ValueError"
    assert found["huge"][0].message.endswith("☃…")
    assert found["Wordy"][0].message == "broken"
    assert "in odd_error" in (found["Noted"][0].traceback or ""), "frames, if nothing else"


async def test_a_retry_after_nonsense_comes_after_the_back_off(run: Run) -> None:
    found = await failures(run, "around.error", AFTER)
    assert statuses(found) == {(Status.RETRYING, 1)}
    for kind, (_, task) in found.items():
        assert LATER <= task.due_at <= LATER + seconds(1), kind


@pytest.mark.parametrize("handler", ["around.unwritable", "around.steps"])
async def test_a_result_that_breaks_when_it_is_written_is_none(run: Run, handler: str) -> None:
    found = await failures(run, handler, RAISED)
    assert {failure.type for failure, _ in found.values()} == {"InvalidResult"}
    assert statuses(found) == {(Status.FAILED, 0)}
    assert "KeyError" in found["KeyError"][0].message


async def test_a_fatal_error_without_words_is_fatal(run: Run) -> None:
    found = await failures(run, "around.fatal", [""], lambda _: {})
    assert (found[""][0].type, statuses(found)) == ("Mute", {(Status.FAILED, 0)})


async def test_a_policy_may_be_a_list(run: Run) -> None:
    worth = await failures(run, "around.listed", [""], lambda _: {})
    assert (worth[""][0].type, statuses(worth)) == ("ConnectionError", {(Status.RETRYING, 1)})
    other = await failures(run, "around.listed", [""], lambda _: {"other": True})
    assert (other[""][0].type, statuses(other)) == ("ValueError", {(Status.FAILED, 0)})


async def test_a_policy_that_breaks_is_not_asked(run: Run) -> None:
    found = await failures(run, "around.picky", [""], lambda _: {})
    assert (found[""][0].type, statuses(found)) == ("ValueError", {(Status.RETRYING, 1)})


async def test_an_error_of_taskqs_own_fails_the_attempt(
    harness: RunnerHarness, caplog: pytest.LogCaptureFixture
) -> None:
    """Here, limits that are no numbers."""

    async def work() -> int:
        raise ValueError

    limits = replace(LIMITS, traceback_bytes="none")  # type: ignore[arg-type]
    harness.executor = Executor(2, limits)
    harness.handlers["work"] = work
    after = await harness.run(await harness.put("work", max_retries=0))
    assert (after.status, after.current_retry_count) == (Status.FAILED, 0)
    (ended,) = harness.ended
    assert (ended.attempt.outcome, ended.attempt.error_type) == (Outcome.FAILED, "TypeError")
    assert "an error of taskq's own" in (ended.attempt.error_message or "")
    assert any(one.exc_info and one.levelno == logging.ERROR for one in caplog.records)


async def test_an_error_of_taskqs_own_in_quarantine_fails_the_attempt() -> None:
    """Here, a handler that only the worker has, and not the quarantine process."""
    attempt = attempt_of(handler="only.here", lost_count=1)
    (run_result,) = await in_quarantine([attempt])
    assert isinstance(run_result, Failed), run_result
    assert run_result.failure.type == "KeyError"
    assert decided(run_result, attempt.task).task.status is Status.RETRYING
