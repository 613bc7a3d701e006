"""Each way in which a task ends frees its unique key, in the transaction that ends it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import func, select

from taskq_server.crud.tables import task_unique_keys
from taskq_server.domain import lifecycle
from taskq_server.domain.backoff import Backoff
from taskq_server.domain.lifecycle import TRANSITIONS, AttemptEnded, Failure
from taskq_server.domain.retention import Retention
from taskq_server.domain.task import MAX_LOST, Outcome, Status, Task
from taskq_server.runtime import Runtime
from taskq_server.services.maintenance import Maintenance
from taskq_server.services.reports import Completion
from tests.integration.api.bulk import begin, done, numbers
from tests.integration.api.limited import limited
from tests.integration.api.scripted_worker import ScriptedWorker
from tests.integration.api.unique import check_keys, held, held_by, post, stored

QUEUED, RUNNING, RETRYING = Status.QUEUED, Status.RUNNING, Status.RETRYING
SUCCEEDED, FAILED, CANCELLED = Status.SUCCEEDED, Status.FAILED, Status.CANCELLED


@dataclass
class Scene:
    """A task with a unique key, and all who may change it."""

    api: httpx.AsyncClient
    runtime: Runtime
    worker: ScriptedWorker
    task_id: str
    claimed: Task | None = None

    async def bring_to(self, status: Status) -> None:
        """Let the task come to a status in which it holds its key."""
        if status is not QUEUED:
            self.claimed = await self.worker.claim(self.task_id)
        if status is RETRYING:
            await self.worker.fail(self.claimed or pytest.fail("it is claimed"))

    async def end(
        self, decide: Callable[..., AttemptEnded], *, optimistic: bool = False, **given: Any
    ) -> None:
        """End the attempt as a worker does."""
        assert self.claimed is not None
        await self.runtime.attempts(has_failure_hooks=False).end(
            Completion(
                task_id=self.claimed.id,
                attempt=self.claimed.attempt,
                worker_id=self.worker.id,
                decide=lambda task, now: decide(task, now=now, **given),
                claimed=self.claimed if optimistic else None,
            )
        )

    async def rescue(self) -> None:
        """Take the task back from its worker."""
        service = self.runtime.attempts(has_failure_hooks=False)
        await service.rescue([UUID(self.task_id)], lambda _: True)


Act = Callable[[Scene], Awaitable[Any]]


async def cancel(scene: Scene) -> None:
    assert (await scene.api.post(f"/tasks/{scene.task_id}/cancel")).status_code in (200, 202)


async def delete(scene: Scene) -> None:
    assert (await scene.api.delete(f"/tasks/{scene.task_id}")).status_code == 204


async def bulk(action: str, scene: Scene) -> None:
    operation = await done(
        scene.api, scene.runtime, await begin(scene.api, action, handler="taskq.echo")
    )
    assert numbers(operation) == (1, 1, 0, 0)


def end(decide: Callable[..., AttemptEnded], **given: Any) -> Act:
    return lambda scene: scene.end(decide, **given)


def after_cancel(act: Act) -> Act:
    async def both(scene: Scene) -> None:
        await cancel(scene)
        await act(scene)

    return both


async def lose_three_times(scene: Scene) -> None:
    for _ in range(MAX_LOST - 1):
        await scene.rescue()
        scene.claimed = await scene.worker.claim(scene.task_id)
    await scene.rescue()


def failure(outcome: Outcome = Outcome.FAILED, *, fatal: bool = True) -> Failure:
    return Failure(outcome=outcome, type="E", message="m", fatal=fatal)


fail = partial(lifecycle.fail, backoff=Backoff(), random=lambda: 0.5)
fatal, retry = end(fail, failure=failure()), end(fail, failure=failure(fatal=False))
timed_out = end(fail, failure=failure(Outcome.TIMED_OUT))
succeed = partial(lifecycle.succeed, result="1")
put_off = end(partial(lifecycle.put_off, pause=1.0), failure=failure())

ENDS: list[tuple[str, Status, Status, Act]] = [
    ("cancel", QUEUED, CANCELLED, cancel),
    ("bulk cancel", QUEUED, CANCELLED, partial(bulk, "cancel")),
    ("cancel", RETRYING, CANCELLED, cancel),
    ("bulk cancel", RETRYING, CANCELLED, partial(bulk, "cancel")),
    ("success", RUNNING, SUCCEEDED, end(succeed)),
    ("success, not read", RUNNING, SUCCEEDED, end(succeed, optimistic=True)),
    ("success after a change", RUNNING, SUCCEEDED, after_cancel(end(succeed, optimistic=True))),
    ("failure", RUNNING, FAILED, fatal),
    ("time-out", RUNNING, FAILED, timed_out),
    ("loss", RUNNING, FAILED, lose_three_times),
    ("cancel", RUNNING, CANCELLED, after_cancel(end(lifecycle.cancel_running))),
    ("cancel and failure", RUNNING, CANCELLED, after_cancel(retry)),
    ("cancel and release", RUNNING, CANCELLED, after_cancel(end(lifecycle.release))),
    ("cancel and delay", RUNNING, CANCELLED, after_cancel(put_off)),
    ("cancel and loss", RUNNING, CANCELLED, after_cancel(Scene.rescue)),
]
KEPT: list[tuple[str, Status, Status, Act]] = [
    ("claim", QUEUED, RUNNING, lambda scene: scene.worker.claim(scene.task_id)),
    ("retry", RUNNING, RETRYING, retry),
    ("release", RUNNING, QUEUED, end(lifecycle.release)),
    ("delay", RUNNING, QUEUED, put_off),
    ("loss", RUNNING, QUEUED, Scene.rescue),
]
DELETES: list[tuple[str, Status, Act]] = [
    (name, status, act)
    for status in (QUEUED, RETRYING)
    for name, act in (("delete", delete), ("bulk delete", partial(bulk, "delete")))
]


@pytest.fixture
async def scene(api: httpx.AsyncClient, runtime: Runtime, worker: ScriptedWorker) -> Scene:
    return Scene(api, runtime, worker, (await stored(api))["id"])


def test_each_transition_of_the_lifecycle_is_here() -> None:
    final = {
        (before, after)
        for before, follow in TRANSITIONS.items()
        for after in follow
        if after.final and not before.final
    }
    assert {(before, after) for _, before, after, _ in ENDS} == final
    # A claim of a task that is retrying is due in an hour; a retry by a person takes the key again.
    kept = {
        (before, after)
        for before, follow in TRANSITIONS.items()
        for after in follow
        if not (after.final or before.final)
    }
    assert {(before, after) for _, before, after, _ in KEPT} == kept - {(RETRYING, RUNNING)}


@pytest.mark.parametrize(
    ("before", "after", "act"),
    [case[1:] for case in ENDS],
    ids=[f"{before} {name}" for name, before, _, _ in ENDS],
)
async def test_whatever_ends_a_task_frees_its_key(
    scene: Scene, before: Status, after: Status, act: Act
) -> None:
    await scene.bring_to(before)
    assert await held(scene.runtime) == {UUID(scene.task_id)}
    await act(scene)
    assert (await scene.api.get(f"/tasks/{scene.task_id}")).json()["status"] == after
    assert await held(scene.runtime) == set()
    assert (await stored(scene.api))["id"] != scene.task_id
    await check_keys(scene.runtime)


@pytest.mark.parametrize(
    ("before", "after", "act"), [case[1:] for case in KEPT], ids=[case[0] for case in KEPT]
)
async def test_whatever_does_not_end_a_task_leaves_it_its_key(
    scene: Scene, before: Status, after: Status, act: Act
) -> None:
    await scene.bring_to(before)
    await act(scene)
    found = held_by(await post(scene.api), {"id": scene.task_id})
    assert found["status"] == after
    await check_keys(scene.runtime)


@pytest.mark.parametrize(
    ("status", "act"), [case[1:] for case in DELETES], ids=[f"{c[1]} {c[0]}" for c in DELETES]
)
async def test_a_task_is_deleted_with_its_key(scene: Scene, status: Status, act: Act) -> None:
    await scene.bring_to(status)
    await act(scene)
    assert await held(scene.runtime) == set()
    assert await texts(scene.runtime) == 0
    await stored(scene.api)


async def test_a_task_is_pruned_with_its_key(scene: Scene) -> None:
    await scene.bring_to(RUNNING)
    await scene.end(succeed)
    other = await stored(scene.api)
    later = scene.runtime.clock() + timedelta(days=1)
    attempts = scene.runtime.attempts(has_failure_hooks=False)
    janitor = Maintenance(scene.runtime.database, lambda: later, attempts, scene.runtime.dispatcher)
    assert await janitor.prune(Retention.of_all(timedelta(hours=1))) == 1
    assert await texts(scene.runtime) == 1
    assert await held(scene.runtime) == {UUID(other["id"])}
    await check_keys(scene.runtime)


async def test_what_is_only_tried_frees_no_key(scene: Scene) -> None:
    await scene.bring_to(RUNNING)
    completion = Completion(
        task_id=UUID(scene.task_id),
        attempt=1,
        worker_id=scene.worker.id,
        decide=lambda task, now: succeed(task, now=now),
    )
    assert await scene.runtime.attempts(has_failure_hooks=False).would_take(completion)
    assert await held(scene.runtime) == {UUID(scene.task_id)}


async def test_a_bulk_retry_skips_tasks_whose_key_is_taken(
    api: httpx.AsyncClient, runtime: Runtime, worker: ScriptedWorker
) -> None:
    failed: dict[str, list[str]] = {}
    for key in ("held", "twice", "twice", "free"):
        task = await stored(api, unique_key=key)
        await worker.fail(await worker.claim(task["id"]), fatal=True)
        failed.setdefault(key, []).append(task["id"])
    succeeded = await stored(api, unique_key="free")
    await worker.succeed(await worker.claim(succeeded["id"]), 1)
    holder = await stored(api, unique_key="held")
    operation = await done(api, runtime, await begin(api, status=["failed", "succeeded"]))
    assert numbers(operation) == (5, 2, 3, 0)
    waiting = {holder["id"], failed["twice"][0], failed["free"][0]}
    assert await held(runtime) == set(map(UUID, waiting))
    page = (await api.get("/tasks", params={"status": "queued"})).json()
    assert {each["id"] for each in page["items"]} == waiting
    await check_keys(runtime)


async def test_a_bulk_retry_without_a_place_leaves_the_key_free(
    api: httpx.AsyncClient, runtime: Runtime, worker: ScriptedWorker
) -> None:
    for key in ("a", "b", "c"):
        task = await stored(api, unique_key=key)
        await worker.fail(await worker.claim(task["id"]), fatal=True)
    async with limited(runtime, auth="off", max_waiting=1) as (small, opened):
        ended = await done(small, opened, await begin(small, status="failed"))
        assert numbers(ended) == (3, 1, 0, 2)
    assert len(await held(runtime)) == 1
    await check_keys(runtime)


async def texts(runtime: Runtime) -> int:
    rows = select(func.count()).select_from(task_unique_keys)
    found = await runtime.database.read(lambda c: c.execute(rows))
    return found.scalar_one()
