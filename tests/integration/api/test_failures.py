"""What fails, in groups: `GET /failures`, on both databases."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from taskq_server.core import turns
from taskq_server.core.turns import Turns
from taskq_server.crud.failures import failures
from taskq_server.crud.tables import attempts, tasks
from taskq_server.domain import lifecycle, limits
from taskq_server.domain.backoff import Backoff
from taskq_server.domain.caller import Caller
from taskq_server.domain.failures import FailedTask
from taskq_server.domain.lifecycle import Failure
from taskq_server.domain.task import Outcome, Task
from taskq_server.runtime import Runtime
from taskq_server.services import failures as service
from taskq_server.services.failures import FailureService
from tests.integration.api.conftest import Submit
from tests.integration.api.mixture import new
from tests.integration.api.moved_clock import moved
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.support.callers import CALLER
from tests.unit.server.factories import running, store
from tests.unit.server.rows import end_all

OTHER = Caller("other", name="a test")


async def fail_some(
    runtime: Runtime,
    number: int,
    *,
    namespace: str = "default",
    ago: float = 0,
    message: str = "no luck\nat all",
    fatal: bool = True,
) -> list[Task]:
    """Store tasks that have failed some seconds ago, the last one a millisecond later than all."""
    now = runtime.clock() - timedelta(seconds=ago)
    held = [
        running(
            namespace=namespace,
            handler="reports.build",
            created_at=now - timedelta(seconds=1),
            max_retries=0 if fatal else 3,
        )
        for _ in range(number)
    ]
    await store(runtime.database, *held)
    failure = Failure(outcome=Outcome.FAILED, type="ValueError", message=message)
    ends = [
        lifecycle.fail(
            task, failure, backoff=Backoff(), random=lambda: 1.0, now=now + timedelta(0, 0, n)
        )
        for n, task in enumerate(held)
    ]
    await end_all(runtime.database, ends)
    return [end.task for end in ends]


async def get(api: httpx.AsyncClient, query: str = "") -> dict[str, Any]:
    answer = await api.get(f"/failures{query}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def newest(
    runtime: Runtime, namespace: str, since: datetime, most: int
) -> tuple[list[FailedTask], bool]:
    pace = Turns().pace()
    return await runtime.database.read(
        lambda c: failures(c, namespace, since, most=most, pace=pace)
    )


async def test_nothing_has_failed(api: httpx.AsyncClient, runtime: Runtime) -> None:
    assert await get(api) == {"items": [], "exact": True}


async def test_failures_are_grouped_with_the_newest_as_an_example(
    api: httpx.AsyncClient, runtime: Runtime, submit: Submit, worker: ScriptedWorker
) -> None:
    await fail_some(runtime, 2, ago=100)
    newest = (await fail_some(runtime, 2, message="  \nno luck\r\nthis time", fatal=False))[-1]
    await worker.fail(await worker.claim((await submit())["id"]), fatal=True)
    await worker.succeed(await worker.claim((await submit())["id"]), 1)
    first, second = (await get(api))["items"]
    assert {**first, "last_at": ""} == {
        "handler": "reports.build",
        "type": "ValueError",
        "message": "no luck",
        "failed": 2,
        "retrying": 2,
        "last_at": "",
        "example": str(newest.id),
    }
    assert first["last_at"] == newest.updated_at.isoformat().replace("+00:00", "Z")
    assert (second["handler"], second["type"]) == ("taskq.echo", "RuntimeError")
    assert (second["failed"], second["retrying"]) == (1, 0)


async def test_what_failed_earlier_is_left_out_but_what_is_retrying_is_not(
    api: httpx.AsyncClient, runtime: Runtime
) -> None:
    await fail_some(runtime, 1, ago=50)
    await fail_some(runtime, 2, ago=500, fatal=False)
    for query, numbers in (
        ("", (1, 2)),
        ("?since_seconds=40", (0, 2)),
        ("?since_seconds=60", (1, 2)),
    ):
        (group,) = (await get(api, query))["items"]
        assert (group["failed"], group["retrying"]) == numbers, query


async def test_a_retry_that_succeeds_is_no_failure_any_more(
    api: httpx.AsyncClient, submit: Submit, worker: ScriptedWorker
) -> None:
    task_id = (await submit())["id"]
    await worker.fail(await worker.claim(task_id), fatal=True)
    assert len((await get(api))["items"]) == 1
    await api.post(f"/tasks/{task_id}/retry")
    assert await get(api) == {"items": [], "exact": True}
    await worker.succeed(await worker.claim(task_id), 1)
    assert await get(api) == {"items": [], "exact": True}


@pytest.mark.parametrize("seconds", ["0", "-1", "2592001", "nan", "1e", "", "x"])
async def test_a_wrong_time_is_refused(api: httpx.AsyncClient, seconds: str) -> None:
    answer = await api.get(f"/failures?since_seconds={seconds}")
    assert answer.status_code == 422, answer.text


async def test_a_namespace_sees_its_own_however_many_others_have(runtime: Runtime) -> None:
    most = 5
    mine = await fail_some(runtime, 3, namespace="other", ago=30)
    await fail_some(runtime, 50)
    since = runtime.clock() - timedelta(seconds=60)
    found, exact = await newest(runtime, "other", since, most)
    assert exact, "there are few of its own"
    assert [one.task_id for one in found] == [task.id for task in mine[::-1]]
    found, exact = await newest(runtime, "default", since, most)
    assert (len(found), exact) == (most, False)


async def test_of_too_many_the_newest_are_taken(runtime: Runtime) -> None:
    old = await fail_some(runtime, 5, ago=20)
    young = await fail_some(runtime, 3, ago=10, fatal=False)
    since = runtime.clock() - timedelta(seconds=60)
    newest_first = [task.id for task in (old + young)[::-1]]
    for most in (8, 7, 4, 2):
        found, exact = await newest(runtime, "default", since, most)
        assert exact is (most == 8)
        assert [one.task_id for one in found] == newest_first[:most]


async def test_an_answer_has_the_largest_groups(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert service.limits is limits
    monkeypatch.setattr(limits, "FAILURE_GROUPS", 2)
    for number in (1, 3, 2):
        await fail_some(runtime, number, message=f"message {number}")
    found = await FailureService(runtime.database, runtime.clock, Turns()).read(CALLER, 60)
    assert [group.first_line for group in found.groups] == ["message 3", "message 2"]
    assert not found.exact


class CountedTurns(Turns):
    """Counts how often others had their turn."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    async def next(self) -> None:
        """Count, and wait."""
        self.count += 1
        await super().next()


