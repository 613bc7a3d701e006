"""arq's worker, woken instead of polling.

arq starts jobs one by one with four round trips each, keeps running jobs in its queue, and ends
when Redis goes away. Here a doorbell is popped when it is taken (the row is the lock), all that fit
in one round trip, and a worker without Redis asks the database instead. A doorbell that was refused
for want of a thread is rung aside, where only workers with a free thread look: nobody takes it
again and again, and what needs no thread does not wait behind it. A stock
`enqueue_job("execute_task", task_id, attempt, _queue_name=…)` of a client that writes JSON rings as
well. Nothing but taskq's own queues is ever looked at.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Container, Iterable, Sequence
from math import ceil, inf
from typing import Any, NamedTuple
from uuid import UUID

from arq.connections import ArqRedis
from arq.worker import Function, Worker
from redis.exceptions import RedisError, ResponseError

from taskq_server.broker.connection import JOB_FUNCTION, REPLY_SECONDS, OutageLog
from taskq_server.broker.unreadable import UnreadableMessages
from taskq_server.domain.caller import DEFAULT_NAMESPACE
from taskq_server.domain.task import Queue
from taskq_server.worker.admission import Admission
from taskq_server.worker.doorbells import Arguments, key_of, read_doorbells
from taskq_server.worker.popping import Keys, Popping
from taskq_server.worker.queue_limits import NO_LIMITS, QueueLimits
from taskq_server.worker.turns import MOST_AT_ONCE, NamespaceTurns

_MOST_POPPED = 1_000
_MOST_SCORE = 2**53
_AWAY_SECONDS = 0.5
_log = logging.getLogger("taskq.server.worker")


class Heads(NamedTuple):
    """The lowest score of a queue's doorbells, and of those aside; None if there are none."""

    queue: int | None
    aside: int | None


