"""The worker's side: claim, end, report, rescue."""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from taskq_server.core.clock import Clock
from taskq_server.domain import lifecycle
from taskq_server.domain.admission import ClaimRequest, Gate, NotNow, due_of
from taskq_server.domain.backoff import Backoff
from taskq_server.domain.errors import StaleAttempt
from taskq_server.domain.lifecycle import AttemptEnded, Failure
from taskq_server.domain.task import Outcome, Priority, Status, Task
from taskq_server.runtime import Runtime
from taskq_server.services.attempts import AttemptService, Claim
from taskq_server.services.reports import Completion, Report
from tests.support.callers import CALLER
from tests.unit.server.factories import (
    NOW,
    OTHER_WORKER,
    WORKER,
    all_stored,
    make_task,
    rows_of,
    running,
    seconds,
    store,
    stored,
)

CAN = frozenset({"taskq.echo"})


@pytest.fixture
def attempts(runtime: Runtime) -> AttemptService:
    return runtime.attempts(has_failure_hooks=True)


def ask(task: Task, **changes: Any) -> ClaimRequest:
    return ClaimRequest(
        **{
            "task_id": task.id,
            "attempt": task.attempt + 1,
            "worker_id": WORKER,
            "namespaces": frozenset({"default"}),
            "handlers": CAN,
            "quarantine_room": lambda: 0,
            **changes,
        }
    )


def success(task: Task, now: datetime) -> AttemptEnded:
    return lifecycle.succeed(task, result="1", now=now)


def failure(task: Task, now: datetime) -> AttemptEnded:
    broken = Failure(outcome=Outcome.FAILED, type="E", message="m")
    return lifecycle.fail(task, broken, backoff=Backoff(), random=lambda: 0.5, now=now)


def ending(
    task: Task, decide: Callable[[Task, datetime], AttemptEnded] = success, **of: Any
) -> Completion:
    fields = {"task_id": task.id, "attempt": task.attempt, "worker_id": WORKER, **of}
    return Completion(**fields, decide=decide)


def whole(task: Task) -> Task:
    """An end may come without the payload, which it does not change."""
    return task._replace(payload=make_task().payload)


async def test_a_claim_hands_over_the_whole_task(
    runtime: Runtime, attempts: AttemptService
) -> None:
    task = make_task(payload='{"value":"all of it"}')
    await store(runtime.database, task)
    claim = await attempts.claim(ask(task))
    assert isinstance(claim, Claim)
    claimed = claim.task
    assert claimed.payload == task.payload
    assert (claimed.status, claimed.attempt, claimed.worker_id) == (Status.RUNNING, 1, WORKER)
    assert claimed == await stored(runtime.database, task.id)


async def test_without_threads_the_last_by_score_stay_as_they_are(
    runtime: Runtime, attempts: AttemptService
) -> None:
    urgent = make_task(handler="sync", priority=Priority.URGENT)
    low = [make_task(handler="sync", priority=Priority.LOW) for _ in range(3)]
    other = make_task(priority=Priority.LOW)
    quarantined = make_task(handler="sync", priority=Priority.LOW, lost_count=1)
    waiting = [*low, other, quarantined, urgent]
    await store(runtime.database, *waiting)
    threads = {"handlers": CAN | {"sync"}, "sync": {"sync"}, "threads": lambda _: 2}
    answers = await asyncio.gather(*(attempts.claim(ask(task, **threads)) for task in waiting))
    refused = [
        task for task, answer in zip(waiting, answers, strict=True) if not isinstance(answer, Claim)
    ]
    assert refused == low[1:], "what needs no thread here is claimed"
    assert answers[1:3] == [NotNow(Gate.THREAD, due_of(task)) for task in refused]
    rows = await all_stored(runtime.database, [task.id for task in refused])
    assert list(rows.values()) == refused


async def test_of_many_claims_of_one_task_one_wins(
    runtime: Runtime, attempts: AttemptService
) -> None:
    task = make_task()
    await store(runtime.database, task)
    answers = await asyncio.gather(*(attempts.claim(ask(task)) for _ in range(20)))
    assert sum(isinstance(answer, Claim) for answer in answers) == 1
    assert answers.count(None) == 19
    assert (await stored(runtime.database, task.id)).attempt == 1


async def test_claims_of_two_processes_do_not_meet(runtime: Runtime) -> None:
    made = [make_task() for _ in range(30)]
    await store(runtime.database, *made)
    services = [runtime.attempts(has_failure_hooks=False) for _ in range(2)]
    answers = await asyncio.gather(
        *(
            service.claim(ask(task, worker_id=worker))
            for service, worker in zip(services, (WORKER, OTHER_WORKER), strict=True)
            for task in made
        )
    )
    won = [answer.task for answer in answers if isinstance(answer, Claim)]
    assert sorted(task.id for task in won) == [task.id for task in made]
    rows = await all_stored(runtime.database, [task.id for task in made])
    assert rows == {task.id: task for task in won}