async def test_others_have_their_turn_while_many_failures_are_grouped(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fail_some(runtime, 1_000)
    monkeypatch.setattr(turns, "PIECE_SECONDS", 0)
    counted = CountedTurns()
    found = await FailureService(runtime.database, runtime.clock, counted).read(CALLER, 60)
    assert [group.failed for group in found.groups] == [1_000]
    assert counted.count == 5 + 5, "each 200 rows, when they are read and when they are grouped"


async def test_a_lost_worker_is_a_failure_of_its_own_kind(
    runtime: Runtime, worker: ScriptedWorker
) -> None:
    runtime, clock = moved(runtime)
    worker = ScriptedWorker(runtime)
    done = await runtime.submit.one(CALLER, new())
    for _ in range(3):
        clock.move(1)
        await worker.claim(str(done.details.task.id))
        await runtime.attempts(has_failure_hooks=False).rescue(
            [done.details.task.id], lambda _: True
        )
    (group,) = (await FailureService(runtime.database, clock, Turns()).read(CALLER, 60)).groups
    assert (group.error_type, group.failed) == ("WorkerLost", 1)
    assert group.example == UUID(str(done.details.task.id))


def test_the_tables_of_tasks_and_attempts_have_no_index_for_this() -> None:
    """Each would cost every submit, or every end."""
    assert (len(tasks.indexes), len(attempts.indexes)) == (6, 1)