class TaskqWorker(Worker):
    """Pop doorbells and run `execute_task` for each.

    Args:
        namespaces: whose doorbells to pop, until `serve` says otherwise.
        queues: the names of queues, most important first.
        keys: the names in Redis of a queue's doorbells, and of those for workers with a free
            thread.
        now_ms: the earliest time that it may be, milliseconds.
        may_have: how many attempts may be under way now.
        may_claim: how many more may be claimed at this moment.
        due: what is due in a queue according to the database, for a Redis that is away.
        waiting: returns the namespaces, of some, that have waiting tasks according to the database.
        threads: how many of them would have a thread now, besides these that are under way.
        admission: knows what was refused, and starts it when there is room.
        limits: say how many attempts of some queues may be under way.
        unreadable: takes doorbells that cannot be read.
        wake: set by others to have it look for doorbells now.
        paused: the queues whose doorbells stay where they are.
        options: arq's own arguments.
    """

    def __init__(
        self,
        *,
        namespaces: Sequence[str],
        queues: Sequence[str],
        keys: Keys,
        now_ms: Callable[[], int],
        may_have: Callable[[], int],
        due: Callable[[Queue, int], Awaitable[Sequence[Arguments]]],
        waiting: Callable[[Sequence[str]], Awaitable[Sequence[str]]],
        threads: Callable[[Collection[UUID]], int],
        may_claim: Callable[[], int] = lambda: _MOST_POPPED,
        admission: Admission,
        limits: QueueLimits = NO_LIMITS,
        unreadable: UnreadableMessages,
        wake: asyncio.Event,
        paused: Container[Queue] = (),
        **options: Any,
    ) -> None:
        first = Queue(next(iter(namespaces), DEFAULT_NAMESPACE), queues[0])
        super().__init__(queue_name=keys(first)[0], **options)
        self._names = queues
        self._keys = keys
        self._turns = NamespaceTurns(namespaces, self.poll_delay_s, self.loop.time)
        self._now_ms = now_ms
        self._may_have = may_have
        self._may_claim = may_claim
        self._due = due
        self._waiting = waiting
        self._threads = threads
        self._promised: set[UUID] = set()
        self._admission = admission
        self._limits = limits
        self._admit = limits.admit if limits else None
        self._is_taking = False
        self._unreadable = unreadable
        self._wake = wake
        self._away = False
        self._outage_log = OutageLog(self.pool, "Redis gives no doorbells")
        self._pop = Popping(self.pool, queues, keys, limits=limits, paused=paused)

    async def main(self) -> None:
        """Take doorbells for ever; replaces arq's polling loop."""
        self.ctx["redis"] = self.pool
        while True:
            self._wake.clear()
            pause = await self._take() if self.allow_pick_jobs else self.poll_delay_s
            if pause > 0:
                await self._sleep(pause)

    def offer(self, attempts: Sequence[Arguments], queue: str) -> None:
        """Start attempts of a queue that nobody rang for, as far as there is room."""
        # What is being taken may need all the room of a queue with a limit.
        if self.allow_pick_jobs and not (self._is_taking and queue in self._limits):
            room = self._limits.room(queue, self._room())
            self._start_rung(attempts[: max(0, room)], queue)

    def serve(self, namespaces: Iterable[str]) -> None:
        """Pop the doorbells of these namespaces from now on."""
        self._turns.serve(namespaces)
        self._wake.set()

    def rung(self, namespace: str) -> None:
        """Look for doorbells of a namespace now."""
        self._turns.rung(namespace)
        self._wake.set()

    async def heads(self, queues: Sequence[Queue]) -> dict[Queue, Heads]:
        """Return the lowest scores of each of some queues.

        Raises:
            RedisError, OSError, TimeoutError: Redis is away.
        """
        async with (
            asyncio.timeout(REPLY_SECONDS),
            self.pool.pipeline(transaction=False) as pipe,
        ):
            for queue in queues:
                for key in self._keys(queue):
                    pipe.zrange(key, 0, 0, withscores=True)
            found = [_score(head) for head in await pipe.execute()]
        pairs = zip(found[::2], found[1::2], strict=True)
        return {queue: Heads(*both) for queue, both in zip(queues, pairs, strict=True)}

    async def takes_bells(self) -> bool:
        """Return whether Redis takes doorbells; one that is full answers everything else.

        One that is away counts as one that does, because then nobody needs any.
        """
        key, _ = self._keys(Queue(DEFAULT_NAMESPACE, self._names[0]))
        try:
            async with asyncio.timeout(REPLY_SECONDS):
                await self.pool.zadd(key, {"": 0}, xx=True)  # changes nothing
        except ResponseError:
            return False
        except (RedisError, OSError, TimeoutError):
            return True
        return True

    async def _take(self) -> float:
        """Start what is there, and return how long to sleep unless somebody wakes us."""
        for one in self._admission.ready(self._room(), self._admit):
            self._start(one)
        if self._room() <= 0:
            return self.poll_delay_s
        namespaces = self._turns.take()
        most = max(1, MOST_AT_ONCE // len(self._names))
        for first in range(0, len(namespaces), most):
            room = self._room()
            if room <= 0 or await self._take_from(namespaces[first : first + most], room) >= room:
                for later in namespaces[first + (most if room > 0 else 0) :]:
                    self._turns.rung(later)
                return 0.0 if self._room() > 0 else self.poll_delay_s
        return self._turns.pause

    async def _take_from(self, namespaces: Sequence[str], room: int) -> int:
        """Start what there is room for, and return for how many doorbells there was some."""
        self._is_taking = True
        try:
            return await self._pop_and_start(namespaces, room)
        finally:
            self._is_taking = False

    async def _pop_and_start(self, namespaces: Sequence[str], room: int) -> int:
        now = self._now_ms()
        threads = self._threads(self._promised)
        try:
            async with asyncio.timeout(_AWAY_SECONDS if self._away else REPLY_SECONDS):
                popped = await self._pop(namespaces, now_ms=now, room=room, threads=threads)
        except (RedisError, OSError, TimeoutError) as error:
            self._outage_log.fails(error)
            self._away = True
            return await self._take_from_database(namespaces)
        self._outage_log.works()
        self._away = False
        next_in = inf if popped.next_at is None else (popped.next_at - now) / 1000
        self._turns.looked(popped.gave, popped.more, next_in)
        for queue, ids in popped.ids:
            found = await read_doorbells(self.pool, ids, self._unreadable)
            if popped.aside:
                beside = (one for one in found if key_of(one).encode() in popped.aside)
                self._promised.update(UUID(task_id) for task_id, _ in beside)
            self._start_rung(found, queue)
        return popped.total

    async def _take_from_database(self, namespaces: Sequence[str]) -> int:
        """Start what is due, shared as Redis would share it."""
        there = await self._waiting(namespaces)
        total = 0
        for name in self._names:
            more: list[str] = []
            for number, namespace in enumerate(there):
                room = self._room()
                if room <= 0:
                    return total
                room = self._limits.room(name, room)
                if room <= 0:
                    break
                share = ceil(room / (len(there) - number))
                jobs = await self._due(Queue(namespace, name), share)
                self._start_rung(jobs, name)
                total += len(jobs)
                more += [namespace] * (len(jobs) == share)
                self._turns.looked([namespace] if jobs else [], more, 0.0 if more else inf)
            if more and self._limits.room(name, 1) > 0:
                break  # for the next queue is less important
        return total

    def _room(self) -> int:
        return min(self._may_have() - len(self.tasks), self._may_claim(), _MOST_POPPED)

    def _start_rung(self, rung: Iterable[Arguments], queue: str | None) -> None:
        for one in rung:
            if self._admission.admits(one):
                if queue is not None:
                    self._limits.start(key_of(one), queue)
                self._start(one)

    def _start(self, arguments: Arguments) -> None:
        task_id, attempt = arguments
        key = key_of(arguments)
        if key in self.tasks:
            return
        function = self.functions[JOB_FUNCTION]
        assert isinstance(function, Function)
        job = self.loop.create_task(function.coroutine(self.ctx, task_id, attempt))
        self.tasks[key] = job
        job.add_done_callback(lambda done: self._finished(key, done))

    def _finished(self, key: str, job: asyncio.Task[Any]) -> None:
        del self.tasks[key]
        if self._limits:
            self._limits.end(key)
        if self._promised:
            self._promised.discard(UUID(key.partition(":")[0]))
        error = None if job.cancelled() else job.exception()
        if error is not None:
            _log.error("attempt %s ended in an error of taskq's own", key, exc_info=error)
        # The database would offer at once again what was refused just now.
        if not self._away or (error is None and not job.cancelled() and job.result()):
            self._wake.set()

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return


def _score(head: Sequence[tuple[bytes, float]]) -> int | None:
    # Scores that are no times are not taskq's.
    return int(head[0][1]) if head and abs(head[0][1]) < _MOST_SCORE else None


def redis_pool(pool: ArqRedis | None) -> ArqRedis:
    """Return the pool that a worker cannot do without."""
    assert pool is not None, "a worker needs a Redis URL"
    return pool
