"""What follows a commit, in a real Valkey and for listeners."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

import pytest

from taskq_server.broker.notifier import read_ids
from taskq_server.core.config import Settings
from taskq_server.domain import lifecycle
from taskq_server.domain.admission import ClaimRequest
from taskq_server.domain.backoff import Backoff
from taskq_server.domain.events import TaskChanged
from taskq_server.domain.lifecycle import Failure
from taskq_server.domain.requests import NewTask, TaskChanges
from taskq_server.domain.task import Outcome, Priority, Status, Task
from taskq_server.domain.unique import OnConflict
from taskq_server.runtime import Runtime, open_runtime
from taskq_server.services import after_commit
from taskq_server.services.attempts import AttemptService, Claim
from taskq_server.services.reports import Completion, Report
from tests.support.callers import CALLER
from tests.unit.server.factories import NOW, WORKER, make_task, publish, running, store

NEW = NewTask("taskq.echo", {"value": 1})
TOLD = UUID(int=1)
FAILURE = Failure(outcome=Outcome.FAILED, type="E", message="m")


@dataclass
class Scene:
    """A process with a Redis, and a task."""

    runtime: Runtime
    attempts: AttemptService
    task: Task

    async def told(self, act: "Act") -> Counter[str]:
        """Count the messages of an act: bells, news of the task and cancels of it."""
        names = self.runtime.naming.names
        assert names is not None
        assert self.runtime.redis is not None
        ring, cancel = names.ring("default", "default"), names.cancel("default")
        found: Counter[str] = Counter()
        async with self.runtime.redis.pubsub() as subscription, asyncio.timeout(60):
            await subscription.subscribe(ring, cancel, names.changed("default"))
            await act(self)
            # The second comes in a later round trip than all that was waiting with the first.
            for _ in range(2):
                self.runtime.notifier.changed([("default", TOLD)])
                while True:
                    message = await subscription.get_message(True, timeout=5)
                    channel = None if message is None else message["channel"].decode()
                    if message is None or channel == ring:
                        found["ring"] += message is not None
                        continue
                    ids = read_ids(message["data"])
                    found["cancel" if channel == cancel else "changed"] += self.task.id in ids
                    if TOLD in ids:
                        break
        found["bells"] = 0
        for key in await self.runtime.redis.keys(names.queue("default", "*")):
            found["bells"] += await self.runtime.redis.zcard(key)
        return +found


Act = Callable[[Scene], Awaitable[object]]


@pytest.fixture
async def scene(url: str, redis_url: str) -> AsyncIterator[Scene]:
    async with open_runtime(Settings(database_url=url, redis_url=redis_url)) as runtime:
        await publish(runtime.database, "taskq.echo")
        yield Scene(runtime, runtime.attempts(has_failure_hooks=False), make_task())


async def submit(scene: Scene) -> None:
    await scene.runtime.submit.one(CALLER, NEW)


async def submit_three(scene: Scene) -> None:
    await scene.runtime.submit.batch(CALLER, [NEW] * 3)


def update(**fields: object) -> Act:
    changes = TaskChanges(given=frozenset(fields), **fields)  # type: ignore[arg-type]
    return lambda scene: scene.runtime.change.update(CALLER, scene.task.id, changes)


async def cancel(scene: Scene) -> None:
    await scene.runtime.change.cancel(CALLER, scene.task.id)


async def retry(scene: Scene) -> None:
    await scene.runtime.change.retry(CALLER, scene.task.id)


async def delete(scene: Scene) -> None:
    await scene.runtime.change.delete(CALLER, scene.task.id)


async def claim(scene: Scene) -> None:
    request = ClaimRequest(
        task_id=scene.task.id,
        attempt=1,
        worker_id=WORKER,
        namespaces=frozenset({"default"}),
        handlers=frozenset({"taskq.echo"}),
        quarantine_room=lambda: 1,
    )
    assert isinstance(await scene.attempts.claim(request), Claim)


async def report(scene: Scene) -> None:
    await scene.attempts.report(
        Report(task_id=scene.task.id, attempt=1, worker_id=WORKER, progress="{}")
    )


async def rescue(scene: Scene) -> None:
    await scene.attempts.rescue([scene.task.id], lambda _: True)


def end(decide: Callable[..., lifecycle.AttemptEnded], *, optimistic: bool = False) -> Act:
    return lambda scene: scene.attempts.end(
        Completion(
            task_id=scene.task.id,
            attempt=1,
            worker_id=WORKER,
            decide=decide,
            claimed=scene.task if optimistic else None,
        )
    )


def succeed(task: Task, now: object) -> lifecycle.AttemptEnded:
    return lifecycle.succeed(task, now=NOW, result="1")


def fail(task: Task, now: object) -> lifecycle.AttemptEnded:
    return lifecycle.fail(task, FAILURE, now=NOW, backoff=Backoff(), random=lambda: 0.5)


QUEUED, RUNNING, RETRYING = Status.QUEUED, Status.RUNNING, Status.RETRYING
FAILED, SUCCEEDED, CANCELLED = Status.FAILED, Status.SUCCEEDED, Status.CANCELLED
Event = tuple[Status | None, Status | None, Outcome | None]

CASES: list[tuple[str, Status | None, Act, dict[str, int], list[Event]]] = [
    ("submit", None, submit, {"ring": 1, "bells": 1}, [(None, QUEUED, None)]),
    ("batch", None, submit_three, {"ring": 1, "bells": 3}, [(None, QUEUED, None)] * 3),
    ("title", QUEUED, update(title="t"), {"changed": 1}, [(QUEUED, QUEUED, None)]),
    ("priority", QUEUED, update(priority=Priority.HIGH),
     {"changed": 1, "ring": 1, "bells": 1}, [(QUEUED, QUEUED, None)]),
    ("start", RETRYING, update(run_at=None),
     {"changed": 1, "ring": 1, "bells": 1}, [(RETRYING, RETRYING, None)]),
    ("priority while it runs", RUNNING, update(priority=Priority.HIGH),
     {"changed": 1}, [(RUNNING, RUNNING, None)]),
    ("cancel", QUEUED, cancel, {"changed": 1}, [(QUEUED, CANCELLED, None)]),
    ("cancel while it runs", RUNNING, cancel,
     {"changed": 1, "cancel": 1}, [(RUNNING, RUNNING, None)]),
    ("retry", FAILED, retry, {"changed": 1, "ring": 1, "bells": 1}, [(FAILED, QUEUED, None)]),
    ("delete", FAILED, delete, {"changed": 1}, [(FAILED, None, None)]),
    ("claim", QUEUED, claim, {}, []),
    ("report", RUNNING, report, {"changed": 1}, []),
    ("success", RUNNING, end(succeed), {"changed": 1}, [(RUNNING, SUCCEEDED, Outcome.SUCCEEDED)]),
    ("success, not read", RUNNING, end(succeed, optimistic=True),
     {"changed": 1}, [(RUNNING, SUCCEEDED, Outcome.SUCCEEDED)]),
    ("failure", RUNNING, end(fail),
     {"changed": 1, "ring": 1, "bells": 1}, [(RUNNING, RETRYING, Outcome.FAILED)]),
    ("rescue", RUNNING, rescue,
     {"changed": 1, "ring": 1, "bells": 1}, [(RUNNING, QUEUED, Outcome.LOST)]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("status", "act", "messages", "events"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
async def test_a_change_is_rung_and_told_as_its_kind_wants(
    scene: Scene, status: Status | None, act: Act, messages: dict[str, int], events: list[Event]
) -> None:
    if status is not None:
        scene.task = running() if status is RUNNING else make_task(status)
        await store(scene.runtime.database, scene.task)
    heard: list[TaskChanged] = []
    with scene.runtime.after_commit.listening(heard.extend):
        assert await scene.told(act) == messages
    assert [_brief(change) for change in heard] == events
    for change in heard:
        assert change.before is None or change.before.id == scene.task.id


def _brief(change: TaskChanged) -> Event:
    before, after, attempt = change
    return before and before.status, after and after.status, attempt and attempt.outcome


@pytest.mark.parametrize(
    ("how", "messages", "events"),
    [
        (OnConflict.REPLACE, {"changed": 1, "ring": 1, "bells": 1}, [(QUEUED, QUEUED, None)]),
        (OnConflict.RETURN, {"bells": 1}, []),
    ],
)
@pytest.mark.parametrize("is_batch", [False, True])
async def test_a_replacement_is_rung_and_told_as_a_change(
    scene: Scene, how: OnConflict, messages: dict[str, int], events: list[Event], is_batch: bool
) -> None:
    new = NEW._replace(unique_key="one", on_conflict=how)
    submit = scene.runtime.submit
    later = new._replace(delay_seconds=3600)
    scene.task = (await submit.one(CALLER, later)).details.task

    async def again(_: Scene) -> object:
        return await (submit.batch(CALLER, [new]) if is_batch else submit.one(CALLER, new))

    await scene.told(lambda _: asyncio.sleep(0))  # what the first submit says has arrived
    heard: list[TaskChanged] = []
    with scene.runtime.after_commit.listening(heard.extend):
        assert await scene.told(again) == messages
    assert [_brief(change) for change in heard] == events


async def test_a_cancel_that_is_repeated_is_sent_again(scene: Scene) -> None:
    scene.task = running()
    await store(scene.runtime.database, scene.task)
    await cancel(scene)
    assert await scene.told(cancel) == {"changed": 1, "cancel": 1}
    assert await scene.told(update(title="t")) == {"changed": 1}


async def test_what_is_not_committed_is_not_told(scene: Scene) -> None:
    scene.task = running()
    await store(scene.runtime.database, scene.task)
    heard: list[TaskChanged] = []
    with scene.runtime.after_commit.listening(heard.extend):
        with pytest.raises(lifecycle.IllegalTransition):
            await delete(scene)
        with pytest.raises(lifecycle.IllegalTransition):
            await update(run_at=None)(scene)
        completion = Completion(task_id=scene.task.id, attempt=1, worker_id=WORKER, decide=succeed)
        assert await scene.attempts.would_take(completion)
    assert heard == []


async def test_the_ends_of_one_commit_come_together(runtime: Runtime) -> None:
    tasks = [running() for _ in range(5)]
    await store(runtime.database, *tasks)
    attempts = runtime.attempts(has_failure_hooks=False)
    batches: list[Sequence[TaskChanged]] = []
    with runtime.after_commit.listening(batches.append):
        await asyncio.gather(
            *(
                attempts.end(
                    Completion(task_id=task.id, attempt=1, worker_id=WORKER, decide=succeed)
                )
                for task in tasks
            )
        )
    assert sum(map(len, batches)) == 5
    assert len(batches) < 5


async def test_a_listener_that_raises_harms_nobody(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(changes: Sequence[TaskChanged]) -> None:
        raise RuntimeError("this listener is broken")

    heard: list[TaskChanged] = []
    told = scene.runtime.after_commit
    with caplog.at_level(logging.ERROR), told.listening(broken), told.listening(heard.extend):
        assert await scene.told(submit) == {"ring": 1, "bells": 1}
    assert len(heard) == 1
    assert "this listener is broken" in caplog.text


async def test_no_event_is_built_when_nobody_listens(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[tuple[object, ...]] = []

    def count(*values: object) -> TaskChanged:
        built.append(values)
        return TaskChanged(*values)  # type: ignore[arg-type]

    monkeypatch.setattr(after_commit, "TaskChanged", count)
    await publish(runtime.database, "taskq.echo")
    scene = Scene(runtime, runtime.attempts(has_failure_hooks=False), running())
    await store(runtime.database, scene.task)
    acts = (submit, submit_three, report, update(title="t"), end(succeed), delete)
    for act in acts:
        await act(scene)
    assert not built
    heard: list[TaskChanged] = []
    with runtime.after_commit.listening(heard.extend):
        await submit_three(scene)
    assert len(built) == len(heard) == 3
    await submit(scene)
    assert len(built) == 3, "it listens no more"