async def test_claims_for_two_worker_ids_in_one_batch_are_written_as_answered(
    runtime: Runtime, attempts: AttemptService
) -> None:
    """A worker that lost its lease has a new id while older claims still wait."""
    one, two = make_task(), make_task()
    await store(runtime.database, one, two)
    answers = await asyncio.gather(
        attempts.claim(ask(one, worker_id=WORKER)), attempts.claim(ask(two, worker_id=OTHER_WORKER))
    )
    rows = await all_stored(runtime.database, [one.id, two.id])
    assert (Claim(rows[one.id]), Claim(rows[two.id])) == tuple(answers)


@pytest.mark.parametrize(
    ("task", "changes"),
    [
        (make_task(), {"attempt": 2}),
        (make_task(), {"attempt": 0}),
        (make_task(), {"handlers": frozenset({"other"})}),
        (make_task(handler="other"), {}),
        (make_task(run_at=make_task().created_at + seconds(10**9)), {}),
        *((make_task(status), {}) for status in Status if not status.waiting),
    ],
)
async def test_what_is_not_the_workers_to_run_is_refused(
    runtime: Runtime, attempts: AttemptService, task: Task, changes: dict[str, Any]
) -> None:
    await store(runtime.database, task)
    assert await attempts.claim(ask(task, **changes)) is None
    assert await stored(runtime.database, task.id) == task


async def test_a_claim_is_judged_by_the_earliest_time_and_stored_with_the_likely_one(
    runtime: Runtime,
) -> None:
    """The clock has heard one answer, which took ten seconds."""
    clock = Clock()
    clock.sync(NOW, time.monotonic() - 10)
    attempts = AttemptService(
        runtime.database,
        clock,
        runtime.dispatcher,
        runtime.after_commit,
        runtime.tracing,
        has_failure_hooks=False,
    )
    likely, due = make_task(run_at=NOW + seconds(4)), make_task(run_at=NOW - seconds(0.001))
    await store(runtime.database, likely, due)
    assert await attempts.claim(ask(likely)) is None
    claim = await attempts.claim(ask(due))
    assert isinstance(claim, Claim)
    assert claim.task.started_at is not None
    assert abs(claim.task.started_at - NOW - seconds(5)) < seconds(2)


async def test_a_task_that_does_not_exist_is_refused(attempts: AttemptService) -> None:
    assert await attempts.claim(ask(make_task())) is None


async def test_a_task_that_lost_two_workers_needs_a_process_of_its_own(
    runtime: Runtime, attempts: AttemptService
) -> None:
    first, second = (make_task(lost_count=2, attempt=2) for _ in range(2))
    other = make_task(lost_count=1, attempt=1)
    await store(runtime.database, first, second, other)
    assert await attempts.claim(ask(first)) == NotNow(Gate.QUARANTINE, due_of(first))
    assert await stored(runtime.database, first.id) == first
    asked = [attempts.claim(ask(one, quarantine_room=lambda: 1)) for one in (first, second, other)]
    answers = await asyncio.gather(*asked)
    assert [isinstance(answer, Claim) for answer in answers] == [True, False, True]
    assert answers[1] == NotNow(Gate.QUARANTINE, due_of(second))


async def test_an_end_is_answered_after_it_is_written(
    runtime: Runtime, attempts: AttemptService
) -> None:
    task = running(lost_count=1)
    await store(runtime.database, task)
    ended = await attempts.end(ending(task))
    details = await runtime.read.get(CALLER, task.id)
    assert details.task == await stored(runtime.database, task.id)
    assert (details.task.status, details.result) == (Status.SUCCEEDED, "1")
    assert ended.task.status is Status.SUCCEEDED
    assert ended.attempt == details.attempts[0]


@pytest.mark.parametrize(
    "of", [{"attempt": 2}, {"attempt": 0}, {"worker_id": OTHER_WORKER}, {"task_id": WORKER}]
)
async def test_the_fence_keeps_out_who_does_not_hold_the_attempt(
    runtime: Runtime, attempts: AttemptService, of: dict[str, Any]
) -> None:
    task, mine = running(), running()
    await store(runtime.database, task, mine)
    stale, fine = await asyncio.gather(
        attempts.end(ending(task, **of)), attempts.end(ending(mine)), return_exceptions=True
    )
    assert isinstance(stale, StaleAttempt)
    assert isinstance(fine, AttemptEnded), "its neighbours in the batch do not suffer"
    assert await stored(runtime.database, task.id) == task


MOVED: dict[str, dict[str, Any]] = {
    "its cancel was asked for": {"version": 2, "cancel_requested_at": NOW},
    "its progress was stored": {"version": 2, "progress": "{}"},
}
TAKEN: dict[str, dict[str, Any]] = {
    "it was taken back": {"version": 2, "status": Status.QUEUED, "worker_id": None},
    "another worker has it": {"worker_id": OTHER_WORKER},
    "it has another attempt": {"attempt": 3},
    "it was taken back and claimed again": {"version": 3, "attempt": 2},
}


