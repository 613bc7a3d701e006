"""Waiting until tasks are final."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID

import pytest

from taskq_server.broker.names import Naming
from taskq_server.broker.notifier import Notifier
from taskq_server.broker.sender import Sender
from taskq_server.core.database import Database
from taskq_server.domain import lifecycle
from taskq_server.domain.errors import TaskNotFound
from taskq_server.domain.task import Address, Status, Task, TaskDetails
from taskq_server.runtime import Runtime
from taskq_server.services.read import ReadService
from taskq_server.services.reports import Completion
from taskq_server.services.wait import MOST_BYTES, WaitService
from tests.support.callers import CALLER
from tests.unit.server.factories import WORKER, make_task, publish, running, store


@pytest.fixture(autouse=True)
async def echo(runtime: Runtime) -> None:
    await publish(runtime.database, "taskq.echo")


async def test_a_final_task_is_answered_at_once(runtime: Runtime) -> None:
    task = make_task(Status.SUCCEEDED)
    await store(runtime.database, task)
    async with asyncio.timeout(60):
        assert (await runtime.wait.one(CALLER, task.id, 60)).task == task
        assert [one.task for one in await runtime.wait.any(CALLER, [task.id], 60)] == [task]


async def test_when_the_time_is_up_the_task_comes_as_it_is(runtime: Runtime) -> None:
    task = running()
    await store(runtime.database, task)
    assert (await runtime.wait.one(CALLER, task.id, 0)).task == task
    assert (await runtime.wait.one(CALLER, task.id, 0.02)).task == task
    assert await runtime.wait.any(CALLER, [task.id], 0) == []
    assert await runtime.wait.any(CALLER, [task.id], 0.02) == []


async def test_without_redis_a_waiter_finds_out_by_looking(runtime: Runtime) -> None:
    task, other = make_task(), make_task()
    await store(runtime.database, task, other)
    one = asyncio.create_task(runtime.wait.one(CALLER, task.id, 30))
    many = asyncio.create_task(runtime.wait.any(CALLER, [other.id, task.id], 30))
    await runtime.read.get(CALLER, other.id)
    assert not one.done()
    assert not many.done()
    await runtime.change.cancel(CALLER, task.id)
    async with asyncio.timeout(60):
        assert (await one).task.status is Status.CANCELLED
        assert [details.task.id for details in await many] == [task.id]


async def test_one_answer_has_only_so_many_bytes_of_results(runtime: Runtime) -> None:
    attempts = runtime.attempts(has_failure_hooks=False)
    tasks = [running() for _ in range(120)]
    await store(runtime.database, *tasks)
    result = '"' + "x" * (MOST_BYTES // 40) + '"'
    ends = [
        Completion(
            task_id=task.id,
            attempt=task.attempt,
            worker_id=WORKER,
            decide=lambda task, now: lifecycle.succeed(task, result=result, now=now),
        )
        for task in tasks
    ]
    await asyncio.gather(*map(attempts.end, ends))
    left = [task.id for task in tasks]
    answers = 0
    while left:
        answer = await runtime.wait.any(CALLER, left, 30)
        assert 0 < len(answer) < 120
        left = [task_id for task_id in left if task_id not in {one.task.id for one in answer}]
        answers += 1
    assert answers >= 2


async def test_what_does_not_exist_cannot_be_waited_for(runtime: Runtime) -> None:
    task = make_task()
    await store(runtime.database, task)
    with pytest.raises(TaskNotFound):
        await runtime.wait.one(CALLER, UUID(int=1), 30)
    with pytest.raises(TaskNotFound):
        await runtime.wait.any(CALLER, [task.id, UUID(int=1)], 30)


async def test_a_task_that_is_deleted_ends_the_wait(runtime: Runtime) -> None:
    task = make_task()
    await store(runtime.database, task)
    waiter = asyncio.create_task(runtime.wait.one(CALLER, task.id, 30))
    await runtime.read.get(CALLER, task.id)
    await runtime.change.delete(CALLER, task.id)
    async with asyncio.timeout(60):
        with pytest.raises(TaskNotFound):
            await waiter


class Shelf(ReadService):
    """Tasks to read, and what happens right after each look."""

    def __init__(self, *tasks: Task) -> None:
        super().__init__(Database("sqlite+aiosqlite://"))
        self.tasks = {task.id: task for task in tasks}
        self.looks: list[set[UUID]] = []
        self.looked = asyncio.Event()
        self.notifier = Notifier(Sender(None, Naming()))
        self.waiting = WaitService(self, self.notifier, 30.0)

    def finish(self, task_id: UUID) -> None:
        old = self.tasks[task_id]
        self.tasks[task_id] = make_task(Status.SUCCEEDED, id=old.id)

    def tell(self, *task_ids: UUID) -> None:
        """Hand a message of Redis to the subscribers of this process."""
        message = "[" + ",".join(f'"{task_id.hex}"' for task_id in task_ids) + "]"
        self.notifier._on_changed(message.encode())

    async def until_looked(self, times: int) -> None:
        async with asyncio.timeout(60):
            while len(self.looks) < times:
                self.looked.clear()
                await self.looked.wait()

    async def _read(self, asked: Sequence[Address]) -> Sequence[TaskDetails | Exception]:
        self.looks.append({task_id for _, task_id in asked})
        self.looked.set()
        answer = [TaskDetails(self.tasks[task_id], ()) for _, task_id in asked]
        await self.after_look()
        return answer

    async def after_look(self) -> None:
        """Nothing happens."""


async def test_news_wake_a_waiter_long_before_it_would_look(anyio_backend: str) -> None:
    task = make_task()
    shelf = Shelf(task)
    waiter = asyncio.create_task(shelf.waiting.one(CALLER, task.id, 60))
    await shelf.until_looked(1)
    shelf.finish(task.id)
    shelf.tell(task.id)
    async with asyncio.timeout(60):
        assert (await waiter).task.status is Status.SUCCEEDED
    assert len(shelf.looks) == 2


async def test_a_change_between_the_look_and_the_sleep_is_not_missed() -> None:
    """Subscribed first, read second: the message comes while the old row is being read."""
    task = make_task()

    class Racing(Shelf):
        async def after_look(self) -> None:
            if len(self.looks) == 1:
                self.finish(task.id)
                self.tell(task.id)

    shelf = Racing(task)
    async with asyncio.timeout(60):
        assert (await shelf.waiting.one(CALLER, task.id, 60)).task.status is Status.SUCCEEDED
    shelf = Racing(task)
    async with asyncio.timeout(60):
        assert len(await shelf.waiting.any(CALLER, [task.id], 60)) == 1


async def test_news_of_other_tasks_wake_nobody_and_only_the_changed_are_read_again() -> None:
    one, two, other = make_task(), make_task(), make_task()
    shelf = Shelf(one, two, other)
    waiter = asyncio.create_task(shelf.waiting.any(CALLER, [one.id, two.id, one.id], 60))
    await shelf.until_looked(1)
    shelf.tell(other.id)
    shelf.tell(two.id)
    await shelf.until_looked(2)
    shelf.finish(one.id)
    shelf.tell(one.id)
    async with asyncio.timeout(60):
        assert [found.task.id for found in await waiter] == [one.id]
    assert shelf.looks == [{one.id, two.id}, {two.id}, {one.id}]


async def test_a_waiter_that_gives_up_leaves_no_subscription() -> None:
    task = make_task()
    shelf = Shelf(task)
    waiter = asyncio.create_task(shelf.waiting.one(CALLER, task.id, 60))
    await shelf.until_looked(1)
    waiter.cancel()
    with suppress(asyncio.CancelledError):
        await waiter
    assert not shelf.notifier._waiters


async def test_a_thousand_waiters_share_their_reads() -> None:
    task = make_task()
    shelf = Shelf(task)
    waiters = [asyncio.create_task(shelf.waiting.one(CALLER, task.id, 60)) for _ in range(1_000)]
    await shelf.until_looked(2)
    shelf.finish(task.id)
    shelf.tell(task.id)
    async with asyncio.timeout(60):
        answers = await asyncio.gather(*waiters)
    assert {answer.task.status for answer in answers} == {Status.SUCCEEDED}
    assert len(shelf.looks) <= 6
