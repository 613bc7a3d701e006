"""Which doorbells are taken, and when: arq's worker with a runner that notes what it is asked."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import pytest

from taskq_server.broker.connection import connect
from taskq_server.broker.unreadable import UnreadableMessages
from taskq_server.core.config import Settings
from taskq_server.domain.task import Queue
from taskq_server.worker.admission import Admission
from taskq_server.worker.arq_worker import TaskqWorker
from taskq_server.worker.doorbells import Arguments
from taskq_server.worker.functions import RUNNER
from taskq_server.worker.settings import WorkerSettings
from tests.support.valkey import ValkeyServer
from tests.unit.server.worker.attempts import until

ROOM = 2
QUEUE = Queue("default", "default")
NO_REDIS = "redis://127.0.0.1:1"


def bell(number: int) -> Arguments:
    return str(UUID(int=number)), 1


class Attempts:
    """Lets each attempt run until it is told, once; whoever asks again is refused."""

    def __init__(self) -> None:
        self.asked: list[UUID] = []
        self.running: set[UUID] = set()
        self.let_go = asyncio.Event()

    async def run(self, task_id: UUID, attempt: int) -> bool:
        self.asked.append(task_id)
        await asyncio.sleep(0.001)
        if task_id in self.running:
            return False
        self.running.add(task_id)
        await self.let_go.wait()
        return True


class Database:
    """Has the same tasks due, whenever it is asked."""

    def __init__(self, *bells: Arguments) -> None:
        self.bells = bells
        self.asked = 0

    async def due(self, queue: Queue, room: int) -> Sequence[Arguments]:
        self.asked += 1
        return self.bells[:room]


class Waiting:
    """Tasks in several queues; each of them is found once, as a doorbell is popped once."""

    def __init__(self, tasks: Mapping[Queue, Iterable[int]]) -> None:
        self._left = {queue: list(numbers) for queue, numbers in tasks.items()}

    async def due(self, queue: Queue, room: int) -> Sequence[Arguments]:
        left = self._left.get(queue, [])
        found, left[:] = left[:room], left[room:]
        return [bell(number) for number in found]


async def everything(namespaces: Sequence[str]) -> Sequence[str]:
    """All of them have something."""
    return namespaces


def worker(
    attempts: Attempts,
    database: Database | Waiting,
    redis_url: str = NO_REDIS,
    threads: Callable[[Collection[UUID]], int] = len,
    queues: Iterable[Queue] = (QUEUE,),
    room: int = ROOM,
) -> TaskqWorker:
    settings = WorkerSettings.of(Settings(concurrency=ROOM, poll_seconds=0.2))
    there = list(queues)
    return TaskqWorker(
        namespaces=list(dict.fromkeys(one.namespace for one in there)),
        queues=list(dict.fromkeys(one.name for one in there)),
        keys=lambda _: ("queue", "aside"),
        waiting=everything,
        threads=threads,
        now_ms=lambda: 0,
        may_have=lambda: room,
        due=database.due,
        admission=Admission({}, lambda _: None),
        unreadable=UnreadableMessages(),
        wake=asyncio.Event(),
        **settings.arguments(connect(redis_url), {RUNNER: attempts}),
    )


async def test_a_second_bell_for_what_is_under_way_changes_nothing() -> None:
    attempts = Attempts()
    working = worker(attempts, Database())
    working.offer([bell(1), bell(2)], "default")
    await until(lambda: len(attempts.running) == ROOM)
    for _ in range(3):
        working.offer([bell(1), bell(3)], "default")
        await asyncio.sleep(0.005)
    assert len(attempts.running) == ROOM
    assert len(attempts.asked) == ROOM
    attempts.let_go.set()
    await until(lambda: not working.tasks)


async def test_a_worker_that_drains_is_offered_in_vain() -> None:
    attempts = Attempts()
    working = worker(attempts, Database())
    working.allow_pick_jobs = False
    working.offer([bell(1)], "default")
    await asyncio.sleep(0.005)
    assert not attempts.asked


async def test_without_redis_what_is_refused_is_not_asked_for_again_at_once() -> None:
    attempts = Attempts()
    attempts.running.add(UUID(int=1))
    database = Database(bell(1))
    loop = asyncio.create_task(worker(attempts, database).main())
    await until(lambda: database.asked >= 3)
    assert len(attempts.asked) <= database.asked
    began = asyncio.get_running_loop().time()
    before = database.asked
    await until(lambda: database.asked >= before + 3)
    loop.cancel()
    assert asyncio.get_running_loop().time() - began >= 0.3, "it sleeps between two looks"


async def test_an_idle_worker_notices_that_its_redis_is_a_replica() -> None:
    """Nothing is in the queue, so that there is nothing to remove from it."""
    attempts = Attempts()
    attempts.let_go.set()
    with ValkeyServer() as server, server.client() as admin:
        admin.replicaof("127.0.0.1", 1)
        working = worker(attempts, Database(bell(1)), server.url)
        loop = asyncio.create_task(working.main())
        try:
            await until(lambda: bool(attempts.asked))
        finally:
            loop.cancel()
            await asyncio.gather(loop, return_exceptions=True)
            await working.pool.aclose(close_connection_pool=True)


def scores(*numbers: int) -> dict[str, int]:
    """Bells with their numbers as their scores."""
    return {":".join(map(str, bell(number))): number for number in numbers}


async def asked_of(
    queue: dict[str, int], aside: dict[str, int], threads: int, count: int
) -> tuple[list[int], dict[str, list[int]]]:
    """What a worker with so many free threads is asked for first, and the scores that are left."""
    attempts = Attempts()
    with ValkeyServer() as server, server.client() as client:
        for key, bells in (("queue", queue), ("aside", aside)):
            if bells:
                client.zadd(key, bells)
        working = worker(attempts, Database(), server.url, lambda held: threads - len(held))
        working._now_ms = lambda: 100
        loop = asyncio.create_task(working.main())
        try:
            await until(lambda: len(attempts.asked) >= count)
            left: dict[str, list[int]] = {}
            for key in ("queue", "aside"):
                found: Any = client.zrange(key, 0, -1, withscores=True)
                left[key] = [int(score) for _, score in found]
        finally:
            loop.cancel()
            attempts.let_go.set()
            await asyncio.gather(loop, return_exceptions=True)
            await working.pool.aclose(close_connection_pool=True)
    return sorted(one.int for one in attempts.asked), left


@pytest.mark.parametrize(
    ("queue", "aside", "threads", "asked", "left"),
    [
        ((3, 4), (1, 2), 0, [3, 4], {"queue": [], "aside": [1, 2]}),
        ((3, 4), (1, 2), 1, [1, 3], {"queue": [4], "aside": [2]}),
        ((3, 4), (1, 2), 5, [1, 2], {"queue": [3, 4], "aside": []}),
        ((1, 4), (2, 3), 5, [1, 2], {"queue": [4], "aside": [3]}),
        ((1, 2), (3, 4), 5, [1, 2], {"queue": [], "aside": [3, 4]}),
        ((), (1, 2), 1, [1], {"queue": [], "aside": [2]}),
        ((101,), (1,), 1, [1], {"queue": [101], "aside": []}),
    ],
)
async def test_bells_aside_are_for_free_threads_and_all_go_by_score(
    queue: tuple[int, ...],
    aside: tuple[int, ...],
    threads: int,
    asked: list[int],
    left: dict[str, list[int]],
) -> None:
    found = await asked_of(scores(*queue), scores(*aside), threads, len(asked))
    assert found == (asked, left)


async def asked_in_turn(tasks: Mapping[Queue, Iterable[int]], room: int, count: int) -> list[int]:
    """Which tasks a worker with so much room starts first; each of them ends at once."""
    attempts = Attempts()
    attempts.let_go.set()
    working = worker(attempts, Waiting(tasks), queues=tasks, room=room)
    loop = asyncio.create_task(working.main())
    try:
        await until(lambda: len(attempts.asked) >= count)
    finally:
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)
        await working.pool.aclose(close_connection_pool=True)
    return [one.int for one in attempts.asked[:count]]


@pytest.mark.parametrize("room", [1, 2, 5])
async def test_a_backlog_of_one_namespace_does_not_hold_up_another(room: int) -> None:
    backlog, few, none = (Queue(name, "default") for name in ("backlog", "few", "none"))
    tasks = {backlog: range(100, 200), few: range(1, 5), none: ()}
    asked = await asked_in_turn(tasks, room, 12)
    assert {number for number in asked if number < 100} == {1, 2, 3, 4}
    assert min(asked[: max(room, 2)]) < 100, "it shares the first room that there is"
    ours = [number for number in asked if number >= 100]
    assert len(ours) == 8, "and what the others leave is its"
    assert sorted(ours) == list(range(100, 108))


async def test_an_important_queue_of_any_namespace_is_emptied_first() -> None:
    tasks = {
        Queue("one", "first"): range(1, 20),
        Queue("two", "first"): (),
        Queue("one", "second"): (101,),
        Queue("two", "second"): (102,),
    }
    asked = await asked_in_turn(tasks, 2, 21)
    assert set(asked[:19]) == set(range(1, 20))
    assert set(asked[19:]) == {101, 102}


async def test_no_more_is_popped_than_may_be_claimed_at_this_moment() -> None:
    """A worker that namespaces share claims in small batches, whatever room it has."""
    attempts = Attempts()
    working = worker(attempts, Waiting({QUEUE: range(1, 50)}), room=40)
    most = 0

    def may_claim() -> int:
        nonlocal most
        claiming = len(working.tasks) - len(attempts.running)
        most = max(most, claiming)
        return 3 - claiming

    working._may_claim = may_claim
    loop = asyncio.create_task(working.main())
    await until(lambda: len(attempts.running) >= 9)
    loop.cancel()
    attempts.let_go.set()
    await asyncio.gather(loop, return_exceptions=True)
    await until(lambda: not working.tasks)
    await working.pool.aclose(close_connection_pool=True)
    assert most == 3