@pytest.mark.parametrize("change", [*MOVED, *TAKEN])
async def test_an_end_without_a_second_look_finds_what_has_changed(
    runtime: Runtime, attempts: AttemptService, change: str
) -> None:
    claimed, neighbour = running(), running()
    now = claimed._replace(**(MOVED | TAKEN)[change])
    await store(runtime.database, now, neighbour)
    answer, fine = await asyncio.gather(
        attempts.end(ending(claimed, claimed=claimed)),
        attempts.end(ending(neighbour, claimed=neighbour)),
        return_exceptions=True,
    )
    assert isinstance(fine, AttemptEnded)
    assert await stored(runtime.database, neighbour.id) == whole(fine.task)
    if change in TAKEN:
        assert isinstance(answer, StaleAttempt)
        assert await stored(runtime.database, now.id) == now
    else:
        assert isinstance(answer, AttemptEnded)
        assert await stored(runtime.database, now.id) == whole(answer.task)
        assert (answer.task.status, answer.task.version) == (Status.SUCCEEDED, now.version + 1)
    assert len(await rows_of(runtime.database)) == 1 + (change in MOVED)


@pytest.mark.parametrize("known", [False, True])
async def test_an_attempt_ends_once(
    runtime: Runtime, attempts: AttemptService, known: bool
) -> None:
    task = running()
    await store(runtime.database, task)
    of = {"claimed": task} if known else {}
    answers = await asyncio.gather(
        attempts.end(ending(task, **of)), attempts.end(ending(task, **of)), return_exceptions=True
    )
    later = (await asyncio.gather(attempts.end(ending(task, **of)), return_exceptions=True))[0]
    assert isinstance(later, StaleAttempt)
    assert isinstance(answers[0], AttemptEnded)
    assert isinstance(answers[1], StaleAttempt)
    assert (await stored(runtime.database, task.id)).version == task.version + 1
    assert len(await rows_of(runtime.database)) == 1


@pytest.mark.parametrize(("has_failure_hooks", "pending"), [(True, True), (False, False)])
async def test_a_failure_leaves_its_hook_pending_when_there_are_hooks(
    runtime: Runtime, has_failure_hooks: bool, pending: bool
) -> None:
    attempts = runtime.attempts(has_failure_hooks=has_failure_hooks)
    fails, ends = running(), running()
    await store(runtime.database, fails, ends)
    await attempts.end(ending(fails, failure))
    await attempts.end(ending(ends))
    found = await attempts.pending_hooks(
        namespaces=["default"],
        before=runtime.clock() + seconds(1),
        handlers=["taskq.echo"],
        limit=10,
    )
    assert {task.id for _, task in found} == ({fails.id} if pending else set())
    if found:
        await attempts.hooks_done([(attempt.task_id, attempt.attempt) for attempt, _ in found])
    assert not await attempts.pending_hooks(
        namespaces=["default"],
        before=runtime.clock() + seconds(1),
        handlers=["taskq.echo"],
        limit=10,
    )


@pytest.mark.parametrize("has_failure_hooks", [True, False])
async def test_a_rescue_leaves_the_hook_of_a_failure_to_who_has_the_handler(
    runtime: Runtime, has_failure_hooks: bool
) -> None:
    attempts = runtime.attempts(has_failure_hooks=has_failure_hooks)
    waits, fails = running(lost_count=1), running(lost_count=2)
    await store(runtime.database, waits, fails)
    await attempts.rescue([waits.id, fails.id], lambda _: True)
    done = {row["task_id"]: row["hook_done_at"] for row in await rows_of(runtime.database)}
    assert done[fails.id] is None
    assert done[waits.id] is not None


async def test_progress_passes_the_fence_only(runtime: Runtime, attempts: AttemptService) -> None:
    task = running(attempt=2)
    await store(runtime.database, task)

    async def report(attempt: int, worker: Any, text: str) -> None:
        await attempts.report(
            Report(task_id=task.id, attempt=attempt, worker_id=worker, progress=text)
        )

    await report(1, WORKER, '{"current":1}')
    await report(2, OTHER_WORKER, '{"current":2}')
    assert await stored(runtime.database, task.id) == task
    await report(2, WORKER, '{"current":3}')
    after = await stored(runtime.database, task.id)
    assert (after.progress, after.version) == ('{"current":3}', task.version + 1)


async def test_rescue_looks_again_at_the_locked_row(
    runtime: Runtime, attempts: AttemptService
) -> None:
    lost, live, ended = running(), running(worker_id=OTHER_WORKER), make_task(Status.SUCCEEDED)
    await store(runtime.database, lost, live, ended)
    ends = await attempts.rescue(
        [lost.id, live.id, ended.id, WORKER], lambda task: task.worker_id == WORKER
    )
    assert [(one.task.id, one.task.status, one.task.lost_count) for one in ends] == [
        (lost.id, Status.QUEUED, 1)
    ]
    assert await stored(runtime.database, live.id) == live
    assert await stored(runtime.database, ended.id) == ended
    assert (await stored(runtime.database, lost.id)).lost_count == 1
