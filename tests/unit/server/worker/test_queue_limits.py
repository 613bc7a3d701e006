"""Queues with a limit: no more of them runs at once, and nothing else waits for that."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

import pytest

from taskq_server.broker.connection import Redis, connect
from taskq_server.broker.names import Names
from taskq_server.broker.unreadable import UnreadableMessages
from taskq_server.core.config import Settings
from taskq_server.domain.admission import Gate, NotNow
from taskq_server.domain.task import Due, Queue
from taskq_server.worker.admission import Admission
from taskq_server.worker.arq_worker import TaskqWorker
from taskq_server.worker.doorbells import Arguments
from taskq_server.worker.functions import RUNNER
from taskq_server.worker.popping import Popped, Popping
from taskq_server.worker.queue_limits import QueueLimits
from taskq_server.worker.settings import WorkerSettings
from tests.unit.server.worker.attempts import until

NAMES = Names("taskq", "d1")
VIDEO, OTHER = Queue("default", "video"), Queue("default", "other")
NO_REDIS = "redis://127.0.0.1:1"


def keys(queue: Queue) -> tuple[str, str]:
    return NAMES.queue(*queue), NAMES.aside(*queue)


def bell(number: int) -> Arguments:
    return str(UUID(int=number)), 1


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client = connect(redis_url)
    yield client
    await client.aclose(close_connection_pool=True)


async def ring(redis: Redis, tasks: Mapping[Queue, Iterable[int]]) -> None:
    for queue, numbers in tasks.items():
        await redis.zadd(keys(queue)[0], {":".join(map(str, bell(n))): n for n in numbers})


class Attempts:
    """Runs each attempt until a test ends it, and knows how many of a queue ran at once."""

    def __init__(self, tasks: Mapping[Queue, Iterable[int]]) -> None:
        self.queues = {UUID(int=n): queue.name for queue, ns in tasks.items() for n in ns}
        self.running: dict[UUID, asyncio.Event] = {}
        self.most: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()

    async def run(self, task_id: UUID, attempt: int) -> bool:
        self.running[task_id] = asyncio.Event()
        of = self.queues[task_id]
        self.most[of] = max(self.most[of], self.count(of))
        await self.running[task_id].wait()
        del self.running[task_id]
        self.ended[of] += 1
        return True

    def count(self, queue: str) -> int:
        return sum(self.queues[each] == queue for each in self.running)

    def end_all(self) -> None:
        for event in self.running.values():
            event.set()


class Waiting:
    """What is due according to the database, found again until it runs."""

    def __init__(self, attempts: Attempts) -> None:
        self._attempts = attempts
        self._seen: set[UUID] = set()

    async def due(self, queue: Queue, room: int) -> Sequence[Arguments]:
        self._seen |= self._attempts.running.keys()
        left = [each for each, of in self._attempts.queues.items() if of == queue.name]
        return [(str(each), 1) for each in left if each not in self._seen][:room]

    async def waiting(self, namespaces: Sequence[str]) -> Sequence[str]:
        return namespaces


@asynccontextmanager
async def at_work(
    attempts: Attempts,
    limits: Mapping[str, int],
    url: str = NO_REDIS,
    admission: Admission | None = None,
    *,
    is_started: bool = True,
) -> AsyncIterator[TaskqWorker]:
    database = Waiting(attempts)
    working = TaskqWorker(
        namespaces=["default"],
        queues=["video", "other"],
        keys=keys,
        waiting=database.waiting,
        threads=lambda _: 0,
        now_ms=lambda: 1_000,
        may_have=lambda: 20,
        due=database.due,
        admission=admission or Admission({}, lambda _: None),
        limits=QueueLimits(limits),
        unreadable=UnreadableMessages(),
        wake=asyncio.Event(),
        **WorkerSettings.of(Settings(poll_seconds=5)).arguments(connect(url), {RUNNER: attempts}),
    )
    loop = asyncio.create_task(working.main() if is_started else asyncio.sleep(0))
    try:
        yield working
    finally:
        loop.cancel()
        attempts.end_all()
        await asyncio.gather(loop, return_exceptions=True)
        await until(lambda: not working.tasks)
        await working.pool.aclose(close_connection_pool=True)


def end_all_of(attempts: Attempts, queue: str) -> int:
    """Let what runs of a queue end, and return how many have."""
    for task_id, event in attempts.running.items():
        if attempts.queues[task_id] == queue:
            event.set()
    return attempts.ended[queue]


async def pop(redis: Redis, limits: QueueLimits, *namespaces: str, room: int = 20) -> Popped:
    popping = Popping(redis, ["video", "other"], keys, limits=limits)
    return await popping(namespaces or ["default"], now_ms=1_000, room=room, threads=0)


async def test_no_more_is_popped_of_a_queue_than_it_has_room_for(redis: Redis) -> None:
    await ring(redis, {VIDEO: range(1, 10), OTHER: range(11, 14)})
    limits = QueueLimits({"video": 2})
    first = await pop(redis, limits)
    assert [(name, len(ids)) for name, ids in first.ids] == [("video", 2), ("other", 3)]
    assert (first.gave, first.more) == (["default", "default"], ["default"])
    for one in first.ids[0][1]:
        limits.start(one.decode(), "video")
    await ring(redis, {OTHER: [15]})
    full = await pop(redis, limits)
    assert [(name, len(ids)) for name, ids in full.ids] == [("other", 1)]
    assert full.more == ["default"], "it waits, and nobody forgets it"
    limits.end(first.ids[0][1][0].decode())
    assert (await pop(redis, limits)).total == 1
    assert await redis.zcard(keys(VIDEO)[0]) == 6, "what has no room stays for others"


async def test_namespaces_share_a_limit(redis: Redis) -> None:
    await ring(redis, {Queue(name, "video"): range(n, n + 5) for n, name in ((10, "a"), (20, "b"))})
    popped = await pop(redis, QueueLimits({"video": 4}), "a", "b")
    (of_video,) = popped.ids
    assert (of_video[0], len(of_video[1])) == ("video", 4)
    assert sorted(popped.gave) == ["a", "b"]


async def test_room_beyond_that_of_the_worker_is_none(redis: Redis) -> None:
    await ring(redis, {VIDEO: range(1, 10)})
    assert (await pop(redis, QueueLimits({"video": 100}), room=3)).total == 3


async def test_others_go_on_while_a_queue_is_at_its_limit(redis: Redis, redis_url: str) -> None:
    """There is no other message than the ends of attempts, and nothing is polled for."""
    tasks = {VIDEO: range(1, 8), OTHER: range(11, 60)}
    attempts = Attempts(tasks)
    await ring(redis, tasks)
    async with at_work(attempts, {"video": 2}, redis_url):
        await until(lambda: end_all_of(attempts, "other") == 49)
        assert attempts.most["video"] == attempts.count("video") == 2
        await until(lambda: end_all_of(attempts, "video") == 7)
    assert attempts.most == {"video": 2, "other": 18}


async def test_without_redis_a_limit_is_kept_and_others_go_on() -> None:
    tasks = {VIDEO: range(1, 6), OTHER: range(11, 16)}
    attempts = Attempts(tasks)
    async with at_work(attempts, {"video": 2}):
        await until(lambda: attempts.count("other") == 5)
        assert attempts.count("video") == 2
        await until(lambda: end_all_of(attempts, "video") == 5)
    assert attempts.most["video"] == 2


async def test_what_is_offered_counts_as_well() -> None:
    attempts = Attempts({VIDEO: range(1, 6), OTHER: range(11, 16)})
    async with at_work(attempts, {"video": 2}, is_started=False) as working:
        working.offer([bell(1)], "video")
        working.offer([bell(1), bell(2), bell(3)], "video")
        working.offer([bell(n) for n in range(11, 16)], "other")
        working.offer([bell(4)], "video")
        working.offer([bell(5)], "video")
        await until(lambda: len(attempts.running) >= 7)
        await asyncio.sleep(0.01)
        assert attempts.running.keys() == {UUID(int=n) for n in (1, 4, *range(11, 16))}


async def test_nothing_is_offered_beside_a_look_that_may_fill_the_queue(
    redis: Redis, redis_url: str
) -> None:
    attempts = Attempts({VIDEO: range(1, 6)})
    await ring(redis, {VIDEO: [1, 2]})
    async with at_work(attempts, {"video": 2}, redis_url, is_started=False) as working:
        look = asyncio.create_task(working._take())
        await asyncio.sleep(0)
        working.offer([bell(3)], "video")
        await look
        await until(lambda: len(attempts.running) == 2)
        assert UUID(int=3) not in attempts.running


async def test_what_waited_for_a_process_waits_for_its_queue_too() -> None:
    """Two that were refused have a process by now; their queue takes one more."""
    admission = Admission({Gate.PROCESS: lambda: 9}, lambda _: None)
    attempts = Attempts({VIDEO: range(1, 6), OTHER: [11]})
    for number, queue in ((1, "video"), (2, "video"), (11, "other")):
        due = Due(UUID(int=number), 0, "default", queue, number)
        admission.answered(due.task_id, 1, NotNow(Gate.PROCESS, due))
    limits = QueueLimits({"video": 1})
    ready = admission.ready(5, limits.admit)
    assert ready == [bell(1), bell(11)]
    assert admission.ready(5, limits.admit) == []
    limits.end(":".join(map(str, bell(1))))
    assert admission.ready(5, limits.admit) == [bell(2)]
    assert attempts.running == {}


def test_an_attempt_counts_once() -> None:
    limits = QueueLimits({"video": 2})
    limits.start("a", "video")
    limits.start("a", "video")
    assert limits.room("video", 9) == 1
    assert limits.admit("a", "video")
    assert limits.admit("b", "video")
    assert not limits.admit("c", "video")
    limits.end("a")
    limits.end("a")
    assert limits.room("video", 9) == 1
    assert limits.room("other", 9) == 9
